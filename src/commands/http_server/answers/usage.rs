//! `GET /api/v1/usage` and its kin: `tokmeter report` with its flags as parameters.

use super::trouble::Trouble;
use crate::app::names::complete;
use crate::app::sessions::only_session;
use crate::cli::{Cli, Command, ReportArgs};
use crate::commands::derived;
use crate::domain::Dimension;
use crate::engine::BooksView;
use crate::ledger::{Grain, Order, Query};
use crate::output;
use crate::server::http::{Answer, Kind, Params, Refusal};

/// Calls in an answer, unless the question names another number.
const CALLS: usize = 100;

/// Parameters that are flags of `tokmeter report` under the same or another name.
const FLAGS: [(&str, &str); 18] = [
    ("by", "by"),
    ("start", "since"),
    ("since", "since"),
    ("end", "until"),
    ("until", "until"),
    ("user", "user"),
    ("project", "project"),
    ("model", "model"),
    ("agent", "agent"),
    ("team", "team"),
    ("feature", "feature"),
    ("org", "org"),
    ("source", "source"),
    ("session", "session"),
    ("branch", "branch"),
    ("ticket", "ticket"),
    ("order", "order"),
    ("limit", "limit"),
];

/// A report, with the parameters that the command has as flags, `period`, and `format` (`json` or `csv`).
pub(super) fn usage(period: &str, params: &Params, books: &BooksView<'_>) -> Result<Answer, Refusal> {
    let mut kind = Kind::Json;
    let mut period = period;
    let mut words = vec!["tokmeter".into(), "report".into()];
    for (name, value) in params {
        if let Some((_, flag)) = FLAGS.iter().find(|(known, _)| known == name) {
            words.push(format!("--{flag}={value}").into());
            continue;
        }
        match (name.as_str(), value.as_str()) {
            ("format", "json") => kind = Kind::Json,
            ("format", "csv") => kind = Kind::Csv,
            ("period", "hour" | "day" | "week" | "month" | "session" | "call" | "total") => period = value,
            ("format" | "period", _) => {
                return Err(Refusal::Question(format!("'{}' is no {name}", crate::domain::Label::new(value))));
            }
            _ => {
                let names: Vec<&str> = FLAGS.iter().map(|(name, _)| *name).collect();
                return Err(Refusal::Question(format!(
                    "'{}' is no parameter; there are: period, format, {}",
                    crate::domain::Label::new(name),
                    names.join(", ")
                )));
            }
        }
    }
    let cli: Cli = crate::cli::parse(&words).map_err(|error| {
        let text = error.to_string();
        let line = text.lines().next().unwrap_or_default();
        Refusal::Question(line.strip_prefix("error: ").unwrap_or(line).to_owned())
    })?;
    let Some(Command::Report(args)) = cli.command else { return Err(Refusal::Question("no report".to_owned())) };
    let report = books.ledger.report(&query(period, args, books)?)?;
    let report = crate::ledger::Report { unread_files: books.unread_files, ..report };
    let mut body = Vec::new();
    let written = match kind {
        Kind::Csv => output::csv(&output::report_grid(&report.with_marked_rows()), &mut body),
        Kind::Json | Kind::Metrics => output::report_json(&report, &mut body),
    };
    written.map_err(Trouble::from)?;
    Ok(Answer { kind, body })
}

fn query(period: &str, args: ReportArgs, books: &BooksView<'_>) -> Result<Query, Refusal> {
    let zone = books.settings.zone;
    let mut filter = args.filters.filter(books.now, zone, &books.settings.ticket);
    if let Some(session) = &args.session {
        let only = only_session(books.ledger, session, &filter);
        filter.only.push((Dimension::Session, only.map_err(|failure| Refusal::Nothing(failure.message))?));
    }
    complete(books.ledger, &mut filter)?;
    let grain = match period {
        "hour" => Grain::Hour,
        "week" => Grain::Week,
        "month" => Grain::Month,
        "session" => Grain::Session,
        "call" => Grain::Call,
        "total" => Grain::Total,
        _ => Grain::Day,
    };
    let newest_first = grain == Grain::Call || args.order == "desc";
    let order = if newest_first { Order::Descending } else { Order::Ascending };
    let limit = args.limit.or_else(|| (grain == Grain::Call).then_some(CALLS));
    let renamed = derived::names(books.ledger, &args.by, &books.settings.ticket)?;
    Ok(Query { grain, by: args.by, filter, zone, order, limit, renamed })
}
