//! Codex rollouts: `~/.codex/sessions/**/rollout-*.jsonl` and `archived_sessions/`.
//!
//! A rollout tells running totals, sometimes twice, and a fork replays its parent's. An answer is what
//! a total added to the one before it in the same file; its name is the running total itself, within
//! the family of sessions that descend from one.

use serde::{Deserialize, Serialize};

use super::codex_usage::{Totals, Usage};
use super::fields::{Slot, fields};
use super::json::{self, NameOr, Text};
use super::time::Stamp;
use super::{BadLine, Format, Origin, Reader, Reading};
use crate::domain::{Attribution, Call, CallKey, Fidelity, Label, Labels, Parts, Place, Record, Tier};

/// Codex's rollouts.
pub(super) struct Codex;

impl Format for Codex {
    fn name(&self) -> &'static str {
        NAME
    }
    fn markers(&self) -> &'static [&'static str] {
        &["\"token_count\"", "\"turn_context\"", "\"session_meta\""]
    }
    fn hints(&self) -> &'static [&'static str] {
        // What the first two have in common, and the third.
        &["n_co", "\"session_meta\""]
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

/// What a rollout has said so far.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
struct Thread {
    /// The session.
    own: Option<String>,
    /// Whether the session descends from another.
    descends: bool,
    /// What the sub-agent is called, in a sub-agent's rollout.
    agent: Option<String>,
    cwd: Option<String>,
    model: Option<String>,
    /// The last running totals.
    before: Option<Totals>,
}

fields! {
    /// A line of any kind.
    Line {
        at: Stamp = "timestamp",
        kind: Text<'a> = "type",
        forked_from: Text<'a> = "forked_from_id",
        spawned_by: Text<'a> = "parent_thread_id",
        payload: Payload<'a> = "payload",
    }
}

fields! {
    /// The payloads of all the kinds of lines that matter.
    Payload {
        kind: Text<'a> = "type",
        info: Info<'a> = "info",
        model: Text<'a> = "model",
        cwd: Text<'a> = "cwd",
        id: Text<'a> = "id" | "session_id",
        forked_from: Text<'a> = "forked_from_id",
        spawned_by: Text<'a> = "parent_thread_id",
        nickname: Text<'a> = "agent_nickname",
        role: Text<'a> = "agent_role",
        source: Source<'a> = "source",
    }
}

fields! {
    /// How much was used.
    Info {
        total: Usage<'a> = "total_token_usage",
        last: Usage<'a> = "last_token_usage",
    }
}

fields! {
    /// Who began the session, where it was not the user.
    Source {
        subagent: NameOr<'a, Subagent<'a>> = "subagent",
    }
}

fields! {
    /// A sub-agent.
    Subagent {
        spawn: Spawn<'a> = "thread_spawn",
        other: Text<'a> = "other",
    }
}

fields! {
    /// How a sub-agent came to be.
    Spawn {
        spawned_by: Text<'a> = "parent_thread_id",
        nickname: Text<'a> = "agent_nickname",
        role: Text<'a> = "agent_role",
    }
}

impl Line<'_> {
    /// The sessions that this one was forked from or spawned by.
    fn parents(&self) -> impl Iterator<Item = &str> {
        let payload = &self.payload;
        let forked = payload.forked_from.or(&self.forked_from).get();
        let spawned = payload.spawned_by.or(&self.spawned_by).get();
        let told = payload.source.spawn().and_then(|spawn| spawn.spawned_by.get());
        [forked, spawned, told].into_iter().flatten()
    }

    /// What the sub-agent is called; `None` in a thread of the user's own.
    fn agent(&self) -> Option<&str> {
        let payload = &self.payload;
        let id = payload.id.get();
        let kind = match &payload.source.subagent {
            NameOr::Name(name) => Some(name.as_ref()),
            NameOr::Object(subagent) => subagent.other.get().or(id),
            NameOr::Neither => payload.spawned_by.or(&self.spawned_by).get().and(id),
        };
        let spawn = payload.source.spawn();
        let nickname = payload.nickname.get().or_else(|| spawn?.nickname.get());
        let role = payload.role.get().or_else(|| spawn?.role.get());
        nickname.or(role).or(kind)
    }
}

impl<'a> Source<'a> {
    fn spawn(&self) -> Option<&Spawn<'a>> {
        match &self.subagent {
            NameOr::Object(subagent) => Some(&subagent.spawn),
            NameOr::Name(_) | NameOr::Neither => None,
        }
    }
}

impl Reader for Rollout {
    fn line(&mut self, text: &[u8], origin: &Origin, out: &mut Vec<Record>) -> Result<Reading, BadLine> {
        let mut line = Line::default();
        json::parse_into(text, &mut line)?;
        match (line.kind.get(), line.payload.kind.get()) {
            _ if line.payload.is_absent() => return Ok(Reading::NotMine),
            (Some("session_meta"), _) => self.thread.met(&line, out),
            (Some("turn_context"), _) => self.thread.turned(&line.payload),
            (Some("event_msg"), Some("token_count")) => self.count(&line, origin, out)?,
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
    fn count(&mut self, line: &Line<'_>, origin: &Origin, out: &mut Vec<Record>) -> Result<(), BadLine> {
        let info = &line.payload.info;
        // The first report of a session tells its rate limits only.
        if info.total.is_absent() {
            return Ok(());
        }
        let now = info.total.totals()?;
        let last = info.last.totals().unwrap_or_default();
        let tokens = self.thread.added(now, last).tokens()?;
        if tokens.is_zero() {
            return Ok(());
        }
        let thread = &self.thread;
        let session = self.labels.get(thread.own.as_deref().unwrap_or_else(|| id_in(origin.stem())));
        let model = self.labels.find(thread.model.as_deref());
        out.push(Record::Call(Call {
            key: CallKey::of(&[NAME.as_bytes(), &now.bytes()]),
            from: Attribution {
                session: Some(session.clone()),
                agent: self.labels.find(thread.agent.as_deref()),
                project: self.labels.find(thread.cwd.as_deref()),
                place: Some(Place { path: origin.path.clone(), offset: origin.offset }),
                ..Attribution::new(line.at.0.unwrap_or(origin.modified), self.source.clone())
            },
            fidelity: if model.is_some() { Fidelity::Final } else { Fidelity::Guessed },
            model,
            tokens,
            parts: Parts::NONE,
            tier: Tier::default(),
            web_searches: 0,
            quoted: None,
            latency: None,
            alias: None,
            lineage: Some(session),
        }));
        Ok(())
    }
}

impl Thread {
    /// A session tells who it is, again who it is, or, copied along with its history, an ancestor does.
    fn met(&mut self, line: &Line<'_>, out: &mut Vec<Record>) {
        let payload = &line.payload;
        let Some(id) = payload.id.get() else { return };
        if self.own.is_none() {
            self.own = Some(id.to_owned());
            self.agent = line.agent().map(str::to_owned);
            self.cwd = payload.cwd.get().map(str::to_owned);
            self.model = payload.model.get().map(str::to_owned);
        }
        let own = self.own.as_deref().unwrap_or(id);
        let copied = (own, id);
        let told = line.parents().map(|parent| (id, parent));
        for (child, parent) in std::iter::once(copied).chain(told).filter(|(child, parent)| child != parent) {
            self.descends = true;
            out.push(Record::Descends { child: Label::new(child), parent: Label::new(parent) });
        }
    }

    fn turned(&mut self, payload: &Payload<'_>) {
        for (now, said) in [(&mut self.model, payload.model.get()), (&mut self.cwd, payload.cwd.get())] {
            if let Some(said) = said.filter(|said| now.as_deref() != Some(said)) {
                *now = Some(said.to_owned());
            }
        }
    }

    /// What these totals add to the last ones of this file.
    fn added(&mut self, now: Totals, last: Totals) -> Totals {
        match self.before.replace(now) {
            Some(before) => now.since(before),
            // Totals may continue from an ancestor's whose history is not replayed here.
            None if self.descends && now.sum() > last.sum() && last.sum() > 0 => last,
            None => now,
        }
    }
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
