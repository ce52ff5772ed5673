//! Visits every call that passes a filter, page by page to bound memory.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::domain::{CallKey, Filter, Instant};
use crate::ledger::{Ledger, LedgerError, Row};

/// Calls per page.
const PAGE: usize = 5_000;

/// Passes every call that passes the filter to `each`, newest first.
///
/// # Errors
/// When the ledger cannot be read.
pub(crate) fn every_call(
    books: &dyn Ledger,
    filter: &Filter,
    each: &mut dyn FnMut(&Arc<Row>),
) -> Result<(), LedgerError> {
    pages(books, filter, PAGE, each)
}

fn pages(books: &dyn Ledger, filter: &Filter, page: usize, each: &mut dyn FnMut(&Arc<Row>)) -> Result<(), LedgerError> {
    let mut filter = filter.clone();
    let mut size = page;
    // The next page starts with the moment in which the last one ended, because its calls may be split between the two.
    let mut seen: (Option<Instant>, BTreeSet<CallKey>) = (None, BTreeSet::new());
    loop {
        let rows = books.calls(&filter, size)?;
        for row in &rows {
            let (at, key) = (row.call.at(), row.call.key);
            if seen.0 != Some(at) {
                seen = (Some(at), BTreeSet::new());
            }
            if seen.1.insert(key) {
                each(row);
            }
        }
        if rows.len() < size {
            return Ok(());
        }
        let (Some(first), Some(last)) = (rows.first(), rows.last()) else { return Ok(()) };
        // All calls on this page have the same time. The next page must be larger to get past it.
        size = if first.call.at() == last.call.at() { size.saturating_mul(2) } else { page };
        filter.until = last.call.at().checked_add_signed(chrono::Duration::nanoseconds(1));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{Attribution, Call, Label, Record, Tokens};
    use crate::ledger::{Batch, Memory};
    use crate::pricing::{CostMode, PriceBook};

    #[test]
    fn every_call_is_passed_once_whatever_moments_a_page_ends_in() {
        let mut books = Memory::new(Arc::new(PriceBook::new(Vec::new(), Vec::new(), CostMode::Auto)));
        let call = |number: i64| {
            // Moments with one call, with two, and one with forty.
            let second = if (20..60).contains(&number) { 20 } else { number / 2 };
            let from = Attribution::new(Instant::from_timestamp(second, 0).unwrap(), Label::new("t"));
            Call::new(CallKey::from_parts(&["t", &number.to_string()]), from, None, Tokens { input: 1, ..Tokens::ZERO })
        };
        let records = (0..100).map(|number| Record::Call(call(number))).collect();
        books.post(&Batch { records, files: Vec::new() }).unwrap();
        books.flush().unwrap();
        for page in [1, 2, 3, 7, 99, 100, 101] {
            let mut found = Vec::new();
            pages(&books, &Filter::default(), page, &mut |row| found.push(row.call.key)).unwrap();
            let different: BTreeSet<CallKey> = found.iter().copied().collect();
            assert_eq!((found.len(), different.len()), (100, 100), "pages of {page}");
        }
    }
}
