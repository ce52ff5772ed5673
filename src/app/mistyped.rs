//! Words that were probably meant to be another.

use std::path::PathBuf;

use super::context::Context;
use super::exit::{Exit, Failure};

/// Rejects a word that names no file and is close to a valid word.
///
/// # Errors
/// With the suggestion; exit code 64.
pub(crate) fn mistyped(
    context: &Context<'_>,
    words: &[PathBuf],
    before: &str,
    known: impl FnOnce() -> Vec<String>,
) -> Result<(), Failure> {
    let Some(word) = words.first().filter(|word| !context.absolute(word).exists()).and_then(|word| word.to_str())
    else {
        return Ok(());
    };
    if word.contains(['/', '.']) {
        return Ok(());
    }
    crate::text::meant(word, known().iter().map(String::as_str)).map_or(Ok(()), |meant| {
        let message = format!("'{word}' is not a file or folder; did you mean `{before} {meant}`?");
        Err(Failure::new(Exit::Usage, message))
    })
}
