//! Rows, changes, sums, batches and checkpoints.

use std::path::PathBuf;
use std::sync::Arc;

use crate::domain::{Call, Fidelity, Instant, Record, Tokens, Usd};
use crate::pricing::Cost;

/// A call with its booked cost.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// The join of all sightings of the call.
    pub call: Call,
    /// The booked cost.
    pub cost: Cost,
}

impl Row {
    /// Fidelity of the counts and of the price. If a call's log does not separate cache writes from plain input, the
    /// split remains a guess unless the model has a price that settles whether it matters.
    pub fn trust(&self) -> Fidelity {
        let trust = self.call.trust();
        let is_price_guessed = trust == Fidelity::Final && self.cost.is_guessed();
        let is_split_guessed = matches!(trust, Fidelity::WritesUnlogged | Fidelity::SumGuessed);
        if is_price_guessed || is_split_guessed { Fidelity::Guessed } else { trust }
    }
}

/// Effect of a batch on the ledger.
///
/// Each call in the batch gives exactly one `New`, `Grown` or `Repeat`, in the order of the records. `Moved` and `Gone`
/// appear in between when other rows changed too: a descent moved a fork's rows to their root, or two rows turned out
/// to be one call. To keep totals, subtract every `before` and `Gone`, and add every `after`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// A new call.
    New(RowChange),
    /// A known call that now has more data.
    Grown(RowChange),
    /// A known call, unchanged.
    Repeat,
    /// Another row, changed as a consequence.
    Moved(RowChange),
    /// Another row, merged into the one before it.
    Gone(Arc<Row>),
}

impl Change {
    /// The rows to subtract from a total and to add to it.
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

/// Versions of a row before and after a batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RowChange {
    /// `None` for a new row.
    pub before: Option<Arc<Row>>,
    /// The current version.
    pub after: Arc<Row>,
}

/// Sums over calls. They are exact, so a call can be subtracted again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Sums {
    /// Number of calls.
    pub calls: u64,
    /// Their tokens.
    pub tokens: Tokens,
    /// Cost of the calls that have a cost.
    pub cost: Usd,
    /// Amount saved by caching.
    pub saved: Usd,
    /// Tokens of calls without a price.
    pub unpriced_tokens: u64,
    /// Calls whose log reports less than was used.
    pub lower_bound_calls: u64,
    /// Calls whose model, split, tier or rate is a guess.
    pub guessed_calls: u64,
}

impl Sums {
    /// These sums, marked as a lower bound if any files could not be read.
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

    /// Subtracts other sums.
    pub fn sub(&mut self, other: &Self) {
        self.calls = self.calls.saturating_sub(other.calls);
        self.tokens = self.tokens.saturating_sub(other.tokens);
        self.cost -= other.cost;
        self.saved -= other.saved;
        self.unpriced_tokens = self.unpriced_tokens.saturating_sub(other.unpriced_tokens);
        self.lower_bound_calls = self.lower_bound_calls.saturating_sub(other.lower_bound_calls);
        self.guessed_calls = self.guessed_calls.saturating_sub(other.guessed_calls);
    }

    /// True when nothing in these sums has a price (`?`).
    pub fn is_unpriced(&self) -> bool {
        self.unpriced_tokens > 0 && self.unpriced_tokens >= self.tokens.total() && self.cost == Usd::ZERO
    }

    /// True when the real cost is at least `cost` but may be higher (`≥`).
    pub fn is_lower_bound(&self) -> bool {
        self.unpriced_tokens > 0 || self.lower_bound_calls > 0
    }
}

/// Records and checkpoints that are written in one transaction.
#[derive(Clone, Debug, Default)]
pub struct Batch {
    /// Records, in the order of their lines.
    pub records: Vec<Record>,
    /// Checkpoints that apply once these records are written.
    pub files: Vec<Checkpoint>,
}

/// How far a log file has been read, and data to recognise the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checkpoint {
    /// Path where the file was found.
    pub path: PathBuf,
    /// Device number.
    pub device: u64,
    /// Inode number.
    pub inode: u64,
    /// Bytes read and booked.
    pub offset: u64,
    /// Size when last checked.
    pub size: u64,
    /// Modification time when last checked, in nanoseconds since 1970.
    pub modified_ns: i64,
    /// Hash of the first KiB, or of the whole file while it is shorter.
    pub head_hash: u64,
    /// Number of bytes that `head_hash` covers.
    pub head_len: u32,
    /// Hash of up to 256 bytes before `offset`.
    pub tail_hash: u64,
    /// Decoder state between lines; empty for most formats.
    pub reader: String,
    /// Lines read so far, for line numbers in messages.
    pub lines: u64,
    /// Lines that could not be decoded.
    pub bad_lines: u64,
}

impl Checkpoint {
    /// Path that stands for the telemetry reader, which has no file.
    pub(crate) const TELEMETRY: &str = "telemetry";

    /// The checkpoint of the telemetry reader.
    pub(crate) fn of_telemetry(reader: String, now: Instant) -> Self {
        // Checkpoints of missing files expire by this time.
        let modified_ns = now.timestamp_nanos_opt().unwrap_or_default();
        Self { modified_ns, reader, ..Self::unread(Self::TELEMETRY.into()) }
    }

    /// The checkpoint of a file that has not been read yet.
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
