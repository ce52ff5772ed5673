//! Compares all data that a store derives from rows with the rows themselves.

use rustc_hash::FxHashMap;

use super::pages;
use super::verify_bills::BillCheck;
use crate::domain::{Dimension, Filter, Instant};
use crate::ledger::books::{Backing, Books};
use crate::ledger::by_key::Keys;
use crate::ledger::grouping::{self, Quarter};
use crate::ledger::interner::{DIMENSIONS, Interner, KIND, NONE, place};
use crate::ledger::store::{Store, Stored, Table};
use crate::ledger::working_set::WorkingSet;
use crate::ledger::{LedgerError, Sums};

/// Result of a full check.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Findings {
    /// Number of rows read.
    pub calls: u64,
    /// Problems, one sentence each; empty if there are none.
    pub problems: Vec<String>,
}

impl<B: Backing> Books<B> {
    /// Checks the store, and its sums against its rows.
    ///
    /// # Errors
    /// When the ledger cannot be read at all.
    pub fn verify(&self) -> Result<Findings, LedgerError> {
        let found = self.view(|store| {
            let mut findings = Findings { problems: self.backing.check()?, ..Findings::default() };
            if findings.problems.is_empty() {
                compare(store, &mut self.working_set.borrow_mut(), &mut findings)?;
            }
            Ok(findings)
        });
        match found {
            Err(LedgerError::Damaged { what, .. }) => Ok(Findings { calls: 0, problems: vec![what] }),
            Ok(findings) if !findings.problems.is_empty() => {
                self.backing.distrust();
                Ok(findings)
            }
            found => found,
        }
    }
}

/// Compares the sums that queries read, and the calls that are computed from bills.
pub(in crate::ledger) fn compare<S: Store>(
    store: &S,
    working_set: &mut WorkingSet<S::Ids>,
    findings: &mut Findings,
) -> Stored<()> {
    compare_sums(store, working_set, findings)?;
    if !store.has_bills()? {
        return Ok(());
    }
    let mut check = BillCheck::begin(store, working_set)?;
    pages(store, working_set, Table::Shown, |working_set, rows| {
        for row in &rows {
            check.take(&working_set.state.names, row);
        }
        Ok(true)
    })?;
    findings.problems.extend(check.problem().map(str::to_owned));
    Ok(())
}

/// The dimensions of the levels on which a store may keep sums, and whether each level is split by time.
const LEVELS: [(&str, &[Dimension], bool); 4] = [
    ("by session", &Dimension::ALL, true),
    ("by kind of call", &KIND, true),
    ("by quarter hour", &[], true),
    ("of all time", &KIND, false),
];

/// Sums on one level, by quarter hour and attribution.
struct Level {
    by: &'static [Dimension],
    is_timed: bool,
    sums: FxHashMap<(i64, u32), Sums>,
    /// Maps a row's attribution to the attribution on this level.
    coarse: FxHashMap<u32, u32>,
}

impl Level {
    fn new(by: &'static [Dimension], is_timed: bool) -> Self {
        Self { by, is_timed, sums: FxHashMap::default(), coarse: FxHashMap::default() }
    }

    fn add(&mut self, quarter: &Quarter, names: &mut Interner) {
        let set = *self.coarse.entry(quarter.set).or_insert_with(|| {
            let (whole, mut coarse) = (*names.set(quarter.set), [NONE; DIMENSIONS]);
            for by in self.by {
                coarse[place(*by)] = whole[place(*by)];
            }
            names.set_number(coarse)
        });
        let number = if self.is_timed { quarter.number } else { 0 };
        self.sums.entry((number, set)).or_default().add(&quarter.sums);
    }
}

/// Adds up every row and compares the result with the sums that queries read.
pub(in crate::ledger) fn compare_sums<S: Store>(
    store: &S,
    working_set: &mut WorkingSet<S::Ids>,
    findings: &mut Findings,
) -> Stored<()> {
    let mut levels = LEVELS.map(|(_, by, is_timed)| Level::new(by, is_timed));
    let mut ends: FxHashMap<u32, (Instant, Instant)> = FxHashMap::default();
    let mut keys = Keys::default();
    pages(store, working_set, Table::Shown, |working_set, rows| {
        for row in &rows {
            let quarter = grouping::quarter(row);
            for level in &mut levels {
                level.add(&quarter, &mut working_set.state.names);
            }
            let (first, last) = ends.entry(row.set).or_insert((row.at, row.at));
            (*first, *last) = ((*first).min(row.at), (*last).max(row.at));
            keys.insert(row.key);
            findings.calls += 1;
        }
        Ok(true)
    })?;
    let WorkingSet { state, ids, .. } = working_set;
    let (names, all) = (&mut state.names, Filter::default());
    for (of_rows, (name, by, is_timed)) in levels.into_iter().zip(LEVELS) {
        let mut stored = Level::new(by, is_timed);
        let quarters = store.quarters(names, ids, &all, by, !is_timed)?;
        quarters(ids, &mut |quarter| stored.add(&quarter, names))?;
        stored.sums.retain(|_, sums| *sums != Sums::default());
        if stored.sums != of_rows.sums {
            findings.problems.push(format!("the sums {name} are not those of the calls"));
        }
    }
    let stored = store.stretches(names, ids, &all)?;
    let stored: FxHashMap<u32, (Instant, Instant)> =
        stored.iter().map(|stretch| (stretch.set, (stretch.first, stretch.last))).collect();
    if stored != ends {
        findings.problems.push("the first and last calls of sessions are not those of the calls".to_owned());
    }
    let twice = findings.calls - u64::try_from(keys.len()).unwrap_or(findings.calls);
    if twice > 0 {
        findings.problems.push(format!("{twice} calls are booked more than once"));
    }
    Ok(())
}
