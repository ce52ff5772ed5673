//! Local calendar days, weeks and months.
//!
//! A day begins where its zone says so. It may last 23, 24, 24.5 or 25 hours, begin at one in the morning where a clock
//! change skips midnight, or not exist at all.

use chrono::{Datelike, Duration, Months, NaiveDate, NaiveTime, TimeZone, Weekday};

use super::{Instant, Zone};

/// A local calendar day.
pub(crate) type Day = NaiveDate;

/// A local ISO week.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Week {
    /// The ISO year, which differs from the calendar year around New Year.
    pub year: i32,
    /// Week number, 1 to 53.
    pub number: u32,
}

/// A time span, excluding its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Span {
    /// Start.
    pub from: Instant,
    /// End (exclusive).
    pub until: Instant,
}

impl Span {
    /// True when the time is inside the span.
    pub fn contains(&self, at: Instant) -> bool {
        self.from <= at && at < self.until
    }

    /// The calendar day that contains `now`.
    pub fn day(now: Instant, zone: Zone) -> Self {
        let day = day_of(now, zone);
        Self { from: day_start(day, zone), until: day_start(after(day), zone) }
    }

    /// The clock hour that contains `now`, on the zone's own clock.
    pub fn hour(now: Instant, zone: Zone) -> Self {
        let local = now.with_timezone(&zone);
        let into =
            Duration::seconds(i64::from(chrono::Timelike::minute(&local) * 60 + chrono::Timelike::second(&local)))
                + Duration::nanoseconds(i64::from(chrono::Timelike::nanosecond(&local) % 1_000_000_000));
        let from = now - into;
        Self { from, until: from + Duration::hours(1) }
    }

    /// The week that contains `now`, starting on `first`.
    pub fn week(now: Instant, zone: Zone, first: Weekday) -> Self {
        let day = day_of(now, zone);
        let back = i64::from((7 + day.weekday().num_days_from_monday() - first.num_days_from_monday()) % 7);
        let start = day.checked_sub_signed(Duration::days(back)).unwrap_or(day);
        let end = start.checked_add_signed(Duration::days(7)).unwrap_or(day);
        Self { from: day_start(start, zone), until: day_start(end, zone) }
    }

    /// The calendar month that contains `now`.
    pub fn month(now: Instant, zone: Zone) -> Self {
        let first = month_of(day_of(now, zone));
        let next = first.checked_add_months(Months::new(1)).unwrap_or(first);
        Self { from: day_start(first, zone), until: day_start(next, zone) }
    }
}

/// The local day that contains a time.
pub fn day_of(at: Instant, zone: Zone) -> Day {
    at.with_timezone(&zone).date_naive()
}

/// ISO week of a day. Its year may differ from the calendar year.
pub fn week_of(day: Day) -> Week {
    let week = day.iso_week();
    Week { year: week.year(), number: week.week() }
}

/// The first day of a day's month.
pub fn month_of(day: Day) -> Day {
    day.with_day(1).unwrap_or(day)
}

/// The quarter hour that contains a time, counted from 1970 in UTC.
///
/// In every zone, days begin on a quarter hour, so sums by quarter hour work for all of them.
pub(crate) fn quarter_of(at: Instant) -> i64 {
    at.timestamp().div_euclid(900)
}

/// Start of the quarter hour of a time.
pub(crate) fn quarter_start(at: Instant) -> Instant {
    Instant::from_timestamp(quarter_of(at).saturating_mul(900), 0).unwrap_or(at)
}

/// Start of a local day: midnight, or the first time after it that exists.
pub fn day_start(day: Day, zone: Zone) -> Instant {
    let midnight = day.and_time(NaiveTime::MIN);
    if let Some(start) = zone.from_local_datetime(&midnight).earliest() {
        return start.to_utc();
    }
    // A clock change skipped midnight (or, once, a whole day): the day begins at the first local time that exists,
    // searched in quarter hours.
    (1..=8 * 24)
        .filter_map(|quarter| midnight.checked_add_signed(Duration::minutes(15 * quarter)))
        .find_map(|time| zone.from_local_datetime(&time).earliest())
        .map_or_else(|| midnight.and_utc(), |start| start.to_utc())
}

fn after(day: Day) -> Day {
    day.succ_opt().unwrap_or(day)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn minutes((year, month, day): (i32, u32, u32), zone: Zone) -> i64 {
        let day = NaiveDate::from_ymd_opt(year, month, day).unwrap();
        (day_start(after(day), zone) - day_start(day, zone)).num_minutes()
    }

    #[test]
    fn e2_days_have_the_hours_their_zone_gives_them() {
        let cases = [
            ((2026, 3, 29), "Europe/Rome", 1380),
            ((2026, 10, 25), "Europe/Rome", 1500),
            ((2026, 11, 22), "Europe/Rome", 1440),
            ((2026, 10, 4), "Australia/Lord_Howe", 1410),
            ((2026, 4, 5), "Australia/Lord_Howe", 1470),
            ((2023, 4, 28), "Africa/Cairo", 1380),
            ((2011, 12, 30), "Pacific/Apia", 0),
        ];
        for (day, zone, expected) in cases {
            assert_eq!(minutes(day, Zone::named(zone).unwrap()), expected, "{day:?} {zone}");
        }
        // Midnight does not exist in Havana on the day summer time begins.
        let day = NaiveDate::from_ymd_opt(2026, 3, 8).unwrap();
        assert_eq!(
            day_of(day_start(day, Zone::named("America/Havana").unwrap()), Zone::named("America/Havana").unwrap()),
            day
        );
    }

    #[test]
    fn e11_a_month_from_the_31st_is_that_month() {
        let now = NaiveDate::from_ymd_opt(2026, 1, 31).unwrap().and_hms_opt(12, 0, 0).unwrap().and_utc();
        let month = Span::month(now, Zone::UTC);
        assert_eq!(
            (month.from.to_rfc3339(), month.until.to_rfc3339()),
            ("2026-01-01T00:00:00+00:00".into(), "2026-02-01T00:00:00+00:00".into())
        );
        let week = Span::week(now, Zone::UTC, Weekday::Sun);
        assert_eq!(week.from.to_rfc3339(), "2026-01-25T00:00:00+00:00");
    }

    #[test]
    fn an_hour_begins_on_the_zones_own_clock_to_the_nanosecond() {
        let hour = |text: &str, zone: &'static str| Span::hour(text.parse().unwrap(), Zone::named(zone).unwrap());
        let begins = |text: &str| text.parse::<Instant>().unwrap();
        for (now, zone, from) in [
            ("2026-11-20T12:34:56.789Z", "UTC", "2026-11-20T12:00:00Z"),
            ("2026-11-20T12:00:00Z", "UTC", "2026-11-20T12:00:00Z"),
            ("2026-11-20T11:59:59.999999999Z", "UTC", "2026-11-20T11:00:00Z"),
            // Half an hour off: 18:04 and 17:59 in India.
            ("2026-11-20T12:34:56.789Z", "Asia/Kolkata", "2026-11-20T12:30:00Z"),
            ("2026-11-20T12:29:59.5Z", "Asia/Kolkata", "2026-11-20T11:30:00Z"),
        ] {
            let from = begins(from);
            assert_eq!(hour(now, zone), Span { from, until: from + Duration::hours(1) }, "{now} {zone}");
        }
    }

    proptest! {
        #[test]
        fn every_moment_lies_in_exactly_one_day(seconds in 0_i64..4_000_000_000, zone in prop::sample::select(Zone::all().collect::<Vec<_>>())) {
            let at = Instant::from_timestamp(seconds, 0).unwrap();
            let day = day_of(at, zone);
            prop_assert!(day_start(day, zone) <= at);
            prop_assert!(at < day_start(after(day), zone));
        }
    }
}
