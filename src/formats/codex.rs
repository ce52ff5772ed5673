//! Codex rollouts: `~/.codex/sessions/**/rollout-*.jsonl`, also compressed, and `archived_sessions/`.
//!
//! Since 0.156 a rollout holds one record for each answer, named by the answer's id; the running totals then only
//! repeat it. Before, it holds running totals alone, sometimes twice, and a fork replays its parent's: an answer
//! is what a total added to the one before it in the same file, and its key is the running total itself, within
//! the family of threads that descend from one. A file may begin the one way and go on the other.

use std::path::PathBuf;

use super::codex_line::{Line, Payload, is_idle};
use super::codex_thread::Thread;
use super::fields::Slot;
use super::{BadLine, Env, Format, Location, Origin, Reader, Reading, json, keys, usage};
use crate::domain::{Attribution, Call, CallKey, Fidelity, Label, Labels, Parts, Place, Record, Tier, Tokens};

/// Codex's rollouts.
pub(super) struct Codex;

impl Format for Codex {
    fn name(&self) -> &'static str {
        NAME
    }
    fn locations(&self, env: &Env<'_>) -> Vec<Location> {
        let folder = env.path("CODEX_HOME").or_else(|| env.home(".codex"));
        let below = |folder: PathBuf| ["sessions", "archived_sessions"].map(|name| Location::tree(folder.join(name)));
        folder.into_iter().flat_map(below).collect()
    }
    fn markers(&self) -> &'static [&'static str] {
        &[
            "\"token_count\"",
            "\"turn_context\"",
            "\"session_meta\"",
            "\"token_usage_record\"",
            "\"thread_settings_applied\"",
            "\"compacted\"",
            "\"task_complete\"",
            "\"turn_aborted\"",
        ]
    }
    fn is_idle(&self, line: &[u8]) -> bool {
        is_idle(line)
    }
    fn reader(&self) -> Box<dyn Reader> {
        Box::new(Rollout { source: Label::new(NAME), labels: Labels::default(), thread: Thread::default() })
    }
}

const NAME: &str = "codex";

struct Rollout {
    source: Label,
    labels: Labels,
    thread: Thread,
}

/// A call as one line reports it.
struct Sighting<'a> {
    key: CallKey,
    /// The key is unique within the family of threads alone.
    in_family: bool,
    tokens: Tokens,
    /// The line names the thread, its session and the tier itself.
    payload: &'a Payload<'a>,
    /// Certainly made by this thread, and not copied along with another's history.
    own: bool,
    lower_bound: bool,
}

impl Reader for Rollout {
    fn line(&mut self, text: &[u8], origin: &Origin, out: &mut Vec<Record>) -> Result<Reading, BadLine> {
        let mut line = Line::default();
        json::parse_into(text, &mut line)?;
        match (line.kind.get(), line.payload.kind.get()) {
            _ if line.payload.is_absent() => return Ok(Reading::NotMine),
            (Some("session_meta"), _) => self.thread.describe(&line, out),
            (Some("turn_context"), _) => self.thread.turn(&line.payload),
            (Some("token_usage_record"), _) => self.record(&line, origin, out)?,
            (Some("compacted"), _) => self.thread.compact(&line.payload),
            (Some("event_msg"), Some("token_count")) => self.count(&line, origin, out)?,
            (Some("event_msg"), Some("thread_settings_applied")) => self.thread.set(&line.payload),
            (Some("event_msg"), Some("task_complete")) => self.end_turn(&line, origin, out),
            (Some("event_msg"), Some("turn_aborted")) => {
                self.thread.abort();
                // A sub-agent's last turn: no call comes after it that could bear the mark.
                if self.thread.agent.is_some() {
                    self.end_turn(&line, origin, out);
                }
            }
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

impl Rollout {
    /// One answer, recorded by itself.
    fn record(&mut self, line: &Line<'_>, origin: &Origin, out: &mut Vec<Record>) -> Result<(), BadLine> {
        let payload = &line.payload;
        if payload.usage.is_absent() {
            return Ok(());
        }
        let usage = payload.usage.totals()?;
        let tokens = usage.tokens()?;
        let id = payload.response.get();
        self.thread.recorded = true;
        self.thread.response = id.map(str::to_owned);
        if tokens.is_zero() {
            return Ok(());
        }
        let (key, in_family) = match id.map(|id| (id, keys::answer_key(id))) {
            Some((_, Some(key))) => (key, false),
            // An id that another service may give again is only unique among the family's.
            Some((id, None)) => (CallKey::from_parts(&[NAME, "response", id]), true),
            None => {
                let totals = payload.thread_usage.totals()?;
                (CallKey::from_parts(&[NAME.as_bytes(), b"record", &totals.bytes(), &tokens_name(tokens)]), true)
            }
        };
        if let Some(thread) = self.thread.own.as_deref() {
            // Before schema 4 the running totals that will repeat this answer were its key.
            let totals = match self.thread.before {
                Some(before) => before.and(usage),
                None if self.thread.descends => payload.thread_usage.totals().unwrap_or(usage),
                None => usage,
            };
            let from = CallKey::from_parts(&[NAME.as_bytes(), &totals.bytes()]);
            out.push(Record::Rekeyed { from, lineage: self.labels.get(thread), to: key, in_family });
        }
        let own = payload.thread.get().is_none_or(|thread| self.thread.own.as_deref() == Some(thread));
        let lower_bound = own && std::mem::take(&mut self.thread.unlogged);
        self.see(line, origin, &Sighting { key, in_family, tokens, payload, own, lower_bound }, out);
        Ok(())
    }

    /// Running totals.
    fn count(&mut self, line: &Line<'_>, origin: &Origin, out: &mut Vec<Record>) -> Result<(), BadLine> {
        let info = &line.payload.info;
        // The first report of a thread holds its rate limits only.
        if info.total.is_absent() {
            return Ok(());
        }
        let now = info.total.totals()?;
        let last = info.last.totals().unwrap_or_default();
        let continues = self.thread.continues(now, last);
        let tokens = self.thread.added(now, last).tokens()?;
        if tokens.is_zero() || std::mem::take(&mut self.thread.recorded) {
            return Ok(());
        }
        let key = CallKey::from_parts(&[NAME.as_bytes(), &now.bytes()]);
        let own = continues || !self.thread.descends;
        let lower_bound = std::mem::take(&mut self.thread.unlogged);
        let payload = &line.payload;
        self.see(line, origin, &Sighting { key, in_family: true, tokens, payload, own, lower_bound }, out);
        Ok(())
    }

    /// A turn ends. If a call was made in it of which no line holds the counts, and none after it that could bear the
    /// mark, it is counted as a call of at least nothing.
    fn end_turn(&mut self, line: &Line<'_>, origin: &Origin, out: &mut Vec<Record>) {
        if std::mem::take(&mut self.thread.unlogged) {
            let totals = self.thread.before.unwrap_or_default();
            let key = CallKey::from_parts(&[NAME.as_bytes(), b"unlogged", &totals.bytes()]);
            let (tokens, payload) = (Tokens::ZERO, &line.payload);
            let sighting = Sighting { key, in_family: true, tokens, payload, own: false, lower_bound: true };
            self.see(line, origin, &sighting, out);
        }
    }

    /// Hands on a call.
    fn see(&mut self, line: &Line<'_>, origin: &Origin, seen: &Sighting<'_>, out: &mut Vec<Record>) {
        let thread = &self.thread;
        let own = thread.own.as_deref().unwrap_or_else(|| id_in(origin.stem()));
        let (of, root) = (seen.payload.thread.get(), seen.payload.session.get());
        // A record that was copied along with another thread's history names its maker.
        let (maker, session, agent) = match of.filter(|of| *of != own) {
            Some(of) => (of, root.unwrap_or(of), Some(of).filter(|of| root.is_some_and(|root| root != *of))),
            None => (own, thread.root.as_deref().unwrap_or(own), thread.agent.as_deref()),
        };
        let model = self.labels.find(seen.payload.model.get().or(thread.model.as_deref()));
        let tier = seen.payload.service_tier.get().or(thread.service_tier.as_deref());
        // Where `codex exec` printed the same thread's totals, they only repeat this rollout.
        let alias = (seen.own && !thread.begun && maker == own).then(|| keys::thread_key(own));
        let fidelity = match (&model, seen.lower_bound) {
            (_, true) => Fidelity::LowerBound,
            (Some(_), false) => Fidelity::Final,
            (None, false) => Fidelity::Guessed,
        };
        out.push(Record::Call(Call {
            key: seen.key,
            from: Attribution {
                session: Some(self.labels.get(session)),
                agent: self.labels.find(agent),
                project: self.labels.find(thread.cwd.as_deref()),
                place: Some(Place { path: origin.path.clone(), offset: origin.offset }),
                ..Attribution::new(line.at.0.unwrap_or(origin.modified), self.source.clone())
            },
            fidelity,
            model,
            tokens: seen.tokens,
            parts: Parts::NONE,
            tier: tier.map_or_else(Tier::default, |tier| usage::tier(None, Some(tier), None)),
            web_searches: 0,
            quoted: None,
            latency: None,
            alias,
            lineage: seen.in_family.then(|| self.labels.get(own)),
        }));
        self.thread.begun |= alias.is_some();
    }
}

fn tokens_name(tokens: Tokens) -> Vec<u8> {
    tokens.fields().map(u64::to_le_bytes).concat()
}

/// The session's id in the name of a rollout, `rollout-2026-08-03T10-48-56-<uuid>`; else the whole name.
fn id_in(stem: &str) -> &str {
    stem.strip_prefix("rollout-").and_then(|rest| rest.get(20..)).filter(|id| id.len() == 36).unwrap_or(stem)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rollout_without_meta_line_is_named_by_its_file() {
        let uuid = "0195f0e2-3333-7000-8000-000000000001";
        assert_eq!(id_in(&format!("rollout-2026-08-03T10-48-56-{uuid}")), uuid);
        assert_eq!(id_in("notes"), "notes");
    }
}
