//! Hours of the local day during which there are no alerts.

use chrono::{Duration, NaiveTime, TimeZone};

use crate::domain::{Instant, Zone};

/// Hours of the local day during which there are no alerts. They may span midnight.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct QuietHours {
    /// Start, as local time of day.
    pub from: NaiveTime,
    /// End, as local time of day (exclusive).
    pub until: NaiveTime,
}

impl QuietHours {
    /// True during quiet hours.
    pub fn hold(self, now: Instant, zone: Zone) -> bool {
        let time = now.with_timezone(&zone).time();
        if self.from <= self.until {
            self.from <= time && time < self.until
        } else {
            time >= self.from || time < self.until
        }
    }

    /// When the quiet hours next end.
    pub(super) fn end(self, now: Instant, zone: Zone) -> Option<Instant> {
        let today = now.with_timezone(&zone).date_naive();
        [Some(today), today.succ_opt()].into_iter().flatten().find_map(|day| {
            // A clock change may skip this time. Quiet hours then end once the clock is past it.
            let end = (0..4).find_map(|hours| {
                let local = day.and_time(self.until).checked_add_signed(Duration::hours(hours))?;
                zone.from_local_datetime(&local).earliest()
            });
            end.map(|end| end.to_utc()).filter(|end| *end > now)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quiet_hours_may_span_midnight() {
        let at = |hour, minute| NaiveTime::from_hms_opt(hour, minute, 0).unwrap();
        let night = QuietHours { from: at(22, 0), until: at(7, 0) };
        let noon = QuietHours { from: at(12, 0), until: at(13, 0) };
        let cases = [
            ("22:00", true, false),
            ("06:59", true, false),
            ("07:00", false, false),
            ("12:30", false, true),
            ("13:00", false, false),
        ];
        for (time, in_night, in_noon) in cases {
            let now: Instant = format!("2026-11-22T{time}:00Z").parse().unwrap();
            assert_eq!((night.hold(now, Zone::UTC), noon.hold(now, Zone::UTC)), (in_night, in_noon), "{time}");
        }
    }
}
