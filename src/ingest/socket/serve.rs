//! Serving the socket: connections, lines, answers, and a clean end.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::fmt;
use std::io;
use std::rc::Rc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::thread;
use std::time::Duration;

use tokio::net::{UnixListener, UnixStream};
use tokio::sync::{Notify, mpsc, oneshot, watch};
use tokio::task::{JoinHandle, LocalSet};
use tokio::time::Instant;

use super::bind::{Bound, bind};
use super::connection::{Activity, Connection};
use super::{CONNECTION_CAP, Shared};
use crate::domain::{CallKey, Fidelity, Label, Record, Usd};

/// How often the socket's path is looked at.
const WATCH: Duration = Duration::from_secs(4);
/// How long it is waited before it is looked again whether there is room.
const REST: Duration = Duration::from_millis(50);
/// How long the end may take when the books answer no more.
const END: Duration = Duration::from_secs(3);

/// What a connection hands over, and where the answer goes.
#[derive(Debug)]
pub struct Delivery {
    /// What was said.
    pub said: Said,
    /// Takes the answer. Whoever drops it refuses the line.
    pub reply: oneshot::Sender<Reply>,
}

/// What a line said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Said {
    /// Calls to book.
    Records(Vec<Record>),
    /// A question, as JSON: `{"query":"gate",…}`.
    Query(String),
}

/// Where deliveries go: a bounded queue, so that a flood finds a limit.
pub(crate) type Deliver = mpsc::Sender<Delivery>;

/// The answer to a line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    /// Booked.
    Booked {
        /// The call.
        key: CallKey,
        /// Its cost, when known.
        cost: Option<Usd>,
        /// How far its counts can be trusted; said when they are not final.
        fidelity: Fidelity,
    },
    /// Known already.
    Repeat,
    /// Understood, and not about usage.
    Nothing,
    /// The answer to a question, as JSON.
    Json(String),
    /// Not taken, and why.
    Error(Label),
}

impl Reply {
    pub(super) fn refusal(why: &str) -> Self {
        Self::Error(Label::new(why))
    }
}

impl fmt::Display for Reply {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Booked { key, cost, fidelity } => {
                write!(out, r#"{{"ok":true,"key":"{key}","cost_usd":"#)?;
                match cost {
                    Some(usd) => write!(out, "{usd}")?,
                    None => out.write_str("null")?,
                }
                if *fidelity != Fidelity::Final {
                    write!(out, r#","fidelity":"{}""#, fidelity.word())?;
                }
                out.write_str("}")
            }
            Self::Repeat => out.write_str(r#"{"ok":true,"repeat":true}"#),
            Self::Nothing => out.write_str(r#"{"ok":true,"calls":0}"#),
            Self::Json(text) => out.write_str(text),
            Self::Error(why) => {
                write!(
                    out,
                    r#"{{"ok":false,"error":{}}}"#,
                    serde_json::to_string(why).unwrap_or_else(|_| "\"\"".into())
                )
            }
        }
    }
}

/// What the server has to know of its surroundings.
#[derive(Clone)]
pub struct Rules {
    /// The user whose meter this is; others are refused.
    pub uid: u32,
    /// The name of a local user, for lines that name none.
    pub name_of: Arc<dyn Fn(u32) -> Option<Label> + Send + Sync>,
    /// The clock, for lines without a time.
    pub clock: Arc<dyn Fn() -> crate::domain::Instant + Send + Sync>,
    /// A connection that has been silent for so long makes room for a new one.
    pub idle: Duration,
}

/// What has happened on the socket so far.
#[derive(Default)]
pub struct Tally {
    /// Connections served.
    pub accepted: AtomicU64,
    /// Connections of other users, refused.
    pub foreign: AtomicU64,
    /// Connections closed because there were too many.
    pub crowded: AtomicU64,
    /// Lines that could not be counted.
    pub bad: AtomicU64,
    /// Lines that were cut off by the end of their connection.
    pub partial: AtomicU64,
    /// Times the socket had vanished and was made again.
    pub rebound: AtomicU64,
    /// Why the last lines could not be counted, oldest first.
    reasons: Mutex<VecDeque<Label>>,
    /// Called after a line that could not be counted.
    on_bad: OnceLock<Box<dyn Fn() + Send + Sync>>,
}

impl fmt::Debug for Tally {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Tally").field("accepted", &self.accepted).field("bad", &self.bad).finish_non_exhaustive()
    }
}

impl Tally {
    /// Reasons that are kept.
    const REASONS: usize = 20;

    /// Calls this after each line that could not be counted. It must not wait.
    pub fn on_bad(&self, call: impl Fn() + Send + Sync + 'static) {
        let _ = self.on_bad.set(Box::new(call));
    }

    /// Why the last lines could not be counted, oldest first.
    pub fn reasons(&self) -> Vec<Label> {
        self.reasons.lock().map(|reasons| reasons.iter().cloned().collect()).unwrap_or_default()
    }

    /// Counts a line that could not be counted as a call.
    pub(super) fn bad_line(&self, why: &str) {
        more(&self.bad);
        if let Ok(mut reasons) = self.reasons.lock() {
            if reasons.len() == Self::REASONS {
                reasons.pop_front();
            }
            reasons.push_back(Label::new(why));
        }
        if let Some(call) = self.on_bad.get() {
            call();
        }
    }
}

pub(super) fn more(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}

/// A socket about to be served.
pub struct Listener {
    bound: Bound,
    rules: Rules,
    deliver: Deliver,
}

/// A socket that is being served by a thread of its own.
pub struct Listening {
    thread: Option<thread::JoinHandle<()>>,
    stop: watch::Sender<bool>,
    tally: Arc<Tally>,
}

impl Listener {
    /// Serves a bound socket, delivering to `deliver`.
    pub fn new(bound: Bound, rules: Rules, deliver: Deliver) -> Self {
        Self { bound, rules, deliver }
    }

    /// Starts serving.
    ///
    /// # Errors
    /// When no thread can be started.
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
            // Who finds no room waits in the system's own queue, and is refused by nobody.
            let crowded = full && self.is_awaited() && guests.make_room(&tally);
            tokio::select! {
                biased;
                _ = stopped.changed() => break,
                accepted = listener.accept(), if !full && !rests => match accepted {
                    Ok((stream, _)) => self.admit(stream, &mut guests, &tally, &stopped),
                    // No descriptor is left: there will be, once another connection or file is closed.
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
                    }
                }
            }
        }
        self.finish(guests, &tally, &stopped).await;
        self.bound.remove();
    }

    /// Serves everybody who has connected by now, also those who wait for room, and takes all they have sent.
    async fn finish(&self, mut guests: Guests, tally: &Arc<Tally>, stopped: &watch::Receiver<bool>) {
        // Each sees the stop and ends by itself, unless the books answer no more.
        let end = Instant::now() + END;
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
            if guests.all.is_empty() || tokio::time::timeout_at(end, guests.left.notified()).await.is_err() {
                return;
            }
        }
    }

    /// True when somebody has connected who was not admitted yet.
    fn is_awaited(&self) -> bool {
        use rustix::event::{PollFd, PollFlags, Timespec, poll};
        let mut waits = [PollFd::new(&self.bound.listener, PollFlags::IN)];
        poll(&mut waits, Some(&Timespec { tv_sec: 0, tv_nsec: 0 })).is_ok_and(|count| count > 0)
    }

    fn admit(&self, stream: UnixStream, guests: &mut Guests, tally: &Arc<Tally>, stopped: &watch::Receiver<bool>) {
        let peer = stream.peer_cred().map(|peer| peer.uid()).ok();
        if peer != Some(self.rules.uid) {
            more(&tally.foreign);
            let _ = stream.try_write(format!("{}\n", Reply::refusal("this meter belongs to another user")).as_bytes());
            return;
        }
        more(&tally.accepted);
        let user = peer.and_then(|uid| (self.rules.name_of)(uid));
        let shared = Rc::clone(&guests.shared);
        let guest = Connection::new(user, self.rules.clone(), self.deliver.clone(), Arc::clone(tally), shared);
        let activity = guest.activity();
        let (stopped, left) = (stopped.clone(), Rc::clone(&guests.left));
        let task = tokio::task::spawn_local(async move {
            guest.run(stream, stopped).await;
            left.notify_one();
        });
        guests.all.push(Guest { activity, task });
    }
}

/// Makes sure that the system grants what a runtime with signals opens, and some more for who opens files meanwhile.
/// Where it does not, a runtime would panic instead of saying so.
///
/// # Errors
/// When it does not.
pub(crate) fn descriptors_of_a_runtime() -> io::Result<()> {
    let pairs: Vec<_> = (0..4).map(|_| std::os::unix::net::UnixStream::pair()).collect::<io::Result<_>>()?;
    drop(pairs);
    Ok(())
}

fn listener_of(bound: &Bound) -> io::Result<UnixListener> {
    bound.listener.try_clone().and_then(UnixListener::from_std)
}

impl Listening {
    /// What has happened so far.
    pub fn tally(&self) -> &Tally {
        &self.tally
    }

    /// The same, to be kept and read later.
    pub fn shared_tally(&self) -> Arc<Tally> {
        Arc::clone(&self.tally)
    }

    /// Takes the complete lines that have arrived, answers them, and ends. Blocks until that is done.
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

/// The connections that are served.
struct Guests {
    all: Vec<Guest>,
    /// How many there may be at once.
    most: usize,
    idle: Duration,
    shared: Rc<Shared>,
    /// Notified when one ends.
    left: Rc<Notify>,
}

struct Guest {
    activity: Rc<Activity>,
    task: JoinHandle<()>,
}

impl Guests {
    fn new(idle: Duration) -> Self {
        // A quarter of what the process may open: the logs and the books need descriptors too.
        let most = crate::ingest::fs::descriptors().clamp(1, CONNECTION_CAP);
        let shared = Shared { chunk: RefCell::new(vec![0; 64 * 1024]), held: Cell::new(0) };
        Self { all: Vec::new(), most, idle, shared: Rc::new(shared), left: Rc::new(Notify::new()) }
    }

    /// Forgets those that have ended.
    fn count(&mut self) {
        self.all.retain(|guest| !guest.task.is_finished());
    }

    fn are_full(&self) -> bool {
        self.all.len() >= self.most
    }

    /// Asks the one that has been silent longest to end, if that is long enough. False when nobody can be asked.
    fn make_room(&self, tally: &Tally) -> bool {
        if self.all.iter().any(|guest| guest.activity.asked.get()) {
            return true;
        }
        let silent = self.all.iter().map(|guest| &guest.activity).filter(|activity| !activity.busy.get());
        match silent.min_by_key(|activity| activity.last.get()) {
            Some(activity) if activity.last.get().elapsed() >= self.idle => {
                more(&tally.crowded);
                activity.make_room();
                true
            }
            Some(_) | None => false,
        }
    }
}
