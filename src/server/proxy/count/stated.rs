//! The counts that a response states, as the log formats read them, and an estimate of those that it does not.

mod completed;

use std::sync::LazyLock;

use serde_json::{Value, json};

use super::{About, SOURCE};
use crate::domain::{Attribution, Call, Fidelity, Label, Record, Tokens};
use crate::formats::{Decoder, FormatId, Origin};
use crate::server::proxy::admission::Protocol;
use crate::server::proxy::facts::tokens_of;
use crate::server::proxy::response_reader::Seen;

/// The formats of both APIs' responses.
static FORMATS: LazyLock<[Option<FormatId>; 2]> = LazyLock::new(|| ["anthropic", "openai"].map(FormatId::of_name));

/// The calls reported by the response: its own, and anything charged on top of it.
pub(super) fn calls(seen: &Seen, about: &About) -> Vec<Call> {
    if is_nothing(seen) {
        return Vec::new();
    }
    let begin =
        seen.first.iter().filter(|first| about.protocol == Protocol::Messages && seen.usage.front() != Some(*first));
    let (calls, read) = decoded(about, begin.chain(&seen.usage).map(Vec::as_slice));
    let has_model = calls.first().is_some_and(|call| call.model.is_some());
    let is_read = read >= seen.usage.len() && (has_model || seen.usage.is_empty());
    if is_read && seen.unusual_usage.is_none() {
        return calls;
    }
    // Some services leave out what logs need in order to recognise a format, but the proxy knows the API.
    let documents = completed::documents(seen, about);
    let (more, _) = decoded(about, documents.iter().map(Vec::as_slice));
    if more.is_empty() { calls } else { more }
}

/// Decodes documents of this API, and counts those that report the response's own call. That is the first call in each:
/// whatever ids they have, they are about the same one, and the last one knows most.
fn decoded<'a>(about: &About, documents: impl Iterator<Item = &'a [u8]>) -> (Vec<Call>, usize) {
    let [anthropic, openai] = *FORMATS;
    let Some(format) = (if about.protocol == Protocol::Messages { anthropic } else { openai }) else {
        return (Vec::new(), 0);
    };
    let mut decoder = Decoder::only(format);
    let origin = Origin { path: Label::new(SOURCE), offset: 0, modified: about.at };
    let (mut calls, mut records, mut read): (Vec<Call>, _, _) = (Vec::new(), Vec::new(), 0);
    for document in documents {
        // Anything that cannot be counted is estimated.
        let _ = decoder.line(document, &origin, &mut records);
        let mut found =
            records.drain(..).filter_map(|record| if let Record::Call(call) = record { Some(call) } else { None });
        let Some(own) = found.next() else { continue };
        read += 1;
        match calls.first_mut() {
            None => calls.push(own),
            // A refusal is free whatever comes after it.
            Some(known) if known.is_refused() => {}
            Some(known) => *known = Call { key: known.key, ..own },
        }
        for other in found {
            match calls[1..].iter_mut().find(|known| known.key == other.key) {
                Some(known) => *known = known.clone().join(other),
                None => calls.push(other),
            }
        }
    }
    (calls, read)
}

/// The estimated tokens of a call.
fn estimate(seen: &Seen, about: &About) -> Tokens {
    let input = about.facts.input(about.bytes);
    // A log without tokens reports no call, but what is fetched may be one. Its estimate is never booked.
    let input = if about.is_fetch { input.max(1) } else { input };
    Tokens { input, output: tokens_of(seen.text), ..Tokens::ZERO }
}

/// The estimate of a call without a response, as a reader of logs would read it. Each call is noted like this before it
/// is sent, for which a reader would take twice as long.
fn unanswered(seen: &Seen, about: &About) -> Option<Call> {
    let tokens = estimate(seen, about);
    let model = about.facts.model.as_deref().filter(|model| !model.is_empty()).map(Label::new);
    let from = Attribution::new(about.at, Label::new(SOURCE));
    let call = Call { fidelity: Fidelity::Guessed, ..Call::new(about.own_key(), from, model, tokens) };
    (!tokens.is_zero()).then_some(call)
}

/// True if nothing has been kept of the response.
fn is_nothing(seen: &Seen) -> bool {
    seen.first.is_none() && seen.usage.is_empty() && seen.unusual_usage.is_none()
}

/// A call whose counts are estimated.
pub(super) fn estimated(seen: &Seen, about: &About) -> Vec<Call> {
    if is_nothing(seen) {
        return unanswered(seen, about).into_iter().collect();
    }
    read_estimate(seen, about)
}

/// The estimate of a call, read from a log's line that states it.
fn read_estimate(seen: &Seen, about: &About) -> Vec<Call> {
    let first: Value = seen.first.as_deref().and_then(|first| serde_json::from_slice(first).ok()).unwrap_or_default();
    let named = ["response", "message"].iter().find_map(|name| first.get(name)).unwrap_or(&first);
    let field = |name: &str| named.get(name).cloned().unwrap_or_default();
    let model = named.get("model").and_then(Value::as_str).or(about.facts.model.as_deref()).unwrap_or_default();
    let Tokens { input, output, .. } = estimate(seen, about);
    let line = match about.protocol {
        Protocol::Messages => json!({
            "type": "message", "role": "assistant", "id": field("id"), "model": model,
            "usage": {"input_tokens": input, "output_tokens": output},
        }),
        Protocol::Responses => json!({
            "object": "response", "id": field("id"), "created_at": field("created_at"), "model": model,
            "usage": {"input_tokens": input, "output_tokens": output, "total_tokens": input + output},
        }),
        Protocol::Chat | Protocol::Embeddings => json!({
            "object": "chat.completion", "id": field("id"), "created": field("created"), "model": model,
            "usage": {"prompt_tokens": input, "completion_tokens": output},
        }),
    };
    let (mut calls, _) = decoded(about, std::iter::once(line.to_string().as_bytes()));
    // A response in the background is made after this answer, which is no stream.
    let is_to_come = matches!(first.get("status").and_then(Value::as_str), Some("queued" | "in_progress"));
    for call in &mut calls {
        call.fidelity = if is_to_come && seen.is_whole { Fidelity::LowerBound } else { Fidelity::Guessed };
    }
    calls
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::server::proxy::count::tests::about;

    #[test]
    fn a_call_without_a_response_is_estimated_as_a_reader_of_logs_would() {
        let models = [None, Some(""), Some("gpt-4o"), Some("claude-opus-4-5"), Some("Prod-\u{202e}x")];
        for protocol in [Protocol::Chat, Protocol::Responses, Protocol::Embeddings, Protocol::Messages] {
            for (model, bytes, text, is_fetch) in models.into_iter().flat_map(|model| {
                [(model, 0, 0, false), (model, 0, 0, true), (model, 1000, 0, false), (model, 1000, 40, false)]
            }) {
                let mut about = About { bytes, is_fetch, ..about(protocol) };
                about.facts.model = model.map(str::to_owned);
                about.facts.text = 0;
                let seen = Seen { text, ..Seen::default() };
                let as_attributed = |calls: Vec<Call>| -> Vec<Call> {
                    let from = Attribution::new(about.at, Label::new(SOURCE));
                    calls.into_iter().map(|call| Call { key: about.own_key(), from: from.clone(), ..call }).collect()
                };
                let (read, built) = (read_estimate(&seen, &about), estimated(&seen, &about));
                assert_eq!(as_attributed(read), as_attributed(built), "{protocol:?} {model:?} {bytes} {text}");
            }
        }
    }
}
