//! Derives the lifetimes of cache writes from the logged cost, where the log does not split them.
//!
//! Claude Code's telemetry has a single count of tokens written to the cache, and the cost in dollars. At Anthropic's
//! prices a one-hour write costs 2 × input and a five-minute write 1.25 × input
//! (<https://docs.claude.com/en/docs/build-with-claude/prompt-caching>, November 2026), so the cost determines the
//! split. The agent computes it from the vendor's prices, so a price of the config must not be used here: with it, the
//! same call would be split differently, or not at all.

use super::card::Card;
use crate::domain::{Call, Tokens, Usd};

/// Maximum rounding error, in pico-dollars, of a cost in whole micro-dollars.
const HALF_A_MICRO: i128 = 500_000;
/// Maximum error, in pico-dollars, of a sum of a few floats.
const NANO: i128 = 1_000;

impl Card {
    /// The tokens with the only split of their cache writes that gives the logged cost; `None` if no split does, or
    /// several do.
    ///
    /// A single lifetime is tried first, because nearly every request uses just one. After that comes the mix closest
    /// to the cost.
    pub(super) fn solve_lifetimes(&self, call: &Call) -> Option<Tokens> {
        let stated = call.quoted?;
        let slack = if stated.pico() % (2 * HALF_A_MICRO) == 0 { HALF_A_MICRO } else { NANO };
        let written = call.tokens.cache_write();
        let mut trial = call.clone();
        let mut over = |long: u64| -> Option<i128> {
            trial.tokens = split(call.tokens, long)?;
            Some((stated - self.cost(&trial).usd()?).pico())
        };
        let (over_short, over_long) = (over(0)?, over(written)?);
        let long = match (over_short.abs() <= slack, over_long.abs() <= slack) {
            (true, true) => return None,
            (true, false) => 0,
            (false, true) => written,
            (false, false) => {
                // Searches missing from the log would look like longer lifetimes.
                if [over_short, over_long].iter().any(|over| self.is_searches(*over, slack)) {
                    return None;
                }
                let span = over_short.checked_sub(over_long).filter(|span| *span > 0)?;
                let nearest = over_short.checked_mul(i128::from(written))?.checked_add(span / 2)?.div_euclid(span);
                let long = u64::try_from(nearest).ok().filter(|long| (1..written).contains(long))?;
                let mut fits = |long: u64| Some(over(long)?.abs() <= slack);
                (fits(long)? && !fits(long - 1)? && !fits(long + 1)?).then_some(long)?
            }
        };
        split(call.tokens, long)
    }

    /// True when this amount is the cost of one or more web searches.
    fn is_searches(&self, pico: i128, slack: i128) -> bool {
        let each = self.search().map_or(0, Usd::pico);
        if each <= slack || pico < each - slack {
            return false;
        }
        let rest = pico % each;
        rest <= slack || each - rest <= slack
    }
}

/// The tokens with this many one-hour cache writes.
fn split(tokens: Tokens, long: u64) -> Option<Tokens> {
    let short = tokens.cache_write().checked_sub(long)?;
    Some(Tokens { cache_write_5m: short, cache_write_1h: long, ..tokens })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use crate::domain::{Attribution, Call, CallKey, Fidelity, Instant, Label, Tokens, Usd};
    use crate::pricing::{CostMode, CustomPrice, PriceBook, Pricer as _, Rates};

    fn book() -> PriceBook {
        PriceBook::new(Vec::new(), Vec::new(), CostMode::Auto)
    }

    fn call(model: &str, tokens: [u64; 6]) -> Call {
        let at: Instant = "2026-11-20T09:00:00Z".parse().unwrap();
        let from = Attribution::new(at, Label::new("otlp"));
        let tokens = Tokens::from_fields(tokens);
        let call = Call::new(CallKey::from_parts(&["one"]), from, Some(Label::new(model)), tokens);
        Call { fidelity: Fidelity::Guessed, ..call }
    }

    /// The call as telemetry reports it: one count of cache writes, and this cost.
    fn reported(truth: &Call, cost: Usd) -> Call {
        let Tokens { input, cache_read, output, reasoning, .. } = truth.tokens;
        let tokens = [input, cache_read, truth.tokens.cache_write(), 0, output, reasoning];
        Call { tokens: Tokens::from_fields(tokens), quoted: Some(cost), ..truth.clone() }
    }

    fn solved(model: &str, tokens: [u64; 6], round: bool) -> Option<[u64; 6]> {
        let truth = call(model, tokens);
        let cost = book().cost(&truth).usd().unwrap();
        let cost = if round { Usd::from_pico(cost.rounded(6) * 1_000_000) } else { cost };
        book().solve_lifetimes(&reported(&truth, cost)).map(|tokens| tokens.fields())
    }

    #[test]
    fn writes_of_one_lifetime_and_mixes_are_solved() {
        for tokens in [
            [3, 0, 37_000, 0, 400, 0],
            [3, 0, 0, 37_000, 400, 0],
            [3, 81_000, 1_200, 35_811, 400, 0],
            [0, 0, 1, 1, 1, 0],
        ] {
            for model in ["claude-opus-5", "claude-haiku-4-5", "claude-sonnet-4-5"] {
                assert_eq!(solved(model, tokens, false), Some(tokens), "{model} {tokens:?}");
            }
        }
    }

    #[test]
    fn a_cost_that_no_split_explains_solves_nothing() {
        let truth = call("claude-opus-5", [3, 0, 0, 37_000, 400, 0]);
        let cost = book().cost(&truth).usd().unwrap();
        for wrong in [cost + cost, Usd::from_micro(1), cost + Usd::from_micro(1), cost - Usd::from_pico(1_234_000)] {
            assert_eq!(book().solve_lifetimes(&reported(&truth, wrong)), None, "{wrong}");
        }
        assert_eq!(book().solve_lifetimes(&Call { quoted: None, ..truth.clone() }), None);
        assert_eq!(book().solve_lifetimes(&Call { model: Some(Label::new("of-the-house")), ..truth }), None);
    }

    #[test]
    fn a_price_of_the_config_does_not_change_what_the_logged_cost_says() {
        let rate = |micro| Usd::from_pico(micro);
        let own = |model: &str, from: Option<&str>| CustomPrice {
            model: model.to_owned(),
            from: from.map(|day| day.parse().unwrap()),
            rates: Rates {
                input: rate(2_500_000),
                output: rate(12_500_000),
                cache_read: Some(rate(250_000)),
                cache_write_5m: Some(rate(3_125_000)),
                cache_write_1h: Some(rate(5_000_000)),
                web_search: None,
            },
        };
        let truth = call("claude-opus-5", [3, 0, 0, 37_000, 400, 0]);
        let reported = reported(&truth, book().cost(&truth).usd().unwrap());
        let alias = vec![("opus-of-the-house".to_owned(), "claude-opus-5".to_owned())];
        for (from, model) in
            [(None, "claude-opus-5"), (Some("2026-11-19"), "claude-opus-5"), (None, "opus-of-the-house")]
        {
            let prices = vec![own("claude-opus-5", from)];
            let book = PriceBook::new(prices, alias.clone(), CostMode::Auto);
            let call = Call { model: Some(Label::new(model)), ..reported.clone() };
            let tokens = book.solve_lifetimes(&call).unwrap();
            assert_eq!(tokens.fields(), truth.tokens.fields(), "{model} {from:?}");
            // 3 × $2.50 + 400 × $12.50 + 37,000 × $5, per million.
            assert_eq!(book.cost(&Call { tokens, ..call }).usd().unwrap().to_string(), "0.1900075");
        }
        // Without a list price, nothing says what the agent computed the cost from.
        let book = PriceBook::new(vec![own("of-the-house", None)], Vec::new(), CostMode::Auto);
        assert_eq!(book.solve_lifetimes(&Call { model: Some(Label::new("of-the-house")), ..reported }), None);
    }

    #[test]
    fn a_cost_is_one_of_searches_if_it_is_near_a_multiple_of_their_price() {
        const CENT: i128 = 10_000_000_000;
        let truth = call("claude-opus-5", [3, 0, 37_000, 0, 400, 0]);
        let card = |model: &str| {
            book().with(&Label::new(model), |priced| priced.unwrap().listed_at(truth.at()).unwrap().clone())
        };
        let claude = card("claude-opus-5");
        assert_eq!(claude.search(), Some(Usd::from_micro(10_000)));
        for (pico, is_searches) in [
            (0, false),
            (1_000, false),
            (CENT / 2, false),
            (CENT - 1_001, false),
            (CENT - 1_000, true),
            (CENT, true),
            (CENT + 1_000, true),
            (CENT + 1_001, false),
            (3 * CENT - 1_000, true),
            (3 * CENT - 1_001, false),
            (-CENT, false),
        ] {
            assert_eq!(claude.is_searches(pico, 1_000), is_searches, "{pico}");
        }
        // Where a search costs no more than the rounding, or nothing, no cost is known to be that of searches.
        assert!(!claude.is_searches(CENT, CENT) && claude.is_searches(CENT, CENT - 1));
        let other = card("deepseek-chat");
        assert_eq!((other.search(), other.is_searches(CENT, 1_000)), (None, false));
    }

    #[test]
    fn more_than_one_split_solves_nothing() {
        // One token with Haiku: 1.25 and 2 micro-dollars, plus 0.3 for reads, both round to two.
        assert_eq!(solved("claude-haiku-4-5", [0, 3, 1, 0, 1_000, 0], true), None);
        // Three searches at $0.01 cost as much as a longer lifetime for 8,000 writes.
        let truth = call("claude-opus-5", [3, 0, 37_000, 0, 400, 0]);
        let cost = book().cost(&truth).usd().unwrap() + Usd::from_micro(30_000);
        assert_eq!(book().solve_lifetimes(&reported(&truth, cost)), None);
    }

    proptest! {
        #[test]
        fn an_exact_cost_gives_the_split_back_or_says_that_it_cannot(
            input in 0_u64..50_000, read in 0_u64..200_000, short in 0_u64..60_000, long in 0_u64..60_000, output in 1_u64..9_000,
        ) {
            let tokens = [input, read, short, long, output, 0];
            if let Some(solved) = solved("claude-opus-5", tokens, false) {
                prop_assert_eq!(solved, tokens);
            }
        }

        #[test]
        fn what_a_rounded_cost_gives_costs_the_same_to_the_rounding(short in 0_u64..60_000, long in 0_u64..60_000) {
            let tokens = [9, 1_000, short, long, 77, 0];
            if let Some(solved) = solved("claude-haiku-4-5", tokens, true) {
                let cost = |tokens| book().cost(&call("claude-haiku-4-5", tokens)).usd().unwrap().pico();
                prop_assert!((cost(solved) - cost(tokens)).abs() <= 1_000_000);
            }
        }
    }
}
