//! `report --yesterday`: one day in a few lines, suited to mail.

use chrono::Duration;

use super::derived;
use super::report::answer::answer;
use crate::app::catch_up::Books;
use crate::app::{Context, Exit, Failure};
use crate::domain::{Dimension, Filter, Label, day_of};
use crate::ledger::{Grain, Query, ReportRow};
use crate::meter::{self, LimitState, Verdict, Window};
use crate::output;
use crate::text;

/// Users listed by name; the rest are counted.
const NAMED: usize = 8;

/// Writes the digest of the day in the filter, split by model unless other dimensions are given.
pub(super) fn write(
    context: &mut Context<'_>,
    books: &mut Books,
    filter: &Filter,
    by: &[Dimension],
    reprice: bool,
) -> Result<Exit, Failure> {
    let (now, zone) = (context.now(), context.settings.zone);
    let renamed = derived::names(&books.ledger, by, &context.settings.ticket)?;
    let mut ask = |by: &[Dimension]| {
        let (filter, renamed) = (filter.clone(), renamed.clone());
        let query = Query { by: by.to_vec(), filter, renamed, ..Query::new(Grain::Total, zone) };
        answer(books, &query, reprice)
    };
    let report = ask(if by.is_empty() { &[Dimension::Model] } else { by })?;
    let (users, sessions) = (ask(&[Dimension::User])?.rows, ask(&[Dimension::Source, Dimension::Session])?.rows);
    // The last moment of the day, when its limits count everything.
    let end = filter.until.unwrap_or(now).checked_sub_signed(Duration::nanoseconds(1)).unwrap_or(now);
    let limits = meter::states(&books.ledger, &context.rules(Filter::default()), None, end)?;
    let day = day_of(end, zone);
    let sums = &report.total;
    let room = context.env.columns;
    let out = &mut *context.out;
    writeln!(out, "{}, {} ({zone})", day.format("%A"), day.format("%-d %B %Y"))?;
    writeln!(out)?;
    if sums.calls == 0 {
        writeln!(out, "No requests.")?;
        return Ok(Exit::Fine);
    }
    let tokens = &sums.tokens;
    let parts = [(tokens.input, "input"), (tokens.cache_read, "from cache"), (tokens.cache_write(), "to cache")];
    let mut parts: Vec<String> = parts
        .iter()
        .filter(|(count, _)| *count > 0)
        .map(|(count, name)| format!("{} {name}", text::count(*count)))
        .collect();
    parts.push(format!("{} output", text::count(tokens.output)));
    writeln!(out, "Requests  {}", text::count(sums.calls))?;
    writeln!(out, "Tokens    {} ({})", text::count(tokens.total()), parts.join(", "))?;
    writeln!(out, "Cost      {}", text::cost(sums))?;
    writeln!(out, "Users     {}", users_words(&users))?;
    let named = sessions.iter().filter(|row| row.by.last().is_some_and(Option::is_some)).count();
    writeln!(out, "Sessions  {}", text::count(u64::try_from(named).unwrap_or(u64::MAX)))?;
    writeln!(out, "Limits    {}", limits_words(&limits))?;
    writeln!(out)?;
    output::report_table(&report, room, out)?;
    Ok(Exit::Fine)
}

/// Number of users with the cost of each, most expensive first.
fn users_words(rows: &[ReportRow]) -> String {
    let name = |row: &ReportRow| row.by.first().cloned().flatten();
    let mut users: Vec<(Label, &ReportRow)> = rows.iter().filter_map(|row| Some((name(row)?, row))).collect();
    users.sort_by_key(|(name, row)| (std::cmp::Reverse(row.sums.cost), name.clone()));
    let words: Vec<String> = users
        .iter()
        .take(NAMED)
        .map(|(name, row)| format!("{} {}", text::fit(name, 40), text::cost(&row.sums)))
        .collect();
    let more = if users.len() > NAMED { ", …" } else { "" };
    if users.is_empty() { "none named".to_owned() } else { format!("{} ({}{more})", users.len(), words.join(", ")) }
}

/// Limits of the day that were reached or nearly so.
fn limits_words(limits: &[LimitState]) -> String {
    let of_the_day = |limit: &&LimitState| match limit.limit.window {
        Window::Call | Window::Day | Window::Week | Window::Month => true,
        // The state of these at the end of the day does not describe the day.
        Window::Session | Window::Run | Window::Hour | Window::Total | Window::Block | Window::Rolling(_) => false,
    };
    let words = |verdict: Verdict, word: &str| -> Vec<String> {
        let fits = limits.iter().filter(of_the_day).filter(|limit| limit.verdict == verdict);
        fits.map(|limit| format!("{} {word} ({}% used: {})", text::scope(limit), limit.percent, text::used_of(limit)))
            .collect()
    };
    let all = [words(Verdict::Over, "reached"), words(Verdict::Near, "near")].concat();
    if all.is_empty() { "none reached".to_owned() } else { all.join("; ") }
}
