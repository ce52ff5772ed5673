//! Names in a filter that no call has, such as a typing error.

use crate::app::names::strangers;
use crate::commands::{Context, Failure};
use crate::domain::Filter;
use crate::ledger::Ledger;

/// Warns of names in the filter that no call has.
pub(crate) fn name_strangers(context: &mut Context<'_>, books: &dyn Ledger, filter: &Filter) -> Result<(), Failure> {
    for sentence in strangers(books, filter)? {
        context.note(&sentence);
    }
    Ok(())
}
