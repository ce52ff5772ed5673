//! The body of a response on its way to the client. Every byte is passed on as it arrives, and a copy is read.

use std::collections::VecDeque;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::BodyExt as _;
use hyper::body::{Body, Frame, Incoming, SizeHint};
use tokio::sync::oneshot;
use tokio::time::Sleep;

use super::record::CallRecord;
use super::usage_chunk_filter::UsageChunkFilter;

/// Maximum time that the end of a response waits for the journal.
const JOURNAL: Duration = Duration::from_millis(50);
/// How long, and for how many bytes, a response is read after its client has disconnected.
const READ_ON: (Duration, u64) = (Duration::from_secs(2), 64 * 1024);

/// The body of a response.
pub(super) struct Relay {
    /// The body from upstream, until its end.
    upstream: Option<Incoming>,
    record: Option<Box<CallRecord>>,
    hide: Option<UsageChunkFilter>,
    ready: Ready,
    failed: Option<hyper::Error>,
    /// Set while waiting for the journal.
    wait: Option<Wait>,
}

/// Frames ready to be passed on.
#[derive(Default)]
struct Ready {
    /// There is rarely more than one.
    first: Option<Frame<Bytes>>,
    more: VecDeque<Frame<Bytes>>,
}

impl Ready {
    fn push(&mut self, frame: Frame<Bytes>) {
        if self.is_empty() {
            self.first = Some(frame);
        } else {
            self.more.push_back(frame);
        }
    }

    fn next(&mut self) -> Option<Frame<Bytes>> {
        self.first.take().or_else(|| self.more.pop_front())
    }

    fn is_empty(&self) -> bool {
        self.first.is_none() && self.more.is_empty()
    }
}

struct Wait {
    written: oneshot::Receiver<()>,
    timeout: Pin<Box<Sleep>>,
}

impl Relay {
    pub(super) fn new(upstream: Incoming, record: Option<Box<CallRecord>>, hide: Option<UsageChunkFilter>) -> Self {
        Self { upstream: Some(upstream), record, hide, ready: Ready::default(), failed: None, wait: None }
    }

    /// Hands in the call to be booked. Ready frames then wait until it is on disk.
    fn hand_in(&mut self) {
        let Some(written) = self.record.as_mut().and_then(|record| record.hand_in()) else { return };
        self.wait = Some(Wait { written, timeout: Box::pin(tokio::time::sleep(JOURNAL)) });
    }

    fn take(&mut self, frame: Frame<Bytes>) {
        let data = match frame.into_data() {
            Ok(data) => data,
            Err(frame) => return self.ready.push(frame),
        };
        let is_whole = self.record.as_mut().is_some_and(|record| record.feed(&data));
        let shown = match &mut self.hide {
            Some(hide) => hide.feed(&data),
            None => data,
        };
        if !shown.is_empty() {
            self.ready.push(Frame::data(shown));
        }
        let is_over = self.upstream.as_ref().is_some_and(Body::is_end_stream);
        if is_over {
            self.end();
        } else if is_whole {
            self.hand_in();
        }
    }

    /// Called when nothing more follows.
    fn end(&mut self) {
        self.upstream = None;
        let rest = self.hide.as_mut().map(UsageChunkFilter::end).unwrap_or_default();
        if !rest.is_empty() {
            self.ready.push(Frame::data(rest));
        }
        self.hand_in();
    }
}

impl Body for Relay {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let this = &mut *self;
        loop {
            if let Some(wait) = &mut this.wait {
                let is_written = Pin::new(&mut wait.written).poll(context).is_ready();
                if !is_written && wait.timeout.as_mut().poll(context).is_pending() {
                    return Poll::Pending;
                }
                this.wait = None;
            }
            if let Some(frame) = this.ready.next() {
                return Poll::Ready(Some(Ok(frame)));
            }
            if let Some(error) = this.failed.take() {
                return Poll::Ready(Some(Err(error)));
            }
            let Some(upstream) = &mut this.upstream else { return Poll::Ready(None) };
            match ready!(Pin::new(upstream).poll_frame(context)) {
                Some(Ok(frame)) => this.take(frame),
                Some(Err(error)) => {
                    this.failed = Some(error);
                    this.end();
                }
                None => this.end(),
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.upstream.is_none() && self.ready.is_empty() && self.failed.is_none() && self.wait.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        match &self.upstream {
            Some(upstream) if self.hide.is_none() => upstream.size_hint(),
            _ => SizeHint::default(),
        }
    }
}

impl Drop for Relay {
    /// The client has disconnected. The rest of the response is read for a while, so that it counts.
    fn drop(&mut self) {
        let (Some(upstream), Some(record)) = (self.upstream.take(), self.record.take()) else { return };
        if record.is_handed_in() {
            return;
        }
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn(read_on(upstream, record));
        }
    }
}

/// Reads a response to its end, within bounds. Then its record is handed in.
async fn read_on(mut upstream: Incoming, mut record: Box<CallRecord>) {
    let (time, bytes) = READ_ON;
    let most = record.bytes().saturating_add(bytes);
    let _ = tokio::time::timeout(time, async {
        while let Some(Ok(frame)) = upstream.frame().await {
            let is_whole = frame.data_ref().is_some_and(|data| record.feed(data));
            if is_whole || record.bytes() > most {
                break;
            }
        }
    })
    .await;
}
