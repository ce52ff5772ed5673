//! Session totals reported by Claude Code: `cost-state` lines in transcripts, and `result` lines of `claude -p`.
//!
//! A `cost-state` covers all runs of the session, including calls that no other line lists: titles, `/btw`, `/compact`,
//! and the classifier of auto mode (2.1.299 to 2.1.332, November 2026). From 2.1.299 on a `result` covers the same;
//! before that, it covers only the run. The answers printed above it only have the counts from the start of their
//! streams.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::claude_usage::Usage;
use super::count::Count;
use super::fields::{Slot, fields};
use super::json::{self, Text};
use super::keyed::Keyed;
use super::stored_time::StoredTime;
use super::time::Stamp;
use super::{BadLine, Origin};
use crate::domain::{Attribution, Bill, Billed, CallKey, Counter, Instant, Label, Labels, Place, Tokens};

/// State carried from earlier lines of a transcript.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Context {
    /// Session of the last line that certainly belongs to the transcript.
    pub(super) session: String,
    /// Model of the last answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) model: Option<String>,
    /// True if the last answer gives its number of web searches.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub(super) counts_searches: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    project: Option<String>,
    /// Time of the last answer, and of the first one that the session made itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    last: Option<StoredTime>,
    #[serde(skip_serializing_if = "Option::is_none")]
    since: Option<StoredTime>,
    /// True if the session compacted its history, which is a call that no line lists.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub(super) is_compacted: bool,
    /// True if the session was branched off another one. Its counter starts at zero.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    is_branch: bool,
}

/// Fields of an answer that affect later lines.
pub(super) struct SessionLine<'a> {
    pub(super) at: Option<Instant>,
    pub(super) model: Option<&'a str>,
    pub(super) project: Option<&'a str>,
    pub(super) searches: u32,
    /// True if copied from another session when this one was forked.
    pub(super) is_copy: bool,
    pub(super) is_branch: bool,
}

impl Context {
    /// Records the session of a line.
    pub(super) fn enter(&mut self, session: &str) {
        if session != self.session {
            *self = Self { session: session.to_owned(), ..Self::default() };
        }
    }

    /// Records an answer.
    pub(super) fn note(&mut self, line: &SessionLine<'_>) {
        let keep = |kept: &mut Option<String>, now: Option<&str>| {
            if now.is_some() && kept.as_deref() != now {
                *kept = now.map(str::to_owned);
            }
        };
        keep(&mut self.model, line.model);
        keep(&mut self.project, line.project);
        self.counts_searches = line.searches > 0;
        let at = line.at.map(StoredTime);
        self.last = at.max(self.last);
        if !line.is_copy {
            self.since = self.since.or(at);
        }
        self.is_branch |= line.is_branch;
    }

    /// State for [`Context::restore`].
    pub(super) fn state(&self) -> String {
        if *self == Self::default() {
            return String::new();
        }
        serde_json::to_string(self).unwrap_or_default()
    }

    /// Restores the output of [`Context::state`]. Older versions stored only the session.
    pub(super) fn restore(&mut self, state: &str) {
        *self = serde_json::from_str(state).unwrap_or_else(|_| Self { session: state.to_owned(), ..Self::default() });
    }
}

fields! {
    /// A line that reports a session's usage.
    Line {
        kind: Text<'a> = "type",
        session: Text<'a> = "sessionId" | "session_id",
        uuid: Text<'a> = "uuid",
        at: Stamp = "timestamp",
        started: Count = "startTime",
        usage: Usage<'a> = "usage",
        models: Keyed<ModelUsage<'a>> = "modelUsage",
    }
}

fields! {
    /// Total for one model.
    ModelUsage {
        input: Count = "inputTokens",
        output: Count = "outputTokens",
        thinking: Count = "thinkingTokens",
        cache_read: Count = "cacheReadInputTokens",
        cache_creation: Count = "cacheCreationInputTokens",
        five_minutes: Count = "cacheCreationEphemeral5mInputTokens",
        one_hour: Count = "cacheCreationEphemeral1hInputTokens",
        searches: Count = "webSearchRequests",
    }
}

/// The bill in a line, if any.
///
/// # Errors
/// When a count is invalid or implausible.
pub(super) fn bill(
    line: &[u8],
    context: &Context,
    source: &Label,
    labels: &mut Labels,
    origin: &Origin,
) -> Result<Option<Bill>, BadLine> {
    let line: Line<'_> = json::parse(line)?;
    let Some(session) = line.session.get() else { return Ok(None) };
    let mut models: BTreeMap<&str, Billed> = BTreeMap::new();
    for (name, usage) in &line.models.0 {
        // The size of the context window is not part of the model name.
        let name = name.strip_suffix("[1m]").unwrap_or(name);
        let billed = usage.billed(name)?;
        match models.get_mut(name) {
            Some(known) => {
                known.tokens = known.tokens.saturating_add(billed.tokens);
                known.is_split &= billed.is_split;
                known.web_searches = known.web_searches.saturating_add(billed.web_searches);
            }
            None => drop(models.insert(name, billed)),
        }
    }
    let mut models: Vec<Billed> = models.into_values().collect();
    let own = line.usage.booked()?;
    let is_run = line.kind.get() == Some("result");
    if is_run && line.models.0.is_empty() {
        // Before there were totals by model, the run's usage was the only figure.
        let is_split = !line.usage.cache_split.is_absent();
        let (tokens, web_searches, is_guessed) = (own.tokens, own.web_searches, context.model.is_none());
        let model = context.model.as_deref().unwrap_or(Billed::UNNAMED);
        models.push(Billed { is_split, web_searches, is_guessed, ..Billed::new(model, tokens) });
    }
    if let [only] = &mut models[..] {
        only.borrow_lifetimes(own.tokens);
    }
    models.retain(|billed| !billed.tokens.is_zero() || billed.web_searches > 0);
    if models.is_empty() {
        return Ok(None);
    }
    let started = line.started.total("startTime").ok().and_then(|started| i64::try_from(started).ok());
    let started = started.filter(|started| *started > 0 && !context.is_branch);
    let is_known = context.session == session;
    let since = context.since.filter(|_| is_known).map(|at| at.0);
    let counter = if is_run { Counter::Run { own: own.tokens } } else { Counter::Session { started, since } };
    let last = context.last.filter(|_| is_known).map(|at| at.0);
    let from = Attribution {
        session: labels.find(Some(session)),
        project: labels.find(context.project.as_deref().filter(|_| is_known)),
        place: Some(Place { path: origin.path.clone(), offset: origin.offset }),
        ..Attribution::new(line.at.0.or(last).unwrap_or(origin.modified), source.clone())
    };
    let id = match line.uuid.get().filter(|_| is_run) {
        Some(uuid) => CallKey::from_parts(&["claude-code result", session, uuid]),
        None => CallKey::from_parts(&[line.kind.get().unwrap_or_default(), session, &format!("{started:?}{models:?}")]),
    };
    Ok(Some(Bill { id, from, counter, models }))
}

impl ModelUsage<'_> {
    fn billed(&self, model: &str) -> Result<Billed, BadLine> {
        let output = self.output.total("outputTokens")?;
        let written = self.cache_creation.total("cacheCreationInputTokens")?;
        let short = self.five_minutes.total("cacheCreationEphemeral5mInputTokens")?;
        let long = self.one_hour.total("cacheCreationEphemeral1hInputTokens")?;
        let rest = written.saturating_sub(short.saturating_add(long));
        let web_searches = self.searches.searches_total("webSearchRequests")?;
        let tokens = Tokens {
            input: self.input.total("inputTokens")?,
            cache_read: self.cache_read.total("cacheReadInputTokens")?,
            cache_write_5m: short.saturating_add(rest),
            cache_write_1h: long,
            output,
            reasoning: self.thinking.total("thinkingTokens")?.min(output),
        };
        Ok(Billed { is_split: rest == 0, web_searches, ..Billed::new(model, tokens) })
    }
}

impl Billed {
    /// Takes the lifetimes of cache writes from the run's own usage, because the total by model lacks them.
    fn borrow_lifetimes(&mut self, own: Tokens) {
        let written = self.tokens.cache_write();
        if !self.is_split && written == own.cache_write() {
            (self.tokens.cache_write_5m, self.tokens.cache_write_1h) = (own.cache_write_5m, own.cache_write_1h);
            self.is_split = true;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(line: &str) -> Option<Bill> {
        let origin = Origin { path: Label::new("a.jsonl"), offset: 0, modified: Instant::default() };
        let source = Label::new("claude-code");
        bill(line.as_bytes(), &Context::default(), &source, &mut Labels::default(), &origin).unwrap()
    }

    fn billed(line: &str) -> Vec<(String, [u64; 6], bool)> {
        let models = read(line).map(|bill| bill.models).unwrap_or_default();
        models.iter().map(|billed| (billed.model.to_string(), billed.tokens.fields(), billed.is_split)).collect()
    }

    #[test]
    fn one_model_with_two_context_sizes_is_one_model() {
        let line = r#"{"type":"cost-state","sessionId":"s","modelUsage":{
            "claude-opus-5[1m]":{"inputTokens":1,"outputTokens":2,"cacheCreationInputTokens":4,"cacheCreationEphemeral1hInputTokens":4},
            "claude-opus-5":{"inputTokens":10,"outputTokens":20,"thinkingTokens":99}}}"#;
        assert_eq!(billed(line), [("claude-opus-5".to_owned(), [11, 0, 0, 4, 22, 20], true)]);
    }

    #[test]
    fn the_runs_own_usage_names_the_lifetimes_that_the_model_leaves_out() {
        let line = |own: u64| {
            format!(
                r#"{{"type":"result","session_id":"s","usage":{{"input_tokens":1,"output_tokens":2,"cache_creation_input_tokens":{own},
                "cache_creation":{{"ephemeral_1h_input_tokens":{own},"ephemeral_5m_input_tokens":0}}}},
                "modelUsage":{{"m":{{"inputTokens":1,"outputTokens":2,"cacheCreationInputTokens":9}}}}}}"#
            )
        };
        assert_eq!(billed(&line(9)), [("m".to_owned(), [1, 0, 0, 9, 2, 0], true)]);
        assert_eq!(billed(&line(7)), [("m".to_owned(), [1, 0, 9, 0, 2, 0], false)]);
    }

    #[test]
    fn what_is_no_bill_is_none_and_what_cannot_be_true_is_a_bad_line() {
        for line in [
            r#"{"type":"cost-state","sessionId":"s"}"#,
            r#"{"type":"cost-state","sessionId":"s","modelUsage":[{"inputTokens":1}]}"#,
            r#"{"type":"cost-state","sessionId":"s","modelUsage":{"m":7,"n":null}}"#,
            r#"{"type":"cost-state","modelUsage":{"m":{"inputTokens":1}}}"#,
        ] {
            assert_eq!(read(line), None, "{line}");
        }
        let origin = Origin { path: Label::new("a.jsonl"), offset: 0, modified: Instant::default() };
        let line = br#"{"type":"cost-state","sessionId":"s","modelUsage":{"m":{"inputTokens":-1}}}"#;
        let read = bill(line, &Context::default(), &Label::new("c"), &mut Labels::default(), &origin);
        assert!(matches!(read, Err(BadLine::Absurd { field: "inputTokens", .. })), "{read:?}");
    }

    #[test]
    fn a_result_that_names_no_model_is_a_total_of_an_unknown_one() {
        // 3 of input and 4 of output: the model is not known, and the tokens are not lost.
        let line = r#"{"type":"result","session_id":"s","usage":{"input_tokens":3,"output_tokens":4}}"#;
        assert_eq!(billed(line), [("unknown".to_owned(), [3, 0, 0, 0, 4, 0], true)]);
    }

    #[test]
    fn a_context_goes_on_from_its_state_and_from_that_of_an_older_version() {
        let mut context = Context::default();
        assert_eq!(context.state(), "");
        context.enter("s");
        context.note(&SessionLine {
            at: Some(Instant::default()),
            model: Some("m"),
            project: Some("/p"),
            searches: 1,
            is_copy: false,
            is_branch: true,
        });
        let mut again = Context::default();
        again.restore(&context.state());
        assert_eq!(again, context);
        again.restore("5e55-1");
        assert_eq!(again, Context { session: "5e55-1".to_owned(), ..Context::default() });
    }
}
