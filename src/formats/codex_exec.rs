//! Output of `codex exec --json`: a thread's running totals at the end of each turn.
//!
//! It has no times and no models. A resumed thread continues its totals, often in another file, so a thread is one row
//! with its highest totals. The rollout of the same thread has every call; if both are read, the rollout counts (see
//! [`SUMS_UP`](crate::domain::SUMS_UP)).

use serde::{Deserialize, Serialize};

use super::codex_usage::{Totals, Usage};
use super::fields::{Slot, fields};
use super::json::{self, Text};
use super::{BadLine, Format, Origin, Reader, Reading, keys};
use crate::domain::{Attribution, Call, CallKey, Fidelity, Label, Labels, Place, Record};

/// Output of `codex exec --json`.
pub(super) struct CodexExec;

impl Format for CodexExec {
    fn name(&self) -> &'static str {
        NAME
    }
    fn needles(&self) -> &'static [&'static str] {
        &["\"thread.started\"", "\"turn.completed\""]
    }
    fn reader(&self) -> Box<dyn Reader> {
        Box::new(Run { source: Label::new(NAME), labels: Labels::default(), thread: Thread::default() })
    }
}

const NAME: &str = "codex-exec";

struct Run {
    source: Label,
    labels: Labels,
    thread: Thread,
}

/// State of the run.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
struct Thread {
    id: Option<String>,
    before: Totals,
    /// Totals already stored by older versions, which stored each turn as a row.
    apart: Totals,
    /// Number of times the totals fell, which restarts the count.
    falls: u64,
    /// True if the turns so far are one row.
    whole: bool,
}

fields! {
    /// A line of any kind.
    Line {
        kind: Text<'a> = "type",
        thread: Text<'a> = "thread_id",
        usage: Usage<'a> = "usage",
    }
}

impl Reader for Run {
    fn line(&mut self, line: &[u8], origin: &Origin, out: &mut Vec<Record>) -> Result<Reading, BadLine> {
        let line: Line<'_> = json::parse(line)?;
        match line.kind.get() {
            Some("thread.started") => {
                if self.thread.id.as_deref() != line.thread.get() {
                    self.thread = Thread { id: line.thread.get().map(str::to_owned), ..Thread::default() };
                }
            }
            Some("turn.completed") => self.count(&line, origin, out)?,
            _ => return Ok(Reading::NotMine),
        }
        Ok(Reading::Mine)
    }

    fn state(&self) -> String {
        serde_json::to_string(&self.thread).unwrap_or_default()
    }

    fn restore(&mut self, state: &str) {
        self.thread = serde_json::from_str(state).unwrap_or_default();
    }
}

impl Run {
    fn count(&mut self, line: &Line<'_>, origin: &Origin, out: &mut Vec<Record>) -> Result<(), BadLine> {
        if line.usage.is_absent() {
            return Ok(());
        }
        let now = line.usage.totals()?;
        let thread = &mut self.thread;
        if !std::mem::replace(&mut thread.whole, true) {
            thread.apart = thread.before;
        }
        if now.is_below(thread.before) {
            thread.falls += 1;
            thread.apart = Totals::default();
        }
        thread.before = now;
        let tokens = now.since(thread.apart).whole_tokens();
        if tokens.is_zero() {
            return Ok(());
        }
        let name = thread.id.as_deref().unwrap_or(origin.stem());
        let key = match thread.falls {
            0 => keys::thread_key(name),
            falls => CallKey::from_parts(&[b"thread".as_slice(), name.as_bytes(), &falls.to_le_bytes()]),
        };
        out.push(Record::Call(Call {
            fidelity: Fidelity::Guessed,
            alias: (thread.id.is_some() && thread.falls == 0).then_some(key),
            ..Call::new(
                key,
                Attribution {
                    session: self.labels.find(Some(name)),
                    place: Some(Place { path: origin.path.clone(), offset: origin.offset }),
                    ..Attribution::new(origin.modified, self.source.clone())
                },
                None,
                tokens,
            )
        }));
        Ok(())
    }
}
