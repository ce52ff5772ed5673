//! The ledger's section in `doctor`.

use std::sync::Arc;

use serde::Serialize;

use crate::commands::Context;
use crate::domain::Label;
use crate::ledger::{self, BooksError, Options};
use crate::output::Decimal;
use crate::pricing::PriceBook;

/// The ledger's section in `doctor`.
#[derive(Serialize)]
pub(crate) struct LedgerFacts {
    pub(crate) path: Option<Label>,
    pub(crate) state: &'static str,
    pub(crate) note: Option<Label>,
    pub(crate) bytes: u64,
    pub(crate) ledger_schema: Option<i64>,
    pub(crate) calls: u64,
    pub(crate) future_calls: u64,
    pub(crate) cost_usd: Option<Decimal>,
}

impl LedgerFacts {
    /// Inspects the ledger at its usual place.
    pub(crate) fn gather(context: &Context<'_>, prices: &Arc<PriceBook>) -> Self {
        let mut facts = Self {
            path: context.paths.ledger().map(|path| Label::from_path(&path)),
            state: "none",
            note: None,
            bytes: 0,
            ledger_schema: None,
            calls: 0,
            future_calls: 0,
            cost_usd: None,
        };
        let Some(path) = context.paths.ledger().filter(|path| path.exists()) else { return facts };
        let told = |error: &BooksError| Some(Label::new(&error.to_string()));
        match ledger::open(&path, Options::new(context.now()), Arc::clone(prices) as _) {
            Err(error) => (facts.state, facts.note) = ("not available", told(&error)),
            Ok(opened) => {
                facts.state = if opened.books.is_read_only() { "read-only" } else { "writable" };
                facts.note = opened.notes.first().map(|note| Label::new(&note.to_string()));
                match opened.books.info(context.now()) {
                    Err(error) => (facts.state, facts.note) = ("not available", told(&error)),
                    Ok(info) => {
                        (facts.bytes, facts.ledger_schema) = (info.bytes, Some(info.schema));
                        (facts.calls, facts.future_calls) = (info.sums.calls, info.future_calls);
                        facts.cost_usd = Some(Decimal(info.sums.cost));
                    }
                }
            }
        }
        facts
    }
}
