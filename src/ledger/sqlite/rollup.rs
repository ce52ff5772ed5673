//! Packed sums by quarter hour, one record per UTC day. Reading a year takes a few milliseconds.
//!
//! An entry consists of the quarter's number within the day (one byte) and the twelve numbers of [`Sums`] as
//! variable-length integers, seven bits per byte, lowest first. Money, which may be negative, is zigzag-encoded.
//! Entries are sorted by time.

use std::collections::BTreeMap;

use rusqlite::types::Type;
use rusqlite::{Error, Result};

use crate::domain::{Tokens, Usd};
use crate::ledger::Sums;

/// Quarter hours in a UTC day.
pub(super) const QUARTERS: i64 = 96;

/// Sums to add and to subtract.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Delta {
    pub(super) add: Sums,
    pub(super) sub: Sums,
}

impl Delta {
    /// A delta that adds these sums and subtracts nothing.
    pub(super) fn from_sums(add: Sums) -> Self {
        Self { add, sub: Sums::default() }
    }

    /// Adds another delta to this one.
    pub(super) fn and(&mut self, other: &Self) {
        self.add.add(&other.add);
        self.sub.add(&other.sub);
    }
}

/// True when a count might saturate in between, which would make subtraction wrong.
pub(super) fn may_overflow(packed: &[u8], deltas: &[(u8, Delta)]) -> Result<bool> {
    if deltas.iter().all(|(_, delta)| delta.sub == Sums::default()) {
        return Ok(false);
    }
    let huge = |sums: &Sums| {
        let counts = [sums.calls, sums.unpriced_tokens, sums.lower_bound_calls, sums.guessed_calls];
        let usd = |usd: Usd| usd.pico().unsigned_abs() > i128::MAX.unsigned_abs() / 2;
        sums.tokens.fields().iter().chain(&counts).any(|count| *count > u64::MAX / 2)
            || usd(sums.cost)
            || usd(sums.saved)
    };
    let kept: Result<Vec<(u8, Sums)>> = entries(packed).collect();
    Ok(kept?.iter().any(|(_, sums)| huge(sums)) || deltas.iter().any(|(_, delta)| huge(&delta.add)))
}

/// Applies deltas to a packed day; `None` when it becomes empty.
pub(super) fn apply(packed: &[u8], deltas: &[(u8, Delta)]) -> Result<Option<Vec<u8>>> {
    let mut day = BTreeMap::new();
    for entry in entries(packed) {
        let (quarter, sums) = entry?;
        day.insert(quarter, sums);
    }
    for (quarter, delta) in deltas {
        let sums: &mut Sums = day.entry(*quarter).or_default();
        sums.add(&delta.add);
        sums.sub(&delta.sub);
    }
    day.retain(|_, sums| *sums != Sums::default());
    Ok((!day.is_empty()).then(|| pack(&day)))
}

fn pack(day: &BTreeMap<u8, Sums>) -> Vec<u8> {
    let mut out = Vec::with_capacity(day.len() * 40);
    for (quarter, sums) in day {
        out.push(*quarter);
        put(&mut out, sums.calls.into());
        for count in sums.tokens.fields() {
            put(&mut out, count.into());
        }
        put(&mut out, fold(sums.cost));
        put(&mut out, fold(sums.saved));
        for count in [sums.unpriced_tokens, sums.lower_bound_calls, sums.guessed_calls] {
            put(&mut out, count.into());
        }
    }
    out
}

fn put(out: &mut Vec<u8>, mut number: u128) {
    loop {
        let low = number.to_le_bytes()[0] & 0x7f;
        number >>= 7;
        if number == 0 {
            return out.push(low);
        }
        out.push(low | 0x80);
    }
}

fn fold(usd: Usd) -> u128 {
    let pico = usd.pico();
    ((pico << 1) ^ (pico >> 127)).cast_unsigned()
}

fn unfold(folded: u128) -> Usd {
    Usd::from_pico((folded >> 1).cast_signed() ^ -(folded & 1).cast_signed())
}

/// Iterates over a packed day, giving the quarter within the day and its sums.
pub(super) fn entries(packed: &[u8]) -> Entries<'_> {
    Entries { rest: packed }
}

/// Decoder of a packed day.
pub(super) struct Entries<'a> {
    rest: &'a [u8],
}

impl Iterator for Entries<'_> {
    type Item = Result<(u8, Sums)>;

    fn next(&mut self) -> Option<Self::Item> {
        let (quarter, rest) = self.rest.split_first()?;
        self.rest = rest;
        let sums = self.sums().filter(|_| i64::from(*quarter) < QUARTERS);
        if sums.is_none() {
            self.rest = &[];
        }
        Some(sums.map(|sums| (*quarter, sums)).ok_or_else(|| {
            Error::FromSqlConversionFailure(0, Type::Blob, "a day's sums are cut off or out of range".into())
        }))
    }
}

impl Entries<'_> {
    fn sums(&mut self) -> Option<Sums> {
        let calls = self.count()?;
        let mut fields = [0; 6];
        for field in &mut fields {
            *field = self.count()?;
        }
        Some(Sums {
            calls,
            tokens: Tokens::from_fields(fields),
            cost: unfold(self.number()?),
            saved: unfold(self.number()?),
            unpriced_tokens: self.count()?,
            lower_bound_calls: self.count()?,
            guessed_calls: self.count()?,
        })
    }

    /// Decodes a number of at most eight bytes, as nearly all are, with word-wide operations.
    #[inline]
    fn short(&mut self) -> Option<u64> {
        const LAST: u64 = 0x8080_8080_8080_8080;
        let (eight, _) = self.rest.split_first_chunk::<8>()?;
        let bytes = u64::from_le_bytes(*eight);
        let ends = !bytes & LAST;
        if ends == 0 {
            return None;
        }
        // Keep the number's bytes, without the continuation bits.
        let bytes = bytes & (ends ^ (ends - 1)) & !LAST;
        let pairs = (bytes & 0x007f_007f_007f_007f) | ((bytes & 0x7f00_7f00_7f00_7f00) >> 1);
        let fours = (pairs & 0x0000_3fff_0000_3fff) | ((pairs & 0x3fff_0000_3fff_0000) >> 2);
        let length = usize::try_from(ends.trailing_zeros() / 8 + 1).ok()?;
        self.rest = self.rest.get(length..)?;
        Some((fours & 0x0fff_ffff) | ((fours & 0x0fff_ffff_0000_0000) >> 4))
    }

    #[inline]
    fn count(&mut self) -> Option<u64> {
        if let [byte @ 0..0x80, rest @ ..] = self.rest {
            self.rest = rest;
            return Some(u64::from(*byte));
        }
        self.short().or_else(|| self.long_count())
    }

    #[inline]
    fn number(&mut self) -> Option<u128> {
        self.short().map(u128::from).or_else(|| self.long_number())
    }

    #[cold]
    fn long_count(&mut self) -> Option<u64> {
        let (mut number, mut shift) = (0_u64, 0);
        for (at, byte) in self.rest.iter().enumerate() {
            number |= u64::from(byte & 0x7f).checked_shl(shift)?;
            shift += 7;
            if byte & 0x80 == 0 {
                self.rest = &self.rest[at + 1..];
                return Some(number);
            }
        }
        None
    }

    #[cold]
    fn long_number(&mut self) -> Option<u128> {
        let (mut number, mut shift) = (0_u128, 0);
        for (at, byte) in self.rest.iter().enumerate() {
            number |= u128::from(byte & 0x7f).checked_shl(shift)?;
            shift += 7;
            if byte & 0x80 == 0 {
                self.rest = &self.rest[at + 1..];
                return Some(number);
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn sums() -> impl Strategy<Value = Sums> {
        (prop::array::uniform6(any::<u64>()), any::<[u64; 4]>(), any::<i128>(), any::<i64>()).prop_map(
            |(fields, counts, cost, saved)| Sums {
                calls: counts[0],
                tokens: Tokens::from_fields(fields),
                cost: Usd::from_pico(cost),
                saved: Usd::from_pico(saved.into()),
                unpriced_tokens: counts[1],
                lower_bound_calls: counts[2],
                guessed_calls: counts[3],
            },
        )
    }

    #[test]
    fn nothing_is_subtracted_from_sums_that_may_have_reached_the_largest_number() {
        let one = Sums { calls: 1, ..Sums::default() };
        let less = |add: Sums| [(3, Delta { add, sub: one })];
        let more = [(3, Delta { add: one, sub: Sums::default() })];
        let (count, usd) = (u64::MAX / 2 + 1, Usd::from_pico(i128::MAX / 2 + 1));
        for huge in [
            Sums { calls: count, ..Sums::default() },
            Sums { unpriced_tokens: count, ..Sums::default() },
            Sums { lower_bound_calls: count, ..Sums::default() },
            Sums { guessed_calls: count, ..Sums::default() },
            Sums { tokens: Tokens { cache_write_1h: count, ..Tokens::ZERO }, ..Sums::default() },
            Sums { cost: usd, ..Sums::default() },
            Sums { cost: Usd::ZERO - usd, ..Sums::default() },
            Sums { saved: usd, ..Sums::default() },
            Sums { saved: Usd::ZERO - usd, ..Sums::default() },
        ] {
            let packed = pack(&BTreeMap::from([(0, huge)]));
            assert!(may_overflow(&packed, &less(Sums::default())).unwrap(), "{huge:?}");
            assert!(may_overflow(&[], &less(huge)).unwrap(), "{huge:?}");
            assert!(!may_overflow(&packed, &more).unwrap(), "adding stops there");
        }
        let half = Usd::from_pico(i128::MAX / 2);
        let half = Sums { calls: u64::MAX / 2, cost: half, saved: half, ..Sums::default() };
        assert!(!may_overflow(&pack(&BTreeMap::from([(0, half)])), &less(half)).unwrap());
    }

    proptest! {
        #[test]
        fn a_packed_day_reads_back_as_it_was(day in prop::collection::btree_map(0_u8..96, sums(), 0..5)) {
            let read: Result<BTreeMap<u8, Sums>> = entries(&pack(&day)).collect();
            prop_assert_eq!(read.unwrap(), day);
        }

        #[test]
        fn what_is_added_and_taken_out_again_leaves_nothing(sums in sums(), quarter in 0_u8..96) {
            let whole = Delta { add: sums, sub: Sums::default() };
            let packed = apply(&[], &[(quarter, whole)]).unwrap().unwrap_or_default();
            prop_assert_eq!(apply(&packed, &[(quarter, Delta { add: Sums::default(), sub: sums })]).unwrap(), None);
        }

        #[test]
        fn d5_damaged_sums_are_an_error_and_never_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
            let read: Vec<_> = entries(&bytes).collect();
            // An error ends the list, and no entry is shorter than its thirteen numbers.
            let sound = read.iter().take_while(|entry| entry.is_ok()).count();
            prop_assert!(read.len() <= sound + 1 && sound * 13 <= bytes.len());
        }

        #[test]
        fn d5_a_day_that_is_cut_off_or_out_of_range_is_an_error(
            sums in sums(),
            quarter in 0_u8..96,
            wrong in 96_u8..,
            cut in any::<prop::sample::Index>(),
        ) {
            let mut packed = pack(&BTreeMap::from([(quarter, sums)]));
            let rest = packed.split_off(1 + cut.index(packed.len() - 1));
            prop_assert!(entries(&packed).all(|entry| entry.is_err()));
            packed.extend(rest);
            packed[0] = wrong;
            prop_assert!(entries(&packed).all(|entry| entry.is_err()));
        }
    }
}
