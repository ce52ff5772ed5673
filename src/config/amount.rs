//! Parses amounts: `25usd`, `$25`, `500k`, `1.5M tokens`, `25usd + 200k output`, `25usd, 500k`.

use crate::domain::Usd;
use crate::meter::Amount;

/// Description of the syntax, for messages.
pub(crate) const AMOUNT: &str =
    r#"give { usd = 25 }, { tokens = 500_000 }, { output_tokens = 50_000 }, "25usd" or "500k""#;

/// Parses an amount.
///
/// # Errors
/// A sentence saying what was found and what was expected.
pub fn parse_amount(text: &str) -> Result<Amount, String> {
    let mut amount = Amount::default();
    if has_comma_in_number(text) {
        return Err(
            "has a comma within a number; write 25usd + 500k for several amounts, 1_000 or 1.5 for one".to_owned()
        );
    }
    for part in text.split(['+', ',']) {
        let one = part_of(part.trim())?;
        let twice = (amount.usd.is_some() && one.usd.is_some())
            || (amount.tokens.is_some() && one.tokens.is_some())
            || (amount.output_tokens.is_some() && one.output_tokens.is_some());
        if twice {
            return Err("names the same kind of amount twice".to_owned());
        }
        amount = Amount {
            usd: amount.usd.or(one.usd),
            tokens: amount.tokens.or(one.tokens),
            output_tokens: amount.output_tokens.or(one.output_tokens),
        };
    }
    Ok(amount)
}

/// True for `$1,500k`, which could be two amounts, or one with a comma between thousands or before decimals.
fn has_comma_in_number(text: &str) -> bool {
    text.as_bytes().windows(3).any(|at| at[0].is_ascii_digit() && at[1] == b',' && at[2].is_ascii_digit())
}

fn part_of(text: &str) -> Result<Amount, String> {
    if text.is_empty() {
        return Err(format!("is empty; {AMOUNT}"));
    }
    let lower = text.to_lowercase();
    let dollars = lower
        .strip_prefix('$')
        .or_else(|| lower.strip_prefix("usd"))
        .or_else(|| ["usd", "dollars", "dollar", "$"].iter().find_map(|unit| lower.strip_suffix(unit)));
    if let Some(number) = dollars {
        let (usd, exact) = parse_usd(number).map_err(|why| format!("{why}; {AMOUNT}"))?;
        if !exact {
            return Err("is finer than a pico-dollar; give at most 12 decimals".to_owned());
        }
        return Ok(Amount { usd: Some(usd), ..Amount::default() });
    }
    let output = ["output tokens", "output_tokens", "output"].iter().find_map(|unit| lower.strip_suffix(unit));
    if let Some(number) = output {
        return Ok(Amount { output_tokens: Some(parse_count(number)?), ..Amount::default() });
    }
    let named = ["tokens", "token", "tok"].iter().find_map(|unit| lower.strip_suffix(unit));
    if let Some(number) = named {
        return Ok(Amount { tokens: Some(parse_count(number)?), ..Amount::default() });
    }
    // A number without a known unit may also be meant as dollars.
    let count = parse_number(&lower, &format!("{WANTED}, or dollars such as 25usd"))?;
    if lower.ends_with(|last: char| last.is_ascii_digit() || last == '.') {
        return Err(format!("has no unit; write {lower}usd or {lower} tokens"));
    }
    Ok(Amount { tokens: Some(count), ..Amount::default() })
}

/// Parses a number of dollars, zero or more; the flag is false if it was rounded.
///
/// # Errors
/// A predicate such as `is negative`.
pub(crate) fn parse_usd(text: &str) -> Result<(Usd, bool), String> {
    let plain = text.trim().strip_prefix('$').unwrap_or(text).trim().replace('_', "");
    let (usd, exact) = Usd::parse(&plain).map_err(|error| format!("is {error}"))?;
    if usd.is_negative() {
        return Err("is negative".to_owned());
    }
    Ok((usd, exact))
}

/// Parses a count: `500000`, `500_000`, `500k`, `1.5M`, `2B`.
///
/// # Errors
/// A sentence saying what was expected.
pub(crate) fn parse_count(text: &str) -> Result<u64, String> {
    parse_number(text, WANTED)
}

/// The numbers that a count may be, for messages.
const WANTED: &str = "give a whole number of tokens such as 500_000, 500k or 1.5M";

/// Parses a count. `forms` tells the user what to give instead of a text that is not a count.
fn parse_number(text: &str, forms: &str) -> Result<u64, String> {
    let text = text.trim().replace('_', "").to_lowercase();
    let (number, thousands) = match text.as_bytes().last() {
        Some(b'k') => (&text[..text.len() - 1], 1),
        Some(b'm') => (&text[..text.len() - 1], 2),
        Some(b'b' | b'g') => (&text[..text.len() - 1], 3),
        _ => (text.as_str(), 0),
    };
    if !number.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.' || byte == b'-') {
        return Err(format!("is not an amount; {forms}"));
    }
    // Reuses the exact decimal parsing of dollars: a count is a decimal without a remainder.
    let (value, exact) = Usd::parse(number).map_err(|_| format!("is not an amount; {forms}"))?;
    let (scaled, one) = (value.pico().checked_mul(1000_i128.pow(thousands)), Usd::ONE.pico());
    match scaled {
        Some(scaled) if scaled < 0 => Err(format!("is negative; {WANTED}")),
        Some(scaled) if exact && scaled % one == 0 => u64::try_from(scaled / one)
            .ok()
            .filter(|count| *count <= MOST)
            .ok_or_else(|| format!("is too large; {WANTED}")),
        Some(_) => Err(format!("is not whole; {WANTED}")),
        None => Err(format!("is too large; {WANTED}")),
    }
}

/// The largest count in a config: the largest TOML integer.
const MOST: u64 = i64::MAX.unsigned_abs();

/// Formats an amount as `parse_amount` reads it: `25usd`, `500k`, `25usd + 200k output`.
pub(crate) fn amount_text(amount: &Amount) -> String {
    let parts = [
        amount.usd.map(|usd| format!("{usd}usd")),
        amount.tokens.map(|tokens| format!("{} tokens", short_count(tokens))),
        amount.output_tokens.map(|tokens| format!("{} output", short_count(tokens))),
    ];
    parts.into_iter().flatten().collect::<Vec<_>>().join(" + ")
}

/// A new amount, and the one that it replaces: `5usd (was 3usd)`.
pub(crate) fn amount_change(amount: &Amount, before: Option<&Amount>) -> String {
    let was = before.filter(|before| *before != amount).map(|before| format!(" (was {})", amount_text(before)));
    amount_text(amount) + &was.unwrap_or_default()
}

fn short_count(count: u64) -> String {
    match count {
        0 => "0".to_owned(),
        count if count % 1_000_000 == 0 => format!("{}M", count / 1_000_000),
        count if count % 1_000 == 0 => format!("{}k", count / 1_000),
        count => count.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn amount(usd: Option<&str>, tokens: Option<u64>, output_tokens: Option<u64>) -> Amount {
        Amount { usd: usd.map(|text| Usd::parse(text).unwrap().0), tokens, output_tokens }
    }

    #[test]
    fn amounts_are_read_as_people_write_them() {
        let cases = [
            ("25usd", amount(Some("25"), None, None)),
            ("$25", amount(Some("25"), None, None)),
            ("25 USD", amount(Some("25"), None, None)),
            ("usd 0.50", amount(Some("0.5"), None, None)),
            ("12.5 dollars", amount(Some("12.5"), None, None)),
            ("1_000usd", amount(Some("1000"), None, None)),
            ("0usd", amount(Some("0"), None, None)),
            ("0.0000000000010usd", amount(Some("0.000000000001"), None, None)),
            ("500k", amount(None, Some(500_000), None)),
            ("500K", amount(None, Some(500_000), None)),
            ("1.5M tokens", amount(None, Some(1_500_000), None)),
            ("500_000 tokens", amount(None, Some(500_000), None)),
            ("2b", amount(None, Some(2_000_000_000), None)),
            ("50k output", amount(None, None, Some(50_000))),
            ("50 output tokens", amount(None, None, Some(50))),
            ("25usd + 500k", amount(Some("25"), Some(500_000), None)),
            ("5usd,500k", amount(Some("5"), Some(500_000), None)),
            ("500k, $5, 1k output", amount(Some("5"), Some(500_000), Some(1_000))),
        ];
        for (text, expected) in cases {
            assert_eq!(parse_amount(text), Ok(expected), "{text}");
        }
    }

    #[test]
    fn g3_what_is_no_amount_is_refused_with_the_expected_form() {
        let cases = [
            ("", "is empty"),
            ("25", "has no unit; write 25usd or 25 tokens"),
            ("500_000", "has no unit; write 500_000usd or 500_000 tokens"),
            ("-1usd", "is negative"),
            ("-5k", "is negative"),
            ("1e99usd", "larger than any amount"),
            (
                "5eur",
                "is not an amount; give a whole number of tokens such as 500_000, 500k or 1.5M, or dollars such as 25usd",
            ),
            ("5usdx", "or dollars such as 25usd"),
            ("abc", "or dollars such as 25usd"),
            ("x tokens", "is not an amount; give a whole number of tokens such as 500_000, 500k or 1.5M"),
            ("1.2345k", "is not whole"),
            ("99999999999999999999k", "is too large"),
            ("NaNusd", "not a decimal number"),
            // Rounded, the first would be zero and refuse every call.
            ("0.0000000000001usd", "finer than a pico-dollar; give at most 12 decimals"),
            ("$0.1234567890123", "finer than a pico-dollar"),
            ("k", "is not an amount"),
            ("5usd + 6usd", "the same kind of amount twice"),
            ("5usd, 6usd", "the same kind of amount twice"),
            ("5usd,", "is empty"),
            ("$1,500", "has a comma within a number; write 25usd + 500k"),
            ("1,500 tokens", "1_000 or 1.5 for one"),
            ("$5,500k", "has a comma within a number"),
            ("0,50usd", "has a comma within a number"),
        ];
        for (text, expected) in cases {
            let why = parse_amount(text).unwrap_err();
            assert!(why.contains(expected), "{text}: {why}");
        }
    }

    proptest! {
        #[test]
        fn what_is_written_reads_back(usd in prop::option::of(0_i128..1_000_000_000_000_000_000),
            tokens in prop::option::of(0..=MOST), output_tokens in prop::option::of(0_u64..1_000_000_000)) {
            let amount = Amount { usd: usd.map(Usd::from_pico), tokens, output_tokens };
            prop_assume!(amount != Amount::default());
            prop_assert_eq!(parse_amount(&amount_text(&amount)), Ok(amount));
        }

        #[test]
        fn any_text_is_an_amount_or_a_sentence(text in any::<String>()) {
            if let Err(why) = parse_amount(&text) {
                prop_assert!(!why.is_empty());
            }
        }
    }
}
