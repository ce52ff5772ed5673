//! Parses config values: closed sets of words, time zones, themes and quiet hours.

use chrono::{NaiveTime, Weekday};

use super::diagnostic::quoted;
use super::{Notify, OnError, Symbols, Tls};
use crate::domain::Zone;
use crate::meter::QuietHours;
use crate::pricing::CostMode;
use crate::text::meant;
use crate::theme::ColorWhen;

/// A closed set of words.
pub(crate) trait Word: Copy + PartialEq + 'static {
    /// The words with their values.
    const WORDS: &'static [(&'static str, Self)];

    /// The word for this value.
    fn word(self) -> &'static str {
        Self::WORDS.iter().find(|(_, value)| *value == self).map_or("", |(word, _)| word)
    }

    /// The value of a word.
    fn from_word(text: &str) -> Option<Self> {
        Self::WORDS.iter().find(|(word, _)| *word == text).map(|(_, value)| *value)
    }

    /// `give "auto", "always" or "never"`, with a suggestion.
    fn expected(found: Option<&str>) -> String {
        let words: Vec<String> = Self::WORDS.iter().map(|(word, _)| format!("\"{word}\"")).collect();
        let (last, others) = words.split_last().map_or(("", &words[..]), |(last, others)| (last.as_str(), others));
        let close = found.and_then(|found| meant(found, Self::WORDS.iter().map(|(word, _)| *word)));
        let close = close.map(|word| format!("; did you mean \"{word}\"?")).unwrap_or_default();
        format!("give {} or {last}{close}", others.join(", "))
    }
}

impl Word for ColorWhen {
    const WORDS: &'static [(&'static str, Self)] =
        &[("auto", ColorWhen::Auto), ("always", ColorWhen::Always), ("never", ColorWhen::Never)];
}

impl Word for Symbols {
    const WORDS: &'static [(&'static str, Self)] =
        &[("auto", Symbols::Auto), ("unicode", Symbols::Unicode), ("ascii", Symbols::Ascii)];
}

impl Word for CostMode {
    const WORDS: &'static [(&'static str, Self)] =
        &[("auto", CostMode::Auto), ("calculate", CostMode::Calculate), ("quoted", CostMode::Quoted)];
}

impl Word for Notify {
    const WORDS: &'static [(&'static str, Self)] = &[
        ("auto", Notify::Auto),
        ("off", Notify::Off),
        ("osc9", Notify::Osc9),
        ("osc777", Notify::Osc777),
        ("desktop", Notify::Desktop),
    ];
}

impl Word for OnError {
    const WORDS: &'static [(&'static str, Self)] = &[("allow", OnError::Allow), ("deny", OnError::Deny)];
}

impl Word for Tls {
    const WORDS: &'static [(&'static str, Self)] =
        &[("starttls", Tls::Starttls), ("tls", Tls::Tls), ("none", Tls::None)];
}

impl Word for Weekday {
    const WORDS: &'static [(&'static str, Self)] = &[
        ("monday", Weekday::Mon),
        ("tuesday", Weekday::Tue),
        ("wednesday", Weekday::Wed),
        ("thursday", Weekday::Thu),
        ("friday", Weekday::Fri),
        ("saturday", Weekday::Sat),
        ("sunday", Weekday::Sun),
    ];
}

/// Parses a word of a closed set.
pub(crate) fn word<T: Word>(text: &str) -> Result<T, String> {
    T::from_word(text).ok_or_else(|| format!("is {}; {}", quoted(text), T::expected(Some(text))))
}

/// Parses a time zone.
pub(crate) fn zone(text: &str) -> Result<Zone, String> {
    text.parse().map_err(|_| {
        let close = meant(text, Zone::all().map(Zone::name));
        let close = close.map(|name| format!("; did you mean \"{name}\"?")).unwrap_or_default();
        format!("not a time zone; give a name such as \"Europe/Rome\"{close}")
    })
}

/// Checks that a theme exists.
pub(crate) fn theme(text: &str, themes: &[&str]) -> Result<String, String> {
    if themes.is_empty() || text == "auto" || themes.contains(&text) {
        return Ok(text.to_owned());
    }
    Err(format!("theme {} is not known; there are: {}", quoted(text), themes.join(", ")))
}

/// Parses quiet hours: `22:00-07:00`.
pub(crate) fn quiet(text: &str) -> Option<QuietHours> {
    let time = |text: &str| NaiveTime::parse_from_str(text.trim(), "%H:%M").ok();
    let (from, until) = text.split_once(['-', '–'])?;
    Some(QuietHours { from: time(from)?, until: time(until)? }).filter(|quiet| quiet.from != quiet.until)
}
