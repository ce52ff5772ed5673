//! Detects words that were probably meant to be another.

use std::path::PathBuf;

use super::context::Context;
use super::exit::{Exit, Failure};
use crate::domain::Label;

/// Maximum number of valid words to list.
const FEW: usize = 8;

/// Rejects a word that is neither an existing path nor a valid word, and suggests the closest valid word or lists them
/// all. `kind` is the noun for such a word, such as `period`; if there are no valid words, every word is taken as a
/// path.
///
/// # Errors
/// With the suggestion: exit code 64, or 65 if the word may well be the name of a missing file.
pub(crate) fn mistyped(
    context: &Context<'_>,
    words: &[PathBuf],
    (before, kind): (&str, &str),
    known: impl FnOnce() -> Vec<String>,
) -> Result<(), Failure> {
    let Some(word) = words.first().filter(|word| !context.absolute(word).exists()).and_then(|word| word.to_str())
    else {
        return Ok(());
    };
    let known = known();
    if word.contains(['/', '.']) || word == "-" || known.is_empty() {
        return Ok(());
    }
    let shown = Label::new(word);
    if let Some(meant) = crate::text::meant(word, known.iter().map(String::as_str)) {
        let message = format!("'{shown}' is not a file or folder; did you mean `{before} {meant}`?");
        return Err(Failure::new(Exit::Usage, message));
    }
    let all = if known.len() > FEW { format!("`{before} --help` lists them") } else { known.join(", ") };
    Err(Failure::new(Exit::NoInput, format!("{shown}: no such file or folder, and not a {kind}; {kind}s: {all}")))
}
