//! Reads many files in parallel, one thread per core, and emits batches on one thread.

use std::io;
use std::sync::atomic::Ordering;
use std::sync::{Mutex, PoisonError, mpsc};

use super::fs::Stat;
use super::line_splitter::LineSplitter;
use super::tail::{Reached, Tail, Tools};
use super::{Progress, ReadBatch};
use crate::domain::{sort_by, sort_by_key};
use crate::formats::{Decoder, FormatId};

/// Batches queued per thread: enough to keep readers busy, few enough to fit in memory.
const WAITING: usize = 4;
/// With fewer new bytes than this, threads cost more than they save.
const SMALL: u64 = 2 * 1024 * 1024;
/// Number of newest files per thread that are read first.
const FIRST: usize = 4;

/// A file, and its metadata when new data was found in it.
pub(super) type Job<'a> = (&'a mut Tail, Stat);

/// Sorts files into the order in which they are read.
///
/// Newest first, because those are the ones users look at, then largest first, so that no thread starts a large file
/// when the others are finishing. Or simply oldest first.
pub(super) fn arrange(jobs: &mut [Job<'_>], threads: usize, oldest_first: bool) {
    sort_by(jobs, |(one, seen), (other, then)| {
        then.modified_ns.cmp(&seen.modified_ns).then_with(|| one.id().cmp(&other.id()))
    });
    if oldest_first {
        jobs.reverse();
        return;
    }
    let rest = jobs.len().min(FIRST * threads.max(1));
    sort_by_key(&mut jobs[rest..], |(tail, stat)| std::cmp::Reverse(todo(tail, stat)));
}

/// Number of new bytes in a file.
fn todo(tail: &Tail, stat: &Stat) -> u64 {
    stat.size.saturating_sub(tail.state.offset)
}

/// Bytes read before a thread sends its batches. Waking the receiver for every small file would cost more than reading
/// it.
const TOGETHER: u64 = 2 * 1024 * 1024;

/// Messages from a reader thread.
enum Message {
    ReadBatch(ReadBatch),
    Done(usize, io::Result<Reached>),
}

/// Reads these files to the end. Returns how each read ended, in order.
///
/// The first `keep` files stay open.
pub(super) fn read_all(
    jobs: Vec<Job<'_>>,
    tools: &mut Tools,
    threads: usize,
    keep: usize,
    sink: &mut dyn FnMut(ReadBatch, Progress),
) -> Vec<io::Result<Reached>> {
    let bytes: Vec<u64> = jobs.iter().map(|(tail, stat)| todo(tail, stat)).collect();
    let mut progress = Progress { files: jobs.len() as u64, bytes: bytes.iter().sum(), ..Progress::default() };
    let first = FIRST * threads.max(1);
    let keep = keep.min(first);
    let threads = if progress.bytes < SMALL { 1 } else { threads.clamp(1, jobs.len()) };
    if threads == 1 {
        let read = |(at, (tail, _)): (usize, Job<'_>)| {
            if tools.is_stopping() {
                return Ok(Reached::More);
            }
            let end = read_to_end(tail, tools, at < keep, &mut |batch| {
                progress.bytes_done += batch.tallies.bytes;
                sink(batch, progress);
            });
            progress.files_done += 1;
            end
        };
        return jobs.into_iter().enumerate().map(read).collect();
    }
    let mut ends: Vec<io::Result<Reached>> = bytes.iter().map(|_| Ok(Reached::More)).collect();
    // Held only to take the next file, never while reading.
    let queue = Mutex::new(jobs.into_iter().enumerate());
    let (say, hear) = mpsc::sync_channel(WAITING * threads);
    let shared = &*tools;
    std::thread::scope(|scope| {
        for _ in 0..threads {
            let (say, queue) = (say.clone(), &queue);
            let mut tools = shared.again();
            let work = move || {
                let (mut unsent, mut bytes) = (Vec::new(), 0);
                // The receiver is only gone if this scope is unwinding.
                let tell = |unsent: &mut Vec<Message>, bytes: &mut u64| {
                    *bytes = 0;
                    let _ = say.send(std::mem::take(unsent));
                };
                while !tools.is_stopping() {
                    let next = queue.lock().unwrap_or_else(PoisonError::into_inner).next();
                    let Some((at, (tail, _))) = next else { break };
                    let end = read_to_end(tail, &mut tools, at < keep, &mut |batch| {
                        bytes += batch.tallies.bytes;
                        unsent.push(Message::ReadBatch(batch));
                        if bytes >= TOGETHER {
                            tell(&mut unsent, &mut bytes);
                        }
                    });
                    unsent.push(Message::Done(at, end));
                    if at < first {
                        tell(&mut unsent, &mut bytes);
                    }
                }
                tell(&mut unsent, &mut bytes);
            };
            // If no thread can be started, the caller reads the files one by one.
            let _ = std::thread::Builder::new().name("reader".to_owned()).spawn_scoped(scope, work);
        }
        drop(say);
        for message in hear.into_iter().flatten() {
            match message {
                Message::ReadBatch(batch) => {
                    progress.bytes_done += batch.tallies.bytes;
                    sink(batch, progress);
                }
                Message::Done(at, end) => {
                    progress.files_done += 1;
                    ends[at] = end;
                }
            }
        }
    });
    ends
}

fn read_to_end(tail: &mut Tail, tools: &mut Tools, keep: bool, hand: &mut dyn FnMut(ReadBatch)) -> io::Result<Reached> {
    loop {
        let reached = tail.read(tools, hand)?;
        if !matches!(reached, Reached::More | Reached::Busy) || tools.is_stopping() {
            if !keep {
                tail.close();
            }
            return Ok(reached);
        }
    }
}

impl Tools {
    /// True once reading should stop.
    pub(crate) fn is_stopping(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }

    /// A fresh decoder for a file that knows only the file's format, if even that.
    pub(super) fn decoder(&self, format: Option<FormatId>) -> Decoder {
        let only: Vec<&str> = self.only.iter().map(String::as_str).collect();
        format.map_or_else(|| Decoder::new(&only), |format| Decoder::of_format(format, &only))
    }

    /// The same tools with their own buffer, for another thread.
    fn again(&self) -> Self {
        Self {
            fs: self.fs.clone(),
            splitter: LineSplitter::new(self.splitter.longest()),
            only: self.only.clone(),
            owner: self.owner.clone(),
            projects: self.projects.clone(),
            stop: self.stop.clone(),
            patience: self.patience,
            is_live: self.is_live,
        }
    }
}
