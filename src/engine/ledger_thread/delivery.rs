//! Handles deliveries from the socket and the HTTP server: books or keeps calls, and answers queries.

use super::Inbox;
use super::LedgerThread;
use crate::domain::{Label, Record};
use crate::engine::Caveats;
use crate::engine::questions::{QueryContext, Question};
use crate::ingest::{Content, Delivery, Reply};
use crate::ledger::{Batch, Change, Checkpoint, Ledger};

/// Number of calls from exports that are written in one transaction. The last export may exceed it.
const TOGETHER: usize = 8192;

impl LedgerThread {
    pub(super) fn delivery(&mut self, delivery: Delivery) {
        let reply = match delivery.content {
            Content::Query(question) => {
                let warning = self.health.doubt();
                let caveats = Caveats { warning: warning.as_deref(), unread_files: self.health.unread_files() };
                let now = self.env.now();
                let own = self.health.answer(&question);
                let answer = || self.config_edits.query(&question, &self.books, &self.rules, caveats, now);
                Reply::Json(own.unwrap_or_else(answer))
            }
            Content::Records(records) => self.take_records(records, None),
            Content::Kept(records) => self.take_kept(records),
            Content::Export { records, state } => self.take_records(records, state),
        };
        let _ = delivery.reply.send(reply);
    }

    /// Writes an export, and those that arrive until it is written, in one transaction. Most of its cost comes from the
    /// pages it touches, and the calls of many exports are on the same pages.
    pub(super) fn exports(&mut self, first: Delivery, inbox: &mut Inbox) {
        let (mut replies, mut other) = (Vec::new(), None);
        let (mut next, now) = (Some(first), self.env.now());
        let mut more = |batch: &mut Batch| {
            let before = replies.len();
            while batch.records.len() < TOGETHER && other.is_none() {
                let Some(delivery) = next.take().or_else(|| inbox.deliveries.try_recv().ok()) else { break };
                match delivery.content {
                    Content::Export { records, state } => {
                        batch.records.extend(records);
                        if let Some(state) = state {
                            batch.files = vec![Checkpoint::of_telemetry(state, now)];
                        }
                        replies.push(delivery.reply);
                    }
                    content @ (Content::Records(_) | Content::Kept(_) | Content::Query(_)) => {
                        other = Some(Delivery { content, ..delivery });
                    }
                }
            }
            replies.len() > before
        };
        let mut batch = Batch::default();
        more(&mut batch);
        let reply = match self.take_batch(&mut batch, &mut more) {
            // Nobody asks which of the calls are new.
            Reply::Booked { .. } | Reply::Repeat | Reply::Nothing | Reply::Json(_) => Reply::Nothing,
            error @ Reply::Error(_) => error,
        };
        for sender in replies {
            let _ = sender.send(reply.clone());
        }
        if let Some(other) = other {
            self.delivery(other);
        }
    }

    /// Writes calls from outside.
    fn take_records(&mut self, records: Vec<Record>, state: Option<String>) -> Reply {
        let files = state.map(|state| Checkpoint::of_telemetry(state, self.env.now()));
        self.take_batch(&mut Batch { records, files: files.into_iter().collect() }, &mut |_| false)
    }

    /// Writes calls that their sender keeps. Those that neither the ledger nor the spool can take count until it sends
    /// them again.
    fn take_kept(&mut self, records: Vec<Record>) -> Reply {
        let mut batch = Batch { records, files: Vec::new() };
        let reply = self.take_batch(&mut batch, &mut |_| false);
        if matches!(reply, Reply::Error(_)) {
            self.hold(&batch);
        }
        reply
    }

    /// Writes a batch from outside and what `more` appends to it, see [`Ledger::post_with`]. Calls that cannot be
    /// written now are kept in the spool and counted. They are rejected only if that fails too, because no log has
    /// them; the sender then keeps them.
    fn take_batch(&mut self, batch: &mut Batch, more: &mut dyn FnMut(&mut Batch) -> bool) -> Reply {
        let refused = self.health.not_booked().filter(|_| self.state.stuck.is_some()).map(ToString::to_string);
        let written = if refused.is_none() { Some(self.books.post_with(batch, more)) } else { None };
        self.health.delivered(&batch.records);
        let why = match written {
            Some(Ok(changes)) => return self.took(changes),
            Some(Err(error)) => {
                self.failed(&error);
                error.to_string()
            }
            None => refused.unwrap_or_default(),
        };
        match self.spool(batch) {
            Some(told) => self.took(told),
            None => {
                let text = format!("the call was not counted; send it again: {why}");
                Reply::Error(Label::new(&text))
            }
        }
    }

    fn took(&mut self, changes: Vec<Change>) -> Reply {
        let reply = reply_of(&changes);
        self.tell_changes(changes);
        reply
    }

    /// Answers a query about the ledger as it is, including calls buffered in memory.
    pub(super) fn question(&mut self, question: Question) {
        let now = self.env.now();
        if self.state.stuck.is_none() && self.state.caught_up {
            let _ = self.books.flush();
        }
        question(&QueryContext {
            ledger: &self.books,
            rules: &self.rules,
            settings: &self.config_edits.settings,
            prices: &self.prices,
            health: self.health.view(&self.prices, now),
            warning: self.health.doubt(),
            unread_files: self.health.unread_files(),
            is_caught_up: self.state.caught_up,
            scrape: &self.scrape,
            recent: &self.state.recent,
            now,
        });
    }
}

fn reply_of(changes: &[Change]) -> Reply {
    let booked = changes.iter().find_map(|change| match change {
        Change::New(change) | Change::Grown(change) => Some(&change.after),
        Change::Moved(_) | Change::Gone(_) | Change::Repeat => None,
    });
    booked.map_or(Reply::Repeat, |row| Reply::Booked {
        key: row.call.key,
        cost: row.cost.usd(),
        fidelity: row.call.fidelity,
    })
}
