//! The running meter admits calls, books them with the end of their holds, and answers by `on_error` where it cannot.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant as Clock};

use tokio::sync::oneshot;

use super::{Engine, Events, Setup, Stdin};
use crate::config::{Env, OnError, Overrides, Paths, Settings};
use crate::domain::{Attribution, Call, CallKey, HoldId, Instant, Label, Record, Tokens};
use crate::engine::config_edits::Faces;
use crate::engine::{Admitted, AnyLedger, Doors};
use crate::ingest::{self, Delivery, Reply, Roots, Said};
use crate::ledger::{self, KeyValue, Ledger, Options, Space, Sqlite};
use crate::meter::{Amount, Follow, Limit, Rules, Scope, Window};
use crate::pricing::PriceBook;

fn now() -> Instant {
    Instant::from_timestamp(1_795_000_000, 0).unwrap()
}

fn call(number: u32, user: &str, output: u64) -> Call {
    let user = Some(Label::new(user));
    let from = Attribution { user, ..Attribution::new(now(), Label::new("test")) };
    let key = CallKey::from_parts(&["test", &number.to_string()]);
    Call::new(key, from, Some(Label::new("gpt-4o")), Tokens { output, ..Tokens::ZERO })
}

struct Running {
    engine: Engine,
    events: Events,
    doors: Doors,
}

/// The meter on this ledger, with a limit of so many tokens a day for each user.
fn start(path: &Path, options: Options, tokens: u64, on_error: OnError) -> Running {
    let env = Env::empty(now());
    let mut settings = Settings::defaults(&env);
    settings.gate.on_error = on_error;
    let only = vec![(crate::domain::Dimension::User, crate::domain::Matcher::new("*"))];
    let amount = Amount { tokens: Some(tokens), ..Amount::default() };
    let scope = Scope { only, each: true };
    settings.limits = vec![Limit { scope, window: Window::Day, amount, warn_at: vec![80] }];
    let prices = Arc::new(PriceBook::new(Vec::new(), Vec::new(), settings.cost));
    let opened = AnyLedger::ledger(path, options.clone(), &prices);
    let books = opened.map_or_else(|_| AnyLedger::instead_of(path.to_owned(), options, &prices), |opened| opened.0);
    let rules = Rules { limits: settings.limits.clone(), ..Rules::new(settings.zone) };
    let (engine, events, _) = Engine::start(Setup {
        env,
        overrides: Overrides::default(),
        paths: Paths { data: path.parent().map(Path::to_owned), ..Paths::default() },
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
        faces: Faces {
            answer: |_, _, _, _, _, _| String::new(),
            explain: |_, _, _| String::new(),
            digest: |_, _, _, _, _| Err(String::new()),
            problem: |_, _| None,
        },
    })
    .unwrap();
    let doors = engine.doors();
    Running { engine, events, doors }
}

impl Running {
    fn admit(&self, number: u32, user: &str, output: u64) -> (Admitted, Option<HoldId>) {
        self.doors.limits.admit(call(number, user, output))
    }

    /// Books calls and ends their hold.
    fn settle(&self, hold: HoldId, calls: &[Call]) -> bool {
        let records = calls.iter().cloned().map(Record::Call).chain([Record::Settled(hold)]).collect();
        let (reply, answer) = oneshot::channel();
        self.doors.deliver.blocking_send(Delivery { said: Said::Records(records), reply }).unwrap();
        !matches!(answer.blocking_recv(), Err(_) | Ok(Reply::Error(_)))
    }

    fn stop(self) {
        drop(self.doors);
        self.engine.stop(self.events);
    }
}

fn options() -> Options {
    Options { busy: Duration::from_millis(50), ..Options::new(now()) }
}

fn books(path: &Path) -> Sqlite {
    let prices = Arc::new(PriceBook::new(Vec::new(), Vec::new(), crate::pricing::CostMode::Auto));
    ledger::open(path, options(), prices).unwrap().books
}

fn held(path: &Path) -> usize {
    books(path).facts(Space::Hold, "").unwrap().len()
}

/// Another process that is writing to the ledger until this is dropped.
struct Lock(Option<(std::sync::mpsc::Sender<()>, std::thread::JoinHandle<()>)>);

impl Lock {
    fn new(path: &Path) -> Self {
        let mut books = books(path);
        let (release, released) = std::sync::mpsc::channel::<()>();
        let (lock, is_locked) = std::sync::mpsc::channel();
        let thread = std::thread::spawn(move || {
            let decided = books.exclusively(&mut |_| {
                lock.send(()).unwrap();
                let _ = released.recv();
                Ok(Vec::new())
            });
            decided.unwrap();
        });
        is_locked.recv().unwrap();
        Self(Some((release, thread)))
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        if let Some((release, thread)) = self.0.take() {
            drop(release);
            thread.join().unwrap();
        }
    }
}

#[test]
fn a_call_is_held_booked_and_refused_by_name() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ledger.db");
    let running = start(&path, options(), 100, OnError::Allow);
    let (first, hold) = running.admit(1, "alice", 85);
    assert_eq!(first, Admitted::Go { is_held: true, near: None });
    assert!(running.doors.limits.exist());
    assert!(matches!(running.admit(2, "bob", 1), (Admitted::Go { near: None, .. }, Some(_))), "another user");
    assert!(running.settle(hold.unwrap(), &[call(1, "alice", 85)]));
    let (near, hold) = running.admit(3, "alice", 85);
    let Admitted::Go { near: Some(near), .. } = near else { panic!("{near:?}") };
    assert_eq!(
        (near.limit.as_str(), near.period.as_str(), near.percent, near.threshold),
        ("alice daily", "daily", 85, 80)
    );
    assert_eq!(near.used.as_str(), "85 of 100");
    let (waits, none) = running.admit(4, "alice", 1);
    let Admitted::Over(state) = waits else { panic!("{waits:?}") };
    assert_eq!((state.waits, state.used.as_str(), none), (true, "170 of 100", None));
    assert!(running.settle(hold.unwrap(), &[call(3, "alice", 20)]));
    let (over, _) = running.admit(5, "alice", 1);
    let Admitted::Over(state) = over else { panic!("{over:?}") };
    assert_eq!((state.waits, state.used.as_str(), state.percent), (false, "105 of 100", 105));
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
            // A full disk still has room in the pages that are there.
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
    let limits = running.doors.limits.clone();
    running.admit(1, "alice", 1);
    running.stop();
    let began = Clock::now();
    assert_eq!(limits.admit(call(2, "alice", 1)), (Admitted::Denied, None));
    assert!(began.elapsed() < Duration::from_secs(2));
}
