//! `GET /api/v1/usage` and its kin: `tokmeter report` with its flags as parameters.

use super::trouble::Trouble;
use crate::app::names::complete;
use crate::app::sessions::only_session;
use crate::cli::{Cli, Command, ReportArgs};
use crate::commands::derived;
use crate::commands::report::answer::with_all_rows;
use crate::domain::Dimension;
use crate::engine::BooksView;
use crate::ledger::{Grain, Order, Query};
use crate::output;
use crate::server::http::{Answer, Kind, PERIOD, Params, REPORT, Refusal};

/// Calls in an answer, unless the question names another number.
const CALLS: usize = 100;

/// A report, with the parameters that the API document names; `period` where none is given here.
pub(super) fn usage(fixed: Option<&str>, params: &Params, books: &BooksView<'_>) -> Result<Answer, Refusal> {
    let mut kind = Kind::Json;
    let mut period = fixed.unwrap_or("day");
    let mut words = vec!["tokmeter".into(), "report".into()];
    let known = || REPORT.iter().chain((fixed.is_none()).then_some(&PERIOD));
    for (name, value) in params {
        let Some(parameter) = known().find(|parameter| parameter.name == name) else {
            let names: Vec<&str> = known().map(|parameter| parameter.name).collect();
            return Err(Refusal::Question(format!(
                "'{}' is no parameter; there are: {}",
                crate::domain::Label::new(name),
                names.join(", ")
            )));
        };
        match (name.as_str(), value.as_str()) {
            _ if !parameter.flag.is_empty() => words.push(format!("--{}={value}", parameter.flag).into()),
            ("format", "json") => kind = Kind::Json,
            ("format", "csv") => kind = Kind::Csv,
            ("period", "hour" | "day" | "week" | "month" | "session" | "call" | "total") => period = value,
            _ => return Err(Refusal::Question(format!("'{}' is no {name}", crate::domain::Label::new(value)))),
        }
    }
    let cli: Cli = crate::cli::parse(&words).map_err(|error| {
        let text = error.to_string();
        let line = text.lines().next().unwrap_or_default();
        Refusal::Question(line.strip_prefix("error: ").unwrap_or(line).to_owned())
    })?;
    let Some(Command::Report(args)) = cli.command else { return Err(Refusal::Question("no report".to_owned())) };
    let report = with_all_rows(books.ledger, books.ledger.report(&query(period, args, books)?)?)?;
    let report = crate::ledger::Report { unread_files: books.unread_files, ..report };
    let mut body = Vec::new();
    let written = match kind {
        Kind::Csv => output::csv(&output::report_grid(&report.with_marked_rows()), &mut body),
        Kind::Json | Kind::Metrics(_) => output::report_json(&report, &mut body),
    };
    written.map_err(Trouble::from)?;
    Ok(Answer { kind, body })
}

fn query(period: &str, args: ReportArgs, books: &BooksView<'_>) -> Result<Query, Refusal> {
    let zone = books.settings.zone;
    let mut filter = args.filters.filter(books.now, zone, &books.settings.ticket);
    complete(books.ledger, &mut filter)?;
    if let Some(session) = &args.session {
        let only = only_session(books.ledger, session, &filter);
        filter.only.push((Dimension::Session, only.map_err(|failure| Refusal::Nothing(failure.message))?));
    }
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
