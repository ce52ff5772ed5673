//! Antigravity's conversations: `conversations/<uuid>.db` in `~/.gemini/antigravity`, `-cli` and `-ide`.
//!
//! The schema is not public. The protobuf field numbers in `gen_metadata` are those on which the readers of tokscale
//! (commit 0279552) and ccusage agree, where they were checked against 140 answers (read 2026-11-26). A row is one
//! answer. Field 1 contains the model (19, or the display name, 21), the time (9.4) and the counts (4): 1 system
//! prompt, 2 new input, 5 cache reads, 9 output without thoughts, 10 thoughts, 3 both, and 11 the answer's id. Versions
//! from 1.1.18 on have no readable time, so such an answer gets its conversation's date. Older conversations (`.pb`)
//! are encrypted.

use std::borrow::Cow;

use super::file_uri::path_of_uri;
use super::row_calls::{self, RowCall};
use super::rows::at;
use super::{BadLine, Env, Format, Framing, Location, Origin, Reader, RowQuery, Schema, Value, protobuf};
use crate::domain::{CallKey, Fidelity, Instant, Tokens};

/// Antigravity's conversations.
pub(super) struct Antigravity;

const NAME: &str = "antigravity";
/// Name of the service that chose a model, not of the model.
const ROUTER: &str = "gemini-default";

impl Format for Antigravity {
    fn name(&self) -> &'static str {
        NAME
    }
    fn gaps(&self) -> &'static str {
        "encrypted conversations (.pb), and times from 1.1.18 on"
    }
    fn locations(&self, env: &Env<'_>) -> Vec<Location> {
        let folders = ["antigravity", "antigravity-cli", "antigravity-ide"];
        let homes = folders.iter().filter_map(|name| env.home(&format!(".gemini/{name}/conversations")));
        homes.map(Location::flat).collect()
    }
    /// A conversation is named by its id.
    fn framing(&self, name: &[u8]) -> Option<Framing> {
        let id = name.strip_suffix(b".db")?;
        let is_id = id.len() == 36 && id.iter().all(|byte| byte.is_ascii_hexdigit() || *byte == b'-');
        is_id.then_some(Framing::Sqlite)
    }
    fn queries(&self, schema: &Schema) -> Option<Vec<RowQuery>> {
        if !schema.has("gen_metadata", &["idx", "data"]) {
            return None;
        }
        let about = if schema.has("trajectory_metadata_blob", &["data"]) {
            "(SELECT trajectory_metadata_blob.data FROM trajectory_metadata_blob LIMIT 1)"
        } else {
            "NULL"
        };
        // The latest answers may still be incomplete.
        let sql = format!(
            "SELECT gen_metadata.rowid, NULL, gen_metadata.idx, gen_metadata.data, {about} FROM gen_metadata \
             WHERE gen_metadata.rowid > ?1 - 8"
        );
        Some(vec![RowQuery { table: "gen_metadata", sql }])
    }
    fn reader(&self) -> Box<dyn Reader> {
        row_calls::reader(NAME, answer)
    }
}

fn answer<'a>(_query: usize, row: &[Value<'a>], origin: &Origin) -> Result<Option<RowCall<'a>>, BadLine> {
    let Some(data) = at(row, 3).bytes() else { return Ok(None) };
    if !protobuf::is_whole(data) {
        return Err(BadLine::NotJson("nor the protobuf message that it should be".to_owned()));
    }
    let Some(model) = protobuf::bytes(data, 1) else { return Ok(None) };
    let Some(usage) = protobuf::bytes(model, 4) else { return Ok(None) };
    let count = |number: u64, name: &'static str| -> Result<u64, BadLine> {
        let count = protobuf::number(usage, number).unwrap_or_default();
        super::count::Count::Whole(count).tokens(name)
    };
    let (stated, thoughts) = (count(9, "output")?, count(10, "thoughts")?);
    let output = count(3, "output with thoughts")?.max(stated + thoughts);
    let tokens = Tokens {
        input: count(1, "system prompt")? + count(2, "input")?,
        cache_read: count(5, "cached input")?,
        cache_write_5m: 0,
        cache_write_1h: 0,
        output,
        reasoning: thoughts.min(output),
    };
    let session = origin.stem();
    let key = match protobuf::text(usage, 11) {
        Some(id) => CallKey::from_parts(&[NAME, "answer", id]),
        None => {
            let place = at(row, 2).integer().unwrap_or_default().to_string();
            CallKey::from_parts(&[NAME, "place", session, &place])
        }
    };
    let stamped = |message: Option<&[u8]>| message.and_then(time);
    let about = at(row, 4).bytes();
    let project = about.and_then(|about| protobuf::text(protobuf::bytes(about, 1)?, 1));
    let id = protobuf::text(model, 19).filter(|id| *id != ROUTER);
    Ok(Some(RowCall {
        at: stamped(protobuf::bytes(model, 9).and_then(|times| protobuf::bytes(times, 4)))
            .or_else(|| stamped(about.and_then(|about| protobuf::bytes(about, 2)))),
        model: id.map(Cow::Borrowed).or_else(|| protobuf::text(model, 21).map(displayed)),
        session: Some(Cow::Owned(session.to_owned())),
        project: project.map(|uri| path_of_uri(uri).map_or(Cow::Borrowed(uri), Cow::Owned)),
        fidelity: if id.is_some() { Fidelity::Final } else { Fidelity::Guessed },
        ..RowCall::new(key, tokens)
    }))
}

/// A time in seconds (1) and nanoseconds (2).
fn time(message: &[u8]) -> Option<Instant> {
    let seconds = i64::try_from(protobuf::number(message, 1)?).ok().filter(|seconds| *seconds > 0)?;
    let nanos = u32::try_from(protobuf::number(message, 2).unwrap_or_default()).ok()?;
    Instant::from_timestamp(seconds, nanos.min(999_999_999))
}

/// The id suggested by a display name: `Gemini 3.6 Flash (High)` is a `gemini-3.6-flash`.
fn displayed(name: &str) -> Cow<'_, str> {
    let name = name.split('(').next().unwrap_or(name).trim();
    Cow::Owned(name.to_ascii_lowercase().replace(' ', "-"))
}
