//! Builds and runs the query of a report.

use std::sync::Arc;

use super::derived;
use crate::app::Failure;
use crate::app::catch_up::Books;
use crate::domain::{Dimension, Filter, TicketPattern, Zone};
use crate::ledger::{Grain, Ledger, LedgerError, Order, Query, Report};

/// The query for a report with these flags. The last arguments are its order and the number of rows.
pub(super) fn query(
    books: &dyn Ledger,
    grain: Grain,
    by: Vec<Dimension>,
    filter: Filter,
    zone: Zone,
    (order, limit): (Option<&str>, Option<usize>),
    tickets: &TicketPattern,
) -> Result<Query, LedgerError> {
    let order = if order == Some("desc") { Order::Descending } else { Order::Ascending };
    let by = Dimension::once(by);
    let renamed = derived::names(books, &by, tickets)?;
    Ok(Query { grain, by, filter, zone, order, limit, renamed })
}

/// Runs the query. With `reprice`, prices every call at today's prices.
///
/// An in-memory ledger is priced at today's prices anyway.
pub(super) fn answer(books: &mut Books, query: &Query, reprice: bool) -> Result<Report, Failure> {
    let prices = Arc::clone(&books.prices);
    let unread_files = books.health.unread_files();
    let report = match books.ledger.sqlite() {
        Some(ledger) if reprice => ledger.report_repriced(query, prices)?,
        Some(_) | None => books.ledger.report(query)?,
    };
    Ok(Report { unread_files, ..report })
}
