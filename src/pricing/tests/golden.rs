//! Prices worked out by hand.

use crate::domain::{Attribution, CallKey, Geo, Instant, Ratio, Service, Speed, Tokens};
use crate::pricing::*;

pub(in crate::pricing) fn at(text: &str) -> Instant {
    format!("{text}T12:00:00Z").parse().unwrap()
}

pub(in crate::pricing) fn call(model: &str, day: &str, tokens: Tokens) -> Call {
    Call::new(
        CallKey::from_parts(&["one"]),
        Attribution::new(at(day), Label::new("test")),
        Some(Label::new(model)),
        tokens,
    )
}

pub(in crate::pricing) fn book() -> PriceBook {
    PriceBook::new(Vec::new(), Vec::new(), CostMode::Auto)
}

fn usd(text: &str) -> Usd {
    Usd::parse(text).unwrap().0
}

fn input(input: u64) -> Tokens {
    Tokens { input, ..Tokens::ZERO }
}

fn both(input: u64, output: u64) -> Tokens {
    Tokens { input, output, ..Tokens::ZERO }
}

/// Cost of a call as text: `"0.007"`, or `"?"` without a price.
fn cost(call: &Call) -> String {
    book().cost(call).usd().map_or("?".to_owned(), |usd| usd.to_string())
}

fn million(model: &str, day: &str) -> String {
    cost(&call(model, day, input(1_000_000)))
}

/// Input and output in dollars per million tokens.
fn rates(input: &str, output: &str) -> Rates {
    let each = |million| usd(million).scaled(Ratio { num: 1, den: 1_000_000 });
    Rates { input: each(input), output: each(output), ..Rates::default() }
}

fn custom(model: &str, input: &str, output: &str) -> CustomPrice {
    CustomPrice { model: model.to_owned(), from: None, rates: rates(input, output) }
}

#[test]
fn e9_gpt_4o_at_five_and_fifteen_dollars_costs_seven_tenths_of_a_cent() {
    let book = PriceBook::new(vec![custom("gpt-4o", "5", "15")], Vec::new(), CostMode::Auto);
    for model in ["gpt-4o", "GPT-4o", "openai/gpt-4o", "gpt-4o-2024-08-06", "azure/gpt-4o"] {
        let Cost::Priced { usd, price, .. } = book.cost(&call(model, "2026-11-20", both(500, 300))) else { panic!() };
        assert_eq!((usd.to_string().as_str(), price.as_str()), ("0.007", "config:gpt-4o"), "{model}");
    }
    let explanation = book.explain(&call("gpt-4o", "2026-11-20", both(500, 300)));
    let found: Vec<_> = explanation.buckets.iter().map(|bucket| bucket.usd.to_string()).collect();
    assert_eq!(found, ["0.0025", "0.0045"]);
}

#[test]
fn a_cache_discount_of_ninety_per_cent_costs_a_tenth() {
    let mut price = custom("my-model", "5", "15");
    price.rates.cache_read = Some(usd("0.0000005"));
    let book = PriceBook::new(vec![price], Vec::new(), CostMode::Auto);
    let tokens = Tokens { cache_read: 500, output: 300, ..Tokens::ZERO };
    let Cost::Priced { usd, saved, .. } = book.cost(&call("my-model", "2026-11-20", tokens)) else { panic!() };
    assert_eq!((usd.to_string(), saved.to_string()), ("0.00475".to_owned(), "0.00225".to_owned()));
}

#[test]
fn embeddings_cost_nothing_for_output() {
    assert_eq!(cost(&call("text-embedding-3-small", "2026-11-20", both(1_000_000, 5000))), "0.02");
}

#[test]
fn one_hour_writes_cost_twice_the_input_and_five_minute_writes_five_quarters() {
    let five = Tokens { cache_write_5m: 10_000, ..Tokens::ZERO };
    let hour = Tokens { cache_write_1h: 10_000, ..Tokens::ZERO };
    assert_eq!(cost(&call("claude-opus-5", "2026-11-20", five)), "0.0625");
    assert_eq!(cost(&call("claude-opus-5", "2026-11-20", hour)), "0.1");
    // The list has $6 for all of these; Anthropic charges twice the input rate.
    assert_eq!(cost(&call("claude-3-opus-20240229", "2025-11-20", hour)), "0.3");
    assert_eq!(cost(&call("claude-3-5-haiku-20241022", "2025-11-20", hour)), "0.016");
    // No one-hour rate was listed in 2025; the later one applies from the start.
    assert_eq!(cost(&call("claude-sonnet-4-5", "2025-11-20", hour)), "0.06");
}

#[test]
fn what_caching_saved_may_be_less_than_nothing() {
    let saved = |tokens| book().cost(&call("claude-opus-5", "2026-11-20", tokens)).saved().to_string();
    assert_eq!(saved(Tokens { cache_read: 1000, ..Tokens::ZERO }), "0.0045");
    assert_eq!(saved(Tokens { cache_write_5m: 1000, ..Tokens::ZERO }), "-0.00125");
    assert_eq!(saved(Tokens { cache_read: 1000, cache_write_1h: 1000, ..Tokens::ZERO }), "-0.0005");
}

#[test]
fn a_long_prompt_is_one_above_the_threshold_and_all_of_it_costs_more() {
    let tokens = |input| Tokens { input, cache_read: 150_000, cache_write_5m: 20_000, output: 1000, ..Tokens::ZERO };
    let on = |day, input| cost(&call("claude-sonnet-4-5-20250929", day, tokens(input)));
    // 30,000 × $3 + 150,000 × $0.30 + 20,000 × $3.75 + 1,000 × $15, per million.
    assert_eq!(on("2026-04-30", 30_000), "0.225");
    // 30,001 × $6 + 150,000 × $0.60 + 20,000 × $7.50 + 1,000 × $22.50, per million.
    assert_eq!(on("2026-04-30", 30_001), "0.442506");
    assert_eq!(on("2026-05-01", 30_001), "0.225003");
    let explanation = book().explain(&call("claude-sonnet-4-5", "2026-04-30", tokens(30_001)));
    assert_eq!((explanation.prompt, explanation.above), (200_001, Some(200_000)));
}

#[test]
fn long_context_prices_of_opus_4_6_ended_in_march() {
    let on = |day| cost(&call("claude-opus-4-6", day, input(300_000)));
    assert_eq!((on("2026-03-12").as_str(), on("2026-03-13").as_str()), ("3", "1.5"));
    let sonnet = |day| cost(&call("claude-sonnet-4-6", day, input(300_000)));
    assert_eq!((sonnet("2026-03-12").as_str(), sonnet("2026-03-13").as_str()), ("1.8", "0.9"));
}

#[test]
fn a_long_context_price_does_not_count_from_before_it_was_listed() {
    let on = |day| cost(&call("claude-sonnet-4-20250514", day, input(300_000)));
    assert_eq!([on("2025-07-01"), on("2025-10-01"), on("2026-05-01")], ["0.9", "1.8", "0.9"]);
}

#[test]
fn fast_mode_multiplies_every_class() {
    let fast = |model, day| {
        let tokens = Tokens { input: 1000, cache_read: 10_000, cache_write_1h: 1000, output: 1000, ..Tokens::ZERO };
        let mut call = call(model, day, tokens);
        call.tier.speed = Speed::Fast;
        cost(&call)
    };
    // 0.005 + 0.005 + 0.01 + 0.025 = 0.045
    assert_eq!(fast("claude-opus-4-6", "2026-10-20"), "0.27");
    assert_eq!(fast("claude-opus-4-7", "2026-06-01"), "0.27");
    assert_eq!(fast("claude-opus-4-8", "2026-11-01"), "0.09");
    assert_eq!(fast("claude-opus-5", "2026-11-01"), "0.09");
    assert_eq!(fast("claude-opus-5-5", "2026-11-10"), "0.068");
    // Sold as the priority tier elsewhere. 0.00425 + 0.02125 + 0.00425 (writes without a rate cost the input rate) +
    // 0.017
    assert_eq!(fast("gpt-4o", "2026-11-01"), "0.04675");
}

#[test]
fn a_region_costs_a_tenth_more_and_both_multipliers_apply() {
    let mut call = call("claude-opus-5", "2026-11-20", both(1000, 1000));
    call.tier.geo = Geo::Us;
    assert_eq!(cost(&call), "0.033");
    call.tier.speed = Speed::Fast;
    assert_eq!(cost(&call), "0.066");
    let factors = book().explain(&call).factors;
    assert_eq!(factors, [(Factor::Fast, Ratio { num: 2, den: 1 }), (Factor::Us, Ratio { num: 11, den: 10 })]);
    call.model = Some(Label::new("claude-opus-4-5"));
    assert_eq!(cost(&call), "0.03");
    call.model = Some(Label::new("gpt-5.6"));
    (call.tier.speed, call.tier.geo) = (Speed::Standard, Geo::Eu);
    assert_eq!(cost(&call), "0.0264");
}

#[test]
fn service_tiers_have_their_own_rates_or_batches_cost_half() {
    let with = |model, service, tokens| {
        let mut call = call(model, "2026-11-10", tokens);
        call.tier.service = service;
        cost(&call)
    };
    let tokens = both(1000, 1000);
    assert_eq!(with("gpt-5.6", Service::Standard, tokens), "0.024");
    assert_eq!(with("gpt-5.6", Service::Priority, tokens), "0.048");
    assert_eq!(with("gpt-5.6", Service::Flex, tokens), "0.012");
    assert_eq!(with("gpt-5.6", Service::Batch, tokens), "0.012");
    assert_eq!(with("gpt-5.6", Service::Priority, both(272_001, 0)), "4.352016");
    assert_eq!(with("gpt-5.6", Service::Batch, both(272_001, 0)), "1.088004");
    // The list has no batch rate for it, so half applies. Priority without a rate costs the same as standard.
    assert_eq!(with("claude-opus-4-1", Service::Batch, tokens), "0.045");
    assert_eq!(with("claude-opus-4-1", Service::Priority, tokens), "0.09");
    let hour = Tokens { cache_write_1h: 1000, ..Tokens::ZERO };
    assert_eq!(with("claude-opus-5", Service::Batch, hour), "0.005");
}

#[test]
fn half_of_an_odd_rate_is_rounded_once_and_to_even() {
    let mut price = custom("m", "0.000001", "0");
    price.rates.input = Usd::from_pico(1);
    let book = PriceBook::new(vec![price], Vec::new(), CostMode::Auto);
    let pico = |tokens| {
        let mut call = call("m", "2026-11-20", input(tokens));
        call.tier.service = Service::Batch;
        book.cost(&call).usd().unwrap().pico()
    };
    assert_eq!([1, 2, 3, 5, 7].map(pico), [0, 1, 2, 2, 4]);
}

#[test]
fn web_searches_are_added_and_nothing_multiplies_them() {
    let mut call = call("claude-opus-5", "2026-11-20", both(1000, 0));
    call.web_searches = 3;
    (call.tier.speed, call.tier.service) = (Speed::Fast, Service::Batch);
    assert_eq!(cost(&call), "0.035");
    call.model = Some(Label::new("claude-haiku-4-5"));
    assert_eq!(cost(&call), "0.0305");
}

#[test]
fn reasoning_has_its_own_rate_where_the_list_has_one() {
    let tokens = Tokens { output: 1000, reasoning: 400, ..Tokens::ZERO };
    assert_eq!(cost(&call("dashscope/qwen-plus-latest", "2026-11-20", tokens)), "0.00232");
    assert_eq!(cost(&call("gpt-5.6", "2026-11-20", tokens)), "0.02");
    // Without a rate of its own, reasoning costs the output rate of its service tier.
    let mut hurried = call("gpt-5.6", "2026-11-20", tokens);
    hurried.tier.service = Service::Priority;
    assert_eq!(cost(&hurried), "0.04");
}

#[test]
fn tiers_of_every_length_are_known() {
    assert_eq!(million("claude-haiku-5-5", "2026-11-20"), "0.5");
    assert_eq!(million("minimax/MiniMax-M3", "2026-11-20"), "0.6");
    let coder = |tokens| cost(&call("dashscope/qwen3-coder-flash", "2026-11-20", input(tokens)));
    assert_eq!([coder(32_000), coder(32_001), coder(200_000)], ["0.0096", "0.0160005", "0.16"]);
}

#[test]
fn d16_a_call_costs_what_was_charged_on_its_day() {
    assert_eq!([million("o3", "2025-06-09"), million("o3", "2025-06-10")], ["10", "2"]);
    assert_eq!([million("gpt-5.6-luna", "2026-07-29"), million("gpt-5.6-luna", "2026-07-30")], ["2", "0.4"]);
    let small = |day| cost(&call("gpt-5.6", day, both(100_000, 10_000)));
    assert_eq!([small("2026-08-20"), small("2026-08-21")], ["0.8", "0.6"]);
    // A call made before the first listing costs the oldest known price. A correction of the list is not a price
    // change.
    assert_eq!([million("o3", "2020-01-01"), million("gpt-3.5-turbo", "2025-01-01")], ["10", "0.5"]);
    assert_eq!(cost(&call("gemini-2.5-pro", "2025-08-01", Tokens { cache_read: 100_000, ..Tokens::ZERO })), "0.0125");
    let mut last = call("o3", "2025-06-09", input(1_000_000));
    last.from.at = "2025-06-09T23:59:59.999Z".parse().unwrap();
    assert_eq!(cost(&last), "10");
    last.from.at = "2025-06-10T00:00:00Z".parse().unwrap();
    assert_eq!(cost(&last), "2");
}

#[test]
fn old_models_are_known_under_their_short_names() {
    let each = |model| cost(&call(model, "2025-01-15", both(1_000_000, 1_000_000)));
    assert_eq!(each("claude-3-opus"), "90");
    assert_eq!(each("claude-3-haiku"), "1.5");
    assert_eq!(each("claude-3-5-haiku"), "4.8");
    assert_eq!(each("claude-3-5-haiku-latest"), "4.8");
    assert_eq!(each("claude-3-5-sonnet"), "18");
    assert_eq!(each("claude-3.5-sonnet"), "18");
    assert_eq!(each("claude-3-7-sonnet"), "18");
    assert_eq!(
        each("claude-sonnet-4"),
        cost(&call("claude-sonnet-4-20250514", "2025-01-15", both(1_000_000, 1_000_000)))
    );
}

#[test]
fn every_way_of_writing_a_name_finds_the_price() {
    for name in [
        "claude-opus-5",
        "claude-opus-5[1m]",
        "claude-opus-5-20260801",
        "claude-opus-5@20260801",
        "anthropic/claude-opus-5",
        "openrouter/anthropic/claude-opus-5",
        "global.anthropic.claude-opus-5-v1:0",
        "vertex_ai/claude-opus-5",
        "vertex_ai/claude-opus-5@20260801",
        "azure_ai/claude-opus-5",
        "bedrock/global.anthropic.claude-opus-5-v1:0",
        "Claude-Opus-5",
    ] {
        assert_eq!(cost(&call(name, "2026-11-20", both(1000, 1000))), "0.03", "{name}");
    }
    // Amazon charges a tenth more for a region, as listed.
    assert_eq!(cost(&call("us.anthropic.claude-opus-5-v1:0", "2026-11-20", both(1000, 1000))), "0.033");
    assert_eq!(cost(&call("models/gemini-2.5-pro", "2026-11-20", input(1000))), "0.00125");
    assert_eq!(cost(&call("gpt-5.6-2026-07-30", "2026-11-20", input(1000))), "0.004");
    // Gateways and the vendors' own agents omit the prefix used in the list.
    assert_eq!(million("moonshot-ai/kimi-k2-0711-preview", "2026-11-20"), "0.6");
    assert_eq!(million("z-ai/glm-4.6", "2026-11-20"), million("zai/glm-4.6", "2026-11-20"));
    assert_eq!(cost(&call("x-ai/grok-4", "2026-11-20", input(1000))), "0.00125");
}

#[test]
fn b14_a_model_without_a_price_is_unpriced_and_never_another_model() {
    for name in [
        "<synthetic>",
        "claude-opus-55",
        "claude-opus",
        "claude",
        "opus",
        "gpt-4o-mega",
        "gpt",
        "my-finetune-of-gpt-4o",
        "gateway/claude-opus-5",
        "",
        "-20250101",
        "#tokmeter-prices 1",
    ] {
        let cost = book().cost(&call(name, "2026-11-20", both(1000, 1000)));
        assert_eq!(cost, Cost::Unpriced, "{name}");
    }
    let mut nameless = call("", "2026-11-20", both(1000, 1000));
    nameless.model = None;
    assert_eq!(book().cost(&nameless), Cost::Unpriced);
    assert_eq!(book().explain(&nameless).found, Found::Nowhere);
}

#[test]
fn a_price_of_the_config_holds_from_its_day_and_before_it_the_list_does() {
    let mut price = custom("gpt-4o", "1", "1");
    price.from = Some("2026-01-01".parse().unwrap());
    let mut unlisted = custom("mine", "1", "1");
    unlisted.from = price.from;
    let book = PriceBook::new(vec![price, unlisted], Vec::new(), CostMode::Auto);
    let on = |model, day| book.cost(&call(model, day, input(1_000_000)));
    assert_eq!(on("gpt-4o", "2025-12-31").usd(), Some(usd("2.5")));
    assert_eq!(on("gpt-4o", "2026-01-01").usd(), Some(usd("1")));
    assert_eq!((on("mine", "2025-12-31"), on("mine", "2026-01-01").usd()), (Cost::Unpriced, Some(usd("1"))));
    assert_eq!(book.explain(&call("gpt-4o", "2025-12-31", input(1))).found, Found::List);
}

#[test]
fn an_alias_of_the_config_leads_to_a_price_of_the_config_or_of_the_list() {
    let aliases =
        [("internal-large", "claude-opus-5"), ("internal-small", "mine"), ("lost", "nowhere"), ("gpt-4o", "o3")];
    let aliases = aliases.map(|(name, target)| (name.to_owned(), target.to_owned())).to_vec();
    let book = PriceBook::new(vec![custom("mine", "1", "1")], aliases, CostMode::Auto);
    let cost = |model| book.cost(&call(model, "2026-11-20", input(1_000_000))).usd().map(|usd| usd.to_string());
    assert_eq!(cost("internal-large").as_deref(), Some("5"));
    assert_eq!(cost("internal-small").as_deref(), Some("1"));
    assert_eq!(cost("gpt-4o").as_deref(), Some("2"));
    assert_eq!(cost("lost"), None);
    let path = book.explain(&call("internal-large", "2026-11-20", input(1))).path;
    assert_eq!(path, ["internal-large", "claude-opus-5"].map(Label::new));
}

#[test]
fn whose_cost_is_booked_is_the_users_choice() {
    let quote = |model: &str, quoted: &str, mode| {
        let mut call = call(model, "2026-11-20", both(1000, 0));
        call.quoted = Some(usd(quoted));
        PriceBook::new(Vec::new(), Vec::new(), mode).cost(&call)
    };
    let ours = book().cost(&call("claude-opus-5", "2026-11-20", both(1000, 0)));
    assert_eq!(quote("claude-opus-5", "9", CostMode::Auto), ours);
    assert_eq!(quote("claude-opus-5", "9", CostMode::Calculate), ours);
    assert_eq!(quote("claude-opus-5", "9", CostMode::Quoted), Cost::Quoted(usd("9")));
    assert_eq!(quote("unknown", "9", CostMode::Auto), Cost::Quoted(usd("9")));
    assert_eq!(quote("unknown", "9", CostMode::Calculate), Cost::Unpriced);
    // A logged cost of zero for a call with tokens does not mean free.
    assert_eq!(quote("unknown", "0", CostMode::Auto), Cost::Unpriced);
    assert_eq!(quote("claude-opus-5", "0", CostMode::Quoted), ours);
    let mut image = call("claude-opus-5", "2026-11-20", Tokens::ZERO);
    image.quoted = Some(usd("0.04"));
    assert_eq!(book().cost(&image), Cost::Quoted(usd("0.04")));
}

#[test]
fn the_same_tokens_can_be_priced_on_another_model() {
    let mut call = call("claude-opus-5", "2026-11-20", both(1_000_000, 0));
    call.quoted = Some(usd("9"));
    let other = |model| PriceBook::new(Vec::new(), Vec::new(), CostMode::Quoted).cost_as(&call, model);
    assert_eq!(other("claude-sonnet-5").usd(), Some(usd("2")));
    assert_eq!(other("nothing-like-it"), Cost::Unpriced);
}

#[test]
fn the_book_can_be_listed_searched_and_shown() {
    let book = PriceBook::new(vec![custom("mine", "1", "2")], Vec::new(), CostMode::Auto);
    assert_eq!(book.as_of(), "2026-11-26".parse().unwrap());
    assert_eq!(book.names().next(), Some("mine"));
    assert!(book.names().count() > 3000);
    let found: Vec<_> = book.find("OPUS-4-6").filter(|name| name.starts_with("claude")).collect();
    assert_eq!(found, ["claude-opus-4-6", "claude-opus-4-6-20260205"]);
    let (path, tariffs) = book.history("anthropic/claude-opus-4-6").unwrap();
    assert_eq!(path, ["anthropic/claude-opus-4-6", "claude-opus-4-6"].map(Label::new));
    let found: Vec<_> = tariffs.iter().map(|tariff| (tariff.price.as_str(), tariff.long.len())).collect();
    assert_eq!(found, [("list:claude-opus-4-6@2026-02-16", 1), ("list:claude-opus-4-6@2026-03-13", 0)]);
    let now = book.rates("claude-opus-5[1m]", at("2026-11-20")).unwrap();
    assert_eq!(now.rates.cache_write_1h, Some(usd("0.00001")));
    assert_eq!((now.services.len(), now.fast, now.eu), (1, Some(Ratio { num: 2, den: 1 }), None));
    assert_eq!(book.rates("unknown", at("2026-11-20")), None);
}
