//! A report as a grid of named, typed cells: the columns of JSON, CSV and Markdown alike.

use chrono::SecondsFormat;

use crate::domain::{Fidelity, Instant, Label, Usd};
use crate::ledger::{Grain, PeriodKey, Report, ReportRow, Row, SessionRow, Sums};

/// One value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cell {
    /// Not known.
    Unknown,
    /// A name of ours.
    Text(String),
    /// A moment.
    Time(Instant),
    /// A name that came from outside.
    Name(Label),
    /// A count.
    Count(u64),
    /// A number of seconds.
    Seconds(i64),
    /// Dollars, exact.
    Usd(Usd),
    /// Several names.
    Names(Vec<Label>),
}

/// A column's name, the same in every format.
pub type Column = &'static str;

/// Named columns and their rows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grid {
    /// The names.
    pub columns: Vec<Column>,
    /// The rows; each as long as `columns`.
    pub rows: Vec<Vec<Cell>>,
}

impl From<Option<&Label>> for Cell {
    fn from(name: Option<&Label>) -> Self {
        name.map_or(Self::Unknown, |name| Self::Name(name.clone()))
    }
}

/// The measures that every row and every total has, in their order.
pub fn measures(sums: &Sums) -> [(Column, Cell); 12] {
    let tokens = &sums.tokens;
    [
        ("calls", Cell::Count(sums.calls)),
        ("input_tokens", Cell::Count(tokens.input)),
        ("cache_read_tokens", Cell::Count(tokens.cache_read)),
        ("cache_write_5m_tokens", Cell::Count(tokens.cache_write_5m)),
        ("cache_write_1h_tokens", Cell::Count(tokens.cache_write_1h)),
        ("output_tokens", Cell::Count(tokens.output)),
        ("reasoning_tokens", Cell::Count(tokens.reasoning)),
        ("total_tokens", Cell::Count(tokens.total())),
        ("cost_usd", cost_cell(sums)),
        ("unpriced_tokens", Cell::Count(sums.unpriced_tokens)),
        ("lower_bound_calls", Cell::Count(sums.lower_bound_calls)),
        ("cache_saved_usd", Cell::Usd(sums.saved)),
    ]
}

/// The cost, which is unknown (and not $0) when nothing in the row has a price.
pub fn cost_cell(sums: &Sums) -> Cell {
    if sums.unpriced_tokens > 0 && sums.unpriced_tokens == sums.tokens.total() && sums.cost == Usd::ZERO {
        Cell::Unknown
    } else {
        Cell::Usd(sums.cost)
    }
}

/// A report's columns and rows, without its total.
pub fn report_grid(report: &Report) -> Grid {
    let rows: Vec<Vec<(Column, Cell)>> = report.rows.iter().map(|row| named(report, row)).collect();
    let columns = rows.first().map_or_else(|| empty_columns(report), |row| row.iter().map(|(name, _)| *name).collect());
    Grid { columns, rows: rows.into_iter().map(|row| row.into_iter().map(|(_, cell)| cell).collect()).collect() }
}

/// The columns of a report that has no rows.
fn empty_columns(report: &Report) -> Vec<Column> {
    let row = ReportRow {
        period: PeriodKey::Total,
        by: vec![None; report.query.by.len()],
        sums: Sums::default(),
        session: None,
        call: None,
    };
    let period = period_column(report.query.grain);
    period.into_iter().chain(named(report, &row).into_iter().map(|(name, _)| name)).collect()
}

const fn period_column(grain: Grain) -> Option<Column> {
    match grain {
        Grain::Hour => Some("hour"),
        Grain::Day => Some("day"),
        Grain::Week => Some("week"),
        Grain::Month => Some("month"),
        Grain::Session | Grain::Call | Grain::Total => None,
    }
}

fn named(report: &Report, row: &ReportRow) -> Vec<(Column, Cell)> {
    let mut cells: Vec<(Column, Cell)> = Vec::with_capacity(20);
    match &row.period {
        PeriodKey::Hour(hour) => {
            let local = hour.with_timezone(&report.query.zone);
            cells.push(("hour", Cell::Text(local.format("%Y-%m-%dT%H:%M%:z").to_string())));
        }
        PeriodKey::Day(day) => cells.push(("day", Cell::Text(day.format("%Y-%m-%d").to_string()))),
        PeriodKey::Week(week) => cells.push(("week", Cell::Text(format!("{:04}-W{:02}", week.year, week.number)))),
        PeriodKey::Month(month) => cells.push(("month", Cell::Text(month.format("%Y-%m").to_string()))),
        PeriodKey::Session(..) => cells.extend(row.session.iter().flat_map(session_facts)),
        PeriodKey::Call(..) => cells.extend(row.call.iter().flat_map(|row| call_facts(row))),
        PeriodKey::Total => {}
    }
    for (dimension, value) in report.query.by.iter().zip(&row.by) {
        if !cells.iter().any(|(name, _)| *name == dimension.name()) {
            cells.push((dimension.name(), Cell::from(value.as_ref())));
        }
    }
    cells.extend(measures(&row.sums));
    cells
}

/// The columns that say which session a row is.
pub fn session_facts(session: &SessionRow) -> Vec<(Column, Cell)> {
    vec![
        ("session", Cell::from(session.session.as_ref())),
        ("started", Cell::Time(session.started)),
        ("ended", Cell::Time(session.ended)),
        ("duration_s", Cell::Seconds((session.ended - session.started).num_seconds())),
        ("source", Cell::Name(session.source.clone())),
        ("project", Cell::from(session.project.as_ref())),
        ("user", Cell::from(session.user.as_ref())),
        ("models", Cell::Names(session.models.iter().filter_map(|(model, _)| model.clone()).collect())),
    ]
}

/// The columns that say which call a row is.
pub fn call_facts(row: &Row) -> Vec<(Column, Cell)> {
    let (call, from) = (&row.call, &row.call.from);
    vec![
        ("key", Cell::Text(call.key.to_string())),
        ("at", Cell::Time(from.at)),
        ("source", Cell::Name(from.source.clone())),
        ("session", Cell::from(from.session.as_ref())),
        ("model", Cell::from(call.model.as_ref())),
        ("user", Cell::from(from.user.as_ref())),
        ("project", Cell::from(from.project.as_ref())),
        ("team", Cell::from(from.team.as_ref())),
        ("agent", Cell::from(from.agent.as_ref())),
        ("feature", Cell::from(from.feature.as_ref())),
        ("org", Cell::from(from.org.as_ref())),
        (
            "fidelity",
            Cell::Text(
                match call.fidelity {
                    Fidelity::Final => "final",
                    Fidelity::LowerBound => "lower_bound",
                    Fidelity::Guessed => "guessed",
                }
                .to_owned(),
            ),
        ),
    ]
}

/// A moment, as every format for programs writes it: UTC, to the millisecond.
pub(super) fn time(at: Instant) -> String {
    at.to_rfc3339_opts(SecondsFormat::Millis, true)
}
