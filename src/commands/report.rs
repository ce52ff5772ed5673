//! `report`: tokens and cost by day, week, month, session or call, split by any dimension.

use std::path::PathBuf;
use std::sync::Arc;

use super::{Context, Exit, Failure, daily_digest, derived};
use crate::app::catch_up::{self, Books, LogSelection};
use crate::cli::{ReportArgs, Style, When};
use crate::config::meant;
use crate::domain::{Dimension, Filter, Label, Matcher, Zone, is_session};
use crate::ledger::{Grain, Ledger, Order, Query, Report};
use crate::output;

/// Up to this many known names are listed instead of a suggestion.
const FEW: usize = 8;

const PERIODS: [&str; 6] = ["day", "week", "month", "session", "call", "total"];

pub(super) fn run(context: &mut Context<'_>, args: ReportArgs) -> Result<Exit, Failure> {
    let (grain, paths) = grain_and_paths(&args.words);
    super::mistyped(context, &paths, "tokmeter report", || PERIODS.map(str::to_owned).to_vec())?;
    let mut filters = args.filters;
    if args.yesterday {
        filters.since = Some(When::DaysAgo(1));
        filters.until = Some(When::DaysAgo(1));
    }
    let zone = context.settings.zone;
    let mut filter = filters.filter(context.now(), zone);
    let selection = LogSelection::from_args(context, &paths, args.no_ledger);
    let mut books = catch_up::open_and_catch_up(context, &selection, args.book)?;
    if let Some(session) = &args.session {
        filter.only.push((Dimension::Session, only_session(&books.ledger, session, &filter)?));
    }
    let style = args.shape.style();
    if args.yesterday && style == Style::Table {
        return daily_digest::write(context, &mut books, &filter, &args.by, args.reprice);
    }
    let order = if args.order == "desc" { Order::Descending } else { Order::Ascending };
    let renamed = derived::names(&books.ledger, &args.by)?;
    let query = Query { grain, by: args.by, filter, zone, order, limit: args.limit, renamed };
    if query.grain == Grain::Call && matches!(style, Style::Csv | Style::Json) && !args.reprice {
        let written = match style {
            Style::Json => call_objects(context, &books, &query)?,
            Style::Table | Style::Csv | Style::Markdown => call_lines(context, &books.ledger, &query)?,
        };
        if written == 0 {
            name_strangers(context, &books.ledger, &query.filter)?;
        }
        return Ok(Exit::Fine);
    }
    let report = answer(&mut books, &query, args.reprice)?;
    write(context, &report, style)?;
    if report.rows.is_empty() {
        name_strangers(context, &books.ledger, &query.filter)?;
    }
    Ok(Exit::Fine)
}

/// Warns of names in the filter that no call has, such as a typing error.
fn name_strangers(context: &mut Context<'_>, books: &dyn Ledger, filter: &Filter) -> Result<(), Failure> {
    for (dimension, asked) in filter.only.iter().filter(|(_, asked)| !asked.is_glob()) {
        let all = books.report(&Query { by: vec![*dimension], ..Query::new(Grain::Total, Zone::UTC) })?;
        let names: Vec<Label> = all.rows.into_iter().filter_map(|row| row.by.into_iter().next().flatten()).collect();
        if names.is_empty() || names.iter().any(|name| asked.matches(name)) {
            continue;
        }
        let asked = asked.as_str();
        let known = || names.iter().map(Label::as_str);
        let hint = match known().find(|name| name.starts_with(asked)).or_else(|| meant(asked, known())) {
            Some(meant) => format!("; did you mean '{meant}'?"),
            None if names.len() <= FEW => format!("; there are: {}", known().collect::<Vec<_>>().join(", ")),
            None => String::new(),
        };
        context.note(&format!("no call has {dimension} '{asked}'{hint}"));
    }
    Ok(())
}

/// Runs the query; with `reprice`, every call at today's prices.
///
/// An in-memory store was priced today anyway.
pub(super) fn answer(books: &mut Books, query: &Query, reprice: bool) -> Result<Report, Failure> {
    let prices = Arc::clone(&books.prices);
    let unread_files = books.health.unread_files();
    let report = match books.ledger.sqlite() {
        Some(ledger) if reprice => ledger.report_repriced(query, prices)?,
        Some(_) | None => books.ledger.report(query)?,
    };
    Ok(Report { unread_files, ..report })
}

/// Writes a report in the given style.
pub(super) fn write(context: &mut Context<'_>, report: &Report, style: Style) -> Result<(), Failure> {
    match style {
        Style::Json => output::report_json(report, context.out)?,
        // There is no total to bear the mark.
        Style::Csv => output::csv(&output::report_grid(&report.with_marked_rows()), context.out)?,
        Style::Markdown => output::markdown(&output::report_grid(&report.with_marked_rows()), context.out)?,
        Style::Table if report.rows.is_empty() => {
            let selected = if report.query.filter == Filter::default() { " yet" } else { " in this selection" };
            let unread = if report.unread_files > 0 { " in what could be read (≥)" } else { "" };
            writeln!(context.out, "No calls{selected}{unread}.")?;
        }
        Style::Table => output::report_table(report, context.env.columns, context.out)?,
    }
    Ok(())
}

/// Streams calls one by one; returns their number.
fn call_lines(context: &mut Context<'_>, books: &dyn Ledger, query: &Query) -> Result<usize, Failure> {
    let (mut count, most) = (0, query.limit.unwrap_or(usize::MAX));
    let mut lines = output::CallLines::new(query, context.out)?;
    let mut written = Ok(());
    books.each(&query.filter, query.order, &mut |row| {
        if count < most {
            count += 1;
            written = lines.write(row);
        }
        written.is_ok() && count < most
    })?;
    written?;
    lines.finish()?;
    Ok(count)
}

/// As [`call_lines`], as JSON, whose total counts the calls beyond the limit too.
fn call_objects(context: &mut Context<'_>, books: &Books, query: &Query) -> Result<usize, Failure> {
    let (mut count, most) = (0, query.limit.unwrap_or(usize::MAX));
    let mut objects = output::CallObjects::new(query, books.health.unread_files(), context.out)?;
    let mut written = Ok(());
    books.ledger.each(&query.filter, query.order, &mut |row| {
        objects.count(row);
        if count < most {
            count += 1;
            written = objects.write(row);
        }
        written.is_ok()
    })?;
    written?;
    objects.finish()?;
    Ok(count)
}

/// The first word may be a period; all others are paths.
fn grain_and_paths(words: &[PathBuf]) -> (Grain, Vec<PathBuf>) {
    let grain = words.first().and_then(|word| match word.to_str()? {
        "day" | "daily" => Some(Grain::Day),
        "week" | "weekly" => Some(Grain::Week),
        "month" | "monthly" => Some(Grain::Month),
        "session" | "sessions" => Some(Grain::Session),
        "call" | "calls" => Some(Grain::Call),
        "total" => Some(Grain::Total),
        _ => None,
    });
    let paths = if grain.is_some() { &words[1..] } else { words };
    (grain.unwrap_or(Grain::Day), paths.to_vec())
}

/// The named session that ended last. Calls without a session may be newer.
fn latest_named(books: &dyn Ledger, filter: &Filter) -> Result<Option<Label>, Failure> {
    let query = Query { filter: filter.clone(), ..Query::new(Grain::Session, Zone::UTC) };
    let sessions = books.report(&query)?.rows.into_iter().filter_map(|row| row.session);
    let last = sessions.filter(|session| session.session.is_some()).max_by_key(|session| session.ended);
    Ok(last.and_then(|session| session.session.clone()))
}

/// Matches one session: `latest`, a full name, or a unique prefix.
///
/// # Errors
/// When no session matches, or several do.
pub(super) fn only_session(books: &dyn Ledger, wanted: &str, filter: &Filter) -> Result<Matcher, Failure> {
    if wanted == "latest" {
        let newest = books.calls(filter, 1)?;
        let mut name = newest.first().and_then(|row| row.call.from.session.clone());
        if name.is_none() && !newest.is_empty() {
            name = latest_named(books, filter)?;
        }
        return name
            .map(|name| Matcher::exact(name.as_str()))
            .ok_or_else(|| Failure::new(Exit::NoInput, "no session yet: no call has been logged that names one"));
    }
    let query = Query { by: vec![Dimension::Session], filter: filter.clone(), ..Query::new(Grain::Total, Zone::UTC) };
    let names: Vec<_> =
        books.report(&query)?.rows.into_iter().filter_map(|row| row.by.into_iter().next().flatten()).collect();
    let fits: Vec<_> = match names.iter().find(|name| name.as_str() == wanted) {
        Some(exact) => vec![exact],
        None => names.iter().filter(|name| is_session(name, wanted)).collect(),
    };
    match fits.as_slice() {
        [one] => Ok(Matcher::exact(one.as_str())),
        [] => Err(Failure::new(
            Exit::NoInput,
            format!("no session is '{wanted}' or begins so; `tokmeter report session` lists them"),
        )),
        several => Err(Failure::new(
            Exit::Usage,
            format!("{} sessions begin with '{wanted}'; give more of the name", several.len()),
        )),
    }
}
