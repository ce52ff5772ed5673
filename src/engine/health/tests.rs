//! Tests of the Health view's counters, for sources and for the socket.

use super::*;
use crate::domain::{Attribution, Call, CallKey, Tokens};
use crate::ingest::{Health, RootState, RootStatus, Tallies};
use crate::ledger::RowChange;
use crate::pricing::CostMode;

fn now() -> Instant {
    "2026-11-22T12:00:00Z".parse().unwrap()
}

fn call(source: &str) -> Record {
    let from = Attribution::new(now(), Label::new(source));
    Record::Call(Call::new(CallKey::from_parts(&["t", source]), from, None, Tokens::ZERO))
}

fn view(health: &HealthState) -> HealthView {
    health.view(&PriceBook::new(Vec::new(), Vec::new(), CostMode::Auto), now())
}

#[test]
fn a_source_shows_the_format_the_bad_lines_and_the_last_call_of_its_own_files() {
    let mut health = HealthState::new(LedgerView::Memory, BTreeMap::new())
        .watching(["/logs", "/logs/inner", "/log"].map(|root| (Path::new(root), None)).into_iter(), &[]);
    let root = |path: &str| RootStatus {
        path: Path::new(path).into(),
        agent: None,
        fidelity: &[],
        state: RootState::Live,
        files: 1,
        reattached: 0,
    };
    health.sources(&Health { roots: vec![root("/logs"), root("/logs/inner"), root("/log")], ..Health::default() });
    health.batch(&ReadBatch {
        path: Label::new("/logs/inner/a.jsonl"),
        records: vec![call("codex"), call("native")],
        file: None,
        bad: Vec::new(),
        unknown: Vec::new(),
        tallies: Tallies { bad: 2, ..Tallies::default() },
    });
    let found: Vec<_> =
        view(&health).sources.into_iter().map(|one| (one.path, one.format, one.bad, one.last)).collect();
    let none = |path: &str| (Label::new(path), None, 0, None);
    let inner = (Label::new("/logs/inner"), Some(Label::new("codex, native")), 2, Some(now()));
    assert_eq!(found, [none("/logs"), inner, none("/log")]);
}

#[test]
fn a_place_that_can_only_be_polled_is_no_trouble_and_one_that_need_not_be_is() {
    use crate::ingest::PollReason;
    let troubles = |reason: PollReason| {
        let mut health = HealthState::new(LedgerView::Memory, BTreeMap::new());
        let state = RootState::Polling(reason);
        let path = Path::new("/net/logs").into();
        let root = RootStatus { path, agent: None, fidelity: &[], state, files: 1, reattached: 0 };
        health.sources(&Health { roots: vec![root], ..Health::default() });
        view(&health).sources.into_iter().filter_map(|source| source.trouble).collect::<Vec<_>>()
    };
    assert_eq!(troubles(PollReason::Remote), Vec::<Label>::new());
    assert_eq!(troubles(PollReason::Asked), Vec::<Label>::new());
    assert_eq!(troubles(PollReason::WatchLimit), [Label::new("live by polling; raise fs.inotify.max_user_watches")]);
}

#[test]
fn the_socket_shows_its_counters_and_its_bad_lines() {
    let mut health = HealthState::new(LedgerView::Memory, BTreeMap::new());
    assert_eq!((view(&health).sources.len(), health.answer("{\"query\":\"socket\"}")), (0, None));
    let tally = std::sync::Arc::new(crate::ingest::socket::Tally::default());
    tally.bad.store(3, std::sync::atomic::Ordering::Relaxed);
    tally.foreign.store(1, std::sync::atomic::Ordering::Relaxed);
    assert!(health.socket().set((Label::new("/run/s.sock"), tally)).is_ok());
    health.delivered(&[call("native")]);
    let view = view(&health);
    let source = &view.sources[0];
    assert_eq!((source.bad, source.last, source.format.clone()), (3, Some(now()), Some(Label::new("native"))));
    assert_eq!(view.bad_total, 3);
    assert_eq!(view.notes, [Label::new("socket: 1 connection of another user refused")]);
    let answer = health.answer("{\"query\":\"socket\"}").unwrap();
    assert!(answer.contains("\"bad_lines\":3") && answer.contains("\"refused_users\":1"), "{answer}");
    assert_eq!(health.answer("{\"query\":\"gate\"}"), None);
}

#[test]
fn the_lag_of_a_source_is_that_of_the_latest_new_call_of_a_batch() {
    let row = |source: &str, seconds: i64| {
        let from = Attribution::new(now() - Duration::seconds(seconds), Label::new(source));
        let call = Call::new(CallKey::from_parts(&[source, &seconds.to_string()]), from, None, Tokens::ZERO);
        std::sync::Arc::new(Row { call, cost: Cost::Quoted(crate::domain::Usd::ZERO) })
    };
    let new = |source: &str, seconds| Change::New(RowChange { before: None, after: row(source, seconds) });
    let mut health = HealthState::new(LedgerView::Memory, BTreeMap::new());
    health.booked(&[new("codex", 60), new("codex", 3), new("codex", 40), new("native", 7)], now());
    let lags = |health: &HealthState| -> Vec<(String, i64)> {
        view(health).lags.iter().map(|(source, lag)| (source.to_string(), lag.num_seconds())).collect()
    };
    assert_eq!(lags(&health), [("codex".to_owned(), 3), ("native".to_owned(), 7)]);
    // A call that grows or is seen again arrived long ago.
    let grown = Change::Grown(RowChange { before: Some(row("codex", 90)), after: row("codex", 90) });
    health.booked(&[grown, Change::Repeat], now());
    assert_eq!(lags(&health)[0].1, 3);
    // A clock ahead of the log's gives no delay.
    health.booked(&[new("codex", -5)], now());
    assert_eq!(lags(&health)[0].1, 0);
}

#[test]
fn every_call_without_a_price_is_told() {
    let row = |number: &str, tokens: u64| {
        let from = Attribution::new(now(), Label::new("codex"));
        let tokens = Tokens { input: tokens, ..Tokens::ZERO };
        let call = Call::new(CallKey::from_parts(&[number]), from, Some(Label::new("mystery")), tokens);
        std::sync::Arc::new(Row { call, cost: Cost::Unpriced })
    };
    let mut health = HealthState::new(LedgerView::Memory, BTreeMap::new());
    for (number, tokens) in [("a", 5), ("b", 12)] {
        assert!(health.booked(&[Change::New(RowChange { before: None, after: row(number, tokens) })], now()));
        assert!(!health.booked(&[Change::Repeat], now()));
    }
    assert_eq!(view(&health).unpriced, [(Label::new("mystery"), 17)]);
}
