//! The record of a call in progress. However the call ends, it is handed in exactly once to be booked. In case the
//! proxy is killed, the call is written to the journal before its request is sent, and again whenever the response has
//! doubled in size.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};

use super::admission::HoldId;
use super::booking::{BookingHandle, Finished};
use super::count::About;
use super::request::Sent;
use super::response_reader::{ResponseReader, Seen};

/// How long to wait before trying again to note a call: at first, because another one is being written to the journal,
/// and at most, while the disk is slow or full.
const AGAIN: (Duration, Duration) = (Duration::from_millis(1), Duration::from_secs(1));

pub(super) struct CallRecord {
    /// Reads the response, once there is one.
    meter: Option<ResponseReader>,
    about: About,
    /// The request as it was sent.
    sent: Arc<Sent>,
    hold: Option<HoldId>,
    booking: BookingHandle,
    began: std::time::Instant,
    state: State,
    /// True if it may have been written to the journal as a call under way.
    is_noted: bool,
    /// Number of chunks of the response, and the size of the response when it was last noted.
    chunks: u64,
    noted: u64,
    /// The proxy does not exit while this is alive.
    _alive: mpsc::Sender<()>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    /// Nothing has been sent upstream, so nothing is charged.
    Unsent,
    /// The request has been sent upstream.
    Sent,
    /// The call was handed in when it had this many events with usage.
    HandedIn(u64),
}

impl CallRecord {
    pub(super) fn new(
        about: About,
        sent: Arc<Sent>,
        booking: BookingHandle,
        alive: mpsc::Sender<()>,
        began: std::time::Instant,
    ) -> Self {
        Self {
            meter: None,
            about,
            sent,
            hold: None,
            booking,
            began,
            state: State::Unsent,
            is_noted: false,
            chunks: 0,
            noted: 0,
            _alive: alive,
        }
    }

    /// Sets the amount held for it.
    pub(super) fn holds(&mut self, hold: Option<HoldId>) {
        self.hold = hold;
    }

    /// Called just before the request, whose body has this announced length, is sent upstream. The call is noted first, so
    /// that no upstream has a call that a killed proxy's journal lacks. If the disk is slow or full, the request does not
    /// wait for it: the returned future notes the call while the upstream works.
    pub(super) fn sends(&mut self, length: Option<u64>) -> Option<impl Future<Output = ()> + use<>> {
        self.state = State::Sent;
        self.is_noted = true;
        let (mut wait, most) = AGAIN;
        let (sent, booking, hold) = (Arc::clone(&self.sent), self.booking.clone(), self.hold);
        let about = self.about.clone();
        let note = move || {
            let (facts, bytes) = sent.facts_so_far();
            let about = About { facts, bytes: bytes.max(length.unwrap_or(0)), ..about.clone() };
            booking.note(&Seen::default(), &about, hold)
        };
        if note() {
            return None;
        }
        Some(async move {
            while !note() {
                tokio::time::sleep(wait).await;
                wait = most.min(wait * 2);
            }
        })
    }

    /// Called when nothing was charged.
    pub(super) fn is_free(&mut self) {
        self.state = State::Unsent;
    }

    /// Called when the response starts.
    pub(super) fn answers(&mut self, meter: ResponseReader, request: Option<String>) {
        self.meter = Some(meter);
        self.about.request = request;
    }

    /// Reads a part of the response. Returns true once its end has been seen.
    pub(super) fn feed(&mut self, chunk: &[u8]) -> bool {
        let Some(meter) = &mut self.meter else { return false };
        meter.feed(chunk);
        let is_whole = meter.is_whole();
        self.chunks += 1;
        // The first chunk is often the whole response.
        if self.state == State::Sent && !is_whole && self.chunks > 1 && meter.bytes() / 2 >= self.noted {
            self.note();
        }
        is_whole
    }

    /// Notes in the journal what has arrived so far.
    fn note(&mut self) {
        let Some(meter) = &mut self.meter else { return };
        let (seen, bytes) = (meter.seen(), meter.bytes());
        if self.booking.note(&seen, &self.about_so_far(), self.hold) {
            self.noted = bytes;
        }
    }

    fn about_so_far(&self) -> About {
        let (facts, bytes) = self.sent.facts_so_far();
        About { latency: self.began.elapsed(), facts, bytes, ..self.about.clone() }
    }

    /// Number of bytes of the response received.
    pub(super) fn bytes(&self) -> u64 {
        self.meter.as_ref().map_or(0, ResponseReader::bytes)
    }

    /// True once it has been handed in, and nothing read since changes it.
    pub(super) fn is_handed_in(&self) -> bool {
        match self.state {
            State::HandedIn(usage) => self.meter.as_ref().is_none_or(|meter| meter.usage_events() == usage),
            State::Unsent | State::Sent => false,
        }
    }

    /// Hands in the call to be booked. It is then on disk, or the returned receiver completes when it is.
    pub(super) fn hand_in(&mut self) -> Option<oneshot::Receiver<()>> {
        if self.is_handed_in() {
            return None;
        }
        if self.state == State::Unsent {
            let hold = self.hold.take();
            if hold.is_some() || self.is_noted {
                let _ = self.booking.hand_in(Finished::Nothing { id: self.about.id.clone(), hold });
            }
            self.state = State::HandedIn(0);
            return None;
        }
        let usage = self.meter.as_ref().map_or(0, ResponseReader::usage_events);
        self.state = State::HandedIn(usage);
        let seen = self.meter.as_mut().map_or_else(Seen::default, ResponseReader::seen);
        let about = Box::new(self.about_so_far());
        self.booking.hand_in(Finished::Answered { seen, about, hold: self.hold.take() })
    }
}

impl Drop for CallRecord {
    fn drop(&mut self) {
        self.hand_in();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::journals;
    use crate::server::proxy::admission::Protocol;
    use crate::server::proxy::booking::{Books, Setup};
    use crate::server::proxy::count::tests::about;
    use crate::server::proxy::facts::Scan;
    use crate::server::proxy::unpack::Unpack;

    #[test]
    fn a_call_is_in_the_journal_before_its_request_is_sent() {
        let folder = tempfile::tempdir().unwrap();
        let spool = folder.path().join("spool.jsonl");
        let (deliver, _deliveries) = mpsc::channel(1);
        let setup = Setup { deliver, folder: Some((folder.path().to_owned(), spool)), memory: Arc::default() };
        let books = Books::open(setup).unwrap();
        let sent = Arc::new(Sent::new(Scan::new(Unpack::Plain, None), false, Arc::default(), 0));
        let now = std::time::Instant::now();
        let booking = books.handle().unwrap();
        let mut record = CallRecord::new(about(Protocol::Chat), sent, booking, mpsc::channel(1).0, now);
        // Nothing of the response is polled: the request would be sent after this.
        assert!(record.sends(Some(400)).is_none());
        let journal: String =
            journals(folder.path()).iter().map(|path| std::fs::read_to_string(path).unwrap()).collect();
        assert!(journal.starts_with(r#"{"began":"c1""#) && journal.contains(r#"\"input_tokens\":100"#), "{journal}");
        record.is_free();
    }
}
