//! Plays calls to the ledger thread as if they were made now: for the demo and `replay`.

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

/// Plays the steps on a thread, `speed` times as fast as they happened. Each call gets the time at which it is played.
pub(crate) fn start(
    steps: Steps,
    speed: u32,
    work: mpsc::WeakSender<LedgerMessage>,
    clock: impl Fn() -> Instant + Send + 'static,
) {
    let play = move || {
        steps(&mut |Step { after, mut call }| {
            let pause = after.to_std().unwrap_or_default() / speed.max(1);
            thread::sleep(pause.min(LONGEST));
            call.from.at = clock();
            // The ledger thread is gone: stop.
            let Some(work) = work.upgrade() else { return false };
            work.blocking_send(LedgerMessage::Ingest(event(vec![Record::Call(call)]))).is_ok()
        });
    };
    // If no thread can be started, there is no playback.
    let _ = thread::Builder::new().name("playback".into()).spawn(play);
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
    Event::ReadBatch(Box::new(ReadBatch {
        path: Label::new("demo"),
        records,
        file: None,
        bad: Vec::new(),
        unknown: Vec::new(),
        tallies: Tallies::default(),
    }))
}
