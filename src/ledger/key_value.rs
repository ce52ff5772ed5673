//! Facts stored next to the calls and shared by all processes: delivered alerts, overridden limits, held amounts,
//! restored sessions.

use std::cell::Cell;
use std::time::Duration;

use super::LedgerError;
use crate::domain::Instant;

/// Subject of a fact. Keys are unique within a subject.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FactKind {
    /// Alerts, by id. The value is the state of the delivery.
    Alert,
    /// Warnings already given to a session, by session and alert id.
    Warning,
    /// Overrides of limits, by session and turn.
    Override,
    /// Amounts held for calls in progress, by id.
    Hold,
    /// Sessions that an import restored after they were pruned, by name. The value is the time before which their calls
    /// are still missing; empty if none are.
    RestoredSession,
}

impl FactKind {
    /// Every space.
    pub const ALL: [Self; 5] = [Self::Alert, Self::Warning, Self::Override, Self::Hold, Self::RestoredSession];

    /// Name in a store.
    pub fn name(self) -> &'static str {
        match self {
            Self::Alert => "alert",
            Self::Warning => "warning",
            Self::Override => "override",
            Self::Hold => "hold",
            Self::RestoredSession => "restored",
        }
    }
}

/// A value and the time it was written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Fact {
    /// Time, to the second.
    pub at: Instant,
    /// The value; empty if the key says it all.
    pub value: String,
}

/// Small values by key, each changed by one process at a time.
pub trait KeyValue {
    /// Replaces a key's value with the result of `change`; writes nothing if that is `None`. True if a value was
    /// written. No other process can change the value in between.
    ///
    /// # Errors
    /// When it could not be written.
    fn update(&mut self, space: FactKind, key: &str, change: FactChange<'_>) -> Result<bool, LedgerError>;

    /// Removes a key.
    ///
    /// # Errors
    /// When it could not be removed.
    fn remove(&mut self, space: FactKind, key: &str) -> Result<(), LedgerError>;

    /// Every fact whose key has this prefix, sorted by key.
    ///
    /// # Errors
    /// When the ledger cannot be read.
    fn facts(&self, space: FactKind, prefix: &str) -> Result<Vec<(String, Fact)>, LedgerError>;

    /// Writes a key without a value if it does not exist yet. Returns true for exactly one caller among all processes.
    ///
    /// # Errors
    /// When it could not be written.
    fn claim(&mut self, space: FactKind, key: &str, at: Instant) -> Result<bool, LedgerError> {
        self.update(space, key, &|known| known.is_none().then(|| Fact { at, value: String::new() }))
    }
}

/// A fact to write, or a key to remove.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FactEdit {
    /// Subject.
    pub space: FactKind,
    /// The key.
    pub key: String,
    /// The new value; `None` removes the key.
    pub fact: Option<Fact>,
}

/// Computes the new value of a key from its current one.
pub type FactChange<'a> = &'a dyn Fn(Option<&Fact>) -> Option<Fact>;

/// Value of an alert whose delivery has started.
const CLAIMED: &str = "claimed";
/// Value of a delivered alert.
pub(crate) const DELIVERED: &str = "delivered";

/// Time after which an alert that was claimed but not delivered can be claimed again, because its process was killed.
pub(crate) const CLAIM_LASTS: Duration = Duration::from_secs(30);

/// Outcome of [`claim_alert`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum AlertClaim {
    /// The caller must deliver the alert, and then call [`alert_was_delivered`].
    Ours,
    /// Another process is delivering it, or was killed while doing so.
    Pending,
    /// It has been delivered.
    Done,
}

impl AlertClaim {
    /// The outcome of a claim that finds this fact.
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

/// Claims an alert for delivery. Only one caller among all processes gets it. A claim expires if no delivery follows.
///
/// # Errors
/// When the ledger cannot be written.
pub(crate) fn claim_alert(
    books: &mut (impl KeyValue + ?Sized),
    id: &str,
    now: Instant,
) -> Result<AlertClaim, LedgerError> {
    let outcome = Cell::new(AlertClaim::Ours);
    books.update(FactKind::Alert, id, &|known| {
        outcome.set(known.map_or(AlertClaim::Ours, |fact| AlertClaim::after(fact, now)));
        (outcome.get() == AlertClaim::Ours).then(|| Fact { at: now, value: CLAIMED.to_owned() })
    })?;
    Ok(outcome.get())
}

/// Records that an alert was delivered.
///
/// # Errors
/// When the ledger cannot be written. The claim then expires, and the alert may be delivered again.
pub(crate) fn alert_was_delivered(
    books: &mut (impl KeyValue + ?Sized),
    id: &str,
    now: Instant,
) -> Result<(), LedgerError> {
    books.update(FactKind::Alert, id, &|_| Some(Fact { at: now, value: DELIVERED.to_owned() })).map(drop)
}
