//! Serving the socket: connections, lines, answers, and a clean end.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::fmt;
use std::io;
use std::rc::Rc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::thread;
use std::time::Duration;

use tokio::net::{UnixListener, UnixStream};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::{AbortHandle, LocalSet};
use tokio::time::Instant;

use super::CONNECTION_CAP;
use super::bind::{Bound, bind};
use super::connection::Connection;
use crate::domain::{CallKey, Label, Record, Usd};

/// How often the socket's path is looked at.
const WATCH: Duration = Duration::from_secs(4);

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
pub type Deliver = mpsc::Sender<Delivery>;

/// The answer to a line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    /// Booked.
    Booked {
        /// The call.
        key: CallKey,
        /// Its cost, when known.
        cost: Option<Usd>,
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
            Self::Booked { key, cost: Some(usd) } => write!(out, r#"{{"ok":true,"key":"{key}","cost_usd":{usd}}}"#),
            Self::Booked { key, cost: None } => write!(out, r#"{{"ok":true,"key":"{key}","cost_usd":null}}"#),
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
    /// Connections turned away or closed because there were too many.
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
        let runtime = tokio::runtime::Builder::new_current_thread().enable_io().enable_time().build()?;
        let thread = thread::Builder::new().name("socket".into()).spawn(move || {
            LocalSet::new().block_on(&runtime, self.serve(stopped, counted));
        })?;
        Ok(Listening { thread: Some(thread), stop, tally })
    }

    async fn serve(mut self, mut stopped: watch::Receiver<bool>, tally: Arc<Tally>) {
        let guests = Rc::new(RefCell::new(Guests::default()));
        let Ok(mut listener) = listener_of(&self.bound) else { return };
        let mut look = tokio::time::interval(WATCH);
        loop {
            tokio::select! {
                biased;
                _ = stopped.changed() => break,
                accepted = listener.accept() => {
                    let Ok((stream, _)) = accepted else { continue };
                    self.admit(stream, &guests, &tally, &stopped);
                }
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
        // Whoever has reached us is still heard: connections that wait to be accepted, and all they have said.
        while let Ok((stream, _)) = self.bound.listener.accept() {
            if stream.set_nonblocking(true).is_ok()
                && let Ok(stream) = UnixStream::from_std(stream)
            {
                self.admit(stream, &guests, &tally, &stopped);
            }
        }
        // Whoever is connected has its complete lines taken; each guest sees the stop and ends by itself.
        while !guests.borrow().all.is_empty() {
            tokio::task::yield_now().await;
            let waiting = guests.borrow().all.iter().map(|guest| guest.done.clone()).next();
            if let Some(mut done) = waiting {
                let _ = done.changed().await;
            }
            guests.borrow_mut().all.retain(|guest| !*guest.done.borrow());
        }
        self.bound.remove();
    }

    fn admit(
        &self,
        stream: UnixStream,
        guests: &Rc<RefCell<Guests>>,
        tally: &Arc<Tally>,
        stopped: &watch::Receiver<bool>,
    ) {
        let peer = stream.peer_cred().map(|peer| peer.uid()).ok();
        if peer != Some(self.rules.uid) {
            more(&tally.foreign);
            let _ = stream.try_write(format!("{}\n", Reply::refusal("this meter belongs to another user")).as_bytes());
            return;
        }
        let mut all = guests.borrow_mut();
        all.all.retain(|guest| !*guest.done.borrow());
        if all.all.len() >= CONNECTION_CAP {
            more(&tally.crowded);
            let oldest = all.all.iter().enumerate().min_by_key(|(_, guest)| *guest.last.borrow());
            match oldest.map(|(at, guest)| (at, guest.last.borrow().elapsed() >= self.rules.idle)) {
                Some((at, true)) => all.all.swap_remove(at).task.abort(),
                Some((_, false)) | None => {
                    let _ = stream.try_write(format!("{}\n", Reply::refusal("busy: too many connections")).as_bytes());
                    return;
                }
            }
        }
        more(&tally.accepted);
        let user = peer.and_then(|uid| (self.rules.name_of)(uid));
        let (ended, done) = watch::channel(false);
        let guest = Connection::new(user, self.rules.clone(), self.deliver.clone(), Arc::clone(tally));
        let last = guest.last();
        let stopped = stopped.clone();
        let task = tokio::task::spawn_local(async move {
            guest.run(stream, stopped).await;
            let _ = ended.send(true);
        });
        all.all.push(Guest { last, done, task: task.abort_handle() });
    }
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

#[derive(Default)]
struct Guests {
    all: Vec<Guest>,
}

struct Guest {
    last: Rc<RefCell<Instant>>,
    done: watch::Receiver<bool>,
    task: AbortHandle,
}
