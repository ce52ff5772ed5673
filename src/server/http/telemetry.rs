//! The thread that decodes telemetry. Its queue is bounded; clients must send again if there is no room.

use std::io;
use std::sync::Arc;
use std::thread;

use axum::http::StatusCode;
use prost::bytes::Bytes;
use tokio::sync::{mpsc, oneshot};

use super::body::{self, Coding};
use super::protobuf::{self, Signals};
use super::status::Problem;
use crate::domain::{Instant, Label, Record};
use crate::engine::Question;
use crate::formats::{Origin, Telemetry};
use crate::ingest::{Content, Delivery, Owner, Projects, Reply};

/// Maximum number of exports waiting for the thread.
const QUEUE: usize = 256;

/// A received export.
pub(super) struct Export {
    /// The body as it arrived.
    pub(super) body: Vec<u8>,
    /// Its compressions, in the order in which they were applied.
    pub(super) codings: Vec<Coding>,
    /// True for JSON, false for protobuf.
    pub(super) is_json: bool,
    /// Its kind.
    pub(super) signals: Signals,
    /// Receives the result.
    pub(super) done: oneshot::Sender<Result<Decoded, Problem>>,
}

/// A decoded export, on its way to the ledger.
pub(super) struct Decoded {
    /// Number of rejected signals.
    pub(super) refused: u64,
    /// Why the last of them was rejected.
    pub(super) why: String,
    /// The ledger's reply; `None` if there was nothing to book.
    pub(super) booked: Option<oneshot::Receiver<Reply>>,
}

/// Starts the thread. It ends when there are no senders left.
pub(super) fn start(
    (deliver, ask): (mpsc::Sender<Delivery>, mpsc::Sender<Question>),
    clock: Arc<dyn Fn() -> Instant + Send + Sync>,
    owner: Owner,
    expanded: u64,
) -> io::Result<mpsc::Sender<Export>> {
    let (exports, mut queue) = mpsc::channel::<Export>(QUEUE);
    thread::Builder::new().name("telemetry".into()).spawn(move || {
        let mut reader =
            Reader { telemetry: Telemetry::new(), projects: Projects::default(), offset: 0, owner, expanded };
        let mut is_new = true;
        while let Some(Export { body, codings, is_json, signals, done }) = queue.blocking_recv() {
            if std::mem::take(&mut is_new) {
                reader.telemetry.restore(&state_of(&ask));
            }
            let decoded = reader.decode(body, &codings, is_json, signals, clock());
            let decoded = decoded.map(|(records, refused, why)| {
                let booked = (!records.is_empty()).then(|| {
                    let (reply, booked) = oneshot::channel();
                    let content = Content::Export { records, state: reader.telemetry.changed() };
                    // Waits for a busy ledger. Meanwhile the queue fills up, and clients are asked to retry.
                    let _ = deliver.blocking_send(Delivery { content, reply });
                    booked
                });
                Decoded { refused, why, booked }
            });
            let _ = done.send(decoded);
        }
    })?;
    Ok(exports)
}

/// The last state of the previous reader, from the ledger.
fn state_of(ask: &mpsc::Sender<Question>) -> String {
    let (reply, state) = oneshot::channel();
    let question: Question = Box::new(move |view| {
        let _ = reply.send(view.telemetry_state());
    });
    // There is no answer while the meter shuts down; calls decoded now will not be booked.
    if ask.blocking_send(question).is_err() { String::new() } else { state.blocking_recv().unwrap_or_default() }
}

struct Reader {
    telemetry: Telemetry,
    projects: Projects,
    /// Number of exports so far, used as the offset of their calls.
    offset: u64,
    owner: Owner,
    /// Maximum size of a decompressed body in bytes.
    expanded: u64,
}

impl Reader {
    fn decode(
        &mut self,
        body: Vec<u8>,
        codings: &[Coding],
        is_json: bool,
        signals: Signals,
        now: Instant,
    ) -> Result<(Vec<Record>, u64, String), Problem> {
        let body = Bytes::from(body::expanded(body, codings, self.expanded)?);
        let malformed = |why: &dyn std::fmt::Display| Problem::new(StatusCode::BAD_REQUEST, why.to_string());
        let origin = Origin { path: Label::new("telemetry"), offset: self.offset, modified: now };
        self.offset += 1;
        let mut records = Vec::new();
        let refused = if is_json {
            let read = self.telemetry.json(&body, &origin, &mut records).map_err(|error| malformed(&error))?;
            read.ok_or_else(|| malformed(&"expected resourceSpans, resourceLogs or resourceMetrics"))?
        } else {
            let export = match signals {
                Signals::Logs => Ok(None),
                Signals::Traces => protobuf::spans(body.clone()).map(Some),
                Signals::Metrics => protobuf::metrics(body.clone()).map(Some),
            };
            let read = match export.map_err(|error| malformed(&error))? {
                Some(export) => self.telemetry.export(&export, &body, &origin, &mut records),
                None => self.telemetry.protobuf_logs(&body, &origin, &mut records),
            };
            read.ok_or_else(|| malformed(&"not a message of log records"))?
        };
        self.owner.own(&mut records);
        self.projects.fold(&mut records);
        Ok((records, refused.count, refused.why.map(|why| why.to_string()).unwrap_or_default()))
    }
}
