//! The channels from which the ledger thread takes its work.

use tokio::sync::mpsc;

use super::admissions::Admit;
use super::protocol::Request;
use super::questions::Question;
use crate::ingest::{Delivery, Event};

/// Capacity of the queues to the ledger thread and to the screen.
pub(crate) const QUEUE: usize = 256;

/// Messages to the ledger thread.
pub(crate) enum LedgerMessage {
    /// From the reader of the logs.
    Ingest(Event),
    /// The config file has changed.
    Config,
    /// Another process may have written to the ledger.
    Ledger,
    /// Another process may have written to it while the proxy did.
    Look,
    /// Retry timer for failed writes.
    Retry,
    /// Claims of other processes on alerts have lapsed.
    PendingAlerts,
    /// The digest of yesterday may be due.
    Daily,
    /// The socket received a bad line.
    BadLine,
    /// An alert's delivery failed after it was started, or metrics could not be sent.
    Late(String),
    /// Standard input has ended and no other source is followed.
    InputEnded,
    /// Stop after handling all earlier messages, except those that can be read again from the logs.
    Stop(std::sync::mpsc::Sender<()>),
}

/// The channels that the ledger thread takes its work from.
pub(crate) struct Inbox {
    /// From the reader of the logs and everybody else.
    pub(crate) messages: mpsc::Receiver<LedgerMessage>,
    /// From the face.
    pub(crate) requests: mpsc::Receiver<Request>,
    /// From the socket and the HTTP server.
    pub(crate) deliveries: mpsc::Receiver<Delivery>,
    /// Questions to the books, from the HTTP server.
    pub(crate) questions: mpsc::Receiver<Question>,
    /// Calls that ask to be made, from the proxy.
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
    /// The next piece of work; none once nobody is left who could send a message.
    pub(super) async fn next(&mut self) -> Option<Item> {
        tokio::select! {
            message = self.messages.recv() => message.map(Item::Message),
            Some(request) = self.requests.recv() => Some(Item::Request(request)),
            Some(delivery) = self.deliveries.recv() => Some(Item::Delivery(delivery)),
            Some(question) = self.questions.recv() => Some(Item::Question(question)),
            Some(admit) = self.admissions.recv() => Some(Item::Admit(admit)),
        }
    }

    /// Work that has already arrived from the face, the socket or the HTTP server.
    pub(super) fn try_next(&mut self) -> Option<Item> {
        let request = self.requests.try_recv().ok().map(Item::Request);
        request.or_else(|| self.deliveries.try_recv().ok().map(Item::Delivery))
    }
}
