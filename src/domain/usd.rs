//! Exact amounts of money.

use std::fmt;
use std::iter::Sum;
use std::ops::{Add, AddAssign, Neg, Sub, SubAssign};

/// An exact amount of US dollars, in pico-dollars.
///
/// Price lists quote dollars per million tokens with at most six decimals, and a millionth of a dollar per million
/// tokens is one pico-dollar per token. So every cost is an integer, and subtracting a call from a total leaves no
/// remainder.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Usd(i128);

/// Number of decimal places stored.
const DECIMALS: usize = 12;

impl Usd {
    /// Zero dollars.
    pub const ZERO: Self = Self(0);
    /// One dollar.
    pub const ONE: Self = Self(1_000_000_000_000);

    /// An amount of pico-dollars (10⁻¹² dollars).
    pub const fn from_pico(pico: i128) -> Self {
        Self(pico)
    }

    /// An amount of micro-dollars.
    pub const fn from_micro(micro: i64) -> Self {
        Self(micro as i128 * 1_000_000)
    }

    /// The amount in pico-dollars.
    pub const fn pico(self) -> i128 {
        self.0
    }

    /// Multiplies by a number of tokens, saturating.
    #[must_use]
    pub fn times(self, count: u64) -> Self {
        Self(self.0.saturating_mul(i128::from(count)))
    }

    /// Multiplies by an exact ratio. The result is rounded once, half to even, to the pico-dollar.
    #[must_use]
    pub fn scaled(self, ratio: Ratio) -> Self {
        if ratio == Ratio::ONE {
            return self;
        }
        let (num, den) = (i128::from(ratio.num), i128::from(ratio.den));
        Self(round_half_even(self.0.saturating_mul(num), den))
    }

    /// The amount in units of 10⁻ᵈᵉᶜⁱᵐᵃˡˢ dollars, rounded half to even, for display.
    pub fn rounded(self, decimals: usize) -> i128 {
        let cut = u32::try_from(DECIMALS.saturating_sub(decimals)).unwrap_or(0);
        round_half_even(self.0, 10_i128.pow(cut))
    }

    /// True for amounts below zero.
    pub const fn is_negative(self) -> bool {
        self.0 < 0
    }

    /// Parses a decimal number of dollars without using floats.
    ///
    /// Accepts `12`, `0.50`, `.5`, `1e-7`. The flag is false if the text had to be rounded to the nearest pico-dollar.
    ///
    /// # Errors
    /// When the text is not a decimal number, or is out of this type's range.
    pub fn parse(text: &str) -> Result<(Self, bool), ParseUsdError> {
        let text = text.trim();
        let (negative, digits) = match text.as_bytes().first() {
            Some(b'-') => (true, &text[1..]),
            Some(b'+') => (false, &text[1..]),
            _ => (false, text),
        };
        let (mantissa, exponent) = match digits.find(['e', 'E']) {
            Some(at) => (&digits[..at], digits[at + 1..].parse::<i32>().map_err(|_| ParseUsdError::NotANumber)?),
            None => (digits, 0),
        };
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        if whole.is_empty() && fraction.is_empty() {
            return Err(ParseUsdError::NotANumber);
        }
        if !whole.bytes().chain(fraction.bytes()).all(|byte| byte.is_ascii_digit()) {
            return Err(ParseUsdError::NotANumber);
        }
        // The value is `all digits × 10^scale` dollars, plus twelve places for pico-dollars.
        let fraction_len = i32::try_from(fraction.len()).map_err(|_| ParseUsdError::TooLarge)?;
        let scale = exponent.saturating_sub(fraction_len).saturating_add(12);
        let all: String = [whole, fraction].concat();
        let all = all.trim_start_matches('0');
        let (pico, exact) = shift(all, scale)?;
        Ok((Self(if negative { -pico } else { pico }), exact))
    }
}

/// `digits × 10^scale` as an integer, rounded half to even. The flag is true if it was exact.
fn shift(digits: &str, scale: i32) -> Result<(i128, bool), ParseUsdError> {
    if digits.is_empty() {
        return Ok((0, true));
    }
    let length = i32::try_from(digits.len()).map_err(|_| ParseUsdError::TooLarge)?;
    if length.saturating_add(scale) > 36 {
        return Err(ParseUsdError::TooLarge);
    }
    if scale >= 0 {
        let number: i128 = digits.parse().map_err(|_| ParseUsdError::TooLarge)?;
        let power = 10_i128.pow(u32::try_from(scale).map_err(|_| ParseUsdError::TooLarge)?);
        return number.checked_mul(power).map(|pico| (pico, true)).ok_or(ParseUsdError::TooLarge);
    }
    let kept = usize::try_from(length.saturating_add(scale).max(0)).unwrap_or(0);
    let (whole, rest) = digits.split_at(kept);
    let whole: i128 = if whole.is_empty() { 0 } else { whole.parse().map_err(|_| ParseUsdError::TooLarge)? };
    // With leading zeros after the decimal point, the digits are too small to matter.
    let gap = length.saturating_add(scale) < 0;
    let exact = rest.bytes().all(|byte| byte == b'0');
    let half = if gap {
        std::cmp::Ordering::Less
    } else {
        rest.as_bytes()[0].cmp(&b'5').then(if rest.bytes().skip(1).any(|byte| byte != b'0') {
            std::cmp::Ordering::Greater
        } else {
            std::cmp::Ordering::Equal
        })
    };
    let up = match half {
        std::cmp::Ordering::Less => 0,
        std::cmp::Ordering::Equal => whole & 1,
        std::cmp::Ordering::Greater => 1,
    };
    Ok((whole + up, exact))
}

fn round_half_even(number: i128, divisor: i128) -> i128 {
    // Nearly every amount fits in 64 bits, in which a division takes a tenth of the time.
    let small = i64::try_from(number).ok().zip(i64::try_from(divisor).ok());
    let (quotient, rest) = small.map_or_else(
        || (number.div_euclid(divisor), number.rem_euclid(divisor)),
        |(number, divisor)| (number.div_euclid(divisor).into(), number.rem_euclid(divisor).into()),
    );
    let up = match (rest * 2).cmp(&divisor) {
        std::cmp::Ordering::Less => 0,
        std::cmp::Ordering::Equal => quotient & 1,
        std::cmp::Ordering::Greater => 1,
    };
    quotient + up
}

/// Why a text is not a dollar amount.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ParseUsdError {
    /// Not a decimal number.
    #[error("not a decimal number of dollars")]
    NotANumber,
    /// Out of range.
    #[error("larger than any amount of dollars that can be held")]
    TooLarge,
}

/// Plain decimals without trailing zeros: `0.007`, `1.234567`, `-3`.
impl fmt::Display for Usd {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.0 < 0 { "-" } else { "" };
        let pico = self.0.unsigned_abs();
        let one = Self::ONE.0.unsigned_abs();
        let (whole, rest) = (pico / one, pico % one);
        if rest == 0 {
            return write!(out, "{sign}{whole}");
        }
        let rest = format!("{rest:0DECIMALS$}");
        write!(out, "{sign}{whole}.{}", rest.trim_end_matches('0'))
    }
}

impl Add for Usd {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }
}
impl AddAssign for Usd {
    fn add_assign(&mut self, other: Self) {
        *self = *self + other;
    }
}
impl Sub for Usd {
    type Output = Self;
    fn sub(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0))
    }
}
impl SubAssign for Usd {
    fn sub_assign(&mut self, other: Self) {
        *self = *self - other;
    }
}
impl Neg for Usd {
    type Output = Self;
    fn neg(self) -> Self {
        Self(self.0.saturating_neg())
    }
}
impl Sum for Usd {
    fn sum<I: Iterator<Item = Self>>(all: I) -> Self {
        all.fold(Self::ZERO, Add::add)
    }
}

/// An exact price multiplier: ½ for a batch, 11/10 for a region.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Ratio {
    /// Numerator.
    pub num: u32,
    /// Denominator; never zero.
    pub den: u32,
}

impl Ratio {
    /// The neutral multiplier.
    pub const ONE: Self = Self { num: 1, den: 1 };

    /// The product of two multipliers.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self { num: self.num.saturating_mul(other.num), den: self.den.saturating_mul(other.den) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn e9_the_worked_example_of_gpt_4o_is_seven_tenths_of_a_cent() {
        let (input, _) = Usd::parse("0.000005").unwrap();
        let (output, _) = Usd::parse("0.000015").unwrap();
        assert_eq!((input.times(500) + output.times(300)).to_string(), "0.007");
    }

    #[test]
    fn e13_unusual_digits_are_read_to_the_nearest_pico_dollar_and_said_so() {
        let cases = [
            ("1e-7", 100_000, true),
            ("0.30000000000000004", 300_000_000_000, false),
            ("0.000015000020000000002", 15_000_020, false),
            (".5", 500_000_000_000, true),
            ("-2.5", -2_500_000_000_000, true),
            ("0.0000000000005", 0, false),
            ("0.0000000000015", 2, false),
            ("0.00000000000051", 1, false),
            ("0.00000000000001", 0, false),
            ("1E2", 100_000_000_000_000, true),
            ("0", 0, true),
        ];
        for (text, pico, exact) in cases {
            assert_eq!(Usd::parse(text), Ok((Usd::from_pico(pico), exact)), "{text}");
        }
        for text in ["", ".", "abc", "1.2.3", "1e", "NaN", "inf", "0x10", "1_000"] {
            assert_eq!(Usd::parse(text), Err(ParseUsdError::NotANumber), "{text}");
        }
        assert_eq!(Usd::parse("1e99"), Err(ParseUsdError::TooLarge));
    }

    #[test]
    fn rounding_is_half_to_even() {
        assert_eq!(Usd::parse("0.125").unwrap().0.rounded(2), 12);
        assert_eq!(Usd::parse("0.135").unwrap().0.rounded(2), 14);
        assert_eq!(Usd::parse("-0.125").unwrap().0.rounded(2), -12);
        // Neither fits in 64 bits.
        assert_eq!(Usd::parse("10000000.125").unwrap().0.rounded(2), 1_000_000_012);
        assert_eq!(Usd::parse("-10000000.135").unwrap().0.rounded(2), -1_000_000_014);
    }

    proptest! {
        #[test]
        fn what_is_shown_reads_back_as_the_same_amount(pico in -1_000_000_000_000_000_000_i128..1_000_000_000_000_000_000) {
            let usd = Usd::from_pico(pico);
            prop_assert_eq!(Usd::parse(&usd.to_string()), Ok((usd, true)));
        }

        #[test]
        fn adding_and_taking_back_leaves_no_dust(a in any::<i64>(), b in any::<i64>()) {
            let (a, b) = (Usd::from_pico(a.into()), Usd::from_pico(b.into()));
            prop_assert_eq!(a + b - b, a);
        }
    }
}
