//! Compact in-memory row (< 200 bytes): strings are replaced by interned ids.

mod join;

use std::sync::Arc;
use std::time::Duration;

use super::interner::{Interner, NONE};
use super::{Row, Sums};
use crate::domain::{
    Attribution, Call, CallKey, Claim, Dimension, Fidelity, Instant, Label, Parts, Place, SUMS_UP, Tier, Tokens, Usd,
};
use crate::pricing::Cost;

/// A call with its cost. Its labels are interned by [`Interner`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CompactRow {
    pub(super) key: CallKey,
    pub(super) at: Instant,
    /// The attribution, as an [`AttributeSet`](super::interner::AttributeSet) id.
    pub(super) set: u32,
    pub(super) path: u32,
    /// The worktree, if the project is its repository; else [`NONE`].
    pub(super) folder: u32,
    pub(super) offset: u64,
    pub(super) lineage: u32,
    /// The machine whose ledger first reported the call; [`NONE`] is this machine.
    pub(super) machine: u32,
    pub(super) alias: Option<CallKey>,
    pub(super) tokens: Tokens,
    pub(super) tier: Tier,
    pub(super) fidelity: Fidelity,
    pub(super) claim: Claim,
    /// Read from a store. On a tie, its attribution wins.
    pub(super) booked: bool,
    pub(super) ends_turn: bool,
    pub(super) web_searches: u32,
    pub(super) rare: Option<Box<Rare>>,
    pub(super) cost: RowCost,
}

const _: () =
    assert!(size_of::<CompactRow>() < 200, "a million of them are held while logs are read for the first time");

/// A row with names instead of interned ids.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredRow {
    /// The call and its cost.
    pub row: Arc<Row>,
    /// The machine whose ledger first reported the call; `None` is this machine.
    pub machine: Option<Label>,
}

/// Fields that are rarely set.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Rare {
    pub(super) quoted: Option<Usd>,
    pub(super) latency: Option<Duration>,
    pub(super) parts: Parts,
}

impl Rare {
    /// Boxes these fields; `None` if all are empty.
    pub(super) fn from_parts(quoted: Option<Usd>, latency: Option<Duration>, parts: Parts) -> Option<Box<Self>> {
        let is_empty = quoted.is_none() && latency.is_none() && parts.is_none();
        (!is_empty).then(|| Box::new(Self { quoted, latency, parts }))
    }
}

/// A cost with its price interned; `Pending` until it has been looked up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum RowCost {
    Pending,
    Unpriced,
    Quoted(Usd),
    Priced { usd: Usd, saved: Usd, price: u32, is_guessed: bool },
}

impl CompactRow {
    /// Converts a call, which is not priced yet.
    pub(super) fn from_call(call: &Call, names: &mut Interner) -> Self {
        let place = call.from.place.as_ref();
        Self {
            key: call.key,
            at: call.from.at,
            set: names.set_of(call),
            path: names.path(place, call.from.began),
            folder: call.from.folder.as_ref().map_or(NONE, |folder| names.number(Some(folder))),
            offset: place.map_or(0, |place| place.offset),
            lineage: names.number(call.lineage.as_ref()),
            machine: NONE,
            alias: call.alias,
            tokens: call.tokens,
            tier: call.tier,
            fidelity: call.trust(),
            claim: call.from.claim,
            booked: false,
            ends_turn: call.ends_turn,
            web_searches: call.web_searches,
            rare: Rare::from_parts(call.quoted, call.latency, call.parts),
            cost: RowCost::Pending,
        }
    }

    /// Converts back to a call.
    pub(super) fn call(&self, names: &Interner) -> Call {
        let value = |dimension| names.value(self.set, dimension).cloned();
        let rare = self.rare.as_deref();
        Call {
            key: self.key,
            from: Attribution {
                at: self.at,
                source: value(Dimension::Source).unwrap_or_else(|| Label::new("")),
                session: value(Dimension::Session),
                agent: value(Dimension::Agent),
                project: value(Dimension::Project),
                folder: names.label(self.folder).cloned(),
                branch: value(Dimension::Branch),
                user: value(Dimension::User),
                team: value(Dimension::Team),
                feature: value(Dimension::Feature),
                org: value(Dimension::Org),
                place: names.label(self.path).map(|path| Place { path: path.clone(), offset: self.offset }),
                claim: self.claim,
                began: names.began(self.path),
            },
            model: value(Dimension::Model),
            tokens: self.tokens,
            parts: self.parts(),
            tier: self.tier,
            web_searches: self.web_searches,
            quoted: rare.and_then(|rare| rare.quoted),
            latency: rare.and_then(|rare| rare.latency),
            fidelity: self.fidelity,
            alias: self.alias,
            lineage: names.label(self.lineage).cloned(),
            ends_turn: self.ends_turn,
        }
    }

    /// The key.
    pub fn key(&self) -> CallKey {
        self.key
    }

    /// Converts to a form without interned ids, for stores that keep no ids for names.
    pub fn stored(&self, names: &Interner) -> StoredRow {
        StoredRow { row: self.row(names), machine: names.label(self.machine).cloned() }
    }

    /// Converts back. The start of the log is not kept, because it only matters within one reading.
    pub fn from_stored(stored: &StoredRow, names: &mut Interner) -> Self {
        let call =
            Call { from: Attribution { began: None, ..stored.row.call.from.clone() }, ..stored.row.call.clone() };
        let cost = match &stored.row.cost {
            Cost::Unpriced => RowCost::Unpriced,
            Cost::Quoted(usd) => RowCost::Quoted(*usd),
            Cost::Priced { usd, saved, price, is_guessed } => {
                RowCost::Priced { usd: *usd, saved: *saved, price: names.number(Some(price)), is_guessed: *is_guessed }
            }
        };
        let machine = names.number(stored.machine.as_ref());
        Self { machine, cost, fidelity: call.fidelity, booked: true, ..Self::from_call(&call, names) }
    }

    /// Converts to the public row type.
    pub(super) fn row(&self, names: &Interner) -> Arc<Row> {
        Arc::new(Row { call: self.call(names), cost: self.cost(names) })
    }

    /// Converts to the public cost type.
    pub(super) fn cost(&self, names: &Interner) -> Cost {
        match self.cost {
            RowCost::Pending | RowCost::Unpriced => Cost::Unpriced,
            RowCost::Quoted(usd) => Cost::Quoted(usd),
            RowCost::Priced { usd, saved, price, is_guessed } => {
                let price = names.label(price).cloned().unwrap_or_else(|| Label::new(""));
                Cost::Priced { usd, saved, price, is_guessed }
            }
        }
    }

    /// True for a row of telemetry: another log's row with its alias may be the same call.
    pub(super) fn is_telemetry(&self) -> bool {
        self.alias.is_some_and(|alias| !alias.is_of_attempts() && self.key.is_named(alias))
    }

    /// True for a row with the totals of a whole thread, whose calls may also be stored one by one.
    pub(super) fn sums_up(&self, names: &Interner) -> bool {
        names.value(self.set, Dimension::Source).is_some_and(|source| SUMS_UP.contains(&source.as_str()))
    }

    /// Sums of this row alone.
    pub(super) fn sums(&self) -> Sums {
        let (cost, saved) = match self.cost {
            RowCost::Pending | RowCost::Unpriced => (Usd::ZERO, Usd::ZERO),
            RowCost::Quoted(usd) => (usd, Usd::ZERO),
            RowCost::Priced { usd, saved, .. } => (usd, saved),
        };
        let unpriced = matches!(self.cost, RowCost::Pending | RowCost::Unpriced);
        Sums {
            calls: 1,
            tokens: self.tokens,
            cost,
            saved,
            unpriced_tokens: if unpriced { self.tokens.total() } else { 0 },
            lower_bound_calls: u64::from(self.fidelity.is_lower_bound()),
            guessed_calls: u64::from(self.is_guessed()),
        }
    }

    /// True for a refused call, which is free and not shown: see [`Fidelity::Refused`].
    pub(super) fn is_refused(&self) -> bool {
        self.fidelity == Fidelity::Refused
    }

    /// See [`Call::is_grouped`].
    pub(super) fn is_grouped(&self) -> bool {
        self.is_refused() || self.is_telemetry() || self.alias.is_some_and(CallKey::is_of_attempts)
    }

    /// The rarely used parts of the counts.
    pub(super) fn parts(&self) -> Parts {
        self.rare.as_ref().map_or(Parts::NONE, |rare| rare.parts)
    }

    /// True when the counts or the price are a guess.
    fn is_guessed(&self) -> bool {
        let has_guessed_price = matches!(self.cost, RowCost::Priced { is_guessed: true, .. });
        let is_split_guessed =
            matches!(self.fidelity, Fidelity::Guessed | Fidelity::SumGuessed | Fidelity::WritesUnlogged);
        is_split_guessed || (has_guessed_price && self.fidelity == Fidelity::Final)
    }

    /// The row as its log gives it, see [`Fidelity::as_read`].
    pub(super) fn unsettled(mut self) -> Self {
        self.fidelity = self.fidelity.as_read();
        self
    }

    /// True when all fields but the cost are equal.
    pub(super) fn says_the_same(&self, other: &Self) -> bool {
        self.key == other.key
            && (self.at, self.set, self.path, self.offset) == (other.at, other.set, other.path, other.offset)
            && self.folder == other.folder
            && (self.lineage, self.machine, self.alias) == (other.lineage, other.machine, other.alias)
            && (self.claim, self.ends_turn) == (other.claim, other.ends_turn)
            && self.charges_the_same(other)
    }

    fn charges_the_same(&self, other: &Self) -> bool {
        (self.tokens, self.tier, self.fidelity, self.web_searches)
            == (other.tokens, other.tier, other.fidelity, other.web_searches)
            && self.rare == other.rare
    }
}
