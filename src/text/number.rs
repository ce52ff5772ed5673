//! Counts: exact with thousands separators, or compact.

/// An exact count with thousands separators: `145,230`.
pub(crate) fn count(number: u64) -> String {
    grouped(&number.to_string())
}

/// Inserts a comma before every third digit from the right.
pub(super) fn grouped(digits: &str) -> String {
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// A count in at most five columns: `950`, `1.2k`, `98k`, `1.2M`, `3.4G`.
///
/// Rounded once, half to even, with one decimal below ten units.
pub(crate) fn compact(number: u64) -> String {
    const UNITS: [&str; 7] = ["", "k", "M", "G", "T", "P", "E"];
    if number < 1000 {
        return number.to_string();
    }
    let mut power = 1;
    let mut scale: u128 = 1000;
    loop {
        let number = u128::from(number);
        let tenths = half_even(number * 10, scale);
        if tenths < 100 {
            return if tenths.is_multiple_of(10) {
                format!("{}{}", tenths / 10, UNITS[power])
            } else {
                format!("{}.{}{}", tenths / 10, tenths % 10, UNITS[power])
            };
        }
        let whole = half_even(number, scale);
        if whole < 1000 || power + 1 == UNITS.len() {
            return format!("{whole}{}", UNITS[power]);
        }
        power += 1;
        scale *= 1000;
    }
}

/// An exact count if it fits in `columns`, otherwise a compact one.
pub(crate) fn compact_above(number: u64, columns: usize) -> String {
    let exact = count(number);
    if exact.len() <= columns { exact } else { compact(number) }
}

fn half_even(number: u128, divisor: u128) -> u128 {
    let (quotient, rest) = (number / divisor, number % divisor);
    let up = match (rest * 2).cmp(&divisor) {
        std::cmp::Ordering::Less => 0,
        std::cmp::Ordering::Equal => quotient & 1,
        std::cmp::Ordering::Greater => 1,
    };
    quotient + up
}

/// `part` of `whole` in per cent, rounded down; `None` if `whole` is zero.
pub(crate) fn per_cent(part: u64, whole: u64) -> Option<u64> {
    let (part, whole) = (u128::from(part), u128::from(whole));
    (part * 100).checked_div(whole).and_then(|percent| u64::try_from(percent).ok())
}

/// A percentage, which may be in the thousands: `83%`, `12,468%`.
pub(crate) fn percentage(per_cent: u64) -> String {
    format!("{}%", count(per_cent))
}

/// A size in decimal units: `512 B`, `14 kB`, `1.2 GB`.
pub(crate) fn bytes(number: u64) -> String {
    let text = compact(number);
    match text.find(|letter: char| letter.is_ascii_alphabetic()) {
        Some(at) => format!("{} {}B", &text[..at], &text[at..]),
        None => format!("{text} B"),
    }
}

/// `1 call`, `12 calls`, `1,204 calls`.
pub(crate) fn plural(number: u64, noun: &str) -> String {
    format!("{} {noun}{}", count(number), if number == 1 { "" } else { "s" })
}

/// Agents that were not found, on one line.
pub(crate) fn absent(agents: &[&str]) -> String {
    let number = u64::try_from(agents.len()).unwrap_or(u64::MAX);
    format!("{} not found: {}", plural(number, "agent"), agents.join(", "))
}

/// How exact an agent's logs are, and what they leave out: `claude-code (E): titles`.
pub(crate) fn agent_gaps(agent: &str, fidelity: &str, gaps: &str) -> String {
    let gaps = if gaps.is_empty() { "nothing is known to be missing" } else { gaps };
    format!("{agent} ({fidelity}): {gaps}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_have_thousands_marks() {
        let cases = [(0, "0"), (999, "999"), (1000, "1,000"), (145_230, "145,230"), (1_234_567, "1,234,567")];
        for (number, text) in cases {
            assert_eq!(count(number), text);
        }
        assert_eq!(count(u64::MAX), "18,446,744,073,709,551,615");
    }

    #[test]
    fn compact_counts_are_rounded_once_and_never_wider_than_five() {
        let cases = [
            (950, "950"),
            (1000, "1k"),
            (1240, "1.2k"),
            (1250, "1.2k"),
            (1350, "1.4k"),
            (9_949, "9.9k"),
            (9_951, "10k"),
            (98_220, "98k"),
            (999_499, "999k"),
            (999_501, "1M"),
            (1_200_000, "1.2M"),
            (u64::MAX, "18E"),
        ];
        for (number, text) in cases {
            assert_eq!(compact(number), text);
            assert!(text.len() <= 5);
        }
    }

    #[test]
    fn per_cent_rounds_down_so_that_99_9_is_not_100() {
        assert_eq!(per_cent(399_999, 500_000), Some(79));
        assert_eq!(per_cent(400_000, 500_000), Some(80));
        assert_eq!(
            (bytes(512), bytes(14_200), bytes(1_230_000_000)),
            ("512 B".into(), "14 kB".into(), "1.2 GB".into())
        );
        assert_eq!(per_cent(1, 0), None);
        assert_eq!([83, 999, 12_468].map(percentage), ["83%", "999%", "12,468%"]);
        assert_eq!(per_cent(u64::MAX, u64::MAX), Some(100));
    }
}
