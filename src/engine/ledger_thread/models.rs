//! Cost of each model used, and of the same tokens on the cheapest alternative.

use super::LedgerThread;
use crate::domain::{Dimension, Tokens, Usd, sort_by};
use crate::engine::ModelView;
use crate::ledger::{Grain, Ledger, Query};
use crate::pricing::Rates;

impl LedgerThread {
    /// Spend and current rates of every model in view, most expensive first.
    pub(super) fn models(&self) -> Vec<ModelView> {
        let query = Query {
            by: vec![Dimension::Model],
            filter: self.rules.view.clone(),
            ..Query::new(Grain::Total, self.rules.zone)
        };
        let Ok(report) = self.books.report(&query) else { return Vec::new() };
        let now = self.env.now();
        let mut views: Vec<ModelView> = report
            .rows
            .into_iter()
            .map(|row| {
                let model = row.by.into_iter().next().flatten();
                let rates = model.as_ref().and_then(|model| self.prices.rates(model, now)).map(|tariff| tariff.rates);
                ModelView { model, sums: row.sums, rates, elsewhere: None }
            })
            .collect();
        sort_by(&mut views, |one, other| other.sums.cost.cmp(&one.sums.cost).then_with(|| one.model.cmp(&other.model)));
        // Compare with the cheapest other model in use. This is arithmetic, not advice on quality.
        let priced: Vec<_> = views.iter().filter_map(|view| Some((view.model.clone()?, view.rates.clone()?))).collect();
        for view in &mut views {
            // A model without output is not an alternative.
            let answers = view.sums.tokens.output > 0;
            let others = priced
                .iter()
                .filter(|(model, rates)| Some(model) != view.model.as_ref() && (!answers || rates.output > Usd::ZERO));
            let costs = others.map(|(model, rates)| (model.clone(), at_rates(&view.sums.tokens, rates)));
            view.elsewhere = costs.min_by_key(|(_, usd)| *usd).filter(|(_, usd)| *usd < view.sums.cost);
        }
        views
    }
}

/// Cost of these tokens at the given rates.
fn at_rates(tokens: &Tokens, rates: &Rates) -> Usd {
    let or_input = |rate: Option<Usd>| rate.unwrap_or(rates.input);
    rates.input.times(tokens.input)
        + or_input(rates.cache_read).times(tokens.cache_read)
        + or_input(rates.cache_write_5m).times(tokens.cache_write_5m)
        + or_input(rates.cache_write_1h).times(tokens.cache_write_1h)
        + rates.output.times(tokens.output)
}
