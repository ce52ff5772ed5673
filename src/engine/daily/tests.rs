//! Tests of the digest: when it is due, sent once across all processes, retried after a failure.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpListener;
use std::sync::Arc;

use super::*;
use crate::domain::Zone;
use crate::engine::mail_server::{hesitant_server, recipients};
use crate::ledger::{Options, Sqlite};
use crate::meter::QuietHours;
use crate::pricing::{CostMode, PriceBook};

fn at(text: &str) -> Instant {
    text.parse().unwrap()
}

fn time(hour: u32) -> chrono::NaiveTime {
    chrono::NaiveTime::from_hms_opt(hour, 0, 0).unwrap()
}

fn settings(zone: &str, env: &Env) -> Settings {
    let mut settings = Settings::defaults(env);
    settings.zone = zone.parse().unwrap();
    settings.alerts.daily = Some(time(8));
    settings
}

fn open(path: &std::path::Path, now: Instant) -> Sqlite {
    let prices = Arc::new(PriceBook::new(Vec::new(), Vec::new(), CostMode::Auto));
    crate::ledger::open(path, Options::new(now), prices).unwrap().books
}

#[expect(clippy::unnecessary_wraps, reason = "the type of such functions")]
fn composed(_: &dyn Ledger, _: &Settings, day: Day, _: u64, _: Instant) -> Result<(String, String), String> {
    Ok((format!("tokmeter: {day}"), "Cost $1.00 @here <!channel>".to_owned()))
}

/// A web hook on this machine that gives these answers, one per request, and reports the bodies.
fn hook(answers: Vec<&'static str>) -> (String, std::sync::mpsc::Receiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/services/T0/SECRET", listener.local_addr().unwrap());
    let (sender, received) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        for answer in answers {
            let (stream, _) = listener.accept().unwrap();
            let (mut reader, mut length) = (BufReader::new(&stream), 0);
            loop {
                let mut line = String::new();
                reader.read_line(&mut line).unwrap();
                if let Some(value) = line.to_lowercase().strip_prefix("content-length:") {
                    length = value.trim().parse().unwrap();
                }
                if line == "\r\n" {
                    break;
                }
            }
            let mut body = vec![0; length];
            reader.read_exact(&mut body).unwrap();
            (&stream).write_all(format!("HTTP/1.1 {answer}\r\nContent-Length: 0\r\n\r\n").as_bytes()).unwrap();
            sender.send(String::from_utf8(body).unwrap()).unwrap();
        }
    });
    (url, received)
}

/// One process: its ledger, its digest and its queue.
struct Process {
    books: Sqlite,
    daily: Daily,
    work: mpsc::Sender<LedgerMessage>,
    inbox: mpsc::Receiver<LedgerMessage>,
    settings: Settings,
    env: Env,
}

impl Process {
    fn new(path: &std::path::Path, settings: &Settings, now: Instant) -> Self {
        let (work, inbox) = mpsc::channel(8);
        let (books, daily, env) = (open(path, now), Daily::default(), Env::empty(now));
        Self { books, daily, work, inbox, settings: settings.clone(), env }
    }

    /// Checks the clock, then waits for everything that was started. Returns the error, if any.
    fn look(&mut self, now: Instant) -> Option<String> {
        let weak = self.work.downgrade();
        let of = (&self.settings, &self.env);
        let begun = self.daily.look(&mut self.books, of, (composed, 0), &weak, now);
        if self.daily.sending == 0 {
            return begun;
        }
        assert!(matches!(self.inbox.blocking_recv(), Some(LedgerMessage::Daily)), "woken when it is sent");
        self.daily.look(&mut self.books, of, (composed, 0), &weak, now)
    }
}

#[test]
fn it_is_due_from_its_time_of_day_to_midnight_and_not_in_quiet_hours() {
    let env = Env::empty(Instant::UNIX_EPOCH);
    let mut rome = settings("Europe/Rome", &env);
    let due = |settings: &Settings, daily: &Daily, text: &str| daily.is_due(settings, at(text));
    let mut daily = Daily::default();
    for (text, expected) in [
        ("2026-11-26T06:59:59Z", false),
        ("2026-11-26T07:00:00Z", true),
        ("2026-11-26T22:59:59Z", true),
        ("2026-11-26T23:00:00Z", false),
    ] {
        assert_eq!(due(&rome, &daily, text), expected, "{text}");
    }
    rome.alerts.quiet = Some(QuietHours { from: time(22), until: time(9) });
    assert!(!due(&rome, &daily, "2026-11-26T07:30:00Z") && due(&rome, &daily, "2026-11-26T08:00:00Z"));
    daily.done = Some(day_of(at("2026-11-26T12:00:00Z"), rome.zone));
    assert!(!due(&rome, &daily, "2026-11-26T12:00:00Z") && due(&rome, &daily, "2026-11-27T12:00:00Z"));
    // A time that the clock skips on the day of the change: it is sent once the clock is past it.
    let mut night = settings("Europe/Rome", &env);
    night.alerts.daily = chrono::NaiveTime::from_hms_opt(2, 30, 0);
    let daily = Daily::default();
    assert!(!due(&night, &daily, "2026-03-29T00:59:59Z") && due(&night, &daily, "2026-03-29T01:00:00Z"));
    night.alerts.daily = None;
    assert!(!due(&night, &daily, "2026-03-29T12:00:00Z"));
}

#[test]
fn two_processes_send_it_once_a_day_and_a_later_one_not_again() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ledger.db");
    let now = at("2026-11-26T09:00:00Z");
    let (url, received) = hook(vec!["200 OK", "200 OK"]);
    let mut settings = settings("UTC", &Env::empty(now));
    settings.alerts.slack = Some(url);
    let mut processes: Vec<Process> = (0..3).map(|_| Process::new(&path, &settings, now)).collect();
    for process in &mut processes {
        assert_eq!(process.look(now), None);
        assert_eq!(process.look(now + chrono::Duration::minutes(1)), None);
        assert_eq!(process.daily.done, Some(day_of(now, Zone::UTC)));
    }
    let body: serde_json::Value = serde_json::from_str(&received.recv().unwrap()).unwrap();
    let text = "tokmeter: 2026-11-25\n```\nCost $1.00 @\u{200b}here &lt;!channel&gt;\n```";
    assert_eq!(body["text"], text);
    assert!(received.try_recv().is_err(), "sent twice");
    // Missed while the program was not running: sent at the next start on the following day.
    let tomorrow = at("2026-11-27T23:30:00Z");
    assert_eq!(Process::new(&path, &settings, tomorrow).look(tomorrow), None);
    assert_eq!(Process::new(&path, &settings, tomorrow).look(tomorrow), None);
    assert!(received.recv().unwrap().contains("2026-11-26"));
}

#[test]
fn a_program_that_ends_while_it_is_sent_waits_for_the_answer() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ledger.db");
    let now = at("2026-11-26T09:00:00Z");
    let (url, received) = hook(vec!["200 OK"]);
    let mut settings = settings("UTC", &Env::empty(now));
    settings.alerts.slack = Some(url);
    let mut process = Process::new(&path, &settings, now);
    let weak = process.work.downgrade();
    let of = (&process.settings, &process.env);
    assert_eq!(process.daily.look(&mut process.books, of, (composed, 0), &weak, now), None);
    process.daily.finish(&mut process.books, now);
    assert_eq!(process.daily.sending, 0);
    // Even after its claim would have expired.
    let later = now + chrono::Duration::minutes(5);
    assert_eq!(Process::new(&path, &settings, later).look(later), None);
    assert_eq!(received.iter().count(), 1);
}

#[test]
fn a_refusal_is_said_without_the_secret_and_tried_again_in_five_minutes() {
    let folder = tempfile::tempdir().unwrap();
    let now = at("2026-11-26T09:00:00Z");
    let (url, received) = hook(vec!["500 No", "302 Found", "200 OK"]);
    let mut settings = settings("UTC", &Env::empty(now));
    settings.alerts.slack = Some(url);
    let mut process = Process::new(&folder.path().join("ledger.db"), &settings, now);
    let error = process.look(now).unwrap();
    assert!(error.contains("127.0.0.1") && error.contains("500") && !error.contains("SECRET"), "{error}");
    assert_eq!(process.look(now + chrono::Duration::minutes(4)), None);
    // A redirect does not count as success.
    let error = process.look(now + chrono::Duration::minutes(5)).unwrap();
    assert!(error.contains("302") && !error.contains("SECRET"), "{error}");
    assert_eq!(process.look(now + chrono::Duration::minutes(10)), None);
    assert_eq!(process.look(now + chrono::Duration::minutes(11)), None);
    assert_eq!(process.daily.done, Some(day_of(now, Zone::UTC)));
    assert_eq!(received.iter().count(), 3);
}

#[test]
fn a_recipient_whom_the_server_accepts_later_gets_the_digest_then_and_the_others_once() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ledger.db");
    let now = at("2026-11-26T09:00:00Z");
    let (email, taken) = hesitant_server();
    let mut settings = settings("UTC", &Env::empty(now));
    settings.alerts.email = Some(email);
    let mut process = Process::new(&path, &settings, now);
    process.daily.retries = &[Duration::ZERO; 2];
    let said = process.look(now).unwrap();
    assert!(said.contains("(550): 5.1.1") && !said.contains("451"), "{said}");
    let Some(LedgerMessage::Late(said)) = process.inbox.blocking_recv() else { panic!("a note") };
    assert!(said.contains("(451): 4.7.1") && said.contains("for later@example.org; tried again in "), "{said}");
    let mails: Vec<Vec<String>> = (0..2).map(|_| taken.recv_timeout(Duration::from_secs(20)).unwrap()).collect();
    assert_eq!(recipients(&mails[0]), ["nobody", "later", "alice"]);
    assert_eq!(recipients(&mails[1]), ["later"]);
    // Neither this process nor another one sends it again.
    let later = now + chrono::Duration::minutes(10);
    assert_eq!((process.look(later), Process::new(&path, &settings, later).look(later)), (None, None));
    assert!(taken.try_recv().is_err());
}
