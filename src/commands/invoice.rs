//! `invoice`: one month's usage and cost.

mod statement;

use chrono::{Datelike as _, Months, NaiveDate};

use self::statement::Statement;
use super::derived;
use super::plans::Plans;
use super::report_query;
use crate::app::catch_up::{self, LogSelection};
use crate::app::names::complete;
use crate::app::{Context, Exit, Failure};
use crate::cli::{InvoiceArgs, Style, When};
use crate::domain::{Instant, day_of, day_start, month_of, sort_by};
use crate::ledger::{Grain, Query};
use crate::output::{self};

pub(super) fn run(context: &mut Context<'_>, args: InvoiceArgs) -> Result<Exit, Failure> {
    let (now, zone) = (context.now(), context.settings.zone);
    let month = month(args.month, now, context)?;
    let next = month.checked_add_months(Months::new(1)).unwrap_or(month);
    let (from, until) = (day_start(month, zone), day_start(next, zone));
    let mut filter = args.filters.filter(now, zone, &context.settings.ticket, context.settings.week_start);
    filter.since = Some(filter.since.map_or(from, |since| since.max(from)));
    filter.until = Some(filter.until.map_or(until, |earlier| earlier.min(until)));
    let mut books = catch_up::open_and_catch_up(context, &LogSelection::Everything, false)?;
    complete(&books.ledger, &mut filter)?;
    let renamed = derived::names(&books.ledger, &args.by, &context.settings.ticket)?;
    let query = Query { by: args.by, filter, renamed, ..Query::new(Grain::Month, zone) };
    let mut report = report_query::answer(&mut books, &query, false)?;
    sort_by(&mut report.rows, |one, other| (other.sums.cost, &one.by).cmp(&(one.sums.cost, &other.by)));
    let plans = Plans::load(context, &books.ledger, &report.query.filter)?;
    let prices = books.prices.as_of();
    let statement = Statement { month, report: &report, prices, issued: now, running: until > now, plans: &plans };
    match args.shape.style() {
        Style::Json => statement.json(context)?,
        Style::Csv => output::csv(&output::report_grid(&report.with_marked_rows()), context.out)?,
        Style::Markdown => statement.markdown(context)?,
        Style::Table => statement.text(context)?,
    }
    Ok(Exit::Fine)
}

/// First day of the given month, or of the last complete one by default.
fn month(given: Option<When>, now: Instant, context: &Context<'_>) -> Result<NaiveDate, Failure> {
    let zone = context.settings.zone;
    match given {
        None => {
            let this = month_of(day_of(now, zone));
            Ok(this.checked_sub_months(Months::new(1)).unwrap_or(this))
        }
        Some(When::Month(day)) => Ok(day),
        Some(when @ When::MonthsAgo(_)) => Ok(day_of(when.start(now, zone, context.settings.week_start), zone)),
        Some(When::Day(day)) if day.day() == 1 => Ok(day),
        Some(when @ (When::Day(_) | When::DaysAgo(_) | When::WeeksAgo(_) | When::At(_) | When::Ago(_))) => {
            let month = month_of(day_of(when.start(now, zone, context.settings.week_start), zone));
            let message = format!("an invoice is for a month: write {}", month.format("%Y-%m"));
            Err(Failure::new(Exit::Usage, message))
        }
    }
}
