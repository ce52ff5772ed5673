//! Reports and other results as JSON. Keys and their order are stable, and amounts are exact decimals.

use std::io::{self, Write};
use std::sync::Arc;

use serde::ser::{SerializeMap, SerializeSeq};
use serde::{Serialize, Serializer};
use serde_json::value::RawValue;

use super::cells::{Cell, Column, measures, named, report_grid};
use super::delimited::of_call;
use crate::domain::{Usd, rfc3339_millis};
use crate::ledger::{Grain, Query, Report, Row, Sums};

/// Dollars as an exact JSON number in plain decimal notation.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Decimal(pub Usd);

impl Serialize for Decimal {
    fn serialize<S: Serializer>(&self, out: S) -> Result<S::Ok, S::Error> {
        RawValue::from_string(self.0.to_string()).map_err(serde::ser::Error::custom)?.serialize(out)
    }
}

impl Serialize for Cell {
    fn serialize<S: Serializer>(&self, out: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Unknown => out.serialize_none(),
            Self::Text(text) => out.serialize_str(text),
            Self::Time(at) => out.serialize_str(&rfc3339_millis(*at)),
            Self::Name(name) => name.serialize(out),
            Self::Count(count) => out.serialize_u64(*count),
            Self::Seconds(seconds) => out.serialize_i64(*seconds),
            Self::Usd(usd) => Decimal(*usd).serialize(out),
            Self::Names(names) => names.serialize(out),
        }
    }
}

/// Named cells as a JSON object.
struct Object<'a, I>(I, std::marker::PhantomData<&'a ()>);

impl<'a, I: Iterator<Item = (Column, &'a Cell)> + Clone> Serialize for Object<'a, I> {
    fn serialize<S: Serializer>(&self, out: S) -> Result<S::Ok, S::Error> {
        let mut map = out.serialize_map(None)?;
        for (name, cell) in self.0.clone() {
            map.serialize_entry(name, cell)?;
        }
        map.end()
    }
}

struct Rows<'a>(&'a super::Grid);

impl Serialize for Rows<'_> {
    fn serialize<S: Serializer>(&self, out: S) -> Result<S::Ok, S::Error> {
        let mut rows = out.serialize_seq(Some(self.0.rows.len()))?;
        for row in &self.0.rows {
            rows.serialize_element(&Object(self.0.columns.iter().copied().zip(row), std::marker::PhantomData))?;
        }
        rows.end()
    }
}

struct Measures<'a>(&'a Sums);

impl Serialize for Measures<'_> {
    fn serialize<S: Serializer>(&self, out: S) -> Result<S::Ok, S::Error> {
        let cells = measures(self.0);
        Object(cells.iter().map(|(name, cell)| (*name, cell)), std::marker::PhantomData).serialize(out)
    }
}

#[derive(Serialize)]
struct Document<'a> {
    schema: u8,
    period: &'static str,
    by: Vec<&'static str>,
    timezone: &'static str,
    rows: Rows<'a>,
    total: Measures<'a>,
    /// Number of rows without the limit. Omitted if all rows are shown.
    #[serde(skip_serializing_if = "Option::is_none")]
    all_rows: Option<u64>,
    /// Number of files that could not be read. Because of them all numbers may be higher. Omitted if zero.
    #[serde(skip_serializing_if = "is_zero")]
    unread_files: u64,
}

/// True for a count of zero, which some answers omit.
#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for it")]
pub(crate) fn is_zero(number: &u64) -> bool {
    *number == 0
}

/// Writes a report as JSON, schema 1 of docs/contract.md: flat rows and a total.
///
/// # Errors
/// When `out` cannot be written.
pub(crate) fn report(report: &Report, out: &mut dyn Write) -> io::Result<()> {
    to_line(&Document::from_report(report, &report_grid(report)), out)
}

/// Writes a report of calls, one call at a time, with the same output as [`report()`].
pub(crate) struct CallObjects<'a> {
    out: io::BufWriter<&'a mut dyn Write>,
    /// The report without its rows. Its total grows.
    report: Report,
    written: u64,
}

impl<'a> CallObjects<'a> {
    /// Writes the part before the calls.
    ///
    /// # Errors
    /// When it cannot be written.
    pub(crate) fn new(query: &Query, unread_files: u64, out: &'a mut dyn Write) -> io::Result<Self> {
        let report = Report { unread_files, ..Report::without_rows(query) };
        let mut out = io::BufWriter::new(out);
        out.write_all(halves(&report)?.0.as_bytes())?;
        Ok(Self { out, report, written: 0 })
    }

    /// Adds a call to the total.
    pub(crate) fn count(&mut self, row: &Row) {
        self.report.total.add(&Sums::from_row(row));
    }

    /// Writes a call.
    ///
    /// # Errors
    /// When it cannot be written.
    pub(crate) fn write(&mut self, row: &Arc<Row>) -> io::Result<()> {
        if self.written > 0 {
            self.out.write_all(b",")?;
        }
        self.written += 1;
        let cells = named(&self.report, &of_call(&self.report.query, row));
        let object = Object(cells.iter().map(|(name, cell)| (*name, cell)), std::marker::PhantomData);
        Ok(serde_json::to_writer(&mut self.out, &object)?)
    }

    /// Writes the part after the calls.
    ///
    /// # Errors
    /// When it cannot be written.
    pub(crate) fn finish(mut self) -> io::Result<()> {
        let all = self.report.total.calls;
        self.report.all_rows = (all > self.written).then_some(all);
        self.out.write_all(halves(&self.report)?.1.as_bytes())?;
        writeln!(self.out)?;
        self.out.flush()
    }
}

/// The parts of the JSON before and after the rows.
fn halves(report: &Report) -> io::Result<(String, String)> {
    const ROWS: &str = r#""rows":["#;
    let text = serde_json::to_string(&Document::from_report(report, &report_grid(report)))?;
    let at = text.find(ROWS).map_or(text.len(), |at| at + ROWS.len());
    let (before, behind) = text.split_at(at);
    Ok((before.to_owned(), behind.to_owned()))
}

/// A report that can be flattened into a larger document.
pub(crate) fn report_document<'a>(report: &'a Report, grid: &'a super::Grid) -> impl Serialize + 'a {
    Document::from_report(report, grid)
}

impl<'a> Document<'a> {
    fn from_report(report: &'a Report, grid: &'a super::Grid) -> Self {
        Self {
            schema: 1,
            period: grain_name(report.query.grain),
            by: report.query.by.iter().map(|dimension| dimension.name()).collect(),
            timezone: report.query.zone.name(),
            rows: Rows(grid),
            total: Measures(&report.total),
            all_rows: report.all_rows,
            unread_files: report.unread_files,
        }
    }
}

/// Name of a grain in JSON and on the command line.
const fn grain_name(grain: Grain) -> &'static str {
    match grain {
        Grain::Quarter => "quarter_hour",
        Grain::Hour => "hour",
        Grain::Day => "day",
        Grain::Week => "week",
        Grain::Month => "month",
        Grain::Session => "session",
        Grain::Call => "call",
        Grain::Total => "total",
    }
}

/// Writes a value as one line of JSON.
///
/// # Errors
/// When `out` cannot be written.
pub(crate) fn to_line(value: &impl Serialize, out: &mut dyn Write) -> io::Result<()> {
    let mut buffer = io::BufWriter::new(out);
    serde_json::to_writer(&mut buffer, value)?;
    writeln!(buffer)?;
    buffer.into_inner().map(drop).map_err(io::IntoInnerError::into_error)
}
