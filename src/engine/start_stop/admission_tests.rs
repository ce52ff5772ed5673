//! Tests that the running meter admits calls, books them and ends their holds, and follows `on_error` when it cannot.

use std::path::Path;
use std::time::{Duration, Instant as Clock};

use tokio::sync::oneshot;

use super::{Engine, Events, Setup, Stdin};
use crate::config::{Env, OnError, Overrides, Paths};
use crate::domain::{Call, HoldId, Record};
use crate::engine::fixture::{Lock, admit_at_once, books, call, callbacks, no_prices, now, options, rules, settings};
use crate::engine::{Admitted, AnyLedger, Driver, EngineClient, EngineEvent, NewSettings, Request};
use crate::ingest::{self, Content, Delivery, Reply, Roots};
use crate::ledger::{Batch, FactKind, KeyValue, Ledger, Options};
use crate::meter::{Alerts, Follow, Meter};

struct Running {
    engine: Engine,
    events: Events,
    client: EngineClient,
}

/// The meter on this ledger, with a limit of this many tokens per day for each user.
fn start(path: &Path, options: Options, tokens: u64, on_error: OnError) -> Running {
    let (settings, prices) = (settings(tokens, on_error), no_prices());
    let opened = AnyLedger::ledger(path, options.clone(), &prices);
    let books = opened.map_or_else(|_| AnyLedger::instead_of(path.to_owned(), options, &prices), |opened| opened.0);
    let rules = rules(&settings);
    let config = path.with_file_name("config.toml");
    let (engine, events, _) = Engine::start(Setup {
        env: Env::empty(now()),
        overrides: Overrides { config: Some(config.clone()), ..Overrides::default() },
        paths: Paths { data: path.parent().map(Path::to_owned), config: Some(config), ..Paths::default() },
        settings,
        prices,
        books,
        rules,
        follow: Follow::Today,
        roots: Roots::only([]),
        reading: ingest::Options::default(),
        played: None,
        stdin: Stdin::Unread,
        #[cfg(unix)]
        socket: None,
        is_served: true,
        callbacks: callbacks(),
    })
    .unwrap();
    let client = engine.client();
    assert!(client.limits.dimensions().is_some(), "a first call may arrive before the ledger thread runs");
    Running { engine, events, client }
}

impl Running {
    fn admit(&self, number: u32, user: &str, output: u64) -> (Admitted, Option<HoldId>) {
        self.client.limits.admit(call(number, user, output), None)
    }

    /// Books calls and ends their hold.
    fn settle(&self, hold: HoldId, calls: &[Call]) -> bool {
        let records = calls.iter().cloned().map(Record::Call).chain([Record::Settled(hold)]).collect();
        let (reply, answer) = oneshot::channel();
        self.client.deliver.blocking_send(Delivery { content: Content::Records(records), reply }).unwrap();
        !matches!(answer.blocking_recv(), Err(_) | Ok(Reply::Error(_)))
    }

    /// The next event for which `take` returns a value.
    fn event<T>(&mut self, take: impl Fn(EngineEvent) -> Option<T>) -> T {
        loop {
            if let Some(taken) = take(self.events.blocking_recv().unwrap()) {
                return taken;
            }
        }
    }

    /// Sets the limit in the config and waits until it is in force.
    fn set_limit(&mut self, ledger: &Path, tokens: u64) {
        let text = format!("[limits.users.\"*\"]\nday = {{ tokens = {tokens} }}\n[gate]\non_error = \"allow\"\n");
        std::fs::write(ledger.with_file_name("config.toml"), text).unwrap();
        let amount = |new: &NewSettings| new.rules.limits.first().and_then(|limit| limit.amount.tokens);
        self.event(|event| matches!(event, EngineEvent::Settings(new) if amount(&new) == Some(tokens)).then_some(()));
    }

    /// Waits until the ledger thread has done what it was asked to do.
    fn barrier(&mut self) {
        self.engine.requests().blocking_send(Request::Models).unwrap();
        self.event(|event| matches!(event, EngineEvent::Models(_)).then_some(()));
    }

    /// Waits until the logs are read.
    fn catch_up(&mut self) {
        self.event(|event| matches!(event, EngineEvent::Progress(None)).then_some(()));
    }

    fn stop(self) {
        drop(self.client);
        self.engine.stop(self.events);
    }
}

fn held(path: &Path) -> usize {
    books(path).facts(FactKind::Hold, "").unwrap().len()
}

#[test]
fn a_call_is_held_booked_and_refused_by_name() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ledger.db");
    let running = start(&path, options(), 100, OnError::Allow);
    let (first, hold) = running.admit(1, "alice", 85);
    assert_eq!(first, Admitted::Go { is_held: true, near: None });
    assert!(running.client.limits.dimensions().is_some());
    assert!(matches!(running.admit(2, "bob", 1), (Admitted::Go { near: None, .. }, Some(_))), "another user");
    assert!(running.settle(hold.unwrap(), &[call(1, "alice", 85)]));
    let (near, hold) = running.admit(3, "alice", 85);
    let Admitted::Go { near: Some(near), .. } = near else { panic!("{near:?}") };
    assert_eq!(
        (near.limit.as_str(), near.period.as_str(), near.percent, near.threshold),
        ("alice daily", "daily", 85, 80)
    );
    assert_eq!(near.used.as_str(), "85 of 100 tokens");
    let (waits, none) = running.admit(4, "alice", 1);
    let Admitted::Over(state) = waits else { panic!("{waits:?}") };
    assert_eq!((state.waits, state.used.as_str(), none), (true, "170 of 100 tokens", None));
    assert!(running.settle(hold.unwrap(), &[call(3, "alice", 20)]));
    let (over, _) = running.admit(5, "alice", 1);
    let Admitted::Over(state) = over else { panic!("{over:?}") };
    assert_eq!((state.waits, state.used.as_str(), state.percent), (false, "105 of 100 tokens", 105));
    assert_eq!((state.again.as_str(), state.resets_at.is_some()), ("resets 00:00", true));
    running.stop();
    assert_eq!(held(&path), 1, "that of the call that never ended");
}

#[test]
fn a_ledger_that_cannot_be_written_answers_by_on_error_and_refuses_what_is_over() {
    type Broken = fn(&Path) -> (Options, Option<Lock>);
    let locked: Broken = |path| (options(), Some(Lock::new(path)));
    let read_only: Broken = |_| (Options { read_only: true, ..options() }, None);
    let full: Broken = |_| (Options { max_pages: Some(1), ..options() }, None);
    for (broken, name) in [(locked, "locked"), (read_only, "read-only"), (full, "full")] {
        for (on_error, expected) in
            [(OnError::Allow, Admitted::Go { is_held: false, near: None }), (OnError::Deny, Admitted::Denied)]
        {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("ledger.db");
            let running = start(&path, options(), 100, on_error);
            let (_, hold) = running.admit(1, "alice", 100);
            let calls: Vec<Call> = (0..200).map(|number| call(number, "alice", 1)).collect();
            assert!(running.settle(hold.unwrap(), &calls));
            running.stop();
            let (options, lock) = broken(&path);
            let running = start(&path, options, 100, on_error);
            let (over, _) = running.admit(3, "alice", 1);
            assert!(matches!(&over, Admitted::Over(state) if !state.waits), "{name}: {over:?}");
            // A full disk still has room in the pages that exist already.
            let room = (4..500).take_while(|number| running.admit(*number, "bob", 0).1.is_some()).count();
            assert_eq!(room > 0, name == "full", "{name}: {room}");
            assert_eq!(running.admit(1000, "bob", 0), (expected, None), "{name}, {on_error:?}");
            drop(lock);
            running.stop();
            assert_eq!(held(&path), room, "{name}");
        }
    }
}

#[test]
fn a_meter_that_has_ended_answers_by_on_error_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let running = start(&folder.path().join("ledger.db"), options(), 100, OnError::Deny);
    let limits = running.client.limits.clone();
    running.admit(1, "alice", 1);
    running.stop();
    let began = Clock::now();
    assert_eq!(limits.admit(call(2, "alice", 1), None), (Admitted::Denied, None));
    assert!(began.elapsed() < Duration::from_secs(2));
}

#[test]
fn from_its_second_call_on_the_proxy_asks_a_connection_of_its_own_while_the_limits_stay() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ledger.db");
    let mut running = start(&path, options(), 100, OnError::Allow);
    running.catch_up();
    let limits = running.client.limits.clone();
    assert_eq!(admit_at_once(&limits, &call(1, "alice", 1)), None, "no call was admitted yet");
    running.admit(1, "alice", 60);
    running.barrier();
    let (admitted, hold) = admit_at_once(&limits, &call(2, "alice", 60)).unwrap();
    assert_eq!((admitted, hold.is_some()), (Admitted::Go { is_held: true, near: None }, true));
    let (over, hold) = admit_at_once(&limits, &call(3, "alice", 1)).unwrap();
    assert!(matches!(&over, Admitted::Over(state) if state.used.as_str() == "120 of 100 tokens"), "{over:?}");
    assert_eq!(hold, None);
    running.set_limit(&path, 1_000);
    assert_eq!(admit_at_once(&limits, &call(4, "alice", 1)), None, "it would decide by the old limit");
    assert!(matches!(running.admit(4, "alice", 1), (Admitted::Go { .. }, Some(_))));
    running.barrier();
    assert!(matches!(admit_at_once(&limits, &call(5, "alice", 1)), Some((Admitted::Go { .. }, Some(_)))));
    running.stop();
    assert_eq!(held(&path), 4);
}

#[test]
fn a_snapshot_asked_for_before_the_config_changed_is_of_the_new_limits_and_keeps_them() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ledger.db");
    let mut running = start(&path, options(), 100, OnError::Allow);
    running.catch_up();
    // A driver that has seen only the empty config, as an editor leaves it while it saves, asks late.
    std::fs::write(path.with_file_name("config.toml"), "").unwrap();
    let empty = |event| if let EngineEvent::Settings(new) = event { Some(new.rules) } else { None };
    let old = running.event(|event| empty(event).filter(|rules| rules.limits.is_empty()));
    let mut driver = Driver::new(Meter::new(old.clone(), now()), Alerts::default(), now());
    driver.follow(Follow::Today);
    driver.summary(now());
    let late = driver.requests();
    assert_eq!(late, [Request::Snapshot(Follow::Today)]);
    running.set_limit(&path, 50);
    for request in late {
        running.engine.requests().blocking_send(request).unwrap();
    }
    running.event(|event| matches!(event, EngineEvent::Snapshot(_)).then_some(()));
    assert!(running.client.limits.dimensions().is_some());
    assert!(matches!(running.admit(1, "alice", 60), (Admitted::Go { .. }, Some(_))));
    assert!(
        matches!(running.admit(2, "alice", 1), (Admitted::Over(state), None) if state.used.as_str() == "60 of 50 tokens")
    );
    running.stop();
}

#[test]
fn what_another_process_books_is_shown_while_the_proxy_admits_call_after_call() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ledger.db");
    let mut running = start(&path, Options::new(now()), 1_000_000, OnError::Allow);
    running.catch_up();
    running.admit(1, "alice", 1);
    running.barrier();
    let mut other = books(&path);
    other.wait_for_others(Duration::from_secs(5));
    for booked in 1..=3 {
        let records = vec![Record::Call(call(booked, "bob", 1))];
        other.post(&Batch { records, files: Vec::new() }).unwrap();
        let until = Clock::now() + Duration::from_secs(20);
        let mut is_shown = false;
        while !is_shown {
            assert!(Clock::now() < until, "call {booked} is not shown");
            let admitted = admit_at_once(&running.client.limits, &call(1, "alice", 1));
            assert!(admitted.is_some(), "the proxy has no connection of its own");
            std::thread::sleep(Duration::from_millis(5));
            while let Ok(event) = running.events.try_recv() {
                is_shown |= matches!(event, EngineEvent::Snapshot(shown) if shown.all.calls == u64::from(booked));
            }
        }
    }
    running.stop();
}
