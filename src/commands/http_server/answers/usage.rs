//! `GET /api/v1/usage` and related routes: `tokmeter report` with its flags as parameters.

use super::trouble::Trouble;
use crate::app::names::complete;
use crate::app::sessions::only_session;
use crate::cli::{Cli, Command, ReportArgs};
use crate::commands::{derived, report};
use crate::domain::{Dimension, Label};
use crate::engine::QueryContext;
use crate::ledger::{Grain, Order, Query, Report};
use crate::output;
use crate::server::http::{Answer, Kind, Params, REPORT, Refusal};

/// Default number of calls in an answer.
const CALLS: usize = 100;

/// A report. The server has already checked the parameters against the API document. Without a `fixed` grain, `period`
/// is used.
pub(super) fn usage(fixed: Option<Grain>, params: &Params, books: &QueryContext<'_>) -> Result<Answer, Refusal> {
    let mut kind = Kind::Json;
    let mut grain = fixed.unwrap_or(Grain::Day);
    let mut words = vec!["tokmeter".into(), "report".into()];
    for (name, value) in params {
        let wrong = || Refusal::Question(format!("'{}' is not a valid {}", Label::new(value), Label::new(name)));
        let flag = REPORT.iter().find(|parameter| parameter.name == name).map_or("", |parameter| parameter.flag);
        match name.as_str() {
            _ if !flag.is_empty() => words.push(format!("--{flag}={value}").into()),
            "format" => kind = kind_of(value).ok_or_else(wrong)?,
            "period" => grain = grain_of(value).ok_or_else(wrong)?,
            _ => return Err(Refusal::Question(format!("'{}' is not a parameter", Label::new(name)))),
        }
    }
    let cli: Cli = crate::cli::parse(&words).map_err(|error| {
        let is_of = |name: &str, flag: &str| REPORT.iter().any(|known| known.name == name && known.flag == flag);
        let given = |flag: &str| params.iter().map(|(name, _)| name).find(|name| is_of(name, flag)).cloned();
        Refusal::Question(crate::cli::mistake(&error, |flag| given(flag).unwrap_or_else(|| flag.to_owned())))
    })?;
    let Some(Command::Report(args)) = cli.command else { return Err(Refusal::Question("no report".to_owned())) };
    if grain == Grain::Call && kind == Kind::Csv && args.limit.is_none() {
        return Err(Refusal::Question(
            "calls as CSV need a limit, because CSV cannot say that rows are left out".into(),
        ));
    }
    // Calls are newest first by default, other rows oldest first.
    let is_given = params.iter().any(|(name, _)| name == "order");
    let newest_first = if is_given { args.order.as_deref() == Some("desc") } else { grain == Grain::Call };
    let order = if newest_first { Order::Descending } else { Order::Ascending };
    let answer = books.ledger.report(&query(grain, order, args, books)?)?;
    let answer = Report { unread_files: books.unread_files, ..answer };
    let mut body = Vec::new();
    let written = match kind {
        Kind::Csv => output::csv(&output::report_grid(&answer.with_marked_rows()), &mut body),
        Kind::Json | Kind::Metrics(_) => output::report_json(&answer, &mut body),
    };
    written.map_err(Trouble::from)?;
    Ok(Answer { kind, body })
}

fn kind_of(format: &str) -> Option<Kind> {
    match format {
        "json" => Some(Kind::Json),
        "csv" => Some(Kind::Csv),
        _ => None,
    }
}

/// The periods of the command, plus hours, for which only the web page has room.
fn grain_of(period: &str) -> Option<Grain> {
    if period == "hour" { Some(Grain::Hour) } else { report::grain(period) }
}

fn query(grain: Grain, order: Order, args: ReportArgs, books: &QueryContext<'_>) -> Result<Query, Refusal> {
    let zone = books.settings.zone;
    let mut filter = args.filters.filter(books.now, zone, &books.settings.ticket, books.settings.week_start);
    complete(books.ledger, &mut filter)?;
    if let Some(session) = &args.session {
        let only = only_session(books.ledger, session, &filter);
        filter.only.push((Dimension::Session, only.map_err(|failure| Refusal::Nothing(failure.message))?));
    }
    let limit = args.limit.or_else(|| (grain == Grain::Call).then_some(CALLS));
    let by = Dimension::once(args.by);
    let renamed = derived::names(books.ledger, &by, &books.settings.ticket)?;
    Ok(Query { grain, by, filter, zone, order, limit, renamed })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::server::http::PERIOD;

    #[test]
    fn every_word_of_the_api_document_is_a_period_or_a_format() {
        assert!(PERIOD.words().iter().all(|word| grain_of(word).is_some()), "{:?}", PERIOD.words());
        let formats = REPORT.iter().find(|parameter| parameter.name == "format").unwrap().words();
        assert!(!formats.is_empty() && formats.iter().all(|word| kind_of(word).is_some()), "{formats:?}");
    }
}
