//! The record of one call while it is made: whatever ends it, it is handed to the books once.

use std::sync::Arc;

use tokio::sync::{mpsc, oneshot};

use super::admission::HoldId;
use super::booking::{BookingHandle, Finished};
use super::count::About;
use super::meter::{Meter, Seen};
use super::request::Sent;

/// The record of one call.
pub(super) struct CallRecord {
    /// Reads the answer, once there is one.
    meter: Option<Meter>,
    about: About,
    /// The request as it was sent.
    sent: Arc<Sent>,
    hold: Option<HoldId>,
    booking: BookingHandle,
    began: std::time::Instant,
    state: State,
    /// While this lives the proxy does not end.
    _alive: mpsc::Sender<()>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    /// Nothing went upstream: nothing is charged.
    Unsent,
    /// The request went upstream.
    Sent,
    /// The call was handed in, with this many events with usage.
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
        Self { meter: None, about, sent, hold: None, booking, began, state: State::Unsent, _alive: alive }
    }

    /// The amount held for it.
    pub(super) fn holds(&mut self, hold: Option<HoldId>) {
        self.hold = hold;
    }

    /// The request goes upstream.
    pub(super) fn sends(&mut self) {
        self.state = State::Sent;
    }

    /// Nothing was charged.
    pub(super) fn is_free(&mut self) {
        self.state = State::Unsent;
    }

    /// The answer begins.
    pub(super) fn answers(&mut self, meter: Meter, request: Option<String>) {
        self.meter = Some(meter);
        self.about.request = request;
    }

    /// Reads a part of the answer; true once its end was seen.
    pub(super) fn feed(&mut self, chunk: &[u8]) -> bool {
        self.meter.as_mut().is_some_and(|meter| {
            meter.feed(chunk);
            meter.is_whole()
        })
    }

    /// Bytes of the answer that arrived.
    pub(super) fn bytes(&self) -> u64 {
        self.meter.as_ref().map_or(0, Meter::bytes)
    }

    /// True once it was handed in and nothing was read since that changes it.
    pub(super) fn is_handed_in(&self) -> bool {
        match self.state {
            State::HandedIn(usage) => self.meter.as_ref().is_none_or(|meter| meter.usage_events() == usage),
            State::Unsent | State::Sent => false,
        }
    }

    /// Hands the call to the books. It is then on disk, or the receiver is told when it is.
    pub(super) fn hand_in(&mut self) -> Option<oneshot::Receiver<()>> {
        if self.is_handed_in() {
            return None;
        }
        if self.state == State::Unsent {
            if let Some(hold) = self.hold.take() {
                let _ = self.booking.hand_in(Finished::Nothing(hold));
            }
            self.state = State::HandedIn(0);
            return None;
        }
        let usage = self.meter.as_ref().map_or(0, Meter::usage_events);
        self.state = State::HandedIn(usage);
        let seen = self.meter.as_mut().map_or_else(Seen::default, Meter::seen);
        let (facts, bytes) = self.sent.facts_so_far();
        let about = About { latency: self.began.elapsed(), facts, bytes, ..self.about.clone() };
        self.booking.hand_in(Finished::Answered { seen, about: Box::new(about), hold: self.hold.take() })
    }
}

impl Drop for CallRecord {
    fn drop(&mut self) {
        self.hand_in();
    }
}
