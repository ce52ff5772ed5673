//! Compares the cost of the same tokens on another model.

use std::collections::BTreeMap;

use crate::domain::{Label, Usd, sort_by_key};
use crate::ledger::{Row, Sums};
use crate::pricing::{Cost, PriceBook};

/// Cost of the same tokens on another model.
pub(crate) struct Comparison {
    pub(crate) model: Label,
    /// For each model used: its sums, and their cost on the other model.
    pub(crate) rows: Vec<(Option<Label>, Sums, Usd)>,
}

/// Accumulates a comparison.
pub(crate) struct Compared<'a> {
    pub(crate) book: &'a PriceBook,
    pub(crate) model: &'a str,
    pub(crate) by_model: BTreeMap<Option<Label>, (Sums, Usd)>,
}

impl<'a> Compared<'a> {
    /// An empty comparison; `None` when the model has no known price.
    pub(crate) fn new(book: &'a PriceBook, model: &'a str) -> Option<Self> {
        book.history(model)?;
        Some(Self { book, model, by_model: BTreeMap::new() })
    }

    pub(crate) fn add(&mut self, row: &Row) {
        if row.cost == Cost::Unpriced {
            return;
        }
        // Calls made before the model's first known price cannot be compared.
        let Some(usd) = self.book.cost_as(&row.call, self.model).usd() else { return };
        let (sums, elsewhere) = self.by_model.entry(row.call.model.clone()).or_default();
        sums.add(&Sums::from_row(row));
        *elsewhere += usd;
    }

    pub(crate) fn finish(self) -> Comparison {
        let mut rows: Vec<_> = self.by_model.into_iter().map(|(model, (sums, usd))| (model, sums, usd)).collect();
        sort_by_key(&mut rows, |(_, sums, usd)| std::cmp::Reverse(sums.cost - *usd));
        Comparison { model: Label::new(self.model), rows }
    }
}
