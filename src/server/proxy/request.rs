//! The body of a request on its way upstream: it is forwarded as it arrives, and read at the same time. If usage has to
//! be requested for a stream, that is inserted before the last brace.

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use hyper::body::{Body, Frame, Incoming, SizeHint};

use super::admission::Protocol;
use super::answers::Trouble;
use super::drain;
use super::facts::{Facts, Scan, UsageOption};
use super::upstream_quirks::UpstreamQuirks;

/// Requests usage for a stream of chat completions: as a member of the body, and of stream options that have other
/// members or none.
const ASK: &[u8] = br#","stream_options":{"include_usage":true}"#;
const ASK_ALSO: &[u8] = br#","include_usage":true"#;
const ASK_ONLY: &[u8] = br#""include_usage":true"#;
/// Number of bytes of a request kept, in order to send it again without that addition.
const KEPT: usize = 32 * 1024 * 1024;

/// A request that is being sent.
pub(super) struct Sent {
    known: Mutex<Known>,
    /// Which models reject requests for usage.
    memory: Arc<UpstreamQuirks>,
    /// Index of the upstream.
    upstream: usize,
}

#[derive(Default)]
struct Known {
    /// Reads the body until all of it has been received and its facts are known.
    scan: Option<Box<Scan>>,
    /// Facts from the body, and the number of bytes they are based on. Cached, because extracting them again would take
    /// as long.
    facts: Option<(Facts, u64)>,
    /// True if usage was requested.
    is_asked: bool,
    /// The body as received, as long as it may have to be sent again.
    kept: Option<(Vec<Bytes>, usize)>,
    /// True if all of it has been received.
    is_whole: bool,
    /// True if it is too long or too deep to be read to its end.
    gave_up: bool,
    /// True if a limit depends on the model.
    one_model: bool,
    /// Why a part was left out, with all that follows.
    cut: Option<Cut>,
}

/// A part of a body after which its model is not certain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Cut {
    /// It names another model.
    TwoModels,
    /// It cannot be read.
    Unreadable,
}

impl Sent {
    /// For a request of which nothing has been received yet.
    pub(super) fn new(scan: Scan, is_kept: bool, memory: Arc<UpstreamQuirks>, upstream: usize) -> Self {
        let kept = is_kept.then(Default::default);
        Self { known: Mutex::new(Known { scan: Some(Box::new(scan)), kept, ..Known::default() }), memory, upstream }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The facts so far, and the number of bytes received.
    pub(super) fn facts_so_far(&self) -> (Facts, u64) {
        self.lock().facts_so_far().cloned().unwrap_or_default()
    }

    /// The error if the body may name a model that cannot be read, or two of them.
    pub(super) fn hidden_model(&self) -> Option<Trouble> {
        let mut known = self.lock();
        let Some((facts, _)) = known.facts_so_far().cloned() else { return Some(Trouble::hidden_model()) };
        if facts.is_ambiguous {
            return Some(Trouble::two_models());
        }
        // Of a longer body, the rest is read while it is forwarded.
        let is_readable = facts.is_whole || (facts.model.is_some() && !known.is_whole && !known.gave_up);
        (!is_readable || facts.has_unread_model).then(Trouble::hidden_model)
    }

    /// From now on the body ends before a part that names another model or cannot be read.
    pub(super) fn allows_one_model(&self) {
        self.lock().one_model = true;
    }

    /// The error if the body ended before such a part.
    pub(super) fn cut(&self) -> Option<Trouble> {
        self.lock().cut.map(|cut| match cut {
            Cut::TwoModels => Trouble::two_models(),
            Cut::Unreadable => Trouble::hidden_model(),
        })
    }

    /// True when usage was requested on the client's behalf.
    pub(super) fn is_asked(&self) -> bool {
        self.lock().is_asked
    }

    /// The body as received, to be sent again; `None` if it is too long or incomplete.
    pub(super) fn again(&self) -> Option<VecDeque<Bytes>> {
        let mut known = self.lock();
        known.is_asked = false;
        if known.is_whole { known.kept.take().map(|(chunks, _)| chunks.into()) } else { None }
    }

    /// Called when a response has arrived: the body will not be sent again.
    pub(super) fn answered(&self) {
        self.lock().kept = None;
    }

    /// Called at the end of the body.
    fn ended(&self) {
        self.lock().is_whole = true;
    }

    /// Reads a chunk on its way, and requests usage at the end of the body.
    fn pass(&self, chunk: Bytes, may_ask: bool) -> Vec<Bytes> {
        let mut known = self.lock();
        let known = &mut *known;
        if let Some((chunks, bytes)) = &mut known.kept {
            *bytes += chunk.len();
            chunks.push(chunk.clone());
            if *bytes > KEPT {
                known.kept = None;
            }
        }
        let Some(scan) = &mut known.scan else { return vec![chunk] };
        let before = scan.bytes();
        let was_open = scan.end().is_none();
        scan.feed(&chunk);
        let end = scan.end();
        known.gave_up = scan.gave_up();
        if known.one_model {
            known.cut = known.cut.or_else(|| known.unsure_of_model());
            if known.cut.is_some() {
                return Vec::new();
            }
        }
        // The position of the last brace.
        let Some(brace) = end.filter(|_| was_open && may_ask).map(|end| end - 1) else { return vec![chunk] };
        let Some((facts, _)) = known.facts_so_far() else { return vec![chunk] };
        if !facts.wants_usage(Protocol::Chat) || self.memory.refuses(self.upstream, facts.model.as_deref()) {
            return vec![chunk];
        }
        let (at, ask) = match facts.usage {
            UsageOption::Unsaid { end, is_empty: false } => (end, ASK_ALSO),
            UsageOption::Unsaid { end, is_empty: true } => (end, ASK_ONLY),
            UsageOption::Missing | UsageOption::Said => (brace, ASK),
        };
        // Stream options may have been passed on before.
        let at = at.checked_sub(before).and_then(|at| usize::try_from(at).ok());
        let Some(at) = at.filter(|at| *at < chunk.len()) else { return vec![chunk] };
        known.is_asked = true;
        vec![chunk.slice(..at), Bytes::from_static(ask), chunk.slice(at..)]
    }
}

impl Known {
    /// Why the model is no longer certain.
    fn unsure_of_model(&mut self) -> Option<Cut> {
        let gave_up = self.gave_up;
        let facts = self.facts_so_far().map(|(facts, _)| facts);
        if facts.is_some_and(|facts| facts.is_ambiguous) {
            return Some(Cut::TwoModels);
        }
        // A body that is sent in parts has named its model by then.
        let is_readable = !gave_up && facts.is_some_and(|facts| facts.model.is_some());
        (!is_readable).then_some(Cut::Unreadable)
    }

    fn facts_so_far(&mut self) -> Option<&(Facts, u64)> {
        if let Some(scan) = &self.scan {
            if self.facts.as_ref().is_none_or(|(_, bytes)| *bytes != scan.bytes()) {
                self.facts = Some((scan.facts(), scan.bytes()));
            }
            if self.is_whole {
                self.scan = None;
            }
        }
        self.facts.as_ref()
    }
}

/// A request's body.
pub(super) struct Outgoing {
    ready: VecDeque<Bytes>,
    rest: Option<Incoming>,
    sent: Option<Arc<Sent>>,
    may_ask: bool,
    trailers: Option<Frame<Bytes>>,
}

impl Outgoing {
    /// The body that is being received.
    pub(super) fn new(rest: Incoming, sent: Arc<Sent>, may_ask: bool) -> Self {
        let mut outgoing = Self { ready: VecDeque::new(), rest: Some(rest), sent: Some(sent), may_ask, trailers: None };
        outgoing.note_end();
        outgoing
    }

    /// A body that need not be read.
    pub(super) fn unread(rest: Incoming) -> Self {
        let mut outgoing =
            Self { ready: VecDeque::new(), rest: Some(rest), sent: None, may_ask: false, trailers: None };
        outgoing.note_end();
        outgoing
    }

    /// A body that was received earlier.
    pub(super) fn again(ready: VecDeque<Bytes>) -> Self {
        Self { ready, rest: None, sent: None, may_ask: false, trailers: None }
    }

    /// True once all of it has been received.
    pub(super) fn is_whole(&self) -> bool {
        self.rest.is_none()
    }

    /// Number of bytes received but not sent.
    pub(super) fn waiting(&self) -> usize {
        self.ready.iter().map(Bytes::len).sum()
    }

    /// Waits for the next part. Returns false if nothing more comes.
    pub(super) async fn gather(&mut self) -> Result<bool, hyper::Error> {
        std::future::poll_fn(|context| self.poll_rest(context)).await
    }

    fn poll_rest(&mut self, context: &mut Context<'_>) -> Poll<Result<bool, hyper::Error>> {
        let Some(rest) = &mut self.rest else { return Poll::Ready(Ok(false)) };
        match ready!(Pin::new(rest).poll_frame(context)).transpose()? {
            None => self.end(),
            Some(frame) => match frame.into_data() {
                Ok(chunk) => {
                    match &self.sent {
                        Some(sent) => self.ready.extend(sent.pass(chunk, self.may_ask)),
                        None => self.ready.push_back(chunk),
                    }
                    if self.is_cut() {
                        if let Some(rest) = self.rest.take() {
                            drain::body(rest);
                        }
                    } else {
                        self.note_end();
                    }
                }
                Err(trailers) => self.trailers = Some(trailers),
            },
        }
        Poll::Ready(Ok(true))
    }

    /// True if it ends before a part that must not be sent.
    fn is_cut(&self) -> bool {
        self.sent.as_ref().is_some_and(|sent| sent.lock().cut.is_some())
    }

    fn note_end(&mut self) {
        if self.rest.as_ref().is_some_and(Body::is_end_stream) {
            self.end();
        }
    }

    fn end(&mut self) {
        self.rest = None;
        if let Some(sent) = &self.sent {
            sent.ended();
        }
    }
}

impl Drop for Outgoing {
    /// The upstream answered before the whole body was sent.
    fn drop(&mut self) {
        if let Some(rest) = self.rest.take() {
            drain::body(rest);
        }
    }
}

impl Body for Outgoing {
    type Data = Bytes;
    type Error = Box<dyn std::error::Error + Send + Sync>;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        loop {
            if let Some(chunk) = self.ready.pop_front() {
                if !chunk.is_empty() {
                    return Poll::Ready(Some(Ok(Frame::data(chunk))));
                }
                continue;
            }
            if self.is_cut() {
                // The upstream must not take it for a complete body.
                return Poll::Ready(Some(Err("the rest of the body may name another model".into())));
            }
            if self.rest.is_none() {
                return Poll::Ready(self.trailers.take().map(Ok));
            }
            ready!(self.poll_rest(context))?;
        }
    }

    fn is_end_stream(&self) -> bool {
        self.rest.is_none() && self.ready.iter().all(Bytes::is_empty) && self.trailers.is_none() && !self.is_cut()
    }

    fn size_hint(&self) -> SizeHint {
        let waiting = self.waiting() as u64;
        let rest = match &self.rest {
            // Only a body whose length is not stated can have trailers.
            None if self.trailers.is_some() => None,
            None => Some(0),
            // The request for usage makes it longer.
            Some(_) if self.may_ask => None,
            Some(rest) => rest.size_hint().exact(),
        };
        rest.map_or_else(SizeHint::default, |rest| SizeHint::with_exact(waiting + rest))
    }
}

#[cfg(test)]
mod tests;
