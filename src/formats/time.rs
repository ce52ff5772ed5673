//! Parses timestamps in all notations found in logs.

use std::fmt;

use chrono::{DateTime, NaiveDate, TimeDelta};
use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

use crate::domain::Instant;

/// A timestamp field: text, or a number of seconds, milli-, micro- or nanoseconds since 1970.
///
/// Deserialising never fails; absent or implausible values give `None`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Stamp(pub(crate) Option<Instant>);

/// Parses a text: RFC 3339 with or without fraction and offset (the default is UTC), or a number.
pub(crate) fn parse(text: &str) -> Option<Instant> {
    common(text.as_bytes()).or_else(|| general(text.trim()))
}

/// Converts seconds, milli-, micro- or nanoseconds since 1970, distinguished by magnitude.
pub(crate) fn epoch(count: u64) -> Option<Instant> {
    let count = i64::try_from(count).ok()?;
    match count {
        0 => None,
        1..100_000_000_000 => DateTime::from_timestamp(count, 0),
        100_000_000_000..100_000_000_000_000 => DateTime::from_timestamp_millis(count),
        100_000_000_000_000..100_000_000_000_000_000 => DateTime::from_timestamp_micros(count),
        _ => Some(DateTime::from_timestamp_nanos(count)),
    }
    .and_then(sensible)
}

/// Like [`epoch`], with a fraction, rounded to the microsecond.
pub(crate) fn epoch_float(count: f64) -> Option<Instant> {
    let micros = match count {
        count if count.is_nan() || count <= 0.0 => return None,
        count if count < 1e11 => count * 1e6,
        count if count < 1e14 => count * 1e3,
        count if count < 1e17 => count,
        count => count / 1e3,
    };
    if micros >= 1e18 {
        return None;
    }
    #[allow(clippy::cast_possible_truncation, reason = "above zero and below 10^18")]
    let micros = micros.round() as i64;
    DateTime::from_timestamp_micros(micros).and_then(sensible)
}

/// Fast path for the most common notation, `2026-04-16T16:11:44.822Z`.
fn common(text: &[u8]) -> Option<Instant> {
    let digits = |from: usize, to: usize| -> Option<u32> {
        text[from..to]
            .iter()
            .try_fold(0, |number, byte| byte.is_ascii_digit().then(|| number * 10 + u32::from(byte - b'0')))
    };
    let millis = match text.len() {
        24 if text[19] == b'.' => digits(20, 23)?,
        20 => 0,
        _ => return None,
    };
    let marks = [text[4], text[7], text[10], text[13], text[16], text[text.len() - 1]];
    if &marks != b"--T::Z" {
        return None;
    }
    let date = NaiveDate::from_ymd_opt(i32::try_from(digits(0, 4)?).ok()?, digits(5, 7)?, digits(8, 10)?)?;
    sensible(date.and_hms_milli_opt(digits(11, 13)?, digits(14, 16)?, digits(17, 19)?, millis)?.and_utc())
}

fn general(text: &str) -> Option<Instant> {
    if let Ok(count) = text.parse() {
        return epoch(count);
    }
    if let Ok(count) = text.parse() {
        return epoch_float(count);
    }
    let (date, rest) = text.split_at_checked(10)?;
    let date: NaiveDate = date.parse().ok()?;
    if !date.to_string().eq(&text[..10]) {
        return None;
    }
    let Some(rest) = rest.strip_prefix(['T', 't', ' ', '_']) else {
        return rest.is_empty().then(|| date.and_hms_opt(0, 0, 0)).flatten().map(|at| at.and_utc()).and_then(sensible);
    };
    let (clock, offset) = match rest.find(['Z', 'z', '+', '-', ' ']) {
        Some(at) => (&rest[..at], rest[at..].trim()),
        None => (rest, ""),
    };
    let offset = offset_of(offset)?;
    let (clock, fraction) = clock.split_once(['.', ',']).unwrap_or((clock, ""));
    let mut parts = clock.split(':').map(number);
    let (hour, minute) = (parts.next()??, parts.next()??);
    let second = parts.next().unwrap_or(Some(0))?;
    if parts.next().is_some() || !fraction.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    // A leap second becomes the first second of the next minute.
    let (second, leap) = if second == 60 { (59, 1) } else { (second, 0) };
    let nanos: u32 = format!("{fraction:0<9.9}").parse().ok()?;
    let local = date.and_hms_nano_opt(hour, minute, second, nanos)?.and_utc();
    sensible(local.checked_sub_signed(offset)?.checked_add_signed(TimeDelta::seconds(leap))?)
}

/// `Z`, `+02:00`, `+0200`, `+02`, `UTC`, or empty.
fn offset_of(text: &str) -> Option<TimeDelta> {
    let (sign, digits) = match text.as_bytes() {
        [] | [b'Z' | b'z'] | b"UTC" | b"GMT" => return Some(TimeDelta::zero()),
        [b'+', ..] => (1, &text[1..]),
        [b'-', ..] => (-1, &text[1..]),
        _ => return None,
    };
    let (hours, minutes) = match (digits.len(), digits.split_once(':')) {
        (_, Some((hours, minutes))) => (number(hours)?, number(minutes)?),
        (4, None) => (number(digits.get(..2)?)?, number(digits.get(2..)?)?),
        _ => (number(digits)?, 0),
    };
    (hours < 24 && minutes < 60).then(|| TimeDelta::minutes(sign * (i64::from(hours) * 60 + i64::from(minutes))))
}

fn number(digits: &str) -> Option<u32> {
    (digits.len() == 2 && digits.bytes().all(|byte| byte.is_ascii_digit())).then(|| digits.parse().ok()).flatten()
}

/// Rejects times before 1970 or after 9999, which no correct clock reports.
fn sensible(at: Instant) -> Option<Instant> {
    (0..253_402_300_800).contains(&at.timestamp()).then_some(at)
}

impl<'de> Deserialize<'de> for Stamp {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_any(AnyStamp).map(Self)
    }
}

struct AnyStamp;

impl<'de> Visitor<'de> for AnyStamp {
    type Value = Option<Instant>;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("a time stamp")
    }
    fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
        Ok(parse(text))
    }
    fn visit_u64<E>(self, count: u64) -> Result<Self::Value, E> {
        Ok(epoch(count))
    }
    fn visit_i64<E>(self, _: i64) -> Result<Self::Value, E> {
        Ok(None)
    }
    fn visit_f64<E>(self, count: f64) -> Result<Self::Value, E> {
        Ok(epoch_float(count))
    }
    fn visit_bool<E>(self, _: bool) -> Result<Self::Value, E> {
        Ok(None)
    }
    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(None)
    }
    fn visit_none<E>(self) -> Result<Self::Value, E> {
        Ok(None)
    }
    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Self::Value, A::Error> {
        while items.next_element::<IgnoredAny>()?.is_some() {}
        Ok(None)
    }
    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Self::Value, A::Error> {
        while entries.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn read(json: &str) -> Option<String> {
        let Stamp(at) = serde_json::from_str(json).unwrap();
        at.map(|at| at.to_rfc3339_opts(chrono::SecondsFormat::AutoSi, true))
    }

    #[test]
    fn e6_every_usual_spelling_names_the_same_moment() {
        for json in [
            "\"2026-04-16T16:11:44.822Z\"",
            "\"2026-04-16T16:11:44.822000Z\"",
            "\"2026-04-16T18:11:44.822+02:00\"",
            "\"2026-04-16T10:41:44.822-0530\"",
            "\"2026-04-16 16:11:44,822\"",
            "\"2026-04-16 16:11:44.822 UTC\"",
            "\"2026-04-16t16:11:44.822z\"",
            "1776355904822",
            "1776355904822000",
            "1776355904822000000",
            "1776355904.822",
            "1776355904822.0",
            "\"1776355904822\"",
            "\"1776355904.822\"",
        ] {
            assert_eq!(read(json).as_deref(), Some("2026-04-16T16:11:44.822Z"), "{json}");
        }
        assert_eq!(read("1776355904").as_deref(), Some("2026-04-16T16:11:44Z"));
        assert_eq!(read("\"2026-04-16T16:11:44Z\"").as_deref(), Some("2026-04-16T16:11:44Z"));
        assert_eq!(read("\"2026-04-16\"").as_deref(), Some("2026-04-16T00:00:00Z"));
    }

    #[test]
    fn e6_a_leap_second_is_the_first_of_the_next_minute() {
        assert_eq!(read("\"2016-12-31T23:59:60Z\"").as_deref(), Some("2017-01-01T00:00:00Z"));
        assert_eq!(read("\"2016-12-31T23:59:60.5Z\"").as_deref(), Some("2017-01-01T00:00:00.500Z"));
    }

    #[test]
    fn e6_what_names_no_sensible_moment_is_no_time_stamp() {
        for json in [
            "null",
            "true",
            "{}",
            "[1]",
            "0",
            "-5",
            "-1.5",
            "1e300",
            "\"\"",
            "\"yesterday\"",
            "\"0001-01-01T00:00:00Z\"",
            "\"1969-12-31T23:59:59Z\"",
            "\"10000-01-01T00:00:00Z\"",
            "\"2026-02-30T00:00:00Z\"",
            "\"2026-04-16T24:00:00Z\"",
            "\"2026-04-16T16:11:61Z\"",
            "\"2026-04-16T16:11:44.822+99:00\"",
            "\"2026-04-16T16:11:44é\"",
            "\"NaN\"",
            "18446744073709551615",
        ] {
            assert_eq!(read(json), None, "{json}");
        }
        assert!(read("\"9999-12-31T23:59:59Z\"").is_some() && read("\"1970-01-01T00:00:00Z\"").is_some());
    }

    proptest! {
        #[test]
        fn what_is_written_reads_back(millis in 0_i64..253_402_300_799_999) {
            let at = DateTime::from_timestamp_millis(millis).unwrap();
            for text in [
                at.to_rfc3339_opts(chrono::SecondsFormat::Millis, true),
                at.to_rfc3339(),
                at.with_timezone(&crate::domain::Zone::named("Asia/Kathmandu").unwrap()).to_rfc3339(),
            ] {
                // An offset may move the local year beyond four digits.
                if text.len() < 36 && !text.starts_with('+') {
                    prop_assert_eq!(parse(&text), Some(at), "{}", text);
                }
            }
        }

        #[test]
        fn no_text_panics(text in "\\PC{0,40}", digits in "[0-9T:.Z+ -]{0,40}") {
            parse(&text);
            parse(&digits);
        }
    }
}
