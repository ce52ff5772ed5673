//! Reports as grids of named, typed cells: the columns of JSON, CSV and Markdown output.

use crate::domain::{Instant, Label, Usd};
use crate::ledger::{Grain, PeriodKey, Report, ReportRow, Row, SessionRow, Sums};

/// A cell's value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Cell {
    Unknown,
    /// Our own text.
    Text(String),
    Time(Instant),
    /// A name from outside.
    Name(Label),
    Count(u64),
    Seconds(i64),
    /// Dollars, exact.
    Usd(Usd),
    /// Several names.
    Names(Vec<Label>),
}

/// Name of a column, the same in every format.
pub(crate) type Column = &'static str;

/// Columns and their rows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Grid {
    /// Column names.
    pub columns: Vec<Column>,
    /// Rows, each as long as `columns`.
    pub rows: Vec<Vec<Cell>>,
}

impl From<Option<&Label>> for Cell {
    fn from(name: Option<&Label>) -> Self {
        name.map_or(Self::Unknown, |name| Self::Name(name.clone()))
    }
}

/// Measures of every row and total, in order. The text table omits some of them, see `table.rs`.
pub(crate) fn measures(sums: &Sums) -> [(Column, Cell); 13] {
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
        ("guessed_calls", Cell::Count(sums.guessed_calls)),
        ("cache_saved_usd", priced_cell(sums, sums.saved)),
    ]
}

/// The cost. It is unknown, not $0, if nothing in the row has a price.
pub(crate) fn cost_cell(sums: &Sums) -> Cell {
    priced_cell(sums, sums.cost)
}

/// An amount that depends on prices.
pub(super) fn priced_cell(sums: &Sums, usd: Usd) -> Cell {
    if sums.is_unpriced() { Cell::Unknown } else { Cell::Usd(usd) }
}

/// The columns and rows of a report, without its total.
pub(crate) fn report_grid(report: &Report) -> Grid {
    let rows: Vec<Vec<(Column, Cell)>> = report.rows.iter().map(|row| named(report, row)).collect();
    let columns = rows.first().map_or_else(|| empty_columns(report), |row| row.iter().map(|(name, _)| *name).collect());
    Grid { columns, rows: rows.into_iter().map(|row| row.into_iter().map(|(_, cell)| cell).collect()).collect() }
}

/// The columns of a report without rows.
fn empty_columns(report: &Report) -> Vec<Column> {
    let row = ReportRow {
        period: PeriodKey::Total,
        by: vec![None; report.query.by.len()],
        sums: Sums::default(),
        session: None,
        call: None,
    };
    let own = own_columns(report.query.grain);
    let others = named(report, &row).into_iter().map(|(name, _)| name).filter(|name| !own.contains(name));
    own.iter().copied().chain(others).collect()
}

/// Columns that identify a row's period, session or call.
const fn own_columns(grain: Grain) -> &'static [Column] {
    match grain {
        Grain::Quarter => &["quarter_hour"],
        Grain::Hour => &["hour"],
        Grain::Day => &["day"],
        Grain::Week => &["week"],
        Grain::Month => &["month"],
        Grain::Session => &OF_SESSIONS,
        Grain::Call => &OF_CALLS,
        Grain::Total => &[],
    }
}

const OF_SESSIONS: [Column; 8] = ["session", "started", "ended", "duration_s", "source", "project", "user", "models"];

const OF_CALLS: [Column; 14] = [
    "key", "at", "source", "session", "model", "user", "project", "team", "agent", "feature", "org", "fidelity",
    "folder", "branch",
];

pub(super) fn named(report: &Report, row: &ReportRow) -> Vec<(Column, Cell)> {
    let mut cells: Vec<(Column, Cell)> = Vec::with_capacity(20);
    match &row.period {
        PeriodKey::Quarter(start) | PeriodKey::Hour(start) => {
            let local = start.with_timezone(&report.query.zone);
            let name = if report.query.grain == Grain::Quarter { "quarter_hour" } else { "hour" };
            cells.push((name, Cell::Text(local.format("%Y-%m-%dT%H:%M%:z").to_string())));
        }
        PeriodKey::Day(day) => cells.push(("day", Cell::Text(day.format("%Y-%m-%d").to_string()))),
        PeriodKey::Week(week) => cells.push(("week", Cell::Text(format!("{:04}-W{:02}", week.year, week.number)))),
        PeriodKey::Month(month) => cells.push(("month", Cell::Text(month.format("%Y-%m").to_string()))),
        PeriodKey::Session(..) => cells.extend(row.session.iter().flat_map(|session| session_facts(session))),
        PeriodKey::Call(..) => cells.extend(row.call.iter().flat_map(|row| call_facts(row))),
        PeriodKey::Total => {}
    }
    for (dimension, value) in report.query.by.iter().zip(&row.by) {
        let cell = Cell::from(value.as_ref());
        match cells.iter_mut().find(|(name, _)| *name == dimension.name()) {
            // A session is described by its first call, but split by the names of all its calls.
            Some((_, own)) if row.session.is_some() => *own = cell,
            Some(_) => {}
            None => cells.push((dimension.name(), cell)),
        }
    }
    cells.extend(measures(&row.sums));
    cells
}

/// Maximum number of models listed for a session in each row; the rest are counted. A session split by many names has
/// many rows, each with this list.
const MODELS: usize = 50;

/// Columns that describe a row's session, whatever it is split by.
pub(crate) fn session_facts(session: &SessionRow) -> Vec<(Column, Cell)> {
    let mut models: Vec<Label> =
        session.models.iter().filter_map(|(model, _)| model.clone()).take(MODELS + 1).collect();
    if models.len() > MODELS {
        let others = session.models.len() - (MODELS - 1);
        models.truncate(MODELS - 1);
        models.push(Label::new(&format!("({others} more)")));
    }
    let cells = [
        Cell::from(session.session.as_ref()),
        Cell::Time(session.started),
        Cell::Time(session.ended),
        Cell::Seconds((session.ended - session.started).num_seconds()),
        Cell::Name(session.source.clone()),
        Cell::from(session.project.as_ref()),
        Cell::from(session.user.as_ref()),
        Cell::Names(models),
    ];
    OF_SESSIONS.into_iter().zip(cells).collect()
}

/// Columns that describe a row's call.
pub(crate) fn call_facts(row: &Row) -> Vec<(Column, Cell)> {
    let (call, from) = (&row.call, &row.call.from);
    let cells = [
        Cell::Text(call.key.to_string()),
        Cell::Time(from.at),
        Cell::Name(from.source.clone()),
        Cell::from(from.session.as_ref()),
        Cell::from(call.model.as_ref()),
        Cell::from(from.user.as_ref()),
        Cell::from(from.project.as_ref()),
        Cell::from(from.team.as_ref()),
        Cell::from(from.agent.as_ref()),
        Cell::from(from.feature.as_ref()),
        Cell::from(from.org.as_ref()),
        Cell::Text(row.trust().word().to_owned()),
        Cell::from(from.folder.as_ref().or(from.project.as_ref())),
        Cell::from(from.branch.as_ref()),
    ];
    OF_CALLS.into_iter().zip(cells).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Tokens;

    #[test]
    fn every_measure_of_a_row_stands_under_its_own_name() {
        let sums = Sums {
            calls: 1,
            tokens: Tokens::from_fields([2, 3, 4, 5, 7, 6]),
            cost: Usd::from_micro(8),
            saved: Usd::from_micro(-9),
            unpriced_tokens: 10,
            lower_bound_calls: 11,
            guessed_calls: 12,
        };
        let row: Vec<(Column, Cell)> = measures(&sums).into();
        let counts = [
            ("calls", 1),
            ("input_tokens", 2),
            ("cache_read_tokens", 3),
            ("cache_write_5m_tokens", 4),
            ("cache_write_1h_tokens", 5),
            ("output_tokens", 7),
            ("reasoning_tokens", 6),
            ("total_tokens", 21),
            ("unpriced_tokens", 10),
            ("lower_bound_calls", 11),
            ("guessed_calls", 12),
        ];
        for (name, count) in counts {
            assert!(row.contains(&(name, Cell::Count(count))), "{name} in {row:?}");
        }
        assert!(row.contains(&("cost_usd", Cell::Usd(Usd::from_micro(8)))), "{row:?}");
        assert!(row.contains(&("cache_saved_usd", Cell::Usd(Usd::from_micro(-9)))), "{row:?}");
    }

    #[test]
    fn a_cost_is_unknown_only_where_nothing_has_a_price() {
        let tokens = Tokens { input: 10, ..Tokens::ZERO };
        let none = Sums { calls: 1, tokens, unpriced_tokens: 10, ..Sums::default() };
        assert_eq!(cost_cell(&none), Cell::Unknown);
        // A web search has a cost even if the model has no price.
        assert_eq!(cost_cell(&Sums { cost: Usd::ONE, ..none }), Cell::Usd(Usd::ONE));
        assert_eq!(cost_cell(&Sums { unpriced_tokens: 9, ..none }), Cell::Usd(Usd::ZERO));
        assert_eq!(cost_cell(&Sums::default()), Cell::Usd(Usd::ZERO));
    }
}
