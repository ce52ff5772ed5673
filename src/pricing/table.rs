//! A price table in text form: one line per model, sorted by name, searched without parsing.

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::fmt::{self, Write as _};

use super::sheet::Sheet;
use crate::domain::{Day, sort_by};

/// Beginning of a table's first line, with the format version.
const HEADER: &str = "#tokmeter-prices 2";
/// The previous version, without exact days and hours.
const OLD_HEADER: &str = "#tokmeter-prices 1";

/// A table that is searched in its text form.
#[derive(Clone, Debug)]
pub(crate) struct Table<T: AsRef<str>> {
    text: T,
    body: usize,
    as_of: Day,
}

/// Sheets by first day, oldest first. The first one also applies to all earlier times.
pub(crate) type History = Vec<(Since, Sheet)>;

/// Price histories by model name.
pub(super) type Books = BTreeMap<String, History>;

/// First day of a price, with its precision.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Since {
    pub(crate) day: Day,
    pub(crate) known: Known,
}

/// Precision of the first day of a price.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Known {
    /// Given by the vendor.
    Exact,
    /// The day on which a list first showed the price. Snapshots in the history are half a month apart, so the price
    /// may have begun up to half a month earlier.
    Listed,
    /// The oldest price in a list. It also applies to all earlier times.
    Oldest,
    /// The price at the model's launch; the day is unknown.
    Launch,
}

impl Since {
    /// A day given by the vendor.
    pub(crate) const fn exact(day: Day) -> Self {
        Self { day, known: Known::Exact }
    }

    /// Day of the first list that showed the price.
    pub(crate) const fn listed(day: Day) -> Self {
        Self { day, known: Known::Listed }
    }

    /// From the launch on.
    pub(crate) const LAUNCH: Self = Self { day: Day::MIN, known: Known::Launch };

    fn read(text: &str) -> Option<Self> {
        match text.strip_prefix('!') {
            Some(day) => day.parse().ok().map(Self::exact),
            None if text == LAUNCH => Some(Self::LAUNCH),
            None => text.parse().ok().map(Self::listed),
        }
    }
}

/// Written instead of a day for a launch price.
const LAUNCH: &str = "launch";

impl fmt::Display for Since {
    /// The day without its precision mark, as used in price ids.
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.known == Known::Launch { out.write_str(LAUNCH) } else { write!(out, "{}", self.day) }
    }
}

/// Content of a line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Line<'a> {
    /// Another name for the model.
    Alias(&'a str),
    /// The model's price history.
    Prices(History),
}

/// Why a text is not a price table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TableError {
    /// Wrong first line.
    #[error("it is not a price table of this version")]
    NotATable,
    /// Truncated or modified.
    #[error("it is damaged or cut off")]
    Damaged,
}

impl<T: AsRef<str>> Table<T> {
    /// Checks the text's checksum.
    pub(crate) fn checked(text: T) -> Result<Self, TableError> {
        let table = Self::new(text)?;
        let sum = table.header().nth(2).ok_or(TableError::Damaged)?;
        if sum == checksum(table.body()) { Ok(table) } else { Err(TableError::Damaged) }
    }

    /// Uses the text without checking it.
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

    /// Day of the source list.
    pub(crate) fn as_of(&self) -> Day {
        self.as_of
    }

    fn header(&self) -> impl Iterator<Item = &str> {
        self.text.as_ref()[..self.body - 1].split('\t')
    }

    fn body(&self) -> &str {
        &self.text.as_ref()[self.body..]
    }

    /// The line for this model, ignoring case, and the name as the table spells it.
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

    /// All lines, sorted by name.
    pub(crate) fn lines(&self) -> impl Iterator<Item = (&str, Line<'_>)> {
        self.body().lines().filter_map(|line| {
            let (key, rest) = split(line);
            read(rest).map(|line| (key, line))
        })
    }

    /// All names, sorted.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.body().lines().map(|line| split(line).0)
    }
}

/// Compares names ignoring case.
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

/// Writes a table with these lines, in any order but without duplicates.
pub(crate) fn write(as_of: Day, mut lines: Vec<(&str, Line<'_>)>) -> String {
    sort_by(&mut lines, |(one, _), (other, _)| order(one, other));
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
