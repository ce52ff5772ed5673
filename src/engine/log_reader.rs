//! Follows the logs while the screen is open, and restarts on request.

use std::time::Duration;

use tokio::sync::mpsc;

use super::inbox::LedgerMessage;
use crate::ingest::{self, Options, Roots, Tails};
use crate::ledger::Checkpoint;

/// Messages to the log reader.
pub(crate) enum Control {
    /// Read everything again that these checkpoints do not cover.
    Restart(Vec<Checkpoint>),
    /// The interface has set the time between two of its frames.
    Pace(Duration),
    Stop,
}

/// Follows the logs until stopped. Its events go to the ledger thread.
pub(crate) fn run(
    roots: &Roots,
    options: &Options,
    files: Vec<Checkpoint>,
    mut control: mpsc::UnboundedReceiver<Control>,
    work: &mpsc::Sender<LedgerMessage>,
) {
    let threads = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let (mut next, mut pace) = (Some(files), ingest::FRAME);
    while let Some(files) = next.take() {
        let mut tails = Tails::new(roots, options.clone());
        if threads > 1 {
            tails.look_ahead();
        }
        tails.resume(files);
        let work = work.clone();
        let emit = move |event| work.blocking_send(LedgerMessage::Ingest(event)).is_ok();
        let Ok(follower) = ingest::follow(tails, threads, emit) else { return };
        follower.set_pace(pace);
        while let Some(message) = control.blocking_recv() {
            match message {
                Control::Pace(frame) => {
                    pace = frame;
                    follower.set_pace(pace);
                }
                Control::Restart(files) => {
                    next = Some(files);
                    break;
                }
                Control::Stop => break,
            }
        }
        follower.join();
    }
}
