//! The lines of a Claude Code transcript: their fields, and what they say of the session and of the call.

use super::claude_bill::Context;
use super::claude_usage::Usage;
use super::count::Count;
use super::fields::{Seen, Slot, fields};
use super::json::{Flag, Money, Text};
use super::time::Stamp;
use crate::domain::{Claim, Fidelity, Instant};

/// Name in place of a model where no model answered.
const SYNTHETIC: &str = "<synthetic>";

fields! {
    /// A line of any kind.
    Line {
        kind: Text<'a> = "type",
        subtype: Text<'a> = "subtype",
        at: Stamp = "timestamp",
        named: Text<'a> = "sessionId",
        // What `claude -p` prints names its session so.
        printed: Text<'a> = "session_id",
        made_by: Text<'a> = "requestSessionId",
        forked_from: ForkedFrom<'a> = "forkedFrom",
        entrypoint: Text<'a> = "entrypoint",
        uuid: Text<'a> = "uuid",
        version: Text<'a> = "version",
        cwd: Text<'a> = "cwd",
        agent: Text<'a> = "agentId",
        sidechain: Flag = "isSidechain",
        skill: Text<'a> = "attributionSkill",
        request: Text<'a> = "requestId",
        cost: Money = "costUSD",
        message: Message<'a> = "message",
        data: Progress<'a> = "data",
        tool_result: ToolResult<'a> = "toolUseResult",
    }
}

fields! {
    /// Result of a tool call.
    ToolResult {
        query: Seen = "query",
        searches: Count = "searchCount",
    }
}

fields! {
    /// Where a line was copied from, when a session was forked.
    ForkedFrom {
        session: Text<'a> = "sessionId",
    }
}

fields! {
    /// Answer of the model.
    Message {
        id: Text<'a> = "id",
        model: Text<'a> = "model",
        usage: Usage<'a> = "usage",
        stop: Text<'a> = "stop_reason",
    }
}

fields! {
    /// Progress of a sub-agent, as its parent's file reports it.
    Progress {
        agent: Text<'a> = "agentId",
        told: Told<'a> = "message",
    }
}

fields! {
    /// The sub-agent's own line.
    Told {
        at: Stamp = "timestamp",
        request: Text<'a> = "requestId",
        message: Message<'a> = "message",
    }
}

/// An answer, wherever in the line it stands.
pub(super) struct Answer<'a> {
    pub(super) message: &'a Message<'a>,
    pub(super) request: Option<&'a str>,
    pub(super) at: Option<Instant>,
    pub(super) agent: Option<&'a str>,
}

impl Line<'_> {
    /// The session whose line this is.
    pub(super) fn session(&self) -> Option<&str> {
        self.named.or(&self.printed).get()
    }

    /// The answer this line is about.
    pub(super) fn answer(&self) -> Option<Answer<'_>> {
        let sidechain = self.sidechain.0.then_some("sidechain");
        let answer = match self.kind.get() {
            Some("assistant") | None => Answer {
                message: &self.message,
                request: self.request.get(),
                at: self.at.0,
                agent: self.agent.get().or(sidechain),
            },
            Some("progress") => Answer {
                message: &self.data.told.message,
                request: self.data.told.request.get(),
                at: self.data.told.at.or(&self.at).0,
                agent: self.data.agent.or(&self.agent).get().or(Some("sidechain")),
            },
            Some(_) => return None,
        };
        (!answer.message.usage.is_absent() && answer.message.model.get() != Some(SYNTHETIC)).then_some(answer)
    }

    /// The session that made the call, and how sure that is.
    pub(super) fn maker(&self, at: Option<Instant>, began: Option<Instant>) -> (Option<&str>, Claim) {
        let own = self.session();
        let is_older = || at.zip(began).is_some_and(|(at, began)| at < began);
        match (self.made_by.get(), self.forked_from.session.get().filter(|parent| Some(*parent) != own)) {
            (Some(maker), _) if Some(maker) == own => (own, Claim::Own),
            (Some(maker), _) => (Some(maker), Claim::Maker),
            (None, Some(parent)) => (Some(parent), Claim::Parent),
            (None, None) if is_older() => (own, Claim::Copy),
            (None, None) => (own, Claim::Own),
        }
    }

    /// True when no other program writes such lines.
    pub(super) fn is_ours(&self) -> bool {
        let named = self.session().is_some() || !self.uuid.is_absent();
        match self.kind.get() {
            Some("assistant") => named || !self.message.is_absent(),
            Some("progress") => named || !self.data.is_absent(),
            // They may repeat usage. No other kind holds any, and another program's line may well have a
            // type and a session of its own; pieces of an answer are in the API's own format.
            Some("user" | "system" | "result" | "summary" | "attachment" | "cost-state") => named,
            Some(kind) if is_bookkeeping(kind) => true,
            Some(_) => false,
            None => self.message.usage.has_counts(),
        }
    }

    /// True when its time stamp may be the first of a transcript.
    pub(super) fn may_open(&self) -> bool {
        let is_snapshot = self.kind.get() == Some("file-history-snapshot");
        self.is_ours() || is_snapshot || !(self.kind.is_absent() || self.session().is_none())
    }

    /// Searches that Claude Code made itself, in a call that stands in no line. The answer's own counter says nothing of
    /// them (2.1.332, November 2026).
    pub(super) fn own_searches(&self) -> u32 {
        let is_search = self.kind.get() == Some("user") && !self.tool_result.query.is_absent();
        let searches = self.tool_result.searches.tokens("searchCount").unwrap_or(0);
        if is_search { u32::try_from(searches).unwrap_or(0) } else { 0 }
    }

    /// True for a kind of line that is not known here, in the midst of a session's lines. It may name
    /// counts, which only the answers themselves charge; the API's own events are read elsewhere.
    pub(super) fn is_aside(&self, session: &str) -> bool {
        let is_unknown = self.kind.get().is_some_and(|kind| kind != "stream_event");
        is_unknown && self.session() == Some(session)
    }
}

/// True for a kind of line that only Claude Code writes and that charges nothing, though it may name counts: what it asked,
/// its state, and its notes on a session (2.1.104 to 2.1.332, November 2026).
pub(super) fn is_bookkeeping(kind: &str) -> bool {
    matches!(
        kind,
        "api-request"
            | "api-request-shape"
            | "api-request-blob"
            | "tools-used"
            | "atis-latch"
            | "permission-mode"
            | "file-history-snapshot"
            | "queue-operation"
            | "last-prompt"
            | "custom-title"
            | "ai-title"
            | "agent-name"
            | "agent-color"
            | "agent-setting"
            | "pr-link"
            | "worktree-state"
            | "content-replacement"
            | "attribution-snapshot"
            | "context-collapse"
    )
}

impl Line<'_> {
    /// How far the counts of an answer in this line can be trusted. A person's session makes calls that it does not
    /// list (titles, summaries, permission checks): 9 to 15 % of all that is charged (measured in August 2026). A
    /// session without a person does so when it sums up its history. What a run prints before an answer is whole names the
    /// output of its beginning only: the run's last line states the rest.
    pub(super) fn fidelity(&self, model: Option<&str>, context: &Context) -> Fidelity {
        let known = fidelity(model, self.version.get());
        let is_alone = self.entrypoint.get() != Some("cli") && !context.is_compacted;
        let is_begun = !self.printed.is_absent() && self.message.stop.is_absent();
        if known == Fidelity::Final && (!is_alone || is_begun) { Fidelity::Unlisted } else { known }
    }
}

/// How far the counts of this version can be trusted: from 2.1.9 to 2.1.49 the number of output
/// tokens was taken from the beginning of the stream, a hundredth to a half of what was written.
fn fidelity(model: Option<&str>, version: Option<&str>) -> Fidelity {
    let patch = version.and_then(|version| version.strip_prefix("2.1."));
    let patch =
        patch.and_then(|patch| patch.split(|letter: char| !letter.is_ascii_digit()).next()?.parse::<u32>().ok());
    match (model, patch) {
        (None, _) => Fidelity::Guessed,
        (Some(_), Some(9..=49)) => Fidelity::LowerBound,
        (Some(_), _) => Fidelity::Final,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_versions_that_log_too_little_are_lower_bounds() {
        for (version, is) in [
            ("2.1.8", Fidelity::Final),
            ("2.1.9", Fidelity::LowerBound),
            ("2.1.29", Fidelity::LowerBound),
            ("2.1.30", Fidelity::LowerBound),
            ("2.1.49", Fidelity::LowerBound),
            ("2.1.49-beta.1", Fidelity::LowerBound),
            ("2.1.50", Fidelity::Final),
            ("2.1.104", Fidelity::Final),
            ("2.0.14", Fidelity::Final),
            ("2.10.14", Fidelity::Final),
            ("", Fidelity::Final),
        ] {
            assert_eq!(fidelity(Some("m"), Some(version)), is, "{version}");
        }
        assert_eq!(fidelity(None, Some("2.1.9")), Fidelity::Guessed);
    }
}
