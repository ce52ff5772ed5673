//! Parses times and days typed by the user.

use std::str::FromStr;

use chrono::{DateTime, Duration, NaiveDate};

use crate::domain::{Instant, Zone, day_of, day_start};

/// A time or a day: `2026-11-22`, `2026-11`, `today`, `yesterday`, `7d`, `90m`, or RFC 3339.
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
    /// This long before now.
    Ago(Duration),
}

impl When {
    /// Start of the time, day or month.
    pub fn start(self, now: Instant, zone: Zone) -> Instant {
        match self {
            Self::At(at) => at,
            Self::Day(day) | Self::Month(day) => day_start(day, zone),
            Self::DaysAgo(days) => day_start(days_before(now, zone, days), zone),
            Self::Ago(long) => now - long,
        }
    }

    /// End (exclusive): days and months are included in full.
    pub fn end(self, now: Instant, zone: Zone) -> Instant {
        match self {
            Self::At(at) => at,
            Self::Day(day) => day_start(day.succ_opt().unwrap_or(day), zone),
            Self::Month(day) => day_start(day.checked_add_months(chrono::Months::new(1)).unwrap_or(day), zone),
            Self::DaysAgo(days) => {
                let day = days_before(now, zone, days);
                day_start(day.succ_opt().unwrap_or(day), zone)
            }
            Self::Ago(long) => now - long,
        }
    }

    /// In short, in local time: the day or the month that was given, else day and minute.
    pub fn words(self, now: Instant, zone: Zone) -> String {
        let at = match self {
            Self::Day(day) => return day.to_string(),
            Self::DaysAgo(days) => return days_before(now, zone, days).to_string(),
            Self::Month(day) => return day.format("%Y-%m").to_string(),
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
        match text {
            "today" => return Ok(Self::DaysAgo(0)),
            "yesterday" => return Ok(Self::DaysAgo(1)),
            _ => {}
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
                "'{text}' is not a time; write 2026-11-22, 2026-11, today, yesterday, 7d, 12h, 90m or an RFC 3339 time"
            )
        })
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
        ];
        for (text, start, end) in cases {
            let when: When = text.parse().unwrap();
            assert_eq!(
                (when.start(now, zone).to_rfc3339().as_str(), when.end(now, zone).to_rfc3339().as_str()),
                (start, end),
                "{text}"
            );
        }
        for text in ["", "soon", "-3d", "999999999999d", "2026-13-01", "é"] {
            assert!(text.parse::<When>().is_err(), "{text}");
        }
    }
}
