//! Serving the socket: connections, lines, answers, and a clean end.

use std::cell::RefCell;
use std::fmt;
use std::io;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use tokio::net::{UnixListener, UnixStream};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::{AbortHandle, LocalSet};
use tokio::time::Instant;

use super::bind::{Bound, bind};
use super::{CONNECTION_CAP, LINE_CAP};
use crate::domain::{CallKey, Label, Record, Usd};
use crate::formats::{Lines, Origin, Outcome};

/// A connection that has been silent for so long makes room for a new one.
const IDLE: Duration = Duration::from_secs(30);
/// How often the socket's path is looked at.
const WATCH: Duration = Duration::from_secs(4);
/// How long a connection is still heard once the meter ends, and how long a pause in it may be.
const LAST_WORDS: Duration = Duration::from_secs(1);
const PAUSE: Duration = Duration::from_millis(20);
/// Answers kept for a client that does not read them; further ones are dropped.
const ANSWER_CAP: usize = 64 * 1024;

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
}

/// What has happened on the socket so far.
#[derive(Debug, Default)]
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
}

fn more(counter: &AtomicU64) {
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
            let _ = stream.try_write(format!("{}\n", refusal("this meter belongs to another user")).as_bytes());
            return;
        }
        let mut all = guests.borrow_mut();
        all.all.retain(|guest| !*guest.done.borrow());
        if all.all.len() >= CONNECTION_CAP {
            more(&tally.crowded);
            let oldest = all.all.iter().enumerate().min_by_key(|(_, guest)| *guest.last.borrow());
            match oldest.map(|(at, guest)| (at, guest.last.borrow().elapsed() >= IDLE)) {
                Some((at, true)) => all.all.swap_remove(at).task.abort(),
                Some((_, false)) | None => {
                    let _ = stream.try_write(format!("{}\n", refusal("busy: too many connections")).as_bytes());
                    return;
                }
            }
        }
        more(&tally.accepted);
        let user = peer.and_then(|uid| (self.rules.name_of)(uid));
        let (ended, done) = watch::channel(false);
        let last = Rc::new(RefCell::new(Instant::now()));
        let guest = Connection {
            lines: Lines::new(&[]),
            user,
            first: true,
            offset: 0,
            answers: Vec::new(),
            rules: self.rules.clone(),
            deliver: self.deliver.clone(),
            tally: Arc::clone(tally),
            last: Rc::clone(&last),
        };
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

fn refusal(why: &str) -> Reply {
    Reply::Error(Label::new(why))
}

impl Listening {
    /// What has happened so far.
    pub fn tally(&self) -> &Tally {
        &self.tally
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

/// What follows a line.
enum After {
    GoOn,
    Close,
}

struct Connection {
    lines: Lines,
    user: Option<Label>,
    first: bool,
    offset: u64,
    answers: Vec<u8>,
    rules: Rules,
    deliver: Deliver,
    tally: Arc<Tally>,
    last: Rc<RefCell<Instant>>,
}

impl Connection {
    async fn run(mut self, stream: UnixStream, mut stopped: watch::Receiver<bool>) {
        let mut buffer: Vec<u8> = Vec::new();
        let mut chunk = vec![0; 64 * 1024];
        let mut last_words = None;
        loop {
            let ending = *stopped.borrow();
            match stream.try_read(&mut chunk) {
                Ok(0) => break,
                Ok(count) => {
                    *self.last.borrow_mut() = Instant::now();
                    buffer.extend_from_slice(&chunk[..count]);
                    if let After::Close = self.take(&mut buffer).await {
                        self.answer(&stream);
                        return;
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock && ending => {
                    // A connection that has just been accepted does not know yet what waits in it.
                    let end = *last_words.get_or_insert_with(|| Instant::now() + LAST_WORDS);
                    let more = tokio::time::timeout_at(end.min(Instant::now() + PAUSE), stream.readable()).await;
                    if !matches!(more, Ok(Ok(()))) {
                        break;
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    self.answer(&stream);
                    tokio::select! {
                        readable = stream.readable() => if readable.is_err() { break },
                        writable = stream.writable(), if !self.answers.is_empty() => if writable.is_err() { break },
                        _ = stopped.changed() => {}
                    }
                }
                Err(_) => break,
            }
            self.answer(&stream);
        }
        if !buffer.is_empty() {
            more(&self.tally.partial);
        }
        self.answer(&stream);
    }

    /// Takes the complete lines out of the buffer.
    async fn take(&mut self, buffer: &mut Vec<u8>) -> After {
        let mut start = 0;
        while let Some(length) = memchr::memchr(b'\n', &buffer[start..]) {
            let line = start..start + length;
            start = line.end + 1;
            if line.len() > LINE_CAP {
                return self.too_long();
            }
            if let After::Close = self.line(&buffer[line]).await {
                return After::Close;
            }
        }
        buffer.drain(..start);
        if buffer.len() > LINE_CAP { self.too_long() } else { After::GoOn }
    }

    fn too_long(&mut self) -> After {
        more(&self.tally.bad);
        self.say(&Reply::Error(Label::new(&format!("the line is longer than {LINE_CAP} bytes"))));
        After::Close
    }

    async fn line(&mut self, line: &[u8]) -> After {
        let first = std::mem::take(&mut self.first);
        let trimmed = line.trim_ascii();
        if trimmed.is_empty() {
            return After::GoOn;
        }
        if !trimmed.starts_with(b"{") {
            more(&self.tally.bad);
            self.say(&refusal("expected one JSON object a line"));
            // Who begins with something else speaks another language altogether.
            return if first { After::Close } else { After::GoOn };
        }
        let said = match query_of(trimmed) {
            Some(query) => Said::Query(query),
            None => {
                let mut records = Vec::new();
                let origin = Origin { path: Label::new("socket"), offset: self.offset, modified: (self.rules.clock)() };
                self.offset = self.offset.saturating_add(line.len() as u64 + 1);
                if let Outcome::Bad(why) = self.lines.line(trimmed, &origin, &mut records) {
                    more(&self.tally.bad);
                    self.say(&Reply::Error(Label::new(&why.to_string())));
                    return After::GoOn;
                }
                if records.is_empty() {
                    self.say(&Reply::Nothing);
                    return After::GoOn;
                }
                for record in &mut records {
                    if let Record::Call(call) = record
                        && call.from.user.is_none()
                    {
                        call.from.user.clone_from(&self.user);
                    }
                }
                Said::Records(records)
            }
        };
        let (reply, answer) = oneshot::channel();
        let reply = match self.deliver.try_send(Delivery { said, reply }) {
            Ok(()) => answer.await.unwrap_or_else(|_| refusal("the meter is closing; the line was not booked")),
            Err(mpsc::error::TrySendError::Full(_)) => refusal("busy"),
            Err(mpsc::error::TrySendError::Closed(_)) => refusal("the meter is closing; the line was not booked"),
        };
        self.say(&reply);
        After::GoOn
    }

    fn say(&mut self, reply: &Reply) {
        let text = reply.to_string();
        if self.answers.len() + text.len() < ANSWER_CAP {
            self.answers.extend_from_slice(text.as_bytes());
            self.answers.push(b'\n');
        }
    }

    /// Writes what the client takes now; it is served on even if it takes nothing.
    fn answer(&mut self, stream: &UnixStream) {
        while !self.answers.is_empty() {
            match stream.try_write(&self.answers) {
                Ok(count) => drop(self.answers.drain(..count)),
                Err(_) => return,
            }
        }
    }
}

/// The line, when it is a question.
fn query_of(line: &[u8]) -> Option<String> {
    #[derive(serde::Deserialize)]
    struct Question<'a> {
        #[serde(borrow)]
        query: Option<std::borrow::Cow<'a, str>>,
    }
    memchr::memmem::find(line, b"\"query\"")?;
    serde_json::from_slice::<Question<'_>>(line).ok()?.query?;
    String::from_utf8(line.to_vec()).ok()
}
