//! Claude Code transcripts: `~/.claude/projects/**/*.jsonl`, main threads and sub-agents alike.
//!
//! One answer stands on two to four lines, in several files, under several sessions; its message id
//! is what makes it one. A sub-agent's answers stand in its own file and, from some versions, again in
//! its parent's `progress` lines. Summaries that repeat usage (`toolUseResult`) are this format's lines and say nothing;
//! what states the total of a session is read in `claude_bill.rs`.

use super::claude_bill::{self, Context, Met};
use super::claude_content::content;
use super::claude_usage::{Booked, Usage, round_tokens};
use super::count::Count;
use super::fields::{Seen, Slot, fields};
use super::json::{self, Flag, Money, Text};
use super::keys::{advisor_key, attempt_key, message_key, request_key};
use super::time::Stamp;
use super::{BadLine, Format, Origin, Reader, Reading};
use crate::domain::{Attribution, Call, CallKey, Fidelity, Instant, Label, Labels, Place, Record, Speed, Tier, Tokens};

/// Claude Code's transcripts.
pub(super) struct ClaudeCode;

impl Format for ClaudeCode {
    fn name(&self) -> &'static str {
        NAME
    }
    fn markers(&self) -> &'static [&'static str] {
        // Answers hold the first; the others are for kinds of lines that are not known yet.
        &["\"usage\"", "_tokens\"", "Tokens\"", SEARCHES]
    }
    fn hints(&self) -> &'static [&'static str] {
        // There is no usage without a count of tokens.
        &["okens\""]
    }
    fn end_hints(&self) -> &'static [&'static str] {
        // A search's results are long, and their number stands behind them.
        &[SEARCHES]
    }
    fn reader(&self) -> Box<dyn Reader> {
        Box::new(Transcript { source: Label::new(NAME), labels: Labels::default(), context: Context::default() })
    }
}

/// How often Claude Code itself searched the web for one tool call.
const SEARCHES: &str = "\"searchCount\"";

const NAME: &str = "claude-code";

/// What stands in the place of a model where no model answered.
const SYNTHETIC: &str = "<synthetic>";

struct Transcript {
    source: Label,
    labels: Labels,
    context: Context,
}

fields! {
    /// A line of any kind.
    Line {
        kind: Text<'a> = "type",
        subtype: Text<'a> = "subtype",
        at: Stamp = "timestamp",
        session: Text<'a> = "sessionId" | "session_id",
        forked_from: ForkedFrom<'a> = "forkedFrom",
        request_session: Text<'a> = "requestSessionId",
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
    /// What a tool answered.
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
    /// What the model answered.
    Message {
        id: Text<'a> = "id",
        model: Text<'a> = "model",
        usage: Usage<'a> = "usage",
        stop: Text<'a> = "stop_reason",
    }
}

fields! {
    /// What a sub-agent did, as its parent's file tells it.
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
struct Answer<'a> {
    message: &'a Message<'a>,
    request: Option<&'a str>,
    at: Option<Instant>,
    agent: Option<&'a str>,
}

impl Line<'_> {
    /// The answer this line is about.
    fn answer(&self) -> Option<Answer<'_>> {
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

    /// True when no other program writes such lines.
    fn is_ours(&self) -> bool {
        let named = !self.session.is_absent() || !self.uuid.is_absent();
        match self.kind.get() {
            Some("assistant") => named || !self.message.is_absent(),
            Some("progress") => named || !self.data.is_absent(),
            // They may repeat usage. No other kind holds any, and another program's line may well have a
            // type and a session of its own; pieces of an answer are in the API's own format.
            Some("user" | "system" | "result" | "summary" | "attachment" | "cost-state") => named,
            Some(_) => false,
            None => self.message.usage.has_counts(),
        }
    }

    /// Searches that Claude Code made itself, in a call that stands in no line. The answer's own counter says nothing of
    /// them (2.1.332, November 2026).
    fn own_searches(&self) -> u32 {
        let is_search = self.kind.get() == Some("user") && !self.tool_result.query.is_absent();
        let searches = self.tool_result.searches.tokens("searchCount").unwrap_or(0);
        if is_search { u32::try_from(searches).unwrap_or(0) } else { 0 }
    }

    /// True for a kind of line that is not known here, in the midst of a session's lines. It may name
    /// counts, which only the answers themselves charge; the API's own events are read elsewhere.
    fn is_aside(&self, session: &str) -> bool {
        let is_unknown = self.kind.get().is_some_and(|kind| kind != "stream_event");
        is_unknown && self.session.get() == Some(session)
    }
}

impl Line<'_> {
    /// How far the counts of an answer in this line can be trusted. A person's session makes calls that it does not
    /// list (titles, summaries, permission checks): 9 to 15 % of all that is charged (measured in August 2026). A
    /// session without a person does so when it sums up its history.
    fn fidelity(&self, model: Option<&str>, context: &Context) -> Fidelity {
        let known = fidelity(model, self.version.get());
        let is_alone = self.entrypoint.get() != Some("cli") && !context.is_compacted;
        if known == Fidelity::Final && !is_alone { Fidelity::Unlisted } else { known }
    }
}

impl Reader for Transcript {
    fn line(&mut self, line: &[u8], origin: &Origin, out: &mut Vec<Record>) -> Result<Reading, BadLine> {
        let mut parsed = Line::default();
        json::parse_into(line, &mut parsed)?;
        if !parsed.is_ours() {
            return Ok(if parsed.is_aside(&self.context.session) { Reading::Mine } else { Reading::NotMine });
        }
        if let Some(session) = parsed.session.get() {
            self.context.enter(session);
        }
        if matches!(parsed.kind.get(), Some("cost-state" | "result")) {
            let bill = claude_bill::bill(line, &self.context, &self.source, &mut self.labels, origin)?;
            out.extend(bill.map(Record::Bill));
            return Ok(Reading::Mine);
        }
        let Some(answer) = parsed.answer() else {
            self.context.is_compacted |= parsed.subtype.get() == Some("compact_boundary");
            out.extend(self.search(&parsed, origin, line));
            return Ok(Reading::Mine);
        };
        let usage = &answer.message.usage;
        let stated = usage.booked()?;
        let mut booked = stated;
        self.context.meet(&Met {
            at: answer.at,
            model: answer.message.model.get(),
            project: parsed.cwd.get(),
            searches: booked.web_searches,
            is_copy: parsed.request_session.get().is_some_and(|maker| Some(maker) != parsed.session.get()),
            is_branch: !parsed.forked_from.session.is_absent(),
        });
        let session = parsed.forked_from.session.or(&parsed.session).get().unwrap_or_else(|| origin.stem());
        let beside = usage.beside(&stated);
        if answer.message.stop.get() == Some("refusal") && booked.tokens.output == 0 {
            // A refusal that comes before any output is not charged, whatever was asked (Anthropic's documentation of
            // refusals, November 2026).
            booked = Booked { tokens: Tokens::ZERO, web_searches: 0, ..booked };
        }
        if booked.is_nothing() && beside.is_empty() {
            return Ok(Reading::Mine);
        }
        let key = key_of(&answer, session, &booked, line);
        let call = Call {
            tier: booked.tier,
            web_searches: booked.web_searches,
            quoted: parsed.cost.0,
            fidelity: if booked.is_guessed {
                Fidelity::Guessed
            } else {
                parsed.fidelity(answer.message.model.get(), &self.context)
            },
            alias: answer.request.map(request_key),
            ..Call::new(
                key,
                Attribution {
                    session: self.labels.find(Some(session)),
                    agent: self.labels.find(answer.agent),
                    project: self.labels.find(parsed.cwd.get()),
                    feature: self.labels.find(parsed.skill.get()),
                    place: Some(Place { path: origin.path.clone(), offset: origin.offset }),
                    ..Attribution::new(answer.at.unwrap_or(origin.modified), self.source.clone())
                },
                self.labels.find(answer.message.model.get()),
                booked.tokens,
            )
        };
        for (place, round) in beside {
            let tokens = round_tokens(round, &stated)?;
            if !tokens.is_zero() {
                let is_advice = round.kind.get() == Some("advisor_message");
                let model = round.model.get();
                out.push(Record::Call(Call {
                    key: if is_advice { advisor_key(key, place) } else { attempt_key(key, place) },
                    model: self.labels.find(model),
                    tokens,
                    tier: Tier { speed: Speed::Standard, ..booked.tier },
                    web_searches: 0,
                    quoted: None,
                    fidelity: parsed.fidelity(model, &self.context),
                    alias: None,
                    ..call.clone()
                }));
            }
        }
        if !booked.is_nothing() {
            out.push(Record::Call(call));
        }
        Ok(Reading::Mine)
    }

    fn state(&self) -> String {
        self.context.state()
    }

    fn restore(&mut self, state: &str) {
        self.context.restore(state);
    }
}

impl Transcript {
    /// The searches of a tool call, as a call of their own: what was read and written for them is in no line.
    fn search(&mut self, parsed: &Line<'_>, origin: &Origin, line: &[u8]) -> Option<Record> {
        let web_searches = parsed.own_searches();
        if web_searches == 0 || self.context.counts_searches {
            return None;
        }
        let key = match parsed.uuid.get() {
            Some(uuid) => CallKey::of(&["claude-code search", uuid]),
            None => CallKey::of(&[b"claude-code search", line]),
        };
        let session = parsed.forked_from.session.or(&parsed.session).get().unwrap_or_else(|| origin.stem());
        let sidechain = parsed.sidechain.0.then_some("sidechain");
        let from = Attribution {
            session: self.labels.find(Some(session)),
            agent: self.labels.find(parsed.agent.get().or(sidechain)),
            project: self.labels.find(parsed.cwd.get()),
            feature: self.labels.find(parsed.skill.get()),
            place: Some(Place { path: origin.path.clone(), offset: origin.offset }),
            ..Attribution::new(parsed.at.0.unwrap_or(origin.modified), self.source.clone())
        };
        let model = self.labels.find(self.context.model.as_deref());
        let fidelity = if model.is_some() { Fidelity::Unlisted } else { Fidelity::Guessed };
        Some(Record::Call(Call { web_searches, fidelity, ..Call::new(key, from, model, Tokens::ZERO) }))
    }
}

/// What names an answer.
///
/// An id of Anthropic's own names it everywhere. A gateway may give out one id again and again, so
/// there what was asked belongs to the name; and where there is no id, what was answered, and when.
fn key_of(answer: &Answer<'_>, session: &str, booked: &Booked, line: &[u8]) -> CallKey {
    match answer.message.id.get() {
        Some(id) if id.starts_with("msg_") => message_key(id),
        Some(id) => {
            let tokens = booked.tokens;
            let asked = [tokens.input, tokens.cache_read, tokens.cache_write()].map(u64::to_le_bytes).concat();
            CallKey::of(&[NAME.as_bytes(), session.as_bytes(), id.as_bytes(), &asked])
        }
        None => {
            let at = answer.at.map(|at| at.timestamp_micros().to_le_bytes()).unwrap_or_default();
            CallKey::of(&[NAME.as_bytes(), content(line), &at])
        }
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
