//! Detects words that were probably meant to be another.

use std::path::PathBuf;

use super::context::Context;
use super::exit::{Exit, Failure};
use crate::domain::Label;

/// Maximum number of valid words to list.
const FEW: usize = 8;

/// A place on the command line where a word may be a path or one of a set of words.
pub(crate) struct Slot {
    /// The words before it, such as `tokmeter report`.
    pub(crate) before: &'static str,
    /// The noun for such a word, such as `period`.
    pub(crate) kind: &'static str,
    /// The exit code for a word that resembles none of them: 64, or 65 where it may well be the name of a missing file.
    pub(crate) otherwise: Exit,
}

/// Rejects a word that is neither an existing path nor a valid word, and suggests the closest valid word or lists them
/// all. A valid word may be several, of which the last is compared, too: `ledger import`. If there are no valid words,
/// every word is taken as a path.
///
/// # Errors
/// With the suggestion, and exit code 64 or that of the slot.
pub(crate) fn mistyped(
    context: &Context<'_>,
    words: &[PathBuf],
    Slot { before, kind, otherwise }: Slot,
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
    let last = |words: &'_ str| words.rsplit(' ').next().map(str::to_owned).unwrap_or_default();
    let single = known.iter().filter(|words| !words.contains(' '));
    // A word of the first level is meant rather than one below it that is no more similar.
    let lasts: Vec<String> = known.iter().map(|words| last(words)).collect();
    if let Some(closest) = crate::text::meant(word, lasts.iter().map(String::as_str)) {
        let alone: Vec<&String> = single.clone().filter(|words| *words == closest).collect();
        let all: Vec<&String> =
            if alone.is_empty() { known.iter().filter(|words| last(words) == closest).collect() } else { alone };
        let meant: Vec<String> = all.iter().map(|words| format!("`{before} {words}`")).collect();
        let message = format!("'{shown}' is not a file or folder; did you mean {}?", meant.join(" or "));
        return Err(Failure::new(Exit::Usage, message));
    }
    let single: Vec<&str> = single.map(String::as_str).collect();
    let all = if single.len() > FEW { format!("`{before} --help` lists them") } else { single.join(", ") };
    Err(Failure::new(otherwise, format!("{shown}: no such file or folder, and not a {kind}; {kind}s: {all}")))
}
