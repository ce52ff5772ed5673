//! Fields of Claude Code's transcript lines, and their meaning for session and call.

use super::BadLine;
use super::claude_bill::Context;
use super::claude_usage::Usage;
use super::count::Count;
use super::fields::{Seen, Slot, fields};
use super::json::{Flag, Money, Text};
use super::time::Stamp;
use crate::domain::{Claim, Fidelity, Instant};

/// Model name used when no model answered.
const SYNTHETIC: &str = "<synthetic>";

fields! {
    /// A line of any kind.
    Line {
        kind: Text<'a> = "type",
        subtype: Text<'a> = "subtype",
        at: Stamp = "timestamp",
        named: Text<'a> = "sessionId",
        // Name of the session field in `claude -p` output.
        printed: Text<'a> = "session_id",
        made_by: Text<'a> = "requestSessionId",
        forked_from: ForkedFrom<'a> = "forkedFrom",
        entrypoint: Text<'a> = "entrypoint",
        uuid: Text<'a> = "uuid",
        version: Text<'a> = "version",
        cwd: Text<'a> = "cwd",
        branch: Text<'a> = "gitBranch",
        agent: Text<'a> = "agentId",
        sidechain: Flag = "isSidechain",
        skill: Text<'a> = "attributionSkill",
        request: Text<'a> = "requestId",
        cost: Money = "costUSD",
        // Only results have these. Droid and Qwen Code print results without them.
        total: Seen = "total_cost_usd" | "cost_usd" | "modelUsage",
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
    /// Origin of a line copied into a fork.
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
    /// Progress of a sub-agent, in its parent's file.
    Progress {
        agent: Text<'a> = "agentId",
        envelope: Envelope<'a> = "message",
    }
}

fields! {
    /// The sub-agent's own line.
    Envelope {
        at: Stamp = "timestamp",
        request: Text<'a> = "requestId",
        message: Message<'a> = "message",
    }
}

/// An answer, from anywhere in the line.
pub(super) struct Answer<'a> {
    pub(super) message: &'a Message<'a>,
    pub(super) request: Option<&'a str>,
    pub(super) at: Option<Instant>,
    pub(super) agent: Option<&'a str>,
}

impl Message<'_> {
    /// True when the model has nothing left to do: it called no tool, and was not cut off.
    pub(super) fn ends_turn(&self) -> bool {
        matches!(self.stop.get(), Some("end_turn" | "stop_sequence" | "refusal"))
    }
}

impl Line<'_> {
    /// The session of this line.
    pub(super) fn session(&self) -> Option<&str> {
        self.named.or(&self.printed).get()
    }

    /// The answer in this line.
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
                message: &self.data.envelope.message,
                request: self.data.envelope.request.get(),
                at: self.data.envelope.at.or(&self.at).0,
                agent: self.data.agent.or(&self.agent).get().or(Some("sidechain")),
            },
            Some(_) => return None,
        };
        (!answer.message.usage.is_absent() && answer.message.model.get() != Some(SYNTHETIC)).then_some(answer)
    }

    /// True for the text that is shown instead of an answer when no model answered.
    pub(super) fn is_error(&self) -> bool {
        self.message.model.get() == Some(SYNTHETIC)
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
            // The id of an answer that Qwen Code prints is that of its line, not the service's.
            Some("assistant") if self.uuid.get().is_some_and(|uuid| self.message.id.get() == Some(uuid)) => {
                self.printed.is_absent()
            }
            Some("assistant") => named || !self.message.is_absent(),
            Some("result") => named && self.total.is_some(),
            Some("progress") => named || !self.data.is_absent(),
            // These kinds may repeat usage. Other kinds have none, and lines from other programs may well have a type
            // and a session. Stream events are in the API's own format.
            Some("user" | "system" | "summary" | "attachment" | "cost-state") => named,
            Some(kind) if is_bookkeeping(kind) => true,
            Some(_) => false,
            None => self.message.usage.has_counts(),
        }
    }

    /// True for a line of `claude -p`, whose process ends with its turn.
    pub(super) fn is_print(&self) -> bool {
        self.entrypoint.get() == Some("sdk-cli")
    }

    /// True when its timestamp may be the first one of a transcript.
    pub(super) fn may_open(&self) -> bool {
        let is_snapshot = self.kind.get() == Some("file-history-snapshot");
        self.is_ours() || is_snapshot || !(self.kind.is_absent() || self.session().is_none())
    }

    /// Searches that Claude Code made itself, in a call that no line lists. The answer's own counter excludes them
    /// (2.1.332, November 2026).
    ///
    /// # Errors
    /// [`BadLine`] when the number is implausible.
    pub(super) fn own_searches(&self) -> Result<u32, BadLine> {
        let is_search = self.kind.get() == Some("user") && !self.tool_result.query.is_absent();
        if is_search { self.tool_result.searches.searches("searchCount") } else { Ok(0) }
    }

    /// True for unknown kinds of lines within a session. Their counts are not charged, because only answers are
    /// charged. The API's own events are decoded elsewhere.
    pub(super) fn is_aside(&self, session: &str) -> bool {
        let is_unknown = self.kind.get().is_some_and(|kind| kind != "stream_event");
        is_unknown && self.session() == Some(session)
    }
}

/// True for kinds that only Claude Code writes and that charge nothing, even if they contain counts: requests, state,
/// notes (2.1.104 to 2.1.332, November 2026).
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
    /// Fidelity of an answer's counts. Interactive sessions make calls that they do not list (titles, summaries,
    /// permission checks): 9 to 15 % of all charges, measured in August 2026. Other sessions do so when they compact
    /// their history. If a run prints answers before they are complete, they have the output count from the start of
    /// the stream, and the run's last line has the rest.
    pub(super) fn fidelity(&self, model: Option<&str>, context: &Context) -> Fidelity {
        let known = fidelity(model, self.version.get());
        let is_alone = self.entrypoint.get() != Some("cli") && !context.is_compacted;
        let is_begun = !self.printed.is_absent() && self.message.stop.is_absent();
        if known == Fidelity::Final && (!is_alone || is_begun) { Fidelity::Unlisted } else { known }
    }
}

/// Fidelity by version. From 2.1.9 to 2.1.49 the output count was taken from the start of the stream and is between a
/// hundredth and a half of the final count.
fn fidelity(model: Option<&str>, version: Option<&str>) -> Fidelity {
    match model {
        None => Fidelity::Guessed,
        Some(_) if is_cut(version) => Fidelity::LowerBound,
        Some(_) => Fidelity::Final,
    }
}

/// True for versions that count only the beginning of an answer.
pub(super) fn is_cut(version: Option<&str>) -> bool {
    let patch = version.and_then(|version| version.strip_prefix("2.1."));
    let patch =
        patch.and_then(|patch| patch.split(|letter: char| !letter.is_ascii_digit()).next()?.parse::<u32>().ok());
    patch.is_some_and(|patch| (9..=49).contains(&patch))
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
