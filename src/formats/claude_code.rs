//! Claude Code transcripts: `~/.claude/projects/**/*.jsonl`, main threads and sub-agents alike.
//!
//! One answer stands on two to four lines, in several files, under several sessions; its message id
//! is what makes it one. A sub-agent's answers stand in its own file and, from some versions, again in
//! its parent's `progress` lines. Summaries that repeat usage (`toolUseResult`, the `result` line of a
//! headless run) are this format's lines and say nothing.

use serde::Deserialize;

use super::claude_usage::{Booked, Usage};
use super::json::{self, Flag, Money, Object, Text};
use super::keys::{message_key, request_key};
use super::time::Stamp;
use super::{BadLine, Format, Origin, Reader, Reading};
use crate::domain::{Attribution, Call, CallKey, Fidelity, Instant, Label, Labels, Place, Record};

/// Claude Code's transcripts.
pub(super) struct ClaudeCode;

impl Format for ClaudeCode {
    fn name(&self) -> &'static str {
        NAME
    }
    fn markers(&self) -> &'static [&'static str] {
        &["\"usage\""]
    }
    fn reader(&self) -> Box<dyn Reader> {
        Box::new(Transcript { source: Label::new(NAME), labels: Labels::default() })
    }
}

const NAME: &str = "claude-code";

/// What stands in the place of a model where no model answered.
const SYNTHETIC: &str = "<synthetic>";

struct Transcript {
    source: Label,
    labels: Labels,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Line<'a> {
    #[serde(borrow, rename = "type")]
    kind: Text<'a>,
    timestamp: Stamp,
    #[serde(borrow, rename = "sessionId")]
    session: Text<'a>,
    /// As a headless run spells it.
    #[serde(borrow, rename = "session_id")]
    stream_session: Text<'a>,
    #[serde(borrow)]
    uuid: Text<'a>,
    #[serde(borrow)]
    version: Text<'a>,
    #[serde(borrow)]
    cwd: Text<'a>,
    #[serde(borrow, rename = "agentId")]
    agent: Text<'a>,
    #[serde(rename = "isSidechain")]
    sidechain: Flag,
    #[serde(borrow, rename = "attributionSkill")]
    skill: Text<'a>,
    #[serde(borrow, rename = "requestId")]
    request: Text<'a>,
    #[serde(rename = "costUSD")]
    cost: Money,
    #[serde(borrow)]
    message: Object<Message<'a>>,
    #[serde(borrow)]
    data: Object<Progress<'a>>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Message<'a> {
    #[serde(borrow)]
    id: Text<'a>,
    #[serde(borrow)]
    model: Text<'a>,
    #[serde(borrow)]
    usage: Object<Usage<'a>>,
}

/// What a sub-agent did, as its parent's file tells it.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Progress<'a> {
    #[serde(borrow, rename = "agentId")]
    agent: Text<'a>,
    #[serde(borrow)]
    message: Object<Told<'a>>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Told<'a> {
    timestamp: Stamp,
    #[serde(borrow, rename = "requestId")]
    request: Text<'a>,
    #[serde(borrow)]
    message: Object<Message<'a>>,
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
        match self.kind.get() {
            Some("assistant") | None => Some(Answer {
                message: self.message.0.as_ref()?,
                request: self.request.get(),
                at: self.timestamp.0,
                agent: self.agent.get().or(sidechain),
            }),
            Some("progress") => {
                let data = self.data.0.as_ref()?;
                let told = data.message.0.as_ref()?;
                Some(Answer {
                    message: told.message.0.as_ref()?,
                    request: told.request.get(),
                    at: told.timestamp.0.or(self.timestamp.0),
                    agent: data.agent.get().or(self.agent.get()).or(Some("sidechain")),
                })
            }
            Some(_) => None,
        }
    }

    /// True when no other program writes such lines.
    fn is_ours(&self) -> bool {
        let named = self.session.get().or(self.stream_session.get()).or(self.uuid.get()).is_some();
        match self.kind.get() {
            Some("assistant") => named || self.message.0.is_some(),
            Some("progress") => named || self.data.0.is_some(),
            Some(_) => named,
            None => self.message.0.as_ref().is_some_and(|message| message.usage.0.is_some()),
        }
    }
}

impl Reader for Transcript {
    fn line(&mut self, line: &[u8], origin: &Origin, out: &mut Vec<Record>) -> Result<Reading, BadLine> {
        let Some(parsed) = json::object::<Line<'_>>(line)? else { return Ok(Reading::NotMine) };
        if !parsed.is_ours() {
            return Ok(Reading::NotMine);
        }
        let Some(answer) = parsed.answer() else { return Ok(Reading::Mine) };
        let Some(usage) = &answer.message.usage.0 else { return Ok(Reading::Mine) };
        if answer.message.model.get() == Some(SYNTHETIC) {
            return Ok(Reading::Mine);
        }
        let booked = usage.booked()?;
        let session = parsed.session.get().or(parsed.stream_session.get()).unwrap_or(origin.stem());
        let mut advisors = usage.advisors().peekable();
        if booked.is_nothing() && advisors.peek().is_none() {
            return Ok(Reading::Mine);
        }
        let key = key_of(&answer, session, &booked, line);
        let call = Call {
            key,
            from: Attribution {
                session: self.labels.find(Some(session)),
                agent: self.labels.find(answer.agent),
                project: self.labels.find(parsed.cwd.get()),
                feature: self.labels.find(parsed.skill.get()),
                place: Some(Place { path: origin.path.clone(), offset: origin.offset }),
                ..Attribution::new(answer.at.unwrap_or(origin.modified), self.source.clone())
            },
            model: self.labels.find(answer.message.model.get()),
            tokens: booked.tokens,
            tier: booked.tier,
            web_searches: booked.web_searches,
            quoted: parsed.cost.0,
            latency: None,
            fidelity: fidelity(answer.message.model.get(), parsed.version.get()),
            alias: answer.request.map(request_key),
            lineage: None,
        };
        for (place, advisor) in advisors {
            let booked = advisor.booked()?;
            if booked.is_nothing() {
                continue;
            }
            out.push(Record::Call(Call {
                key: CallKey::of(&[b"advisor".as_slice(), &key.bytes(), &place.to_le_bytes()]),
                model: self.labels.find(advisor.model()),
                tokens: booked.tokens,
                tier: booked.tier,
                web_searches: booked.web_searches,
                quoted: None,
                fidelity: fidelity(advisor.model(), parsed.version.get()),
                alias: None,
                ..call.clone()
            }));
        }
        if !booked.is_nothing() {
            out.push(Record::Call(call));
        }
        Ok(Reading::Mine)
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

/// The content of the answer in a line, as it is written; the whole line when it cannot be cut out.
fn content(line: &[u8]) -> &[u8] {
    #[derive(Deserialize)]
    struct Line<'a> {
        #[serde(borrow)]
        message: Option<Message<'a>>,
        #[serde(borrow)]
        data: Option<Progress<'a>>,
    }
    #[derive(Deserialize)]
    struct Progress<'a> {
        #[serde(borrow)]
        message: Option<Told<'a>>,
    }
    #[derive(Deserialize)]
    struct Told<'a> {
        #[serde(borrow)]
        message: Option<Message<'a>>,
    }
    #[derive(Deserialize)]
    struct Message<'a> {
        #[serde(borrow)]
        content: Option<&'a serde_json::value::RawValue>,
    }
    let Ok(parsed) = serde_json::from_slice::<Line<'_>>(line) else { return line };
    let told = || parsed.data.and_then(|data| data.message).and_then(|told| told.message);
    let message = parsed.message.or_else(told);
    message.and_then(|message| message.content).map_or(line, |content| content.get().as_bytes())
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
