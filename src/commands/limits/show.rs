//! `limits show`: every limit with its usage, as a table.

use std::io;

use super::document;
use crate::app::catch_up::{self, LogSelection};
use crate::commands::{Context, Exit, Failure};
use crate::domain::{Instant, Quota, Zone};
use crate::meter::overrides::{self, Override};
use crate::meter::{LimitState, Summary, Verdict};
use crate::output;
use crate::text;

/// Maximum width of a limit's name; half as much where there is little room.
const NAME: usize = 48;

pub(crate) fn show(context: &mut Context<'_>, json: bool) -> Result<Exit, Failure> {
    let selection = LogSelection::Everything;
    let books = catch_up::open_and_catch_up(context, &selection, false)?;
    let summary = catch_up::summary(context, &books)?;
    let mut lifted = overrides::all(&books.ledger)?;
    lifted.retain(|lifted| lifted.until.is_none());
    let (unread_files, now, zone) = (books.health.unread_files(), context.now(), context.settings.zone);
    if json {
        document::write_json(&summary, lifted, unread_files, now, zone, context.out)?;
    } else {
        write_text(&summary, lifted, (now, zone, context.env.columns), context.out)?;
    }
    Ok(Exit::Fine)
}

/// Writes the limits, the providers' windows and the overrides as text.
pub(crate) fn write_text(
    summary: &Summary,
    overrides: Vec<Override>,
    (now, zone, room): (Instant, Zone, Option<usize>),
    out: &mut dyn io::Write,
) -> io::Result<()> {
    if summary.limits.is_empty() {
        writeln!(out, "No limits. Set one: tokmeter limits set day 25usd")?;
    } else {
        write_table(&summary.limits, (now, zone, room), out)?;
    }
    if !summary.quotas.is_empty() {
        write_quotas(&summary.quotas, now, zone, out)?;
    }
    let ends = [("today", summary.by_day_end, &summary.today), ("this month", summary.by_month_end, &summary.month)];
    let ends: Vec<String> =
        ends.into_iter().filter_map(|(span, end, of)| Some(format!("{} {span}", text::usd_as(end?, of)))).collect();
    if !ends.is_empty() {
        writeln!(out, "\nIf work goes on as usual: {}", ends.join(", "))?;
    }
    for Override { session, reason, at, .. } in overrides {
        let since = text::moment(at, now, zone);
        writeln!(out, "Lifted for session {session} since {since}: {reason}")?;
    }
    Ok(())
}

fn write_table(
    limits: &[LimitState],
    (now, zone, room): (Instant, Zone, Option<usize>),
    out: &mut dyn io::Write,
) -> io::Result<()> {
    let heads = ["limit", "used", "", "", "resets", "full at"].map(str::to_owned);
    let row = |limit: &LimitState, is_short: bool| {
        let word = match limit.verdict {
            _ if limit.lifted => "lifted",
            Verdict::Under => "",
            Verdict::Near => "near",
            Verdict::Over => "over",
        };
        vec![
            text::fit(&limit.name, if is_short { NAME / 2 } else { NAME }),
            text::used_of(limit),
            text::percent(limit),
            word.to_owned(),
            text::resets(limit, now, zone)
                .map(|words| words.trim_start_matches("resets ").to_owned())
                .unwrap_or_default(),
            text::forecast_short(limit, now, zone)
                .map(|words| words.trim_start_matches("full at ").to_owned())
                .map(|words| if is_short { words.split(" (").take(1).collect() } else { words })
                .unwrap_or_default(),
        ]
    };
    let rows = |is_short: bool| -> Vec<Vec<String>> { limits.iter().map(|limit| row(limit, is_short)).collect() };
    let is_short = room.is_some_and(|room| output::table_width(&heads, &rows(false)) > room);
    output::fitted(&heads, 2, &rows(is_short), (room, &["resets", "full at"]), out)
}

fn write_quotas(quotas: &[Quota], now: Instant, zone: Zone, out: &mut dyn io::Write) -> io::Result<()> {
    writeln!(out)?;
    let heads = ["provider's window", "used", "", "as stated"].map(str::to_owned);
    let row = |quota: &Quota| {
        let used = if quota.is_over(now) { "?".to_owned() } else { format!("{}%", quota.percent()) };
        vec![
            text::fit(&text::quota_name(quota), NAME),
            used,
            text::quota_resets(quota, now, zone),
            text::quota_age(quota, now),
        ]
    };
    let rows: Vec<Vec<String>> = quotas.iter().map(row).collect();
    output::plain(&heads, 1, &rows, out)
}
