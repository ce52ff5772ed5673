//! One connection: its lines, and the answers to them.

use std::cell::RefCell;
use std::io;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::UnixStream;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::Instant;

use super::LINE_CAP;
use super::serve::{Deliver, Delivery, Reply, Rules, Said, Tally, more};
use crate::domain::{Label, Record};
use crate::formats::{Lines, Origin, Outcome};

/// How long a connection is still heard once the meter ends, and how long a pause in it may be.
const LAST_WORDS: Duration = Duration::from_secs(1);
const PAUSE: Duration = Duration::from_millis(20);
/// Answers kept for a client that does not read them; further ones are dropped.
const ANSWER_CAP: usize = 64 * 1024;

/// What follows a line.
enum After {
    GoOn,
    Close,
}

/// What has been heard on one connection, and what is still to be said.
pub(super) struct Connection {
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
    /// A connection of the local user `user`, who has said nothing yet.
    pub(super) fn new(user: Option<Label>, rules: Rules, deliver: Deliver, tally: Arc<Tally>) -> Self {
        Self {
            lines: Lines::new(&[]),
            user,
            first: true,
            offset: 0,
            answers: Vec::new(),
            rules,
            deliver,
            tally,
            last: Rc::new(RefCell::new(Instant::now())),
        }
    }

    /// When it was last heard.
    pub(super) fn last(&self) -> Rc<RefCell<Instant>> {
        Rc::clone(&self.last)
    }

    /// Serves it until it ends, or has been silent for a moment after the meter has begun to end.
    pub(super) async fn run(mut self, stream: UnixStream, mut stopped: watch::Receiver<bool>) {
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
        self.tally.bad_line(&format!("the line is longer than {LINE_CAP} bytes"));
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
            self.tally.bad_line("not a JSON object");
            self.say(&Reply::refusal("expected one JSON object a line"));
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
                    self.tally.bad_line(&why.to_string());
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
            Ok(()) => answer.await.unwrap_or_else(|_| Reply::refusal("the meter is closing; the line was not booked")),
            Err(mpsc::error::TrySendError::Full(_)) => Reply::refusal("busy"),
            Err(mpsc::error::TrySendError::Closed(_)) => {
                Reply::refusal("the meter is closing; the line was not booked")
            }
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
