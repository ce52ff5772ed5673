//! Parses a provider's bill: days, models and dollars from a CSV export with any column layout.

use chrono::{DateTime, NaiveDate};
use csv::{ReaderBuilder, StringRecord, Trim};

use crate::domain::{Day, Label, Usd};

/// The provider, which determines the models that a bill covers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Vendor {
    /// Cost export of Anthropic's console.
    Anthropic,
    /// Cost export of OpenAI's dashboard.
    OpenAi,
    /// Any table with a day and a cost column.
    Other,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Bill {
    pub(crate) vendor: Vendor,
    pub(crate) lines: Vec<BillLine>,
    /// Rows that could not be parsed, with their line numbers.
    pub(crate) problems: Vec<String>,
}

/// Amount charged for one model on one UTC day.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct BillLine {
    pub(crate) day: Day,
    pub(crate) model: Option<Label>,
    pub(crate) usd: Usd,
}

/// Column names given on the command line.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Columns<'a> {
    pub(crate) date: Option<&'a str>,
    pub(crate) model: Option<&'a str>,
    pub(crate) cost: Option<&'a str>,
}

const DATES: &[&str] = &[
    "usage_date_utc",
    "start_time_iso",
    "date",
    "day",
    "usage_date",
    "bucket_start_time",
    "starting_at",
    "timestamp",
    "created_at",
    "time",
    "start_time",
];
const MODELS: &[&str] = &["model", "model_name", "model_id", "model_version", "line_item"];
const COSTS: &[&str] = &[
    "cost_usd",
    "amount_value",
    "cost",
    "cost (usd)",
    "cost_in_usd",
    "total_cost",
    "amount_usd",
    "amount",
    "usd",
    "spend",
];
const CURRENCIES: &[&str] = &["amount_currency", "currency"];

impl Bill {
    /// Parses a bill.
    ///
    /// # Errors
    /// When the columns are not recognised, or the bill is not in dollars.
    pub(crate) fn read(text: &str, named: Columns<'_>) -> Result<Self, String> {
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        let delimiter = delimiter(text.lines().next().unwrap_or_default());
        let mut reader =
            ReaderBuilder::new().delimiter(delimiter).flexible(true).trim(Trim::All).from_reader(text.as_bytes());
        let heads: Vec<String> = reader
            .headers()
            .map_err(|error| format!("not a table: {error}"))?
            .iter()
            .map(str::to_ascii_lowercase)
            .collect();
        let place = |flag: &str, given: Option<&str>, known: &[&str]| match given {
            Some(name) => {
                let found = heads.iter().position(|head| *head == name.to_ascii_lowercase());
                found
                    .map(Some)
                    .ok_or_else(|| format!("no column '{name}' ({flag}); there are: {}", list_columns(&heads)))
            }
            None => Ok(known.iter().find_map(|name| heads.iter().position(|head| head == name))),
        };
        let missing = |what: &str, flag: &str| {
            format!("no column of the {what} is recognised; name it with {flag}; there are: {}", list_columns(&heads))
        };
        let date = place("--date", named.date, DATES)?.ok_or_else(|| missing("day", "--date"))?;
        let cost = place("--cost", named.cost, COSTS)?.ok_or_else(|| missing("cost in dollars", "--cost"))?;
        let model = place("--model-column", named.model, MODELS)?;
        let currency = place("", None, CURRENCIES)?;
        let has = |name: &str| heads.iter().any(|head| head == name);
        let vendor = if has("usage_date_utc") && has("token_type") {
            Vendor::Anthropic
        } else if has("amount_value") {
            Vendor::OpenAi
        } else {
            Vendor::Other
        };
        let mut bill = Self { vendor, lines: Vec::new(), problems: Vec::new() };
        let decimal_comma = delimiter == b';';
        for row in reader.records() {
            let row = row.map_err(|error| format!("not a table: {error}"))?;
            let line = row.position().map_or(0, csv::Position::line);
            let field = |at: usize| row.get(at).unwrap_or_default();
            let foreign = currency.map(field).filter(|code| !code.is_empty() && !code.eq_ignore_ascii_case("usd"));
            if let Some(code) = foreign {
                return Err(format!("line {line} is in {}, and the ledger is in US dollars", Label::new(code)));
            }
            match read_row(&row, date, cost, decimal_comma) {
                Ok(Some((day, usd))) => {
                    let model = model.map(field).and_then(model_of);
                    bill.lines.push(BillLine { day, model, usd });
                }
                Ok(None) => {}
                Err(what) => bill.problems.push(format!("line {line}: {what}")),
            }
        }
        Ok(bill)
    }
}

/// Day and amount of a row; `None` for a day without charges or a row of totals.
fn read_row(row: &StringRecord, date: usize, cost: usize, decimal_comma: bool) -> Result<Option<(Day, Usd)>, String> {
    let field = |at: usize| row.get(at).unwrap_or_default();
    let (day, amount) = (field(date), field(cost));
    if amount.is_empty() || day.is_empty() || day.to_ascii_lowercase().starts_with("total") {
        return Ok(None);
    }
    let day = day_of(day).ok_or_else(|| format!("'{}' is not a day", Label::new(day)))?;
    let usd = usd_of(amount, decimal_comma).ok_or_else(|| format!("'{}' is not an amount", Label::new(amount)))?;
    Ok(Some((day, usd)))
}

/// Converts a date, a time, or seconds since 1970 to a UTC day.
fn day_of(text: &str) -> Option<Day> {
    if let Ok(at) = DateTime::parse_from_rfc3339(text) {
        return Some(at.to_utc().date_naive());
    }
    if text.len() >= 9 && text.bytes().all(|byte| byte.is_ascii_digit()) {
        let number: i64 = text.parse().ok()?;
        let seconds = if text.len() >= 13 { number / 1000 } else { number };
        return DateTime::from_timestamp(seconds, 0).map(|at| at.date_naive());
    }
    let day = text.get(..10).unwrap_or(text);
    ["%Y-%m-%d", "%Y/%m/%d"].iter().find_map(|form| NaiveDate::parse_from_str(day, form).ok())
}

/// Parses an exact amount: `12.34`, `$1,234.50`, `0.8958740000000000` or, in files separated by semicolons, `1.234,50`.
fn usd_of(text: &str, decimal_comma: bool) -> Option<Usd> {
    let text = text.trim_start_matches(['$', ' ']).trim_end_matches("USD").trim_end();
    let plain = if decimal_comma && text.contains(',') {
        text.replace('.', "").replace(',', ".")
    } else {
        text.replace(',', "")
    };
    let plain = plain.replacen("-$", "-", 1);
    Usd::parse(&plain).ok().map(|(usd, _)| usd)
}

/// The model name in a field: `gpt-4o-2024-08-06, input` gives `gpt-4o-2024-08-06`.
fn model_of(field: &str) -> Option<Label> {
    let name = field.split(", ").next().unwrap_or(field).trim();
    (!name.is_empty()).then(|| Label::new(name))
}

fn delimiter(heads: &str) -> u8 {
    let count = |delimiter: char| heads.matches(delimiter).count();
    [(',', b','), (';', b';'), ('\t', b'\t')]
        .into_iter()
        .max_by_key(|(letter, _)| count(*letter))
        .map_or(b',', |(_, byte)| byte)
}

fn list_columns(heads: &[String]) -> String {
    heads.iter().map(|head| Label::new(head).to_string()).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(text: &str) -> Vec<(String, Option<String>, String)> {
        let bill = Bill::read(text, Columns::default()).unwrap();
        assert_eq!(bill.problems, Vec::<String>::new());
        let model = |line: &BillLine| line.model.as_ref().map(ToString::to_string);
        bill.lines.iter().map(|line| (line.day.to_string(), model(line), line.usd.to_string())).collect()
    }

    fn line(day: &str, model: Option<&str>, usd: &str) -> (String, Option<String>, String) {
        (day.into(), model.map(Into::into), usd.into())
    }

    #[test]
    fn exports_are_recognised_by_their_columns() {
        let anthropic = "usage_date_utc,model,workspace,api_key,usage_type,context_window,token_type,cost_usd,cost_type\n\
                         2026-10-04,Claude Haiku 4.5,Default,k,message,≤ 200k,input_no_cache,0.05,token\n";
        assert_eq!(lines(anthropic), [line("2026-10-04", Some("Claude Haiku 4.5"), "0.05")]);
        let openai = "start_time,end_time,start_time_iso,end_time_iso,amount_value,amount_currency,line_item\n\
                      1759622400,1759708800,2025-10-05T00:00:00+00:00,2025-10-06T00:00:00+00:00,0.8958740000000000,usd,\"gpt-4o-2024-08-06, input\"\n\
                      1759968000,1760054400,2025-10-09T00:00:00+00:00,2025-10-10T00:00:00+00:00,,,\n";
        assert_eq!(lines(openai), [line("2025-10-05", Some("gpt-4o-2024-08-06"), "0.895874")]);
        let semicolons = "Date;Model;Cost\n2026/10/04;m;1.234,50\nTotal;;1.234,50\n";
        assert_eq!(lines(semicolons), [line("2026-10-04", Some("m"), "1234.5")]);
        let times = "time,cost\n1759622400,$1,2\n";
        assert_eq!(lines(times), [line("2025-10-05", None, "1")]);
        assert_eq!(lines("day,cost\n2026-10-04T01:00:00+02:00,-3\n"), [line("2026-10-03", None, "-3")]);
    }

    #[test]
    fn what_cannot_be_read_is_named_with_its_line() {
        let bill = Bill::read("date,cost\nsoon,1\n2026-10-04,much\n2026-10-05,2\n", Columns::default()).unwrap();
        assert_eq!(bill.problems, ["line 2: 'soon' is not a day", "line 3: 'much' is not an amount"]);
        assert_eq!(bill.lines.len(), 1);
        let error = Bill::read("when,what\n1,2\n", Columns::default()).unwrap_err();
        assert!(error.contains("--date") && error.contains("when, what"), "{error}");
        let error = Bill::read("date,amount,currency\n2026-10-04,1,EUR\n", Columns::default()).unwrap_err();
        assert!(error.contains("EUR"), "{error}");
        let named = Columns { date: Some("When"), cost: Some("what"), model: None };
        assert_eq!(Bill::read("when,what\n2026-10-04,2\n", named).unwrap().lines.len(), 1);
    }
}
