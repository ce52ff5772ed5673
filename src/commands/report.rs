//! `report`: tokens and cost by day, week, month, session or call, split by any dimension.

mod additions;
mod names;
mod period;

use self::additions::Additions;
use self::names::warn_of_unknown_names;
use self::period::{PERIODS, reject_time};
pub(super) use self::period::{grain, grain_and_paths};
use super::report_query::{self, answer};
use super::{Context, Exit, Failure, daily_digest};
use crate::app::catch_up::{self, Books, LogSelection};
use crate::app::mistyped::{Slot, mistyped};
use crate::app::names::complete;
use crate::app::sessions::only_session;
use crate::cli::{ReportArgs, Style, When};
use crate::domain::{Dimension, Filter};
use crate::ledger::{Grain, Ledger, Query, Report};
use crate::output;

pub(super) fn run(context: &mut Context<'_>, args: ReportArgs) -> Result<Exit, Failure> {
    let (grain, paths) = grain_and_paths(&args.words);
    reject_time(context, &paths)?;
    let slot = Slot { before: "tokmeter report", kind: "period", otherwise: Exit::NoInput };
    mistyped(context, &paths, slot, || PERIODS.map(str::to_owned).to_vec())?;
    if args.send && grain != Grain::Day {
        let why = "--send sends the digest of a day: leave out the period";
        return Err(Failure::new(Exit::Usage, why));
    }
    let mut filters = args.filters;
    if args.yesterday {
        filters.since = Some(When::DaysAgo(1));
        filters.until = Some(When::DaysAgo(1));
    }
    let zone = context.settings.zone;
    let mut filter = filters.filter(context.now(), zone, &context.settings.ticket, context.settings.week_start);
    let selection = LogSelection::from_args(context, &paths, args.no_ledger);
    let mut books = catch_up::open_and_catch_up(context, &selection, args.book)?;
    // The session is searched for among the calls that match the other names.
    let mut known = complete(&books.ledger, &mut filter)?;
    if let Some(session) = &args.session {
        filter.only.push((Dimension::Session, only_session(&books.ledger, session, &filter)?));
    }
    let style = args.shape.style();
    // The digest is about a day: other periods, and a choice of its rows, are for the report.
    let is_digest = grain == Grain::Day && args.limit.is_none() && args.order.is_none();
    if args.yesterday && style == Style::Table && is_digest {
        let is_whole = args.by.is_empty() && filter.only.is_empty() && selection == LogSelection::Everything;
        let sends = (args.send, is_whole);
        return daily_digest::run(context, &mut books, (&filter, &args.by, args.reprice), sends);
    }
    let query = report_query::query(
        &books.ledger,
        grain,
        args.by,
        filter,
        zone,
        (args.order.as_deref(), args.limit),
        &context.settings.ticket,
    )?;
    if query.grain == Grain::Call && matches!(style, Style::Csv | Style::Json) && !args.reprice {
        let written = match style {
            Style::Json => call_objects(context, &books, &query)?,
            Style::Table | Style::Csv | Style::Markdown => call_lines(context, &books.ledger, &query)?,
        };
        if written == 0 {
            warn_of_unknown_names(context, &books.ledger, &mut known, &query.filter)?;
        }
        return Ok(Exit::Fine);
    }
    let report = answer(&mut books, &query, args.reprice)?;
    let additions = Additions::load(context, &report, &books.ledger, &books.prices)?;
    if style == Style::Json && !additions.is_empty() {
        additions.write_json(context, &report)?;
    } else {
        write(context, &report, style)?;
        if style == Style::Table {
            additions.write_lines(context)?;
        }
    }
    if report.rows.is_empty() {
        warn_of_unknown_names(context, &books.ledger, &mut known, &query.filter)?;
    }
    Ok(Exit::Fine)
}

/// Writes a report in the given style.
pub(super) fn write(context: &mut Context<'_>, report: &Report, style: Style) -> Result<(), Failure> {
    match style {
        Style::Json => output::report_json(report, context.out)?,
        // CSV has no total that could carry the mark.
        Style::Csv => output::csv(&output::report_grid(&report.with_marked_rows()), context.out)?,
        Style::Markdown => output::markdown(&output::report_grid(&report.with_marked_rows()), context.out)?,
        Style::Table if report.is_empty() => {
            let selected = if report.query.filter == Filter::default() { " yet" } else { " in this selection" };
            let unread = if report.unread_files > 0 { " in what could be read (≥)" } else { "" };
            writeln!(context.out, "No calls{selected}{unread}.")?;
        }
        Style::Table => output::report_table(report, context.env.columns, context.out)?,
    }
    Ok(())
}

/// Streams calls one by one. Returns their number.
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

/// Like [`call_lines`], but as JSON, whose total also counts the calls beyond the limit.
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
