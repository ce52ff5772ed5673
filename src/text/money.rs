//! Formats dollars, with marks for their reliability.

use super::number::grouped;
use crate::domain::Usd;
use crate::ledger::Sums;

/// Reliability of a total.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mark {
    Exact,
    /// Lower bound (`≥`): some tokens have no price, or were only partly logged.
    AtLeast,
    /// Estimate (`~`): the model, or the split into classes, is a guess.
    About,
    /// Unknown (`?`): none of it has a price.
    Unknown,
}

impl Mark {
    /// The text before an amount.
    pub(crate) const fn sign(self) -> &'static str {
        match self {
            Self::Exact => "",
            Self::AtLeast => "≥ ",
            Self::About => "~ ",
            Self::Unknown => "? ",
        }
    }
}

/// Reliability of the cost in these sums.
pub(crate) fn mark(sums: &Sums) -> Mark {
    if sums.is_unpriced() {
        Mark::Unknown
    } else if sums.is_lower_bound() {
        Mark::AtLeast
    } else if sums.guessed_calls > 0 {
        Mark::About
    } else {
        Mark::Exact
    }
}

/// A total with its mark: `$2.18`, `≥ $1.23`, `~ $0.40`, `?`.
pub(crate) fn cost(sums: &Sums) -> String {
    marked(mark(sums), &usd(sums.cost))
}

/// The same in a few columns: `≥ $1.2k`.
pub(crate) fn cost_short(sums: &Sums) -> String {
    marked(mark(sums), &usd_short(sums.cost))
}

/// The difference of another cost from the cost in these sums: `+$1.20`, `~ -$0.40` where the cost has a mark.
pub(crate) fn difference(amount: Usd, sums: &Sums) -> String {
    let sign = if amount > Usd::ZERO { "+" } else { "" };
    let words = format!("{sign}{}", usd(amount));
    match mark(sums) {
        Mark::Exact => words,
        Mark::AtLeast | Mark::About => marked(Mark::About, &words),
        Mark::Unknown => marked(Mark::Unknown, &words),
    }
}

/// The savings from caching on the calls in these sums: `$9.31`, `~ $9.31` where their cost has a mark. Calls that are
/// not in the cost, or only in part, may have saved more, or may have cost more than they saved.
pub(crate) fn saved(sums: &Sums) -> String {
    match mark(sums) {
        Mark::Exact => usd(sums.saved),
        Mark::AtLeast | Mark::About => marked(Mark::About, &usd(sums.saved)),
        Mark::Unknown => marked(Mark::Unknown, ""),
    }
}

/// Cost of one or a few calls, with its mark and more digits: `$0.0721`.
pub(crate) fn cost_fine(sums: &Sums) -> String {
    marked(mark(sums), &usd_fine(sums.cost))
}

/// A forecast or an average, with the mark of the sums on which it is based: `$16.20`, `≥ $1.23`.
pub(crate) fn usd_as(amount: Usd, sums: &Sums) -> String {
    as_marked(amount, sums, usd)
}

/// The same with the decimals of a column, for the average of one call: `≥ $0.0721`.
pub(crate) fn usd_as_in_column(amount: Usd, sums: &Sums) -> String {
    as_marked(amount, sums, usd_column).trim_end().to_owned()
}

/// A rate over the last minutes, with the mark of the calls that it counts: `$16.20`, `?`. Zero gets no mark where
/// there was no call, whatever was not read.
pub(crate) fn rate(amount: Usd, of: &Sums) -> String {
    if of.calls == 0 { usd(amount) } else { marked(mark(of), &usd(amount)) }
}

/// The same in a few columns: `≥ $12`.
pub(crate) fn rate_short(amount: Usd, of: &Sums) -> String {
    if of.calls == 0 { usd_short(amount) } else { marked(mark(of), &usd_short(amount)) }
}

/// Zero gets no mark, unless no price is known.
fn as_marked(amount: Usd, sums: &Sums, words: fn(Usd) -> String) -> String {
    let mark = mark(sums);
    if amount == Usd::ZERO && mark != Mark::Unknown { words(amount) } else { marked(mark, &words(amount)) }
}

fn marked(mark: Mark, amount: &str) -> String {
    if mark == Mark::Unknown { "?".to_owned() } else { format!("{}{amount}", mark.sign()) }
}

/// A total in cents, or with two significant digits below ten cents: `$1,204.50`, `$2.18`, `$0.034`, `$0.0009`.
///
/// Never `$0.00` for a non-zero amount.
pub(crate) fn usd(amount: Usd) -> String {
    dollars(amount, 2)
}

/// Cost of one call, with three significant digits below a dollar: `$0.145`, `$0.0721`, `$0.0009`.
fn usd_fine(amount: Usd) -> String {
    dollars(amount, 3)
}

/// An amount in a column, with decimal points aligned: two decimals from one dollar on, four below that. Never zero for
/// an amount that is not zero.
fn usd_column(amount: Usd) -> String {
    let sign = if amount.is_negative() { "-" } else { "" };
    let amount = if amount.is_negative() { -amount } else { amount };
    if amount != Usd::ZERO && amount.rounded(4) == 0 {
        return format!("<{sign}$0.0001");
    }
    let decimals = if amount == Usd::ZERO || amount.rounded(4) >= 10_000 { 2 } else { 4 };
    let (whole, fraction) = split(amount.rounded(decimals), decimals);
    format!("{sign}${}.{fraction:<4}", grouped(&whole))
}

/// A cost in a column, with its mark.
pub(crate) fn cost_column(sums: &Sums) -> String {
    marked(mark(sums), &usd_column(sums.cost))
}

/// The same outside of a column, next to one: `$0.0721`, `≥ $12.40`.
pub(crate) fn cost_as_in_column(sums: &Sums) -> String {
    cost_column(sums).trim_end().to_owned()
}

/// Maximum number of decimals.
const FINEST: usize = 6;

/// In cents, or with as many decimals as `digits` significant digits need.
fn dollars(amount: Usd, digits: usize) -> String {
    let sign = if amount.is_negative() { "-" } else { "" };
    let amount = if amount.is_negative() { -amount } else { amount };
    if amount != Usd::ZERO && amount < Usd::from_micro(1) {
        return format!("<{sign}$0.000001");
    }
    // Skip the zeros after the decimal point, then count the significant digits.
    let mut decimals = 2;
    let mut unit = 1_000_000_000_000_i128;
    let mut leading = 0;
    if amount != Usd::ZERO && amount < Usd::ONE {
        while amount.pico() * 10 < unit {
            unit /= 10;
            leading += 1;
        }
        decimals = (leading + digits).clamp(2, FINEST);
    }
    let (whole, mut fraction) = split(amount.rounded(decimals), decimals);
    while fraction.len() > 2 && fraction.ends_with('0') {
        fraction.pop();
    }
    format!("{sign}${}.{fraction}", grouped(&whole))
}

fn split(units: i128, decimals: usize) -> (String, String) {
    let digits = format!("{units:0width$}", width = decimals + 1);
    let (whole, fraction) = digits.split_at(digits.len() - decimals);
    (whole.to_owned(), fraction.to_owned())
}

/// Dollars in a few columns, for an axis: `$0.38`, `$12`, `$1.2k`.
pub(crate) fn usd_short(amount: Usd) -> String {
    if amount.is_negative() || amount < Usd::from_micro(9_995_000) {
        return usd(amount);
    }
    let whole = u64::try_from(amount.rounded(0)).unwrap_or(u64::MAX);
    format!("${}", super::compact(whole))
}

/// An exact list price per million tokens, from dollars per token: `$5`, `$0.50`, `$6.875`.
pub(crate) fn rate_per_million(one: Usd) -> String {
    let text = one.times(1_000_000).to_string();
    match text.split_once('.') {
        Some((_, cents)) if cents.len() == 1 => format!("${text}0"),
        Some(_) | None => format!("${text}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Tokens;

    fn amount(text: &str) -> Usd {
        Usd::parse(text).unwrap().0
    }

    #[test]
    fn e9_totals_show_cents_and_small_amounts_two_digits() {
        let cases = [
            ("0", "$0.00"),
            ("2.18", "$2.18"),
            ("0.2312", "$0.23"),
            ("0.034", "$0.034"),
            ("0.0009", "$0.0009"),
            ("0.0999", "$0.10"),
            ("0.007", "$0.007"),
            ("0.125", "$0.12"),
            ("0.135", "$0.14"),
            ("1234.5", "$1,234.50"),
            ("1000000", "$1,000,000.00"),
            ("0.000002", "$0.000002"),
            ("0.000001", "$0.000001"),
            ("0.0000001", "<$0.000001"),
            ("-1.2", "-$1.20"),
            ("0.999", "$1.00"),
        ];
        for (exact, text) in cases {
            assert_eq!(usd(amount(exact)), text, "{exact}");
        }
    }

    #[test]
    fn amounts_in_a_column_have_their_points_below_each_other() {
        let cases = [
            ("12.405", "$12.40  "),
            ("1", "$1.00  "),
            ("0.99996", "$1.00  "),
            ("0.99994", "$0.9999"),
            ("0.07211", "$0.0721"),
            ("0.00005", "<$0.0001"),
            ("0", "$0.00  "),
            ("-0.5", "-$0.5000"),
            ("1234.5", "$1,234.50  "),
        ];
        for (exact, text) in cases {
            assert_eq!(usd_column(amount(exact)), text, "{exact}");
        }
        let tokens = Tokens { input: 10, ..Tokens::ZERO };
        assert_eq!(cost_column(&Sums { calls: 1, tokens, unpriced_tokens: 10, ..Sums::default() }), "?");
    }

    #[test]
    fn one_call_shows_three_digits() {
        let cases = [
            ("0.14533", "$0.145"),
            ("0.07211", "$0.0721"),
            ("0.0009", "$0.0009"),
            ("0.38", "$0.38"),
            ("2.185", "$2.18"),
        ];
        for (exact, text) in cases {
            assert_eq!(usd_fine(amount(exact)), text, "{exact}");
        }
    }

    #[test]
    fn an_amount_above_zero_never_reads_as_nothing() {
        for power in 0..13 {
            for text in [usd(Usd::from_pico(10_i128.pow(power))), usd_fine(Usd::from_pico(3 * 10_i128.pow(power)))] {
                assert!(text.bytes().any(|byte| (b'1'..=b'9').contains(&byte)), "{text}");
            }
        }
    }

    #[test]
    fn b14_unpriced_tokens_never_read_as_free() {
        let tokens = Tokens { input: 10, ..Tokens::ZERO };
        let none = Sums { calls: 1, tokens, unpriced_tokens: 10, ..Sums::default() };
        assert_eq!(cost(&none), "?");
        let some = Sums { cost: amount("1.23"), unpriced_tokens: 4, ..none };
        assert_eq!(cost(&some), "≥ $1.23");
        let guessed = Sums { cost: amount("0.4"), unpriced_tokens: 0, guessed_calls: 1, ..none };
        assert_eq!(cost(&guessed), "~ $0.40");
        assert_eq!(cost(&Sums::default()), "$0.00");
        let thousand = Sums { cost: amount("1234"), ..some };
        assert_eq!((cost_short(&thousand).as_str(), cost_short(&none).as_str()), ("≥ $1.2k", "?"));
        // What is missing from a cost may make a difference larger or smaller.
        let differences = [&Sums::default(), &some, &guessed, &none].map(|sums| difference(amount("-0.4"), sums));
        assert_eq!(differences, ["-$0.40", "~ -$0.40", "~ -$0.40", "?"]);
        assert_eq!(difference(amount("2"), &Sums::default()), "+$2.00");
    }

    #[test]
    fn rates_are_per_million() {
        let exact = [
            ("0.000005", "$5"),
            ("0.0000005", "$0.50"),
            ("0.000006875", "$6.875"),
            ("0.000000075", "$0.075"),
            ("0.00000000001", "$0.00001"),
        ];
        assert!(exact.iter().all(|(one, text)| rate_per_million(amount(one)) == *text));
        assert_eq!(usd_short(amount("1234")), "$1.2k");
        assert_eq!(usd_short(amount("12.4")), "$12");
        // Amounts that round to ten dollars are shown without cents.
        assert_eq!((usd_short(amount("9.994")), usd_short(amount("9.995"))), ("$9.99".to_owned(), "$10".to_owned()));
    }
}
