//! Turns the parts of a response into calls to book: counted in the same way as in logs, or estimated if the response
//! does not give the counts.

mod first_seen;
mod ids;
mod stated;
#[cfg(test)]
pub(super) mod tests;

use std::borrow::Cow;
use std::time::Duration;

use serde_json::Value;

pub(super) use self::first_seen::FirstSeen;
use self::ids::Ids;
use super::admission::{Defaults, Protocol, Who};
use super::facts::{Facts, tokens_of};
use super::response_reader::Seen;
use crate::domain::{Attribution, Call, CallKey, Claim, Fidelity, Instant, Label, Place, Tokens};
use crate::formats::keys::{answer_key, codex_key, prompt_key, request_key};

/// Number of whole answers that one idempotency key makes one call: the first, and those to two repeats, as the
/// vendors' libraries make at most. A client that gave every request the same key would otherwise pass every limit.
const ATTEMPTS: u32 = 3;

/// Source name of the proxy's calls.
pub(super) const SOURCE: &str = "proxy";

/// Facts about a call other than its response.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct About {
    /// Its API.
    pub(super) protocol: Protocol,
    /// The upstream, by its place in the config.
    pub(super) upstream: usize,
    /// The path of the request.
    pub(super) path: String,
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

/// The name by which the model of an answer is remembered: that of the request or, where the upstream chooses the
/// model, as for a stored prompt or a server with one, the path.
pub(super) fn asked(model: Option<Label>, path: &str) -> Label {
    model.unwrap_or_else(|| Label::new(path))
}

impl About {
    /// The name by which the model of its answer is remembered.
    pub(super) fn asked(&self) -> Label {
        asked(self.facts.model.as_deref().map(Label::new), &self.path)
    }

    /// The user who makes the call.
    fn user(&self) -> &Label {
        self.who.user.as_ref().or(self.facts.who.user.as_ref()).unwrap_or(&self.defaults.user)
    }

    /// Alias of all attempts that a client gives the same name. The ledger makes them one call, so it does not matter
    /// which proxy or process books them, and in which order.
    pub(super) fn repeat_key(&self) -> Option<CallKey> {
        // Another user with the same name is making a different call, and so is another API.
        let api = match self.protocol {
            Protocol::Chat => "chat",
            Protocol::Responses => "responses",
            Protocol::Embeddings => "embeddings",
            Protocol::Messages => "messages",
        };
        self.idempotency.as_ref().map(|key| CallKey::of_attempts(&["idempotency", api, self.user().as_str(), key]))
    }

    /// Key for a response without an id.
    fn own_key(&self) -> CallKey {
        let named = self.repeat_key().or_else(|| self.request.as_deref().map(request_key));
        named.unwrap_or_else(|| CallKey::from_parts(&[SOURCE, &self.id]))
    }
}

/// The calls of a response: none if nothing was charged, otherwise the call and anything charged on top of it. `ids`
/// remembers the requests that were answered with each id.
pub(super) fn calls(seen: &Seen, about: &About, ids: &mut FirstSeen) -> Vec<Call> {
    if about.is_fetch && !was_in_background(seen) {
        return Vec::new();
    }
    let mut calls = stated::calls(seen, about);
    let has_counts = calls.iter().any(|call| !call.tokens.is_zero() || call.is_refused());
    // A failure before any text costs nothing.
    let has_failed = || seen.text == 0 && (seen.is_failed || is_failed_without_output(seen));
    if has_counts && is_only_begun(seen, about.protocol) && has_failed() {
        return Vec::new();
    }
    if !has_counts {
        if !about.is_fetch && has_failed() {
            return Vec::new();
        }
        calls = stated::estimated(seen, about);
        if about.is_fetch {
            if !is_failed_without_output(seen) {
                return Vec::new();
            }
            calls.iter_mut().for_each(charge_nothing);
        }
    } else if !seen.is_whole {
        complete(&mut calls, seen, about.protocol);
    } else if seen.is_cut && about.protocol == Protocol::Responses {
        // Searches are charged by the item.
        for call in calls.iter_mut().filter(|call| call.fidelity == Fidelity::Final) {
            call.fidelity = Fidelity::LowerBound;
        }
    }
    let is_another =
        has_counts && seen.is_whole && about.repeat_key().is_some_and(|attempts| ids.answered(attempts) > ATTEMPTS);
    let about =
        &if is_another { Cow::Owned(About { idempotency: None, ..about.clone() }) } else { Cow::Borrowed(about) };
    for call in &mut calls {
        attribute(call, about);
    }
    if let Some((call, others)) = calls.split_first_mut() {
        let stated = call.key;
        identify(call, seen, about, ids);
        call.alias = about.repeat_key().or_else(|| alias(call, about));
        // What is charged on top of a call is as unique as the call.
        for (place, other) in (0_u64..).zip(others) {
            if call.key != stated {
                other.key = CallKey::from_parts(&[b"beside".as_slice(), &call.key.bytes(), &other.key.bytes()]);
            }
            let attempts = about.repeat_key();
            other.alias = attempts.map(|all| CallKey::of_attempts(&[&all.bytes()[..], &place.to_le_bytes()]));
        }
    }
    calls
}

/// The alias by which telemetry or a log of the same call knows it if it does not have the response's id.
///
/// Claude Code's telemetry has the id of the request or, without one, the session and the counts. What other agents log
/// has the response's id, and an alias of its own, which must not be displaced by the request's.
fn alias(call: &Call, about: &About) -> Option<CallKey> {
    let request = about.request.as_deref().map(request_key);
    match about.protocol {
        Protocol::Messages => request.or_else(|| prompt_key(call.from.session.as_deref()?, &call.tokens)),
        Protocol::Chat | Protocol::Responses | Protocol::Embeddings => request.filter(|key| *key == call.key),
    }
}

/// Sets the key of the response's own call: its id, if no other answer can have that.
fn identify(call: &mut Call, seen: &Seen, about: &About, ids: &mut FirstSeen) {
    let Some(id) = answer_id(seen) else {
        call.key = about.own_key();
        return;
    };
    let request = about.request.as_deref().filter(|_| !about.is_fetch).map(request_key);
    match answer_key(&id) {
        // A gateway that gives several answers the same id.
        Some(key) if request.is_some_and(|request| ids.first(key, request) != request) => call.key = about.own_key(),
        // Logs of messages name such an answer by its prompt, too.
        Some(_) if about.protocol == Protocol::Messages && !id.starts_with("msg_") => {}
        Some(key) => call.key = key,
        // An id that another service may reuse identifies a response only within a family of sessions.
        None if about.is_codex && call.from.session.is_some() => {
            call.key = codex_key(&id);
            call.lineage.clone_from(&call.from.session);
        }
        // It is fetched under this id later.
        None if was_in_background(seen) => {}
        None => call.key = about.own_key(),
    }
}

/// Turns the estimate of a response in the background into a record that it costs nothing.
fn charge_nothing(call: &mut Call) {
    call.tokens = Tokens::ZERO;
    call.fidelity = Fidelity::Refused;
}

/// Adds an estimate of the text written after the last count, for a response that was cut off.
fn complete(calls: &mut [Call], seen: &Seen, protocol: Protocol) {
    let Some(call) = calls.first_mut().filter(|call| !call.is_refused()) else { return };
    if seen.usage.back().is_some_and(|document| ends_text(document)) {
        return;
    }
    let written = tokens_of(seen.text);
    let is_preliminary = call.fidelity == Fidelity::LowerBound || is_only_begun(seen, protocol);
    if is_preliminary || written > call.tokens.output.saturating_mul(2) {
        call.tokens.output = call.tokens.output.max(written);
        call.fidelity = Fidelity::Guessed;
    } else if protocol == Protocol::Chat && seen.usage.len() > 1 && call.fidelity == Fidelity::Final {
        // These counts grow with the stream.
        call.fidelity = Fidelity::LowerBound;
    }
}

/// True if this event comes after all text, so that its counts are those of the whole text: it says why the model
/// stopped, or is the chunk of a chat completion that only states the usage.
fn ends_text(document: &[u8]) -> bool {
    let Ok(event) = serde_json::from_slice::<Value>(document) else { return false };
    let has_output = event["usage"]["completion_tokens"].as_u64() > Some(0);
    let has_stopped = |choice: &Value| choice["finish_reason"].is_string();
    event["delta"]["stop_reason"].is_string()
        || event["choices"].as_array().is_some_and(|choices| has_output && choices.iter().all(has_stopped))
}

/// The documents of a response, or the responses within its events.
fn documents(seen: &Seen) -> impl Iterator<Item = Value> {
    seen.first.iter().chain(&seen.usage).filter_map(|document| serde_json::from_slice::<Value>(document).ok())
}

/// True if any of the documents, or the response within one, passes this test.
fn any_response(seen: &Seen, is_so: impl Fn(&Value) -> bool) -> bool {
    documents(seen).any(|document| [document.get("response"), Some(&document)].into_iter().flatten().any(&is_so))
}

/// True if the response says that it was made in the background.
fn was_in_background(seen: &Seen) -> bool {
    any_response(seen, |response| response["background"] == true)
}

/// True if the response failed before it had any output.
fn is_failed_without_output(seen: &Seen) -> bool {
    let is_empty = |output: &Value| output.as_array().is_none_or(Vec::is_empty);
    any_response(seen, |response| response["status"] == "failed" && is_empty(&response["output"]))
}

/// True if only the first event of a message has stated counts, which are preliminary.
fn is_only_begun(seen: &Seen, protocol: Protocol) -> bool {
    protocol == Protocol::Messages && documents(seen).all(|document| document["type"] == "message_start")
}

/// The id of the response.
fn answer_id(seen: &Seen) -> Option<String> {
    let documents = seen.first.iter().chain(&seen.usage);
    documents.filter_map(|document| serde_json::from_slice::<Ids>(document).ok()).find_map(Ids::id)
}

fn attribute(call: &mut Call, about: &About) {
    // The answer's own names do not count: limits, which are checked before it, do not know them.
    let who = about.who.completed(&about.facts.who, &about.defaults);
    // A transcript knows more about the session, but not whose key was used.
    let is_named = about.who.user.is_some() || about.who.team.is_some();
    call.from = Attribution {
        user: who.user,
        team: who.team,
        org: about.defaults.org.clone(),
        session: who.session,
        agent: who.agent,
        project: who.project,
        feature: who.feature,
        place: Some(Place { path: Label::new(&format!("{SOURCE} {}", about.id)), offset: 0 }),
        claim: if is_named { Claim::Own } else { Claim::Maker },
        ..Attribution::new(about.at, Label::new(SOURCE))
    };
    if call.model.is_none() {
        call.model = about.facts.model.as_deref().map(Label::new);
    }
    call.latency = Some(about.latency);
}
