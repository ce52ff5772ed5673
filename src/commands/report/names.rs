//! Warns about names in a filter that no call has, such as typing errors.

use crate::app::names::KnownNames;
use crate::commands::{Context, Failure};
use crate::domain::Filter;
use crate::ledger::Ledger;

/// Warns about names in the filter that no call has.
pub(super) fn warn_of_unknown_names(
    context: &mut Context<'_>,
    books: &dyn Ledger,
    known: &mut KnownNames,
    filter: &Filter,
) -> Result<(), Failure> {
    for sentence in known.unknown_in(books, filter)? {
        context.note(&sentence);
    }
    Ok(())
}
