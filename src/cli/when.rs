//! Parses times, days, weeks and months typed by the user.

use std::str::FromStr;

use chrono::{DateTime, Datelike, Duration, Months, NaiveDate, Weekday};

use crate::domain::{Instant, Zone, day_of, day_start};

/// A time or a period: `2026-11-22`, `2026-11`, `today`, `yesterday`, `last week`, `3 days ago`, `7d`, `90m`, or RFC
/// 3339.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum When {
    /// An exact time.
    At(Instant),
    /// A local calendar day.
    Day(NaiveDate),
    /// A local calendar month, by its first day.
    Month(NaiveDate),
    /// Today, yesterday (1) and so on.
    DaysAgo(u32),
    /// This calendar week, last week (1).
    WeeksAgo(u32),
    /// This calendar month, last month (1).
    MonthsAgo(u32),
    /// This long before now.
    Ago(Duration),
}

impl When {
    /// Start of the time, day, week or month.
    pub fn start(self, now: Instant, zone: Zone, week_start: Weekday) -> Instant {
        match self {
            Self::At(at) => at,
            Self::Ago(long) => now - long,
            Self::Day(_) | Self::Month(_) | Self::DaysAgo(_) | Self::WeeksAgo(_) | Self::MonthsAgo(_) => {
                day_start(self.days(now, zone, week_start).0, zone)
            }
        }
    }

    /// End (exclusive). Days, weeks and months are included in full.
    pub fn end(self, now: Instant, zone: Zone, week_start: Weekday) -> Instant {
        match self {
            Self::At(at) => at,
            Self::Ago(long) => now - long,
            Self::Day(_) | Self::Month(_) | Self::DaysAgo(_) | Self::WeeksAgo(_) | Self::MonthsAgo(_) => {
                day_start(self.days(now, zone, week_start).1, zone)
            }
        }
    }

    /// The first day, and the day after the last. For an exact time, its own day.
    fn days(self, now: Instant, zone: Zone, week_start: Weekday) -> (NaiveDate, NaiveDate) {
        let days_after = |day: NaiveDate, days: u64| day.checked_add_days(chrono::Days::new(days)).unwrap_or(day);
        let month = |day: NaiveDate| (day, day.checked_add_months(Months::new(1)).unwrap_or(day));
        match self {
            Self::Day(day) => (day, days_after(day, 1)),
            Self::DaysAgo(days) => (days_before(now, zone, days), days_after(days_before(now, zone, days), 1)),
            Self::Month(day) => month(day),
            Self::WeeksAgo(weeks) => {
                let day = days_before(now, zone, weeks.saturating_mul(7));
                let first = day.week(week_start).checked_first_day().unwrap_or(day);
                (first, days_after(first, 7))
            }
            Self::MonthsAgo(months) => {
                let day = day_of(now, zone);
                let first = day.with_day(1).unwrap_or(day);
                month(first.checked_sub_months(Months::new(months)).unwrap_or(first))
            }
            Self::At(at) => (day_of(at, zone), days_after(day_of(at, zone), 1)),
            Self::Ago(long) => (day_of(now - long, zone), days_after(day_of(now - long, zone), 1)),
        }
    }

    /// True for a day, a week or a month; false for a moment.
    pub const fn is_period(self) -> bool {
        match self {
            Self::Day(_) | Self::Month(_) | Self::DaysAgo(_) | Self::WeeksAgo(_) | Self::MonthsAgo(_) => true,
            Self::At(_) | Self::Ago(_) => false,
        }
    }

    /// A short form in local time: the day, the week or the month that was given, otherwise day and minute.
    pub fn words(self, now: Instant, zone: Zone) -> String {
        let at = match self {
            Self::Day(day) => return day.to_string(),
            Self::DaysAgo(days) => return days_before(now, zone, days).to_string(),
            Self::Month(day) => return day.format("%Y-%m").to_string(),
            Self::WeeksAgo(0) => return "this week".to_owned(),
            Self::WeeksAgo(_) => return "last week".to_owned(),
            Self::MonthsAgo(_) => return self.days(now, zone, Weekday::Mon).0.format("%Y-%m").to_string(),
            Self::At(at) => at,
            Self::Ago(long) => now - long,
        };
        at.with_timezone(&zone).format("%Y-%m-%d %H:%M").to_string()
    }
}

fn days_before(now: Instant, zone: Zone, days: u32) -> NaiveDate {
    let today = day_of(now, zone);
    today.checked_sub_days(chrono::Days::new(days.into())).unwrap_or(today)
}

impl FromStr for When {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let text = text.trim();
        if let Some(named) = named(&text.to_ascii_lowercase()) {
            return Ok(named);
        }
        if let Ok(at) = DateTime::parse_from_rfc3339(text) {
            return Ok(Self::At(at.to_utc()));
        }
        for form in ["%Y-%m-%d", "%Y%m%d"] {
            if let Ok(day) = NaiveDate::parse_from_str(text, form) {
                return Ok(Self::Day(day));
            }
        }
        if let Ok(day) = NaiveDate::parse_from_str(&format!("{text}-01"), "%Y-%m-%d") {
            return Ok(Self::Month(day));
        }
        ago(text).ok_or_else(|| {
            format!(
                "'{text}' is not a time; write 2026-11-22, 2026-11, today, yesterday, this week, last week, this month, \
                 last month, 3 days ago, 2 weeks ago, 7d, 12h, 90m or an RFC 3339 time"
            )
        })
    }
}

/// Named periods, and whole days before today: `last week`, `3 days ago`, `an hour ago`.
fn named(text: &str) -> Option<When> {
    let words: Vec<&str> = text.split_whitespace().collect();
    match words.as_slice() {
        ["today"] => Some(When::DaysAgo(0)),
        ["yesterday"] => Some(When::DaysAgo(1)),
        ["this", "week"] => Some(When::WeeksAgo(0)),
        ["last", "week"] => Some(When::WeeksAgo(1)),
        ["this", "month"] => Some(When::MonthsAgo(0)),
        ["last", "month"] => Some(When::MonthsAgo(1)),
        [count, unit, "ago"] => {
            let count: u32 = if ["a", "an", "one"].contains(count) { 1 } else { count.parse().ok()? };
            let days = |days: u32| (days <= 36_500).then_some(When::DaysAgo(days));
            match unit.strip_suffix('s').unwrap_or(unit) {
                "minute" => ago(&format!("{count}m")),
                "hour" => ago(&format!("{count}h")),
                "day" => days(count),
                "week" => days(count.checked_mul(7)?),
                _ => None,
            }
        }
        _ => None,
    }
}

fn ago(text: &str) -> Option<When> {
    let unit = text.chars().last()?;
    let count: i64 = text[..text.len() - unit.len_utf8()].parse().ok().filter(|count| *count >= 0)?;
    let long = match unit {
        'm' => Duration::try_minutes(count),
        'h' => Duration::try_hours(count),
        'd' => Duration::try_days(count),
        'w' => Duration::try_weeks(count),
        _ => None,
    }?;
    (long <= Duration::days(36_500)).then_some(When::Ago(long))
}

/// Parses the value of `--since` and the like.
pub(super) fn parse_when(text: &str) -> Result<When, String> {
    text.parse()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_and_months_are_meant_whole() {
        let now = Instant::from_timestamp(1_795_348_800, 0).unwrap(); // 2026-11-22 12:00 UTC
        let zone = Zone::named("Europe/Rome").unwrap();
        let cases = [
            ("2026-11-22", "2026-11-21T23:00:00+00:00", "2026-11-22T23:00:00+00:00"),
            ("today", "2026-11-21T23:00:00+00:00", "2026-11-22T23:00:00+00:00"),
            ("yesterday", "2026-11-20T23:00:00+00:00", "2026-11-21T23:00:00+00:00"),
            ("2026-10", "2026-09-30T22:00:00+00:00", "2026-10-31T23:00:00+00:00"),
            ("2h", "2026-11-22T10:00:00+00:00", "2026-11-22T10:00:00+00:00"),
            // A Sunday.
            ("this week", "2026-11-15T23:00:00+00:00", "2026-11-22T23:00:00+00:00"),
            ("Last Week", "2026-11-08T23:00:00+00:00", "2026-11-15T23:00:00+00:00"),
            ("this month", "2026-10-31T23:00:00+00:00", "2026-11-30T23:00:00+00:00"),
            ("last month", "2026-09-30T22:00:00+00:00", "2026-10-31T23:00:00+00:00"),
            ("3 days ago", "2026-11-18T23:00:00+00:00", "2026-11-19T23:00:00+00:00"),
            ("a day ago", "2026-11-20T23:00:00+00:00", "2026-11-21T23:00:00+00:00"),
            ("2 weeks  ago", "2026-11-07T23:00:00+00:00", "2026-11-08T23:00:00+00:00"),
            ("an hour ago", "2026-11-22T11:00:00+00:00", "2026-11-22T11:00:00+00:00"),
        ];
        for (text, start, end) in cases {
            let when: When = text.parse().unwrap();
            assert_eq!(
                (
                    when.start(now, zone, Weekday::Mon).to_rfc3339().as_str(),
                    when.end(now, zone, Weekday::Mon).to_rfc3339().as_str()
                ),
                (start, end),
                "{text}"
            );
        }
        let last: When = "last week".parse().unwrap();
        assert_eq!(last.start(now, zone, Weekday::Sun).to_rfc3339(), "2026-11-14T23:00:00+00:00");
        for text in [
            "",
            "soon",
            "-3d",
            "999999999999d",
            "2026-13-01",
            "é",
            "next week",
            "-1 days ago",
            "4294967295 weeks ago",
            "99999999 days ago",
            "3 days",
            "ago",
        ] {
            let why = text.parse::<When>().unwrap_err();
            assert!(why.contains("last week") && why.contains("3 days ago"), "{text}");
        }
    }
}
