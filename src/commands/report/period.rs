//! The period given as the first argument of a report.

use std::path::PathBuf;

use crate::ledger::Grain;

/// Every period, for messages.
pub(super) const PERIODS: [&str; 6] = ["day", "week", "month", "session", "call", "total"];

/// The first argument may be a period. All others are paths.
pub(in crate::commands) fn grain_and_paths(words: &[PathBuf]) -> (Grain, Vec<PathBuf>) {
    let grain = words.first().and_then(|word| grain(word.to_str()?));
    let paths = if grain.is_some() { &words[1..] } else { words };
    (grain.unwrap_or(Grain::Day), paths.to_vec())
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
