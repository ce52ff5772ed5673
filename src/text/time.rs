//! Formats times and durations.

use chrono::{Datelike, Duration, Timelike};

use super::number::plural;
use crate::domain::{Day, Instant, Zone, day_of};

/// A duration in words: `45 seconds`, `23 minutes`, `1 hour 5 minutes`, `2 days 3 hours`.
pub(crate) fn duration(length: Duration) -> String {
    let seconds = u64::try_from(length.num_seconds()).unwrap_or(0);
    let (minutes, hours, days) = (seconds / 60, seconds / 3600, seconds / 86_400);
    let two = |first: String, rest: u64, noun: &str| {
        if rest == 0 { first } else { format!("{first} {}", plural(rest, noun)) }
    };
    match (days, hours, minutes) {
        (0, 0, 0) => plural(seconds, "second"),
        (0, 0, minutes) => plural(minutes, "minute"),
        (0, hours, minutes) => two(plural(hours, "hour"), minutes % 60, "minute"),
        (days, hours, _) => two(plural(days, "day"), hours % 24, "hour"),
    }
}

/// A short duration: `45s`, `23m 12s`, `1h 05m`, `2d 3h`.
pub(crate) fn duration_short(length: Duration) -> String {
    let seconds = u64::try_from(length.num_seconds()).unwrap_or(0);
    let (minutes, hours, days) = (seconds / 60, seconds / 3600, seconds / 86_400);
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{seconds}s"),
        (0, 0, minutes) => format!("{minutes}m {:02}s", seconds % 60),
        (0, hours, minutes) => format!("{hours}h {:02}m", minutes % 60),
        (days, hours, _) => format!("{days}d {}h", hours % 24),
    }
}

/// Local time of day with seconds: `14:02:09`.
pub(crate) fn clock_seconds(at: Instant, zone: Zone) -> String {
    let at = at.with_timezone(&zone);
    format!("{:02}:{:02}:{:02}", at.hour(), at.minute(), at.second())
}

/// Local time of day: `14:02`.
pub(crate) fn clock(at: Instant, zone: Zone) -> String {
    let at = at.with_timezone(&zone);
    format!("{:02}:{:02}", at.hour(), at.minute())
}

/// Local day and time for the screen's header: `Sun 22 Nov 14:02`.
pub(crate) fn header_time(at: Instant, zone: Zone) -> String {
    at.with_timezone(&zone).format("%a %-d %b %H:%M").to_string()
}

/// Local date and time in full: `2026-11-22 16:40`.
pub(crate) fn minute(at: Instant, zone: Zone) -> String {
    at.with_timezone(&zone).format("%Y-%m-%d %H:%M").to_string()
}

/// A time relative to `now`, as short as it can be without ambiguity: `16:40` today, `Mon 09:00` within a week, `1 Dec`
/// this year, `1 Dec 2027` beyond that. The coming midnight is `00:00`.
pub(crate) fn moment(at: Instant, now: Instant, zone: Zone) -> String {
    let (day, today) = (day_of(at, zone), day_of(now, zone));
    let local = at.with_timezone(&zone);
    let days = (day - today).num_days();
    let next_midnight = days == 1 && local.time() == chrono::NaiveTime::MIN;
    let form = if days == 0 || next_midnight {
        "%H:%M"
    } else if (-6..7).contains(&days) {
        "%a %H:%M"
    } else if day.year() == today.year() {
        "%-d %b"
    } else {
        "%-d %b %Y"
    };
    local.format(form).to_string()
}

/// A past time in the style of [`moment`], which includes the time of day even if it is weeks ago: `2 Nov 09:14`.
pub(crate) fn moment_full(at: Instant, now: Instant, zone: Zone) -> String {
    let (day, today) = (day_of(at, zone), day_of(now, zone));
    if (day - today).num_days() >= -6 || day.year() != today.year() {
        return moment(at, now, zone);
    }
    at.with_timezone(&zone).format("%-d %b %H:%M").to_string()
}

/// A day: `Sun 22 Nov`, with the year if it differs from `now`'s.
pub(crate) fn day_name(day: Day, today: Day) -> String {
    let form = if day.year() == today.year() { "%a %-d %b" } else { "%a %-d %b %Y" };
    day.format(form).to_string()
}

/// A month: `Nov 2026`.
pub(crate) fn month_name(day: Day) -> String {
    day.format("%b %Y").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_words() {
        let cases = [
            (0, "0 seconds", "0s"),
            (1, "1 second", "1s"),
            (1392, "23 minutes", "23m 12s"),
            (60, "1 minute", "1m 00s"),
            (3900, "1 hour 5 minutes", "1h 05m"),
            (7200, "2 hours", "2h 00m"),
            (183_600, "2 days 3 hours", "2d 3h"),
            (-5, "0 seconds", "0s"),
        ];
        for (seconds, words, short) in cases {
            let length = Duration::seconds(seconds);
            assert_eq!((duration(length).as_str(), duration_short(length).as_str()), (words, short));
        }
    }

    #[test]
    fn moments_say_as_much_as_they_must() {
        let now: Instant = "2026-11-22T13:02:00Z".parse().unwrap();
        let zone = Zone::named("Europe/Rome").unwrap();
        let cases = [
            ("2026-11-22T15:40:00Z", "16:40"),
            ("2026-11-22T23:00:00Z", "00:00"),
            ("2026-11-23T08:00:00Z", "Mon 09:00"),
            ("2026-11-30T23:00:00Z", "1 Dec"),
            ("2027-11-30T23:00:00Z", "1 Dec 2027"),
        ];
        for (at, text) in cases {
            assert_eq!(moment(at.parse().unwrap(), now, zone), text);
        }
        assert_eq!(moment_full("2026-11-20T08:14:00Z".parse().unwrap(), now, zone), "Fri 09:14");
        assert_eq!(moment_full("2026-11-02T08:14:00Z".parse().unwrap(), now, zone), "2 Nov 09:14");
        assert_eq!(header_time(now, zone), "Sun 22 Nov 14:02");
    }
}
