//! Metrics: sums of tokens by session and model, without the individual calls.
//!
//! Metrics are the last resort, because agents report the same usage as log records or spans and write it to their
//! transcripts. So a sum becomes a part of its session ([`Counter::Piece`]), which counts only while nothing else is
//! known about that session. A metric without a session may repeat calls that are known, and is not counted.
//!
//! Seen on 2026-11-27: Claude Code 2.1.332 sends deltas, Gemini CLI 0.61 cumulative sums, both with `session.id`. Codex
//! 0.171, Copilot 1.0.102 and Qwen Code 0.24.4 send no session in their metrics.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Map, Value};
use xxhash_rust::xxh3::xxh3_64;

use super::super::count::Count;
use super::super::usage::Counts;
use super::attributes::Attributes;
use super::gen_ai::attribution_of;
use super::pieces::{Piece, Pieces, Point};
use super::signal::{list, scopes_of, time};
use super::{Refused, SignalContext};
use crate::domain::{Attribution, Bill, Billed, CallKey, Counter, Instant, Label, Record};

/// Model name for a sum that names no model.
const UNNAMED: &str = "unknown";

/// Number of data points in an export, used and unused.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Points {
    /// Points that became parts of sessions.
    pub(crate) taken: u64,
    /// Points about tokens that have no session, or belong to a metric that repeats another.
    pub(crate) left: u64,
}

/// A metric that counts tokens.
#[derive(Clone, Copy, Debug)]
struct Known {
    name: &'static str,
    /// Attribute that names the token class.
    class: &'static str,
    /// Combines the classes into counts.
    counts: fn(&Sums) -> Counts,
}

/// Sums by the names that agents use for the classes.
#[derive(Clone, Copy, Debug, Default)]
struct Sums {
    input: u64,
    output: u64,
    cache_read: u64,
    cache_write: u64,
    reasoning: u64,
    tool: u64,
}

const KNOWN: [Known; 5] = [
    // The classes do not overlap.
    Known {
        name: "claude_code.token.usage",
        class: "type",
        counts: |sums| Counts { input: Some(sums.input), prompt: None, ..inclusive(sums) },
    },
    // Thoughts are added to the output, tool prompts to the input.
    Known {
        name: "gemini_cli.token.usage",
        class: "type",
        counts: |sums| Counts {
            prompt: Some(sums.input.saturating_add(sums.tool)),
            output: Some(sums.output.saturating_add(sums.reasoning)),
            ..inclusive(sums)
        },
    },
    Known { name: "qwen-code.token.usage", class: "type", counts: inclusive },
    Known { name: "codex.turn.token_usage", class: "token_type", counts: inclusive },
    // The conventions define two classes. The input includes cached tokens.
    Known { name: "gen_ai.client.token.usage", class: "gen_ai.token.type", counts: inclusive },
];

/// Input that includes cached tokens, output that includes reasoning.
fn inclusive(sums: &Sums) -> Counts {
    Counts {
        prompt: Some(sums.input),
        output: Some(sums.output),
        cache_read: sums.cache_read,
        cache_write_5m: sums.cache_write,
        reasoning: sums.reasoning,
        ..Counts::default()
    }
}

impl Sums {
    /// Adds tokens to the class of this name.
    fn add(&mut self, class: &str, tokens: u64) {
        let sum = match class {
            "input" => &mut self.input,
            "output" | "completion" => &mut self.output,
            "cacheRead" | "cache" | "cached_input" => &mut self.cache_read,
            "cacheCreation" | "cache_write_input" => &mut self.cache_write,
            "thought" | "reasoning_output" => &mut self.reasoning,
            "tool" => &mut self.tool,
            // Totals repeat the classes, so they are ignored.
            _ => return,
        };
        *sum = sum.saturating_add(tokens);
    }
}

/// Points of one session, metric and temporality in an export.
struct Group<'v> {
    known: Known,
    is_delta: bool,
    attributes: Attributes<'v>,
    /// Start of the first series. All sums of one process start then or later.
    start: Option<Instant>,
    end: Option<Instant>,
    points: BTreeMap<u64, Point>,
}

/// Appends the sums in a metrics export as parts of their sessions. A point is refused if it would count, but its value
/// is no number of tokens.
pub(super) fn read(
    export: &Map<String, Value>,
    context: &mut SignalContext<'_>,
    pieces: &mut Pieces,
    out: &mut Vec<Record>,
    refused: &mut Refused,
) {
    let points = &mut refused.points;
    for group in list(export, &["resourceMetrics", "resource_metrics"]).iter().filter_map(Value::as_object) {
        let attributes = group.get("resource").and_then(|resource| resource.get("attributes"));
        let resource = Attributes::from_json(attributes);
        let service = resource.text(&["service.name"]).unwrap_or_default();
        // Agents send the conventions' metric in addition to their own.
        let is_agents =
            ["claude-code", "gemini-cli", "qwen-code"].contains(&&*service) || service.starts_with("codex_");
        let process = resource.fingerprint();
        let mut groups: BTreeMap<(String, &str, bool), Group<'_>> = BTreeMap::new();
        let scopes =
            ["scopeMetrics", "scope_metrics", "instrumentationLibraryMetrics", "instrumentation_library_metrics"];
        for metric in scopes_of(group, &scopes).flat_map(|scope| list(scope, &["metrics"])).filter_map(Value::as_object)
        {
            let name = metric.get("name").and_then(Value::as_str).unwrap_or_default();
            let Some(known) = KNOWN.iter().find(|known| known.name == name) else { continue };
            let is_repeat = is_agents && name.starts_with("gen_ai.");
            let (is_delta, all) = points_of(metric);
            for point in all.iter().filter_map(Value::as_object) {
                let attributes = Attributes::from_json(point.get("attributes"));
                let names = ["session.id", "gen_ai.conversation.id", "conversation.id"];
                let session = attributes.text(&names).or_else(|| resource.text(&names));
                let counted = session.filter(|_| !is_repeat).and_then(|session| Some((session, value(point)?)));
                let Some((session, tokens)) = counted else {
                    points.left += 1;
                    continue;
                };
                let tokens = match tokens.total("value") {
                    Ok(tokens) => tokens,
                    Err(why) => {
                        (refused.count, refused.why) = (refused.count + 1, Some(why));
                        continue;
                    }
                };
                points.taken += 1;
                let (start, end) = (
                    time(point, &["startTimeUnixNano", "start_time_unix_nano"]),
                    time(point, &["timeUnixNano", "time_unix_nano"]),
                );
                let class = attributes.text(&[known.class]).unwrap_or_default().into_owned();
                let model = attributes.text(&["model", "gen_ai.response.model", "gen_ai.request.model"]);
                let model = model.map_or_else(|| UNNAMED.to_owned(), std::borrow::Cow::into_owned);
                // The same point of a later export.
                let series = [&*session, known.name].map(|name| xxh3_64(name.as_bytes())).into_iter().chain([
                    process,
                    attributes.fingerprint(),
                    u64::from_le_bytes(nanos(start)),
                    u64::from_le_bytes(if is_delta { nanos(end) } else { [0; 8] }),
                    u64::from(is_delta),
                ]);
                let series = xxh3_64(&series.flat_map(u64::to_le_bytes).collect::<Vec<u8>>());
                let group = groups.entry((session.into_owned(), known.name, is_delta)).or_insert_with(|| Group {
                    known: *known,
                    is_delta,
                    attributes,
                    start,
                    end,
                    points: BTreeMap::new(),
                });
                group.start = [group.start, start].into_iter().flatten().min();
                group.end = group.end.max(end);
                let point = group.points.entry(series).or_insert(Point { model, class, tokens: 0, time: 0 });
                point.tokens = point.tokens.saturating_add(tokens);
                let time = end.and_then(|end| end.timestamp_nanos_opt()).unwrap_or_default();
                point.time = point.time.max(time);
            }
        }
        for ((session, ..), group) in groups {
            let known = group.known;
            let (id, from) = group.heading(&session, process, &resource, context);
            let at = group.start.or(group.end);
            for (id, piece) in pieces.add(id, at, group.points) {
                let from = Attribution { at: piece.at.unwrap_or(from.at), ..from.clone() };
                out.extend(bill(id, from, known, &piece).map(Record::Bill));
            }
        }
    }
}

impl Group<'_> {
    /// Id of the part that these points begin, and who used them.
    fn heading(
        &self,
        session: &str,
        process: u64,
        resource: &Attributes<'_>,
        context: &mut SignalContext<'_>,
    ) -> (CallKey, Attribution) {
        // A cumulative sum keeps its id until its process ends. Each delta has an id of its own, so a delta that is
        // sent twice adds nothing.
        let end = if self.is_delta { nanos(self.end) } else { [0; 8] };
        let id = CallKey::from_parts(&[
            b"metric".as_slice(),
            self.known.name.as_bytes(),
            session.as_bytes(),
            &process.to_le_bytes(),
            &nanos(self.start),
            &end,
        ]);
        let at = self.start.or(self.end);
        let mut from = attribution_of(&self.attributes, resource, at, context);
        // The sum includes the sub-agents' usage.
        (from.session, from.agent) = (Some(Label::new(session)), None);
        (id, from)
    }
}

/// A part of a session as a bill; `None` if it has no tokens.
fn bill(id: CallKey, from: Attribution, known: Known, piece: &Piece) -> Option<Bill> {
    let mut sums: BTreeMap<&str, Sums> = BTreeMap::new();
    for Point { model, class, tokens, .. } in piece.points.values() {
        sums.entry(model).or_default().add(class, *tokens);
    }
    let mut models = Vec::with_capacity(sums.len());
    for (model, sums) in &sums {
        let (tokens, _) = (known.counts)(sums).split();
        if !tokens.is_zero() {
            // The metrics do not give the lifetimes of cache writes.
            let is_split = tokens.cache_write() == 0;
            models.push(Billed { is_split, ..Billed::new(model, tokens) });
        }
    }
    (!models.is_empty()).then_some(Bill { id, from, counter: Counter::Piece, models })
}

fn nanos(at: Option<Instant>) -> [u8; 8] {
    at.and_then(|at| at.timestamp_nanos_opt()).unwrap_or_default().to_le_bytes()
}

/// The points of a sum or a histogram, and whether they are deltas. Other metrics have no points that count.
fn points_of(metric: &Map<String, Value>) -> (bool, &[Value]) {
    let kinds = ["sum", "histogram", "exponentialHistogram", "exponential_histogram"];
    let Some(data) = kinds.iter().find_map(|kind| metric.get(*kind)?.as_object()) else { return (false, &[]) };
    let field = |names: [&str; 2]| names.iter().find_map(|name| data.get(*name));
    let falls = field(["isMonotonic", "is_monotonic"]).is_some_and(|is| *is == Value::Bool(false));
    let is_delta = field(["aggregationTemporality", "aggregation_temporality"])
        .is_some_and(|value| *value == 1 || *value == "1" || *value == "AGGREGATION_TEMPORALITY_DELTA");
    let points = list(data, &["dataPoints", "data_points"]);
    (is_delta, if falls { &[] } else { points })
}

/// Tokens of a point: its value, or a histogram's sum. `None` if the point has no value.
fn value(point: &Map<String, Value>) -> Option<Count> {
    let values = ["asInt", "as_int", "asDouble", "as_double", "sum"].iter().filter_map(|name| point.get(*name));
    values.map(|value| Count::deserialize(value).unwrap_or_default()).find(Count::is_given)
}

#[cfg(test)]
mod tests;
