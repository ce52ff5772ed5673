//! Spans within spans: two instrumentations of one request, of which one stands around the other.
//!
//! A framework's chat span around the vendor SDK's chat span reports one call twice. Both become sightings of one key,
//! and the join keeps the one that knows more. A chat span that is the sum of several within it is dropped. A call made
//! by a tool or an agent that was called from within a chat span is a call of its own.
//!
//! A span ends, and is exported, before the one around it, in the same batch or an earlier one; some exporters turn the
//! order round. So the last spans of a file are remembered, also over a restart.

use std::collections::VecDeque;

use rustc_hash::FxHashMap;
use serde::{Deserialize, Serialize};

use super::gen_ai;
use super::signal::Signal;
use crate::domain::{Call, CallKey};

/// Spans remembered between lines: a few traces' worth.
const KEPT: usize = 256;
/// Longer chains of spans within spans are not followed.
const DEEPEST: usize = 32;

/// The last spans of a file, oldest first.
#[derive(Debug, Default)]
pub(super) struct Spans {
    known: FxHashMap<u64, Span>,
    order: VecDeque<u64>,
    /// How many of the spans name this one as the span around them.
    within: FxHashMap<u64, usize>,
}

/// A span, as far as it tells whose call is whose.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Span {
    /// The span around it; 0 where there is none.
    parent: u64,
    kind: Kind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
enum Kind {
    /// Neither a call nor a bound between calls; or a call that was dropped as the sum of those within.
    #[serde(rename = "o")]
    Other { dropped: bool },
    /// A tool or an agent: what it calls is its own.
    #[serde(rename = "b")]
    Bound,
    #[serde(rename = "c")]
    Call(Seen),
}

/// A call that was handed on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Seen {
    key: [u8; 16],
    /// True when the vendor's name of the answer is the key.
    is_named: bool,
    prompt: u64,
    input: u64,
    output: u64,
    /// True once it shares its key with a call within it.
    is_joined: bool,
}

impl Seen {
    fn from_call(call: &Call, span: CallKey) -> Self {
        let tokens = &call.tokens;
        Self {
            key: call.key.bytes(),
            is_named: call.key != span,
            prompt: tokens.prompt(),
            input: tokens.input,
            output: tokens.output,
            is_joined: false,
        }
    }

    /// True when a span around another reports the same request: prompts of one size (with or without what the cache
    /// served), or the same output where one of them knows no prompt.
    fn is_one_with(&self, within: &Self) -> bool {
        if self.is_named && within.is_named {
            return self.key == within.key;
        }
        if self.prompt == 0 || within.prompt == 0 {
            return self.output == within.output;
        }
        self.prompt == within.prompt || self.prompt == within.input || self.input == within.prompt
    }
}

impl Spans {
    /// Remembers the spans of a line, so that it is known which stands within which.
    pub(super) fn note(&mut self, signals: &[Signal<'_>]) {
        for signal in signals {
            let Some((id, parent)) = ids(signal) else { continue };
            let kind = if gen_ai::is_bound(signal) { Kind::Bound } else { Kind::Other { dropped: false } };
            match self.known.get_mut(&id) {
                // A log record names its span, and not the span around that.
                Some(span) if span.parent == 0 && parent != 0 => {
                    span.parent = parent;
                    *self.within.entry(parent).or_default() += 1;
                }
                Some(_) => {}
                // What has no span around it and is no call can tell nothing of others.
                None if parent == 0 && kind == (Kind::Other { dropped: false }) => {}
                None => self.insert(id, Span { parent, kind }),
            }
        }
    }

    /// How deep a span lies within those that are known: calls are placed from the innermost on.
    pub(super) fn depth(&self, signal: &Signal<'_>) -> usize {
        ids(signal).map_or(0, |(id, _)| self.around(id).count())
    }

    /// The call as a sighting of what it is part of; `None` when it is the sum of calls within it.
    pub(super) fn place(&mut self, signal: &Signal<'_>, mut call: Call) -> Option<Call> {
        let Some((id, parent)) = ids(signal) else { return Some(call) };
        match self.known.get(&id).map(|span| span.kind) {
            Some(Kind::Call(seen)) => {
                call.key = CallKey::from_bytes(seen.key);
                return Some(call);
            }
            Some(Kind::Other { dropped: true }) => return None,
            Some(Kind::Other { dropped: false } | Kind::Bound) => {}
            None => self.insert(id, Span { parent, kind: Kind::Other { dropped: false } }),
        }
        let mut seen = Seen::from_call(&call, span_key(signal)?);
        let within = self.calls_within(id);
        if within.len() > 1 && is_sum(&seen, &within) {
            self.set(id, Kind::Other { dropped: true });
            return None;
        }
        if let Some(inner) = within.iter().find(|inner| seen.is_one_with(inner)) {
            seen.is_joined = true;
            seen.key = inner.key;
        } else if let Some((outer, mut around)) = self.call_around(id)
            && !around.is_joined
            && around.is_one_with(&seen)
        {
            around.is_joined = true;
            self.set(outer, Kind::Call(around));
            seen.key = around.key;
        }
        call.key = CallKey::from_bytes(seen.key);
        self.set(id, Kind::Call(seen));
        Some(call)
    }

    /// Forgets all but the last spans, at the end of a line.
    pub(super) fn trim(&mut self) {
        while self.order.len() > KEPT {
            let Some(span) = self.order.pop_front().and_then(|id| self.known.remove(&id)) else { continue };
            if let Some(count) = self.within.get_mut(&span.parent) {
                *count -= 1;
                if *count == 0 {
                    self.within.remove(&span.parent);
                }
            }
        }
    }

    /// The spans as text, for a restart.
    pub(super) fn state(&self) -> String {
        if self.order.is_empty() {
            return String::new();
        }
        let spans: Vec<(u64, Span)> = self.order.iter().filter_map(|id| Some((*id, *self.known.get(id)?))).collect();
        serde_json::to_string(&spans).unwrap_or_default()
    }

    /// Goes on from [`Spans::state`].
    pub(super) fn restore(&mut self, state: &str) {
        *self = Self::default();
        for (id, span) in serde_json::from_str::<Vec<(u64, Span)>>(state).unwrap_or_default() {
            if !self.known.contains_key(&id) {
                self.insert(id, span);
            }
        }
    }

    fn insert(&mut self, id: u64, span: Span) {
        if span.parent != 0 {
            *self.within.entry(span.parent).or_default() += 1;
        }
        self.known.insert(id, span);
        self.order.push_back(id);
    }

    fn set(&mut self, id: u64, kind: Kind) {
        if let Some(span) = self.known.get_mut(&id) {
            span.kind = kind;
        }
    }

    /// The spans around one, from the innermost on.
    fn around(&self, id: u64) -> impl Iterator<Item = u64> {
        let parent = move |id: &u64| self.known.get(id).map(|span| span.parent).filter(|parent| *parent != 0);
        std::iter::successors(parent(&id), parent).take(DEEPEST)
    }

    /// The spans around one, as far as they are known.
    fn outwards(&self, id: u64) -> impl Iterator<Item = (u64, Span)> {
        self.around(id).map_while(|id| self.known.get(&id).map(|span| (id, *span)))
    }

    /// The nearest call around a span, unless a tool or an agent lies between.
    fn call_around(&self, id: u64) -> Option<(u64, Seen)> {
        self.outwards(id).find_map(|(id, span)| match span.kind {
            Kind::Call(seen) => Some(Some((id, seen))),
            Kind::Bound => Some(None),
            Kind::Other { .. } => None,
        })?
    }

    /// The calls within a span that no other call stands around, in the order in which they came.
    fn calls_within(&self, id: u64) -> Vec<Seen> {
        if !self.within.contains_key(&id) {
            return Vec::new();
        }
        let is_within = |inner: u64| {
            for (around, span) in self.outwards(inner) {
                if around == id {
                    return true;
                }
                if !matches!(span.kind, Kind::Other { .. }) {
                    return false;
                }
            }
            false
        };
        self.order
            .iter()
            .filter_map(|inner| match self.known.get(inner)?.kind {
                Kind::Call(seen) if *inner != id && is_within(*inner) => Some(seen),
                Kind::Call(_) | Kind::Other { .. } | Kind::Bound => None,
            })
            .collect()
    }
}

/// True when a call's counts are those of the calls within it together.
fn is_sum(call: &Seen, within: &[Seen]) -> bool {
    let sum = |count: fn(&Seen) -> u64| within.iter().map(count).fold(0, u64::saturating_add);
    call.output == sum(|seen| seen.output)
        && (call.prompt == sum(|seen| seen.prompt) || call.prompt == sum(|seen| seen.input))
}

/// The key that a span gives a call which nothing else names.
pub(super) fn span_key(signal: &Signal<'_>) -> Option<CallKey> {
    Some(CallKey::from_parts(&["otel", "span", bare(signal.trace?), bare(signal.span?)]))
}

/// A span and the span around it (0 for none), each as a number.
fn ids(signal: &Signal<'_>) -> Option<(u64, u64)> {
    let number = |key: CallKey| key.bytes().first_chunk().map(|bytes| u64::from_le_bytes(*bytes));
    let parent = signal
        .parent
        .map(|parent| CallKey::from_parts(&["otel", "span", bare(signal.trace.unwrap_or("")), bare(parent)]));
    Some((number(span_key(signal)?)?, parent.and_then(number).unwrap_or(0)))
}

/// Hexadecimal without the prefix that some exporters write.
fn bare(id: &str) -> &str {
    id.strip_prefix("0x").unwrap_or(id)
}
