//! The channels that deliver work to the ledger thread.

use tokio::sync::mpsc;

use super::admissions::Admit;
use super::protocol::Request;
use super::questions::Question;
use crate::ingest::{Delivery, Event, ReadBatch};

/// Capacity of the queues to the ledger thread and to the screen.
pub(crate) const QUEUE: usize = 256;

/// Messages to the ledger thread.
pub(crate) enum LedgerMessage {
    /// From the log reader.
    Ingest(Event),
    /// The config file has changed.
    Config,
    /// Another process may have written to the ledger.
    Ledger,
    /// Another process may have written to it while the proxy was writing.
    Look,
    /// Retry timer for failed writes.
    Retry,
    /// Other processes' claims on alerts have expired.
    PendingAlerts,
    /// An alert is no longer being sent.
    AlertSent,
    /// The previous day's digest may be due.
    Daily,
    /// The socket received a bad line.
    BadLine,
    /// A delivery that was started has failed, or metrics could not be sent.
    Late(String),
    /// Standard input has ended and no other source is followed.
    InputEnded,
    /// Stop after handling all earlier messages, except those that can be read from the logs again.
    Stop(std::sync::mpsc::Sender<()>),
}

/// The channels that the ledger thread takes its work from.
pub(crate) struct Inbox {
    /// From the log reader and all other senders.
    pub(crate) messages: mpsc::Receiver<LedgerMessage>,
    /// The message after the batches that were last taken together.
    pub(crate) after_batches: Option<LedgerMessage>,
    /// From the interface.
    pub(crate) requests: mpsc::Receiver<Request>,
    /// From the socket and the HTTP server.
    pub(crate) deliveries: mpsc::Receiver<Delivery>,
    /// Queries from the HTTP server.
    pub(crate) questions: mpsc::Receiver<Question>,
    /// Calls that ask for admission, from the proxy.
    pub(crate) admissions: mpsc::Receiver<Admit>,
}

/// One piece of work.
pub(super) enum Item {
    Message(LedgerMessage),
    Request(Request),
    Delivery(Delivery),
    Question(Question),
    Admit(Admit),
}

impl Inbox {
    /// The next piece of work; `None` once there are no senders left.
    pub(super) async fn next(&mut self) -> Option<Item> {
        if let Some(message) = self.after_batches.take() {
            return Some(Item::Message(message));
        }
        tokio::select! {
            message = self.messages.recv() => message.map(Item::Message),
            Some(request) = self.requests.recv() => Some(Item::Request(request)),
            Some(delivery) = self.deliveries.recv() => Some(Item::Delivery(delivery)),
            Some(question) = self.questions.recv() => Some(Item::Question(question)),
            Some(admit) = self.admissions.recv() => Some(Item::Admit(admit)),
        }
    }

    /// The next batches of the log reader, if they are the next message and have already arrived.
    pub(super) fn next_batches(&mut self) -> Option<Vec<ReadBatch>> {
        if self.after_batches.is_some() {
            return None;
        }
        let message = self.messages.try_recv().ok()?;
        if let LedgerMessage::Ingest(Event::ReadBatches(batches)) = message {
            return Some(batches);
        }
        self.after_batches = Some(message);
        None
    }

    /// Work that has already arrived from the interface, the socket or the HTTP server.
    pub(super) fn try_next(&mut self) -> Option<Item> {
        let request = self.requests.try_recv().ok().map(Item::Request);
        request.or_else(|| self.deliveries.try_recv().ok().map(Item::Delivery))
    }
}
