//! A price table as text: one line a model, sorted by name, searched without being parsed.

use std::cmp::Ordering;
use std::fmt::{self, Write as _};

use super::sheet::Sheet;
use crate::domain::Day;

/// How the first line of a table begins, with the version of the form.
const HEADER: &str = "#tokmeter-prices 2";
/// The version before: without exact days and hours.
const OLD_HEADER: &str = "#tokmeter-prices 1";

/// A table that is searched where it lies.
#[derive(Clone, Debug)]
pub(crate) struct Table<T: AsRef<str>> {
    text: T,
    body: usize,
    as_of: Day,
}

/// Sheets by the day from which each holds, oldest first; the first also holds for everything before.
pub(crate) type History = Vec<(Since, Sheet)>;

/// The first day of a price, and how well it is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Since {
    pub(crate) day: Day,
    pub(crate) known: Known,
}

/// How well the first day of a price is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Known {
    /// The vendor's own day.
    Exact,
    /// A list first showed the price on that day. Between two of the snapshots that the history is made of lies
    /// half a month, so the price began up to half a month earlier.
    Listed,
    /// It is the oldest price that a list showed, and holds for everything before as well.
    Oldest,
    /// The price at the model's launch; the day is not known.
    Launch,
}

impl Since {
    /// The vendor's own day.
    pub(crate) const fn exact(day: Day) -> Self {
        Self { day, known: Known::Exact }
    }

    /// The day of the first list that showed it.
    pub(crate) const fn listed(day: Day) -> Self {
        Self { day, known: Known::Listed }
    }

    /// Since the launch.
    pub(crate) const LAUNCH: Self = Self { day: Day::MIN, known: Known::Launch };

    fn read(text: &str) -> Option<Self> {
        match text.strip_prefix('!') {
            Some(day) => day.parse().ok().map(Self::exact),
            None if text == LAUNCH => Some(Self::LAUNCH),
            None => text.parse().ok().map(Self::listed),
        }
    }
}

/// Marks a launch price in place of a day.
const LAUNCH: &str = "launch";

impl fmt::Display for Since {
    /// The day without its mark: part of the name of a price.
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.known == Known::Launch { out.write_str(LAUNCH) } else { write!(out, "{}", self.day) }
    }
}

/// What a line says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Line<'a> {
    /// Another name of this model.
    Alias(&'a str),
    /// Its prices.
    Prices(History),
}

/// Why a text is not a price table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TableError {
    /// It does not begin as one.
    #[error("it is not a price table of this version")]
    NotATable,
    /// It is cut off, or was changed.
    #[error("it is damaged or cut off")]
    Damaged,
}

impl<T: AsRef<str>> Table<T> {
    /// The table in this text, which is looked through once to see that it is whole.
    pub(crate) fn checked(text: T) -> Result<Self, TableError> {
        let table = Self::new(text)?;
        let sum = table.header().nth(2).ok_or(TableError::Damaged)?;
        if sum == checksum(table.body()) { Ok(table) } else { Err(TableError::Damaged) }
    }

    /// The table in this text, taken on trust.
    pub(crate) fn new(text: T) -> Result<Self, TableError> {
        let header = text.as_ref().lines().next().unwrap_or_default();
        let mut fields = header.split('\t');
        if !matches!(fields.next(), Some(HEADER | OLD_HEADER)) {
            return Err(TableError::NotATable);
        }
        let as_of = fields.next().and_then(|day| day.parse().ok()).ok_or(TableError::Damaged)?;
        let body = header.len() + 1;
        if !text.as_ref().is_char_boundary(body) {
            return Err(TableError::Damaged);
        }
        Ok(Self { text, body, as_of })
    }

    /// The day of the list it was made from.
    pub(crate) fn as_of(&self) -> Day {
        self.as_of
    }

    fn header(&self) -> impl Iterator<Item = &str> {
        self.text.as_ref()[..self.body - 1].split('\t')
    }

    fn body(&self) -> &str {
        &self.text.as_ref()[self.body..]
    }

    /// The line of this model: its own spelling, whatever the capitals.
    pub(crate) fn find(&self, name: &str) -> Option<(&str, Line<'_>)> {
        let body = self.body();
        let bytes = body.as_bytes();
        let (mut low, mut high) = (0, body.len());
        while low < high {
            let middle = low + (high - low) / 2;
            let start = bytes[low..middle].iter().rposition(|byte| *byte == b'\n').map_or(low, |at| low + at + 1);
            let end = bytes[middle..].iter().position(|byte| *byte == b'\n').map_or(body.len(), |at| middle + at);
            let (key, rest) = split(&body[start..end]);
            match order(key, name) {
                Ordering::Equal => return read(rest).map(|line| (key, line)),
                Ordering::Less => low = end + 1,
                Ordering::Greater => high = start,
            }
        }
        None
    }

    /// Every line, in the order of the names.
    pub(crate) fn lines(&self) -> impl Iterator<Item = (&str, Line<'_>)> {
        self.body().lines().filter_map(|line| {
            let (key, rest) = split(line);
            read(rest).map(|line| (key, line))
        })
    }

    /// Every name, in order.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.body().lines().map(|line| split(line).0)
    }
}

/// Orders names by their letters, whatever the capitals.
pub(crate) fn order(one: &str, other: &str) -> Ordering {
    let small = |byte: u8| byte.to_ascii_lowercase();
    one.bytes().map(small).cmp(other.bytes().map(small))
}

fn split(line: &str) -> (&str, &str) {
    line.split_once('\t').unwrap_or((line, ""))
}

fn read(rest: &str) -> Option<Line<'_>> {
    if let Some(target) = rest.strip_prefix('=') {
        return Some(Line::Alias(target));
    }
    let mut history = History::new();
    for period in rest.split('\t') {
        let (day, sheet) = period.split_once(' ')?;
        history.push((Since::read(day)?, Sheet::read(sheet)?));
    }
    Some(Line::Prices(history))
}

/// The text of a table with these lines, which may come in any order but not twice.
pub(crate) fn write(as_of: Day, mut lines: Vec<(&str, Line<'_>)>) -> String {
    lines.sort_by(|(one, _), (other, _)| order(one, other));
    let mut body = String::new();
    for (name, line) in lines {
        body.push_str(name);
        match line {
            Line::Alias(target) => _ = write!(body, "\t={target}"),
            Line::Prices(history) => {
                for (from, sheet) in history {
                    let mark = if from.known == Known::Exact { "!" } else { "" };
                    let _ = write!(body, "\t{mark}{from} ");
                    sheet.write(&mut body);
                }
            }
        }
        body.push('\n');
    }
    format!("{HEADER}\t{as_of}\t{}\n{body}", checksum(&body))
}

fn checksum(body: &str) -> String {
    format!("{:016x}", xxhash_rust::xxh3::xxh3_64(body.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(text: &str) -> Day {
        text.parse().unwrap()
    }

    #[test]
    fn every_model_is_found_by_its_name_and_no_other() {
        let sheet = || Sheet::read("i=1 o=2").unwrap();
        let names = ["a", "B/Model", "b-model", "c", "claude-opus-5", "d.e"];
        for count in 0..=names.len() {
            let lines = names[..count]
                .iter()
                .map(|name| (*name, Line::Prices(vec![(Since::listed(day("2026-01-01")), sheet())])))
                .collect();
            let table = Table::checked(write(day("2026-11-16"), lines)).unwrap();
            for (at, name) in names.iter().enumerate() {
                assert_eq!(table.find(name).map(|(found, _)| found), (at < count).then_some(*name), "{name}");
                assert_eq!(table.find(&name.to_uppercase()).is_some(), at < count);
            }
            for other in ["", "A ", "claude-opus", "claude-opus-55", "~", "\n"] {
                assert_eq!(table.find(other), None, "{other:?}");
            }
            assert_eq!(table.names().count(), count);
        }
    }

    #[test]
    fn a_day_is_kept_with_how_well_it_is_known_and_a_table_of_the_old_form_is_still_read() {
        let sheet = || Sheet::read("i=1 o=2 @01:00-04:00 i=2 o=4").unwrap();
        let days = [Since::LAUNCH, Since::exact(day("2026-07-30")), Since::listed(day("2026-08-16"))];
        let history: History = days.into_iter().map(|from| (from, sheet())).collect();
        let text = write(day("2026-11-16"), vec![("a", Line::Prices(history.clone()))]);
        let table = Table::checked(text.as_str()).unwrap();
        assert_eq!(table.find("a"), Some(("a", Line::Prices(history))));
        let old = text.replace("#tokmeter-prices 2", "#tokmeter-prices 1");
        assert!(Table::checked(old).is_ok());
        assert_eq!(Table::checked(text.replace("prices 2", "prices 3")).unwrap_err(), TableError::NotATable);
    }

    #[test]
    fn a_table_that_was_cut_or_changed_is_not_taken() {
        let whole = write(day("2026-11-16"), vec![("a", Line::Alias("b")), ("b", Line::Alias("c"))]);
        assert!(Table::checked(whole.as_str()).is_ok());
        for cut in 0..whole.len() {
            assert!(Table::checked(&whole[..cut]).is_err(), "{cut}");
        }
        assert_eq!(Table::checked(whole.replace("=c", "=d")).unwrap_err(), TableError::Damaged);
    }
}
