//! Database rows as formats see them: the queries that a format makes and the values it gets back.

use std::collections::{BTreeMap, BTreeSet};

use super::count::Count;
use super::time;
use crate::domain::{Instant, Usd};

/// The tables of a database and their columns.
#[derive(Clone, Debug, Default)]
pub struct Schema(BTreeMap<String, BTreeSet<String>>);

impl Schema {
    /// Adds a column.
    pub fn add(&mut self, table: &str, column: &str) {
        self.0.entry(table.to_owned()).or_default().insert(column.to_owned());
    }

    /// True when the table has all these columns.
    pub fn has(&self, table: &str, columns: &[&str]) -> bool {
        self.0.get(table).is_some_and(|known| columns.iter().all(|column| known.contains(*column)))
    }

    /// The column if the table has it, or else `NULL`. Columns come and go with an agent's versions.
    pub(super) fn column(&self, table: &str, column: &str) -> String {
        if self.has(table, &[column]) { format!("{table}.{column}") } else { "NULL".to_owned() }
    }
}

/// One query to a database.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RowQuery {
    /// The table whose rows are numbered by `rowid`.
    pub table: &'static str,
    /// A `SELECT` without an order. Its first two columns are the row's number and the time of its last change, as
    /// integers or `NULL`. `?1` is the highest number read so far, `?2` the time since which rows may have changed.
    pub sql: String,
}

/// A value of a row.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Value<'a> {
    /// `NULL`.
    Null,
    /// An integer.
    Integer(i64),
    /// A floating-point number.
    Real(f64),
    /// A text.
    Text(&'a str),
    /// Bytes, or a text in another encoding. Values compressed with zstd are decompressed.
    Bytes(&'a [u8]),
}

impl<'a> Value<'a> {
    /// The text, if it is a text and not empty.
    pub(super) fn text(self) -> Option<&'a str> {
        match self {
            Self::Text(text) => Some(text).filter(|text| !text.is_empty()),
            Self::Null | Self::Integer(_) | Self::Real(_) | Self::Bytes(_) => None,
        }
    }

    /// The bytes of a text or a blob.
    pub(super) fn bytes(self) -> Option<&'a [u8]> {
        match self {
            Self::Text(text) => Some(text.as_bytes()),
            Self::Bytes(bytes) => Some(bytes),
            Self::Null | Self::Integer(_) | Self::Real(_) => None,
        }
    }

    /// The integer.
    pub(super) fn integer(self) -> Option<i64> {
        match self {
            Self::Integer(number) => Some(number),
            Self::Null | Self::Real(_) | Self::Text(_) | Self::Bytes(_) => None,
        }
    }

    /// The value as a count of tokens.
    pub(super) fn count(self) -> Count {
        match self {
            Self::Null => Count::Absent,
            Self::Integer(number) => Count::from_integer(number),
            Self::Real(number) => Count::from_float(number),
            Self::Text(text) => Count::from_text(text),
            Self::Bytes(_) => Count::Wrong,
        }
    }

    /// A dollar amount above zero. The shortest decimal of a float is the number that the agent computed.
    pub(super) fn usd(self) -> Option<Usd> {
        let text = match self {
            Self::Null | Self::Bytes(_) => return None,
            Self::Integer(number) => number.to_string(),
            Self::Real(number) => number.to_string(),
            Self::Text(text) => text.to_owned(),
        };
        Usd::parse(&text).ok().map(|(usd, _)| usd).filter(|usd| *usd > Usd::ZERO)
    }

    /// A time: seconds or milliseconds since 1970, or SQLite's text form `2026-11-26 09:00:00`, which is in UTC.
    pub(super) fn time(self) -> Option<Instant> {
        match self {
            Self::Null | Self::Bytes(_) => None,
            Self::Integer(number) => u64::try_from(number).ok().and_then(time::epoch),
            Self::Real(number) => time::epoch_float(number),
            Self::Text(text) => time::parse(text),
        }
    }
}

/// The value at an index of a row; `Null` past its end.
pub(super) fn at<'a>(row: &[Value<'a>], place: usize) -> Value<'a> {
    row.get(place).copied().unwrap_or(Value::Null)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_count_is_whole_and_not_negative_whatever_its_column_holds() {
        let count = |value: Value<'_>| value.count().tokens("n").ok();
        assert_eq!(count(Value::Integer(7)), Some(7));
        assert_eq!(count(Value::Text("7")), Some(7));
        assert_eq!(count(Value::Real(7.0)), Some(7));
        assert_eq!(count(Value::Null), Some(0));
        assert_eq!((count(Value::Integer(-7)), count(Value::Real(0.5)), count(Value::Text("x"))), (None, None, None));
    }

    #[test]
    fn times_of_sqlite_are_in_utc() {
        let expected: Instant = "2026-11-26T09:00:00Z".parse().unwrap();
        for value in [
            Value::Text("2026-11-26 09:00:00"),
            Value::Text("2026-11-26T09:00:00Z"),
            Value::Text("2026-11-26T10:00:00+01:00"),
            Value::Integer(expected.timestamp()),
            Value::Integer(expected.timestamp_millis()),
        ] {
            assert_eq!(value.time(), Some(expected), "{value:?}");
        }
        assert_eq!((Value::Null.time(), Value::Text("soon").time(), Value::Integer(-1).time()), (None, None, None));
    }

    #[test]
    fn dollars_are_the_decimal_that_was_computed() {
        assert_eq!(Value::Real(0.011_226_625).usd(), Some(Usd::from_pico(11_226_625_000)));
        assert_eq!((Value::Real(0.0).usd(), Value::Real(-1.0).usd(), Value::Null.usd()), (None, None, None));
        assert_eq!(Value::Real(f64::NAN).usd(), None);
    }

    #[test]
    fn a_column_that_a_version_lacks_is_null() {
        let mut schema = Schema::default();
        schema.add("t", "a");
        assert_eq!((schema.column("t", "a"), schema.column("t", "b")), ("t.a".to_owned(), "NULL".to_owned()));
        assert!(schema.has("t", &["a"]) && !schema.has("t", &["a", "b"]) && !schema.has("u", &[]));
    }
}
