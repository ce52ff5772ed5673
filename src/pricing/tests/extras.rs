//! Prices worked out by hand: hours of the day, announced prices, tiers, audio, lifetimes, names of modes.

use super::golden::{at, book, call};
use crate::domain::{Instant, Parts, Service, Speed, Tokens};
use crate::pricing::*;

fn input(input: u64) -> Tokens {
    Tokens { input, ..Tokens::ZERO }
}

fn both(input: u64, output: u64) -> Tokens {
    Tokens { input, output, ..Tokens::ZERO }
}

/// Cost of a call as text, with its guess mark: `"0.007"`, `"~0.007"`, `"?"`.
fn cost(call: &Call) -> String {
    match book().cost(call) {
        Cost::Priced { usd, is_guessed, .. } => format!("{}{usd}", if is_guessed { "~" } else { "" }),
        Cost::Quoted(usd) => format!("quoted {usd}"),
        Cost::Unpriced => "?".to_owned(),
    }
}

fn in_tier(model: &str, service: Service, tokens: Tokens) -> String {
    let mut call = call(model, "2026-11-20", tokens);
    call.tier.service = service;
    cost(&call)
}

#[test]
fn a_price_depends_on_the_hour_where_the_vendor_charges_by_it() {
    let on = |model, time: &str| {
        let mut call = call(model, "2026-11-20", both(1_000_000, 1_000_000));
        call.from.at = time.parse::<Instant>().unwrap();
        cost(&call)
    };
    // 2026-11-20 is a Friday: 0.66 + 1.98 off-peak, twice that from 01:00 to 04:00 and from 06:00 to 10:00.
    for (time, usd) in [
        ("2026-11-20T00:59:59Z", "2.64"),
        ("2026-11-20T01:00:00Z", "5.28"),
        ("2026-11-20T04:00:00Z", "2.64"),
        ("2026-11-20T09:59:59Z", "5.28"),
        ("2026-11-20T10:00:00Z", "2.64"),
        ("2026-11-21T02:00:00Z", "2.64"),
        ("2026-11-22T07:00:00Z", "2.64"),
        // Peak hours began on 2026-08-17, a Monday, at first on every day of the week.
        ("2026-08-16T02:00:00Z", "1.305"),
        ("2026-08-17T02:00:00Z", "5.28"),
        ("2026-08-22T02:00:00Z", "5.28"),
        ("2026-08-23T02:00:00Z", "2.64"),
    ] {
        assert_eq!(on("deepseek-v4-pro", time), usd, "{time}");
    }
    // Peak rates have always been twice the off-peak rates of the same period.
    assert_eq!(on("deepseek-v4-flash", "2026-08-18T02:00:00Z"), "1.76");
    assert_eq!(on("deepseek-v4-flash", "2026-09-10T02:00:00Z"), "1.5");
    // The night discount of 2025.
    assert_eq!(on("deepseek-chat", "2025-06-01T16:29:59Z"), "1.37");
    assert_eq!(on("deepseek-chat", "2025-06-01T16:30:00Z"), "0.685");
    assert_eq!(on("deepseek-reasoner", "2025-06-01T23:00:00Z"), "0.685");
    assert_eq!(on("deepseek-chat", "2025-11-01T23:00:00Z"), "0.7");
}

#[test]
fn the_name_of_a_price_says_the_hours_it_is_for() {
    let mut call = call("deepseek-v4-pro", "2026-11-20", input(1));
    call.from.at = "2026-11-20T02:00:00Z".parse().unwrap();
    let price = book().explain(&call).price.unwrap();
    assert_eq!(price.as_str(), "list:deepseek-v4-pro@2026-08-23T01:00-04:00+06:00-10:00/mon-fri");
    call.from.at = "2026-11-20T12:00:00Z".parse().unwrap();
    assert_eq!(book().explain(&call).price.unwrap().as_str(), "list:deepseek-v4-pro@2026-08-23");
    let tariff = book().rates("deepseek-v4-pro", call.at()).unwrap();
    assert_eq!(tariff.hours.len(), 1);
    assert_eq!(tariff.hours[0].2.input, tariff.rates.input.times(2));
}

#[test]
fn an_announced_price_holds_from_its_day() {
    let on = |model, day| cost(&call(model, day, both(1_000_000, 0)));
    assert_eq!([on("gemini-4-argon", "2026-11-30"), on("gemini-4-argon", "2026-12-01")], ["2", "4"]);
    assert_eq!([on("gemini-3.8-flash", "2026-12-31"), on("gemini-3.8-flash", "2027-01-01")], ["0.75", "1.5"]);
    // Rates that the announcement does not name change in proportion.
    let batch = |day| {
        let mut call = call("gemini-4-argon", day, both(1_000_000, 0));
        call.tier.service = Service::Batch;
        cost(&call)
    };
    assert_eq!([batch("2026-11-30"), batch("2026-12-01")], ["1", "2"]);
}

#[test]
fn how_well_a_day_is_known_is_said() {
    let explain = |model, day| book().explain(&call(model, day, input(1)));
    let luna = explain("gpt-5.6-luna", "2026-07-30");
    assert_eq!((luna.known, luna.since), (Some(Known::Exact), "2026-07-30".parse().ok()));
    let before = explain("gpt-5.6-luna", "2026-07-29");
    assert_eq!((before.known, before.since, before.next), (Some(Known::Launch), None, None));
    assert_eq!(explain("text-embedding-3-small", "2026-11-20").known, Some(Known::Oldest));
    // A change known only from the twice-monthly snapshots.
    let listed = explain("gemini-3.6-flash", "2026-09-20");
    assert_eq!((listed.known, listed.since), (Some(Known::Listed), "2026-09-01".parse().ok()));
    // It may have begun up to half a month earlier.
    assert_eq!(explain("gemini-3.6-flash", "2026-08-25").next, "2026-09-01".parse().ok());
    assert_eq!(explain("gemini-3.6-flash", "2026-08-10").next, None);
    let own = CustomPrice { model: "mine".to_owned(), from: None, rates: Rates::default() };
    let own = PriceBook::new(vec![own], Vec::new(), CostMode::Auto);
    assert_eq!(own.explain(&call("mine", "2026-11-20", input(1))).known, None);
}

#[test]
fn every_tier_has_its_own_rates() {
    let tokens = both(10_000, 1000);
    assert_eq!(in_tier("gpt-6-astra", Service::Ultrafast, tokens), "0.9");
    assert_eq!(in_tier("gpt-6-astra", Service::Priority, tokens), "0.3");
    assert_eq!(in_tier("gpt-6-astra", Service::Flex, tokens), "0.075");
    assert_eq!(in_tier("gpt-6-astra", Service::Standard, tokens), "0.15");
    assert_eq!(in_tier("gpt-6-astra", Service::Ultrafast, input(300_000)), "36");
    // 0.066 and 0.396 dollars per million at the provider that sells a balanced tier.
    let tariff = book().rates("sail/moonshotai/Kimi-K3", at("2026-11-20")).unwrap();
    let balanced = &tariff.services.iter().find(|(service, _)| *service == Service::Balanced).unwrap().1;
    assert!(balanced.input < tariff.rates.input && balanced.input > Usd::ZERO);
}

#[test]
fn a_tier_without_known_rates_is_priced_as_standard_and_marked() {
    let tokens = both(10_000, 1000);
    assert_eq!(in_tier("gpt-6-astra", Service::Unknown, tokens), "~0.15");
    assert_eq!(in_tier("gpt-4o", Service::Ultrafast, tokens), "~0.035");
    assert_eq!(in_tier("claude-opus-5", Service::Unknown, tokens), "~0.075");
    // Anthropic's priority tier costs the same as standard, and a batch half.
    assert_eq!(in_tier("claude-opus-5", Service::Priority, tokens), "0.075");
    assert_eq!(in_tier("claude-opus-5", Service::Batch, tokens), "0.0375");
    let mut hurried = call("claude-haiku-4-5", "2026-11-20", tokens);
    hurried.tier.speed = Speed::Fast;
    assert_eq!(cost(&hurried), "~0.015");
    assert_eq!(book().explain(&hurried).guesses, [Guess::Tier]);
}

#[test]
fn a_tier_without_rates_for_long_prompts_is_priced_as_standard_there_and_marked() {
    // 272,001 × $10 + 1,000,000 × $45, per million; priority is listed at twice that, for shorter prompts only.
    let long = both(272_001, 1_000_000);
    assert_eq!(in_tier("gpt-5.5", Service::Standard, long), "47.72001");
    assert_eq!(in_tier("gpt-5.5", Service::Priority, long), "~47.72001");
    assert_eq!(in_tier("gpt-5.5", Service::Priority, both(272_000, 1_000_000)), "78.4");
    let explained = |tokens, service, speed| {
        let mut call = call("gpt-5.5", "2026-11-20", tokens);
        (call.tier.service, call.tier.speed) = (service, speed);
        let explained = book().explain(&call);
        (explained.above, explained.service, explained.guesses)
    };
    let guessed = (Some(272_000), Service::Standard, vec![Guess::Tier]);
    assert_eq!(explained(long, Service::Priority, Speed::Standard), guessed);
    // Fast mode is the priority tier, and has no rates there either.
    assert_eq!(explained(long, Service::Standard, Speed::Fast), guessed);
    assert_eq!(explained(input(9), Service::Priority, Speed::Standard), (None, Service::Priority, Vec::new()));
    assert_eq!(explained(long, Service::Flex, Speed::Standard), (Some(272_000), Service::Flex, Vec::new()));
    // A batch without a rate costs half, at any length.
    assert_eq!(explained(long, Service::Batch, Speed::Standard), (Some(272_000), Service::Batch, Vec::new()));
    // An output without a rate in the tier is a guess as well.
    assert_eq!(in_tier("azure/gpt-5.5", Service::Flex, both(10_000, 1000)), "~0.055");
}

#[test]
fn twelve_hour_writes_cost_two_and_a_half_times_the_input_and_an_unstated_lifetime_is_a_guess() {
    let written = |model, five, long, unstated| {
        let tokens = Tokens { cache_write_5m: five, cache_write_1h: long, ..Tokens::ZERO };
        let mut call = call(model, "2026-11-20", tokens);
        call.parts.write_of_unstated_lifetime = unstated;
        cost(&call)
    };
    assert_eq!(written("gpt-6-sol", 0, 100_000, 0), "0.5");
    assert_eq!(written("gpt-6-sol", 100_000, 0, 0), "0.25");
    assert_eq!(written("gpt-6-sol", 100_000, 0, 1), "~0.25");
    // With a single price for cache writes, nothing needs to be guessed.
    assert_eq!(written("gpt-4o", 100_000, 0, 100_000), "0.25");
}

#[test]
fn audio_has_its_own_rates_and_text_rates_stand_in_marked() {
    let audio = |model, tokens, parts| {
        let mut call = call(model, "2026-11-20", tokens);
        call.parts = parts;
        cost(&call)
    };
    let parts = Parts { audio_input: 10, audio_output: 34, ..Parts::NONE };
    // 5 × $0.60 + 10 × $10 + 13 × $2.40 + 34 × $20, per million.
    assert_eq!(audio("gpt-audio-mini", both(15, 47), parts), "0.0008142");
    let tokens = Tokens { input: 172, cache_read: 128, output: 80, ..Tokens::ZERO };
    let parts = Parts { audio_input: 136, audio_cache_read: 64, audio_output: 60, ..Parts::NONE };
    // 36 × $4 + 136 × $32 + 64 × $0.40 + 64 × $0.40 + 20 × $16 + 60 × $64, per million.
    assert_eq!(audio("gpt-realtime", tokens, parts), "0.0087072");
    // Without an audio rate, the text rate applies and the cost is marked as a guess.
    assert_eq!(audio("gpt-5.6-sol", both(1000, 0), Parts { audio_input: 10, ..Parts::NONE }), "~0.004");
    assert_eq!(audio("gpt-5.6-sol", both(1000, 0), Parts::NONE), "0.004");
    // A batch without a rate of its own costs half.
    let mut batch = call("gpt-audio-mini", "2026-11-20", both(10, 0));
    (batch.parts.audio_input, batch.tier.service) = (10, Service::Batch);
    assert_eq!(cost(&batch), "0.00005");
}

#[test]
fn an_explanation_shows_audio_as_buckets_of_its_own() {
    let mut call = call("gpt-audio-mini", "2026-11-20", both(15, 47));
    call.parts = Parts { audio_input: 10, audio_output: 34, ..Parts::NONE };
    let explanation = book().explain(&call);
    let found: Vec<_> = explanation.buckets.iter().map(|bucket| (bucket.class, bucket.tokens)).collect();
    let wanted = [(Class::Input, 5), (Class::Output, 13), (Class::AudioInput, 10), (Class::AudioOutput, 34)];
    assert_eq!(found, wanted);
    let sum: Usd = explanation.buckets.iter().map(|bucket| bucket.usd).sum();
    assert_eq!((sum, explanation.guesses.is_empty()), (explanation.tokens_usd, true));
}

#[test]
fn a_web_search_without_a_price_makes_the_cost_a_guess() {
    let mut call = call("gpt-5.6-sol", "2026-11-20", both(10_000, 500));
    call.web_searches = 2;
    assert_eq!(cost(&call), "0.07");
    call.model = Some(Label::new("text-embedding-3-small"));
    assert!(cost(&call).starts_with('~'));
}

#[test]
fn the_mode_in_a_name_is_the_mode_of_a_call() {
    let costs = |model| cost(&call(model, "2026-11-20", both(10_000, 1000)));
    for name in ["gpt-5.6-sol", "gpt-5.6-sol-high", "gpt-5.6-sol-low", "openai/gpt-5.6-sol-xhigh"] {
        assert_eq!(costs(name), "0.06", "{name}");
    }
    for name in ["gpt-5.6-sol-fast", "gpt-5.6-sol-high-fast", "openai/gpt-5.6-sol-fast"] {
        assert_eq!(costs(name), "0.12", "{name}");
    }
    // 2 × (0.05 + 0.025)
    assert_eq!(costs("claude-opus-5-fast"), "0.15");
    // No fast rates are known, so there is no price. Standard rates must not be used.
    assert_eq!([costs("gpt-4-fast"), costs("claude-haiku-4-5-fast")], ["?", "?"]);
    assert_eq!(costs("gpt-9-sol-high"), "?");
    let path = book().explain(&call("gpt-5.6-sol-high-fast", "2026-11-20", input(1))).path;
    assert_eq!(path.last().map(Label::as_str), Some("gpt-5.6-sol"));
}

#[test]
fn names_that_codex_makes_up_lead_to_the_models_behind_them() {
    let on = |model, day| cost(&call(model, day, both(100_000, 10_000)));
    assert_eq!(on("gpt-reserve", "2026-11-20"), on("gpt-5.6-luna", "2026-11-20"));
    // GPT-5.4 until 2026-07-30, then GPT-5.6 Luna. This is not certain, so the cost is marked.
    let marked = |model, day| format!("~{}", on(model, day));
    assert_eq!(on("codex-auto-review", "2026-07-29"), marked("gpt-5.4", "2026-07-29"));
    assert_eq!(on("codex-auto-review", "2026-07-30"), marked("gpt-5.6-luna", "2026-07-30"));
    assert_eq!(book().explain(&call("codex-auto-review", "2026-11-20", input(1))).guesses, [Guess::Model]);
}

#[test]
fn models_that_were_missing_have_their_price_and_unknown_ones_none() {
    let costs = |model| cost(&call(model, "2026-11-20", both(1_000_000, 0)));
    for (model, usd) in [
        ("gpt-6-cyber", "20"),
        ("claude-fable-5-2", "8"),
        ("claude-mythos-5-2", "8"),
        ("gemini-4-hydrogen", "1.5"),
        ("kimi-k3.1-pro-highspeed", "4"),
        ("MiniMax-M3.1-Flash", "0.15"),
        ("MiniMax-M2.7", "0.3"),
    ] {
        assert_eq!(costs(model), usd, "{model}");
    }
    for unknown in ["gpt-6.2-sol", "gpt-6.2-astra", "gpt-5.3-codex-spark"] {
        assert_eq!(costs(unknown), "?", "{unknown}");
    }
    // Sixteen dollars per million for one-hour writes: twice the input rate.
    let hour = Tokens { cache_write_1h: 1_000_000, ..Tokens::ZERO };
    assert_eq!(cost(&call("claude-fable-5-2", "2026-11-20", hour)), "16");
}

#[test]
fn at_xai_a_prompt_of_exactly_the_threshold_is_a_long_one() {
    let costs = |tokens| cost(&call("grok-4.20", "2026-11-20", input(tokens)));
    assert_eq!([costs(199_999), costs(200_000)], ["0.24999875", "0.5"]);
}
