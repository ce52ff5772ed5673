//! Opens the ledger that a command works on and replaces a damaged one.

use std::sync::Arc;

use super::selection::LogSelection;
use crate::app::context::Context;
use crate::app::exit::Failure;
use crate::engine::AnyLedger;
use crate::ledger;
use crate::pricing::PriceBook;

/// Number of sums to verify on opening: few enough to go unnoticed.
const QUICK_CHECK: usize = 40;

/// Moves a damaged ledger aside and creates a new one, which is filled from the logs when it is next opened.
///
/// # Errors
/// When it can be neither moved nor replaced.
pub(crate) fn replace_damaged(context: &mut Context<'_>) -> Result<(), Failure> {
    let Some(path) = context.paths.ledger() else { return Ok(()) };
    let prices = context.prices();
    let notes = ledger::replace_damaged(&path, ledger::Options::new(context.now()), prices as _)?;
    for note in notes {
        tracing::warn!(%note, "ledger repaired");
        context.note(&note.to_string());
    }
    Ok(())
}

/// Options for opening the ledger with a selection.
pub(crate) fn options(context: &Context<'_>, selection: &LogSelection) -> ledger::Options {
    match selection {
        // Verify only the newest day: an agent is waiting.
        LogSelection::Session(_) => ledger::Options { quick_check: 1, ..ledger::Options::hurried(context.now()) },
        LogSelection::Everything | LogSelection::Unbooked | LogSelection::Paths(_) => {
            ledger::Options { quick_check: QUICK_CHECK, ..ledger::Options::new(context.now()) }
        }
    }
}

/// Opens the ledger of a selection. If that fails, returns an in-memory stand-in and a warning. Reporting a read-only
/// ledger ([`AnyLedger::why_only_read`]) is up to the caller.
pub(crate) fn open(
    context: &mut Context<'_>,
    selection: &LogSelection,
    prices: &Arc<PriceBook>,
    book: bool,
    options: ledger::Options,
) -> (AnyLedger, Option<String>) {
    let mut any_ledger = AnyLedger::memory(prices);
    if matches!(selection, LogSelection::Everything | LogSelection::Session(_)) || book {
        let path = context.paths.ledger();
        let opened = match &path {
            Some(path) => AnyLedger::ledger(path, options.clone(), prices).map_err(|error| error.to_string()),
            None => Err(context.paths.why_no_data()),
        };
        match opened {
            Ok((ledger, notes)) => {
                for note in notes.iter().filter(|note| !note.is_only_read()) {
                    context.note(&note.to_string());
                }
                if book && matches!(selection, LogSelection::Paths(_)) {
                    any_ledger.also_write_to(ledger);
                } else {
                    any_ledger = ledger;
                }
            }
            Err(why) => {
                let trouble = format!("{why}; only what the logs still hold is counted, and nothing is booked");
                super::warn(context, selection, &trouble);
                if let (Some(path), false) = (path, matches!(selection, LogSelection::Paths(_))) {
                    any_ledger = AnyLedger::instead_of(path, options, prices);
                }
                return (any_ledger, Some(trouble));
            }
        }
    }
    (any_ledger, None)
}
