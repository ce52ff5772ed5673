//! The period given as the first argument of a report.

use std::path::PathBuf;

use crate::cli::When;
use crate::commands::{Context, Exit, Failure};
use crate::domain::Label;
use crate::ledger::Grain;

/// Every period, for messages.
pub(super) const PERIODS: [&str; 6] = ["day", "week", "month", "session", "call", "total"];

/// The first argument may be a period. All others are paths.
pub(in crate::commands) fn grain_and_paths(words: &[PathBuf]) -> (Grain, Vec<PathBuf>) {
    let grain = words.first().and_then(|word| grain(word.to_str()?));
    let paths = if grain.is_some() { &words[1..] } else { words };
    (grain.unwrap_or(Grain::Day), paths.to_vec())
}

/// Rejects a time where a period or a path belongs, and says how to give it.
///
/// # Errors
/// With the command that was probably meant.
pub(super) fn reject_time(context: &Context<'_>, paths: &[PathBuf]) -> Result<(), Failure> {
    let word = paths.first().filter(|word| !context.absolute(word).exists()).and_then(|word| word.to_str());
    let Some((word, when)) = word.and_then(|word| Some((word, word.parse::<When>().ok()?))) else { return Ok(()) };
    let word = Label::new(word);
    let quoted = if word.as_str().contains(' ') { format!("'{word}'") } else { word.to_string() };
    let until = if when.is_period() { format!(" --until {quoted}") } else { String::new() };
    let why = format!("{word} is a time, not a period; did you mean `tokmeter report --since {quoted}{until}`?");
    Err(Failure::new(Exit::Usage, why))
}

/// The period with this name.
pub(in crate::commands) fn grain(period: &str) -> Option<Grain> {
    match period {
        "day" | "daily" => Some(Grain::Day),
        "week" | "weekly" => Some(Grain::Week),
        "month" | "monthly" => Some(Grain::Month),
        "session" | "sessions" => Some(Grain::Session),
        "call" | "calls" => Some(Grain::Call),
        "total" => Some(Grain::Total),
        _ => None,
    }
}
