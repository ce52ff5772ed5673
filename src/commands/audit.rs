//! `audit`: reads every log again from its first byte and reports the outcome of each line.
//!
//! Writes nothing to the ledger and shows no content of lines, only counts, places and reasons.

mod bad;
mod document;
mod ledger_totals;
mod marked;
mod read;
mod show;

pub(super) use self::bad::Bad;
pub(super) use self::read::read;

use std::path::PathBuf;

use self::document::Audit;
use self::ledger_totals::LedgerTotals;
use super::{Context, Exit, Failure};
use crate::app::catch_up::LogSelection;

/// Number of places listed for each kind of problem. All of them are counted.
const PLACES: usize = 20;

pub(super) fn run(context: &mut Context<'_>, json: bool, paths: &[PathBuf]) -> Result<Exit, Failure> {
    let selection = LogSelection::from_args(context, paths, true);
    // Read the ledger before the logs: anything booked meanwhile is also in the logs.
    let totals = if paths.is_empty() { LedgerTotals::from_ledger(context)? } else { None };
    let read = read(context, &selection)?;
    let totals = totals.map(|totals| totals.compared_with(&read)).transpose()?;
    show::write(context, &Audit::from_read(&read, totals)?, json)
}
