//! `reconcile`: compares a provider's bill with the ledger, per day and model, with the likely reason of each
//! difference.

mod reason;

use std::collections::BTreeMap;

use serde::Serialize;

use super::bill::{Bill, Columns, Vendor};
use crate::app::catch_up::{self, LogSelection};
use crate::app::{Context, Exit, Failure};
use crate::cli::ReconcileArgs;
use crate::config::regular_file;
use crate::domain::{Day, Dimension, Filter, Label, Usd, Zone, day_start};
use crate::ledger::{Grain, Ledger, PeriodKey, Query, Sums};
use crate::output::{self, Decimal};
use crate::pricing::PriceBook;
use crate::text;
use reason::Reason;

/// Differences listed as text; all are in the JSON.
const SHOWN: usize = 25;
/// Size limit of a bill, in bytes.
const LARGEST: u64 = 256 << 20;

pub(super) fn run(context: &mut Context<'_>, args: &ReconcileArgs) -> Result<Exit, Failure> {
    let shown = Label::from_path(&args.file);
    let wrong = |what: String| Failure::new(Exit::NoInput, format!("{shown}: {what}"));
    let text = read(context, args)
        .map_err(|error| Failure::new(Exit::NoInput, format!("{shown} {}", regular_file::why(&error))))?;
    let columns =
        Columns { date: args.date.as_deref(), model: args.model_column.as_deref(), cost: args.cost.as_deref() };
    let mut bill = Bill::read(&text, columns).map_err(wrong)?;
    let mut filter = args.filters.filter(context.now(), context.settings.zone);
    let wanted = |day: Day| {
        let start = day_start(day, Zone::UTC);
        filter.since.is_none_or(|since| start >= since) && filter.until.is_none_or(|until| start < until)
    };
    bill.lines.retain(|line| wanted(line.day));
    let days = bill.lines.iter().map(|line| line.day);
    let Some((first, last)) = days.clone().min().zip(days.max()) else {
        return Err(wrong("no charge in it (for these days)".to_owned()));
    };
    filter.since = Some(day_start(first, Zone::UTC));
    filter.until = Some(day_start(last.succ_opt().unwrap_or(last), Zone::UTC));
    let books = catch_up::open_and_catch_up(context, &LogSelection::Everything, false)?;
    let mut compared = Compared { first, last, cells: BTreeMap::new(), left_out: Sums::default() };
    let by_model = bill.lines.iter().any(|line| line.model.is_some());
    for line in &bill.lines {
        compared.cell(line.day, name(&books.prices, line.model.as_ref(), by_model)).charge(line.usd);
    }
    compared.add_books(&books.ledger, &books.prices, &filter, &bill, by_model)?;
    let result = Outcome::from_compared(&compared, &bill, args.tolerance);
    if args.json {
        output::to_line(&result, context.out)?;
    } else {
        result.write(context, &compared)?;
    }
    Ok(if result.within_tolerance && bill.problems.is_empty() { Exit::Fine } else { Exit::Attention })
}

fn read(context: &Context<'_>, args: &ReconcileArgs) -> std::io::Result<String> {
    if args.file.as_os_str() == "-" {
        return regular_file::read_whole_text(std::io::stdin().lock(), LARGEST);
    }
    regular_file::read_whole_text(regular_file::open_operand(&context.absolute(&args.file))?, LARGEST)
}

/// Charged and booked amounts of a model on a day.
#[derive(Clone, Debug, Default)]
struct Cell {
    bill: Usd,
    /// Rows of the bill, each possibly rounded.
    lines: u32,
    books: Sums,
}

impl Cell {
    fn charge(&mut self, usd: Usd) {
        self.bill += usd;
        self.lines += 1;
    }

    fn difference(&self) -> Usd {
        self.bill - self.books.cost
    }
}

/// Bill and ledger, joined by day and model.
struct Compared {
    first: Day,
    last: Day,
    cells: BTreeMap<(Day, String), Cell>,
    /// Calls of other vendors' models.
    left_out: Sums,
}

impl Compared {
    fn cell(&mut self, day: Day, model: String) -> &mut Cell {
        self.cells.entry((day, model)).or_default()
    }

    fn add_books(
        &mut self,
        ledger: &dyn Ledger,
        prices: &PriceBook,
        filter: &Filter,
        bill: &Bill,
        by_model: bool,
    ) -> Result<(), Failure> {
        let query = Query { by: vec![Dimension::Model], filter: filter.clone(), ..Query::new(Grain::Day, Zone::UTC) };
        for row in ledger.report(&query)?.rows {
            let PeriodKey::Day(day) = row.period else { continue };
            let model = row.by.first().cloned().flatten();
            // A configured alias may map to one of the vendor's models.
            let known = name(prices, model.as_ref(), true);
            if is_of(bill.vendor, model.as_deref()) || is_of(bill.vendor, Some(&known)) {
                self.cell(day, name(prices, model.as_ref(), by_model)).books.add(&row.sums);
            } else {
                self.left_out.add(&row.sums);
            }
        }
        Ok(())
    }
}

/// True for models that this vendor bills.
fn is_of(vendor: Vendor, model: Option<&str>) -> bool {
    let model = model.unwrap_or_default().to_ascii_lowercase();
    let last = model.rsplit('/').next().unwrap_or_default();
    match vendor {
        Vendor::Anthropic => model.contains("claude"),
        Vendor::OpenAi => {
            let reasoning =
                last.strip_prefix('o').is_some_and(|rest| rest.starts_with(|letter: char| letter.is_ascii_digit()));
            let begins =
                ["gpt", "chatgpt", "codex", "text-", "ft:", "dall-e", "whisper", "tts", "omni", "computer-use", "sora"];
            reasoning || begins.iter().any(|begin| last.starts_with(begin))
        }
        Vendor::Other => true,
    }
}

/// Common name of a model in bills and logs: `Claude Sonnet 4.5`, `claude-sonnet-4-5-20250929` and
/// `us.anthropic.claude-sonnet-4-5-20250929-v1:0` become `claude-sonnet-4-5`.
fn name(prices: &PriceBook, model: Option<&Label>, by_model: bool) -> String {
    let Some(model) = model.filter(|_| by_model) else {
        return if by_model { "(no model named)" } else { "(all models)" }.to_owned();
    };
    let listed = |name: &str| prices.history(name).and_then(|(path, _)| path.last().map(ToString::to_string));
    // Consoles show display names; price lists use dashes.
    let dashed = model.to_ascii_lowercase().replace(' ', "-");
    let dotless = dashed.replace('.', "-");
    let known = listed(model).or_else(|| listed(&dashed)).or_else(|| listed(&dotless));
    let known = known.unwrap_or(if model.contains(' ') && dashed.starts_with("claude") { dotless } else { dashed });
    let short = text::model_short(known.split(":0").next().unwrap_or(&known)).trim_end_matches("-v1");
    let short = undated(text::model_short(short));
    let short = short.strip_suffix("-latest").unwrap_or(short);
    let whose = if known.contains("claude") && !short.contains("claude") { "claude-" } else { "" };
    format!("{whose}{short}")
}

/// Strips a date suffix: `gpt-4o-2024-08-06` becomes `gpt-4o`.
fn undated(name: &str) -> &str {
    let Some(cut) = name.len().checked_sub(11) else { return name };
    let Some((rest, end)) = name.split_at_checked(cut) else { return name };
    let is_date = end.strip_prefix('-').is_some_and(|date| chrono::NaiveDate::parse_from_str(date, "%Y-%m-%d").is_ok());
    if is_date && !rest.is_empty() { rest } else { name }
}

#[derive(Serialize)]
struct Outcome {
    schema: u8,
    bill: &'static str,
    first_day: String,
    last_day: String,
    timezone: &'static str,
    bill_usd: Decimal,
    books_usd: Decimal,
    gap_usd: Decimal,
    tolerance_per_cent: u32,
    within_tolerance: bool,
    causes: Vec<Cause>,
    differences: Vec<Line>,
    left_out_calls: u64,
    left_out_usd: Decimal,
    unread_rows: Vec<Label>,
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
    books_usd: Decimal,
    difference_usd: Decimal,
    reason: &'static str,
    about: String,
}

impl Outcome {
    fn from_compared(compared: &Compared, bill: &Bill, tolerance: u32) -> Self {
        let total = |of: fn(&Cell) -> Usd| compared.cells.values().map(of).sum::<Usd>();
        let (billed, booked) = (total(|cell| cell.bill), total(|cell| cell.books.cost));
        let gap = billed - booked;
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
                books_usd: Decimal(cell.books.cost),
                difference_usd: Decimal(cell.difference()),
                reason: reason.word(),
                about: reason.to_string(),
            });
        }
        let size = |usd: Usd| std::cmp::Reverse(usd.pico().saturating_abs());
        differences.sort_by_key(|one| size(one.difference_usd.0));
        let mut causes: Vec<Cause> =
            causes.into_iter().map(|(reason, usd)| Cause { reason, difference_usd: Decimal(usd) }).collect();
        causes.sort_by_key(|cause| size(cause.difference_usd.0));
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
            books_usd: Decimal(booked),
            gap_usd: Decimal(gap),
            tolerance_per_cent: tolerance,
            within_tolerance: gap.pico().saturating_abs().saturating_mul(100) <= allowed,
            causes,
            differences,
            left_out_calls: compared.left_out.calls,
            left_out_usd: Decimal(compared.left_out.cost),
            unread_rows: bill.problems.iter().map(|problem| Label::new(problem)).collect(),
        }
    }

    fn write(&self, context: &mut Context<'_>, compared: &Compared) -> std::io::Result<()> {
        let out = &mut *context.out;
        let signed = |usd: Usd| if usd > Usd::ZERO { format!("+{}", text::usd(usd)) } else { text::usd(usd) };
        writeln!(out, "{} to {} (UTC days)", compared.first, compared.last)?;
        writeln!(out, "Bill   {}", text::usd(self.bill_usd.0))?;
        writeln!(out, "Books  {}", text::usd(self.books_usd.0))?;
        let within = if self.within_tolerance { "within" } else { "beyond" };
        writeln!(out, "Gap    {}, {within} {}%", signed(self.gap_usd.0), self.tolerance_per_cent)?;
        if self.left_out_calls > 0 {
            let calls = text::plural(self.left_out_calls, "call");
            writeln!(out, "Not compared: {calls} of other vendors' models, {}", text::usd(self.left_out_usd.0))?;
        }
        if !self.causes.is_empty() {
            writeln!(out, "\nCauses, largest first:")?;
            let rows: Vec<Vec<String>> =
                self.causes.iter().map(|cause| vec![cause.reason.to_owned(), signed(cause.difference_usd.0)]).collect();
            output::plain(&[String::new(), "difference".to_owned()], 1, &rows, out)?;
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
                    let [bill, books] = [one.bill_usd.0, one.books_usd.0].map(text::usd);
                    let about = one.about.clone();
                    vec![one.day.clone(), text::fit(&one.model, 40), about, bill, books, signed(one.difference_usd.0)]
                })
                .collect();
            output::plain(&heads, 3, &rows, out)?;
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pricing::CostMode;

    #[test]
    fn a_bills_words_and_a_logs_words_for_a_model_meet() {
        let book = PriceBook::new(Vec::new(), Vec::new(), CostMode::Auto);
        let meet = [
            ("Claude Sonnet 4.5", "claude-sonnet-4-5-20250929"),
            ("Claude Haiku 4.5", "us.anthropic.claude-haiku-4-5-20251001-v1:0"),
            ("claude-opus-5", "anthropic/claude-opus-5[1m]"),
            ("gpt-4o-2024-08-06", "gpt-4o"),
            ("gpt-4o-mini-2024-07-18", "openai/gpt-4o-mini"),
        ];
        for (bill, log) in meet {
            let [bill, log] = [bill, log].map(|model| name(&book, Some(&Label::new(model)), true));
            assert_eq!(bill, log);
        }
        let apart = ["gpt-4o", "gpt-4o-mini", "claude-opus-5", "claude-sonnet-5", "claude-opus-4-1"];
        let names: std::collections::BTreeSet<String> =
            apart.iter().map(|model| name(&book, Some(&Label::new(model)), true)).collect();
        assert_eq!(names.len(), apart.len(), "{names:?}");
    }

    #[test]
    fn a_bill_is_about_its_makers_models_only() {
        assert!(
            is_of(Vendor::Anthropic, Some("us.anthropic.claude-opus-5")) && !is_of(Vendor::Anthropic, Some("gpt-4o"))
        );
        assert!(is_of(Vendor::OpenAi, Some("openai/o3-mini")) && is_of(Vendor::OpenAi, Some("gpt-5")));
        assert!(!is_of(Vendor::OpenAi, Some("openrouter/qwen")) && is_of(Vendor::Other, None));
    }
}
