//! The digest of a day: a few lines, suitable for mail.

mod send;

pub(super) use self::send::{of_day, run};

use std::collections::BTreeMap;
use std::io::Write as _;

use chrono::Duration;

use crate::app::Failure;
use crate::config::{self, Settings};
use crate::domain::{Dimension, Filter, Instant, Label, day_of, sort_by_key};
use crate::ledger::{Grain, Ledger, Query, Report, ReportRow};
use crate::meter::{self, LimitState, Verdict, Window};
use crate::output;
use crate::text;

/// Number of users listed by name. The rest are counted.
const NAMED: usize = 8;

/// The day, and the dimensions that split its table.
struct Asked<'a> {
    filter: &'a Filter,
    by: &'a [Dimension],
    renamed: BTreeMap<(Dimension, Label), Label>,
}

/// The sums of a day: by the requested dimensions, by user, and by session.
struct Sums {
    report: Report,
    users: Vec<ReportRow>,
    sessions: Vec<ReportRow>,
}

impl Sums {
    fn ask(
        asked: &Asked<'_>,
        settings: &Settings,
        ask: &mut dyn FnMut(&Query) -> Result<Report, Failure>,
    ) -> Result<Self, Failure> {
        let mut by = |by: &[Dimension]| {
            let (filter, renamed) = (asked.filter.clone(), asked.renamed.clone());
            ask(&Query { by: by.to_vec(), filter, renamed, ..Query::new(Grain::Total, settings.zone) })
        };
        let report = by(if asked.by.is_empty() { &[Dimension::Model] } else { asked.by })?;
        let users = by(&[Dimension::User])?.rows;
        Ok(Self { report, users, sessions: by(&[Dimension::Source, Dimension::Session])?.rows })
    }
}

/// The title and text of a day's digest, fitted to a width.
fn compose(
    books: &dyn Ledger,
    settings: &Settings,
    (sums, filter): (&Sums, &Filter),
    room: Option<usize>,
    now: Instant,
) -> Result<(String, String), Failure> {
    let Sums { report, users, sessions } = sums;
    let zone = settings.zone;
    // The last moment of the day, when its limits include everything.
    let end = filter.until.unwrap_or(now).checked_sub_signed(Duration::nanoseconds(1)).unwrap_or(now);
    let mut limits = meter::states(books, &config::rules(settings, Filter::default()), None, end)?;
    for limit in &mut limits {
        limit.unread = report.unread_files > 0;
    }
    let day = day_of(end, zone);
    let title = format!("{}, {} ({zone})", day.format("%A"), day.format("%-d %B %Y"));
    let total = report.marked_total();
    if total.calls == 0 {
        let unread = if report.unread_files > 0 { " in what could be read (≥)" } else { "" };
        return Ok((title, format!("No requests{unread}.\n")));
    }
    let tokens = &total.tokens;
    let parts = [(tokens.input, "input"), (tokens.cache_read, "from cache"), (tokens.cache_write(), "to cache")];
    let mut parts: Vec<String> = parts
        .iter()
        .filter(|(count, _)| *count > 0)
        .map(|(count, name)| format!("{} {name}", text::count(*count)))
        .collect();
    parts.push(format!("{} output", text::count(tokens.output)));
    let mut out = Vec::new();
    writeln!(out, "Requests  {}", text::count(total.calls))?;
    writeln!(out, "Tokens    {} ({})", text::count(tokens.total()), parts.join(", "))?;
    writeln!(out, "Cost      {}", text::cost(&total))?;
    writeln!(out, "Users     {}", users_words(users))?;
    let named = sessions.iter().filter(|row| row.by.last().is_some_and(Option::is_some)).count();
    writeln!(out, "Sessions  {}", text::count(u64::try_from(named).unwrap_or(u64::MAX)))?;
    writeln!(out, "Limits    {}", limits_words(&limits))?;
    writeln!(out)?;
    output::report_table(report, room, &mut out)?;
    Ok((title, String::from_utf8_lossy(&out).into_owned()))
}

/// The number of users and the cost of each, most expensive first.
fn users_words(rows: &[ReportRow]) -> String {
    let name = |row: &ReportRow| row.by.first().cloned().flatten();
    let mut users: Vec<(Label, &ReportRow)> = rows.iter().filter_map(|row| Some((name(row)?, row))).collect();
    sort_by_key(&mut users, |(name, row)| (std::cmp::Reverse(row.sums.cost), name.clone()));
    let words: Vec<String> = users
        .iter()
        .take(NAMED)
        .map(|(name, row)| format!("{} {}", text::fit(name, 40), text::cost(&row.sums)))
        .collect();
    let more = if users.len() > NAMED { ", …" } else { "" };
    if users.is_empty() { "none named".to_owned() } else { format!("{} ({}{more})", users.len(), words.join(", ")) }
}

/// The day's limits that were reached or nearly reached.
fn limits_words(limits: &[LimitState]) -> String {
    let of_the_day = |limit: &&LimitState| match limit.limit.window {
        Window::Call | Window::Day | Window::Week | Window::Month => true,
        // The state of these limits at the end of the day says nothing about the day.
        Window::Session | Window::Run | Window::Hour | Window::Total | Window::Block | Window::Rolling(_) => false,
    };
    let words = |verdict: Verdict, word: &str| -> Vec<String> {
        let fits = limits.iter().filter(of_the_day).filter(|limit| limit.verdict == verdict);
        fits.map(|limit| {
            format!("{} {word} ({} used: {})", limit.name, text::percent(limit), text::used_in_words(limit))
        })
        .collect()
    };
    let all = [words(Verdict::Over, "reached"), words(Verdict::Near, "near")].concat();
    // A limit that covers calls without a price, or logs that could not be read, may have been reached all the same.
    let is_vague = |limit: &LimitState| limit.verdict == Verdict::Under && (limit.lower_bound || limit.unread);
    let known = if limits.iter().filter(of_the_day).any(is_vague) { "none known to be" } else { "none" };
    if all.is_empty() { format!("{known} near or reached (per call, daily, weekly, monthly)") } else { all.join("; ") }
}
