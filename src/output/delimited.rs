//! CSV and Markdown that can safely be opened in a spreadsheet or pasted.

use std::io::{self, Write};
use std::sync::Arc;

use super::cells::{named, report_grid};
use super::{Cell, Grid};
use crate::domain::{Label, rfc3339_millis};
use crate::ledger::{PeriodKey, Query, Report, ReportRow, Row, Sums};

/// Writes the grid as CSV with a header line.
///
/// Names that a spreadsheet would run as formulas get an apostrophe in front.
///
/// # Errors
/// When `out` cannot be written.
pub(crate) fn csv(grid: &Grid, out: &mut dyn Write) -> io::Result<()> {
    let mut writer = csv::Writer::from_writer(out);
    writer.write_record(&grid.columns).map_err(plain_error)?;
    for row in &grid.rows {
        writer.write_record(row.iter().map(field)).map_err(plain_error)?;
    }
    writer.flush()
}

fn field(cell: &Cell) -> String {
    match cell {
        Cell::Name(_) | Cell::Names(_) | Cell::Text(_) => inert(plain(cell)),
        Cell::Unknown | Cell::Time(_) | Cell::Count(_) | Cell::Seconds(_) | Cell::Usd(_) => plain(cell),
    }
}

/// The row of a single call in a report of calls.
pub(super) fn of_call(query: &Query, row: &Arc<Row>) -> ReportRow {
    ReportRow {
        period: PeriodKey::Call(row.call.at(), row.call.key),
        by: query
            .by
            .iter()
            .map(|by| by.label_of(&row.call).and_then(|value| query.name_of(*by, value).cloned()))
            .collect(),
        sums: Sums::from_row(row),
        session: None,
        call: Some(Arc::clone(row)),
    }
}

/// Writes a report of calls as CSV, one call at a time, with the same output as [`csv()`].
pub(crate) struct CallLines<'a> {
    writer: csv::Writer<&'a mut dyn Write>,
    /// The report without rows.
    report: Report,
}

impl<'a> CallLines<'a> {
    /// Writes the header.
    ///
    /// # Errors
    /// When `out` cannot be written.
    pub(crate) fn new(query: &Query, out: &'a mut dyn Write) -> io::Result<Self> {
        let report = Report::without_rows(query);
        let mut writer = csv::Writer::from_writer(out);
        writer.write_record(report_grid(&report).columns).map_err(plain_error)?;
        Ok(Self { writer, report })
    }

    /// Writes a call.
    ///
    /// # Errors
    /// When `out` cannot be written.
    pub(crate) fn write(&mut self, row: &Arc<Row>) -> io::Result<()> {
        let cells = named(&self.report, &of_call(&self.report.query, row));
        self.writer.write_record(cells.iter().map(|(_, cell)| field(cell))).map_err(plain_error)
    }

    /// Flushes the output.
    ///
    /// # Errors
    /// When `out` cannot be written.
    pub(crate) fn finish(mut self) -> io::Result<()> {
        self.writer.flush()
    }
}

/// The underlying system error, so that a closed pipe can be recognised.
fn plain_error(error: csv::Error) -> io::Error {
    let words = error.to_string();
    if let csv::ErrorKind::Io(error) = error.into_kind() { error } else { io::Error::other(words) }
}

/// Writes the grid as a Markdown table.
///
/// # Errors
/// When `out` cannot be written.
pub(crate) fn markdown(grid: &Grid, out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "| {} |", grid.columns.join(" | "))?;
    let rule = |at: usize| match grid.rows.first().map(|row| &row[at]) {
        Some(Cell::Count(_) | Cell::Seconds(_) | Cell::Usd(_)) => "---:",
        Some(Cell::Unknown | Cell::Text(_) | Cell::Time(_) | Cell::Name(_) | Cell::Names(_)) | None => "---",
    };
    writeln!(out, "| {} |", (0..grid.columns.len()).map(rule).collect::<Vec<_>>().join(" | "))?;
    for row in &grid.rows {
        let cells: Vec<String> = row.iter().map(|cell| escaped(&plain(cell))).collect();
        writeln!(out, "| {} |", cells.join(" | "))?;
    }
    Ok(())
}

fn plain(cell: &Cell) -> String {
    match cell {
        Cell::Unknown => String::new(),
        Cell::Text(text) => text.clone(),
        Cell::Time(at) => rfc3339_millis(*at),
        Cell::Name(name) => name.to_string(),
        Cell::Count(count) => count.to_string(),
        Cell::Seconds(seconds) => seconds.to_string(),
        Cell::Usd(usd) => usd.to_string(),
        Cell::Names(names) => names.iter().map(Label::as_str).collect::<Vec<_>>().join(";"),
    }
}

/// Puts an apostrophe in front of each character that a spreadsheet would take for the start of a formula.
///
/// A cell begins at the start of the text, and wherever a spreadsheet with another separator would split it: after a
/// semicolon, a tab or a line break. East Asian versions of Excel also recognise full-width characters.
fn inert(text: String) -> String {
    const SIGNS: [char; 8] = ['=', '+', '-', '@', '＝', '＋', '－', '＠'];
    if !text.contains(SIGNS) {
        return text;
    }
    let mut out = String::with_capacity(text.len() + 1);
    let mut begins = true;
    for letter in text.chars() {
        if begins && SIGNS.contains(&letter) {
            out.push('\'');
        }
        begins = matches!(letter, ';' | '\t' | '\r' | '\n') || (begins && letter.is_whitespace());
        out.push(letter);
    }
    out
}

/// Escapes characters that have a meaning in Markdown.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for letter in text.chars() {
        if matches!(letter, '|' | '\\' | '`' | '*' | '_' | '~' | '$' | '&' | '<' | '>' | '[' | ']') {
            out.push('\\');
        }
        out.push(letter);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Usd;

    #[test]
    fn i5_names_cannot_become_formulas_rows_or_columns() {
        let name = Label::new("=cmd()|x\n,\"y\"");
        let grid = Grid {
            columns: vec!["model", "cost_usd"],
            rows: vec![vec![Cell::Name(name), Cell::Usd(Usd::from_micro(-5))]],
        };
        let mut out = Vec::new();
        csv(&grid, &mut out).unwrap();
        let text = String::from_utf8(out).unwrap();
        assert_eq!(text.lines().count(), 2, "{text}");
        assert!(text.lines().nth(1).unwrap().starts_with("\"'=cmd()|x"), "{text}");
        assert!(text.ends_with(",-0.000005\n"), "{text}");
        let mut out = Vec::new();
        markdown(&grid, &mut out).unwrap();
        let text = String::from_utf8(out).unwrap();
        assert_eq!(text.lines().count(), 3, "{text}");
        assert!(text.contains("=cmd()\\|x"), "{text}");
    }

    #[test]
    fn i5_no_name_begins_as_a_formula_does_in_any_spreadsheet() {
        for first in ["=", "+", "-", "@"] {
            let name = Label::new(&format!("{first}SUM(A1)"));
            let grid = Grid { columns: vec!["model"], rows: vec![vec![Cell::Name(name)]] };
            let mut out = Vec::new();
            csv(&grid, &mut out).unwrap();
            assert_eq!(String::from_utf8(out).unwrap(), format!("model\n'{first}SUM(A1)\n"));
        }
    }

    #[test]
    fn j23_no_cell_begins_as_a_formula_whatever_the_separator_and_the_width_of_its_signs() {
        let cases = [
            ("＝cmd()", "'＝cmd()"),
            ("＋1", "'＋1"),
            ("－1", "'－1"),
            ("＠a", "'＠a"),
            ("x;=cmd()", "x;'=cmd()"),
            ("x; ＠a;-1", "x; '＠a;'-1"),
            (" =1", " '=1"),
            ("a-b=c", "a-b=c"),
            ("claude-opus-5", "claude-opus-5"),
        ];
        for (name, expected) in cases {
            let names = Cell::Names(vec![Label::new("first"), Label::new(name)]);
            let grid = Grid { columns: vec!["a", "b"], rows: vec![vec![Cell::Name(Label::new(name)), names]] };
            let mut out = Vec::new();
            csv(&grid, &mut out).unwrap();
            assert_eq!(String::from_utf8(out).unwrap(), format!("a,b\n{expected},first;{expected}\n"));
        }
        for (text, expected) in [("x\t=1", "x\t'=1"), ("x\r=1", "x\r'=1"), ("x\n=1", "x\n'=1")] {
            assert_eq!(inert(text.to_owned()), expected);
        }
    }

    #[test]
    fn i5_no_letter_of_a_name_means_anything_in_markdown() {
        // Strikethrough, formulas and entities, too. The other punctuation means nothing within a cell.
        let special = "|\\`*_~$&<>[]";
        let grid = Grid { columns: vec!["model"], rows: vec![vec![Cell::Name(Label::new(special))]] };
        let mut out = Vec::new();
        markdown(&grid, &mut out).unwrap();
        let escaped: String = special.chars().flat_map(|letter| ['\\', letter]).collect();
        assert_eq!(String::from_utf8(out).unwrap().lines().nth(2), Some(format!("| {escaped} |").as_str()));
    }
}
