//! Fixtures for the tests of admissions and of the ledger thread.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant as Clock};

use super::Admitted;
use super::admissions::Limits;
use super::config_edits::Callbacks;
use crate::config::{Env, OnError, Settings};
use crate::domain::{Attribution, Call, CallKey, Dimension, HoldId, Instant, Label, Matcher, Tokens};
use crate::ledger::{self, Ledger, Options, Sqlite};
use crate::meter::{Amount, Limit, Rules, Scope, Window};
use crate::pricing::{CostMode, PriceBook};

pub(super) fn now() -> Instant {
    Instant::from_timestamp(1_795_000_000, 0).unwrap()
}

pub(super) fn call(number: u32, user: &str, output: u64) -> Call {
    let user = Some(Label::new(user));
    let from = Attribution { user, ..Attribution::new(now(), Label::new("test")) };
    let key = CallKey::from_parts(&["test", &number.to_string()]);
    Call::new(key, from, Some(Label::new("gpt-4o")), Tokens { output, ..Tokens::ZERO })
}

/// Settings with a limit of this many tokens per day for each user.
pub(super) fn settings(tokens: u64, on_error: OnError) -> Settings {
    let mut settings = Settings::defaults(&Env::empty(now()));
    settings.gate.on_error = on_error;
    let scope = Scope { only: vec![(Dimension::User, Matcher::new("*"))], each: true };
    let amount = Amount { tokens: Some(tokens), ..Amount::default() };
    settings.limits = vec![Limit { scope, window: Window::Day, amount, warn_at: vec![80] }];
    settings
}

/// The rules of these settings.
pub(super) fn rules(settings: &Settings) -> Rules {
    Rules { limits: settings.limits.clone(), ..Rules::new(settings.zone) }
}

/// Stubs for the functions of higher-level modules.
pub(super) fn callbacks() -> Callbacks {
    Callbacks {
        answer: |_, _, _, _, _, _| String::new(),
        explain: |_, _, _| String::new(),
        digest: |_, _, _, _, _| Err(String::new()),
        problem: |_, _| None,
        in_full: |_, key, _| Ok((key.clone(), Vec::new())),
    }
}

/// A price book without prices.
pub(super) fn no_prices() -> Arc<PriceBook> {
    Arc::new(PriceBook::new(Vec::new(), Vec::new(), CostMode::Auto))
}

/// Options with a short lock timeout.
pub(super) fn options() -> Options {
    Options { busy: Duration::from_millis(50), ..Options::new(now()) }
}

/// The ledger as another process sees it.
pub(super) fn books(path: &Path) -> Sqlite {
    ledger::open(path, options(), no_prices()).unwrap().books
}

/// The answer from the proxy's own connection, even if the disk was slow; `None` without a connection.
pub(super) fn admit_at_once(limits: &Limits, call: &Call) -> Option<(Admitted, Option<HoldId>)> {
    let until = Clock::now() + Duration::from_secs(30);
    loop {
        let answer = limits.admit_at_once(call.clone(), None);
        if answer.is_some() || !limits.second_books.is_open() {
            return answer;
        }
        assert!(Clock::now() < until, "no answer");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Another process that keeps writing to the ledger until this is dropped.
pub(super) struct Lock(Option<(std::sync::mpsc::Sender<()>, std::thread::JoinHandle<()>)>);

impl Lock {
    pub(super) fn new(path: &Path) -> Self {
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
