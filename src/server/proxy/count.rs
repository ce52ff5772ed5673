//! Turns the parts of a response into calls to book: counted in the same way as in logs, or estimated if the response
//! does not give the counts.

use std::time::Duration;

use serde_json::{Value, json};

use super::admission::{Defaults, Protocol, Who};
use super::facts::{Facts, tokens_of};
use super::meter::Seen;
use crate::domain::{Attribution, Call, CallKey, Claim, Fidelity, Instant, Label, Place, Record};
use crate::formats::keys::{answer_key, codex_key, request_key};
use crate::formats::{Decoder, Origin};

/// Source name of the proxy's calls.
pub(super) const SOURCE: &str = "proxy";

/// Facts about a call other than its response.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct About {
    /// Its API.
    pub(super) protocol: Protocol,
    /// Our own id for it.
    pub(super) id: String,
    /// Time at which the request arrived.
    pub(super) at: Instant,
    /// Time until the end of the response.
    pub(super) latency: Duration,
    /// The caller, according to headers and key.
    pub(super) who: Who,
    /// Facts from the body.
    pub(super) facts: Facts,
    /// Bytes of the body.
    pub(super) bytes: u64,
    /// The key by which a client identifies a call that it may repeat.
    pub(super) idempotency: Option<String>,
    /// The vendor's id of the request, which no other call has.
    pub(super) request: Option<String>,
    /// User, team and organisation for calls that give none.
    pub(super) defaults: Defaults,
    /// True if the caller is Codex, which logs the call under the response's id.
    pub(super) is_codex: bool,
    /// True if it only fetches a response, whose usage counts if it was made in the background.
    pub(super) is_fetch: bool,
}

impl About {
    /// Key shared by all attempts that a client gives the same name.
    pub(super) fn repeat_key(&self) -> Option<CallKey> {
        // Another user with the same name is making a different call.
        let user = self.who.user.as_deref().unwrap_or_default();
        self.idempotency.as_ref().map(|key| CallKey::from_parts(&["idempotency", user, key]))
    }

    /// Key for a response without an id.
    fn own_key(&self) -> CallKey {
        let named = self.repeat_key().or_else(|| self.request.as_deref().map(request_key));
        named.unwrap_or_else(|| CallKey::from_parts(&[SOURCE, &self.id]))
    }
}

/// The calls of a response: none if nothing was charged, otherwise the call and anything charged on top of it.
pub(super) fn calls(seen: &Seen, about: &About) -> Vec<Call> {
    if about.is_fetch && !was_in_background(seen) {
        return Vec::new();
    }
    let mut calls = stated(seen, about);
    let has_counts = calls.iter().any(|call| !call.tokens.is_zero() || call.is_refused());
    if !has_counts {
        if about.is_fetch {
            return Vec::new();
        }
        // A failure before any text costs nothing.
        if seen.is_failed && seen.text == 0 {
            return Vec::new();
        }
        calls = estimated(seen, about);
    } else if !seen.is_whole {
        complete(&mut calls, seen, about.protocol);
    } else if seen.is_cut && about.protocol == Protocol::Responses {
        // Searches are charged by the item.
        for call in calls.iter_mut().filter(|call| call.fidelity == Fidelity::Final) {
            call.fidelity = Fidelity::LowerBound;
        }
    }
    let id = answer_id(seen);
    for (place, call) in calls.iter_mut().enumerate() {
        attribute(call, about);
        match &id {
            None if place == 0 => call.key = about.own_key(),
            // An id that another service may reuse identifies a response only within a family of sessions.
            Some(id) if place == 0 && about.is_codex && answer_key(id).is_none() && call.from.session.is_some() => {
                call.key = codex_key(id);
                call.lineage.clone_from(&call.from.session);
            }
            None | Some(_) => {}
        }
        call.alias = about.repeat_key().or_else(|| about.request.as_deref().map(request_key));
    }
    calls
}

/// The calls reported by the response, as the log formats read them.
fn stated(seen: &Seen, about: &About) -> Vec<Call> {
    let begin =
        seen.first.iter().filter(|first| about.protocol == Protocol::Messages && seen.usage.front() != Some(*first));
    decoded(about, begin.chain(&seen.usage).map(Vec::as_slice))
}

/// Decodes documents of this API. Sightings of one call become one.
fn decoded<'a>(about: &About, documents: impl Iterator<Item = &'a [u8]>) -> Vec<Call> {
    let name = if about.protocol == Protocol::Messages { "anthropic" } else { "openai" };
    let mut decoder = Decoder::new(&[name]);
    let mut records = Vec::new();
    let origin = Origin { path: Label::new(SOURCE), offset: 0, modified: about.at };
    for document in documents {
        // Anything that cannot be counted is estimated.
        let _ = decoder.line(document, &origin, &mut records);
    }
    let mut calls: Vec<Call> = Vec::new();
    for record in records {
        let Record::Call(call) = record else { continue };
        match calls.iter_mut().find(|known| known.key == call.key) {
            Some(known) => *known = known.clone().join(call),
            None => calls.push(call),
        }
    }
    calls
}

/// Adds an estimate of the text written after the last count, for a response that was cut off.
fn complete(calls: &mut [Call], seen: &Seen, protocol: Protocol) {
    let Some(call) = calls.first_mut().filter(|call| !call.is_refused()) else { return };
    let written = tokens_of(seen.text);
    let is_preliminary = call.fidelity == Fidelity::LowerBound;
    if is_preliminary || written > call.tokens.output.saturating_mul(2) {
        call.tokens.output = call.tokens.output.max(written);
        call.fidelity = Fidelity::Guessed;
    } else if protocol == Protocol::Chat && seen.usage.len() > 1 && call.fidelity == Fidelity::Final {
        // These counts grow with the stream.
        call.fidelity = Fidelity::LowerBound;
    }
}

/// A call whose counts are estimated.
fn estimated(seen: &Seen, about: &About) -> Vec<Call> {
    let first: Value = seen.first.as_deref().and_then(|first| serde_json::from_slice(first).ok()).unwrap_or_default();
    let named = ["response", "message"].iter().find_map(|name| first.get(name)).unwrap_or(&first);
    let field = |name: &str| named.get(name).cloned().unwrap_or_default();
    let model = named.get("model").and_then(Value::as_str).or(about.facts.model.as_deref()).unwrap_or_default();
    let (input, output) = (about.facts.input(about.bytes), tokens_of(seen.text));
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
    let mut calls = decoded(about, std::iter::once(line.to_string().as_bytes()));
    // A response in the background is made after this answer, which is no stream.
    let is_to_come = matches!(first.get("status").and_then(Value::as_str), Some("queued" | "in_progress"));
    for call in &mut calls {
        call.fidelity = if is_to_come && seen.is_whole { Fidelity::LowerBound } else { Fidelity::Guessed };
    }
    calls
}

/// True if the response says that it was made in the background.
fn was_in_background(seen: &Seen) -> bool {
    let documents = seen.usage.iter().chain(&seen.first);
    documents.filter_map(|document| serde_json::from_slice::<Value>(document).ok()).any(|document| {
        [document.get("response"), Some(&document)].into_iter().flatten().any(|of| of["background"] == true)
    })
}

/// The id of the response.
fn answer_id(seen: &Seen) -> Option<String> {
    let documents = seen.first.iter().chain(&seen.usage);
    documents.filter_map(|document| serde_json::from_slice::<Value>(document).ok()).find_map(|document| {
        let within = ["response", "message"].iter().filter_map(|name| document.get(name)?.get("id"));
        let mut ids = within.chain(document.get("id")).filter_map(Value::as_str);
        ids.find(|id| !id.is_empty()).map(str::to_owned)
    })
}

fn attribute(call: &mut Call, about: &About) {
    let (who, body) = (&about.who, &about.facts.who);
    let pick = |header: &Option<Label>, body: &Option<Label>, own: Option<Label>| {
        header.clone().or_else(|| body.clone()).or(own)
    };
    let from = std::mem::replace(&mut call.from, Attribution::new(about.at, Label::new(SOURCE)));
    // A transcript knows more about the session, but not whose key was used.
    let is_named = who.user.is_some() || who.team.is_some();
    call.from = Attribution {
        user: pick(&who.user, &body.user, from.user).or_else(|| Some(about.defaults.user.clone())),
        team: pick(&who.team, &body.team, from.team).or_else(|| about.defaults.team.clone()),
        org: from.org.or_else(|| about.defaults.org.clone()),
        session: pick(&who.session, &body.session, from.session),
        agent: pick(&who.agent, &body.agent, from.agent),
        project: pick(&who.project, &body.project, from.project),
        feature: pick(&who.feature, &body.feature, from.feature),
        place: Some(Place { path: Label::new(&format!("{SOURCE} {}", about.id)), offset: 0 }),
        claim: if is_named { Claim::Own } else { Claim::Maker },
        ..Attribution::new(about.at, Label::new(SOURCE))
    };
    if call.model.is_none() {
        call.model = about.facts.model.as_deref().map(Label::new);
    }
    call.latency = Some(about.latency);
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;

    use super::*;

    fn about(protocol: Protocol) -> About {
        About {
            protocol,
            id: "c1".to_owned(),
            at: Instant::from_timestamp(1_795_730_000, 0).unwrap(),
            latency: Duration::from_millis(20),
            who: Who::default(),
            facts: Facts { model: Some("asked".to_owned()), text: 400, ..Facts::default() },
            bytes: 1000,
            idempotency: None,
            request: None,
            defaults: Defaults {
                user: Label::new("alice"),
                team: Some(Label::new("web")),
                org: Some(Label::new("acme")),
            },
            is_codex: false,
            is_fetch: false,
        }
    }

    fn seen(first: &str, usage: &[&str], text: u64, is_whole: bool) -> Seen {
        let bytes = |text: &str| text.as_bytes().to_vec();
        Seen {
            first: Some(bytes(first)),
            usage: usage.iter().map(|text| bytes(text)).collect::<VecDeque<_>>(),
            text,
            is_whole,
            is_begun: true,
            ..Seen::default()
        }
    }

    const ID: &str = "chatcmpl-0123456789abcdef";

    #[test]
    fn a_call_has_the_key_that_logs_of_the_same_answer_have() {
        let body = format!(
            r#"{{"id":"{ID}","object":"chat.completion","model":"gpt-5","choices":[],"usage":{{"prompt_tokens":9,"completion_tokens":3}}}}"#
        );
        let found = calls(&seen(&body, &[&body], 0, true), &about(Protocol::Chat));
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].key, crate::formats::keys::response_key(ID));
        assert_eq!((found[0].tokens.input, found[0].tokens.output, found[0].fidelity), (9, 3, Fidelity::Final));
        let from = &found[0].from;
        let names = [&from.user, &from.team, &from.org].map(|name| name.as_ref().map_or("", Label::as_str));
        assert_eq!(names, ["alice", "web", "acme"]);
    }

    #[test]
    fn without_usage_the_counts_are_estimated_and_marked() {
        let chunk = format!(r#"{{"id":"{ID}","object":"chat.completion.chunk","model":"gpt-5","choices":[]}}"#);
        for usage in [vec![], vec![r#"{"choices":[],"model":"x","usage":{"prompt_tokens":-4,"completion_tokens":1}}"#]]
        {
            let found = calls(&seen(&chunk, &usage, 80, true), &about(Protocol::Chat));
            assert_eq!((found[0].tokens.input, found[0].tokens.output), (100, 20));
            assert_eq!((found[0].fidelity, found[0].key), (Fidelity::Guessed, crate::formats::keys::response_key(ID)));
        }
    }

    #[test]
    fn a_message_that_is_cut_off_has_its_input_and_an_estimate_of_what_was_written() {
        let start = r#"{"type":"message_start","message":{"id":"msg_1","type":"message","role":"assistant","model":"claude-opus-5","usage":{"input_tokens":50,"cache_read_input_tokens":0,"output_tokens":1}}}"#;
        let cut = calls(&seen(start, &[start], 40, false), &about(Protocol::Messages));
        assert_eq!((cut[0].tokens.input, cut[0].tokens.output, cut[0].fidelity), (50, 10, Fidelity::Guessed));
        let delta = r#"{"type":"message_delta","delta":{"stop_reason":"end_turn"},"usage":{"output_tokens":12}}"#;
        let whole = calls(&seen(start, &[start, delta], 40, false), &about(Protocol::Messages));
        assert_eq!((whole[0].tokens.output, whole[0].fidelity), (12, Fidelity::Final));
        assert_eq!(whole[0].key, crate::formats::keys::message_key("msg_1"));
    }

    #[test]
    fn answers_without_an_id_are_as_many_as_their_requests() {
        let body =
            r#"{"object":"list","data":[],"model":"text-embedding-3","usage":{"prompt_tokens":8,"total_tokens":8}}"#;
        let one = calls(&seen(body, &[body], 0, true), &about(Protocol::Embeddings));
        let other = About { id: "c2".to_owned(), ..about(Protocol::Embeddings) };
        let two = calls(&seen(body, &[body], 0, true), &other);
        assert_eq!((one[0].tokens.input, one[0].tokens.output), (8, 0));
        assert_ne!(one[0].key, two[0].key);
        let again = About { idempotency: Some("k".to_owned()), ..about(Protocol::Embeddings) };
        let repeat = About { id: "c3".to_owned(), ..again.clone() };
        let key = |about: &About| calls(&seen(body, &[body], 0, true), about)[0].key;
        assert_eq!(key(&again), key(&repeat));
    }

    #[test]
    fn codex_logs_a_short_id_under_its_thread_and_so_is_its_call_booked() {
        let body = r#"{"type":"response.completed","response":{"object":"response","id":"resp_1","model":"gpt-5","usage":{"input_tokens":9,"output_tokens":3,"total_tokens":12}}}"#;
        let who = Who { session: Some(Label::new("thread")), ..Who::default() };
        let about = About { who, is_codex: true, ..about(Protocol::Responses) };
        let found = calls(&seen(body, &[body], 0, true), &about);
        assert_eq!((found[0].key, &found[0].lineage), (codex_key("resp_1"), &about.who.session));
        let long = body.replace("resp_1", "resp_0123456789abcdef");
        let found = calls(&seen(&long, &[&long], 0, true), &about);
        assert_eq!((Some(found[0].key), &found[0].lineage), (answer_key("resp_0123456789abcdef"), &None));
        let other = About { is_codex: false, ..about };
        assert_eq!(calls(&seen(body, &[body], 0, true), &other)[0].lineage, None);
    }

    #[test]
    fn of_a_response_that_is_made_later_the_cost_is_a_lower_bound() {
        let queued = r#"{"object":"response","id":"resp_1","model":"gpt-5","status":"queued","usage":null}"#;
        let found = calls(&seen(queued, &[queued], 0, true), &about(Protocol::Responses));
        assert_eq!((found.len(), found[0].fidelity), (1, Fidelity::LowerBound));
    }

    #[test]
    fn a_fetched_response_counts_if_it_was_made_in_the_background() {
        let body = r#"{"object":"response","id":"resp_1","model":"gpt-5","background":true,"usage":{"input_tokens":9,"output_tokens":3,"total_tokens":12}}"#;
        let about = About { is_fetch: true, ..about(Protocol::Responses) };
        let fetched = |body: &str| calls(&seen(body, &[body], 0, true), &about);
        let found = fetched(body);
        assert_eq!((found[0].tokens.input, found[0].tokens.output, found[0].fidelity), (9, 3, Fidelity::Final));
        assert_eq!(fetched(&body.replace("true", "false")), []);
        let waiting = r#"{"object":"response","id":"resp_1","background":true,"status":"in_progress","usage":null}"#;
        assert_eq!(fetched(waiting), []);
        assert_eq!(calls(&Seen::default(), &about), []);
    }

    #[test]
    fn an_answer_of_which_items_were_left_out_is_a_lower_bound() {
        let body = r#"{"object":"response","id":"resp_1","model":"gpt-5","usage":{"input_tokens":9,"output_tokens":3,"total_tokens":12}}"#;
        let cut = Seen { is_cut: true, ..seen(body, &[body], 0, true) };
        assert_eq!(calls(&cut, &about(Protocol::Responses))[0].fidelity, Fidelity::LowerBound);
    }

    #[test]
    fn a_failure_before_any_text_costs_nothing() {
        let first = r#"{"type":"response.created","response":{"id":"resp_1"}}"#;
        let failed = Seen { is_failed: true, ..seen(first, &[], 0, true) };
        assert_eq!(calls(&failed, &about(Protocol::Responses)), []);
    }
}
