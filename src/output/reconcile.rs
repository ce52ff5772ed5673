//! A bill compared with the ledger, as JSON and as text.

use std::collections::BTreeMap;
use std::io;

use serde::Serialize;

use super::{Decimal, plain};
use crate::domain::{Label, Usd, sort_by_key};
use crate::ledger::Sums;
use crate::meter::reconcile::{Bill, Compared, Reason, Vendor};
use crate::text;

/// Maximum number of differences listed as text. The JSON has all of them.
const SHOWN: usize = 25;

/// Totals, reasons and differences of a comparison.
#[derive(Serialize)]
pub(crate) struct Outcome {
    schema: u8,
    bill: &'static str,
    first_day: String,
    last_day: String,
    timezone: &'static str,
    bill_usd: Decimal,
    /// `None` if nothing has a price.
    books_usd: Option<Decimal>,
    gap_usd: Decimal,
    tolerance_per_cent: u32,
    pub(crate) within_tolerance: bool,
    causes: Vec<Cause>,
    differences: Vec<Line>,
    left_out_calls: u64,
    left_out_usd: Option<Decimal>,
    unread_rows: Vec<Label>,
    #[serde(skip)]
    books: Sums,
    #[serde(skip)]
    left_out: Sums,
}

#[derive(Serialize)]
struct Cause {
    reason: &'static str,
    difference_usd: Decimal,
}

#[derive(Serialize)]
struct Line {
    day: String,
    model: Label,
    bill_usd: Decimal,
    books_usd: Option<Decimal>,
    difference_usd: Decimal,
    reason: &'static str,
    about: String,
    #[serde(skip)]
    books: Sums,
}

impl Outcome {
    pub(crate) fn from_compared(compared: &Compared, bill: &Bill, tolerance: u32) -> Self {
        let billed = compared.cells.values().map(|cell| cell.bill).sum::<Usd>();
        let mut books = Sums::default();
        for cell in compared.cells.values() {
            books.add(&cell.books);
        }
        let gap = billed - books.cost;
        let allowed = billed.pico().saturating_abs().saturating_mul(tolerance.into());
        let mut causes: BTreeMap<&'static str, Usd> = BTreeMap::new();
        let mut differences: Vec<Line> = Vec::new();
        for ((day, model), cell) in compared.cells.iter().filter(|(_, cell)| cell.difference() != Usd::ZERO) {
            let reason = Reason::find(compared, *day, model, cell);
            *causes.entry(reason.word()).or_default() += cell.difference();
            differences.push(Line {
                day: day.to_string(),
                model: Label::new(model),
                bill_usd: Decimal(cell.bill),
                books_usd: known(&cell.books),
                difference_usd: Decimal(cell.difference()),
                reason: reason.word(),
                about: about(reason),
                books: cell.books,
            });
        }
        let size = |usd: Usd| std::cmp::Reverse(usd.pico().saturating_abs());
        sort_by_key(&mut differences, |one| size(one.difference_usd.0));
        let mut causes: Vec<Cause> =
            causes.into_iter().map(|(reason, usd)| Cause { reason, difference_usd: Decimal(usd) }).collect();
        sort_by_key(&mut causes, |cause| size(cause.difference_usd.0));
        Self {
            schema: 1,
            bill: match bill.vendor {
                Vendor::Anthropic => "anthropic",
                Vendor::OpenAi => "openai",
                Vendor::Other => "other",
            },
            first_day: compared.first.to_string(),
            last_day: compared.last.to_string(),
            timezone: "UTC",
            bill_usd: Decimal(billed),
            books_usd: known(&books),
            gap_usd: Decimal(gap),
            tolerance_per_cent: tolerance,
            within_tolerance: gap.pico().saturating_abs().saturating_mul(100) <= allowed,
            causes,
            differences,
            left_out_calls: compared.left_out.calls,
            left_out_usd: known(&compared.left_out),
            unread_rows: bill.problems.iter().map(|problem| Label::new(problem)).collect(),
            books,
            left_out: compared.left_out,
        }
    }

    pub(crate) fn write(&self, out: &mut dyn io::Write) -> io::Result<()> {
        let signed = |usd: Usd| if usd > Usd::ZERO { format!("+{}", text::usd(usd)) } else { text::usd(usd) };
        writeln!(out, "{} to {} (UTC days)", self.first_day, self.last_day)?;
        writeln!(out, "Bill   {}", text::usd(self.bill_usd.0))?;
        writeln!(out, "Books  {}", text::cost(&self.books))?;
        let within = if self.within_tolerance { "within" } else { "beyond" };
        writeln!(out, "Gap    {}, {within} {}%", signed(self.gap_usd.0), self.tolerance_per_cent)?;
        if self.left_out_calls > 0 {
            let calls = text::plural(self.left_out_calls, "call");
            writeln!(out, "Not compared: {calls} of other vendors' models, {}", text::cost(&self.left_out))?;
        }
        if !self.causes.is_empty() {
            writeln!(out, "\nCauses, largest first:")?;
            let rows: Vec<Vec<String>> =
                self.causes.iter().map(|cause| vec![cause.reason.to_owned(), signed(cause.difference_usd.0)]).collect();
            plain(&[String::new(), "difference".to_owned()], 1, &rows, out)?;
        }
        let (small, large): (Vec<_>, Vec<_>) =
            self.differences.iter().partition(|one| one.reason == Reason::Rounding.word());
        if !large.is_empty() {
            writeln!(out)?;
            let heads = ["day", "model", "reason", "bill", "books", "difference"].map(str::to_owned);
            let rows: Vec<Vec<String>> = large
                .iter()
                .take(SHOWN)
                .map(|one| {
                    let (bill, books) = (text::usd(one.bill_usd.0), text::cost(&one.books));
                    let about = one.about.clone();
                    vec![one.day.clone(), text::fit(&one.model, 40), about, bill, books, signed(one.difference_usd.0)]
                })
                .collect();
            plain(&heads, 3, &rows, out)?;
        }
        let count = |number: usize| u64::try_from(number).unwrap_or(u64::MAX);
        if large.len() > SHOWN {
            writeln!(out, "and {} more (--json has them all)", text::count(count(large.len() - SHOWN)))?;
        }
        if !small.is_empty() {
            writeln!(out, "{} no larger than rounding to cents", text::plural(count(small.len()), "difference"))?;
        }
        for problem in &self.unread_rows {
            writeln!(out, "not read: {problem}")?;
        }
        Ok(())
    }
}

/// A booked cost; `None` if nothing has a price.
fn known(sums: &Sums) -> Option<Decimal> {
    (!sums.is_unpriced()).then_some(Decimal(sums.cost))
}

/// Describes a reason, with its numbers.
fn about(reason: Reason) -> String {
    match reason {
        Reason::Rounding => "rounded to cents".to_owned(),
        Reason::EmptyDay => "no calls in the ledger on this day".to_owned(),
        Reason::NotInLogs => "no call of it in the ledger".to_owned(),
        Reason::NotOnBill => "not on the bill".to_owned(),
        Reason::OtherDay(day) => format!("the other way round on {day}"),
        Reason::Unpriced(tokens) => format!("{} without a price", text::plural(tokens, "token")),
        Reason::LowerBound(calls) => format!("{} logged in part", text::plural(calls, "call")),
        Reason::Guessed(calls) => format!("{} with a guessed model, count or split", text::plural(calls, "call")),
        Reason::Half => "half of the ledger: a batch?".to_owned(),
        Reason::Unknown => "unexplained".to_owned(),
    }
}
