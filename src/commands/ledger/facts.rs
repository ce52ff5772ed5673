//! The ledger's section in `doctor`.

use std::sync::Arc;

use serde::Serialize;

use crate::commands::Context;
use crate::domain::Label;
use crate::ledger::{self, LedgerError, Options, Repeats};
use crate::output::{Cell, cost_cell};
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
    pub(crate) cost_usd: Option<Cell>,
    /// Calls that were reported twice and booked once.
    pub(crate) repeats: Vec<RepeatsJson>,
}

/// Calls reported by two sources.
#[derive(Serialize)]
pub(crate) struct RepeatsJson {
    /// The source whose log lists the call itself.
    pub(crate) counted: Label,
    /// The source that reported it as well.
    pub(crate) repeated: Label,
    pub(crate) calls: u64,
}

impl From<Repeats> for RepeatsJson {
    fn from(Repeats { counted, repeated, calls }: Repeats) -> Self {
        Self { counted, repeated, calls }
    }
}

impl LedgerFacts {
    /// Inspects the ledger at its default path.
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
            repeats: Vec::new(),
        };
        let Some(path) = context.paths.ledger().filter(|path| path.exists()) else { return facts };
        let note = |error: &LedgerError| Some(Label::new(&error.to_string()));
        match ledger::open(&path, Options::new(context.now()), Arc::clone(prices) as _) {
            Err(error) => (facts.state, facts.note) = ("not available", note(&error)),
            Ok(opened) => {
                facts.state = if opened.books.is_read_only() { "read-only" } else { "writable" };
                facts.note = opened.notes.first().map(|note| Label::new(&note.to_string()));
                match opened.books.info(context.now()) {
                    Err(error) => (facts.state, facts.note) = ("not available", note(&error)),
                    Ok(info) => {
                        (facts.bytes, facts.ledger_schema) = (info.bytes, Some(info.schema));
                        (facts.calls, facts.future_calls) = (info.sums.calls, info.future_calls);
                        facts.cost_usd = Some(cost_cell(&info.sums));
                    }
                }
                match opened.books.repeats() {
                    Err(error) => (facts.state, facts.note) = ("not available", note(&error)),
                    Ok(repeats) => facts.repeats = repeats.into_iter().map(RepeatsJson::from).collect(),
                }
            }
        }
        facts
    }
}
