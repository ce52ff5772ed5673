//! Notes on the part of a report that its table shows: rows beyond the limit, and periods that the time range cuts.

use chrono::Datelike;

use crate::domain::{Instant, Span, Zone, day_of, day_start, month_of, week_of};
use crate::ledger::{Grain, Order, PeriodKey, Report};
use crate::text;

/// A sentence about rows beyond the limit, and one for each period that is only partly counted.
pub(super) fn words(report: &Report) -> Vec<String> {
    let mut all = Vec::new();
    if let Some(rows) = report.all_rows {
        let shown = u64::try_from(report.rows.len()).unwrap_or(u64::MAX);
        let which = match (report.query.grain, report.query.order) {
            (Grain::Total, _) => "",
            (_, Order::Descending) => ", the newest",
            (_, Order::Ascending) => ", the oldest (`--order desc` shows the newest)",
        };
        all.push(format!("{} of {}{which}; the total is of all", text::count(shown), text::plural(rows, "row")));
    }
    let zone = report.query.zone;
    let filter = &report.query.filter;
    for (at, which, word, on) in [(filter.since, "first", "from", " on"), (filter.until, "last", "until", "")] {
        let Some(at) = at else { continue };
        let Some((key, start, noun)) = period(at, report.query.grain, zone) else { continue };
        if start != at && report.rows.iter().any(|row| row.period == key) {
            all.push(format!("The {which} {noun} counts {word} {}{on}", text::minute(at, zone)));
        }
    }
    all
}

/// The period that contains this time, its start, and its noun.
fn period(at: Instant, grain: Grain, zone: Zone) -> Option<(PeriodKey, Instant, &'static str)> {
    let day = day_of(at, zone);
    match grain {
        Grain::Hour => {
            let from = Span::hour(at, zone).from;
            Some((PeriodKey::Hour(from), from, "hour"))
        }
        Grain::Day => Some((PeriodKey::Day(day), day_start(day, zone), "day")),
        Grain::Week => {
            let monday = day.checked_sub_days(chrono::Days::new(day.weekday().num_days_from_monday().into()))?;
            Some((PeriodKey::Week(week_of(day)), day_start(monday, zone), "week"))
        }
        Grain::Month => {
            let first = month_of(day);
            Some((PeriodKey::Month(first), day_start(first, zone), "month"))
        }
        Grain::Quarter | Grain::Session | Grain::Call | Grain::Total => None,
    }
}
