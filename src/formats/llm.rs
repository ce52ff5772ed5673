//! The logs of Simon Willison's `llm`: `logs.db` in its user folder.
//!
//! Verified with 0.36 against a service with a known bill (2026-11-26). The table `turns` has one row per answer and
//! equals the bill; older versions used `responses`, which now stays empty. Rows are never changed. Input includes
//! cached tokens, and `token_details` gives them under the names of OpenAI or Anthropic. `model` is the user's alias;
//! `resolved_model`, or the model in the stored answer, is the real name. Only that name and the id are read from the
//! answer. A thread is a session.

use super::author::Author;
use super::count::Count;
use super::fields::fields;
use super::json;
use super::keys::answer_key;
use super::rows::at;
use super::split::Counts;
use super::{BadLine, Env, Format, Framing, Location, Origin, Reader, Reading, RowQuery, Schema, Value};
use crate::domain::{Call, CallKey, Fidelity, Record};

/// The logs of `llm`.
pub(super) struct Llm;

const NAME: &str = "llm";
/// The tables that contain answers, and the column that identifies the conversation.
const TABLES: [(&str, &str); 2] = [("turns", "thread_id"), ("responses", "conversation_id")];

impl Format for Llm {
    fn name(&self) -> &'static str {
        NAME
    }
    fn gaps(&self) -> &'static str {
        "prompts made with logging off (--no-log, llm logs off)"
    }
    /// The folder for application settings, by each system's conventions.
    fn locations(&self, env: &Env<'_>) -> Vec<Location> {
        let usual = env.program_config().map(|config| config.join("io.datasette.llm"));
        env.path("LLM_USER_PATH").or(usual).into_iter().map(Location::flat).collect()
    }
    fn framing(&self, name: &[u8]) -> Option<Framing> {
        (name == b"logs.db").then_some(Framing::Sqlite)
    }
    fn queries(&self, schema: &Schema) -> Option<Vec<RowQuery>> {
        let known =
            |(table, _): &&(&'static str, &str)| schema.has(table, &["id", "model", "input_tokens", "output_tokens"]);
        let query = |(table, session): &(&'static str, &str)| {
            let columns = ["id", session, "model", "resolved_model", "input_tokens", "output_tokens", "token_details"];
            let columns = columns.map(|column| schema.column(table, column)).join(", ");
            let [at, took, answer] =
                ["datetime_utc", "duration_ms", "response_json"].map(|column| schema.column(table, column));
            let part =
                |name: &str| format!("CASE WHEN json_valid({answer}) THEN json_extract({answer}, '$.{name}') END");
            let (model, id) = (part("model"), part("id"));
            RowQuery {
                table,
                sql: format!(
                    "SELECT rowid, NULL, {columns}, {at}, {took}, {model}, {id} FROM {table} WHERE rowid > ?1"
                ),
            }
        };
        let queries: Vec<RowQuery> = TABLES.iter().filter(known).map(query).collect();
        (!queries.is_empty()).then_some(queries)
    }
    fn reader(&self) -> Box<dyn Reader> {
        Box::new(Turns(Author::new(NAME)))
    }
}

fields! {
    /// The column `token_details`.
    Details {
        prompt: PromptDetails<'a> = "prompt_tokens_details" | "input_tokens_details",
        output: OutputDetails<'a> = "completion_tokens_details" | "output_tokens_details",
        cache_read: Count = "cache_read_input_tokens",
        cache_write: Count = "cache_creation_input_tokens",
        gemini_cached: Count = "cachedContentTokenCount",
        gemini_thoughts: Count = "thoughtsTokenCount",
    }
}

fields! {
    /// Details of the input.
    PromptDetails {
        cached: Count = "cached_tokens",
    }
}

fields! {
    OutputDetails {
        reasoning: Count = "reasoning_tokens",
    }
}

struct Turns(Author);

impl Reader for Turns {
    fn row(
        &mut self,
        _query: usize,
        row: &[Value<'_>],
        origin: &Origin,
        out: &mut Vec<Record>,
    ) -> Result<Reading, BadLine> {
        let Some(id) = at(row, 2).text() else { return Ok(Reading::NotMine) };
        let details: Details<'_> =
            at(row, 8).text().and_then(|text| json::parse(text.as_bytes()).ok()).unwrap_or_default();
        let (input, stated) = (at(row, 6).count().tokens("input_tokens")?, at(row, 7).count().tokens("output_tokens")?);
        let cached = |count: &Count| count.tokens("token_details");
        let beside = cached(&details.cache_read)?;
        let thoughts = cached(&details.gemini_thoughts)?;
        let inside = cached(&details.prompt.cached)? + cached(&details.gemini_cached)?;
        let counts = Counts {
            // Anthropic's counts exclude the cache, others include it.
            prompt: (beside == 0).then_some(input),
            input: (beside > 0).then_some(input),
            output: Some(stated + thoughts),
            cache_read: inside + beside,
            cache_write_5m: cached(&details.cache_write)?,
            reasoning: cached(&details.output.reasoning)? + thoughts,
            ..Counts::default()
        };
        let (tokens, is_guessed) = counts.split();
        if tokens.is_zero() {
            return Ok(Reading::Mine);
        }
        let from = self.0.attribution(at(row, 9).time(), at(row, 3).text(), None, origin);
        let name = [5, 11, 4].into_iter().find_map(|place| at(row, place).text());
        let model = self.0.label(name);
        let latency = at(row, 10).integer().and_then(|ms| u64::try_from(ms).ok()).map(std::time::Duration::from_millis);
        let key = at(row, 12).text().and_then(answer_key).unwrap_or_else(|| CallKey::from_parts(&[NAME, id]));
        let fidelity = if is_guessed || model.is_none() { Fidelity::Guessed } else { Fidelity::Final };
        out.push(Record::Call(Call { latency, fidelity, ..Call::new(key, from, model, tokens) }));
        Ok(Reading::Mine)
    }
}
