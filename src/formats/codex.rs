//! Codex rollouts: `~/.codex/sessions/**/rollout-*.jsonl`, also compressed, and `archived_sessions/`.
//!
//! Since 0.156 a rollout has one record per answer, with the answer's id as its key; the running totals only repeat it.
//! Older rollouts only have running totals, sometimes twice, and a fork replays its parent's. There an answer is the
//! difference between successive totals in one file, and its key is the running total, relative to the family of
//! threads with a common root. A file may change from one form to the other.
//!
//! With such versions a sub-agent that counts from zero loses an answer if all its totals equal those of another thread
//! of the family. It looks like a sub-agent that replays its parent: one started with only the last turns
//! (`fork_turns`) has a copy of their totals but not of the parent's `session_meta`, and both have new timestamps.
//! Counting a replay twice would be the larger and more frequent error.
//!
//! TraeX, a fork by the makers of Trae, writes the same files in its own home (its `doctor` of 0.200.19 and Orca's
//! reader, checked 2026-11-26): `TRAECLI_HOME`, or else `cli` in `TRAE_HOME` or `~/.trae`. It ignores `CODEX_HOME`.

use std::path::PathBuf;

use super::codex_line::{Line, Payload, begins_turn, is_idle};
use super::codex_stated::Stated;
use super::codex_thread::Thread;
use super::fields::{Slot, parse_into};
use super::{BadLine, Env, Format, Location, Origin, Reader, Reading, keys, usage};
use crate::domain::{Attribution, Call, CallKey, Fidelity, Label, Labels, Parts, Place, Record, Tier, Tokens, Turn};

pub(super) struct Codex;

impl Format for Codex {
    fn name(&self) -> &'static str {
        NAME
    }
    fn gaps(&self) -> &'static str {
        "compactions by the service, up to 0.149"
    }
    fn locations(&self, env: &Env<'_>) -> Vec<Location> {
        let own = env.path("CODEX_HOME").or_else(|| env.home(".codex"));
        let trae = || env.path("TRAE_HOME").or_else(|| env.home(".trae")).map(|home| home.join("cli"));
        let homes = own.into_iter().chain(env.path("TRAECLI_HOME").or_else(trae));
        let below = |folder: PathBuf| ["sessions", "archived_sessions"].map(|name| Location::tree(folder.join(name)));
        homes.flat_map(below).collect()
    }
    fn needles(&self) -> &'static [&'static str] {
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
    fn marks_turn(&self, line: &[u8]) -> bool {
        begins_turn(line)
    }
    fn reader(&self) -> Box<dyn Reader> {
        Box::new(Rollout {
            source: Label::new(NAME),
            labels: Labels::default(),
            thread: Thread::default(),
            stated: Stated::default(),
        })
    }
}

const NAME: &str = "codex";

struct Rollout {
    source: Label,
    labels: Labels,
    thread: Thread,
    stated: Stated,
}

/// A call as reported by one line.
struct Sighting<'a> {
    key: CallKey,
    /// True if the key is unique only within the family of threads.
    in_family: bool,
    tokens: Tokens,
    /// The line itself names thread, session and tier.
    payload: &'a Payload<'a>,
    /// True if this thread certainly made the call, and did not copy it from another's history.
    own: bool,
    lower_bound: bool,
    /// True if the log has cache writes: 0.142.5 leaves them out, 0.146 and later do not (measured 2026-11-26).
    logs_writes: bool,
}

impl Reader for Rollout {
    fn line(&mut self, text: &[u8], origin: &Origin, out: &mut Vec<Record>) -> Result<Reading, BadLine> {
        let mut line = Line::default();
        parse_into(text, &mut line)?;
        match (line.kind.get(), line.payload.kind.get()) {
            _ if line.payload.is_absent() => return Ok(Reading::NotMine),
            (Some("session_meta"), _) => self.thread.describe(&line, out),
            (Some("turn_context"), _) => self.thread.turn(&line.payload),
            (Some("token_usage_record"), _) => self.record(&line, origin, out)?,
            (Some("compacted"), _) => self.thread.compact(&line.payload),
            (Some("event_msg"), Some("token_count")) => self.count(&line, origin, out)?,
            (Some("event_msg"), Some("thread_settings_applied")) => self.thread.set(&line.payload),
            (Some("event_msg"), Some("task_started")) => {
                self.thread.begin_turn();
                self.stated.turn(Turn::Begun, line.at.0.unwrap_or(origin.modified));
            }
            (Some("event_msg"), Some("task_complete")) => {
                self.stated.turn(self.thread.turn_end(), line.at.0.unwrap_or(origin.modified));
                self.end_turn(&line, origin, out);
            }
            (Some("event_msg"), Some("turn_aborted")) => {
                self.thread.abort();
                self.stated.turn(self.thread.turn_end(), line.at.0.unwrap_or(origin.modified));
                // A sub-agent's last turn: no later call can carry the lower-bound mark.
                if self.thread.agent.is_some() {
                    self.end_turn(&line, origin, out);
                }
            }
            _ => return Ok(Reading::NotMine),
        }
        Ok(Reading::Mine)
    }

    fn statuses(&mut self, out: &mut Vec<Record>) {
        self.stated.take(&self.source, &self.thread, out);
    }

    fn state(&self) -> String {
        serde_json::to_string(&self.thread).unwrap_or_default()
    }

    fn restore(&mut self, state: &str) {
        self.thread = serde_json::from_str(state).unwrap_or_default();
    }
}

impl Rollout {
    /// Decodes the record of one answer.
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
            // Ids that another service may reuse are only unique within the family.
            Some((id, None)) => (keys::codex_key(id), true),
            None => {
                let totals = payload.thread_usage.totals()?;
                (CallKey::from_parts(&[NAME.as_bytes(), b"record", &totals.bytes(), &tokens_name(tokens)]), true)
            }
        };
        if let Some(thread) = self.thread.own.as_deref() {
            // Before schema 4, the key was the running totals that will repeat this answer.
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
        self.see(line, origin, &Sighting { key, in_family, tokens, payload, own, lower_bound, logs_writes: true }, out);
        Ok(())
    }

    /// Decodes running totals.
    fn count(&mut self, line: &Line<'_>, origin: &Origin, out: &mut Vec<Record>) -> Result<(), BadLine> {
        let info = &line.payload.info;
        self.thread.size(&line.payload);
        self.stated.hear(&line.payload, &self.source, line.at.0.unwrap_or(origin.modified));
        // A thread's first report has only its rate limits.
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
        let logs_writes = !info.total.written.is_absent();
        let seen = Sighting { key, in_family: true, tokens, payload, own, lower_bound, logs_writes };
        self.see(line, origin, &seen, out);
        Ok(())
    }

    /// Handles the end of a turn. A call in it that has no counts, and is followed by no call that could carry the
    /// lower-bound mark, is recorded with zero tokens as a lower bound.
    fn end_turn(&mut self, line: &Line<'_>, origin: &Origin, out: &mut Vec<Record>) {
        if std::mem::take(&mut self.thread.unlogged) {
            let totals = self.thread.before.unwrap_or_default();
            let key = CallKey::from_parts(&[NAME.as_bytes(), b"unlogged", &totals.bytes()]);
            let (tokens, payload) = (Tokens::ZERO, &line.payload);
            let (in_family, own, lower_bound, logs_writes) = (true, false, true, true);
            let seen = Sighting { key, in_family, tokens, payload, own, lower_bound, logs_writes };
            self.see(line, origin, &seen, out);
        }
    }

    /// Emits a call.
    fn see(&mut self, line: &Line<'_>, origin: &Origin, seen: &Sighting<'_>, out: &mut Vec<Record>) {
        let thread = &self.thread;
        let own = thread.own.as_deref().unwrap_or_else(|| id_in(origin.stem()));
        let (of, root) = (seen.payload.thread.get(), seen.payload.session.get());
        // A record copied with another thread's history names the thread that made it.
        let (maker, session, agent) = match of.filter(|of| *of != own) {
            Some(of) => (of, root.unwrap_or(of), Some(of).filter(|of| root.is_some_and(|root| root != *of))),
            None => (own, thread.root.as_deref().unwrap_or(own), thread.agent.as_deref()),
        };
        let model = self.labels.find(seen.payload.model.get().or(thread.model.as_deref()));
        let tier = seen.payload.service_tier.get().or(thread.service_tier.as_deref());
        // Totals that `codex exec` prints for the same thread only repeat this rollout.
        let alias = (seen.own && !thread.begun && maker == own).then(|| keys::thread_key(own));
        let fidelity = match (&model, seen.lower_bound) {
            (_, true) => Fidelity::LowerBound,
            (Some(_), false) if !seen.logs_writes => Fidelity::WritesUnlogged,
            (Some(_), false) => Fidelity::Final,
            (None, false) => Fidelity::Guessed,
        };
        out.push(Record::Call(Call {
            key: seen.key,
            from: Attribution {
                session: Some(self.labels.get(session)),
                agent: self.labels.find(agent),
                project: self.labels.find(thread.cwd.as_deref()),
                branch: self.labels.find(thread.branch.as_deref()),
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
            ends_turn: false,
        }));
        self.thread.begun |= alias.is_some();
    }
}

fn tokens_name(tokens: Tokens) -> Vec<u8> {
    tokens.fields().map(u64::to_le_bytes).concat()
}

/// The session id in a rollout's name, `rollout-2026-08-03T10-48-56-<uuid>`, or else the whole name.
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
