//! Hours of the day with different rates.

use std::fmt;

use chrono::{Datelike as _, Timelike as _, Weekday};

use crate::domain::{Day, Instant};

/// Hours of the day in UTC, either every day or Monday to Friday.
///
/// The text form is `01:00-04:00+06:00-10:00/mon-fri`. A span whose end is before its start crosses midnight.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Hours {
    /// Minutes since midnight: start, and end (exclusive).
    spans: Vec<(u32, u32)>,
    weekdays: bool,
}

/// First days on which the rates for certain hours apply.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct HoursFrom {
    /// Every day from this day on; `None` means always.
    pub(super) every_day: Option<Day>,
    /// On weekdays only, from this day on.
    pub(super) weekdays: Option<Day>,
}

const WEEKDAYS: &str = "/mon-fri";

impl Hours {
    /// These spans on every day, given as `HH:MM` texts; `None` if one is invalid or there are none.
    pub(crate) fn from_spans(spans: &[(&str, &str)]) -> Option<Self> {
        let spans: Option<Vec<_>> = spans.iter().map(|(from, to)| Some((minute(from)?, minute(to)?))).collect();
        spans.filter(|spans| !spans.is_empty()).map(|spans| Self { spans, weekdays: false })
    }

    /// Restricts the hours to Monday to Friday.
    pub(crate) fn on_weekdays(self) -> Self {
        Self { weekdays: true, ..self }
    }

    /// Parses the text form.
    pub(crate) fn read(text: &str) -> Option<Self> {
        let (text, weekdays) = match text.strip_suffix(WEEKDAYS) {
            Some(text) => (text, true),
            None => (text, false),
        };
        let spans: Option<Vec<_>> = text.split('+').map(|span| span.split_once('-')).collect();
        Some(Self { weekdays, ..Self::from_spans(&spans?)? })
    }

    /// True when the time is within the hours.
    pub(crate) fn contains(&self, at: Instant) -> bool {
        let now = at.hour() * 60 + at.minute();
        let is_weekend = matches!(at.weekday(), Weekday::Sat | Weekday::Sun);
        let within = |(from, to): &(u32, u32)| {
            if from < to { (*from..*to).contains(&now) } else { now >= *from || now < *to }
        };
        !(self.weekdays && is_weekend) && self.spans.iter().any(within)
    }
}

impl fmt::Display for Hours {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut gap = "";
        for (from, to) in &self.spans {
            write!(out, "{gap}{:02}:{:02}-{:02}:{:02}", from / 60, from % 60, to / 60, to % 60)?;
            gap = "+";
        }
        if self.weekdays { out.write_str(WEEKDAYS) } else { Ok(()) }
    }
}

/// Minute of the day of `HH:MM`; `24:00` is the end of the day.
fn minute(text: &str) -> Option<u32> {
    let (hour, minute) = text.split_once(':')?;
    let (hour, minute): (u32, u32) = (hour.parse().ok()?, minute.parse().ok()?);
    let at = hour.checked_mul(60)?.checked_add(minute)?;
    (minute < 60 && at <= 24 * 60).then_some(at)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hours_hold_from_their_first_minute_to_the_one_before_their_end() {
        let hours = Hours::read("01:00-04:00+06:00-10:00/mon-fri").unwrap();
        assert_eq!(hours.to_string(), "01:00-04:00+06:00-10:00/mon-fri");
        // 2026-11-20 is a Friday.
        let at = |text: &str| hours.contains(text.parse().unwrap());
        for (time, within) in [
            ("2026-11-20T00:59:59.999Z", false),
            ("2026-11-20T01:00:00Z", true),
            ("2026-11-20T03:59:59.999Z", true),
            ("2026-11-20T04:00:00Z", false),
            ("2026-11-20T06:00:00Z", true),
            ("2026-11-20T10:00:00Z", false),
            ("2026-11-21T07:00:00Z", false),
            ("2026-11-22T07:00:00Z", false),
            ("2026-11-23T07:00:00Z", true),
        ] {
            assert_eq!(at(time), within, "{time}");
        }
    }

    #[test]
    fn hours_may_run_past_midnight() {
        let hours = Hours::from_spans(&[("16:30", "00:30")]).unwrap();
        let at = |text: &str| hours.contains(format!("2025-05-03T{text}:00Z").parse().unwrap());
        assert_eq!([at("16:29"), at("16:30"), at("23:59"), at("00:29"), at("00:30")], [false, true, true, true, false]);
    }

    #[test]
    fn what_is_no_time_of_day_is_refused() {
        for text in ["", "1-2", "01:00", "25:00-26:00", "01:60-02:00", "01:00-04:00+", "/mon-fri", "a:b-c:d"] {
            assert_eq!(Hours::read(text), None, "{text}");
        }
    }
}
