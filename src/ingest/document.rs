//! Reads JSON documents that their agents rewrite in place. The whole document is read whenever it changes, and only
//! new answers are passed on.
//!
//! Its answers have the same keys each time, so nothing counts twice, and answers that a shorter document no longer
//! contains stay in the ledger. A document that is only half written is not a complete JSON value. It is read again
//! when it changes.

use std::io;

use super::fingerprint::Fingerprint;
use super::fs::fill;
use super::tail::{Reached, Reading, Tools};
use super::{Condition, ReadBatch};
use crate::domain::Record;

impl Reading<'_> {
    /// Reads the document, unless it is too large.
    pub(super) fn read_document(&mut self, tools: &mut Tools) -> io::Result<Reached> {
        let longest = tools.splitter.longest();
        let size = usize::try_from(self.stat.size).unwrap_or(usize::MAX);
        if size > longest {
            self.seen(Some(Condition::Unsupported("a document that is too large")));
            return Ok(Reached::End);
        }
        // One extra byte reveals whether it has grown.
        let mut text = vec![0; size + 1];
        let count = fill(self.handle, &mut text, 0)?;
        text.truncate(count);
        let now = self.handle.stat()?;
        if (now.size, now.changed_ns) != (self.stat.size, self.stat.changed_ns) {
            return Ok(Reached::More);
        }
        if !self.builder.document(&text) {
            self.seen(None);
            self.tail.partial = Some(0);
            return Ok(Reached::End);
        }
        self.tail.partial = None;
        let handed_on = &mut self.tail.handed_on;
        self.builder.records.retain(|record| match record {
            Record::Call(call) => {
                let now = (call.tokens, call.model.clone(), call.quoted);
                handed_on.insert(call.key, now.clone()) != Some(now)
            }
            Record::Descends { .. }
            | Record::Bill(_)
            | Record::Rekeyed { .. }
            | Record::Status(_)
            | Record::Settled(_) => true,
        });
        let mut fingerprint = Fingerprint::default();
        fingerprint.push(&text);
        self.flush_document(tools, &fingerprint);
        Ok(Reached::End)
    }

    /// Marks the document as read until it changes.
    fn seen(&mut self, news: Option<Condition>) {
        let tail = &mut *self.tail;
        (tail.state.size, tail.state.modified_ns) = (self.stat.size, self.stat.changed_ns);
        tail.news = news.or(tail.news.take());
    }

    fn flush_document(&mut self, tools: &Tools, fingerprint: &Fingerprint) {
        let tail = &mut *self.tail;
        let bytes = self.stat.size.saturating_sub(tail.state.offset);
        let (batch, unknown) = self.builder.batch(bytes, &mut tail.tallies, &tools.owner, &tools.projects);
        tail.strange = unknown;
        let state = &mut tail.state;
        state.offset = self.stat.size;
        (state.size, state.modified_ns) = (self.stat.size, self.stat.changed_ns);
        state.lines += batch.tallies.lines;
        state.bad_lines += batch.tallies.bad;
        state.reader = self.builder.state();
        fingerprint.seal(state);
        (tail.searched, tail.lag, tail.booked) = (self.stat.size, 0, true);
        (self.hand)(ReadBatch { file: Some(tail.checkpoint()), ..batch });
    }
}
