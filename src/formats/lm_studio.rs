//! LM Studio's server: `~/.lmstudio/server-logs/<month>/<day>.log`, formerly `~/.cache/lm-studio/server-logs`.
//!
//! There is no public source. Based on tokscale's reader (`lmstudio.rs`, commit 2ff9782, read 2026-11-27): between
//! lines of text, the log contains the server's answers as JSON over many lines, in the form of chat completions,
//! responses and Anthropic's messages: id and model come first, `usage` last. So a line has a name and a value, and
//! only the id, the model, the time and the counts are read. Input includes cached tokens except in Anthropic's
//! messages; output includes reasoning. An object without an answer's id, such as an embedding, does not count, but its
//! model or its own prompt shows that the previous answer is over. Agents that use the server log the same answers
//! under the same ids. A model that runs on this machine is free, which no price list knows; `[prices."NAME"]` in the
//! config says so.

use memchr::memmem;
use serde::{Deserialize, Serialize};

use super::answers::{load, save};
use super::author::Author;
use super::count::Count;
use super::keys::answer_key;
use super::split::Counts;
use super::time;
use super::{BadLine, Env, Format, Framing, Location, Origin, Reader, Reading};
use crate::domain::{Call, CallKey, Fidelity, Record, sort_by_key};

/// LM Studio's server.
pub(super) struct LmStudio;

const NAME: &str = "lm-studio";
const NEEDLES: [&str; 4] = ["\"id\"", "\"model\"", "\"created", "_tokens\""];
/// Names that are read, in the order used by [`Answer::learn`].
const FIELDS: [&str; 13] = [
    "id",
    "model",
    "created",
    "created_at",
    "prompt_tokens",
    "input_tokens",
    "completion_tokens",
    "output_tokens",
    "cached_tokens",
    "cache_read_input_tokens",
    "cache_creation_input_tokens",
    "reasoning_tokens",
    "total_tokens",
];
/// Prefixes of answer ids.
const ANSWERS: [&str; 4] = ["chatcmpl-", "cmpl-", RESPONSE, MESSAGE];
const RESPONSE: &str = "resp_";
/// Prefix of the ids of Anthropic's messages, and of the parts of a response.
const MESSAGE: &str = "msg_";

impl Format for LmStudio {
    fn name(&self) -> &'static str {
        NAME
    }
    fn gaps(&self) -> &'static str {
        "that local models are free: give them a price of 0; answers without an id; sessions and projects"
    }
    fn locations(&self, env: &Env<'_>) -> Vec<Location> {
        let folders = [".lmstudio/server-logs", ".cache/lm-studio/server-logs"];
        folders.iter().filter_map(|folder| env.home(folder)).map(Location::tree).collect()
    }
    fn framing(&self, name: &[u8]) -> Option<Framing> {
        name.ends_with(b".log").then_some(Framing::Lines)
    }
    fn is_known_by_place(&self) -> bool {
        true
    }
    fn is_text(&self) -> bool {
        true
    }
    fn needles(&self) -> &'static [&'static str] {
        &NEEDLES
    }
    fn reader(&self) -> Box<dyn Reader> {
        Box::new(Log { author: Author::new(NAME), answer: Answer::default() })
    }
}

/// An answer, as far as it has been read.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
struct Answer {
    id: String,
    model: String,
    created: u64,
    prompt: Option<u64>,
    output: Option<u64>,
    cached: u64,
    written: u64,
    reasoning: u64,
    total: u64,
}

struct Log {
    author: Author,
    answer: Answer,
}

impl Reader for Log {
    fn line(&mut self, line: &[u8], origin: &Origin, out: &mut Vec<Record>) -> Result<Reading, BadLine> {
        let mut has_new_count = false;
        for (field, value) in values(line) {
            has_new_count |= self.answer.learn(field, value)?;
        }
        if has_new_count {
            out.extend(self.call(origin).map(Record::Call));
        }
        Ok(Reading::Mine)
    }

    fn state(&self) -> String {
        save(&self.answer)
    }

    fn restore(&mut self, state: &str) {
        self.answer = load(state);
    }
}

impl Answer {
    /// Takes over a value. Returns true for a count.
    fn learn(&mut self, field: &str, value: &str) -> Result<bool, BadLine> {
        let count = |name: &'static str| Count::from_text(value).tokens(name);
        match field {
            "id" => {
                let is_part = value.starts_with(MESSAGE) && self.id.starts_with(RESPONSE) && !self.has_counts();
                let is_answers = !is_part && ANSWERS.iter().any(|prefix| value.starts_with(prefix));
                if is_answers && (self.id != value || self.has_counts()) {
                    *self = Self { id: value.to_owned(), ..Self::default() };
                }
                return Ok(false);
            }
            "model" => {
                if self.has_counts() {
                    *self = Self::default();
                }
                value.clone_into(&mut self.model);
                return Ok(false);
            }
            "created" | "created_at" => {
                self.created = value.parse().unwrap_or(self.created);
                return Ok(false);
            }
            "prompt_tokens" | "input_tokens" => {
                let prompt = count("prompt_tokens")?;
                // The counts of an answer grow, but its prompt stays the same.
                if self.prompt.is_some_and(|known| known > 0 && known != prompt) {
                    *self = Self::default();
                }
                self.prompt = Some(prompt);
            }
            "completion_tokens" | "output_tokens" => self.output = Some(count("completion_tokens")?),
            "cached_tokens" | "cache_read_input_tokens" => self.cached = count("cached_tokens")?,
            "cache_creation_input_tokens" => self.written = count("cache_creation_input_tokens")?,
            "reasoning_tokens" => self.reasoning = count("reasoning_tokens")?,
            _ => self.total = count("total_tokens")?,
        }
        Ok(true)
    }

    fn has_counts(&self) -> bool {
        self.prompt.is_some() || self.output.is_some()
    }
}

impl Log {
    /// The answer, once its id, its prompt and its output are known.
    fn call(&mut self, origin: &Origin) -> Option<Call> {
        let answer = &self.answer;
        let is_message = answer.id.starts_with(MESSAGE);
        let (input, prompt) = if is_message { (answer.prompt, None) } else { (None, answer.prompt) };
        input.or(prompt)?;
        let counts = Counts {
            input,
            prompt,
            output: Some(answer.output?),
            total: Some(answer.total).filter(|total| *total > 0),
            cache_read: answer.cached,
            cache_write_5m: answer.written,
            reasoning: answer.reasoning,
            ..Counts::default()
        };
        let (tokens, is_guessed) = counts.split();
        if tokens.is_zero() || answer.id.is_empty() {
            return None;
        }
        let key = answer_key(&answer.id)
            .unwrap_or_else(|| CallKey::from_parts(&[NAME, &answer.id, &answer.created.to_string()]));
        let model = self.author.label(Some(&answer.model));
        let from = self.author.attribution(time::epoch(answer.created), None, None, origin);
        let fidelity = if is_guessed || model.is_none() { Fidelity::Guessed } else { Fidelity::Final };
        Some(Call { fidelity, ..Call::new(key, from, model, tokens) })
    }
}

/// The known names in a line with their values, in order. Names inside a string are preceded by a backslash.
fn values(line: &[u8]) -> Vec<(&'static str, &str)> {
    let mut found: Vec<(usize, &'static str, &str)> = Vec::new();
    for field in FIELDS {
        let name = format!("\"{field}\"");
        for place in memmem::find_iter(line, &name) {
            if place > 0 && line[place - 1] == b'\\' {
                continue;
            }
            let rest = line[place + name.len()..].trim_ascii_start();
            let Some(rest) = rest.strip_prefix(b":").map(<[u8]>::trim_ascii_start) else { continue };
            let value = match rest.strip_prefix(b"\"") {
                Some(text) => text.split(|byte| *byte == b'"').next().unwrap_or_default(),
                None => &rest[..rest.iter().take_while(|byte| byte.is_ascii_digit()).count()],
            };
            if let Ok(value) = std::str::from_utf8(value)
                && !value.is_empty()
            {
                found.push((place, field, value));
            }
        }
    }
    sort_by_key(&mut found, |(place, ..)| *place);
    found.into_iter().map(|(_, field, value)| (field, value)).collect()
}
