//! Claude Code transcripts: `~/.claude/projects/**/*.jsonl`, for main threads and sub-agents.
//!
//! One answer appears on two to four lines, in several files and under several sessions; its message id identifies it.
//! A sub-agent's answers are in its own file and, from some versions, also in its parent's `progress` lines. Summaries
//! that repeat usage (`toolUseResult`) are accepted but ignored. Session totals are decoded in `claude_bill.rs`.
//!
//! A fork's file starts with copies of its parent's lines, under the fork's session id (all versions from 2.1.104 to
//! 2.1.332, seen 2026-11-26). Newer versions mark the copies; for the others, see [`Opening`].

use std::path::{Path, PathBuf};

use super::branch::branch_name;
use super::claude_bill::{self, Context, SessionLine};
use super::claude_content::content;
use super::claude_homes;
use super::claude_line::{Answer, Line};
use super::claude_opening::{self, Opening};
use super::claude_prompt;
use super::claude_usage::{Booked, round_tokens};
use super::fields::{Slot, parse_into};
use super::keys::{advisor_key, attempt_key, message_key, prompt_key, request_key};
use super::turns::Turns;
use super::{BadLine, Env, Format, Location, Origin, Reader, Reading};
use crate::domain::{
    Attribution, Call, CallKey, Claim, Fidelity, Label, Labels, Place, Record, Speed, Tier, Tokens, Turn,
};

/// Claude Code's transcripts.
pub(super) struct ClaudeCode;

impl Format for ClaudeCode {
    fn name(&self) -> &'static str {
        NAME
    }
    fn gaps(&self) -> &'static str {
        "titles and permission checks, unless the session's cost state is kept"
    }
    fn locations(&self, env: &Env<'_>) -> Vec<Location> {
        claude_homes::locations(env)
    }
    fn indexes(&self, env: &Env<'_>) -> Vec<PathBuf> {
        claude_homes::indexes(env)
    }
    fn indexed(&self, index: &Path, content: &[u8]) -> Vec<Location> {
        claude_homes::indexed(index, content)
    }
    fn needles(&self) -> &'static [&'static str] {
        // Answers have the first needle. The others are for unknown kinds of lines.
        &["\"usage\"", "_tokens\"", "Tokens\"", SEARCHES]
    }
    fn own_needles(&self) -> &'static [&'static str] {
        // Usage always includes a token count.
        &["okens\""]
    }
    fn tail_needles(&self) -> &'static [&'static str] {
        // Search results are long, and the number of searches comes after them.
        &[SEARCHES]
    }
    fn opening(&self) -> Option<&'static str> {
        Some("\"timestamp\"")
    }
    fn marks_turn(&self, line: &[u8]) -> bool {
        claude_prompt::turn(line).is_some()
    }
    fn reader(&self) -> Box<dyn Reader> {
        Box::new(Transcript {
            source: Label::new(NAME),
            labels: Labels::default(),
            context: Context::default(),
            opening: Opening::default(),
            turns: Turns::default(),
        })
    }
}

/// Field with the number of web searches that Claude Code itself made for one tool call.
const SEARCHES: &str = "\"searchCount\"";

const NAME: &str = "claude-code";

struct Transcript {
    source: Label,
    labels: Labels,
    context: Context,
    opening: Opening,
    turns: Turns,
}

impl Reader for Transcript {
    fn line(&mut self, line: &[u8], origin: &Origin, out: &mut Vec<Record>) -> Result<Reading, BadLine> {
        let mut parsed = Line::default();
        parse_into(line, &mut parsed)?;
        if !self.opening.is_whole() && parsed.may_open() {
            self.opening.see(line);
        }
        if !parsed.is_ours() {
            return Ok(if parsed.is_aside(&self.context.session) { Reading::Mine } else { Reading::NotMine });
        }
        if let Some(session) = parsed.session() {
            self.context.enter(session);
        }
        if matches!(parsed.kind.get(), Some("cost-state" | "result")) {
            let bill = claude_bill::bill(line, &self.context, &self.source, &mut self.labels, origin)?;
            out.extend(bill.map(Record::Bill));
            return Ok(Reading::Mine);
        }
        let Some(answer) = parsed.answer() else {
            self.context.is_compacted |= parsed.subtype.get() == Some("compact_boundary");
            self.turn(&parsed, origin, line);
            out.extend(self.search(&parsed, origin, line)?);
            return Ok(Reading::Mine);
        };
        let usage = &answer.message.usage;
        let stated = usage.booked()?;
        let began = self.opening.began(parsed.session());
        let (session, claim) = parsed.maker(answer.at, began);
        let session = session.unwrap_or_else(|| origin.stem());
        let is_refused = answer.message.stop.get() == Some("refusal") && stated.tokens.output == 0;
        // A refusal that comes before any output is free, whatever the request was (Anthropic's documentation of
        // refusals, November 2026).
        let booked = if is_refused { Booked { tokens: Tokens::ZERO, web_searches: 0, ..stated } } else { stated };
        self.context.note(&SessionLine {
            at: answer.at,
            model: answer.message.model.get(),
            project: parsed.cwd.get(),
            searches: booked.web_searches,
            is_copy: claim != Claim::Own,
            is_branch: !parsed.forked_from.session.is_absent(),
        });
        let beside = usage.beside(&stated);
        // Earlier lines of the same answer may differ.
        let is_refused = is_refused && !answer.message.id.is_absent();
        if booked.is_nothing() && beside.is_empty() && !is_refused {
            return Ok(Reading::Mine);
        }
        let key = key_of(&answer, session, &stated, line);
        let call = Call {
            tier: booked.tier,
            web_searches: booked.web_searches,
            quoted: parsed.cost.0.filter(|_| !is_refused),
            fidelity: if is_refused {
                Fidelity::Refused
            } else if booked.is_guessed {
                Fidelity::Guessed
            } else {
                parsed.fidelity(answer.message.model.get(), &self.context)
            },
            alias: alias_of(&answer, &parsed, claim, &stated.tokens),
            ends_turn: answer.message.ends_turn(),
            ..Call::new(
                key,
                Attribution {
                    session: self.labels.find(Some(session)),
                    agent: self.labels.find(answer.agent),
                    project: self.labels.find(parsed.cwd.get()),
                    branch: self.labels.find(branch_name(parsed.branch.get()).filter(|_| claim == Claim::Own)),
                    feature: self.labels.find(parsed.skill.get()),
                    place: Some(Place { path: origin.path.clone(), offset: origin.offset }),
                    claim,
                    began,
                    ..Attribution::new(answer.at.unwrap_or(origin.modified), self.source.clone())
                },
                self.labels.find(answer.message.model.get()),
                booked.tokens,
            )
        };
        for (place, round) in beside {
            let tokens = round_tokens(round, &stated.tokens)?;
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
                    ends_turn: false,
                    ..call.clone()
                }));
            }
        }
        if call.from.agent.is_none() {
            self.turns.answered(session, call.at());
            if answer.message.ends_turn() && parsed.is_print() && matches!(claim, Claim::Own) {
                self.turns.note(session, Turn::Closed, call.at());
            }
        }
        if !booked.is_nothing() || is_refused {
            out.push(Record::Call(call));
        }
        Ok(Reading::Mine)
    }

    fn statuses(&mut self, out: &mut Vec<Record>) {
        self.turns.take(&self.source, out);
    }

    fn open(&mut self, line: &[u8]) -> bool {
        self.opening.see(line);
        self.opening.is_whole()
    }

    fn state(&self) -> String {
        let opening = self.opening.state();
        if opening.is_none() {
            return self.context.state();
        }
        serde_json::to_string(&(&self.context, opening)).unwrap_or_default()
    }

    fn restore(&mut self, state: &str) {
        match serde_json::from_str::<(Context, claude_opening::State)>(state) {
            Ok((context, opening)) => (self.context, self.opening) = (context, Opening::restored(&opening)),
            // Earlier versions stored only the context.
            Err(_) => self.context.restore(state),
        }
    }
}

impl Transcript {
    /// Takes note of a prompt, an interruption, or an error shown instead of an answer, in the main thread.
    fn turn(&mut self, parsed: &Line<'_>, origin: &Origin, line: &[u8]) {
        let turn = match parsed.kind.get() {
            Some("user") => claude_prompt::turn(line).filter(|_| !claude_prompt::is_written_by_agent(line)),
            Some("assistant") if parsed.is_error() => Some(Turn::Ended),
            _ => None,
        };
        if let Some(turn) = turn.filter(|_| parsed.agent.is_absent() && !parsed.sidechain.0) {
            let session = parsed.session().unwrap_or_else(|| origin.stem());
            self.turns.note(session, turn, parsed.at.0.unwrap_or(origin.modified));
        }
    }

    /// The searches of a tool call, as a call of their own. No line has their tokens.
    fn search(&mut self, parsed: &Line<'_>, origin: &Origin, line: &[u8]) -> Result<Option<Record>, BadLine> {
        let web_searches = parsed.own_searches()?;
        if web_searches == 0 || self.context.counts_searches {
            return Ok(None);
        }
        let key = match parsed.uuid.get() {
            Some(uuid) => CallKey::from_parts(&["claude-code search", uuid]),
            None => CallKey::from_parts(&[b"claude-code search".as_slice(), line]),
        };
        let began = self.opening.began(parsed.session());
        let (session, claim) = parsed.maker(parsed.at.0, began);
        let session = session.unwrap_or_else(|| origin.stem());
        let sidechain = parsed.sidechain.0.then_some("sidechain");
        let from = Attribution {
            session: self.labels.find(Some(session)),
            agent: self.labels.find(parsed.agent.get().or(sidechain)),
            project: self.labels.find(parsed.cwd.get()),
            branch: self.labels.find(branch_name(parsed.branch.get()).filter(|_| claim == Claim::Own)),
            feature: self.labels.find(parsed.skill.get()),
            place: Some(Place { path: origin.path.clone(), offset: origin.offset }),
            claim,
            began,
            ..Attribution::new(parsed.at.0.unwrap_or(origin.modified), self.source.clone())
        };
        let model = self.labels.find(self.context.model.as_deref());
        let fidelity = if model.is_some() { Fidelity::Unlisted } else { Fidelity::Guessed };
        Ok(Some(Record::Call(Call { web_searches, fidelity, ..Call::new(key, from, model, Tokens::ZERO) })))
    }
}

/// The alias by which telemetry knows an answer: the id of its request, or else its prompt in the session that made it.
/// A copy may be of a session whose name it does not have.
fn alias_of(answer: &Answer<'_>, line: &Line<'_>, claim: Claim, tokens: &Tokens) -> Option<CallKey> {
    let maker = || match claim {
        Claim::Maker => line.made_by.get(),
        Claim::Own => line.session(),
        Claim::Copy | Claim::Parent | Claim::Unchecked => None,
    };
    answer.request.map(request_key).or_else(|| prompt_key(maker()?, tokens))
}

/// The key of an answer.
///
/// Anthropic's ids are unique. A gateway may reuse ids, so for gateways the input counts are part of the key. Without
/// an id, the content and the time identify the answer.
fn key_of(answer: &Answer<'_>, session: &str, booked: &Booked, line: &[u8]) -> CallKey {
    match answer.message.id.get() {
        Some(id) if id.starts_with("msg_") => message_key(id),
        Some(id) => {
            let tokens = booked.tokens;
            let asked = [tokens.input, tokens.cache_read, tokens.cache_write()].map(u64::to_le_bytes).concat();
            CallKey::from_parts(&[NAME.as_bytes(), session.as_bytes(), id.as_bytes(), &asked])
        }
        None => {
            let at = answer.at.map(|at| at.timestamp_micros().to_le_bytes()).unwrap_or_default();
            CallKey::from_parts(&[NAME.as_bytes(), content(line), &at])
        }
    }
}
