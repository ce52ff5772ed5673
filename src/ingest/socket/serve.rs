//! Serves the socket: accepts connections, replies to lines, and shuts down cleanly.

use std::cell::{Cell, RefCell};
use std::io;
use std::rc::Rc;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use tokio::net::{UnixListener, UnixStream};
use tokio::sync::{Notify, watch};
use tokio::task::{JoinHandle, LocalSet};
use tokio::time::Instant;

use super::bind::{Bound, bind};
use super::connection::{Activity, Connection};
use super::tally::{Tally, more};
use super::{CONNECTION_CAP, Deliver, Rules, Shared};
use crate::ingest::Reply;

/// Interval at which the socket's path is checked.
const WATCH: Duration = Duration::from_secs(4);
/// Delay before checking again for room.
const REST: Duration = Duration::from_millis(50);
/// How long shutdown waits for a reply of the ledger, and how long it may take in all if clients go on sending.
const END: (Duration, Duration) = (Duration::from_secs(3), Duration::from_secs(8));

/// A socket that is about to be served.
pub struct Listener {
    bound: Bound,
    rules: Rules,
    deliver: Deliver,
}

/// A socket served by its own thread.
pub struct Listening {
    thread: Option<thread::JoinHandle<()>>,
    stop: watch::Sender<bool>,
    tally: Arc<Tally>,
}

impl Listener {
    /// A server for a bound socket that sends deliveries to `deliver`.
    pub fn new(bound: Bound, rules: Rules, deliver: Deliver) -> Self {
        Self { bound, rules, deliver }
    }

    /// Starts serving.
    ///
    /// # Errors
    /// When the system cannot start a thread.
    pub fn start(self) -> io::Result<Listening> {
        let (stop, stopped) = watch::channel(false);
        let tally = Arc::new(Tally::default());
        let counted = Arc::clone(&tally);
        descriptors_of_a_runtime()?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_io().enable_time().build()?;
        let thread = thread::Builder::new().name("socket".into()).spawn(move || {
            LocalSet::new().block_on(&runtime, self.serve(stopped, counted));
        })?;
        Ok(Listening { thread: Some(thread), stop, tally })
    }

    async fn serve(mut self, mut stopped: watch::Receiver<bool>, tally: Arc<Tally>) {
        let mut guests = Guests::new(self.rules.idle);
        let Ok(mut listener) = listener_of(&self.bound) else { return };
        let mut look = tokio::time::interval(WATCH);
        let mut rests = false;
        loop {
            guests.count();
            let full = guests.are_full();
            // Clients beyond the limit wait in the system's backlog. They are not refused.
            let crowded = full && self.is_awaited() && guests.make_room(&tally);
            tokio::select! {
                biased;
                _ = stopped.changed() => break,
                accepted = listener.accept(), if !full && !rests => match accepted {
                    Ok((stream, _)) => self.admit(stream, &mut guests, &tally, &stopped),
                    // No descriptors are left until another connection or file is closed.
                    Err(_) => rests = true,
                },
                () = guests.left.notified(), if !guests.all.is_empty() => rests = false,
                () = tokio::time::sleep(REST), if rests || (full && !crowded) => rests = false,
                _ = look.tick() => {
                    if !self.bound.stands()
                        && let Ok(bound) = bind(&self.bound.path, self.rules.uid)
                        && let Ok(again) = listener_of(&bound)
                    {
                        (self.bound, listener) = (bound, again);
                        more(&tally.rebound);
                        tracing::warn!("the socket vanished and was bound again");
                    }
                }
            }
        }
        self.finish(guests, &tally, &stopped).await;
        self.bound.remove();
    }

    /// Serves all clients connected so far, including those waiting for room, and handles everything that they have
    /// sent.
    async fn finish(&self, mut guests: Guests, tally: &Arc<Tally>, stopped: &watch::Receiver<bool>) {
        // Each connection notices the shutdown and ends by itself, unless the ledger no longer replies.
        let began = Instant::now();
        let (silence, most) = END;
        loop {
            guests.count();
            while !guests.are_full()
                && let Ok((stream, _)) = self.bound.listener.accept()
            {
                if stream.set_nonblocking(true).is_ok()
                    && let Ok(stream) = UnixStream::from_std(stream)
                {
                    self.admit(stream, &mut guests, tally, stopped);
                }
            }
            let end = (guests.last_line().unwrap_or(began).max(began) + silence).min(began + most);
            if guests.all.is_empty() || Instant::now() >= end {
                return;
            }
            let _ = tokio::time::timeout_at(end, guests.left.notified()).await;
        }
    }

    /// True when a client is waiting in the backlog.
    fn is_awaited(&self) -> bool {
        use rustix::event::{PollFd, PollFlags, Timespec, poll};
        let mut waits = [PollFd::new(&self.bound.listener, PollFlags::IN)];
        poll(&mut waits, Some(&Timespec { tv_sec: 0, tv_nsec: 0 })).is_ok_and(|count| count > 0)
    }

    fn admit(&self, stream: UnixStream, guests: &mut Guests, tally: &Arc<Tally>, stopped: &watch::Receiver<bool>) {
        let peer = stream.peer_cred().map(|peer| peer.uid()).ok();
        if peer != Some(self.rules.uid) {
            more(&tally.foreign);
            tracing::warn!(peer, "connection of another user refused");
            let _ = stream.try_write(format!("{}\n", Reply::refusal("this meter belongs to another user")).as_bytes());
            return;
        }
        more(&tally.accepted);
        tracing::debug!(connections = guests.all.len() + 1, "connection accepted");
        let shared = Rc::clone(&guests.shared);
        let guest = Connection::new(self.rules.clone(), self.deliver.clone(), Arc::clone(tally), shared);
        let activity = guest.activity();
        let (stopped, left) = (stopped.clone(), Rc::clone(&guests.left));
        let task = tokio::task::spawn_local(async move {
            guest.run(stream, stopped).await;
            left.notify_one();
        });
        guests.all.push(Guest { activity, task });
    }
}

/// Checks that enough descriptors are free for a runtime with signal handling, plus a few for files opened meanwhile.
/// Without them, the runtime would panic instead of returning an error.
///
/// # Errors
/// When there are not enough.
pub(crate) fn descriptors_of_a_runtime() -> io::Result<()> {
    let pairs: Vec<_> = (0..4).map(|_| std::os::unix::net::UnixStream::pair()).collect::<io::Result<_>>()?;
    drop(pairs);
    Ok(())
}

fn listener_of(bound: &Bound) -> io::Result<UnixListener> {
    bound.listener.try_clone().and_then(UnixListener::from_std)
}

impl Listening {
    /// Counters so far.
    pub fn tally(&self) -> &Tally {
        &self.tally
    }

    /// The counters, shared.
    pub fn shared_tally(&self) -> Arc<Tally> {
        Arc::clone(&self.tally)
    }

    /// Handles the complete lines that have arrived, replies to them, and stops. Blocks until done.
    pub fn stop(mut self) {
        self.end();
    }

    fn end(&mut self) {
        let _ = self.stop.send(true);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl Drop for Listening {
    fn drop(&mut self) {
        self.end();
    }
}

/// Open connections.
struct Guests {
    all: Vec<Guest>,
    /// Maximum number.
    most: usize,
    idle: Duration,
    shared: Rc<Shared>,
    /// Notified when a connection ends.
    left: Rc<Notify>,
}

struct Guest {
    activity: Rc<Activity>,
    task: JoinHandle<()>,
}

impl Guests {
    fn new(idle: Duration) -> Self {
        // A quarter of the process's limit, because logs and ledger need descriptors too.
        let most = crate::ingest::fs::descriptors().clamp(1, CONNECTION_CAP);
        let shared = Shared { chunk: RefCell::new(vec![0; 64 * 1024]), held: Cell::new(0) };
        Self { all: Vec::new(), most, idle, shared: Rc::new(shared), left: Rc::new(Notify::new()) }
    }

    /// Removes connections that have ended.
    fn count(&mut self) {
        self.all.retain(|guest| !guest.task.is_finished());
    }

    /// When the latest line was taken.
    fn last_line(&self) -> Option<Instant> {
        self.all.iter().map(|guest| guest.activity.last.get()).max()
    }

    fn are_full(&self) -> bool {
        self.all.len() >= self.most
    }

    /// Asks the connection that has been idle longest to close, if it has been idle for long enough. Returns false if
    /// there is none.
    fn make_room(&self, tally: &Tally) -> bool {
        if self.all.iter().any(|guest| guest.activity.asked.get()) {
            return true;
        }
        let silent = self.all.iter().map(|guest| &guest.activity).filter(|activity| !activity.busy.get());
        match silent.min_by_key(|activity| activity.last.get()) {
            Some(activity) if activity.last.get().elapsed() >= self.idle => {
                more(&tally.crowded);
                tracing::info!(connections = self.all.len(), "idle connection closed to make room");
                activity.make_room();
                true
            }
            Some(_) | None => false,
        }
    }
}
