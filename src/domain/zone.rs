//! Named time zones for chrono.
//!
//! The rules of the IANA database are compiled in, so a name means the same on every machine. They are static data: the
//! five hundred unused zones cost nothing at startup.

use std::fmt;
use std::str::FromStr;

use chrono::{Datelike, FixedOffset, MappedLocalTime, NaiveDate, NaiveDateTime, Offset, TimeZone, Timelike};
use tz::datetime::FoundDateTimeKind;
use tz::timezone::Transition;
use tz::{LocalTimeType, TimeZoneRef};

/// The time zone that decides when a day begins.
#[derive(Clone, Copy)]
pub struct Zone {
    name: &'static str,
    rules: &'static TimeZoneRef<'static>,
}

impl Zone {
    /// Coordinated Universal Time.
    pub const UTC: Self = Self { name: "UTC", rules: &tzdb_data::time_zone::UTC };

    /// The name in the IANA database, such as `Europe/Rome`.
    pub fn name(self) -> &'static str {
        self.name
    }

    /// The zone with this IANA name, spelt exactly.
    pub const fn named(name: &'static str) -> Option<Self> {
        match tzdb_data::find_tz(name.as_bytes()) {
            Some(rules) => Some(Self { name, rules }),
            None => None,
        }
    }

    /// All zones, by name.
    pub fn all() -> impl Iterator<Item = Self> {
        tzdb_data::TZ_NAMES.iter().filter_map(|name| Self::named(name))
    }
}

/// Error for an unknown zone name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no time zone has this name")]
pub struct NoSuchZone;

impl FromStr for Zone {
    type Err = NoSuchZone;

    /// Parses an IANA name, ignoring case.
    fn from_str(name: &str) -> Result<Self, NoSuchZone> {
        let known = tzdb_data::TZ_NAMES.iter().find(|known| known.eq_ignore_ascii_case(name));
        known.and_then(|known| Self::named(known)).ok_or(NoSuchZone)
    }
}

impl PartialEq for Zone {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

impl Eq for Zone {}

impl fmt::Display for Zone {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.name)
    }
}

impl fmt::Debug for Zone {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.name)
    }
}

impl TimeZone for Zone {
    type Offset = ZoneOffset;

    fn from_offset(offset: &ZoneOffset) -> Self {
        offset.zone
    }

    fn offset_from_local_date(&self, local: &NaiveDate) -> MappedLocalTime<ZoneOffset> {
        self.offset_from_local_datetime(&local.and_time(chrono::NaiveTime::MIN))
    }

    fn offset_from_local_datetime(&self, local: &NaiveDateTime) -> MappedLocalTime<ZoneOffset> {
        let part = |number: u32| u8::try_from(number).unwrap_or(0);
        let found = tz::DateTime::find(
            local.year(),
            part(local.month()),
            part(local.day()),
            part(local.hour()),
            part(local.minute()),
            part(local.second()),
            0,
            *self.rules,
        );
        let mut offsets =
            found.into_iter().flat_map(tz::datetime::FoundDateTimeList::into_inner).filter_map(|kind| match kind {
                FoundDateTimeKind::Normal(moment) => Some(ZoneOffset { zone: *self, local: *moment.local_time_type() }),
                FoundDateTimeKind::Skipped { .. } => None,
            });
        match (offsets.next(), offsets.next_back()) {
            (None, _) => MappedLocalTime::None,
            (Some(only), None) => MappedLocalTime::Single(only),
            (Some(first), Some(last)) => MappedLocalTime::Ambiguous(first, last),
        }
    }

    fn offset_from_utc_date(&self, utc: &NaiveDate) -> ZoneOffset {
        self.offset_from_utc_datetime(&utc.and_time(chrono::NaiveTime::MIN))
    }

    fn offset_from_utc_datetime(&self, utc: &NaiveDateTime) -> ZoneOffset {
        // Fails only past the end of rules that do not cover future years.
        let local = self.rules.find_local_time_type(utc.and_utc().timestamp()).or_else(|_| {
            let last = self.rules.transitions().last().map_or(0, Transition::local_time_type_index);
            self.rules.local_time_types().get(last).ok_or(())
        });
        ZoneOffset { zone: *self, local: local.copied().unwrap_or(LocalTimeType::utc()) }
    }
}

/// A zone's offset from UTC at one time, with its abbreviation.
#[derive(Clone, Copy)]
pub struct ZoneOffset {
    zone: Zone,
    local: LocalTimeType,
}

impl Offset for ZoneOffset {
    fn fix(&self) -> FixedOffset {
        // The database has no offset of a day or more.
        FixedOffset::east_opt(self.local.ut_offset()).unwrap_or_else(|| chrono::Utc.fix())
    }
}

impl fmt::Display for ZoneOffset {
    /// The abbreviation, such as `CET`, or the offset if there is none.
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.local.time_zone_designation() {
            "" => self.fix().fmt(out),
            short => out.write_str(short),
        }
    }
}

impl fmt::Debug for ZoneOffset {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{self}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROME: Zone = Zone::named("Europe/Rome").unwrap();

    fn at(text: &str) -> NaiveDateTime {
        text.parse().unwrap()
    }

    #[test]
    fn a_name_is_known_in_any_capitals_and_shown_as_the_database_spells_it() {
        assert_eq!("europe/ROME".parse(), Ok(ROME));
        assert_eq!("europe/ROME".parse::<Zone>().unwrap().to_string(), "Europe/Rome");
        assert_eq!("UTC".parse(), Ok(Zone::UTC));
        assert_eq!("Mars/Base".parse::<Zone>(), Err(NoSuchZone));
        assert!(Zone::all().count() > 500);
    }

    #[test]
    fn a_local_time_exists_once_twice_or_never() {
        let offsets = |text| ROME.offset_from_local_datetime(&at(text)).map(|offset| offset.to_string());
        assert_eq!(offsets("2026-07-01T12:00:00"), MappedLocalTime::Single("CEST".to_owned()));
        assert_eq!(offsets("2026-03-29T02:30:00"), MappedLocalTime::None);
        let (first, second) = ("CEST".to_owned(), "CET".to_owned());
        assert_eq!(offsets("2026-10-25T02:30:00"), MappedLocalTime::Ambiguous(first, second));
    }

    #[test]
    fn every_moment_has_an_offset_even_after_the_last_rule() {
        for zone in Zone::all() {
            for moment in ["0001-01-01T00:00:00", "1969-12-31T23:59:59", "2026-07-01T12:00:00", "9999-12-31T23:59:59"] {
                let offset = zone.offset_from_utc_datetime(&at(moment));
                assert!(offset.fix().local_minus_utc().abs() < 16 * 3600, "{zone} {moment}");
                assert!(!offset.to_string().is_empty(), "{zone} {moment}");
            }
        }
        let tokyo = "Asia/Tokyo".parse::<Zone>().unwrap();
        assert_eq!(tokyo.offset_from_utc_datetime(&at("9999-12-31T23:59:59")).fix().local_minus_utc(), 9 * 3600);
    }
}
