//! Names in a filter that no call has, such as a typing error.

use crate::app::names::unknown_names;
use crate::commands::{Context, Failure};
use crate::domain::Filter;
use crate::ledger::Ledger;

/// Warns of names in the filter that no call has.
pub(crate) fn warn_of_unknown_names(
    context: &mut Context<'_>,
    books: &dyn Ledger,
    filter: &Filter,
) -> Result<(), Failure> {
    for sentence in unknown_names(books, filter)? {
        context.note(&sentence);
    }
    Ok(())
}
