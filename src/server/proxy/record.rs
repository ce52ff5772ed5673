//! The record of a call in progress. However the call ends, it is handed in exactly once to be booked.

use std::sync::Arc;

use tokio::sync::{mpsc, oneshot};

use super::admission::HoldId;
use super::booking::{BookingHandle, Finished};
use super::count::About;
use super::meter::{Meter, Seen};
use super::request::Sent;

pub(super) struct CallRecord {
    /// Reads the response, once there is one.
    meter: Option<Meter>,
    about: About,
    /// The request as it was sent.
    sent: Arc<Sent>,
    hold: Option<HoldId>,
    booking: BookingHandle,
    began: std::time::Instant,
    state: State,
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
        Self { meter: None, about, sent, hold: None, booking, began, state: State::Unsent, _alive: alive }
    }

    /// Sets the amount held for it.
    pub(super) fn holds(&mut self, hold: Option<HoldId>) {
        self.hold = hold;
    }

    /// Called when the request is sent upstream.
    pub(super) fn sends(&mut self) {
        self.state = State::Sent;
    }

    /// Called when nothing was charged.
    pub(super) fn is_free(&mut self) {
        self.state = State::Unsent;
    }

    /// Called when the response starts.
    pub(super) fn answers(&mut self, meter: Meter, request: Option<String>) {
        self.meter = Some(meter);
        self.about.request = request;
    }

    /// Reads a part of the response. Returns true once its end has been seen.
    pub(super) fn feed(&mut self, chunk: &[u8]) -> bool {
        self.meter.as_mut().is_some_and(|meter| {
            meter.feed(chunk);
            meter.is_whole()
        })
    }

    /// Number of bytes of the response received.
    pub(super) fn bytes(&self) -> u64 {
        self.meter.as_ref().map_or(0, Meter::bytes)
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
