//! Prices compact rows.

use super::compact_row::{CompactRow, RowCost};
use super::interner::Interner;
use crate::domain::{Call, Fidelity};
use crate::pricing::{Cost, Pricer};

/// Prices rows in sequence. Neighbouring rows share labels, so few lookups are needed.
pub(super) struct RowPricer<'a> {
    pricer: &'a dyn Pricer,
    last: Option<(u32, Call)>,
}

impl<'a> RowPricer<'a> {
    pub(super) fn new(pricer: &'a dyn Pricer) -> Self {
        Self { pricer, last: None }
    }

    /// Prices a row. If only the logged cost gives the lifetimes of its cache writes, solves those first. Also decides
    /// by the price whether a row whose log does not list cache writes is incomplete.
    pub(super) fn settle(&mut self, compact: &mut CompactRow, names: &mut Interner) {
        let states_cost = compact.rare.as_ref().is_some_and(|rare| rare.quoted.is_some());
        if compact.fidelity == Fidelity::Guessed
            && states_cost
            && compact.tokens.cache_write() > 0
            && let Some(tokens) = self.pricer.solve_lifetimes(&compact.call(names))
        {
            compact.tokens = tokens;
            compact.fidelity = Fidelity::Solved;
        }
        if compact.fidelity == Fidelity::WritesUnlogged
            && let Some(is_less) = self.pricer.charges_writes(&compact.call(names))
        {
            compact.fidelity = if is_less { Fidelity::LowerBound } else { Fidelity::Final };
        }
        compact.cost = self.price(compact, names);
    }

    /// Looks up a row's cost in the price book.
    fn price(&mut self, compact: &CompactRow, names: &mut Interner) -> RowCost {
        let call = match &mut self.last {
            Some((set, call)) if *set == compact.set => {
                call.key = compact.key;
                call.from.at = compact.at;
                call.tokens = compact.tokens;
                call.parts = compact.parts();
                call.tier = compact.tier;
                call.fidelity = compact.fidelity;
                call.web_searches = compact.web_searches;
                call.quoted = compact.rare.as_ref().and_then(|rare| rare.quoted);
                call.latency = compact.rare.as_ref().and_then(|rare| rare.latency);
                call.alias = compact.alias;
                call
            }
            last => &mut last.insert((compact.set, compact.call(names))).1,
        };
        match self.pricer.cost(call) {
            Cost::Unpriced => RowCost::Unpriced,
            Cost::Quoted(usd) => RowCost::Quoted(usd),
            Cost::Priced { usd, saved, price, is_guessed } => {
                RowCost::Priced { usd, saved, price: names.number(Some(&price)), is_guessed }
            }
        }
    }
}
