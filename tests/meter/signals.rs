//! Insights about calls.

use std::sync::Arc;

use chrono::Duration;
use tokmeter::testing::domain::Tokens;
use tokmeter::testing::ledger::Row;
use tokmeter::testing::meter::{Share, cache_hit, signals};

use crate::books::{Told, at, call, row};

const START: &str = "2026-11-22T10:00:00Z";

fn prompt(id: &str, minutes: i64, input: u64, cache_read: u64, cache_write_5m: u64) -> Told {
    let tokens = Tokens { input, cache_read, cache_write_5m, output: 10, ..Tokens::ZERO };
    call(id, at(START) + Duration::minutes(minutes)).tokens(tokens)
}

fn rows(told: Vec<Told>) -> Vec<Arc<Row>> {
    told.into_iter().map(row).collect()
}

#[test]
fn a_cache_written_again_after_its_life_has_expired_and_a_new_prompt_has_not() {
    let told = vec![
        prompt("first", 0, 10, 0, 80_000),
        prompt("second", 2, 10, 80_000, 1_000),
        // Nine minutes idle: the five-minute cache is gone.
        prompt("third", 11, 10, 0, 82_000),
        // Immediate, but with a different prompt: not expired.
        prompt("fourth", 12, 10, 0, 90_000),
        // Long idle, but the cache was still there.
        prompt("fifth", 30, 10, 90_000, 500),
    ];
    let expired = signals(&rows(told), 0).expired;
    assert_eq!(expired.len(), 1);
    assert_eq!((expired[0].idle, expired[0].rewritten), (Duration::minutes(9), 81_000));
}

#[test]
fn a_cache_of_one_hour_lives_one_hour() {
    let long = |id, minutes, read, write| {
        let tokens = Tokens { cache_read: read, cache_write_1h: write, output: 1, ..Tokens::ZERO };
        call(id, at(START) + Duration::minutes(minutes)).tokens(tokens)
    };
    let again = |minutes| signals(&rows(vec![long("a", 0, 0, 50_000), long("b", minutes, 0, 50_000)]), 0).expired.len();
    assert_eq!((again(50), again(61)), (0, 1));
}

#[test]
fn a_session_that_grows_and_reads_nothing_from_a_cache_is_told_of() {
    let growing = |session: &'static str, read| -> Vec<Told> {
        (1..=6)
            .map(|turn: i64| {
                let size = 2_000 * u64::try_from(turn).unwrap();
                prompt(&format!("{session} {turn}"), turn, size, read, 0).session(session)
            })
            .collect()
    };
    let told = [growing("bare", 0), growing("cached", 500), growing("short", 0).into_iter().take(3).collect()].concat();
    let found = signals(&rows(told), 0).uncached;
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].session.session.as_deref(), Some("bare"));
    assert_eq!((found[0].calls, found[0].prompt), (6, 12_000));
}

#[test]
fn shares_and_the_dearest_calls_are_exact() {
    let told = vec![
        prompt("main", 0, 600, 0, 0),
        prompt("agent", 1, 250, 0, 0).agent("explore"),
        prompt("unpriced", 2, 9_000, 0, 0).model("free-1"),
    ];
    let found = signals(&rows(told), 2);
    // 300 of 950 micro-dollars are 31.6 %; the unpriced call is in neither.
    assert_eq!(found.agent_share, Share::AtMost(32));
    let dearest: Vec<u64> = found.dearest.iter().map(|row| row.call.tokens.input).collect();
    assert_eq!(dearest, [600, 250]);
    assert_eq!(cache_hit(&Tokens { input: 1, cache_read: 99, ..Tokens::ZERO }), Some(99));
    assert_eq!(cache_hit(&Tokens::ZERO), None);
}
