//! Joins a bill with the ledger, by day and model.

use std::collections::BTreeMap;

use super::model_name::{Wanted, model_name};
use super::provider_bill::{Bill, Vendor};
use crate::domain::{Day, Dimension, Filter, Usd, Zone};
use crate::ledger::{Grain, Ledger, LedgerError, PeriodKey, Query, Sums};
use crate::pricing::PriceBook;

/// Charged and booked amounts for one model on one day.
#[derive(Clone, Debug, Default)]
pub(crate) struct Cell {
    pub(crate) bill: Usd,
    /// Rows on the bill, each of which may be rounded.
    pub(crate) lines: u32,
    pub(crate) books: Sums,
}

impl Cell {
    fn charge(&mut self, usd: Usd) {
        self.bill += usd;
        self.lines += 1;
    }

    pub(crate) fn difference(&self) -> Usd {
        self.bill - self.books.cost
    }
}

/// A bill and the ledger, joined by day and model.
pub(crate) struct Compared {
    pub(crate) first: Day,
    pub(crate) last: Day,
    pub(crate) cells: BTreeMap<(Day, String), Cell>,
    /// Calls on other vendors' models.
    pub(crate) left_out: Sums,
}

impl Compared {
    /// Joins the days of a bill with those of the ledger; the filter covers the same days. Its models narrow both, its
    /// other names only the ledger, because a bill has none.
    ///
    /// # Errors
    /// When the ledger cannot be read.
    pub(crate) fn new(
        bill: &Bill,
        (first, last): (Day, Day),
        ledger: &dyn Ledger,
        prices: &PriceBook,
        filter: &Filter,
    ) -> Result<Self, LedgerError> {
        let mut compared = Self { first, last, cells: BTreeMap::new(), left_out: Sums::default() };
        let by_model = bill.lines.iter().any(|line| line.model.is_some());
        let wanted = Wanted::new(prices, filter);
        for line in &bill.lines {
            let name = model_name(prices, line.model.as_ref(), by_model);
            if wanted.has(line.model.as_ref(), &name) {
                compared.cell(line.day, name).charge(line.usd);
            }
        }
        compared.add_books(ledger, prices, (filter, &wanted), bill, by_model)?;
        Ok(compared)
    }

    fn cell(&mut self, day: Day, model: String) -> &mut Cell {
        self.cells.entry((day, model)).or_default()
    }

    fn add_books(
        &mut self,
        ledger: &dyn Ledger,
        prices: &PriceBook,
        (filter, wanted): (&Filter, &Wanted),
        bill: &Bill,
        by_model: bool,
    ) -> Result<(), LedgerError> {
        // The common names of models are not those in the ledger.
        let mut filter = filter.clone();
        filter.only.retain(|(dimension, _)| *dimension != Dimension::Model);
        let query = Query { by: vec![Dimension::Model], filter, ..Query::new(Grain::Day, Zone::UTC) };
        for row in ledger.report(&query)?.rows {
            let PeriodKey::Day(day) = row.period else { continue };
            let model = row.by.first().cloned().flatten();
            // A configured alias may point to one of the vendor's models.
            let known = model_name(prices, model.as_ref(), true);
            if !wanted.has(model.as_ref(), &known) {
                continue;
            }
            if is_of(bill.vendor, model.as_deref()) || is_of(bill.vendor, Some(&known)) {
                self.cell(day, model_name(prices, model.as_ref(), by_model)).books.add(&row.sums);
            } else {
                self.left_out.add(&row.sums);
            }
        }
        Ok(())
    }
}

/// True for models that this vendor bills for.
fn is_of(vendor: Vendor, model: Option<&str>) -> bool {
    let model = model.unwrap_or_default().to_ascii_lowercase();
    let last = model.rsplit('/').next().unwrap_or_default();
    match vendor {
        Vendor::Anthropic => model.contains("claude"),
        Vendor::OpenAi => {
            let reasoning =
                last.strip_prefix('o').is_some_and(|rest| rest.starts_with(|letter: char| letter.is_ascii_digit()));
            let begins =
                ["gpt", "chatgpt", "codex", "text-", "ft:", "dall-e", "whisper", "tts", "omni", "computer-use", "sora"];
            reasoning || begins.iter().any(|begin| last.starts_with(begin))
        }
        Vendor::Other => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bill_is_about_its_makers_models_only() {
        assert!(
            is_of(Vendor::Anthropic, Some("us.anthropic.claude-opus-5")) && !is_of(Vendor::Anthropic, Some("gpt-4o"))
        );
        assert!(is_of(Vendor::OpenAi, Some("openai/o3-mini")) && is_of(Vendor::OpenAi, Some("gpt-5")));
        assert!(!is_of(Vendor::OpenAi, Some("openrouter/qwen")) && is_of(Vendor::Other, None));
    }
}
