//! Limits that hold: what goes through the proxy when many call at once, and what is left when it is killed.

#![cfg(unix)]
#![allow(missing_docs, unreachable_pub, clippy::unwrap_used, reason = "a panic fails the test")]

#[path = "proxy_limits/clients.rs"]
mod clients;
mod common;
#[cfg(target_os = "linux")]
#[path = "proxy_limits/full_disk.rs"]
mod full_disk;
#[path = "proxy_limits/hidden.rs"]
mod hidden;
#[path = "proxy_limits/lengths.rs"]
mod lengths;
#[path = "proxy_limits/relay.rs"]
mod relay;
#[path = "proxy_limits/service.rs"]
mod service;
#[path = "proxy_limits/storm.rs"]
mod storm;

use chrono::Datelike as _;
use std::sync::Arc;

use common::Home;
use serde_json::Value;
use service::{Proxy, Service};
use tokmeter::testing::config::{Env, Settings};
use tokmeter::testing::domain::{CallKey, Instant};
use tokmeter::testing::ledger::{Fact, FactKind, KeyValue, Options, open};
use tokmeter::testing::pricing::PriceBook;

const CHAT: &str = "/v1/chat/completions";
/// A call for which more than 4,000 tokens are held, and of which 100 are used.
const LARGE: &str =
    r#"{"model":"gpt-4o","max_tokens":4096,"messages":[{"role":"user","content":"20 letters of prompt"}]}"#;

fn set(home: &Home, limit: &str, amount: &str) {
    home.tokmeter().args(["limits", "set", limit, amount]).assert().success();
}

/// A user's calls and tokens in the books.
fn booked(home: &Home, user: &str) -> (u64, u64) {
    let out = home.tokmeter().args(["report", "total", "--json", "--user", user]).output().unwrap();
    let total = serde_json::from_slice::<Value>(&out.stdout).unwrap()["total"].clone();
    (total["calls"].as_u64().unwrap(), total["total_tokens"].as_u64().unwrap())
}

fn ledger(home: &Home) -> tokmeter::testing::ledger::Sqlite {
    let settings = Settings::defaults(&Env::empty(Instant::default()));
    let prices = Arc::new(PriceBook::new(Vec::new(), Vec::new(), settings.cost));
    let path = home.path().join(".local/share/tokmeter/ledger.db");
    open(&path, Options::new(Instant::default()), prices).unwrap().books
}

fn holds(home: &Home) -> Vec<(String, Fact)> {
    ledger(home).facts(FactKind::Hold, "").unwrap()
}

/// Makes calls at once through these proxies; how many were answered, and how many refused for now.
fn storm(proxies: &[&Proxy], service: &Service, calls: usize) -> (usize, usize) {
    std::thread::scope(|scope| {
        let one = |number: usize| {
            let proxy = proxies[number % proxies.len()];
            scope.spawn(move || proxy.call(CHAT, &[("x-user-id", "alice")]))
        };
        let threads: Vec<_> = (0..calls).map(one).collect();
        // Those that were refused end at once; the others when the service answers.
        while threads.iter().filter(|thread| thread.is_finished()).count() + service.count() < calls {
            std::thread::yield_now();
        }
        service.open();
        let answers: Vec<_> = threads.into_iter().map(|thread| thread.join().unwrap()).collect();
        let of = |status| answers.iter().filter(|answer| answer.status == status).count();
        for refused in answers.iter().filter(|answer| answer.status == 429) {
            assert_eq!(refused.body["error"]["code"], "rate_limit_exceeded", "{refused:?}");
            assert_eq!((refused.header("retry-after"), refused.header("x-should-retry")), ("2", "true"));
        }
        (of(200), of(429))
    })
}

#[test]
fn of_a_hundred_calls_at_once_no_more_go_through_than_there_is_room_for() {
    let (home, service) = (Home::new(), Service::start(false));
    set(&home, "user:alice:day", "4k");
    let proxy = Proxy::start(&home, service.address);
    let (went, refused) = storm(&[&proxy], &service, 100);
    // Each call holds a hundred tokens, and a hundred are booked.
    assert_eq!((went, refused, service.count()), (40, 60, 40));
    // Once all are booked the limit is reached, and not only held.
    let over = loop {
        let refused = proxy.call(CHAT, &[("x-user-id", "alice")]);
        if refused.body["error"]["code"] != "rate_limit_exceeded" {
            break refused;
        }
    };
    assert_eq!((over.status, &over.body["error"]["code"]), (429, &"insufficient_quota".into()));
    assert_eq!(over.header("x-should-retry"), "false");
    assert_eq!(proxy.call(CHAT, &[("x-user-id", "bob")]).status, 200);
    proxy.end();
    assert_eq!((booked(&home, "alice"), booked(&home, "bob")), ((40, 4000), (1, 100)));
    assert_eq!(holds(&home), []);
}

#[test]
fn two_proxies_on_one_ledger_let_no_more_through_than_one() {
    let (home, service) = (Home::new(), Service::start(false));
    set(&home, "user:alice:day", "4k");
    let (one, other) = (Proxy::start(&home, service.address), Proxy::start(&home, service.address));
    assert_eq!(storm(&[&one, &other], &service, 100), (40, 60));
    one.end();
    other.end();
    assert_eq!((booked(&home, "alice"), holds(&home)), ((40, 4000), Vec::new()));
}

/// A proxy that was killed while alice's call of 100 tokens was under way; and its journal.
fn killed_under_way(home: &Home, service: &Service) -> std::path::PathBuf {
    home.config("[limits.users.alice]\nday = { tokens = 100 }\n");
    let proxy = Proxy::start(home, service.address);
    let journal = home.path().join(format!(".local/share/tokmeter/proxy/{}-0.jsonl", proxy.pid().as_raw_nonzero()));
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| {
            let call = std::panic::AssertUnwindSafe(|| proxy.call(CHAT, &[("x-user-id", "alice")]));
            std::panic::catch_unwind(call).is_err()
        });
        let is_noted = || std::fs::read_to_string(&journal).unwrap().contains("began");
        let end = std::time::Instant::now() + std::time::Duration::from_secs(30);
        while !is_noted() && std::time::Instant::now() < end {
            std::thread::yield_now();
        }
        let was_noted = is_noted();
        rustix::process::kill_process(proxy.pid(), rustix::process::Signal::KILL).unwrap();
        assert!(waiting.join().unwrap(), "the call broke off");
        assert!(was_noted, "the call is in the journal");
    });
    drop(proxy);
    service.open();
    let refused = gate(home);
    assert_eq!(refused.status.code(), Some(2));
    let why = String::from_utf8(refused.stderr).unwrap();
    assert!(why.contains("100 of 100") && why.contains("calls under way included"), "{why}");
    journal
}

fn gate(home: &Home) -> std::process::Output {
    home.tokmeter().args(["gate", "--user", "alice"]).output().unwrap()
}

#[test]
fn what_a_killed_proxy_held_ends_when_the_next_one_books_its_calls() {
    let (home, service) = (Home::new(), Service::start(false));
    killed_under_way(&home, &service);
    let again = Proxy::start(&home, service.address);
    let began = std::time::Instant::now();
    // On a busy machine its first answer may come before it has booked them.
    while again.call(CHAT, &[("x-user-id", "alice")]).status != 200 {
        assert!(began.elapsed() < std::time::Duration::from_secs(60), "the amount is still held");
    }
    again.end();
    let (calls, tokens) = booked(&home, "alice");
    // What the call that broke off had sent, by its size.
    assert!(calls == 2 && (101..200).contains(&tokens), "{calls} calls, {tokens} tokens");
    assert!(holds(&home).is_empty());
}

#[test]
fn what_a_killed_proxy_held_lapses_if_its_journal_is_gone() {
    let (home, service) = (Home::new(), Service::start(false));
    std::fs::remove_file(killed_under_way(&home, &service)).unwrap();
    let again = Proxy::start(&home, service.address);
    assert_eq!(again.call(CHAT, &[("x-user-id", "alice")]).status, 429, "a new process sees it");
    // A quarter of an hour later.
    let [(id, _)] = &holds(&home)[..] else { panic!("one is held") };
    let earlier =
        |fact: Option<&Fact>| fact.map(|fact| Fact { at: fact.at - chrono::Duration::minutes(15), ..fact.clone() });
    assert!(ledger(&home).update(FactKind::Hold, id, &earlier).unwrap());
    assert_eq!(gate(&home).status.code(), Some(0));
    assert_eq!(again.call(CHAT, &[("x-user-id", "alice")]).status, 200);
    again.end();
    assert_eq!((holds(&home), booked(&home, "alice")), (Vec::new(), (1, 100)));
}

#[test]
fn a_hold_ends_with_its_call_whoever_books_it_from_the_journal() {
    let (home, service) = (Home::new(), Service::start(false));
    set(&home, "user:alice:day", "300 tokens");
    let folder = home.path().join(".local/share/tokmeter");
    let proxy = Proxy::start(&home, service.address);
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| proxy.call(CHAT, &[("x-user-id", "alice")]));
        while service.count() == 0 {
            std::thread::yield_now();
        }
        // The call's line, as another process reads it before the proxy has booked the call.
        let [(id, _)] = &holds(&home)[..] else { panic!("one is held") };
        let key = CallKey::from_parts(&["openai", "chatcmpl-0123456789000000"]);
        let at = common::now();
        let line = format!(
            "{{\"at\":\"{at}\",\"model\":\"gpt-4o\",\"input_tokens\":60,\"output_tokens\":40,\"user\":\"alice\",\
             \"tokmeter\":{{\"key\":\"{key}\",\"source\":\"proxy\",\"hold\":\"{id}\"}}}}\n"
        );
        std::fs::write(folder.join("spool.jsonl"), line).unwrap();
        assert_eq!((booked(&home, "alice"), holds(&home)), ((1, 100), Vec::new()));
        // 100 of 300 are used and nothing is held: there is room for two more.
        let others: Vec<_> = (0..2).map(|_| scope.spawn(|| proxy.call(CHAT, &[("x-user-id", "alice")]))).collect();
        while service.count() < 3 {
            assert!(!others.iter().any(std::thread::ScopedJoinHandle::is_finished), "one was refused");
            std::thread::yield_now();
        }
        service.open();
        assert!(others.into_iter().chain([waiting]).all(|call| call.join().unwrap().status == 200));
    });
    proxy.end();
    assert_eq!((booked(&home, "alice"), holds(&home)), ((3, 300), Vec::new()));
}

#[test]
fn what_a_killed_proxy_held_for_calls_that_ended_is_free_at_once() {
    let (home, service) = (Home::new(), Service::start(true));
    set(&home, "user:alice:day", "4k");
    for round in 1..=3 {
        let proxy = Proxy::start(&home, service.address);
        assert!((0..5).all(|_| proxy.call(CHAT, &[("x-user-id", "alice")]).status == 200));
        rustix::process::kill_process(proxy.pid(), rustix::process::Signal::KILL).unwrap();
        drop(proxy);
        assert_eq!((booked(&home, "alice"), holds(&home)), ((5 * round, 500 * round), Vec::new()));
    }
}

#[test]
fn a_clients_next_call_is_not_refused_for_what_was_held_for_its_last() {
    let (home, service) = (Home::new(), Service::start(true));
    set(&home, "user:alice:day", "4k");
    let proxy = Proxy::start(&home, service.address);
    let call = |_| proxy.send("POST", CHAT, &[("x-user-id", "alice")], LARGE).status;
    assert_eq!((0..40).map(call).collect::<Vec<_>>(), [200; 40]);
    let over = proxy.send("POST", CHAT, &[("x-user-id", "alice")], LARGE);
    assert_eq!((over.status, &over.body["error"]["code"]), (429, &"insufficient_quota".into()));
    proxy.end();
    assert_eq!((booked(&home, "alice"), holds(&home)), ((40, 4000), Vec::new()));
}

#[test]
fn nor_for_what_another_proxy_held_for_its_last() {
    let (home, service) = (Home::new(), Service::start(true));
    set(&home, "user:alice:day", "4k");
    let proxies = [Proxy::start(&home, service.address), Proxy::start(&home, service.address)];
    let call = |nth: usize| proxies[nth % 2].send("POST", CHAT, &[("x-user-id", "alice")], LARGE).status;
    let refused = (0..30).filter(|nth| call(*nth) != 200).count();
    proxies.into_iter().for_each(Proxy::end);
    // The other proxy is given a moment, which may be too short on a busy machine. Without it, a third is refused.
    assert!(refused < 4, "{refused} of 30");
}

#[test]
fn a_limit_of_zero_refuses_calls_and_nothing_that_costs_nothing() {
    let (home, service) = (Home::new(), Service::start(true));
    set(&home, "day", "0usd");
    let proxy = Proxy::start(&home, service.address);
    for (path, kind) in [
        (CHAT, "insufficient_quota"),
        ("/v1/responses", "insufficient_quota"),
        ("/v1/responses/compact", "insufficient_quota"),
        ("/v1/embeddings", "insufficient_quota"),
        ("/v1/messages", "billing_error"),
        ("/v1/messages?beta=true", "billing_error"),
    ] {
        let refused = proxy.call(path, &[]);
        assert_eq!((refused.status, &refused.body["error"]["type"]), (429, &kind.into()), "{path}");
        let message = refused.body["error"]["message"].as_str().unwrap();
        assert_eq!(message, "spend limit reached (daily; resets 00:00): $0.00 of $0.00 used");
        let wait: i64 = refused.header("retry-after").parse().unwrap();
        assert!((1..=86_401).contains(&wait), "{wait}");
    }
    assert_eq!(service.count(), 0);
    assert_eq!(proxy.call("/v1/messages/count_tokens", &[]).status, 200);
    assert_eq!(proxy.send("GET", "/v1/models", &[], "").status, 200);
    assert_eq!(proxy.send("GET", "/v1/responses/resp_1", &[], "").status, 200);
    assert_eq!(service.count(), 3);
    // The config is read again, without a restart.
    set(&home, "day", "100usd");
    while proxy.call(CHAT, &[]).status == 429 {
        std::thread::yield_now();
    }
}

#[test]
fn a_client_that_several_limits_refuse_may_come_back_once_all_of_them_have_reset() {
    let (home, service) = (Home::new(), Service::start(true));
    home.config("[limits]\nhour = { usd = 0 }\n[limits.users.alice]\nmonth = { usd = 0 }\n");
    let proxy = Proxy::start(&home, service.address);
    let wait = |user: &str| {
        let refused = proxy.call(CHAT, &[("x-user-id", user)]);
        assert_eq!(refused.status, 429, "{user}");
        refused.header("retry-after").parse::<i64>().unwrap()
    };
    let (before, bob, alice) =
        (common::now().parse::<chrono::DateTime<chrono::Utc>>().unwrap(), wait("bob"), wait("alice"));
    assert!((1..=3_601).contains(&bob), "{bob}");
    let next = before.date_naive().with_day0(0).unwrap() + chrono::Months::new(1);
    let until = (next.and_time(chrono::NaiveTime::MIN).and_utc() - before).num_seconds();
    // In UTC, the time zone of the tests.
    assert!((until - 30..=until + 2).contains(&alice), "{alice} of {until}");
}

#[test]
fn a_limit_holds_for_whatever_a_body_names_behind_a_long_prompt() {
    let (home, service) = (Home::new(), Service::start(true));
    let zero = "day = { tokens = 0 }\n";
    let of = ["models.gpt-4o", "users.carol", "teams.web", "agents.scout", "features.search", "projects.\"/src/api\""];
    home.config(&of.map(|of| format!("[limits.{of}]\n{zero}")).concat());
    let proxy = Proxy::start(&home, service.address);
    let prompt = "y".repeat(600_000);
    for (last, status) in [
        (r#""model":"gpt-4o""#, 429),
        (r#""model":"gpt-4o-2024-08-06""#, 429),
        (r#""model":"gpt-4o-mini""#, 200),
        (r#""model":"gpt-4o-mini","user":"carol""#, 429),
        (r#""model":"gpt-4o-mini","user":"bob""#, 200),
        (r#""model":"gpt-4o-mini","metadata":{"team":"web"}"#, 429),
        (r#""model":"gpt-4o-mini","metadata":{"agent":"scout"}"#, 429),
        (r#""model":"gpt-4o-mini","metadata":{"feature":"search"}"#, 429),
        (r#""model":"gpt-4o-mini","metadata":{"project":"/src/api"}"#, 429),
        (r#""model":"gpt-4o-mini","metadata":{"project":"/src/web"}"#, 200),
    ] {
        let body = format!(r#"{{"messages":[{{"role":"user","content":"{prompt}"}}],{last}}}"#);
        assert_eq!(proxy.send("POST", CHAT, &[], &body).status, status, "{last}");
        // A name that comes first is not the one that counts.
        let first = r#""model":"gpt-4o-mini","metadata":{"user_id":"bob"}"#;
        let body = format!(r#"{{{first},"messages":[{{"role":"user","content":"{prompt}"}}],"user":"carol"}}"#);
        assert_eq!(proxy.send("POST", CHAT, &[], &body).status, 429);
    }
    assert_eq!(service.count(), 3);
}

#[test]
fn a_limit_of_sessions_holds_for_the_session_that_a_body_names_behind_a_long_prompt() {
    let (home, service) = (Home::new(), Service::start(true));
    home.config("[limits]\nsession = { tokens = 100 }\n");
    let proxy = Proxy::start(&home, service.address);
    let prompt = "y".repeat(600_000);
    let call = |session: &str| {
        let last = format!(r#""metadata":{{"session_id":"{session}"}}"#);
        let body = format!(r#"{{"model":"gpt-4o","messages":[{{"role":"user","content":"{prompt}"}}],{last}}}"#);
        proxy.send("POST", CHAT, &[], &body).status
    };
    assert_eq!(call("one"), 200);
    // Its cost is booked a moment later, and held until then.
    assert_eq!((call("one"), call("two")), (429, 200));
}

#[test]
fn near_a_limit_answers_say_so_in_claude_codes_own_headers() {
    let (home, service) = (Home::new(), Service::start(true));
    home.config("[limits.users.alice]\nweek = { tokens = 500 }\n");
    let proxy = Proxy::start(&home, service.address);
    let call = || proxy.call("/v1/messages", &[("x-user-id", "alice")]);
    let first = call();
    assert_eq!((first.header("x-tokmeter-limit"), first.header("anthropic-ratelimit-unified-status")), ("", ""));
    for _ in 0..3 {
        call();
    }
    // The report reads the proxy's journal itself, so a call may be booked before its hold has ended.
    while booked(&home, "alice").1 < 400 || !holds(&home).is_empty() {
        std::thread::yield_now();
    }
    let near = call();
    assert_eq!((near.status, near.header("x-tokmeter-limit")), (200, "alice weekly; 80%"));
    let of = |name: &str| near.header(&format!("anthropic-ratelimit-unified-{name}")).to_owned();
    assert_eq!(
        ["status", "overage-utilization", "overage-surpassed-threshold"].map(of),
        ["allowed_warning", "0.80", "0.80"]
    );
    assert!(of("reset").parse::<i64>().unwrap() > 1_700_000_000 && of("reset") == of("overage-reset"));
    // A warning of OpenAI's form has no such headers.
    let openai = proxy.call(CHAT, &[("x-user-id", "alice")]);
    assert_eq!(openai.header("anthropic-ratelimit-unified-status"), "");
}

#[test]
fn a_key_says_who_calls_and_its_limits_and_those_of_its_team_count() {
    let (home, service) = (Home::new(), Service::start(true));
    set(&home, "user:alice:day", "1k");
    set(&home, "team:web:day", "2k");
    let add = |user: &str| {
        let out = home.tokmeter().args(["proxy", "key", "add", "--user", user, "--team", "web"]).output().unwrap();
        String::from_utf8(out.stdout).unwrap().trim().to_owned()
    };
    let proxy = Proxy::start(&home, service.address);
    assert_eq!(proxy.call(CHAT, &[("x-user-id", "carol")]).status, 200, "without any key nobody needs one");
    let (alice, bob) = (add("alice"), add("bob"));
    assert_eq!(proxy.call(CHAT, &[]).status, 401);
    proxy.end();
    // Keys outlive a proxy, and count from the first request of the next one.
    let proxy = Proxy::start(&home, service.address);
    let refused = proxy.call(CHAT, &[]);
    assert_eq!((refused.status, &refused.body["error"]["code"]), (401, &"invalid_api_key".into()));
    assert_eq!(refused.header("x-tokmeter-call-id").len(), 32);
    assert!(refused.header("x-tokmeter-overhead-ms").contains('.'), "{}", refused.header("x-tokmeter-overhead-ms"));
    let refused = proxy.call("/v1/messages", &[("x-tokmeter-key", "tm-guess")]);
    assert_eq!((refused.status, &refused.body["error"]["type"]), (401, &"authentication_error".into()));
    assert_eq!(proxy.send("GET", "/v1/models", &[], "").status, 401);
    assert_eq!(service.count(), 1);
    // A key's user is not what a header says.
    let by_alice = || proxy.call(CHAT, &[("x-tokmeter-key", &alice), ("x-user-id", "bob"), ("x-team-id", "ops")]);
    let by_bob = || proxy.call(&format!("/k/{bob}{CHAT}"), &[]);
    let until_refused = |call: &dyn Fn() -> service::Answer| (0..100).take_while(|_| call().status == 200).count();
    assert_eq!((until_refused(&by_alice), until_refused(&by_bob)), (10, 10), "her own limit, and that of the team");
    assert!(by_bob().header("x-tokmeter-overhead-ms").contains('.'));
    // A key without a team has none that others name.
    let out = home.tokmeter().args(["proxy", "key", "add", "--user", "dave"]).output().unwrap();
    let dave = String::from_utf8(out.stdout).unwrap().trim().to_owned();
    let body = r#"{"model":"gpt-4o","max_tokens":95,"messages":[],"metadata":{"team":"web"}}"#;
    let by_dave = proxy.send("POST", CHAT, &[("x-tokmeter-key", &dave), ("x-team-id", "web")], body);
    assert_eq!(by_dave.status, 200, "the limit of the team is not his");
    home.tokmeter().args(["proxy", "key", "revoke", "alice"]).assert().success();
    assert_eq!((by_alice().status, by_bob().status), (401, 429));
    proxy.end();
    assert_eq!(
        [booked(&home, "alice"), booked(&home, "bob"), booked(&home, "carol"), booked(&home, "dave")],
        [(10, 1000), (10, 1000), (1, 100), (1, 100)]
    );
    let out = home.tokmeter().args(["report", "total", "--json", "--team", "web"]).output().unwrap();
    assert_eq!(serde_json::from_slice::<Value>(&out.stdout).unwrap()["total"]["calls"], 20);
}
