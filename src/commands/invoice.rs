//! `invoice`: one month's usage and cost.

use chrono::{Datelike as _, Months, NaiveDate};
use serde::Serialize;

use super::derived;
use crate::app::catch_up::{self, LogSelection};
use crate::app::{Context, Exit, Failure};
use crate::cli::{InvoiceArgs, Style, When};
use crate::domain::{Day, Instant, Label, day_of, day_start, month_of};
use crate::ledger::{Grain, Ledger, Query, Report, ReportRow, Sums};
use crate::output::{self, Cell, Grid};
use crate::text;

pub(super) fn run(context: &mut Context<'_>, args: InvoiceArgs) -> Result<Exit, Failure> {
    let (now, zone) = (context.now(), context.settings.zone);
    let month = month(args.month, now, context)?;
    let next = month.checked_add_months(Months::new(1)).unwrap_or(month);
    let (from, until) = (day_start(month, zone), day_start(next, zone));
    let mut filter = args.filters.filter(now, zone);
    filter.since = Some(filter.since.map_or(from, |since| since.max(from)));
    filter.until = Some(filter.until.map_or(until, |earlier| earlier.min(until)));
    let books = catch_up::open_and_catch_up(context, &LogSelection::Everything, false)?;
    let renamed = derived::names(&books.ledger, &args.by)?;
    let query = Query { by: args.by, filter, renamed, ..Query::new(Grain::Month, zone) };
    let mut report = books.ledger.report(&query)?;
    report.rows.sort_by(|one, other| (other.sums.cost, &one.by).cmp(&(one.sums.cost, &other.by)));
    let statement =
        Statement { month, report: &report, prices: books.prices.as_of(), issued: now, running: until > now };
    match args.shape.style() {
        Style::Json => statement.json(context)?,
        Style::Csv => output::csv(&output::report_grid(&report), context.out)?,
        Style::Markdown => statement.markdown(context)?,
        Style::Table => statement.text(context)?,
    }
    Ok(Exit::Fine)
}

/// First day of the given month, by default the last complete one.
fn month(given: Option<When>, now: Instant, context: &Context<'_>) -> Result<NaiveDate, Failure> {
    let zone = context.settings.zone;
    match given {
        None => {
            let this = month_of(day_of(now, zone));
            Ok(this.checked_sub_months(Months::new(1)).unwrap_or(this))
        }
        Some(When::Month(day)) => Ok(day),
        Some(When::Day(day)) if day.day() == 1 => Ok(day),
        Some(when @ (When::Day(_) | When::DaysAgo(_) | When::At(_) | When::Ago(_))) => {
            let month = month_of(day_of(when.start(now, zone), zone));
            let message = format!("an invoice is for a month: write {}", month.format("%Y-%m"));
            Err(Failure::new(Exit::Usage, message))
        }
    }
}

struct Statement<'a> {
    month: Day,
    report: &'a Report,
    prices: Day,
    issued: Instant,
    /// True while the month is not over.
    running: bool,
}

#[derive(Serialize)]
struct Document<R: Serialize> {
    month: String,
    issued_at: String,
    month_is_over: bool,
    prices_as_of: String,
    #[serde(flatten)]
    report: R,
}

impl Statement<'_> {
    fn json(&self, context: &mut Context<'_>) -> std::io::Result<()> {
        let grid = output::report_grid(self.report);
        let document = Document {
            month: self.month.format("%Y-%m").to_string(),
            issued_at: self.issued.to_rfc3339_opts(chrono::SecondsFormat::Secs, true),
            month_is_over: !self.running,
            prices_as_of: self.prices.to_string(),
            report: output::report_document(self.report, &grid),
        };
        output::to_line(&document, context.out)
    }

    fn text(&self, context: &mut Context<'_>) -> std::io::Result<()> {
        writeln!(context.out, "Statement for {}", self.month.format("%B %Y"))?;
        writeln!(context.out, "{}\n", self.period(context))?;
        if self.report.rows.is_empty() {
            return writeln!(context.out, "No calls.");
        }
        let rows: Vec<Vec<String>> = self.rows();
        output::plain(&self.heads(), self.report.query.by.len(), &rows, context.out)?;
        for line in self.notes() {
            writeln!(context.out, "\n{line}")?;
        }
        Ok(())
    }

    fn markdown(&self, context: &mut Context<'_>) -> std::io::Result<()> {
        writeln!(context.out, "# Statement for {}\n", self.month.format("%B %Y"))?;
        writeln!(context.out, "{}\n", self.period(context))?;
        if self.report.rows.is_empty() {
            return writeln!(context.out, "No calls.");
        }
        let names = self.report.query.by.iter().map(|dimension| dimension.name());
        let columns: Vec<&'static str> = names.chain(MEASURES).collect();
        let rows = self.rows().into_iter().map(|row| row.into_iter().map(Cell::Text).collect()).collect();
        output::markdown(&Grid { columns, rows }, context.out)?;
        for line in self.notes() {
            writeln!(context.out, "\n{line}")?;
        }
        Ok(())
    }

    /// The period, with its exact boundaries.
    fn period(&self, context: &Context<'_>) -> String {
        let zone = context.settings.zone;
        let day = |at: Option<Instant>| at.map_or_else(String::new, |at| day_of(at, zone).to_string());
        let filter = &self.report.query.filter;
        let last = filter.until.and_then(|until| until.checked_sub_signed(chrono::Duration::nanoseconds(1)));
        let running = if self.running { "; the month is not over" } else { "" };
        let only: Vec<String> =
            filter.only.iter().map(|(dimension, pattern)| format!("{dimension} {}", pattern.as_str())).collect();
        let only = if only.is_empty() { String::new() } else { format!("; only {}", only.join(", ")) };
        format!("{} to {}, {zone}{only}{running}", day(filter.since), day(last))
    }

    fn heads(&self) -> Vec<String> {
        let names = self.report.query.by.iter().map(|dimension| dimension.name());
        names.chain(MEASURES).map(str::to_owned).collect()
    }

    fn rows(&self) -> Vec<Vec<String>> {
        let labels = |row: &ReportRow| -> Vec<String> {
            let name =
                |label: &Option<Label>| label.as_ref().map_or_else(|| "–".to_owned(), |label| text::fit(label, 48));
            row.by.iter().map(name).collect()
        };
        let mut rows: Vec<Vec<String>> =
            self.report.rows.iter().map(|row| [labels(row), measures(&row.sums)].concat()).collect();
        let mut total = vec![String::new(); self.report.query.by.len()];
        if let Some(first) = total.first_mut() {
            "total".clone_into(first);
        }
        rows.push([total, measures(&self.report.total)].concat());
        rows
    }

    /// Notes that explain the marks and the price list.
    fn notes(&self) -> Vec<String> {
        let total = &self.report.total;
        let mut notes = output::mark_lines(total);
        notes.push(format!(
            "At list prices, each call at the price in force when it was made; list of {}. Not a tax document.",
            self.prices
        ));
        notes
    }
}

const MEASURES: [&str; 6] = ["calls", "input", "cache read", "cache write", "output", "cost"];

fn measures(sums: &Sums) -> Vec<String> {
    let tokens = &sums.tokens;
    let counts = [sums.calls, tokens.input, tokens.cache_read, tokens.cache_write(), tokens.output];
    counts.into_iter().map(text::count).chain([text::cost(sums)]).collect()
}
