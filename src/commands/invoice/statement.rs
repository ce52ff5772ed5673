//! A month's statement as JSON, Markdown and text.

use serde::Serialize;

use crate::commands::Context;
use crate::commands::plans::{Plans, WithPlans};
use crate::domain::{Day, Instant, Label, Zone, day_of, rfc3339_seconds};
use crate::ledger::{Report, ReportRow, Sums};
use crate::output::{self, Cell, Grid};
use crate::text;

pub(crate) struct Statement<'a> {
    pub(crate) month: Day,
    pub(crate) report: &'a Report,
    pub(crate) prices: Day,
    pub(crate) issued: Instant,
    /// True if the month is not over yet.
    pub(crate) running: bool,
    pub(super) plans: &'a Plans,
}

#[derive(Serialize)]
pub(crate) struct Document<R: Serialize> {
    pub(crate) month: String,
    pub(crate) issued_at: String,
    pub(crate) month_is_over: bool,
    pub(crate) prices_as_of: String,
    #[serde(flatten)]
    pub(crate) report: R,
}

impl Statement<'_> {
    pub(crate) fn json(&self, context: &mut Context<'_>) -> std::io::Result<()> {
        let grid = output::report_grid(self.report);
        let document = Document {
            month: self.month.format("%Y-%m").to_string(),
            issued_at: rfc3339_seconds(self.issued, Zone::UTC),
            month_is_over: !self.running,
            prices_as_of: self.prices.to_string(),
            report: output::report_document(self.report, &grid),
        };
        output::to_line(&WithPlans { document, plans: self.plans.json(context) }, context.out)
    }

    pub(crate) fn text(&self, context: &mut Context<'_>) -> std::io::Result<()> {
        writeln!(context.out, "Statement for {}", self.month.format("%B %Y"))?;
        writeln!(context.out, "{}\n", self.period(context))?;
        if self.report.rows.is_empty() {
            return writeln!(context.out, "No calls.");
        }
        let rows: Vec<Vec<String>> = self.rows();
        let fit = (context.env.columns, SPARED.as_slice());
        output::fitted(&self.heads(), self.report.query.by.len(), &rows, fit, context.out)?;
        for line in self.notes(context) {
            writeln!(context.out, "\n{line}")?;
        }
        Ok(())
    }

    pub(crate) fn markdown(&self, context: &mut Context<'_>) -> std::io::Result<()> {
        writeln!(context.out, "# Statement for {}\n", self.month.format("%B %Y"))?;
        writeln!(context.out, "{}\n", self.period(context))?;
        if self.report.rows.is_empty() {
            return writeln!(context.out, "No calls.");
        }
        let names = self.report.query.by.iter().map(|dimension| dimension.name());
        let columns: Vec<&'static str> = names.chain(MEASURES).collect();
        let rows = self.rows().into_iter().map(|row| row.into_iter().map(Cell::Text).collect()).collect();
        output::markdown(&Grid { columns, rows }, context.out)?;
        for line in self.notes(context) {
            writeln!(context.out, "\n{line}")?;
        }
        Ok(())
    }

    /// The period, with its exact boundaries.
    pub(crate) fn period(&self, context: &Context<'_>) -> String {
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

    pub(crate) fn heads(&self) -> Vec<String> {
        let names = self.report.query.by.iter().map(|dimension| dimension.name());
        names.chain(MEASURES).map(str::to_owned).collect()
    }

    pub(crate) fn rows(&self) -> Vec<Vec<String>> {
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
        rows.push([total, measures(&self.report.marked_total())].concat());
        rows
    }

    /// Notes that explain the marks and the price list.
    pub(crate) fn notes(&self, context: &Context<'_>) -> Vec<String> {
        let total = &self.report.total;
        let mut notes = output::mark_lines(total);
        notes.extend(output::unread_line(self.report.unread_files));
        notes.extend(self.plans.lines(context));
        notes.push(format!(
            "At list prices, each call at the price in force when it was made; list of {}. Not a tax document.",
            self.prices
        ));
        notes
    }
}

/// Columns to omit first if the terminal is too narrow.
const SPARED: [&str; 5] = ["cache write", "cache read", "input", "output", "calls"];
const MEASURES: [&str; 6] = ["calls", "input", "cache read", "cache write", "output", "cost"];

pub(crate) fn measures(sums: &Sums) -> Vec<String> {
    let tokens = &sums.tokens;
    let counts = [sums.calls, tokens.input, tokens.cache_read, tokens.cache_write(), tokens.output];
    counts.into_iter().map(text::count).chain([text::cost(sums)]).collect()
}
