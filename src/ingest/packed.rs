//! Reads a compressed log as a whole, and reads it again whenever it changes.
//!
//! Its offset counts compressed bytes and is either 0 or the file's size. Its calls have the same keys as in the
//! uncompressed log, so a log that is compressed later, or read twice, counts once.

use std::io;
use std::sync::atomic::Ordering;

use super::Condition;
use super::fingerprint::Fingerprint;
use super::line_splitter::Frame;
use super::tail::{PACKED, RECORDS, Reached, Reading, Tools};
use super::unpack::{Trouble, Unpack};
use crate::formats::BadLine;

impl Reading<'_> {
    /// Reads a compressed file from the beginning, unless it is unchanged.
    pub(super) fn read_packed(&mut self, tools: &mut Tools) -> io::Result<Reached> {
        let tail = &mut *self.tail;
        if tail.state.offset > 0 && tail.state.offset == self.stat.size {
            (tail.state.size, tail.state.modified_ns) = (self.stat.size, self.stat.changed_ns);
            return Ok(Reached::End);
        }
        if tail.state.offset > 0 {
            tail.restart();
            self.builder.restart(tail.decoder(tools));
        }
        let handle = self.handle;
        let mut unpack = Unpack::new(handle);
        let read = self.unpack(&mut unpack, tools);
        match read {
            Ok(Reached::End) => self.tail.news = None,
            Ok(Reached::More | Reached::Busy | Reached::Replaced(_)) => {
                // Reading cannot resume in the middle. Calls that were read before are recognised by their keys.
                self.tail.restart();
                self.builder.restart(self.tail.decoder(tools));
                return Ok(Reached::More);
            }
            Err(Trouble::Damaged(what)) => {
                self.builder.put_aside(unpack.consumed(), BadLine::Packed(what));
                self.tail.news = Some(Condition::Unsupported("the rest of a compressed file that is damaged"));
            }
            Err(Trouble::TooWide(what)) => {
                self.builder.put_aside(unpack.consumed(), BadLine::Packed(what));
                self.tail.news = Some(Condition::Unsupported(what));
            }
            Err(Trouble::System(error)) => {
                self.tail.restart();
                return Err(error);
            }
        }
        let is_whole = read.is_ok();
        let end = if is_whole { unpack.consumed() } else { self.stat.size };
        self.flush_packed(end, tools, is_whole.then(|| unpack.fingerprint()));
        Ok(Reached::End)
    }

    /// Decompresses to the end, or until reading is stopped.
    fn unpack(&mut self, unpack: &mut Unpack<'_>, tools: &mut Tools) -> Result<Reached, Trouble> {
        let longest = tools.splitter.longest();
        tools.splitter.begin(0, false);
        loop {
            let mut trouble = None;
            let filled = tools.splitter.fill(|into, _| {
                Ok(unpack.fill(into).unwrap_or_else(|why| {
                    trouble = Some(why);
                    0
                }))
            });
            let count = filled.map_err(Trouble::System)?;
            while let Some(frame) = tools.splitter.next() {
                self.builder.piece(&frame, false, longest);
                if self.builder.records.len() >= RECORDS {
                    self.flush_packed(unpack.consumed(), tools, None);
                }
            }
            tools.splitter.tell(&mut Fingerprint::default());
            if let Some(trouble) = trouble {
                return Err(trouble);
            }
            if count == 0 {
                break;
            }
            if tools.stop.load(Ordering::Relaxed) {
                return Ok(Reached::More);
            }
        }
        // Compressed files are not appended to, so the last line is complete.
        while let Some(frame) = tools.splitter.whole_rest() {
            self.builder.piece(&frame, false, longest);
        }
        if let Some(Frame::Line { text, offset, nuls }) = tools.splitter.torn_rest() {
            self.builder.piece(&Frame::Line { text, offset, nuls }, false, longest);
        }
        tools.splitter.tell(&mut Fingerprint::default());
        Ok(Reached::End)
    }

    /// Emits the batch. The file only counts as read once the whole file has a fingerprint; the next run tries a
    /// damaged file again.
    fn flush_packed(&mut self, end: u64, tools: &Tools, whole: Option<&Fingerprint>) {
        let tail = &mut *self.tail;
        let bytes = end.saturating_sub(tail.state.offset);
        let (batch, unknown) = self.builder.batch(bytes, &mut tail.tallies, &tools.owner, &tools.projects);
        tail.strange = unknown;
        if let Some(offset) = self.builder.too_long.take() {
            tail.news = Some(Condition::OverLong { lines: tail.tallies.over_long, offset });
        }
        let state = &mut tail.state;
        state.offset = end;
        state.lines += batch.tallies.lines;
        state.bad_lines += batch.tallies.bad;
        (state.size, state.modified_ns) = (end, self.stat.changed_ns);
        (tail.searched, tail.partial, tail.lag) = (end, None, 0);
        PACKED.clone_into(&mut state.reader);
        let file = whole.map(|fingerprint| {
            fingerprint.seal(&mut tail.state);
            tail.checkpoint()
        });
        tail.booked = file.is_some();
        (self.hand)(super::ReadBatch { file, ..batch });
    }
}
