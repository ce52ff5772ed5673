//! The sums of a sample per model, as given in `expected.json`.

use serde::{Deserialize, Deserializer, Serialize};

use crate::domain::{Dimension, Usd, Zone, sort_by};
use crate::ledger::{Grain, Ledger, LedgerError, Query};

/// Sums of one model.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Model {
    #[serde(rename = "model")]
    /// Its name.
    pub name: Option<String>,
    /// Number of calls.
    pub calls: u64,
    /// Uncached input tokens.
    pub input_tokens: u64,
    /// Tokens read from the cache.
    pub cache_read_tokens: u64,
    /// Tokens written to the cache for five minutes.
    pub cache_write_5m_tokens: u64,
    /// Tokens written to the cache for an hour.
    pub cache_write_1h_tokens: u64,
    /// Output tokens.
    pub output_tokens: u64,
    /// Reasoning tokens, which are part of the output.
    pub reasoning_tokens: u64,
    /// Calls whose log has only part of the output.
    #[serde(default)]
    pub lower_bound_calls: u64,
    /// Exact dollars; `null` if a price is missing; absent if the sample is about something else.
    #[serde(default, deserialize_with = "stated", skip_serializing_if = "Option::is_none")]
    pub cost_usd: Option<Option<String>>,
}

#[expect(clippy::option_option, reason = "absent and null differ in the file")]
fn stated<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Option<String>>, D::Error> {
    Option::deserialize(from).map(Some)
}

impl Model {
    /// All tokens.
    pub(crate) fn tokens(&self) -> u64 {
        let parts = [
            self.input_tokens,
            self.cache_read_tokens,
            self.cache_write_5m_tokens,
            self.cache_write_1h_tokens,
            self.output_tokens,
        ];
        parts.into_iter().fold(0, u64::saturating_add)
    }

    /// Drops the cost if none is expected.
    pub fn drop_unstated(&mut self, expected: &Self) {
        if expected.cost_usd.is_none() {
            self.cost_usd = None;
        }
    }

    /// The sum of several models, without a name. The cost is that of the models that have one.
    pub(crate) fn sum(models: &[Self]) -> Self {
        let mut sum = Self::default();
        let mut cost = None;
        for model in models {
            let pairs = [
                (&mut sum.calls, model.calls),
                (&mut sum.input_tokens, model.input_tokens),
                (&mut sum.cache_read_tokens, model.cache_read_tokens),
                (&mut sum.cache_write_5m_tokens, model.cache_write_5m_tokens),
                (&mut sum.cache_write_1h_tokens, model.cache_write_1h_tokens),
                (&mut sum.output_tokens, model.output_tokens),
                (&mut sum.reasoning_tokens, model.reasoning_tokens),
                (&mut sum.lower_bound_calls, model.lower_bound_calls),
            ];
            for (sum, part) in pairs {
                *sum = sum.saturating_add(part);
            }
            let stated = model.cost_usd.as_ref().and_then(Option::as_deref);
            if let Some((usd, _)) = stated.and_then(|text| Usd::parse(text).ok()) {
                cost = Some(cost.unwrap_or(Usd::ZERO) + usd);
            }
        }
        Self { cost_usd: cost.map(|cost| Some(cost.to_string())), ..sum }
    }
}

/// Sums per model in a ledger, by name.
///
/// # Errors
/// When the ledger cannot be read.
pub fn of_ledger(books: &dyn Ledger) -> Result<Vec<Model>, LedgerError> {
    let query = Query { by: vec![Dimension::Model], ..Query::new(Grain::Total, Zone::UTC) };
    let rows = books.report(&query)?.rows.into_iter();
    let mut models: Vec<Model> = rows
        .map(|row| Model {
            name: row.by.first().and_then(|name| name.as_ref()).map(ToString::to_string),
            calls: row.sums.calls,
            input_tokens: row.sums.tokens.input,
            cache_read_tokens: row.sums.tokens.cache_read,
            cache_write_5m_tokens: row.sums.tokens.cache_write_5m,
            cache_write_1h_tokens: row.sums.tokens.cache_write_1h,
            output_tokens: row.sums.tokens.output,
            reasoning_tokens: row.sums.tokens.reasoning,
            lower_bound_calls: row.sums.lower_bound_calls,
            cost_usd: Some((row.sums.unpriced_tokens == 0).then(|| row.sums.cost.to_string())),
        })
        .collect();
    sort_by(&mut models, |one, other| one.name.cmp(&other.name));
    Ok(models)
}
