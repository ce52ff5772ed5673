//! Context size of a model, from the list that supplies the prices.

use std::collections::{BTreeMap, HashMap};
use std::sync::{LazyLock, Mutex, PoisonError};

use crate::domain::model_forms::forms;

/// One line per model: its name, a tab, and its context size in tokens.
const SIZES: &str = include_str!("../../prices/context.txt");

/// Context size by model name.
static LISTED: LazyLock<HashMap<&str, u64>> = LazyLock::new(|| {
    let line = |line: &'static str| {
        let (name, size) = line.split_once('\t')?;
        Some((name, size.parse().ok()?))
    };
    SIZES.lines().filter_map(line).collect()
});

/// Names looked up before. A name can have many forms, so a lookup is slow.
static FOUND: Mutex<BTreeMap<String, Option<u64>>> = Mutex::new(BTreeMap::new());

/// Maximum number of names remembered, because logs can invent more.
const MOST: usize = 1_000;

/// Context size of a model in tokens; `None` if the list does not give it.
pub(crate) fn context_size(model: &str) -> Option<u64> {
    if let Some(found) = FOUND.lock().unwrap_or_else(PoisonError::into_inner).get(model) {
        return *found;
    }
    // Claude Code's suffix for a long context.
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
