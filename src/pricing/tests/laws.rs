//! Properties of every price and every call.

use proptest::prelude::*;

use super::golden::{at, book, call};
use crate::domain::{Geo, Instant, Ratio, Service, Speed, Tier, Tokens};
use crate::pricing::table::{Line, Table};
use crate::pricing::*;

const MODELS: &[&str] = &[
    "claude-opus-5",
    "claude-sonnet-4-5",
    "claude-opus-4-6",
    "gpt-5.6",
    "gpt-4o",
    "o3",
    "gemini-2.5-pro",
    "dashscope/qwen3-coder-flash",
    "dashscope/qwen-plus-latest",
    "text-embedding-3-small",
];

fn tier() -> impl Strategy<Value = Tier> {
    (
        prop::sample::select(vec![Speed::Standard, Speed::Fast]),
        prop::sample::select(vec![Service::Standard, Service::Priority, Service::Flex, Service::Batch]),
        prop::sample::select(vec![Geo::Global, Geo::Us, Geo::Eu]),
    )
        .prop_map(|(speed, service, geo)| Tier { speed, service, geo })
}

fn tokens(most: u64) -> impl Strategy<Value = Tokens> {
    prop::array::uniform6(0..most).prop_map(|fields| {
        let mut tokens = Tokens::from_fields(fields);
        tokens.output += tokens.reasoning;
        tokens
    })
}

fn calls(most: u64) -> impl Strategy<Value = Call> {
    (prop::sample::select(MODELS), tokens(most), tier(), 0_u32..3, 0_i64..1000).prop_map(
        |(model, tokens, tier, web_searches, days)| {
            let mut call = call(model, "2025-01-01", tokens);
            call.from.at += chrono::Duration::days(days);
            Call { tier, web_searches, ..call }
        },
    )
}

proptest! {
    #[test]
    fn more_of_the_same_costs_that_many_times_as_much(mut call in calls(900), times in 1_u64..8) {
        call.web_searches = 0;
        let book = book();
        let one = book.cost(&call).usd().unwrap();
        call.tokens = Tokens::from_fields(call.tokens.fields().map(|count| count * times));
        let many = book.cost(&call).usd().unwrap();
        // Each side was rounded once, to the nearest pico-dollar.
        prop_assert!((many.pico() - one.times(times).pico()).abs() <= i128::from(times));
    }

    #[test]
    fn an_explanation_adds_up_to_the_cost(call in calls(400_000)) {
        let book = book();
        let explanation = book.explain(&call);
        let searches = explanation.searches.map_or(Usd::ZERO, |searches| searches.usd);
        prop_assert_eq!(Some(explanation.tokens_usd + searches), book.cost(&call).usd());
        // Oracle: tokens × rate × part × factors as a single fraction, rounded once, half to even.
        let factors = explanation.factors.iter().fold((1, 1), |(num, den), (_, ratio)| {
            (num * i128::from(ratio.num), den * i128::from(ratio.den))
        });
        let sum: i128 = explanation.buckets.iter().map(|bucket| {
            i128::from(bucket.tokens) * bucket.rate.pico() * i128::from(bucket.part.num) * 2 / i128::from(bucket.part.den)
        }).sum();
        let (num, den) = (sum * factors.0, 2 * factors.1);
        let (whole, rest) = (num / den, num % den);
        let up = i128::from(rest * 2 > den || (rest * 2 == den && whole % 2 == 1));
        prop_assert_eq!(explanation.tokens_usd.pico(), whole + up);
        let counted: u64 = explanation.buckets.iter().map(|bucket| bucket.tokens).sum();
        prop_assert_eq!(counted, call.tokens.total());
    }

    #[test]
    fn e9_a_sum_of_costs_does_not_depend_on_the_order(calls in prop::collection::vec(calls(400_000), 1..20)) {
        let book = book();
        let cost = |call: &Call| book.cost(call).usd().unwrap();
        let forward: Usd = calls.iter().map(cost).sum();
        let backward: Usd = calls.iter().rev().map(cost).sum();
        prop_assert_eq!(forward, backward);
        let back = calls.iter().map(cost).fold(forward, |rest, usd| rest - usd);
        prop_assert_eq!(back, Usd::ZERO);
    }

    #[test]
    fn what_caching_saved_and_what_was_paid_make_the_price_without_a_cache(mut call in calls(30_000)) {
        (call.web_searches, call.tokens.output, call.tokens.reasoning) = (0, 0, 0);
        let book = book();
        let cost = book.cost(&call);
        let mut plain = call.clone();
        plain.tokens = Tokens { input: call.tokens.prompt(), ..Tokens::ZERO };
        let whole = book.cost(&plain).usd().unwrap();
        prop_assert!((cost.usd().unwrap() + cost.saved() - whole).pico().abs() <= 1);
    }

    #[test]
    fn any_name_and_any_count_is_priced_or_unpriced_without_a_panic(
        name in prop::collection::vec(any::<u8>(), 0..80),
        fields in prop::array::uniform6(any::<u64>()),
        tier in tier(),
        at in any::<i32>(),
        web_searches in any::<u32>(),
        pick in 0..MODELS.len(),
    ) {
        let book = book();
        let at = Instant::from_timestamp(i64::from(at) * 100, 0).unwrap();
        for model in [Label::from_bytes(&name), Label::new(MODELS[pick])] {
            let mut call = call("", "2026-01-01", Tokens::from_fields(fields));
            (call.model, call.tier, call.web_searches, call.from.at) = (Some(model), tier, web_searches, at);
            let cost = book.cost(&call);
            prop_assert_eq!(book.explain(&call).cost, cost.clone());
            prop_assert!(cost.usd().is_none_or(|usd| !usd.is_negative()));
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn b21_any_text_offered_as_prices_is_taken_or_refused_without_a_panic(
        garbage in "(\\PC|[\\t\\n=>.#]|claude-opus-5|i=1|2026-01-01 ){0,60}",
        rate in "(-|\"|null|[0-9.eE]){1,8}",
        name in any::<String>(),
    ) {
        let now = "2027-01-01".parse().unwrap();
        let price = format!("{{\"m\":{{\"mode\":\"chat\",\"input_cost_per_token\":{rate}}}}}");
        for text in [garbage.as_str(), price.as_str()] {
            if let Ok(update) = book().update(text, now) {
                prop_assert_eq!(book().with_update(update.text).1, None);
            }
        }
        // A valid table with invalid lines: those models have no price.
        let table = Table::new(format!("#tokmeter-prices 1\t2027-01-01\t0\n{garbage}")).unwrap();
        let found = [garbage.as_str(), name.as_str(), "claude-opus-5"].map(|name| table.find(name).is_some());
        prop_assert!(table.lines().count() >= usize::from(found[2]));
        prop_assert!(book().with_update(garbage).1.is_some());
    }
}

#[test]
fn the_built_in_book_is_whole_and_every_line_of_it_is_read() {
    let text = include_str!("../../../prices/book.txt");
    let table = Table::checked(text).unwrap();
    assert_eq!(table.lines().count(), text.lines().count() - 1);
    for (name, line) in table.lines() {
        assert_eq!(table.find(name).map(|(found, _)| found), Some(name));
        match line {
            Line::Alias(target) => assert!(matches!(table.find(target), Some((_, Line::Prices(_)))), "{name}"),
            Line::Prices(history) => assert!(history.is_sorted_by(|one, next| one.0 < next.0), "{name}"),
        }
    }
    assert!(text.len() < 700_000);
}

#[test]
fn no_price_in_the_book_is_beyond_what_can_be_computed() {
    let table = Table::new(include_str!("../../../prices/book.txt")).unwrap();
    for (name, line) in table.lines() {
        let Line::Prices(history) = line else { continue };
        for (_, sheet) in &history {
            for rate in sheet.rates.values() {
                assert!(*rate < Usd::from_micro(1_000_000), "{name}: {rate} a token");
            }
            if let Some(search) = sheet.search {
                assert!(search <= Usd::from_micro(100_000), "{name}: {search} a search");
            }
            for ratio in [sheet.fast, sheet.us, sheet.eu].into_iter().flatten() {
                assert!(ratio != Ratio::ONE && ratio.num > ratio.den && ratio.num <= 10 * ratio.den, "{name}");
            }
        }
    }
}

#[test]
fn a_thousand_names_are_more_than_are_remembered_and_still_right() {
    let book = book();
    for round in 0..2 {
        for number in 0..1500 {
            let name = format!("made-up-{number}");
            assert_eq!(book.cost(&call(&name, "2026-11-20", Tokens::ZERO)), Cost::Unpriced, "{round}");
        }
        let tariff = book.rates("claude-opus-5", at("2026-11-20")).unwrap();
        assert_eq!(tariff.price.as_str(), "list:claude-opus-5@2026-08-16");
    }
}
