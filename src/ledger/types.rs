//! What goes into the books and what comes out of them.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::domain::Call;
use crate::domain::{CallKey, Fidelity, Filter, Instant, Record, Span, Tokens, Usd};
use crate::pricing::Cost;

use super::{BooksError, Order, Query, Report};

/// A call with its booked cost.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// The call as all its sightings join.
    pub call: Call,
    /// What it was booked at.
    pub cost: Cost,
}

impl Row {
    /// How far the counts, and the price they were computed with, can be trusted.
    pub fn trust(&self) -> Fidelity {
        let trust = self.call.trust();
        if trust == Fidelity::Final && self.cost.is_guessed() { Fidelity::Guessed } else { trust }
    }
}

/// What a posting did to the books.
///
/// Each call of the posting gives exactly one `New`, `Grown` or `Repeat`, in the order of the records.
/// `Moved` and `Gone` stand between them where a posting changed other rows too: a descent gave a
/// fork's rows their root's keys, or two rows turned out to be one call. Whoever keeps totals takes
/// every `before` and every `Gone` out and adds every `after`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// A call not seen before.
    New(RowChange),
    /// A call seen before, of which more is known now.
    Grown(RowChange),
    /// Nothing new.
    Repeat,
    /// Another row that changed with it.
    Moved(RowChange),
    /// Another row that is no more, because it is part of the one before it.
    Gone(Arc<Row>),
}

impl Change {
    /// The rows to take out of a total and to add to it, in this order.
    pub fn rows(&self) -> (Option<&Arc<Row>>, Option<&Arc<Row>>) {
        match self {
            Self::New(change) | Self::Grown(change) | Self::Moved(change) => {
                (change.before.as_ref(), Some(&change.after))
            }
            Self::Repeat => (None, None),
            Self::Gone(row) => (Some(row), None),
        }
    }
}

/// A row before and after a posting.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RowChange {
    /// The row as it stood; `None` when it is new.
    pub before: Option<Arc<Row>>,
    /// The row as it stands.
    pub after: Arc<Row>,
}

/// Sums over calls. Everything is exact, so a call can be taken back out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sums {
    /// How many calls.
    pub calls: u64,
    /// Their tokens.
    pub tokens: Tokens,
    /// The cost of those that have one.
    pub cost: Usd,
    /// What caching saved.
    pub saved: Usd,
    /// Tokens of calls without a price.
    pub unpriced_tokens: u64,
    /// Calls whose log is known to hold less than was used.
    pub lower_bound_calls: u64,
    /// Calls whose model, split, tier or rate is a guess.
    pub guessed_calls: u64,
}

impl Sums {
    /// These sums, marked as the least that they can be where files could not be read.
    #[must_use]
    pub fn marked(self, unread_files: u64) -> Self {
        Self { lower_bound_calls: self.lower_bound_calls.max(u64::from(unread_files > 0)), ..self }
    }

    /// The sums of one row.
    pub fn from_row(row: &Row) -> Self {
        let tokens = row.call.tokens;
        Self {
            calls: 1,
            tokens,
            cost: row.cost.usd().unwrap_or_default(),
            saved: row.cost.saved(),
            unpriced_tokens: if row.cost == Cost::Unpriced { tokens.total() } else { 0 },
            lower_bound_calls: u64::from(row.trust().is_lower_bound()),
            guessed_calls: u64::from(row.trust() == Fidelity::Guessed),
        }
    }

    /// Adds other sums.
    pub fn add(&mut self, other: &Self) {
        self.calls = self.calls.saturating_add(other.calls);
        self.tokens = self.tokens.saturating_add(other.tokens);
        self.cost += other.cost;
        self.saved += other.saved;
        self.unpriced_tokens = self.unpriced_tokens.saturating_add(other.unpriced_tokens);
        self.lower_bound_calls = self.lower_bound_calls.saturating_add(other.lower_bound_calls);
        self.guessed_calls = self.guessed_calls.saturating_add(other.guessed_calls);
    }

    /// Takes other sums back out.
    pub fn sub(&mut self, other: &Self) {
        self.calls = self.calls.saturating_sub(other.calls);
        self.tokens = self.tokens.saturating_sub(other.tokens);
        self.cost -= other.cost;
        self.saved -= other.saved;
        self.unpriced_tokens = self.unpriced_tokens.saturating_sub(other.unpriced_tokens);
        self.lower_bound_calls = self.lower_bound_calls.saturating_sub(other.lower_bound_calls);
        self.guessed_calls = self.guessed_calls.saturating_sub(other.guessed_calls);
    }

    /// True when the real cost is at least `cost`, but may be more (`≥`).
    pub fn is_lower_bound(&self) -> bool {
        self.unpriced_tokens > 0 || self.lower_bound_calls > 0
    }
}

/// Lines read and how far, to be booked in one transaction.
#[derive(Clone, Debug, Default)]
pub struct Batch {
    /// What the lines said, in the order in which they stand.
    pub records: Vec<Record>,
    /// How far each file has been read once these records are booked.
    pub files: Vec<Checkpoint>,
}

/// How far a log file has been read, and how to know it again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checkpoint {
    /// The path under which it was found.
    pub path: PathBuf,
    /// The device that holds it.
    pub device: u64,
    /// Its inode there.
    pub inode: u64,
    /// Bytes read and booked.
    pub offset: u64,
    /// Size at the last look.
    pub size: u64,
    /// Change time at the last look, in nanoseconds since 1970.
    pub modified_ns: i64,
    /// Hash of the first KiB read (of fewer bytes while the file is shorter).
    pub head_hash: u64,
    /// How many bytes `head_hash` covers.
    pub head_len: u32,
    /// Hash of up to 256 bytes before `offset`.
    pub tail_hash: u64,
    /// What the reader has to remember between lines (empty for most formats).
    pub reader: String,
    /// Lines read so far, for naming a line in a message.
    pub lines: u64,
    /// Lines that could not be read.
    pub bad_lines: u64,
}

impl Checkpoint {
    /// A file of which nothing has been read.
    pub fn unread(path: PathBuf) -> Self {
        Self {
            path,
            device: 0,
            inode: 0,
            offset: 0,
            size: 0,
            modified_ns: 0,
            head_hash: 0,
            head_len: 0,
            tail_hash: 0,
            reader: String::new(),
            lines: 0,
            bad_lines: 0,
        }
    }
}

/// The books, wherever they are kept.
///
/// Implementations join sightings by key, follow descents (`Record::Descends`) so that a fork's
/// replay keeps its root's keys, and join calls that two logs report under different names
/// ([`Call::alias`]). None of it depends on the order of postings.
pub trait Ledger {
    /// Books what was read, and how far, together or not at all.
    ///
    /// # Errors
    /// When nothing of it could be booked; the posting may then be posted again.
    fn post(&mut self, batch: &Batch) -> Result<Vec<Change>, BooksError>;

    /// Takes in what was read without saying what it changed: the way for a cold start.
    ///
    /// It may be kept back, unseen by questions, until [`Ledger::flush`] or the next
    /// [`Ledger::post`], so that any number of postings is one transaction.
    ///
    /// # Errors
    /// When nothing of it could be taken in.
    fn absorb(&mut self, batch: &Batch) -> Result<(), BooksError>;

    /// Books what was absorbed.
    ///
    /// # Errors
    /// When nothing of it could be booked; it is kept, and may be flushed again.
    fn flush(&mut self) -> Result<(), BooksError>;

    /// Answers a question.
    ///
    /// # Errors
    /// When the books cannot be read.
    fn report(&self, query: &Query) -> Result<Report, BooksError>;

    /// The sums over the calls a filter admits.
    ///
    /// # Errors
    /// When the books cannot be read.
    fn sums(&self, filter: &Filter) -> Result<Sums, BooksError>;

    /// The calls a filter admits, newest first, no more than `limit`.
    ///
    /// # Errors
    /// When the books cannot be read.
    fn calls(&self, filter: &Filter, limit: usize) -> Result<Vec<Arc<Row>>, BooksError>;

    /// Shows each call a filter admits in the order of time, until `each` says no. However many there are, few are
    /// held at a time. `each` must not ask these books anything.
    ///
    /// # Errors
    /// When the books cannot be read.
    fn each(&self, filter: &Filter, order: Order, each: &mut dyn FnMut(&Arc<Row>) -> bool) -> Result<(), BooksError> {
        let mut rows = self.calls(filter, usize::MAX)?;
        if order == Order::Ascending {
            rows.reverse();
        }
        let _ = rows.iter().all(each);
        Ok(())
    }

    /// The sums of each stretch of time, oldest first: the bars of a history.
    ///
    /// # Errors
    /// When the books cannot be read.
    fn spans(&self, spans: &[Span], filter: &Filter) -> Result<Vec<Sums>, BooksError> {
        spans
            .iter()
            .map(|span| {
                let since = filter.since.map_or(span.from, |since| since.max(span.from));
                let until = filter.until.map_or(span.until, |until| until.min(span.until));
                self.sums(&Filter { since: Some(since), until: Some(until), ..filter.clone() })
            })
            .collect()
    }

    /// The call of this key.
    ///
    /// # Errors
    /// When the books cannot be read.
    fn call(&self, key: CallKey) -> Result<Option<Arc<Row>>, BooksError>;

    /// How far each file has been read, by path.
    ///
    /// # Errors
    /// When the books cannot be read.
    fn files(&self) -> Result<Vec<Checkpoint>, BooksError>;

    /// How far one file has been read: for a hook, which follows no other.
    ///
    /// # Errors
    /// When the books cannot be read.
    fn file(&self, path: &Path) -> Result<Option<Checkpoint>, BooksError> {
        Ok(self.files()?.into_iter().find(|file| file.path == path))
    }

    /// Remembers that an alert fired: true for exactly one of all who ask, whatever process they are.
    ///
    /// # Errors
    /// When the books cannot be written.
    fn claim_alert(&mut self, id: &str, at: Instant) -> Result<bool, BooksError>;

    /// Forgets an alert, so that it may fire again.
    ///
    /// # Errors
    /// When the books cannot be written.
    fn forget_alert(&mut self, id: &str) -> Result<(), BooksError>;

    /// The alerts that were claimed and not forgotten whose names begin so, in the order of their names.
    ///
    /// # Errors
    /// When the books cannot be read.
    fn alerts(&self, beginning: &str) -> Result<Vec<(String, Instant)>, BooksError>;

    /// True when another process has written to the books since this was last asked.
    fn changed_elsewhere(&mut self) -> bool {
        false
    }
}
