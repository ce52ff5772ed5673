//! The lines: one per call, followed by the counters and the worst limit.

use std::collections::BTreeMap;
use std::io::{self, Write as _};
use std::sync::Arc;

use tokio::sync::mpsc;

use super::call_line::call_line;
use super::held::Held;
use super::printer::Printer;
use crate::commands::Context;
use crate::domain::{CallKey, Instant};
use crate::engine::{Driver, EngineEvent, Note, Request};
use crate::ledger::{Change, Row};
use crate::meter::Summary;
use crate::text;

/// State of the line output.
pub(crate) struct Lines {
    pub(crate) driver: Driver,
    pub(crate) requests: mpsc::Sender<Request>,
    /// Text of the worst limit in the previous line.
    pub(crate) standing: Option<String>,
    /// Calls that may still grow.
    pub(crate) held: Held,
    /// When the output began. Earlier calls are not listed, unless this process records them.
    pub(crate) since: Instant,
    /// Latest calls that are listed, with their tokens at the time.
    pub(crate) listed: BTreeMap<CallKey, u64>,
    /// The latest line of counters, unless a call was listed after it.
    pub(crate) counters: String,
    /// Lines to print.
    pub(crate) out: Vec<u8>,
}

impl Lines {
    pub(crate) fn tell(&mut self, context: &Context<'_>, news: EngineEvent, printer: &Printer) -> io::Result<()> {
        let now = context.now();
        self.driver.take(&news, now);
        match news {
            EngineEvent::Snapshot(snapshot) => {
                self.take_in(context, &snapshot.latest, now)?;
                self.counter(context)
            }
            EngineEvent::Changes(posted) => {
                let changed = posted.iter().filter_map(|posted| match posted {
                    Change::New(change) | Change::Grown(change) => Some(&change.after),
                    Change::Repeat | Change::Moved(_) | Change::Gone(_) => None,
                });
                for row in changed {
                    self.call(context, row, now)?;
                }
                self.counter(context)
            }
            EngineEvent::Note(note) => {
                printer.note(note_line(context, &note));
                Ok(())
            }
            EngineEvent::Statuses(_) | EngineEvent::Settings(_) => self.look(context),
            EngineEvent::Progress(_)
            | EngineEvent::Health(_)
            | EngineEvent::Answer(_)
            | EngineEvent::Models(_)
            | EngineEvent::Explained(_)
            | EngineEvent::Ended => Ok(()),
        }
    }

    /// Lists a call, once it has stopped growing.
    fn call(&mut self, context: &Context<'_>, row: &Arc<Row>, now: Instant) -> io::Result<()> {
        self.listed.insert(row.call.key, row.call.tokens.total());
        let done = self.held.hold(row, now);
        self.write_calls(context, &done)
    }

    /// Lists the calls that another process has recorded. No change event reports them.
    fn take_in(&mut self, context: &Context<'_>, latest: &[Arc<Row>], now: Instant) -> io::Result<()> {
        let listed = std::mem::take(&mut self.listed);
        self.listed = latest.iter().filter_map(|row| Some((row.call.key, *listed.get(&row.call.key)?))).collect();
        let since = self.since;
        for row in latest.iter().filter(|row| row.call.at() >= since) {
            if self.listed.get(&row.call.key).is_none_or(|tokens| *tokens < row.call.tokens.total()) {
                self.call(context, row, now)?;
            }
        }
        Ok(())
    }

    /// Writes the counters, and the worst limit if it is near or over.
    pub(crate) fn counter(&mut self, context: &Context<'_>) -> io::Result<()> {
        let summary = self.count(context.now());
        self.write(&summary)
    }

    /// Writes the calls that have stopped growing at this time; without a time, all calls.
    pub(super) fn write_held(&mut self, context: &Context<'_>, now: Option<Instant>) -> io::Result<()> {
        let done = self.held.done(now);
        self.write_calls(context, &done)
    }

    fn write_calls(&mut self, context: &Context<'_>, rows: &[Arc<Row>]) -> io::Result<()> {
        for row in rows {
            self.counters.clear();
            writeln!(self.out, "{}", call_line(row, context.settings.zone))?;
        }
        Ok(())
    }

    /// Writes the counters again if the state of the limits has changed without a call.
    pub(crate) fn look(&mut self, context: &Context<'_>) -> io::Result<()> {
        let now = context.now();
        self.write_held(context, Some(now))?;
        let summary = self.count(now);
        if standing(&summary) == self.standing { Ok(()) } else { self.write(&summary) }
    }

    pub(crate) fn write(&mut self, summary: &Summary) -> io::Result<()> {
        self.standing = standing(summary);
        let limit = self.standing.as_ref().map(|words| format!("   {words}")).unwrap_or_default();
        let counters = format!("{}{limit}", text::counter(&summary.followed, summary.growing));
        let before = std::mem::replace(&mut self.counters, counters);
        if before == self.counters { Ok(()) } else { writeln!(self.out, "{}", self.counters) }
    }

    /// The current summary. Sends its requests to the engine.
    pub(crate) fn count(&mut self, now: Instant) -> Summary {
        let summary = self.driver.summary(now);
        self.driver.send(&self.requests);
        summary
    }
}

/// Text of the worst limit, if near or over.
pub(crate) fn standing(summary: &Summary) -> Option<String> {
    summary.worst_limit().map(|limit| format!("{}   {}", text::banner_title(limit), text::banner_amounts(limit)))
}

/// Formats a note, with bell or notification if standard error is a terminal.
fn note_line(context: &Context<'_>, note: &Note) -> Vec<u8> {
    let mut bytes = Vec::new();
    if context.env.terminal[2] {
        bytes.extend(note.bell.then_some(7));
        bytes.extend_from_slice(note.popup.as_deref().unwrap_or_default());
    }
    bytes.extend_from_slice(format!("tokmeter: {}\n", note.text).as_bytes());
    bytes
}
