//! The disk is full while calls are made. A limit on the size of files, which is set and lifted while the proxy runs,
//! simulates that: it stops every write beyond it, as any user, in this process alone.

use std::time::{Duration, Instant};

use rustix::process::{Resource, Rlimit, prlimit};
use serde_json::Value;

use crate::common::Home;
use crate::service::{Proxy, Service};
use crate::{CHAT, booked, holds};

/// Lets files of the proxy grow to so many bytes; `None` lifts it.
fn room(proxy: &Proxy, bytes: Option<u64>) {
    prlimit(Some(proxy.pid()), Resource::Fsize, Rlimit { current: bytes, maximum: None }).unwrap();
}

/// A home with a limit for alice, and this answer where the ledger cannot tell.
fn home(on_error: &str) -> Home {
    let home = Home::new();
    home.config(&format!("[gate]\non_error = \"{on_error}\"\n[limits.users.alice]\nday = {{ tokens = 4_000 }}\n"));
    home
}

fn status(proxy: &Proxy) -> u16 {
    proxy.call(CHAT, &[("x-user-id", "alice")]).status
}

/// Waits until this holds.
fn until(what: &str, holds: impl Fn() -> bool) {
    let end = Instant::now() + Duration::from_secs(60);
    while !holds() {
        assert!(Instant::now() < end, "waited in vain until {what}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// Five calls are under way, with their holds, while the disk becomes full; then the service answers them.
fn fills_up(proxy: &Proxy, service: &Service, bytes: u64) {
    std::thread::scope(|scope| {
        let calls: Vec<_> = (0..5).map(|_| scope.spawn(|| status(proxy))).collect();
        until("all calls are under way", || service.count() == 5);
        room(proxy, Some(bytes));
        service.open();
        for call in calls {
            assert_eq!(call.join().unwrap(), 200);
        }
    });
}

#[test]
fn d3_on_a_full_disk_calls_go_on_where_errors_allow_and_all_are_booked_later() {
    let (home, service) = (home("allow"), Service::start(false));
    let proxy = Proxy::start(&home, service.address);
    fills_up(&proxy, &service, 0);
    for _ in 0..5 {
        assert_eq!(status(&proxy), 200);
    }
    room(&proxy, None);
    // Any other command would end the holds as well, by booking the calls from the spool.
    until("the proxy has ended the holds", || holds(&home).is_empty());
    // Those that nothing could take are sent to the ledger again within half a second.
    until("all calls are booked", || booked(&home, "alice") == (10, 1_000));
    // The limit holds again.
    let more = (0..100).take_while(|_| status(&proxy) == 200).count();
    proxy.end();
    assert_eq!((more, booked(&home, "alice"), holds(&home)), (30, (40, 4_000), Vec::new()));
}

#[test]
fn d3_on_a_full_disk_calls_are_refused_where_errors_deny_and_those_under_way_are_booked_later() {
    let (home, service) = (home("deny"), Service::start(false));
    let proxy = Proxy::start(&home, service.address);
    fills_up(&proxy, &service, 0);
    for _ in 0..5 {
        assert_eq!(status(&proxy), 503);
    }
    assert_eq!(service.count(), 5);
    room(&proxy, None);
    until("calls are admitted again", || status(&proxy) == 200);
    proxy.end();
    assert_eq!((booked(&home, "alice"), holds(&home)), ((6, 600), Vec::new()));
}

#[test]
fn d3_calls_that_a_full_ledger_cannot_take_wait_in_the_spool_when_the_proxy_ends() {
    let (home, service) = (home("allow"), Service::start(false));
    let proxy = Proxy::start(&home, service.address);
    // Room for the small files, not for another page of the ledger.
    fills_up(&proxy, &service, 16 * 1024);
    for _ in 0..5 {
        assert_eq!(status(&proxy), 200);
    }
    proxy.end();
    assert_eq!(booked(&home, "alice"), (10, 1_000));
    assert_eq!(booked(&home, "alice"), (10, 1_000), "each counts once");
}

#[test]
fn d3_a_line_of_the_journal_that_a_full_disk_cut_off_spoils_no_other() {
    let (home, service) = (home("allow"), Service::start(true));
    let proxy = Proxy::start(&home, service.address);
    let path = home.path().join(format!(".local/share/tokmeter/proxy/{}-0.jsonl", proxy.pid().as_raw_nonzero()));
    assert_eq!(status(&proxy), 200);
    let one = std::fs::metadata(&path).unwrap().len();
    room(&proxy, Some(one + 40));
    assert_eq!(status(&proxy), 200);
    room(&proxy, None);
    assert_eq!(status(&proxy), 200);
    let journal = std::fs::read_to_string(&path).unwrap();
    let lines = journal.lines().map(|line| serde_json::from_str::<Value>(line).expect("a whole line"));
    assert_eq!(lines.filter(|line| line["input_tokens"].is_number()).count(), 2, "{journal}");
    until("all are booked", || booked(&home, "alice") == (3, 300));
    proxy.end();
    assert_eq!((booked(&home, "alice"), holds(&home)), ((3, 300), Vec::new()));
}
