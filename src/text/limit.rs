//! Limits as text: phrases of the banner and labels of bars.

use super::{compact, compact_above, count, moment, percentage, usd, usd_short, width};
use crate::domain::{Instant, Span, Usd, Zone, sort_by_key};
use crate::meter::{LimitState, Measure, Verdict, Window};

/// The banner's title, with the actual percentage: `⚠ 80% of daily limit used`, `■ Daily limit reached`,
/// `■ alice daily limit reached`, and of a call limit, which stops nothing, `■ A call is over the call limit`.
pub(crate) fn banner_title(limit: &LimitState) -> String {
    match limit.verdict {
        Verdict::Under | Verdict::Near => format!("⚠ {} of {} limit used", percent(limit), limit.name),
        Verdict::Over if !limit.stops_work() => format!("■ A call is over the {} limit", limit.name),
        // A name from outside is not changed.
        Verdict::Over if limit.begins_with_a_name() => format!("■ {} limit reached", limit.name),
        Verdict::Over => {
            let mut letters = limit.name.chars();
            let name: String =
                letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default();
            format!("■ {name} limit reached")
        }
    }
}

/// The percentage used: `80%`; `?` if it is unknown.
pub(crate) fn percent(limit: &LimitState) -> String {
    known_percent(limit).map_or_else(|| "?".to_owned(), percentage)
}

/// The whole per cent used; `None` if nothing that counts has a price. A limit of zero is reached whatever it costs.
pub(crate) fn known_percent(limit: &LimitState) -> Option<u64> {
    let is_allowed = limit.limit.amount.usd.is_some_and(|usd| usd > Usd::ZERO);
    let is_unknown = is_allowed && is_unpriced(limit) && limit.leading() == Some(Measure::Usd);
    (!is_unknown).then_some(limit.percent)
}

/// True when nothing that counts towards the limit has a price.
pub(crate) fn is_unpriced(limit: &LimitState) -> bool {
    limit.lower_bound && limit.used.usd.is_none_or(|usd| usd == Usd::ZERO)
}

/// Used and allowed: `Tokens: 400,000 / 500,000`, `Cost: $20.00 / $25.00`; the amount closest to its limit first.
pub(crate) fn banner_amounts(limit: &LimitState) -> String {
    let words: Vec<String> = amounts(limit)
        .into_iter()
        .map(|amount| format!("{}: {} / {}", amount.noun, amount.used, amount.allowed))
        .collect();
    words.join(" · ")
}

/// Used and allowed in a bar's label: `400,000 of 500,000`, `$2.18 of $10.00`; only the amount closest to its limit.
pub(crate) fn used_of(limit: &LimitState) -> String {
    amounts(limit).first().map(|amount| format!("{} of {}", amount.used, amount.allowed)).unwrap_or_default()
}

/// The same in a sentence: `400,000 of 500,000 tokens`.
pub(crate) fn used_in_words(limit: &LimitState) -> String {
    let unit = match amounts(limit).first().map(|amount| amount.noun) {
        Some("Tokens") => " tokens",
        Some("Output") => " output tokens",
        _ => "",
    };
    format!("{}{unit}", used_of(limit))
}

/// Used and allowed in a few columns: `$12/$25`, `3.9M/5M`; only the amount closest to its limit.
pub(crate) fn used_short(limit: &LimitState) -> String {
    amounts(limit).first().map(|amount| amount.short.clone()).unwrap_or_default()
}

/// The remaining part of a limit's nearest amount: `$4.25 left`, `$0.40 over`.
pub(crate) fn left(limit: &LimitState) -> String {
    amounts(limit).first().map(|amount| amount.left.clone()).unwrap_or_default()
}

/// The same, rounded if it is long: `$385.85 left`, `≤ $1.2k left`, `25M left`.
pub(crate) fn left_short(limit: &LimitState) -> String {
    amounts_within(limit, 7).first().map(|amount| amount.left.clone()).unwrap_or_default()
}

/// The same, with the allowed amount: `$4.25 left of $25.00`, `$0.40 over $25.00`.
pub(crate) fn left_of(limit: &LimitState) -> String {
    let words = amounts(limit);
    let Some(amount) = words.first() else { return String::new() };
    let preposition = if amount.left.ends_with("left") { "of " } else { "" };
    format!("{} {preposition}{}", amount.left, amount.allowed)
}

/// When it is forecast to be reached: `full at 16:40`.
pub(crate) fn full_at(limit: &LimitState, now: Instant, zone: Zone) -> Option<String> {
    limit
        .projected
        .filter(|_| limit.verdict != Verdict::Over)
        .map(|(likely, _)| format!("full at {}", moment(likely, now, zone)))
}

struct AmountText {
    noun: &'static str,
    used: String,
    allowed: String,
    left: String,
    /// Used and allowed, rounded.
    short: String,
}

/// The limit's amounts, closest to their limit first.
fn amounts(limit: &LimitState) -> Vec<AmountText> {
    amounts_within(limit, usize::MAX)
}

/// The same, with remaining amounts that are rounded if they need more than this many columns.
fn amounts_within(limit: &LimitState, columns: usize) -> Vec<AmountText> {
    let rest =
        |amount: Usd| Some(usd(amount)).filter(|exact| width(exact) <= columns).unwrap_or_else(|| usd_short(amount));
    let (allowed, used) = (limit.limit.amount, limit.used);
    let mut all: Vec<(u128, AmountText)> = Vec::new();
    let bound = match (limit.lower_bound || limit.unread, limit.guessed) {
        (true, _) => "≥ ",
        (false, true) => "~ ",
        (false, false) => "",
    };
    if let Some(most) = allowed.usd {
        let spent = used.usd.unwrap_or_default();
        let left = if spent > most {
            format!("{bound}{} over", rest(spent - most))
        } else {
            // The used amount is a lower bound, so the remaining amount is an upper bound.
            format!("{}{} left", bound.replace('≥', "≤"), rest(most - spent))
        };
        let used_words = if is_unpriced(limit) { "?".to_owned() } else { format!("{bound}{}", usd(spent)) };
        let used_in_short =
            if is_unpriced(limit) { "?".to_owned() } else { format!("{}{}", bound.trim_end(), usd_short(spent)) };
        let short = format!("{used_in_short}/{}", usd_short(most));
        let words = AmountText { noun: "Cost", used: used_words, allowed: usd(most), left, short };
        all.push((nearness(positive(spent), positive(most)), words));
    }
    let counts = [("Tokens", allowed.tokens, used.tokens), ("Output", allowed.output_tokens, used.output_tokens)];
    for (noun, most, spent) in counts {
        let Some(most) = most else { continue };
        let spent = spent.unwrap_or_default();
        let (least, most_left) = if limit.unread { ("≥ ", "≤ ") } else { ("", "") };
        let left = if spent > most {
            format!("{least}{} over", compact_above(spent - most, columns))
        } else {
            format!("{most_left}{} left", compact_above(most - spent, columns))
        };
        let short = format!("{}{}/{}", least.trim_end(), compact(spent), compact(most));
        let words = AmountText { noun, used: format!("{least}{}", count(spent)), allowed: count(most), left, short };
        all.push((nearness(spent.into(), most.into()), words));
    }
    sort_by_key(&mut all, |(near, _)| std::cmp::Reverse(*near));
    all.into_iter().map(|(_, words)| words).collect()
}

fn positive(amount: Usd) -> u128 {
    u128::try_from(amount.pico()).unwrap_or(0)
}

/// Used in millionths of the allowed amount; maximal for a limit of zero.
fn nearness(used: u128, allowed: u128) -> u128 {
    used.saturating_mul(1_000_000).checked_div(allowed).unwrap_or(u128::MAX)
}

/// Time of the next reset: `resets 00:00`; `None` for a session, a call or all time. For a block that has not started,
/// says so.
pub(crate) fn resets(limit: &LimitState, now: Instant, zone: Zone) -> Option<String> {
    match limit.limit.window {
        Window::Hour | Window::Day | Window::Week | Window::Month => {
            limit.span.map(|span| format!("resets {}", moment(span.until, now, zone)))
        }
        Window::Block => Some(limit.span.map_or_else(
            || "begins with a call".to_owned(),
            |span| format!("resets {}", moment(span.until, now, zone)),
        )),
        Window::Call | Window::Session | Window::Run | Window::Total | Window::Rolling(_) => None,
    }
}

/// Forecast: `at this pace 16:40, between 15:55 and 18:10`.
pub(crate) fn forecast(limit: &LimitState, now: Instant, zone: Zone) -> Option<String> {
    let (likely, band) = limit.projected?;
    let ends_open = is_open(limit, &band);
    let [likely, from, until] = [likely, band.from, band.until].map(|at| moment(at, now, zone));
    // A band shorter than a minute is left out.
    let band = match (from == until, ends_open) {
        (true, _) => String::new(),
        (false, true) => format!(", not before {from}"),
        (false, false) => format!(", between {from} and {until}"),
    };
    Some(format!("at this pace {likely}{band}"))
}

/// True when the band reaches to the end of the period, so that the limit may not be reached before it resets.
fn is_open(limit: &LimitState, band: &Span) -> bool {
    limit.span.is_some_and(|span| span.until <= band.until)
}

/// The band in a few columns: `15:55–18:10`, `15:55 or later`.
fn band_words(limit: &LimitState, band: &Span, now: Instant, zone: Zone) -> String {
    let ends_open = is_open(limit, band);
    let [from, until] = [band.from, band.until].map(|at| moment(at, now, zone));
    if ends_open { format!("{from} or later") } else { format!("{from}–{until}") }
}

/// The same in fewer columns: `full at 16:40 (15:55–18:10)`.
pub(crate) fn forecast_short(limit: &LimitState, now: Instant, zone: Zone) -> Option<String> {
    let (likely, band) = limit.projected?;
    let [likely, from, until] = [likely, band.from, band.until].map(|at| moment(at, now, zone));
    let band = if from == until { String::new() } else { format!(" ({})", band_words(limit, &band, now, zone)) };
    Some(format!("full at {likely}{band}"))
}

/// The day's forecasts in one sentence, from long to short:
/// `if today goes on as usual: full at 16:40 (15:55–18:10), $31.50 by midnight`.
pub(crate) fn as_usual(
    limit: Option<&LimitState>,
    by_midnight: Option<String>,
    now: Instant,
    zone: Zone,
) -> Vec<String> {
    let limit = limit.filter(|limit| limit.verdict != Verdict::Over);
    let midnight = by_midnight.map(|end| format!("{end} by midnight"));
    let full =
        [limit.and_then(|limit| forecast_short(limit, now, zone)), limit.and_then(|limit| full_at(limit, now, zone))];
    let said = full.map(|full| full.into_iter().chain(midnight.clone()).collect::<Vec<_>>().join(", "));
    let [whole, short] = said;
    if whole.is_empty() {
        return Vec::new();
    }
    vec![format!("if today goes on as usual: {whole}"), format!("as usual: {whole}"), whole, short]
}

/// When a forecast says it will be full, as a band: `full 15:55–18:10`.
pub(crate) fn full_between(limit: &LimitState, now: Instant, zone: Zone) -> Option<String> {
    let (_, band) = limit.projected.filter(|_| limit.verdict != Verdict::Over)?;
    let [from, until] = [band.from, band.until].map(|at| moment(at, now, zone));
    Some(if from == until {
        format!("full at {from}")
    } else {
        format!("full {}", band_words(limit, &band, now, zone))
    })
}

/// The banner's parts, most important first. Narrow displays drop parts from the end.
pub(crate) fn banner(limit: &LimitState, more: usize, now: Instant, zone: Zone) -> Vec<String> {
    let mut parts = vec![banner_title(limit), banner_amounts(limit)];
    if more > 0 {
        parts.push(format!("+{more} more"));
    }
    parts.extend(resets(limit, now, zone));
    if limit.verdict != Verdict::Over {
        parts.extend(forecast_short(limit, now, zone));
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{Dimension, Matcher};
    use crate::meter::{Amount, Limit, Scope};

    fn daily(used: u64) -> LimitState {
        let now: Instant = "2026-11-22T13:02:00Z".parse().unwrap();
        let amount = Amount { tokens: Some(500_000), ..Amount::default() };
        let percent = used / 5_000;
        LimitState {
            limit: Limit { scope: Scope::default(), window: Window::Day, amount, warn_at: vec![80] },
            name: "daily".to_owned(),
            subject: None,
            session: None,
            used: Amount { tokens: Some(used), ..Amount::default() },
            span: Some(Span::day(now, Zone::named("Europe/Rome").unwrap())),
            percent,
            verdict: if used >= 500_000 { Verdict::Over } else { Verdict::Near },
            projected: None,
            lower_bound: false,
            unread: false,
            guessed: false,
            lifted: false,
        }
    }

    #[test]
    fn a_percentage_is_unknown_only_without_any_price() {
        let dollars = |used: &str| {
            let used = Amount { usd: Some(Usd::parse(used).unwrap().0), ..Amount::default() };
            let limit = Limit {
                amount: Amount { usd: Some(Usd::from_micro(100_000_000)), ..Amount::default() },
                ..daily(0).limit
            };
            LimitState { limit, used, percent: 0, lower_bound: true, ..daily(0) }
        };
        assert_eq!(
            (percent(&dollars("0.30")), used_of(&dollars("0.30"))),
            ("0%".to_owned(), "≥ $0.30 of $100.00".to_owned())
        );
        assert_eq!((percent(&dollars("0")), used_of(&dollars("0"))), ("?".to_owned(), "? of $100.00".to_owned()));
    }

    #[test]
    fn the_banner_says_what_the_contract_says() {
        let now: Instant = "2026-11-22T13:02:00Z".parse().unwrap();
        let zone = Zone::named("Europe/Rome").unwrap();
        let mut near = daily(400_000);
        near.projected = Some((
            "2026-11-22T15:40:00Z".parse().unwrap(),
            Span { from: "2026-11-22T14:55:00Z".parse().unwrap(), until: "2026-11-22T17:10:00Z".parse().unwrap() },
        ));
        assert_eq!(
            banner(&near, 2, now, zone),
            [
                "⚠ 80% of daily limit used",
                "Tokens: 400,000 / 500,000",
                "+2 more",
                "resets 00:00",
                "full at 16:40 (15:55–18:10)"
            ]
        );
        assert_eq!(forecast(&near, now, zone).unwrap(), "at this pace 16:40, between 15:55 and 18:10");
        near.projected = near.projected.map(|(at, _)| (at, Span { from: at, until: at }));
        assert_eq!(forecast(&near, now, zone).unwrap(), "at this pace 16:40");
        assert_eq!(forecast_short(&near, now, zone).unwrap(), "full at 16:40");
        near.projected = near.projected.map(|(at, _)| (at, Span { from: now, until: near.span.unwrap().until }));
        assert_eq!(forecast(&near, now, zone).unwrap(), "at this pace 16:40, not before 14:02");
        assert_eq!(forecast_short(&near, now, zone).unwrap(), "full at 16:40 (14:02 or later)");
        assert_eq!(full_between(&near, now, zone).unwrap(), "full 14:02 or later");
        assert_eq!(banner_title(&daily(415_000)), "⚠ 83% of daily limit used");
        assert_eq!(banner_title(&daily(500_000)), "■ Daily limit reached");
        let mut own = daily(500_000);
        own.name = "kim daily".to_owned();
        own.limit.scope = Scope { only: vec![(Dimension::User, Matcher::new("kim"))], each: false };
        assert_eq!(banner_title(&own), "■ kim daily limit reached");
        own.limit.scope = Scope { only: vec![(Dimension::User, Matcher::new("*"))], each: true };
        own.subject = Some("kim".to_owned());
        assert_eq!(banner_title(&own), "■ kim daily limit reached");
        own.limit.scope = Scope::organisation();
        (own.name, own.subject) = ("org daily".to_owned(), None);
        assert_eq!(banner_title(&own), "■ Org daily limit reached");
        assert_eq!(used_of(&near), "400,000 of 500,000");
    }

    #[test]
    fn the_nearest_of_two_amounts_leads_and_a_lower_bound_says_so() {
        let mut both = daily(400_000);
        both.limit.amount.usd = Usd::parse("25").ok().map(|(usd, _)| usd);
        both.used.usd = Usd::parse("22.5").ok().map(|(usd, _)| usd);
        both.lower_bound = true;
        assert_eq!(banner_amounts(&both), "Cost: ≥ $22.50 / $25.00 · Tokens: 400,000 / 500,000");
        both.used.usd = Usd::parse("2.5").ok().map(|(usd, _)| usd);
        assert_eq!(banner_amounts(&both), "Tokens: 400,000 / 500,000 · Cost: ≥ $2.50 / $25.00");
        assert_eq!(used_of(&both), "400,000 of 500,000");
        assert_eq!(used_short(&both), "400k/500k");
        both.limit.amount.tokens = None;
        assert_eq!(used_short(&both), "≥$2.50/$25");
    }

    #[test]
    fn a_block_says_when_it_resets_or_that_a_call_begins_it() {
        let now: Instant = "2026-11-22T13:02:00Z".parse().unwrap();
        let mut block = daily(1);
        block.limit.window = Window::Block;
        block.span = Some(Span { from: now, until: now + chrono::Duration::hours(5) });
        assert_eq!(resets(&block, now, Zone::UTC).as_deref(), Some("resets 18:02"));
        block.span = None;
        assert_eq!(resets(&block, now, Zone::UTC).as_deref(), Some("begins with a call"));
    }
}
