//! One connection: reads its lines and sends replies.

use std::cell::Cell;
use std::io;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::UnixStream;
use tokio::sync::{Notify, oneshot, watch};
use tokio::time::{Instant, timeout, timeout_at};

use super::tally::{Tally, more};
use super::{Deliver, LAST_WORDS, LINE_CAP, Rules, Shared};
use crate::domain::Label;
use crate::formats::{Decoder, Origin, Outcome};
use crate::ingest::{Content, Delivery, Projects, Reply};

/// How long a connection may pause during shutdown.
const PAUSE: Duration = Duration::from_millis(20);
/// Bytes of replies kept for a client that does not read. Further replies are dropped.
const ANSWER_CAP: usize = 64 * 1024;
/// How long a line waits for a busy ledger before it is refused.
const BOOKS_TIMEOUT: Duration = Duration::from_secs(5);

/// Next action after a line.
enum After {
    GoOn,
    Close,
}

/// Activity of a connection, shared with the server.
pub(super) struct Activity {
    /// Time of the last complete line. Single bytes do not count.
    pub(super) last: Cell<Instant>,
    /// True while a line is being written to the ledger.
    pub(super) busy: Cell<bool>,
    /// True once the connection has been asked to close.
    pub(super) asked: Cell<bool>,
    leave: Notify,
}

impl Activity {
    /// Asks the connection to close once it has handled everything that has arrived.
    pub(super) fn make_room(&self) {
        self.asked.set(true);
        self.leave.notify_one();
    }
}

/// State of a connection.
pub(super) struct Connection {
    lines: Decoder,
    projects: Projects,
    first: bool,
    offset: u64,
    /// Bytes of an incomplete line.
    buffer: Vec<u8>,
    answers: Vec<u8>,
    rules: Rules,
    deliver: Deliver,
    tally: Arc<Tally>,
    shared: Rc<Shared>,
    activity: Rc<Activity>,
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.shared.held.set(self.shared.held.get().saturating_sub(self.buffer.len()));
    }
}

impl Connection {
    /// A new connection.
    pub(super) fn new(rules: Rules, deliver: Deliver, tally: Arc<Tally>, shared: Rc<Shared>) -> Self {
        let activity = Activity {
            last: Cell::new(Instant::now()),
            busy: Cell::new(false),
            asked: Cell::new(false),
            leave: Notify::new(),
        };
        Self {
            lines: Decoder::new(&[]),
            projects: Projects::default(),
            first: true,
            offset: 0,
            buffer: Vec::new(),
            answers: Vec::new(),
            rules,
            deliver,
            tally,
            shared,
            activity: Rc::new(activity),
        }
    }

    pub(super) fn activity(&self) -> Rc<Activity> {
        Rc::clone(&self.activity)
    }

    /// Serves the connection until it ends, is asked to close, or pauses during shutdown. Lines that have arrived by
    /// then are still handled.
    pub(super) async fn run(mut self, stream: UnixStream, mut stopped: watch::Receiver<bool>) {
        let mut last_words = None;
        loop {
            let ending = *stopped.borrow();
            match self.read(&stream) {
                Ok(0) => {
                    self.take_last().await;
                    break;
                }
                Ok(_) => {
                    if let After::Close = self.take().await {
                        self.answer(&stream);
                        return;
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock && self.activity.asked.get() => break,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock && ending => {
                    // A newly accepted connection may already have data that it has not read.
                    let end = *last_words.get_or_insert_with(|| Instant::now() + LAST_WORDS);
                    let more = timeout_at(end.min(Instant::now() + PAUSE), stream.readable()).await;
                    if !matches!(more, Ok(Ok(()))) {
                        break;
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    self.answer(&stream);
                    tokio::select! {
                        readable = stream.readable() => if readable.is_err() { break },
                        writable = stream.writable(), if !self.answers.is_empty() => if writable.is_err() { break },
                        () = self.activity.leave.notified() => {}
                        _ = stopped.changed() => {}
                    }
                }
                Err(_) => break,
            }
            self.answer(&stream);
        }
        if !self.buffer.is_empty() {
            more(&self.tally.partial);
        }
        self.last_answers(&stream).await;
    }

    /// Reads available data into the buffer.
    fn read(&mut self, stream: &UnixStream) -> io::Result<usize> {
        let mut chunk = self.shared.chunk.borrow_mut();
        let count = stream.try_read(&mut chunk)?;
        self.buffer.extend_from_slice(&chunk[..count]);
        self.shared.held.set(self.shared.held.get() + count);
        Ok(count)
    }

    /// Handles the complete lines in the buffer.
    async fn take(&mut self) -> After {
        let mut buffer = std::mem::take(&mut self.buffer);
        let (mut start, mut after) = (0, After::GoOn);
        self.activity.busy.set(true);
        while let Some(length) = memchr::memchr(b'\n', &buffer[start..]) {
            let line = start..start + length;
            start = line.end + 1;
            self.activity.last.set(Instant::now());
            after = if line.len() > LINE_CAP { self.too_long() } else { self.line(&buffer[line]).await };
            if let After::Close = after {
                break;
            }
        }
        self.activity.busy.set(false);
        buffer.drain(..start);
        self.shared.held.set(self.shared.held.get().saturating_sub(start));
        let held = self.shared.held.get();
        self.buffer = buffer;
        if let After::Close = after {
            return after;
        }
        if self.buffer.len() > LINE_CAP {
            return self.too_long();
        }
        if held > super::HELD_CAP && !self.buffer.is_empty() {
            more(&self.tally.crowded);
            self.say(&Reply::refusal("busy: too many incomplete lines"));
            return After::Close;
        }
        After::GoOn
    }

    /// Takes the last line of a client that has ended without a line end, if it is complete. A truncated object is
    /// never a valid one.
    async fn take_last(&mut self) {
        if self.buffer.trim_ascii().is_empty() || crate::formats::whole(&self.buffer) < self.buffer.len() {
            return;
        }
        let line = std::mem::take(&mut self.buffer);
        self.shared.held.set(self.shared.held.get().saturating_sub(line.len()));
        self.activity.last.set(Instant::now());
        self.line(&line).await;
    }

    fn too_long(&mut self) -> After {
        self.tally.bad_line(&format!("the line is longer than {LINE_CAP} bytes"));
        self.say(&Reply::Error(Label::new(&format!("the line is longer than {LINE_CAP} bytes"))));
        After::Close
    }

    async fn line(&mut self, line: &[u8]) -> After {
        let trimmed = crate::formats::bare(line);
        if trimmed.is_empty() {
            return After::GoOn;
        }
        let first = std::mem::take(&mut self.first);
        if !trimmed.starts_with(b"{") {
            self.tally.bad_line("not a JSON object");
            self.say(&Reply::refusal("expected one JSON object per line"));
            // A client whose first line is not JSON uses another protocol.
            return if first { After::Close } else { After::GoOn };
        }
        let mut records = Vec::new();
        let origin = Origin { path: Label::new("socket"), offset: self.offset, modified: (self.rules.clock)() };
        self.offset = self.offset.saturating_add(line.len() as u64 + 1);
        let question = match self.lines.line(trimmed, &origin, &mut records) {
            Outcome::Bad(why) => {
                self.tally.bad_line(&why.to_string());
                self.say(&Reply::Error(Label::new(&why.to_string())));
                return After::GoOn;
            }
            // A line with usage is not a query, whatever else it contains.
            Outcome::Read => None,
            Outcome::Other | Outcome::Passed => query_of(trimmed),
        };
        self.rules.owner.own(&mut records);
        self.projects.fold(&mut records);
        let reply = match question {
            Some(query) => self.deliver(Content::Query(query)).await,
            None if records.is_empty() => Reply::Nothing,
            None => self.deliver(Content::Records(records)).await,
        };
        self.say(&reply);
        After::GoOn
    }

    /// Delivers the content of a line and waits for the reply. Meanwhile the client's next lines stay in the system's
    /// buffer.
    async fn deliver(&self, content: Content) -> Reply {
        let closing = || Reply::refusal("the meter is closing; the line was not booked");
        let (reply, answer) = oneshot::channel();
        match timeout(BOOKS_TIMEOUT, self.deliver.reserve()).await {
            Ok(Ok(place)) => place.send(Delivery { content, reply }),
            Ok(Err(_)) => return closing(),
            Err(_) => return Reply::refusal("busy: the ledger cannot be written now; the line was not booked"),
        }
        answer.await.unwrap_or_else(|_| closing())
    }

    fn say(&mut self, reply: &Reply) {
        let text = reply.to_string();
        if self.answers.len() + text.len() < ANSWER_CAP {
            self.answers.extend_from_slice(text.as_bytes());
            self.answers.push(b'\n');
        }
    }

    /// Writes pending replies as far as the client accepts them. Never blocks.
    fn answer(&mut self, stream: &UnixStream) {
        while !self.answers.is_empty() {
            match stream.try_write(&self.answers) {
                Ok(count) => drop(self.answers.drain(..count)),
                Err(_) => return,
            }
        }
    }

    /// Keeps writing pending replies for a short time to a client that has stopped sending but still reads.
    async fn last_answers(&mut self, stream: &UnixStream) {
        let end = Instant::now() + LAST_WORDS;
        self.answer(stream);
        while !self.answers.is_empty() {
            if !matches!(timeout_at(end, stream.writable()).await, Ok(Ok(()))) {
                return;
            }
            match stream.try_write(&self.answers) {
                Ok(count) => drop(self.answers.drain(..count)),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(_) => return,
            }
        }
    }
}

/// Returns the line if it is a query.
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
