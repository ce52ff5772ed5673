//! Runs the query of a report.

use std::sync::Arc;

use crate::app::Failure;
use crate::app::catch_up::Books;
use crate::ledger::{Ledger, Query, Report};

/// Runs the query; with `reprice`, every call at today's prices.
///
/// An in-memory store was priced today anyway.
pub(in crate::commands) fn answer(books: &mut Books, query: &Query, reprice: bool) -> Result<Report, Failure> {
    let prices = Arc::clone(&books.prices);
    let unread_files = books.health.unread_files();
    let report = match books.ledger.sqlite() {
        Some(ledger) if reprice => ledger.report_repriced(query, prices)?,
        Some(_) | None => books.ledger.report(query)?,
    };
    Ok(Report { unread_files, ..report })
}
