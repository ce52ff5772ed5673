//! What `codex exec --json` prints: the running totals of a thread at the end of each turn.
//!
//! It tells neither time nor model. The rollout of the same thread tells both, and more exactly:
//! count the one or the other.

use serde::{Deserialize, Serialize};

use super::codex_usage::{Totals, Usage};
use super::fields::{Slot, fields};
use super::json::{self, Text};
use super::{BadLine, Format, Origin, Reader, Reading};
use crate::domain::{Attribution, Call, CallKey, Fidelity, Label, Labels, Place, Record};

/// The output of `codex exec --json`.
pub(super) struct CodexExec;

impl Format for CodexExec {
    fn name(&self) -> &'static str {
        NAME
    }
    fn markers(&self) -> &'static [&'static str] {
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

/// What the run has said so far.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
struct Thread {
    id: Option<String>,
    before: Totals,
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
                    self.thread = Thread { id: line.thread.get().map(str::to_owned), before: Totals::default() };
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
        let before = std::mem::replace(&mut self.thread.before, now);
        let tokens = now.since(before).tokens()?;
        if tokens.is_zero() {
            return Ok(());
        }
        let thread = self.thread.id.as_deref().unwrap_or(origin.stem());
        out.push(Record::Call(Call {
            fidelity: Fidelity::Guessed,
            ..Call::new(
                CallKey::of(&[NAME.as_bytes(), thread.as_bytes(), &now.bytes()]),
                Attribution {
                    session: self.labels.find(Some(thread)),
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
