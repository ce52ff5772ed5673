//! Transactions of a store: their purpose, their changes, and the tables that hold the rows.

use crate::domain::{Bill, CallKey};
use crate::ledger::StoreError;
use crate::ledger::compact_row::CompactRow;
use crate::ledger::grouping::Quarter;
use crate::ledger::spending::Part;

/// Called before each step of an atomic sequence, where tests kill the process.
pub type Step<'a> = &'a dyn Fn(&'static str);

/// Result of an operation of a store.
pub type Stored<T> = Result<T, StoreError>;

/// Hands the chosen sums to a visitor.
pub type Quarters<'a, Ids> = Box<dyn FnOnce(&mut Ids, &mut dyn FnMut(Quarter)) -> Stored<()> + 'a>;

/// Purpose of a transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// For queries.
    Read,
    /// For changes.
    Write,
}

/// The two tables of rows. They share no key of a shown row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Table {
    /// Rows that queries can see.
    Shown,
    /// Sightings that are not shown on their own: telemetry of a call that another log names, that call's own sighting,
    /// and refusals.
    Unmerged,
}

/// Changes of one transaction. Every list is in the order in which it must be written.
#[derive(Debug, Default)]
pub struct Delta<'a> {
    /// Shown rows that changed, by key: the stored version and the new one.
    pub rows: Vec<(CallKey, Option<&'a CompactRow>, Option<&'a CompactRow>)>,
    /// Unmerged rows that changed; `None` for one that was removed.
    pub unmerged: Vec<(CallKey, Option<CompactRow>)>,
    /// New and changed bills, with the ids of their sessions.
    pub bills: Vec<(u32, Bill)>,
    /// Sums by interned session and model, for sessions that have a bill.
    pub spent: Vec<(u32, u32, Part)>,
    /// New descents: the ids of child and parent.
    pub descents: Vec<(u32, u32)>,
}

/// A position between the rows of a table, meaningful only to the store; `None` is the beginning.
pub type Place = Option<i64>;
