//! Nested spans: two instrumentations of one request, one inside the other.
//!
//! If a framework's chat span contains the vendor SDK's chat span, both report the same call. They become sightings of
//! one key, and the join keeps the better data. A chat span that is the sum of several spans inside it is dropped. A
//! call made by a tool or agent that was itself called from a chat span is a separate call.
//!
//! A span ends, and is exported, before its parent, in the same batch or an earlier one; some exporters reverse the
//! order, and collectors and repetitions mix it. So the last spans of a file are remembered, even across restarts.
//! Spans of calls, tools and agents, and the spans around them, are remembered longer than a program's many other
//! spans, and the sums of the calls within a span (`within.rs`) as long as any of these. A call that turns out to be
//! the sum of others, or another report of one, when it has been emitted already, is taken back.

use std::collections::VecDeque;

use rustc_hash::FxHashMap;
use serde::{Deserialize, Serialize};

use super::gen_ai;
use super::seen::{Seen, joined};
use super::signal::Signal;
use super::within::Within;
use crate::domain::{Call, CallKey};

/// Number of spans remembered between lines: a few traces' worth, plus as many older spans that matter to calls.
const KEPT: usize = 256;
/// Maximum nesting depth followed.
const DEEPEST: usize = 32;

/// The last spans of a file.
#[derive(Debug, Default)]
pub(super) struct Spans {
    known: FxHashMap<u64, Span>,
    /// The last spans of any kind, oldest first.
    order: VecDeque<u64>,
    /// Older spans that matter to calls, oldest first.
    older: VecDeque<u64>,
    /// Number of remembered children of each span, which itself need not be known.
    children: FxHashMap<u64, usize>,
    /// Sums of the calls within each span that has remembered children, known or not.
    within: FxHashMap<u64, Within>,
    /// Keys of calls to take back.
    taken_back: Vec<CallKey>,
    /// True if something has changed since the last call of [`Spans::changed`].
    has_changed: bool,
}

/// A span, as far as it matters for nested calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Span {
    /// Id of the parent span; 0 for none.
    parent: u64,
    kind: Kind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
enum Kind {
    /// Neither a call nor a boundary, or a call that was dropped as the sum of its children.
    #[serde(rename = "o")]
    Other { dropped: bool },
    /// A tool or an agent, whose calls are its own.
    #[serde(rename = "b")]
    Bound,
    #[serde(rename = "c")]
    Call(Seen),
}

/// The state of spans with calls within them.
#[derive(Default, Serialize, Deserialize)]
struct State {
    spans: Vec<(u64, Span)>,
    within: Vec<(u64, Within)>,
}

impl Spans {
    /// Remembers the spans of a line with their parents.
    pub(super) fn note(&mut self, signals: &[Signal<'_>]) {
        for signal in signals {
            let Some((id, parent)) = ids(signal) else { continue };
            let kind = if gen_ai::is_bound(signal) { Kind::Bound } else { Kind::Other { dropped: false } };
            match self.known.get_mut(&id) {
                // Log records name their span but not its parent.
                Some(span) if span.parent == 0 && parent != 0 => {
                    span.parent = parent;
                    self.has_changed = true;
                    *self.children.entry(parent).or_default() += 1;
                    self.link(id);
                }
                Some(_) => {}
                // Neither a parent nor a call, so it does not matter to others.
                None if parent == 0 && kind == (Kind::Other { dropped: false }) => {}
                None => {
                    self.insert(id, Span { parent, kind });
                    self.link(id);
                }
            }
        }
    }

    /// Takes the keys of the calls to take back.
    pub(super) fn take_back(&mut self) -> Vec<CallKey> {
        std::mem::take(&mut self.taken_back)
    }

    /// Depth of a span among the known ones. Calls are processed innermost first.
    pub(super) fn depth(&self, signal: &Signal<'_>) -> usize {
        ids(signal).map_or(0, |(id, _)| self.around(id).count())
    }

    /// Merges the call with its nested or outer call; `None` if it is the sum of its children.
    pub(super) fn place(&mut self, signal: &Signal<'_>, mut call: Call) -> Option<Call> {
        let (Some((id, parent)), Some(span)) = (ids(signal), span_key(signal)) else { return Some(call) };
        match self.known.get(&id).map(|span| span.kind) {
            Some(Kind::Call(seen)) => return Some(self.again(id, seen, span, call)),
            Some(Kind::Other { dropped: true }) => return None,
            Some(Kind::Other { dropped: false } | Kind::Bound) => {}
            None => self.insert(id, Span { parent, kind: Kind::Other { dropped: false } }),
        }
        let mut seen = Seen::from_call(&call, span);
        if self.within(id).add_up_to(&seen) {
            self.set(id, Kind::Other { dropped: true });
            return None;
        }
        let within = self.calls_within(id);
        if let Some((_, inner)) = within.iter().find(|(_, inner)| seen.is_one_with(inner)) {
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
        if seen.key != call.key.bytes() {
            call = joined(call, span, &seen);
        }
        let before = self.share(id);
        self.set(id, Kind::Call(seen));
        self.change_around(id, before);
        Some(call)
    }

    /// Sums of the calls within a span.
    fn within(&self, id: u64) -> Within {
        self.within.get(&id).copied().unwrap_or(Within::NOTHING)
    }

    /// The part of a span in the span around it: itself, the calls within it, or nothing.
    fn share(&self, id: u64) -> Within {
        match self.known.get(&id).map(|span| span.kind) {
            Some(Kind::Call(seen)) => Within::of(&seen),
            Some(Kind::Other { .. }) => self.within(id),
            Some(Kind::Bound) | None => Within::NOTHING,
        }
    }

    /// Corrects the sums around a span that added this before, and takes back calls that turn out to be sums.
    fn change_around(&mut self, id: u64, mut before: Within) {
        let (mut id, mut after) = (id, self.share(id));
        for _ in 0..DEEPEST {
            let Some(parent) = self.known.get(&id).map(|span| span.parent).filter(|parent| *parent != 0) else {
                return;
            };
            if before == after {
                return;
            }
            self.has_changed = true;
            let within = self.within.entry(parent).or_default();
            *within = within.with_change(before, after);
            let within = *within;
            match self.known.get(&parent).map(|span| span.kind) {
                Some(Kind::Other { .. }) => {}
                Some(Kind::Call(seen)) if !seen.is_joined && within.add_up_to(&seen) => {
                    self.taken_back.push(CallKey::from_bytes(seen.key));
                    self.set(parent, Kind::Other { dropped: true });
                    (before, after) = (Within::of(&seen), within);
                }
                Some(Kind::Call(_) | Kind::Bound) | None => return,
            }
            id = parent;
        }
    }

    /// Adds the calls within a span to those around it, now that its parent is known.
    fn link(&mut self, id: u64) {
        if self.share(id) == Within::NOTHING {
            return;
        }
        self.change_around(id, Within::NOTHING);
        let Some((outer, around)) = self.call_around(id).filter(|(_, around)| !around.is_joined) else { return };
        let within = match self.known.get(&id).map(|span| span.kind) {
            Some(Kind::Call(seen)) => vec![(id, seen)],
            Some(Kind::Other { .. } | Kind::Bound) | None => self.calls_within(id),
        };
        let Some((inner, seen)) = within.into_iter().find(|(_, inner)| around.is_one_with(inner)) else { return };
        // Both have been emitted. The one stays that other logs may know, or else the one that knows the cache.
        let rank = |seen: &Seen| (seen.is_named, seen.prompt.saturating_sub(seen.input));
        let (kept, other) = if rank(&around) > rank(&seen) { (around, seen) } else { (seen, around) };
        if kept.key != other.key {
            self.taken_back.push(CallKey::from_bytes(other.key));
        }
        self.set(inner, Kind::Call(Seen { key: kept.key, ..seen }));
        self.set(outer, Kind::Call(Seen { key: kept.key, is_joined: true, ..around }));
    }

    /// Handles another report of a known span: the span sent again, or a log record inside it.
    fn again(&mut self, id: u64, seen: Seen, span: CallKey, call: Call) -> Call {
        let (own, is_named) = (call.key.bytes(), call.key != span);
        if is_named && !seen.is_named && !seen.is_joined && call.alias == Some(span) {
            // This is the first to name the answer. From the alias, the ledger knows that it is the span's call.
            self.set(id, Kind::Call(Seen { key: own, own: Some(own), is_named, ..seen }));
            return call;
        }
        // Log records of several answers may name one span that surrounds them all.
        if is_named && seen.is_named && seen.own.is_some_and(|known| known != own) {
            return call;
        }
        joined(call, span, &seen)
    }

    /// Drops all but the latest spans. Called at the end of a line.
    pub(super) fn trim(&mut self) {
        while self.order.len() > KEPT {
            let Some(id) = self.order.pop_front() else { break };
            let is_leaf = || !self.children.contains_key(&id);
            match self.known.get(&id).map(|span| span.kind) {
                Some(Kind::Other { dropped: false }) if is_leaf() => self.remove(id),
                Some(_) => self.older.push_back(id),
                None => {}
            }
        }
        // Calls whose last children are not forgotten may turn out to be their sum.
        let mut waiting = self.older.len();
        while self.older.len() > KEPT {
            let Some(id) = self.older.pop_front() else { break };
            let is_call = matches!(self.known.get(&id), Some(Span { kind: Kind::Call(_), .. }));
            if waiting > 0 && is_call && self.children.contains_key(&id) {
                self.older.push_back(id);
            } else {
                self.remove(id);
            }
            waiting = waiting.saturating_sub(1);
        }
    }

    fn remove(&mut self, id: u64) {
        let Some(span) = self.known.remove(&id) else { return };
        if let Some(count) = self.children.get_mut(&span.parent) {
            *count -= 1;
            if *count == 0 {
                self.children.remove(&span.parent);
                self.within.remove(&span.parent);
            }
        }
    }

    /// State for [`Spans::restore`].
    pub(super) fn state(&self) -> String {
        if self.known.is_empty() {
            return String::new();
        }
        let spans: Vec<(u64, Span)> = self.ids().filter_map(|id| Some((*id, *self.known.get(id)?))).collect();
        if self.within.is_empty() {
            return serde_json::to_string(&spans).unwrap_or_default();
        }
        let within = self.within.iter().map(|(id, within)| (*id, *within)).collect();
        serde_json::to_string(&State { spans, within }).unwrap_or_default()
    }

    /// True if something has changed since the last call.
    pub(super) fn changed(&mut self) -> bool {
        std::mem::take(&mut self.has_changed)
    }

    /// Ids of all spans, oldest first.
    fn ids(&self) -> impl Iterator<Item = &u64> {
        self.older.iter().chain(&self.order)
    }

    /// Restores the output of [`Spans::state`].
    pub(super) fn restore(&mut self, state: &str) {
        *self = Self::default();
        let state = serde_json::from_str(state).or_else(|_| {
            // Without calls within spans, the state is that of the spans.
            serde_json::from_str(state).map(|spans| State { spans, within: Vec::new() })
        });
        let State { spans, within } = state.unwrap_or_default();
        for (id, span) in spans {
            if !self.known.contains_key(&id) {
                self.insert(id, span);
            }
        }
        self.within = within.into_iter().filter(|(id, _)| self.children.contains_key(id)).collect();
        self.trim();
        self.has_changed = false;
    }

    fn insert(&mut self, id: u64, span: Span) {
        if span.parent != 0 {
            *self.children.entry(span.parent).or_default() += 1;
        }
        self.known.insert(id, span);
        self.order.push_back(id);
        self.has_changed = true;
    }

    fn set(&mut self, id: u64, kind: Kind) {
        if let Some(span) = self.known.get_mut(&id) {
            span.kind = kind;
            self.has_changed = true;
        }
    }

    /// Ids of a span's ancestors, innermost first.
    fn around(&self, id: u64) -> impl Iterator<Item = u64> {
        let parent = move |id: &u64| self.known.get(id).map(|span| span.parent).filter(|parent| *parent != 0);
        std::iter::successors(parent(&id), parent).take(DEEPEST)
    }

    /// Known ancestors of a span, with their ids.
    fn outwards(&self, id: u64) -> impl Iterator<Item = (u64, Span)> {
        self.around(id).map_while(|id| self.known.get(&id).map(|span| (id, *span)))
    }

    /// The nearest enclosing call, unless there is a tool or an agent in between.
    fn call_around(&self, id: u64) -> Option<(u64, Seen)> {
        self.outwards(id).find_map(|(id, span)| match span.kind {
            Kind::Call(seen) => Some(Some((id, seen))),
            Kind::Bound => Some(None),
            Kind::Other { .. } => None,
        })?
    }

    /// Calls inside a span with no other call in between, in order of arrival.
    fn calls_within(&self, id: u64) -> Vec<(u64, Seen)> {
        if self.within(id) == Within::NOTHING {
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
        self.ids()
            .filter_map(|inner| match self.known.get(inner)?.kind {
                Kind::Call(seen) if *inner != id && is_within(*inner) => Some((*inner, seen)),
                Kind::Call(_) | Kind::Other { .. } | Kind::Bound => None,
            })
            .collect()
    }
}

/// Key of a call from its span, if nothing else identifies it.
pub(super) fn span_key(signal: &Signal<'_>) -> Option<CallKey> {
    Some(CallKey::from_parts(&["otel", "span", signal.trace.as_deref()?, signal.span.as_deref()?]))
}

/// Ids of a span and its parent (0 for none) as numbers.
fn ids(signal: &Signal<'_>) -> Option<(u64, u64)> {
    let number = |key: CallKey| key.bytes().first_chunk().map(|bytes| u64::from_le_bytes(*bytes));
    let trace = signal.trace.as_deref().unwrap_or_default();
    let parent = signal.parent.as_deref().map(|parent| CallKey::from_parts(&["otel", "span", trace, parent]));
    Some((number(span_key(signal)?)?, parent.and_then(number).unwrap_or(0)))
}
