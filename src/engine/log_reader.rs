//! Follows the logs while the screen is open, and restarts on request.

use tokio::sync::mpsc;

use super::inbox::LedgerMessage;
use crate::ingest::{self, Options, Roots, Tails};
use crate::ledger::Checkpoint;

/// Messages to the log reader.
pub(crate) enum Control {
    /// Read everything again that these checkpoints do not cover.
    Restart(Vec<Checkpoint>),
    Stop,
}

/// Follows the logs and forwards events to the ledger thread until stopped.
pub(crate) fn run(
    roots: &Roots,
    options: &Options,
    files: Vec<Checkpoint>,
    mut control: mpsc::UnboundedReceiver<Control>,
    work: &mpsc::Sender<LedgerMessage>,
) {
    // Waits on two channels only: needs neither timers nor I/O.
    let Ok(runtime) = tokio::runtime::Builder::new_current_thread().build() else { return };
    let threads = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let mut next = Some(files);
    while let Some(files) = next.take() {
        let mut tails = Tails::new(roots, options.clone());
        if threads > 1 {
            tails.look_ahead();
        }
        tails.resume(files);
        let Ok((follower, mut events)) = ingest::follow(tails, threads) else { return };
        runtime.block_on(async {
            loop {
                tokio::select! {
                    biased;
                    told = control.recv() => {
                        if let Some(Control::Restart(files)) = told {
                            next = Some(files);
                        }
                        return;
                    }
                    event = events.recv() => {
                        let Some(event) = event else { return };
                        if work.send(LedgerMessage::Ingest(event)).await.is_err() {
                            return;
                        }
                    }
                }
            }
        });
        // The follower ends once the receiver is gone.
        drop(events);
        follower.join();
    }
}
