//! The common name of a model in bills and logs.

use crate::domain::{Dimension, Filter, Label, Matcher, model_short};
use crate::pricing::PriceBook;

/// Common name for a model in bills and logs: `Claude Sonnet 4.5`, `claude-sonnet-4-5-20250929` and
/// `us.anthropic.claude-sonnet-4-5-20250929-v1:0` all become `claude-sonnet-4-5`.
pub(super) fn model_name(prices: &PriceBook, model: Option<&Label>, by_model: bool) -> String {
    let Some(model) = model.filter(|_| by_model) else {
        return if by_model { "(no model named)" } else { "(all models)" }.to_owned();
    };
    let listed = |name: &str| prices.history(name).and_then(|(path, _)| path.last().map(ToString::to_string));
    // Consoles use display names, price lists use dashes.
    let dashed = model.to_ascii_lowercase().replace(' ', "-");
    let dotless = dashed.replace('.', "-");
    let known = listed(model).or_else(|| listed(&dashed)).or_else(|| listed(&dotless));
    let known = known.unwrap_or(if model.contains(' ') && dashed.starts_with("claude") { dotless } else { dashed });
    let short = model_short(known.split(":0").next().unwrap_or(&known)).trim_end_matches("-v1");
    let short = model_short(short);
    let short = short.strip_suffix("-latest").unwrap_or(short);
    let whose = if known.contains("claude") && !short.contains("claude") { "claude-" } else { "" };
    format!("{whose}{short}")
}

/// Models that a comparison is narrowed to, by any of their names in bills and logs.
pub(super) struct Wanted(Vec<(Matcher, String)>);

impl Wanted {
    pub(super) fn new(prices: &PriceBook, filter: &Filter) -> Self {
        let models = filter.only.iter().filter(|(dimension, _)| *dimension == Dimension::Model);
        let common = |asked: &Matcher| model_name(prices, Some(&Label::new(asked.as_str())), true);
        Self(models.map(|(_, asked)| (asked.clone(), common(asked))).collect())
    }

    /// True if the model, whose common name this is, is among them.
    pub(super) fn has(&self, model: Option<&Label>, common: &str) -> bool {
        let is_one = |(asked, name): &(Matcher, String)| {
            model.is_some_and(|model| asked.matches(model)) || asked.matches(common) || name == common
        };
        self.0.is_empty() || self.0.iter().any(is_one)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pricing::CostMode;

    #[test]
    fn a_bills_words_and_a_logs_words_for_a_model_meet() {
        let book = PriceBook::new(Vec::new(), Vec::new(), CostMode::Auto);
        let meet = [
            ("Claude Sonnet 4.5", "claude-sonnet-4-5-20250929"),
            ("Claude Haiku 4.5", "us.anthropic.claude-haiku-4-5-20251001-v1:0"),
            ("claude-opus-5", "anthropic/claude-opus-5[1m]"),
            ("gpt-4o-2024-08-06", "gpt-4o"),
            ("gpt-4o-mini-2024-07-18", "openai/gpt-4o-mini"),
        ];
        for (bill, log) in meet {
            let [bill, log] = [bill, log].map(|model| model_name(&book, Some(&Label::new(model)), true));
            assert_eq!(bill, log);
        }
        let apart = ["gpt-4o", "gpt-4o-mini", "claude-opus-5", "claude-sonnet-5", "claude-opus-4-1"];
        let names: std::collections::BTreeSet<String> =
            apart.iter().map(|model| model_name(&book, Some(&Label::new(model)), true)).collect();
        assert_eq!(names.len(), apart.len(), "{names:?}");
    }
}
