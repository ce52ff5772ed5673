//! Plays calls to the ledger thread as they were made: for the demo and `replay`.

use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use tokio::sync::mpsc;

use super::demo::{self, Scene, Step};
use super::inbox::LedgerMessage;
use crate::domain::{Instant, Label, Record, Zone};
use crate::ingest::{Event, ReadBatch, Tallies};

/// Longest pause during playback.
const LONGEST: Duration = Duration::from_secs(4);
/// Yields steps one by one, until the callback returns false.
pub(crate) type Steps = Box<dyn FnOnce(&mut dyn FnMut(Step) -> bool) + Send>;

/// Steps from a list.
pub(crate) fn listed(steps: Vec<Step>) -> Steps {
    Box::new(|play| _ = steps.into_iter().all(play))
}

/// Plays the steps on a thread, `speed` times as fast as they happened. Each call gets the time that the clock shows.
pub(crate) fn start(
    steps: Steps,
    speed: u32,
    work: mpsc::WeakSender<LedgerMessage>,
    clock: impl Fn() -> Instant + Send + 'static,
) {
    let play = move || {
        steps(&mut |Step { after, mut call }| {
            thread::sleep(pause(after.to_std().unwrap_or_default(), speed));
            call.from.at = clock();
            // The ledger thread is gone: stop.
            let Some(work) = work.upgrade() else { return false };
            work.blocking_send(LedgerMessage::Ingest(event(vec![Record::Call(call)]))).is_ok()
        });
    };
    // If no thread can be started, there is no playback.
    let _ = thread::Builder::new().name("playback".into()).spawn(play);
}

/// A clock that shows the times of the calls that are played back, and runs on between them.
#[derive(Clone)]
pub(crate) struct LogClock(Arc<Mutex<Shown>>);

/// What a [`LogClock`] shows from some moment on.
struct Shown {
    from: Instant,
    since: std::time::Instant,
    /// How long it runs, and how long that takes.
    length: Duration,
    takes: Duration,
}

impl LogClock {
    /// A clock that stands at the time of the first call.
    pub(crate) fn new(first: Instant) -> Self {
        let since = std::time::Instant::now();
        Self(Arc::new(Mutex::new(Shown { from: first, since, length: Duration::ZERO, takes: Duration::ZERO })))
    }

    /// The current time.
    pub(crate) fn now(&self) -> Instant {
        let shown = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (passed, takes) = (shown.since.elapsed().as_nanos(), shown.takes.as_nanos());
        let part = shown.length.as_nanos().saturating_mul(passed.min(takes)).checked_div(takes);
        let part = part.map_or(shown.length, |part| Duration::from_nanos(u64::try_from(part).unwrap_or(u64::MAX)));
        chrono::Duration::from_std(part).ok().and_then(|part| shown.from.checked_add_signed(part)).unwrap_or(shown.from)
    }

    /// Runs to the time of the next call, while its pause lasts.
    pub(crate) fn run_to(&self, next: Instant, speed: u32) {
        let from = self.now();
        let length = (next - from).to_std().unwrap_or_default();
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) =
            Shown { from, since: std::time::Instant::now(), length, takes: pause(length, speed) };
    }

    /// Runs on in real time, after the last call.
    pub(crate) fn run_on(&self) {
        let from = self.now();
        let length = Duration::from_secs(366 * 24 * 3600);
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) =
            Shown { from, since: std::time::Instant::now(), length, takes: length };
    }
}

/// The pause before a call that came this long after the one before it.
fn pause(after: Duration, speed: u32) -> Duration {
    (after / speed.max(1)).min(LONGEST)
}

/// Adds the demo's earlier calls and plays the rest.
pub(crate) fn start_demo(work: mpsc::WeakSender<LedgerMessage>, zone: Zone, user: &Label, now: Instant) {
    let Scene { before, after } = demo::scene(now, zone, user);
    let shown = before.into_iter().map(Record::Call).collect();
    if let Some(work) = work.upgrade() {
        // This runs on the ledger thread itself, which must not block. If its queue is full, the demo starts with the
        // next call.
        let _ = work.try_send(LedgerMessage::Ingest(event(shown)));
    }
    let began = std::time::Instant::now();
    let clock = move || now + chrono::Duration::from_std(began.elapsed()).unwrap_or_default();
    start(listed(after), 20, work, clock);
}

fn event(records: Vec<Record>) -> Event {
    Event::ReadBatches(vec![ReadBatch {
        path: Label::new("demo"),
        records,
        file: None,
        bad: Vec::new(),
        unknown: Vec::new(),
        tallies: Tallies::default(),
    }])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_clock_of_a_log_reaches_each_call_in_its_pause_and_never_goes_beyond_it() {
        let at = |text: &str| text.parse::<Instant>().unwrap();
        let (first, next) = (at("2026-11-18T09:00:00Z"), at("2026-11-18T17:00:00Z"));
        let clock = LogClock::new(first);
        assert_eq!(clock.now(), first);
        clock.run_to(at("2026-11-18T09:00:01Z"), 1_000_000);
        thread::sleep(pause(Duration::from_secs(1), 1_000_000));
        assert_eq!(clock.now(), at("2026-11-18T09:00:01Z"));
        // A long pause is cut short, and the clock runs through all of it.
        clock.run_to(next, 1);
        assert!(clock.now() < next);
        clock.0.lock().unwrap().since -= LONGEST;
        assert_eq!(clock.now(), next);
        clock.run_to(first, 1);
        assert_eq!(clock.now(), next, "it is never set back");
        clock.run_on();
        assert!(clock.now() >= next && clock.now() < next + chrono::Duration::minutes(10));
    }
}
