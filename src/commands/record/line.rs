//! Builds lines of the usage log from flags or JSON. A line contains the call and nothing else from the input, which
//! may be a whole model response. Each line is parsed again before it is sent, to make sure that it is readable.

use serde_json::value::RawValue;

use crate::cli::RecordArgs;
use crate::commands::{Exit, Failure};
use crate::config::Settings;
use crate::domain::{Call, Instant, Label, Record, rfc3339};
use crate::formats::{self, Decoder, Origin, Outcome};

/// A line of the usage log, and the call that it encodes.
#[derive(Clone, Debug)]
pub(super) struct Line {
    /// The line, without line end.
    pub(super) text: String,
    pub(super) call: Call,
}

/// Calls parsed from an input.
struct Input {
    calls: Vec<Call>,
    /// True if the input had no readable time and the current time was added.
    added_time: bool,
}

impl Line {
    /// Builds the line for these flags; `None` if no flag describes a call.
    pub(super) fn of_flags(args: &RecordArgs, settings: &Settings, now: Instant) -> Result<Option<Vec<Self>>, Failure> {
        let Some(text) = super::flags::text_of(args)? else { return Ok(None) };
        let input = complete(&text, settings, now).map_err(|why| Failure::new(Exit::Usage, why))?;
        if args.at.is_some() && input.added_time {
            let at = Label::new(args.at.as_deref().unwrap_or_default());
            return Err(Failure::new(Exit::Usage, format!("--at '{at}' is not a time; write 2026-11-22T14:02:00Z")));
        }
        encode(input, &text).map(Some).map_err(|why| Failure::new(Exit::Usage, why))
    }

    /// Builds the lines for JSON input: one or several values, each on one line or spread over several.
    pub(super) fn of_json(bytes: &[u8], settings: &Settings, now: Instant) -> Result<Vec<Self>, Failure> {
        let wrong =
            |number: usize, why: &str| Failure::new(Exit::NoInput, format!("standard input, value {number}: {why}"));
        let mut lines = Vec::new();
        for (at, value) in serde_json::Deserializer::from_slice(bytes).into_iter::<Box<RawValue>>().enumerate() {
            let value = value.map_err(|error| wrong(at + 1, &format!("not JSON: {error}")))?;
            // JSON strings cannot contain raw line breaks, so these are white space between tokens.
            let text = value.get().replace(['\n', '\r'], " ");
            if !text.starts_with('{') {
                return Err(wrong(at + 1, "not an object"));
            }
            let input = complete(&text, settings, now).and_then(|input| encode(input, &text));
            lines.extend(input.map_err(|why| wrong(at + 1, &why))?);
        }
        if lines.is_empty() {
            return Err(Failure::new(Exit::NoInput, "nothing on standard input; give JSON, or flags such as --model"));
        }
        Ok(lines)
    }
}

/// Placeholder time for a line without one.
const UNKNOWN: Instant = Instant::MIN_UTC;

/// Encodes an input's calls as lines.
fn encode(input: Input, text: &str) -> Result<Vec<Line>, String> {
    let id = id_of(text).filter(|_| input.calls.len() == 1);
    let keep = |call: Call| {
        let text = formats::kept_line(&call, id.as_deref(), None);
        match read(&text)?.as_slice() {
            [again] if (again.key, again.tokens) == (call.key, call.tokens) => Ok(Line { text, call }),
            _ => Err("its counts are too large to be kept".to_owned()),
        }
    };
    input.calls.into_iter().map(keep).collect()
}

/// The input's `id`, if it contains no white space.
fn id_of(text: &str) -> Option<String> {
    #[derive(serde::Deserialize)]
    struct Named {
        id: Option<String>,
    }
    let id = serde_json::from_str::<Named>(text).ok()?.id?;
    (id.len() <= 128 && !id.is_empty() && id.bytes().all(|byte| byte.is_ascii_graphic())).then_some(id)
}

/// Adds time and user if the input has none, and checks that the result can be counted.
fn complete(text: &str, settings: &Settings, now: Instant) -> Result<Input, String> {
    let calls = read(text)?;
    let mut added = String::new();
    let added_time = calls.iter().any(|call| call.at() == UNKNOWN);
    if added_time {
        added = format!("\"at\":\"{}\",", rfc3339(now));
    }
    if calls.iter().any(|call| call.from.user.is_none()) {
        let user = serde_json::to_string(&settings.user).map_err(|error| error.to_string())?;
        added.push_str(&["\"user\":", &user, ","].concat());
    }
    if added.is_empty() {
        return Ok(Input { calls, added_time });
    }
    let text = format!("{{{added}{}", &text[1..]);
    let mut calls = read(&text)?;
    // Formats that have no fields for time and user get both here.
    for call in &mut calls {
        if call.at() == UNKNOWN {
            call.from.at = now;
        }
        call.from.user.get_or_insert_with(|| settings.user.clone());
    }
    Ok(Input { calls, added_time })
}

fn read(text: &str) -> Result<Vec<Call>, String> {
    let origin = Origin { path: Label::new("record"), offset: 0, modified: UNKNOWN };
    let mut records = Vec::new();
    if let Outcome::Bad(why) = Decoder::new(&[]).line(text.as_bytes(), &origin, &mut records) {
        return Err(why.to_string());
    }
    let call = |record| if let Record::Call(call) = record { Some(call) } else { None };
    let calls: Vec<Call> = records.into_iter().filter_map(call).collect();
    if calls.is_empty() {
        return Err("no usage in it; give input_tokens and output_tokens, or a usage object".to_owned());
    }
    Ok(calls)
}
