//! Reports as text tables.

use std::io::{self, Write};

use comfy_table::{Cell as Field, CellAlignment, ColumnConstraint, ContentArrangement, Table};

use super::cells::{Cell, report_grid};
use crate::domain::{Label, Zone};
use crate::ledger::{Grain, PeriodKey, Report, ReportRow, Sums};
use crate::text;

/// Columns that text tables omit.
const HIDDEN: [&str; 9] = [
    "reasoning_tokens",
    "unpriced_tokens",
    "lower_bound_calls",
    "guessed_calls",
    "folder",
    "cache_write_5m_tokens",
    "cache_write_1h_tokens",
    "key",
    "fidelity",
];

/// Columns to drop first if the terminal is too narrow, in this order. `--by` columns, period and cost are always kept.
const SPARED: [&str; 19] = [
    "branch",
    "cache_saved_usd",
    "source",
    "org",
    "feature",
    "team",
    CACHE_WRITE,
    "ended",
    "user",
    "cache_read_tokens",
    "duration_s",
    "project",
    "agent",
    "input_tokens",
    "models",
    "output_tokens",
    "calls",
    "session",
    "total_tokens",
];
/// Column with cache writes of both lifetimes.
const CACHE_WRITE: &str = "cache_write_tokens";
/// Minimum width of a column with wrapped text.
const LAST_COLUMN: usize = 20;

/// Writes a report as a table with its total, and explains every mark in it. If it is wider than `room` columns, leaves
/// out the least important columns and says so.
///
/// # Errors
/// When `out` cannot be written.
pub(crate) fn report(report: &Report, room: Option<usize>, out: &mut dyn Write) -> io::Result<()> {
    let (mut columns, labels) = columns(report, false);
    let mut spared = Vec::new();
    if let Some(room) = room.filter(|room| width(&columns) > *room) {
        (columns, _) = self::columns(report, true);
        let asked: Vec<&str> = report.query.by.iter().map(|dimension| dimension.name()).collect();
        let own = if report.query.grain == Grain::Session { "session" } else { "" };
        for name in SPARED.into_iter().filter(|name| *name != own && !asked.contains(name)) {
            if width(&columns) <= room {
                break;
            }
            if let Some(at) = columns.iter().position(|column| column.name == name) {
                spared.push(columns.remove(at).fields.swap_remove(0));
            }
        }
    }
    let left = columns.iter().filter(|column| labels.contains(&column.name)).count();
    let heads: Vec<String> = columns.iter().map(|column| column.fields[0].clone()).collect();
    let height = columns.first().map_or(1, |column| column.fields.len());
    let rows: Vec<Vec<String>> =
        (1..height).map(|row| columns.iter().map(|column| column.fields[row].clone()).collect()).collect();
    plain(&heads, left, &rows, out)?;
    if !spared.is_empty() {
        writeln!(out, "\nOmitted for lack of space: {} (`--json` has everything)", spared.join(", "))?;
    }
    for words in super::shown::words(report) {
        writeln!(out, "\n{words}")?;
    }
    marks(&report.total, out)?;
    if let Some(line) =
        saved_line(&report.marked_total(), columns.iter().any(|column| column.name == "cache_saved_usd"))
    {
        writeln!(out, "\n{line}")?;
    }
    if let Some(line) = unread_line(report.unread_files) {
        writeln!(out, "\n{line}")?;
    }
    Ok(())
}

/// Explains the mark of what was saved where the cost has another one.
fn saved_line(total: &Sums, is_shown: bool) -> Option<&'static str> {
    let is_marked = is_shown && total.is_lower_bound() && !total.is_unpriced() && total.guessed_calls == 0;
    is_marked.then_some("~ saved: what is missing from the cost may have saved more, or less than it cost to write")
}

/// Explains the mark of a total that lacks what is in these files.
pub(crate) fn unread_line(unread_files: u64) -> Option<String> {
    let files = text::plural(unread_files, "file");
    (unread_files > 0).then(|| format!("≥ without {files} that could not be read (`tokmeter doctor` names them)"))
}

/// A column of a table: name, heading, and cells.
struct Shown {
    name: &'static str,
    fields: Vec<String>,
}

/// Width of a table with these columns.
fn width(columns: &[Shown]) -> usize {
    let widths = columns.iter().map(|column| column.fields.iter().map(|field| text::width(field)).max().unwrap_or(0));
    widths.map(|width| width + 2).sum::<usize>().saturating_sub(2)
}

/// The columns to show, with the total in the last row, and the names of the columns before the measures.
fn columns(report: &Report, short: bool) -> (Vec<Shown>, Vec<&'static str>) {
    let grid = report_grid(report);
    let by_call = report.rows.iter().any(|row| row.call.is_some());
    // A total that is not split is itself the only row.
    let is_total = |row: &ReportRow| row.by.is_empty() && row.period == PeriodKey::Total;
    let mut columns: Vec<Shown> = Vec::with_capacity(grid.columns.len());
    // A requested column is shown even if no call has such a name.
    let asked = |name: &str| report.query.by.iter().any(|dimension| dimension.name() == name);
    for (at, name) in grid.columns.iter().copied().enumerate() {
        let is_hidden = HIDDEN.contains(&name) && !(by_call && name == "key");
        if !asked(name) && (is_hidden || !text_columns_with_content(&grid, at)) {
            continue;
        }
        if name == "output_tokens" {
            let writes = report.rows.iter().map(|row| text::count(row.sums.tokens.cache_write()));
            columns.push(Shown {
                name: CACHE_WRITE,
                fields: std::iter::once("cache write".to_owned()).chain(writes).collect(),
            });
        }
        let rows = report.rows.iter().zip(&grid.rows);
        let sums = |row: &ReportRow| if is_total(row) { report.marked_total() } else { row.sums };
        let fields = rows.map(|(row, cells)| field(name, &cells[at], &sums(row), report.query.zone, short));
        columns.push(Shown { name, fields: std::iter::once(head(name)).chain(fields).collect() });
    }
    let labels: Vec<&str> = columns.iter().map(|column| column.name).take_while(|name| *name != "calls").collect();
    if report.rows.len() != 1 || !labels.is_empty() {
        let measures = super::measures(&report.total);
        for (at, column) in columns.iter_mut().enumerate() {
            let measure = measures.iter().find(|(name, _)| *name == column.name);
            column.fields.push(match measure {
                Some((name, cell)) => field(name, cell, &report.marked_total(), report.query.zone, short),
                None if column.name == CACHE_WRITE => text::count(report.total.tokens.cache_write()),
                None if at == 0 => "total".to_owned(),
                None => String::new(),
            });
        }
    }
    (columns, labels)
}

/// Writes a table without borders. The first `left` columns are left-aligned, the others right-aligned.
///
/// # Errors
/// When `out` cannot be written.
pub(crate) fn plain(heads: &[String], left: usize, rows: &[Vec<String>], out: &mut dyn Write) -> io::Result<()> {
    lines(Table::new(), heads, left, rows, out)
}

/// Width of a table of [`plain`].
pub(crate) fn table_width(heads: &[String], rows: &[Vec<String>]) -> usize {
    column_widths(heads, rows).into_iter().sum::<usize>().saturating_sub(2)
}

/// Width of each column, with the gap behind it.
fn column_widths(heads: &[String], rows: &[Vec<String>]) -> Vec<usize> {
    let lines = || std::iter::once(heads).chain(rows.iter().map(Vec::as_slice));
    (0..heads.len()).map(|at| lines().map(|line| text::width(&line[at]) + 2).max().unwrap_or(0)).collect()
}

/// Like [`plain`], but if it is wider than `room` columns, without those of `spared`, in this order, that it takes, and
/// says so.
///
/// # Errors
/// When `out` cannot be written.
pub(crate) fn fitted(
    heads: &[String],
    left: usize,
    rows: &[Vec<String>],
    (room, spared): (Option<usize>, &[&str]),
    out: &mut dyn Write,
) -> io::Result<()> {
    let widths = column_widths(heads, rows);
    let mut kept: Vec<usize> = (0..heads.len()).collect();
    let mut omitted = Vec::new();
    for name in spared {
        if room.is_none_or(|room| kept.iter().map(|at| widths[*at]).sum::<usize>() <= room + 2) {
            break;
        }
        kept.retain(|at| heads[*at] != *name);
        omitted.push(*name);
    }
    let of = |line: &[String]| kept.iter().map(|at| line[*at].clone()).collect::<Vec<_>>();
    let rows: Vec<Vec<String>> = rows.iter().map(|row| of(row)).collect();
    plain(&of(heads), kept.iter().filter(|at| **at < left).count(), &rows, out)?;
    if !omitted.is_empty() {
        writeln!(out, "\nOmitted for lack of space: {} (`--json` has everything)", omitted.join(", "))?;
    }
    Ok(())
}

/// Like [`plain`], but with all columns left-aligned, and the text of the last one wrapped to a terminal of this width.
///
/// # Errors
/// When `out` cannot be written.
pub(crate) fn wrapped(
    heads: &[String],
    rows: &[Vec<String>],
    room: Option<usize>,
    out: &mut dyn Write,
) -> io::Result<()> {
    let mut table = Table::new();
    let width =
        |at: usize| rows.iter().chain([&heads.to_vec()]).map(|row| text::width(&row[at]) + 2).max().unwrap_or(0);
    let others: usize = (0..heads.len() - 1).map(width).sum();
    if let Some(room) = room.filter(|room| others + width(heads.len() - 1) > *room + 2) {
        table.set_content_arrangement(ContentArrangement::Dynamic);
        table.set_width(u16::try_from(room.max(others + LAST_COLUMN)).unwrap_or(u16::MAX));
        table.set_header(heads.to_vec());
        let fixed = heads.len() - 1;
        table.column_iter_mut().take(fixed).for_each(|column| {
            column.set_constraint(ColumnConstraint::ContentWidth);
        });
    }
    lines(table, heads, heads.len(), rows, out)
}

fn lines(mut table: Table, heads: &[String], left: usize, rows: &[Vec<String>], out: &mut dyn Write) -> io::Result<()> {
    table.load_style(comfy_table::presets::NOTHING).set_header(heads.to_vec());
    for row in rows {
        table.add_row(row.iter().map(Field::new));
    }
    for (at, column) in table.column_iter_mut().enumerate() {
        column.set_padding((0, 2));
        column.set_cell_alignment(if at < left { CellAlignment::Left } else { CellAlignment::Right });
    }
    for line in table.lines() {
        writeln!(out, "{}", line.trim_end())?;
    }
    Ok(())
}

fn text_columns_with_content(grid: &super::Grid, at: usize) -> bool {
    let always = ["day", "week", "month", "calls", "cost_usd", "total_tokens", "cache_saved_usd"];
    always.contains(&grid.columns[at]) || grid.rows.iter().any(|row| row[at] != Cell::Unknown)
}

fn head(column: &str) -> String {
    match column {
        "cost_usd" => "cost".into(),
        "cache_saved_usd" => "saved".into(),
        "total_tokens" => "tokens".into(),
        "duration_s" => "duration".into(),
        other => other.strip_suffix("_tokens").unwrap_or(other).replace('_', " "),
    }
}

fn field(column: &str, cell: &Cell, sums: &Sums, zone: Zone, short: bool) -> String {
    match cell {
        Cell::Unknown if ["cost_usd", "cache_saved_usd"].contains(&column) => "?".into(),
        Cell::Unknown => "–".into(),
        Cell::Time(at) => text::minute(*at, zone),
        Cell::Text(key) if short && column == "key" => key.get(..10).unwrap_or(key).to_owned(),
        Cell::Text(text) => text.clone(),
        Cell::Name(name) if short => text::fit(
            match column {
                "session" => text::session_short(name),
                "project" => text::project_short(name),
                "model" => text::model_short(name),
                _ => name,
            },
            24,
        ),
        Cell::Name(name) => text::fit(name, 40),
        Cell::Count(count) => text::count(*count),
        Cell::Seconds(seconds) => text::duration_short(chrono::Duration::seconds(*seconds)),
        Cell::Usd(_) if column == "cost_usd" => text::cost(sums),
        Cell::Usd(_) if column == "cache_saved_usd" => text::saved(sums),
        Cell::Usd(usd) => text::usd(*usd),
        Cell::Names(names) => {
            // More than a few would leave no room for the numbers.
            let shown = if short { 1 } else { 3 };
            let name = |name: &Label| if short { text::fit(text::model_short(name), 16) } else { text::fit(name, 30) };
            let more = names.len().saturating_sub(shown);
            let more = if more > 0 { format!(" +{more}") } else { String::new() };
            names.iter().take(shown).map(name).collect::<Vec<_>>().join(", ") + &more
        }
    }
}

fn marks(total: &Sums, out: &mut dyn Write) -> io::Result<()> {
    mark_lines(total).iter().try_for_each(|line| writeln!(out, "\n{line}"))
}

/// Explains the marks on these sums, with one line for each mark in use.
pub(crate) fn mark_lines(total: &Sums) -> Vec<String> {
    let mut lines = Vec::new();
    if total.unpriced_tokens > 0 {
        lines.push(format!(
            "≥ without {} whose model has no known price (`tokmeter prices` lists those that have one)",
            text::plural(total.unpriced_tokens, "token")
        ));
    }
    if total.lower_bound_calls > 0 {
        lines.push(format!(
            "≥ {} logged only in part, or of sessions that made others which no log has; the real cost is higher",
            text::plural(total.lower_bound_calls, "call")
        ));
    }
    if total.guessed_calls > 0 {
        lines.push(format!(
            "~ {} with a guessed model, count, split, tier or rate",
            text::plural(total.guessed_calls, "call")
        ));
    }
    lines
}
