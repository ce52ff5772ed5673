//! Tables for people.

use std::io::{self, Write};

use comfy_table::{Cell as Field, CellAlignment, Table};

use super::cells::{Cell, report_grid};
use crate::ledger::{Report, Sums};
use crate::text;

/// Columns that a person does not need beside the others.
const HIDDEN: [&str; 7] = [
    "reasoning_tokens",
    "unpriced_tokens",
    "lower_bound_calls",
    "cache_write_5m_tokens",
    "cache_write_1h_tokens",
    "key",
    "fidelity",
];

/// A report as a table with its total, and a line that explains every mark in it.
///
/// # Errors
/// When it cannot be written.
pub fn report(report: &Report, out: &mut dyn Write) -> io::Result<()> {
    let grid = report_grid(report);
    let by_call = report.rows.iter().any(|row| row.call.is_some());
    let shown: Vec<usize> = (0..grid.columns.len())
        .filter(|at| !HIDDEN.contains(&grid.columns[*at]) || (by_call && grid.columns[*at] == "key"))
        .filter(|at| text_columns_with_content(&grid, *at))
        .collect();
    let mut heads: Vec<String> = shown.iter().map(|at| head(grid.columns[*at])).collect();
    let writes = heads.iter().position(|head| head == "output").unwrap_or(heads.len());
    heads.insert(writes, "cache write".into());
    let mut rows: Vec<Vec<String>> = Vec::with_capacity(grid.rows.len() + 1);
    for (row, cells) in report.rows.iter().zip(&grid.rows) {
        let mut fields: Vec<String> = shown.iter().map(|at| field(grid.columns[*at], &cells[*at], &row.sums)).collect();
        fields.insert(writes, text::count(row.sums.tokens.cache_write()));
        rows.push(fields);
    }
    let labels = shown.iter().take_while(|at| grid.columns[**at] != "calls").count();
    if rows.len() != 1 || labels > 0 {
        let mut total: Vec<String> = vec![String::new(); labels];
        if let Some(first) = total.first_mut() {
            "total".clone_into(first);
        }
        let cells = super::measures(&report.total);
        for at in shown.iter().skip(labels) {
            let (name, cell) = cells.iter().find(|(name, _)| *name == grid.columns[*at]).unwrap_or(&cells[0]);
            total.push(field(name, cell, &report.total));
        }
        total.insert(writes, text::count(report.total.tokens.cache_write()));
        rows.push(total);
    }
    plain(&heads, labels, &rows, out)?;
    marks(&report.total, out)
}

/// A table without borders: the first `left` columns to the left, the others to the right.
///
/// # Errors
/// When it cannot be written.
pub fn plain(heads: &[String], left: usize, rows: &[Vec<String>], out: &mut dyn Write) -> io::Result<()> {
    let mut table = Table::new();
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
    let always = ["day", "week", "month", "calls", "cost_usd", "total_tokens"];
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

fn field(column: &str, cell: &Cell, sums: &Sums) -> String {
    match cell {
        Cell::Unknown if column == "cost_usd" => "?".into(),
        Cell::Unknown => "–".into(),
        Cell::Text(at) if matches!(column, "started" | "ended" | "at") => at.get(..16).unwrap_or(at).replace('T', " "),
        Cell::Text(text) => text.clone(),
        Cell::Name(name) => text::fit(name, 40),
        Cell::Count(count) => text::count(*count),
        Cell::Seconds(seconds) => text::duration_short(chrono::Duration::seconds(*seconds)),
        Cell::Usd(_) if column == "cost_usd" => text::cost(sums),
        Cell::Usd(usd) => text::usd(*usd),
        Cell::Names(names) => {
            let names: Vec<_> = names.iter().map(|name| text::fit(name, 30)).collect();
            names.join(", ")
        }
    }
}

fn marks(total: &Sums, out: &mut dyn Write) -> io::Result<()> {
    mark_lines(total).iter().try_for_each(|line| writeln!(out, "\n{line}"))
}

/// What the marks beside these sums mean, a line for each that stands there.
pub fn mark_lines(total: &Sums) -> Vec<String> {
    let mut lines = Vec::new();
    if total.unpriced_tokens > 0 {
        lines.push(format!(
            "≥ without {} tokens whose model has no known price (`tokmeter prices` tells which have)",
            text::count(total.unpriced_tokens)
        ));
    }
    if total.lower_bound_calls > 0 {
        lines.push(format!(
            "≥ the agent logged {} calls only in part; the real cost is higher",
            text::count(total.lower_bound_calls)
        ));
    }
    if total.guessed_calls > 0 {
        lines.push(format!("~ {} calls with a guessed model or split", text::count(total.guessed_calls)));
    }
    lines
}
