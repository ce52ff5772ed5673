//! Tests that really deliver alerts: to a program, to a web hook on this machine, and from two processes with one
//! ledger.

mod mail;

use std::io::{BufRead, BufReader, Read, Write};
use std::sync::Mutex;
use std::sync::mpsc;

use super::*;
use crate::domain::{Dimension, Label, Matcher, Span, Usd, Zone};
use crate::ledger::{Memory, Options, claim_alert};
use crate::meter::{AlertId, Amount, Limit, LimitState, LimitedSession, Scope, SessionId, Verdict, Window};
use crate::pricing::{CostMode, PriceBook};

const PROJECT: &str = "; touch x `touch y` $(touch z) {body}";

fn now() -> Instant {
    "2026-11-22T13:02:00Z".parse().unwrap()
}

fn alert() -> Alert {
    let amount = Amount { usd: Some(Usd::from_micro(25_000_000)), ..Amount::default() };
    let only = vec![(Dimension::Project, Matcher::new(PROJECT))];
    let limit = Limit { scope: Scope { only, each: false }, window: Window::Day, amount, warn_at: vec![80] };
    let limit = LimitState {
        limit,
        name: format!("{PROJECT} daily"),
        subject: None,
        session: None,
        used: Amount { usd: Some(Usd::from_micro(20_000_000)), ..Amount::default() },
        span: Some(Span::day(now(), Zone::UTC)),
        percent: 80,
        verdict: Verdict::Near,
        projected: None,
        lower_bound: false,
        unread: false,
        guessed: false,
        lifted: false,
    };
    Alert { id: AlertId::from_state(&limit, 80, now()), threshold: 80, about: About::Limit(limit) }
}

fn settings(env: &Env) -> Settings {
    let mut settings = Settings::defaults(env);
    settings.alerts.notify = Notify::Off;
    settings
}

fn memory() -> Memory {
    Memory::new(Arc::new(PriceBook::new(Vec::new(), Vec::new(), CostMode::Auto)))
}

/// A sink for late notes.
fn later() -> (Later, Arc<Mutex<mpsc::Receiver<String>>>) {
    let (send, receive) = mpsc::channel();
    let send = Mutex::new(send);
    let note = Arc::new(move |note| drop(send.lock().unwrap().send(note)));
    (Later::for_test(note, &Deliveries::default()), Arc::new(Mutex::new(receive)))
}

#[test]
fn i9_a_hostile_name_reaches_the_users_program_as_one_argument() {
    let folder = tempfile::tempdir().unwrap();
    let pipe = folder.path().join("said");
    let env = Env::empty(now());
    let mut settings = settings(&env);
    let script =
        format!("cd '{}' && printf '%s\\n' \"$#\" \"$1\" \"$2\" > part && mv part said", folder.path().display());
    settings.alerts.command = ["/bin/sh", "-c", &script, "sh", "{title}", "{body}"].map(str::to_owned).to_vec();
    let (later, notes) = later();
    let delivered = deliver(&alert(), &settings, &env, &mut memory(), now(), &later);
    assert_eq!((delivered.claimed, delivered.bell, delivered.notes.len()), (true, true, 0));
    let end = std::time::Instant::now() + std::time::Duration::from_secs(20);
    while !pipe.exists() && std::time::Instant::now() < end {
        std::thread::yield_now();
    }
    let received = std::fs::read_to_string(&pipe).unwrap();
    assert_eq!(
        received,
        format!("2\n80% of {PROJECT} daily limit used\nCost: $20.00 / $25.00 · resets 00:00\n"),
        "{:?}",
        notes.lock().unwrap().try_recv()
    );
    for made in ["x", "y", "z"] {
        assert!(!folder.path().join(made).exists(), "{made} was touched");
    }
}

#[test]
fn j21_a_name_is_never_an_option_of_the_users_program() {
    for name in ["--hint=x", "-u", "@/etc/passwd", "-"] {
        let mut alert = alert();
        let About::Limit(limit) = &mut alert.about else { panic!() };
        limit.subject = Some(name.to_owned());
        limit.name = format!("{name} daily");
        let words = AlertText::from_alert(&alert, now(), Zone::UTC);
        assert!(!words.title.starts_with(['-', '@']) && words.title.contains(name), "{}", words.title);
        assert!(words.body.starts_with("Cost: "), "{}", words.body);
    }
}

#[test]
fn a_program_that_is_not_there_is_a_note_and_one_that_fails_a_late_one() {
    let env = Env::empty(now());
    let mut settings = settings(&env);
    let (later, notes) = later();
    settings.alerts.command = vec!["/nowhere/notify".to_owned()];
    let delivered = deliver(&alert(), &settings, &env, &mut memory(), now(), &later);
    assert!(delivered.notes[0].contains("'/nowhere/notify' could not be started"), "{:?}", delivered.notes);
    settings.alerts.command = ["/bin/sh", "-c", "exit 3"].map(str::to_owned).to_vec();
    deliver(&alert(), &settings, &env, &mut memory(), now(), &later);
    let late = notes.lock().unwrap().recv_timeout(std::time::Duration::from_secs(20)).unwrap();
    assert!(late.contains("exit status: 3"), "{late}");
}

#[test]
fn a_web_hook_is_told_in_json_and_its_refusal_is_a_late_note_without_its_secret() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let (sender, received) = mpsc::channel();
    std::thread::spawn(move || {
        for answer in ["204 No Content", "500 No"] {
            let (stream, _) = listener.accept().unwrap();
            let mut reader = BufReader::new(&stream);
            let (mut head, mut length) = (String::new(), 0);
            loop {
                let mut line = String::new();
                reader.read_line(&mut line).unwrap();
                if let Some(value) = line.to_lowercase().strip_prefix("content-length:") {
                    length = value.trim().parse().unwrap();
                }
                if line == "\r\n" {
                    break;
                }
                head += &line;
            }
            let mut body = vec![0; length];
            reader.read_exact(&mut body).unwrap();
            (&stream).write_all(format!("HTTP/1.1 {answer}\r\nContent-Length: 0\r\n\r\n").as_bytes()).unwrap();
            sender.send((head, String::from_utf8(body).unwrap())).unwrap();
        }
    });
    let env = Env::empty(now());
    let mut settings = settings(&env);
    settings.alerts.webhook = Some(format!("http://{address}/hook/SECRET"));
    let (later, notes) = later();
    for _ in 0..2 {
        assert_eq!(deliver(&alert(), &settings, &env, &mut memory(), now(), &later).notes, [""; 0]);
        let (head, body) = received.recv_timeout(std::time::Duration::from_secs(20)).unwrap();
        assert!(head.starts_with("POST /hook/SECRET") && head.to_lowercase().contains("application/json"), "{head}");
        let body: serde_json::Value = serde_json::from_str(&body).unwrap();
        assert_eq!(body["title"], format!("80% of {PROJECT} daily limit used"));
        assert_eq!((&body["threshold"], &body["limit"]["verdict"]), (&80.into(), &"near".into()));
    }
    let late = notes.lock().unwrap().recv_timeout(std::time::Duration::from_secs(20)).unwrap();
    assert!(late.contains("127.0.0.1") && late.contains("500") && !late.contains("SECRET"), "{late}");
}

/// A web hook that gives one of the sent answers to each request.
fn hook() -> (Settings, mpsc::Sender<&'static str>) {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let mut settings = settings(&Env::empty(now()));
    settings.alerts.webhook = Some(format!("http://{}/", listener.local_addr().unwrap()));
    let (answers, next) = mpsc::channel();
    std::thread::spawn(move || {
        while let Ok(answer) = next.recv() {
            let (mut stream, _) = listener.accept().unwrap();
            let (mut request, mut part) = (Vec::new(), [0; 4096]);
            while !request.ends_with(b"}") {
                let count = stream.read(&mut part).unwrap();
                request.extend_from_slice(&part[..count]);
            }
            stream.write_all(format!("HTTP/1.1 {answer}\r\nContent-Length: 0\r\n\r\n").as_bytes()).unwrap();
        }
    });
    (settings, answers)
}

#[test]
fn an_alert_is_delivered_once_it_was_accepted_and_the_end_waits_for_that() {
    let (settings, answers) = hook();
    let env = Env::empty(now());
    let (mut deliveries, mut books) = (Deliveries::default(), memory());
    let later = Later::for_test(Arc::new(|_| ()), &deliveries);
    let delivered = deliver(&alert(), &settings, &env, &mut books, now(), &later);
    assert!(delivered.claimed && delivered.under_way);
    deliveries.began();
    // Until then a killed process leaves it to another one.
    deliveries.settle(&mut books, now());
    let claim = |books: &mut Memory| claim_alert(books, alert().id.as_str(), now()).unwrap();
    assert_eq!(claim(&mut books), AlertClaim::Pending);
    answers.send("204 No Content").unwrap();
    deliveries.finish(&mut books, now());
    assert_eq!((claim(&mut books), deliveries.any()), (AlertClaim::Done, false));
}

#[test]
fn a_server_that_refuses_an_alert_is_asked_again() {
    let (settings, answers) = hook();
    let (mut deliveries, mut books) = (Deliveries::default(), memory());
    let (send, notes) = mpsc::channel();
    let send = Mutex::new(send);
    let later = Later::for_test(Arc::new(move |note| send.lock().unwrap().send(note).unwrap()), &deliveries);
    let note = || notes.recv_timeout(std::time::Duration::from_secs(20)).unwrap();
    answers.send("503 Later").unwrap();
    deliver(&alert(), &settings, &Env::empty(now()), &mut books, now(), &later);
    deliveries.began();
    assert!(note().contains("503; tried again in "));
    // The end does not wait for further attempts.
    deliveries.finish(&mut books, now());
    assert!(!deliveries.any());
    for (answer, said) in [("500 No", "500; tried again in "), ("501 No", "501; not tried again")] {
        answers.send(answer).unwrap();
        assert!(note().contains(said));
    }
    deliver(&alert(), &settings, &Env::empty(now()), &mut memory(), now(), &later);
    for (answer, said) in [("500 No", Some("500; tried again in ")), ("204 No Content", None)] {
        answers.send(answer).unwrap();
        assert!(said.is_none_or(|said| note().contains(said)));
    }
    // Nobody is left to send another one.
    drop(later);
    assert_eq!(notes.recv().ok(), None);
}

#[test]
fn two_processes_and_one_alert_say_it_once() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ledger.db");
    let pricer = Arc::new(PriceBook::new(Vec::new(), Vec::new(), CostMode::Auto));
    let open = || crate::ledger::open(&path, Options::new(now()), Arc::clone(&pricer) as _).unwrap().books;
    let (mut one, mut other) = (open(), open());
    let env = Env::empty(now());
    let settings = settings(&env);
    let (later, _notes) = later();
    let claimed = [&mut one, &mut other, &mut open()]
        .map(|books| deliver(&alert(), &settings, &env, books, now(), &later).claimed);
    assert_eq!(claimed, [true, false, false]);
}

#[test]
fn j31_an_alert_whose_claimer_was_killed_is_delivered_by_another_and_once() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ledger.db");
    let pricer = Arc::new(PriceBook::new(Vec::new(), Vec::new(), CostMode::Auto));
    let open = || crate::ledger::open(&path, Options::new(now()), Arc::clone(&pricer) as _).unwrap().books;
    assert_eq!(claim_alert(&mut open(), alert().id.as_str(), now()).unwrap(), AlertClaim::Ours);
    let env = Env::empty(now());
    let settings = settings(&env);
    let (later, _notes) = later();
    let mut other = open();
    let mut outcomes = Vec::new();
    for seconds in [1, 29, 30, 31, 90] {
        let now = now() + chrono::Duration::seconds(seconds);
        let delivered = deliver(&alert(), &settings, &env, &mut other, now, &later);
        outcomes.push((delivered.claimed, delivered.pending));
    }
    assert_eq!(outcomes, [(false, true), (false, true), (true, false), (false, false), (false, false)]);
}

#[test]
fn j31_a_claim_of_the_same_day_in_another_time_zone_lapses_like_any_other() {
    let env = Env::empty(now());
    let settings = settings(&env);
    let mut books = memory();
    let (later, _notes) = later();
    let alert_in = |zone: &'static str| {
        let mut alert = alert();
        let About::Limit(limit) = &mut alert.about else { panic!() };
        limit.span = Some(Span::day(now(), Zone::named(zone).unwrap()));
        Alert { id: AlertId::from_state(limit, 80, now()), ..alert }
    };
    assert_eq!(alert_in("Europe/Rome").claim(&mut books, now()).unwrap(), AlertClaim::Ours);
    let mut outcomes = Vec::new();
    for (zone, seconds) in [("UTC", 1), ("UTC", 29), ("UTC", 30), ("Europe/Rome", 31), ("Asia/Tokyo", 90)] {
        let now = now() + chrono::Duration::seconds(seconds);
        let delivered = deliver(&alert_in(zone), &settings, &env, &mut books, now, &later);
        outcomes.push((delivered.claimed, delivered.pending));
    }
    assert_eq!(outcomes, [(false, true), (false, true), (true, false), (false, false), (false, false)]);
}

#[test]
fn silent_hours_say_nothing_and_claim_nothing() {
    let env = Env::empty(now());
    let mut settings = settings(&env);
    let time = |hour| chrono::NaiveTime::from_hms_opt(hour, 0, 0).unwrap();
    settings.alerts.quiet = Some(crate::meter::QuietHours { from: time(13), until: time(14) });
    let (later, _notes) = later();
    let mut books = memory();
    assert_eq!(deliver(&alert(), &settings, &env, &mut books, now(), &later), Delivered::default());
    let after = now() + chrono::Duration::hours(1);
    assert!(deliver(&alert(), &settings, &env, &mut books, after, &later).claimed);
}

#[test]
fn a_terminal_gets_only_what_it_understands_and_nothing_that_could_escape() {
    let mut env = Env::empty(now());
    let mut settings = settings(&env);
    settings.alerts.notify = Notify::Auto;
    let (later, _notes) = later();
    let bytes =
        |env: &Env, settings: &Settings| deliver(&alert(), settings, env, &mut memory(), now(), &later).terminal;
    assert_eq!(bytes(&env, &settings), b"");
    env.terminal = [true; 3];
    env.vars.insert("TERM_PROGRAM".into(), "WezTerm".into());
    let sent = String::from_utf8(bytes(&env, &settings)).unwrap();
    assert!(sent.starts_with("\u{1b}]9;tokmeter: 80% of ") && sent.ends_with('\u{7}'), "{sent:?}");
    assert_eq!(sent.chars().filter(|letter| letter.is_control()).count(), 2);
    env.vars.insert("TMUX".into(), "/tmp/tmux".into());
    assert_eq!(bytes(&env, &settings), b"");
    settings.alerts.notify = Notify::Osc777;
    let sent = String::from_utf8(bytes(&env, &settings)).unwrap();
    assert!(sent.starts_with("\u{1b}]777;notify;tokmeter: 80% of , touch x"), "{sent:?}");
    assert_eq!(sent.matches(';').count(), 3);
}

#[test]
fn a_changed_time_zone_repeats_no_alert_and_the_next_day_has_its_own() {
    let env = Env::empty(now());
    let settings = settings(&env);
    let mut books = memory();
    let (later, _notes) = later();
    let mut say = |zone: &'static str, at: &str, threshold: u8| {
        let at: Instant = at.parse().unwrap();
        let mut alert = alert();
        let About::Limit(limit) = &mut alert.about else { panic!() };
        limit.span = Some(Span::day(at, Zone::named(zone).unwrap()));
        let id = AlertId::from_state(limit, threshold, at);
        deliver(&Alert { id, threshold, ..alert }, &settings, &env, &mut books, at, &later).claimed
    };
    assert!(say("Europe/Rome", "2026-11-22T13:02:00Z", 80));
    for zone in ["Europe/Rome", "UTC", "Asia/Tokyo", "Pacific/Auckland", "America/New_York"] {
        assert!(!say(zone, "2026-11-22T13:05:00Z", 80), "{zone}");
    }
    assert!(say("UTC", "2026-11-22T13:06:00Z", 100), "another threshold");
    assert!(!say("Europe/Rome", "2026-11-22T22:30:00Z", 80), "the same day until 23:30 in Rome");
    assert!(say("Europe/Rome", "2026-11-22T23:30:00Z", 80), "the next day in Rome");
}

#[test]
fn a_rolling_window_alerts_at_most_once_in_its_length_whenever_that_begins() {
    let env = Env::empty(now());
    let settings = settings(&env);
    let mut books = memory();
    let (later, _notes) = later();
    let mut say = |at: &str| {
        let at: Instant = at.parse().unwrap();
        let mut alert = alert();
        let About::Limit(limit) = &mut alert.about else { panic!() };
        (limit.limit.window, limit.span) = (Window::Rolling(chrono::Duration::hours(5)), None);
        let id = AlertId::from_state(limit, 80, at);
        deliver(&Alert { id, ..alert }, &settings, &env, &mut books, at, &later).claimed
    };
    assert!(say("2026-11-22T11:59:00Z"));
    for at in ["2026-11-22T12:01:00Z", "2026-11-22T14:00:00Z", "2026-11-22T16:58:00Z", "2026-11-22T11:00:00Z"] {
        assert!(!say(at), "{at}");
    }
    assert!(say("2026-11-22T17:00:00Z"));
    assert!(!say("2026-11-22T21:59:00Z"));
    // Nor does a hook warn a session more often.
    let mut warn = |session: &str, at: &str| {
        let About::Limit(mut limit) = alert().about else { panic!() };
        (limit.limit.window, limit.span) = (Window::Rolling(chrono::Duration::hours(5)), None);
        crate::meter::claim_warning(&mut books, &Label::new(session), (&limit, 80), at.parse().unwrap()).unwrap()
    };
    assert!(warn("s", "2026-11-22T11:59:00Z") && !warn("s", "2026-11-22T12:01:00Z"));
    assert!(warn("s2", "2026-11-22T12:01:00Z") && warn("s", "2026-11-22T17:00:00Z"));
}

#[test]
fn each_run_of_an_agent_alerts_for_itself() {
    let run = |source: &str, session: &str| {
        let mut alert = alert();
        let About::Limit(limit) = &mut alert.about else { panic!() };
        (limit.limit.window, limit.span) = (Window::Run, None);
        limit.subject = Some("explore".to_owned());
        limit.session = Some(LimitedSession {
            id: SessionId { source: Label::new(source), session: Some(Label::new(session)) },
            project: None,
            agent: Some(Label::new("explore")),
            names: String::new(),
            ended: false,
            is_one_of_several: false,
        });
        limit.clone()
    };
    let runs = [run("claude-code", "s1"), run("claude-code", "s2"), run("codex", "s1")];
    let due = crate::meter::Alerts::new(None, 5).due(&runs, &[], now());
    let ids: std::collections::BTreeSet<_> = due.iter().map(|alert| alert.id.clone()).collect();
    assert_eq!((due.len(), ids.len()), (3, 3), "{ids:?}");
}
