//! Facts beside the calls that processes agree on: which alerts were delivered, which limits are lifted, which amounts
//! are held.

use std::cell::Cell;
use std::time::Duration;

use super::BooksError;
use crate::domain::Instant;

/// Subject of a fact. Keys are unique within a subject.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Space {
    /// Alerts, by their id; the value says how far the delivery has come.
    Alert,
    /// Thresholds that were reported to a session, by session and alert id.
    Warning,
    /// Overrides of limits, by session and turn.
    Override,
    /// Amounts held for calls under way, by their id.
    Hold,
}

impl Space {
    /// Every space.
    pub const ALL: [Self; 4] = [Self::Alert, Self::Warning, Self::Override, Self::Hold];

    /// Name in a store.
    pub fn name(self) -> &'static str {
        match self {
            Self::Alert => "alert",
            Self::Warning => "warning",
            Self::Override => "override",
            Self::Hold => "hold",
        }
    }
}

/// A value with the time at which it was written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Fact {
    /// Time, to the second.
    pub at: Instant,
    /// The value; empty where the key says all.
    pub value: String,
}

/// Small values by key, each changed by one process at a time.
pub trait KeyValue {
    /// Writes what `change` makes of the value of a key; nothing if it gives `None`. True if it was written. No other
    /// process changes the value in between.
    ///
    /// # Errors
    /// When it could not be written.
    fn update(&mut self, space: Space, key: &str, change: FactChange<'_>) -> Result<bool, BooksError>;

    /// Removes a key.
    ///
    /// # Errors
    /// When it could not be removed.
    fn remove(&mut self, space: Space, key: &str) -> Result<(), BooksError>;

    /// Every fact whose key has this prefix, sorted by key.
    ///
    /// # Errors
    /// When the ledger cannot be read.
    fn facts(&self, space: Space, prefix: &str) -> Result<Vec<(String, Fact)>, BooksError>;

    /// Writes a key without a value, unless it is there: true for exactly one caller among all processes.
    ///
    /// # Errors
    /// When it could not be written.
    fn claim(&mut self, space: Space, key: &str, at: Instant) -> Result<bool, BooksError> {
        self.update(space, key, &|known| known.is_none().then(|| Fact { at, value: String::new() }))
    }
}

/// A fact to be written, or a key to be removed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FactEdit {
    /// Subject.
    pub space: Space,
    /// The key.
    pub key: String,
    /// The new value; `None` removes the key.
    pub fact: Option<Fact>,
}

/// The new value of a key, from the present one.
pub type FactChange<'a> = &'a dyn Fn(Option<&Fact>) -> Option<Fact>;

/// Value of an alert whose delivery has begun.
const CLAIMED: &str = "claimed";
/// Value of an alert that was delivered.
pub(crate) const DELIVERED: &str = "delivered";

/// Time after which an alert that was claimed and not delivered may be claimed again: its process was killed.
pub(crate) const CLAIM_LASTS: Duration = Duration::from_secs(30);

/// Outcome of [`claim_alert`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum AlertClaim {
    /// The caller is to deliver the alert, and then to call [`alert_was_delivered`].
    Ours,
    /// Another process is delivering it, or was killed while it did.
    Pending,
    /// It was delivered.
    Done,
}

impl AlertClaim {
    /// The outcome of a claim that finds this recorded.
    pub(crate) fn after(fact: &Fact, now: Instant) -> Self {
        if fact.value != CLAIMED {
            Self::Done
        } else if (now - fact.at).abs().to_std().is_ok_and(|age| age < CLAIM_LASTS) {
            Self::Pending
        } else {
            Self::Ours
        }
    }
}

/// Claims an alert for delivery, for one caller among all processes. A claim without a delivery lapses.
///
/// # Errors
/// When the ledger cannot be written.
pub(crate) fn claim_alert(
    books: &mut (impl KeyValue + ?Sized),
    id: &str,
    now: Instant,
) -> Result<AlertClaim, BooksError> {
    let outcome = Cell::new(AlertClaim::Ours);
    books.update(Space::Alert, id, &|known| {
        outcome.set(known.map_or(AlertClaim::Ours, |fact| AlertClaim::after(fact, now)));
        (outcome.get() == AlertClaim::Ours).then(|| Fact { at: now, value: CLAIMED.to_owned() })
    })?;
    Ok(outcome.get())
}

/// Records that an alert was delivered.
///
/// # Errors
/// When the ledger cannot be written: the claim lapses, and the alert may be delivered again.
pub(crate) fn alert_was_delivered(
    books: &mut (impl KeyValue + ?Sized),
    id: &str,
    now: Instant,
) -> Result<(), BooksError> {
    books.update(Space::Alert, id, &|_| Some(Fact { at: now, value: DELIVERED.to_owned() })).map(drop)
}
