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

#[cfg(test)]
mod tests {
    use std::io::Write as _;
    use std::time::Instant;

    use super::*;
    use crate::ingest::Event;

    /// Appends a line every two milliseconds for a while; how many reads found any, and how long it took until all were
    /// found.
    fn reads_of(file: &mut std::fs::File, inbox: &mut mpsc::Receiver<LedgerMessage>, from: usize) -> (u128, Duration) {
        const LINES: usize = 200;
        let start = Instant::now();
        for id in from..from + LINES {
            let line =
                format!("{{\"ts\":\"2026-11-28T10:00:00Z\",\"id\":\"{id}\",\"model\":\"m\",\"input_tokens\":1}}\n");
            file.write_all(line.as_bytes()).unwrap();
            std::thread::sleep(Duration::from_millis(2));
        }
        let (mut reads, mut found) = (0, 0);
        while found < LINES {
            let Some(message) = inbox.blocking_recv() else { panic!("the reader has ended") };
            if let LedgerMessage::Ingest(Event::ReadBatches(batches)) = message {
                reads += 1;
                found += batches.iter().map(|batch| batch.records.len()).sum::<usize>();
            }
        }
        (reads, start.elapsed())
    }

    #[test]
    fn the_time_between_two_frames_reaches_the_reader_and_stays_when_it_starts_again() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.jsonl");
        let mut file = std::fs::File::options().create(true).append(true).open(&path).unwrap();
        let roots = Roots { native: vec![path], ..Roots::default() };
        let (control, orders) = mpsc::unbounded_channel();
        let (work, mut inbox) = mpsc::channel(4096);
        let reader = std::thread::spawn(move || run(&roots, &Options::default(), Vec::new(), orders, &work));
        let frame = Duration::from_secs(1);
        control.send(Control::Pace(frame)).unwrap();
        let caught_up = |inbox: &mut mpsc::Receiver<LedgerMessage>| {
            while !matches!(inbox.blocking_recv(), Some(LedgerMessage::Ingest(Event::CaughtUp)) | None) {}
        };
        caught_up(&mut inbox);
        for from in [0, 200] {
            let (reads, took) = reads_of(&mut file, &mut inbox, from);
            let most = took.as_micros() / frame.as_micros() + 2;
            assert!(reads <= most, "{reads} reads in {took:?}");
            if from == 0 {
                // Without checkpoints it reads again what it has read, which is not counted.
                control.send(Control::Restart(Vec::new())).unwrap();
                caught_up(&mut inbox);
            }
        }
        control.send(Control::Stop).unwrap();
        reader.join().unwrap();
    }
}
