//! Under load: killed at any moment, and with books that cannot be written.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use serde_json::Value;

use crate::client::{Client, Served};
use crate::common::Home;
use crate::{JSON, LOGS, counted, export, request};

/// Ten requests of one client's export of this number, each of 1 token.
fn batch(worker: usize, number: u64) -> Value {
    let records: Vec<Value> = (0..10).map(|at| request(&format!("req_{worker}_{number}_{at}"), 1)).collect();
    export(&records)
}

fn send(client: &Client, body: &Value) -> Option<u16> {
    client.try_post(LOGS, &[("content-type", JSON)], body.to_string().as_bytes()).map(|answer| answer.status)
}

#[test]
fn kill_9_under_load_loses_nothing_acknowledged_and_a_resend_counts_nothing_twice() {
    const WORKERS: usize = 3;
    let home = Home::new();
    let mut sent = [0_u64; WORKERS];
    for round in 0..3_u64 {
        let mut served = Served::start(&home);
        let (acknowledged, killed) = (AtomicU64::new(0), AtomicBool::new(false));
        let before: u64 = sent.iter().sum();
        std::thread::scope(|scope| {
            for (worker, sent) in sent.iter_mut().enumerate() {
                let (client, acknowledged, killed) =
                    (Client { address: served.client.address }, &acknowledged, &killed);
                scope.spawn(move || {
                    while !killed.load(Ordering::SeqCst) {
                        // The last one of each worker may or may not have been booked.
                        match send(&client, &batch(worker, *sent)) {
                            Some(200) => {
                                *sent += 1;
                                acknowledged.fetch_add(1, Ordering::SeqCst);
                            }
                            Some(status) => assert_eq!(status, 503),
                            None => assert!(killed.load(Ordering::SeqCst), "no answer"),
                        }
                    }
                });
            }
            while acknowledged.load(Ordering::SeqCst) < 20 + 13 * round {
                std::thread::yield_now();
            }
            killed.store(true, Ordering::SeqCst);
            served.kill();
        });
        let all: u64 = sent.iter().sum();
        assert_eq!(all - before, acknowledged.into_inner());
        let served = Served::start(&home);
        let (calls, _) = counted(&served.client);
        assert!((10 * all..=10 * (all + WORKERS as u64)).contains(&calls), "{calls} calls of {all} exports");
        // Everything of this round again, and what had no answer.
        for (worker, sent) in sent.iter_mut().enumerate() {
            for number in sent.saturating_sub(20)..=*sent {
                assert_eq!(send(&served.client, &batch(worker, number)), Some(200));
            }
            *sent += 1;
        }
        let all: u64 = sent.iter().sum();
        assert_eq!(counted(&served.client), (10 * all, 10 * all));
    }
}

/// An export of one call, padded to almost a MiB.
fn heavy(number: u64) -> String {
    let mut record = request(&format!("req_heavy_{number}"), 1);
    record["body"] = serde_json::json!({"stringValue": "x".repeat(1_000_000)});
    export(&[record]).to_string()
}

/// Another program holds the books' lock: what arrives is kept within bounds, and acknowledged once it is safe.
#[test]
fn while_the_books_are_locked_memory_is_bounded_and_nothing_acknowledged_is_lost() {
    const EXPORTS: u64 = 24;
    let home = Home::new();
    home.config("[server]\nbody_mib = 1\n");
    let served = Served::start(&home);
    assert_eq!(send(&served.client, &batch(0, 0)), Some(200));
    let books = rusqlite::Connection::open(home.path().join(".local/share/tokmeter/ledger.db")).unwrap();
    books.execute_batch("BEGIN IMMEDIATE").unwrap();
    let refused = AtomicU64::new(0);
    std::thread::scope(|scope| {
        for number in 0..EXPORTS {
            let (client, refused) = (Client { address: served.client.address }, &refused);
            scope.spawn(move || {
                loop {
                    let answer = client.post(LOGS, &[("content-type", JSON)], heavy(number).as_bytes());
                    if answer.status == 200 {
                        return;
                    }
                    assert_eq!((answer.status, answer.header("retry-after")), (503, Some("1")));
                    refused.fetch_add(1, Ordering::SeqCst);
                    std::thread::sleep(Duration::from_millis(100));
                }
            });
        }
    });
    // While the first waited for the lock there was room for three more.
    assert!(refused.into_inner() > 0);
    assert_eq!(counted(&served.client), (10 + EXPORTS, 10 + EXPORTS));
    books.execute_batch("ROLLBACK").unwrap();
    drop(books);
    drop(served);
    let served = Served::start(&home);
    assert_eq!(counted(&served.client), (10 + EXPORTS, 10 + EXPORTS));
}
