//! OpenTelemetry: spans and log records, as flat JSON lines or as the file exporter's OTLP/JSON.

mod agents;
mod attributes;
mod gen_ai;
mod json_records;
mod log_records;
mod metrics;
mod nesting;
mod pieces;
mod scalar;
mod seen;
mod signal;
mod within;

use std::cell::OnceCell;

use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Map, Value};

use self::nesting::Spans;
use self::pieces::{Piece, Pieces};
use self::signal::Signal;
use super::keys::content_key;
use super::{BadLine, Format, Origin, Reader, Reading, repair};
use crate::domain::{Attribution, Call, CallKey, Fidelity, Label, Labels, Record, Tokens};

/// Spans and log records, one per line.
#[derive(Debug)]
pub(super) struct Otel;

impl Format for Otel {
    fn name(&self) -> &'static str {
        "otel"
    }

    fn needles(&self) -> &'static [&'static str] {
        &[
            "\"gen_ai.",
            "\"gen_ai\"",
            "\"llm.usage.",
            "\"llm.tokens.",
            "\"llm.token_count.",
            "\"ai.usage.",
            "\"claude_code.",
            "\"codex.",
            "\"gemini_cli.",
            "\"qwen-code.",
            // Names and values in pairs, as in the files of agents in JavaScript.
            "\"service.name\",",
        ]
    }

    fn reader(&self) -> Box<dyn Reader> {
        Box::new(Signals {
            format: Otel.name(),
            cut: signal::of_flat_line,
            labels: Labels::default(),
            spans: Spans::default(),
            pieces: Pieces::default(),
        })
    }
}

/// Batches of spans and log records, as OTLP's file exporter writes them.
#[derive(Debug)]
pub(super) struct Otlp;

impl Format for Otlp {
    fn name(&self) -> &'static str {
        "otlp"
    }

    fn needles(&self) -> &'static [&'static str] {
        &["\"resourceSpans\"", "\"resourceLogs\"", "\"resourceMetrics\"", "\"resource_"]
    }

    fn reader(&self) -> Box<dyn Reader> {
        Box::new(Signals {
            format: Otlp.name(),
            cut: signal::of_export,
            labels: Labels::default(),
            spans: Spans::default(),
            pieces: Pieces::default(),
        })
    }
}

struct Signals {
    format: &'static str,
    /// Splits a line into its signals; `None` for other lines.
    cut: for<'v> fn(&'v Value) -> Option<Vec<Signal<'v>>>,
    labels: Labels,
    spans: Spans,
    pieces: Pieces,
}

impl Reader for Signals {
    fn line(&mut self, line: &[u8], origin: &Origin, out: &mut Vec<Record>) -> Result<Reading, BadLine> {
        let Some(line) = super::sse::payload(line) else { return Ok(Reading::NotMine) };
        let Ok(value) = serde_json::from_slice::<Value>(line) else { return Ok(Reading::NotMine) };
        let Some(signals) = (self.cut)(&value) else { return Ok(Reading::NotMine) };
        let mut refused = self.read(&signals, line, origin, out);
        if let Some(export) = value.as_object() {
            let line = Line { text: line, key: OnceCell::new() };
            self.metrics(export, &line, origin, out, &mut refused);
        }
        refused.why.map_or(Ok(Reading::Mine), Err)
    }

    fn state(&self) -> String {
        self.written()
    }

    fn restore(&mut self, state: &str) {
        self.resume(state);
    }
}

/// The state of a reader that has seen metrics.
#[derive(Deserialize)]
struct State<'s> {
    #[serde(borrow)]
    spans: &'s RawValue,
    pieces: Vec<([u8; 16], Piece)>,
}

/// The call reported by a signal, and what reported it.
enum Made {
    /// An agent's own event.
    Agents(Record),
    /// A span or log record of an instrumentation library.
    Libraries(Call),
    Nothing,
}

/// Signals and points of metrics in a batch that could not be counted.
#[derive(Debug, Default)]
pub(crate) struct Refused {
    /// Number of signals and points.
    pub(crate) count: u64,
    /// Why the last of them was rejected.
    pub(crate) why: Option<BadLine>,
    /// Data points of metrics.
    pub(crate) points: metrics::Points,
}

/// Reads whole exports, as a receiver gets them. Spans of one call are joined even across exports.
pub(crate) struct Telemetry(Signals);

impl Telemetry {
    /// A reader that has not seen any signal yet.
    pub(crate) fn new() -> Self {
        Self(Signals {
            format: Otlp.name(),
            cut: signal::of_export,
            labels: Labels::default(),
            spans: Spans::default(),
            pieces: Pieces::default(),
        })
    }

    /// Resumes from the state that another reader last returned from [`Telemetry::changed`].
    pub(crate) fn restore(&mut self, state: &str) {
        self.0.resume(state);
    }

    /// The state from which another reader can resume, if it has changed since the last call.
    pub(crate) fn changed(&mut self) -> Option<String> {
        let (spans, pieces) = (self.0.spans.changed(), self.0.pieces.changed());
        (spans || pieces).then(|| self.0.written())
    }

    /// Appends the calls in a protobuf export of log records; `None` if it is malformed.
    pub(crate) fn protobuf_logs(&mut self, body: &[u8], origin: &Origin, out: &mut Vec<Record>) -> Option<Refused> {
        let signals = log_records::of_protobuf(body)?;
        Some(self.0.read(&signals, body, origin, out))
    }

    /// Appends the calls in a JSON export; `None` if it is not an export.
    ///
    /// # Errors
    /// When it is not JSON, and does not become JSON by being mended.
    pub(crate) fn json(
        &mut self,
        body: &[u8],
        origin: &Origin,
        out: &mut Vec<Record>,
    ) -> serde_json::Result<Option<Refused>> {
        let why = match self.sound_json(body, origin, out) {
            Ok(refused) => return Ok(refused),
            Err(why) => why,
        };
        // A prompt cut within a character must not cost the other calls of the export: the client does not resend them.
        let mended = repair::mended(body).and_then(|body| self.sound_json(&body, origin, out).ok());
        mended.ok_or(why)
    }

    fn sound_json(
        &mut self,
        body: &[u8],
        origin: &Origin,
        out: &mut Vec<Record>,
    ) -> serde_json::Result<Option<Refused>> {
        // Validated once as a whole, not string by string.
        let usual = std::str::from_utf8(body).ok();
        if let Some(export) = usual.and_then(|text| serde_json::from_str::<json_records::Export<'_>>(text).ok()) {
            return Ok(Some(self.0.read(&export.signals(), body, origin, out)));
        }
        // Spans, metrics, older names, or not an export at all.
        let export: Value = serde_json::from_slice(body)?;
        if !signal::has_lists(&export) {
            return Ok(None);
        }
        // An empty object is an empty export.
        let is_empty = export.as_object().is_some_and(serde_json::Map::is_empty);
        Ok(self.export(&export, body, origin, out).or_else(|| is_empty.then(Refused::default)))
    }

    /// Appends the calls in an export; `None` if it is not an export. `body` identifies signals that have no id.
    pub(crate) fn export(
        &mut self,
        export: &Value,
        body: &[u8],
        origin: &Origin,
        out: &mut Vec<Record>,
    ) -> Option<Refused> {
        let signals = signal::of_export(export)?;
        let mut refused = self.0.read(&signals, body, origin, out);
        if let Some(export) = export.as_object() {
            let line = Line { text: body, key: OnceCell::new() };
            self.0.metrics(export, &line, origin, out, &mut refused);
        }
        Some(refused)
    }
}

impl Signals {
    /// Appends the calls in a batch of signals. Valid signals count, whatever else is in the batch.
    fn read(&mut self, signals: &[Signal<'_>], line: &[u8], origin: &Origin, out: &mut Vec<Record>) -> Refused {
        let mut refused = Refused::default();
        let mut calls: Vec<(&Signal<'_>, Call)> = Vec::new();
        let line = Line { text: line, key: OnceCell::new() };
        for (number, signal) in signals.iter().enumerate() {
            match self.call(signal, (&line, number), origin) {
                Ok(Made::Agents(record)) => out.push(record),
                Ok(Made::Libraries(call)) => calls.push((signal, call)),
                Ok(Made::Nothing) => {}
                Err(why) => refused = Refused { count: refused.count + 1, why: Some(why), ..refused },
            }
        }
        self.spans.note(signals);
        if calls.len() > 1 {
            calls.sort_by_cached_key(|(signal, _)| std::cmp::Reverse(self.spans.depth(signal)));
        }
        out.extend(calls.into_iter().filter_map(|(signal, call)| self.spans.place(signal, call)).map(Record::Call));
        // The ledger shows nothing under the key of a call that used nothing because it was refused.
        let from = || Attribution::new(origin.modified, Label::new(self.format));
        let taken_back = self
            .spans
            .take_back()
            .into_iter()
            .map(|key| Call { fidelity: Fidelity::Refused, ..Call::new(key, from(), None, Tokens::ZERO) });
        out.extend(taken_back.map(Record::Call));
        self.spans.trim();
        refused
    }

    /// Appends the sums in a metrics export.
    fn metrics(
        &mut self,
        export: &Map<String, Value>,
        line: &Line<'_>,
        origin: &Origin,
        out: &mut Vec<Record>,
        refused: &mut Refused,
    ) {
        let Self { format, labels, pieces, .. } = self;
        metrics::read(export, &mut SignalContext { format, labels, origin, line: (line, 0) }, pieces, out, refused);
    }

    /// The state for [`Signals::resume`].
    fn written(&self) -> String {
        let (spans, pieces) = (self.spans.state(), self.pieces.state());
        if pieces.is_empty() {
            return spans;
        }
        let spans = if spans.is_empty() { "[]" } else { &spans };
        serde_json::to_string(&pieces)
            .map_or_else(|_| String::new(), |pieces| format!("{{\"spans\":{spans},\"pieces\":{pieces}}}"))
    }

    fn resume(&mut self, state: &str) {
        // Without parts of sessions, the state is that of the spans.
        let both = serde_json::from_str::<State<'_>>(state).ok();
        self.spans.restore(both.as_ref().map_or(state, |both| both.spans.get()));
        self.pieces.restore(both.map(|both| both.pieces).unwrap_or_default());
    }

    fn context<'d>(&'d mut self, line: (&'d Line<'d>, usize), origin: &'d Origin) -> SignalContext<'d> {
        SignalContext { format: self.format, labels: &mut self.labels, origin, line }
    }

    fn call(&mut self, signal: &Signal<'_>, line: (&Line<'_>, usize), origin: &Origin) -> Result<Made, BadLine> {
        let mut context = self.context(line, origin);
        Ok(match agents::agent_of(signal) {
            Some(agent) => agent.record(signal, &mut context)?.map_or(Made::Nothing, Made::Agents),
            None => gen_ai::call(signal, &mut context)?.map_or(Made::Nothing, Made::Libraries),
        })
    }
}

/// Context for converting a signal into a call.
struct SignalContext<'d> {
    format: &'static str,
    labels: &'d mut Labels,
    origin: &'d Origin,
    /// The line, and the signal's number in it.
    line: (&'d Line<'d>, usize),
}

/// A line or a whole export.
struct Line<'l> {
    text: &'l [u8],
    /// Its key, computed once, because an export may have thousands of signals without ids.
    key: OnceCell<CallKey>,
}

impl SignalContext<'_> {
    /// Key for signals without ids.
    fn content_key(&self) -> CallKey {
        let (line, number) = self.line;
        line.key.get_or_init(|| content_key("otel", line.text)).under(&number.to_string())
    }
}
