//! Fields of Codex rollout lines.

use std::sync::LazyLock;

use memchr::memmem::Finder;

use super::codex_usage::Usage;
use super::count::Count;
use super::fields::{Slot, fields};
use super::json::{Money, NameOr, Text};
use super::time::Stamp;

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
    /// Union of the payloads of all relevant kinds.
    Payload {
        kind: Text<'a> = "type",
        info: Info<'a> = "info",
        model: Text<'a> = "model",
        cwd: Text<'a> = "cwd",
        id: Text<'a> = "id",
        session: Text<'a> = "session_id",
        thread: Text<'a> = "thread_id",
        response: Text<'a> = "response_id",
        usage: Usage<'a> = "usage",
        thread_usage: Usage<'a> = "thread_token_usage",
        service_tier: Text<'a> = "service_tier",
        settings: Settings<'a> = "thread_settings",
        message: Text<'a> = "message",
        compacted_by: Text<'a> = "compaction_response_id",
        forked_from: Text<'a> = "forked_from_id",
        spawned_by: Text<'a> = "parent_thread_id",
        base: Base<'a> = "history_base",
        nickname: Text<'a> = "agent_nickname",
        role: Text<'a> = "agent_role",
        git: Git<'a> = "git",
        source: Source<'a> = "source",
        originator: Text<'a> = "originator",
        limits: Limits<'a> = "rate_limits",
    }
}

fields! {
    /// The git working copy.
    Git {
        branch: Text<'a> = "branch",
    }
}

fields! {
    /// Token usage.
    Info {
        total: Usage<'a> = "total_token_usage",
        last: Usage<'a> = "last_token_usage",
        context: Count = "model_context_window",
    }
}

fields! {
    /// The provider's own limits.
    Limits {
        name: Text<'a> = "limit_id",
        primary: Limit<'a> = "primary",
        secondary: Limit<'a> = "secondary",
    }
}

fields! {
    /// One of their windows.
    Limit {
        used: Money = "used_percent",
        minutes: Count = "window_minutes",
        resets_at: Stamp = "resets_at",
        resets_in: Count = "resets_in_seconds",
    }
}

fields! {
    /// Settings that apply to the thread from here on.
    Settings {
        model: Text<'a> = "model",
        service_tier: Text<'a> = "service_tier",
    }
}

fields! {
    /// The thread whose history a fork continues without copying it.
    Base {
        thread: Text<'a> = "thread_id",
    }
}

fields! {
    /// Origin of a session that the user did not start.
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
    /// How a sub-agent was started.
    Spawn {
        spawned_by: Text<'a> = "parent_thread_id",
        nickname: Text<'a> = "agent_nickname",
        role: Text<'a> = "agent_role",
    }
}

impl Line<'_> {
    /// The thread that a session line describes.
    pub(super) fn thread(&self) -> Option<&str> {
        self.payload.id.or(&self.payload.session).get()
    }

    /// The root of the session that the thread belongs to, if that is another thread.
    ///
    /// Logs from 0.142 on name it (measured on 0.142.5 to 0.171.0, 2026-11-26). Before that, a sub-agent names only the
    /// thread that spawned it.
    pub(super) fn root(&self) -> Option<&str> {
        let named = self.payload.session.get().filter(|root| self.payload.id.get().is_some_and(|id| id != *root));
        named.or_else(|| self.agent().and(self.spawner()))
    }

    /// The threads that this one was forked from or spawned by.
    pub(super) fn parents(&self) -> impl Iterator<Item = &str> {
        let payload = &self.payload;
        let forked = payload.forked_from.or(&self.forked_from).get();
        [forked, payload.base.thread.get(), self.spawner(), self.root()].into_iter().flatten()
    }

    /// The thread that spawned this one.
    fn spawner(&self) -> Option<&str> {
        let payload = &self.payload;
        let named = payload.spawned_by.or(&self.spawned_by).get();
        named.or_else(|| payload.source.spawn().and_then(|spawn| spawn.spawned_by.get()))
    }

    /// Name of the sub-agent; `None` for the user's own thread.
    pub(super) fn agent(&self) -> Option<&str> {
        let payload = &self.payload;
        let id = payload.id.get();
        let kind = match &payload.source.subagent {
            NameOr::Name(name) => Some(name.as_ref()),
            NameOr::Object(subagent) => subagent.other.get().or(id),
            NameOr::Neither => {
                let of_another = payload.session.get().is_some_and(|root| id.is_some_and(|id| id != root));
                id.filter(|_| of_another || !payload.spawned_by.or(&self.spawned_by).is_absent())
            }
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

/// Prefix of every rollout line.
const BEGINNING: &[u8] = b"{\"timestamp\":\"";
/// Length of the prefix that contains a line's kind.
const HEAD: usize = 160;

static KIND: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new(b",\"type\":\""));
static BEGINNINGS: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new(BEGINNING));

/// True when the start of a line shows an irrelevant kind, and no second line was appended to it. All other lines are
/// searched.
pub(super) fn is_idle(line: &[u8]) -> bool {
    let head = &line[..line.len().min(HEAD)];
    let is_known = || {
        let rest = head.strip_prefix(BEGINNING)?;
        let rest = &rest[KIND.find(rest)? + 9..];
        let (kind, rest) = rest.split_at(memchr::memchr(b'"', rest)?);
        match kind {
            b"response_item" | b"world_state" => Some(true),
            b"event_msg" => {
                let event = rest.strip_prefix(b"\",\"payload\":{\"type\":\"")?;
                let event = &event[..memchr::memchr(b'"', event)?];
                Some(!EVENTS.contains(&event))
            }
            _ => None,
        }
    };
    is_known() == Some(true) && BEGINNINGS.find(&line[1..]).is_none()
}

/// Relevant events. Only the start of a turn has no needle.
const EVENTS: [&[u8]; 5] =
    [b"token_count", b"thread_settings_applied", b"task_started", b"task_complete", b"turn_aborted"];

/// True for the start of a turn.
pub(super) fn begins_turn(line: &[u8]) -> bool {
    let head = &line[..line.len().min(HEAD)];
    memchr::memmem::find(head, b"\"type\":\"event_msg\",\"payload\":{\"type\":\"task_started\"").is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_idle_only_when_its_beginning_and_its_end_say_so() {
        let at = r#"{"timestamp":"2026-11-10T09:00:00.000Z","ordinal":3,"#;
        let item = format!(r#"{at}"type":"response_item","payload":{{"type":"message","text":""token_count""}}}}"#);
        let event = |kind: &str| format!(r#"{at}"type":"event_msg","payload":{{"type":"{kind}","info":null}}}}"#);
        let torn = &item[..item.len() - 20];
        assert!(is_idle(item.as_bytes()) && is_idle(event("agent_message").as_bytes()) && is_idle(torn.as_bytes()));
        assert!(begins_turn(event("task_started").as_bytes()) && !begins_turn(event("task_complete").as_bytes()));
        for matters in EVENTS {
            assert!(!is_idle(event(std::str::from_utf8(matters).unwrap()).as_bytes()));
        }
        let others = [
            format!("{torn}{}", event("token_count")),
            format!("{item}{item}"),
            item.replace("\":\"", "\": \""),
            item.replace("response_item", "session_meta"),
            item.replace("response_item", "a_new_kind"),
            String::new(),
            "{".to_owned(),
        ];
        for other in others {
            assert!(!is_idle(other.as_bytes()), "{other}");
        }
    }
}
