//! The invariant of limits, after clients that leave, services that break off, and proxies that are killed.

use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::sync::Mutex;
use std::time::Duration;

use serde_json::Value;
use tokmeter::testing::domain::CallKey;
use tokmeter::testing::ledger::{Fact, FactKind, KeyValue as _};

use crate::common::Home;
use crate::service::{Proxy, Service};
use crate::{CHAT, holds, ledger, set};

/// Calls, unless `TOKMETER_STORM` names another number.
const CALLS: usize = 240;
/// Calls of one proxy, and those that are made at once.
const EPOCH: usize = 80;
const AT_ONCE: usize = 8;

/// A row of random numbers: xorshift, so that a failure can be repeated.
struct Dice(u64);

impl Dice {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % bound
    }
}

/// A call whose client leaves at once, after a while, after a part of the answer, or not at all. The id of an answer
/// that came as a whole.
fn call(proxy: SocketAddr, dice: &mut Dice) -> Option<String> {
    let body = r#"{"model":"gpt-4o","max_tokens":95,"messages":[{"role":"user","content":"20 letters of prompt"}]}"#;
    let fault = ["", "reset", "slow", "", ""][usize::try_from(dice.below(5)).unwrap()];
    let mut stream = TcpStream::connect(proxy).ok()?;
    let length = body.len();
    let head = format!(
        "POST {CHAT} HTTP/1.1\r\nhost: {proxy}\r\nx-user-id: alice\r\nx-fault: {fault}\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n{body}"
    );
    stream.write_all(head.as_bytes()).ok()?;
    let mut seen = Vec::new();
    match dice.below(4) {
        0 => return None,
        1 => {
            stream.set_read_timeout(Some(Duration::from_millis(1 + dice.below(8)))).ok()?;
            let _ = stream.read(&mut [0; 64]);
            return None;
        }
        _ => _ = stream.read_to_end(&mut seen),
    }
    let text = String::from_utf8_lossy(&seen);
    let (head, body) = text.split_once("\r\n\r\n")?;
    assert!(!head.starts_with("HTTP/1.1 429"), "there is room for all: {text}");
    // A body that broke off is not a document.
    serde_json::from_str::<Value>(body).ok()?["id"].as_str().map(str::to_owned)
}

/// Makes the calls of an epoch; ids of the answers that came as a whole. The proxy is killed after so many of them.
fn epoch(proxy: &Proxy, seed: u64, killed_after: Option<usize>) -> Vec<String> {
    let (whole, done) = (Mutex::new(Vec::new()), Mutex::new(0));
    std::thread::scope(|scope| {
        for thread in 0..AT_ONCE {
            let (whole, done) = (&whole, &done);
            scope.spawn(move || {
                let mut dice = Dice(seed * 1000 + thread as u64 + 1);
                for _ in 0..EPOCH / AT_ONCE {
                    whole.lock().unwrap().extend(call(proxy.address, &mut dice));
                    let mut done = done.lock().unwrap();
                    *done += 1;
                    if killed_after == Some(*done) {
                        rustix::process::kill_process(proxy.pid(), rustix::process::Signal::KILL).unwrap();
                    }
                }
            });
        }
    });
    whole.into_inner().unwrap()
}

/// Tokens of every call in the books, by its key.
fn rows(home: &Home) -> BTreeMap<String, u64> {
    let out = home.tokmeter().args(["report", "call", "--json"]).output().unwrap();
    let report: Value = serde_json::from_slice(&out.stdout).unwrap();
    let number = |row: &Value| (row["key"].as_str().unwrap().to_owned(), row["total_tokens"].as_u64().unwrap());
    report["rows"].as_array().unwrap().iter().map(number).collect()
}

#[test]
fn after_any_storm_every_call_is_booked_once_and_nothing_is_held() {
    #[expect(clippy::disallowed_methods, reason = "a longer run is asked for by hand")]
    let calls = std::env::var("TOKMETER_STORM").map_or(CALLS, |calls| calls.parse().unwrap());
    let (home, service) = (Home::new(), Service::start(true));
    // Room for all of them, with what killed proxies held.
    set(&home, "user:alice:day", &format!("{}k", calls / 5 + 10));
    let mut dice = Dice(7);
    let (mut whole, mut lost, mut doubled, mut kills, mut booked) = (Vec::new(), 0, 0, 0, BTreeMap::new());
    for seed in 0..calls.div_ceil(EPOCH) as u64 {
        let proxy = Proxy::start(&home, service.address);
        let before = (service.count(), booked.len());
        let killed_after = (dice.below(2) == 0).then(|| 1 + usize::try_from(dice.below(EPOCH as u64)).unwrap());
        whole.extend(epoch(&proxy, seed, killed_after));
        if killed_after.is_none() {
            proxy.end();
        } else {
            kills += 1;
            // The next one takes over what was under way.
            drop(proxy);
            Proxy::start(&home, service.address).end();
        }
        booked = rows(&home);
        let (asked, new) = (service.count() - before.0, booked.len() - before.1);
        lost += asked.saturating_sub(new);
        // A call is noted just before it is sent, so a kill may come between the two.
        let unsent = if killed_after.is_some() { AT_ONCE } else { 0 };
        doubled += new.saturating_sub(asked + unsent);
    }
    let key = |id: &String| CallKey::from_parts(&["openai", id]).to_string();
    lost += whole.iter().filter(|id| booked.get(&key(id)) != Some(&100)).count();
    // A kill may also come between a hold and its note; such a hold expires after a quarter of an hour.
    let left = holds(&home).len();
    assert!(left <= kills, "{left} holds are left by {kills} killed proxies");
    for (id, _) in holds(&home) {
        let earlier =
            |fact: Option<&Fact>| fact.map(|fact| Fact { at: fact.at - chrono::Duration::minutes(15), ..fact.clone() });
        assert!(ledger(&home).update(FactKind::Hold, &id, &earlier).unwrap());
    }
    let proxy = Proxy::start(&home, service.address);
    assert_eq!(proxy.call(CHAT, &[("x-user-id", "bob")]).status, 200);
    assert_eq!(proxy.call(CHAT, &[("x-user-id", "alice")]).status, 200);
    proxy.end();
    let out = home.tokmeter().args(["limits", "show", "--json"]).output().unwrap();
    let limits: Value = serde_json::from_slice(&out.stdout).unwrap();
    let sum: u64 = booked.values().sum::<u64>() + 100;
    let used = limits["limits"][0]["used"]["tokens"].as_u64();
    let _ = writeln!(
        std::io::stderr(),
        "{calls} calls, {} upstream, {} whole, {} booked: {lost} lost, {doubled} doubled, {} held",
        service.count(),
        whole.len(),
        booked.len(),
        holds(&home).len()
    );
    assert_eq!((lost, doubled, holds(&home).len(), used), (0, 0, 0, Some(sum)), "{limits}");
}
