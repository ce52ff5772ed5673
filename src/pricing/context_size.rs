//! The size of a model's context, from the list that the prices are from.

use std::collections::{BTreeMap, HashMap};
use std::sync::{LazyLock, Mutex, PoisonError};

use super::names::forms;

/// A line for each model: its name, a tab, and the tokens that fit into its context.
const SIZES: &str = include_str!("../../prices/context.txt");

/// Size by name.
static LISTED: LazyLock<HashMap<&str, u64>> = LazyLock::new(|| {
    let line = |line: &'static str| {
        let (name, size) = line.split_once('\t')?;
        Some((name, size.parse().ok()?))
    };
    SIZES.lines().filter_map(line).collect()
});

/// Names that were looked up before: their forms are many.
static FOUND: Mutex<BTreeMap<String, Option<u64>>> = Mutex::new(BTreeMap::new());

/// Names remembered at most; logs are free to invent more.
const MOST: usize = 1_000;

/// Tokens that fit into a model's context; `None` where the list does not say.
pub(crate) fn context_size(model: &str) -> Option<u64> {
    if let Some(found) = FOUND.lock().unwrap_or_else(PoisonError::into_inner).get(model) {
        return *found;
    }
    // Claude Code's mark for a long context.
    let long = model.trim_end().to_ascii_lowercase().ends_with("[1m]").then_some(1_000_000);
    let size = long.or_else(|| forms(model).iter().find_map(|form| LISTED.get(form.name.as_str()).copied()));
    let mut found = FOUND.lock().unwrap_or_else(PoisonError::into_inner);
    if found.len() < MOST {
        found.insert(model.to_owned(), size);
    }
    size
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_models_context_is_found_under_the_names_that_logs_give_it() {
        for (model, size) in [
            ("claude-opus-5", Some(1_000_000)),
            ("claude-haiku-4-5-20251001", Some(200_000)),
            ("us.anthropic.claude-haiku-4-5-20251001-v1:0", Some(200_000)),
            ("claude-sonnet-4-5[1m]", Some(1_000_000)),
            ("openrouter/anthropic/claude-haiku-4-5", Some(200_000)),
            ("my-own-model", None),
            ("", None),
        ] {
            assert_eq!((context_size(model), context_size(model)), (size, size), "{model}");
        }
    }

    #[test]
    fn every_line_of_the_list_is_read() {
        assert_eq!(SIZES.lines().count(), LISTED.len());
        assert!(LISTED.len() > 500 && LISTED.values().all(|size| *size > 0));
    }
}
