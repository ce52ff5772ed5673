//! The daily digest and alerts by mail and web hook: once over all processes, and without a secret in any output.

#![allow(missing_docs, unreachable_pub, clippy::unwrap_used, reason = "a panic fails the test")]

mod common;
#[path = "alerts/smtp.rs"]
mod smtp;

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;

use common::{Home, native, now};
use smtp::{Encryption, Manners, Server};
use tokmeter::testing::config::{Env, Settings};
use tokmeter::testing::domain::Instant;
use tokmeter::testing::ledger::{Fact, FactKind, KeyValue, Options, open};
use tokmeter::testing::pricing::PriceBook;

const LOG: &str = ".local/share/tokmeter/usage.jsonl";

#[allow(clippy::disallowed_methods, reason = "a test may look at the clock")]
fn yesterday() -> String {
    (chrono::Utc::now() - chrono::Duration::days(1)).format("%Y-%m-%dT12:00:00Z").to_string()
}

/// A home with a call of yesterday and this under `[alerts]`.
fn home(alerts: &str) -> Home {
    let home = Home::new();
    home.write(LOG, &native("a", &yesterday(), "claude-opus-5", 1_000_000, 0));
    home.config(&format!("timezone = \"UTC\"\n[alerts]\nnotify = \"off\"\n{alerts}"));
    home
}

fn email(port: u16, more: &str) -> String {
    format!(
        "[alerts.email]\nserver = \"127.0.0.1\"\nport = {port}\ntls = \"none\"\nfrom = \"Meter <tok@example.org>\"\nto = [\"alice@example.org\", \"Bob <bob@example.org>\"]\n{more}"
    )
}

const CA: &str = concat!("ca_file = \"", env!("CARGO_MANIFEST_DIR"), "/tests/alerts/tls/ca.pem\"\n");
const LOGIN: &str = "user = \"tok\"\npassword_command = [\"/bin/echo\", \"hunter2\"]\n";

/// A server that wants encryption, and a home whose config has the way and these further lines.
fn encrypting(encryption: Encryption, login: &'static str, more: &str) -> (Server, Home) {
    let server = Server::with(Manners { verdict: "250 taken", login, encryption });
    let tls = if encryption == Encryption::AtOnce { "tls = \"tls\"" } else { "tls = \"starttls\"" };
    let home = home(&email(server.port, &format!("{LOGIN}{more}")).replace("tls = \"none\"", tls));
    (server, home)
}

/// Sends the digest of yesterday; the exit code and what was said.
fn send(home: &Home) -> (Option<i32>, String) {
    let said = home.tokmeter().args(["report", "--yesterday", "--send"]).output().unwrap();
    (said.status.code(), [said.stdout, said.stderr].map(|text| String::from_utf8(text).unwrap()).concat())
}

#[test]
fn mail_goes_encrypted_to_a_server_whose_authority_is_named() {
    for encryption in [Encryption::AtOnce, Encryption::WhenAsked] {
        let (server, home) = encrypting(encryption, "235 fine", CA);
        let (code, said) = send(&home);
        assert_eq!(code, Some(0), "{encryption:?}: {said}");
        let mail = server.mail();
        assert!(mail.is_encrypted && mail.text.contains("Requests  1"), "{mail:?}");
        let at = |what: &str| mail.commands.iter().position(|command| command.starts_with(what));
        assert!(at("AUTH") > at("STARTTLS"), "{:?}", mail.commands);
    }
}

#[test]
fn a_server_that_nobody_vouches_for_gets_neither_password_nor_mail() {
    for encryption in [Encryption::AtOnce, Encryption::WhenAsked] {
        let (server, home) = encrypting(encryption, "235 fine", "");
        let (code, said) = send(&home);
        assert!(code == Some(69) && said.contains("certificate"), "{encryption:?}: {said}");
        assert!(server.is_quiet() && !said.contains("hunter2"));
    }
    // Encryption that the server does not offer is not done without.
    let server = Server::start("250 taken");
    let home = home(&email(server.port, &format!("{LOGIN}{CA}")).replace("tls = \"none\"", "tls = \"starttls\""));
    let (code, said) = send(&home);
    assert!(code == Some(69) && server.is_quiet(), "{said}");
    for (file, why) in [("~/none.pem", "none.pem"), ("~/.config/tokmeter/config.toml", "no certificates")] {
        let (_server, home) = encrypting(Encryption::AtOnce, "235 fine", &format!("ca_file = \"{file}\"\n"));
        let (code, said) = send(&home);
        assert!(code == Some(69) && said.contains(why), "{said}");
    }
}

#[test]
fn a_wrong_password_is_said_without_it() {
    let (server, home) = encrypting(Encryption::WhenAsked, "535 5.7.8 wrong", CA);
    let (code, said) = send(&home);
    assert!(code == Some(69) && said.contains("535") && !said.contains("hunter2"), "{said}");
    assert!(server.is_quiet());
}

#[test]
fn a_recipient_whom_the_server_refuses_is_named_and_the_others_get_the_mail() {
    let server = Server::start("250 taken");
    let addressed = |to: &str| {
        let email = email(server.port, "");
        home(&email.replace("to = [\"alice@example.org\"", &format!("to = [{to}\"alice@example.org\"")))
    };
    let (code, said) = send(&addressed("\"nobody@example.org\", "));
    let mail = server.mail();
    assert!(mail.text.contains("Requests  1"), "{mail:?}");
    let to = |name: &str| mail.commands.iter().filter(|command| command.contains(&format!("RCPT TO:<{name}@"))).count();
    assert_eq!((to("nobody"), to("alice"), to("bob")), (1, 1, 1));
    // Somebody did not get it, which a script must notice.
    assert!(code == Some(69) && said.contains("550") && said.contains("nobody@example.org"), "{said}");
    assert!(said.contains("sent by email"), "{said}");
    // Where nobody is accepted, nothing is sent.
    let home = home(&email(server.port, "").replace("alice@", "nobody@").replace("bob@", "nobody@"));
    let (code, said) = send(&home);
    assert!(code == Some(69) && said.contains("550") && !said.contains("sent by"), "{said}");
    assert!(server.is_quiet());
}

#[test]
fn a_digest_that_one_of_two_recipients_cannot_get_is_sent_once() {
    let server = Server::start("250 taken");
    let daily = format!("daily = \"00:00\"\n{}", email(server.port, "").replace("bob@", "nobody@"));
    let home = home(&daily);
    let first = serve(&home);
    assert!(server.mail().text.contains("Requests  1"));
    ended(first);
    ended(serve(&home));
    assert!(server.is_quiet());
}

#[test]
fn what_was_claimed_and_not_delivered_is_sent_once_the_server_is_back() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    drop(listener);
    let home = home(&email(port, ""));
    let (code, said) = send(&home);
    assert!(code == Some(69) && said.contains(&port.to_string()), "{said}");
    // Another program may have taken the port since.
    let Ok(listener) = std::net::TcpListener::bind(("127.0.0.1", port)) else { return };
    let manners = Manners { verdict: "250 taken", login: "235 fine", encryption: Encryption::Never };
    let server = Server::on(listener, manners);
    let (code, said) = send(&home);
    assert_eq!(code, Some(0), "{said}");
    assert!(server.mail().text.contains("Requests  1"));
}

/// A web server that takes one request; what it got.
fn web() -> (u16, std::thread::JoinHandle<String>) {
    use std::io::{BufRead, BufReader, Read, Write};
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let taking = std::thread::spawn(move || {
        let mut reader = BufReader::new(listener.accept().unwrap().0);
        let mut length = 0;
        loop {
            let mut line = String::new();
            reader.read_line(&mut line).unwrap();
            let line = line.trim_end().to_lowercase();
            length = line.strip_prefix("content-length: ").map_or(length, |text| text.parse().unwrap());
            if line.is_empty() {
                break;
            }
        }
        let mut body = vec![0; length];
        reader.read_exact(&mut body).unwrap();
        reader.get_mut().write_all(b"HTTP/1.1 204 No Content\r\nconnection: close\r\n\r\n").unwrap();
        String::from_utf8(body).unwrap()
    });
    (port, taking)
}

#[cfg(unix)]
#[test]
fn the_digest_goes_to_a_web_hook_and_through_a_program() {
    let (port, taking) = web();
    let home = home(&format!(
        "webhook = \"http://127.0.0.1:{port}/hook\"\ncommand = [\"/bin/sh\", \"-c\", \"printf '%s\\n%s' \\\"$0\\\" \\\"$1\\\" > out\", \"{{title}}\", \"{{body}}\"]\n"
    ));
    let (code, said) = send(&home);
    assert_eq!(
        (code, &*said),
        (
            Some(0),
            "sent by webhook to 127.0.0.1:PORT\nsent by command to /bin/sh\n"
                .replace("PORT", &port.to_string())
                .as_str()
        )
    );
    let body: serde_json::Value = serde_json::from_str(&taking.join().unwrap()).unwrap();
    let out = std::fs::read_to_string(home.path().join("out")).unwrap();
    for text in [format!("{}\n{}", body["title"].as_str().unwrap(), body["body"].as_str().unwrap()), out] {
        assert!(text.starts_with("tokmeter: ") && text.contains("Requests  1"), "{text}");
    }
    // A failure is reported, and sending is tried again.
    home.config("timezone = \"UTC\"\n[alerts]\nnotify = \"off\"\ncommand = [\"/bin/false\"]\n");
    let (code, said) = send(&home);
    assert!(code == Some(69) && said.contains("'/bin/false' ended with"), "{said}");
}

fn serve(home: &Home) -> Child {
    Command::new(assert_cmd::cargo::cargo_bin("tokmeter"))
        .args(["serve", "--listen", "127.0.0.1:0"])
        .env_clear()
        .envs(home.vars())
        .current_dir(home.path())
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

/// Ends a server once it has nothing more to say; what it said.
fn ended(child: Child) -> String {
    let pid = rustix::process::Pid::from_child(&child);
    rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
    String::from_utf8(child.wait_with_output().unwrap().stderr).unwrap()
}

#[test]
fn the_digest_of_yesterday_is_mailed_with_its_marks() {
    let server = Server::start("250 taken");
    let home = home(&email(server.port, "user = \"tok\"\npassword_command = [\"/bin/echo\", \"hunter2\"]\n"));
    let said = home.tokmeter().args(["report", "day", "--yesterday", "--send"]).output().unwrap();
    let out = String::from_utf8(said.stdout).unwrap();
    assert_eq!(out, "sent by email to alice@example.org, Bob <bob@example.org>\n", "{:?}", said.stderr);
    let mail = server.mail();
    let asked = mail.commands.join("\n");
    // \0tok\0hunter2
    assert!(asked.contains("AUTH PLAIN AHRvawBodW50ZXIy"), "{asked}");
    assert!(asked.contains("MAIL FROM:<tok@example.org>") && asked.contains("RCPT TO:<bob@example.org>"), "{asked}");
    for part in ["Subject: tokmeter: ", "Auto-Submitted: auto-generated", "Requests  1", "Cost      $", "claude-opus-5"]
    {
        assert!(mail.text.contains(part), "{part}: {}", mail.text);
    }
}

#[test]
fn a_server_that_refuses_is_exit_code_69_and_no_output_has_the_password() {
    let server = Server::start("554 \u{1b}[2J no");
    let home = home(&email(server.port, "user = \"tok\"\npassword_file = \"~/secret\"\n"));
    home.write("secret", "hunter2\nsecond line\n");
    let said = home.tokmeter().args(["--log", "trace.log", "report", "--yesterday", "--send"]).output().unwrap();
    let err = String::from_utf8(said.stderr).unwrap();
    assert_eq!(said.status.code(), Some(69), "{err}");
    assert!(err.contains("alerts.email: 127.0.0.1:") && err.contains("554") && !err.contains('\u{1b}'), "{err}");
    let log = std::fs::read_to_string(home.path().join("trace.log")).unwrap_or_default();
    assert!(!err.contains("hunter2") && !log.contains("hunter2"));
    std::fs::remove_file(home.path().join("secret")).unwrap();
    let said = home.tokmeter().args(["report", "--yesterday", "--send"]).output().unwrap();
    assert!(String::from_utf8(said.stderr).unwrap().contains("/secret"));
    let none = Home::new().tokmeter().args(["report", "--yesterday", "--send"]).output().unwrap();
    assert_eq!(none.status.code(), Some(78));
}

#[test]
fn every_channel_that_fails_has_a_line_with_the_programs_name() {
    let home = home("webhook = \"http://127.0.0.1:1/\"\ncommand = [\"/bin/false\"]\n");
    let (code, said) = send(&home);
    assert_eq!((code, said.lines().count()), (Some(69), 2), "{said}");
    assert!(said.lines().all(|line| line.starts_with("tokmeter: ")), "{said}");
}

#[test]
fn two_meters_and_the_clock_send_the_digest_once() {
    let server = Server::start("250 taken");
    // Midnight has always been.
    let home = home(&format!("daily = \"00:00\"\n{}", email(server.port, "")));
    let meters = [serve(&home), serve(&home)];
    assert!(server.mail().text.contains("Requests  1"));
    // A third that starts later, and everything they still do at their end.
    let third = serve(&home);
    let report = home.tokmeter().args(["report", "total", "--json"]).output().unwrap();
    assert!(report.status.success());
    for meter in meters.into_iter().chain([third]) {
        let said = ended(meter);
        assert!(!said.contains("digest"), "{said}");
    }
    assert!(server.is_quiet(), "sent twice");
}

#[test]
fn a_digest_sent_by_hand_is_not_sent_again_by_the_clock() {
    let server = Server::start("250 taken");
    let home = home(&format!("daily = \"00:00\"\n{}", email(server.port, "")));
    assert!(home.tokmeter().args(["report", "--yesterday", "--send"]).output().unwrap().status.success());
    server.mail();
    let meter = serve(&home);
    assert!(!ended(meter).contains("digest"));
    assert!(server.is_quiet(), "sent twice");
}

/// Whether the digest of yesterday has been claimed, and what has become of it.
fn digest(home: &Home, edit: Option<&str>) -> Vec<String> {
    let settings = Settings::defaults(&Env::empty(Instant::default()));
    let prices = Arc::new(PriceBook::new(Vec::new(), Vec::new(), settings.cost));
    let path = home.path().join(".local/share/tokmeter/ledger.db");
    let mut ledger = open(&path, Options::new(Instant::default()), prices).unwrap().books;
    let id = format!("digest email {}", &yesterday()[..10]);
    if let Some(value) = edit {
        let fact = Fact { at: now().parse().unwrap(), value: value.to_owned() };
        ledger.update(FactKind::Alert, &id, &|_| Some(fact.clone())).unwrap();
    }
    ledger.facts(FactKind::Alert, &id).unwrap().into_iter().map(|(_, fact)| fact.value).collect()
}

#[test]
fn a_digest_sent_by_hand_waits_for_another_process_that_is_sending_it() {
    let server = Server::start("250 taken");
    let home = home(&email(server.port, ""));
    // Fills the ledger.
    assert!(home.tokmeter().args(["report", "total"]).output().unwrap().status.success());
    assert_eq!(digest(&home, Some("claimed")), ["claimed"]);
    let mut waiting = home.spawn(&["report", "--yesterday", "--send"]);
    let mut said = String::new();
    BufReader::new(waiting.stderr.as_mut().unwrap()).read_line(&mut said).unwrap();
    assert!(said.contains("another process is sending it by email"), "{said}");
    digest(&home, Some("delivered"));
    assert!(waiting.wait().unwrap().success() && server.is_quiet());
    // Afterwards it is sent again to those who ask for it.
    assert_eq!(send(&home).0, Some(0));
    server.mail();
}

#[test]
fn a_digest_sent_by_hand_is_claimed_until_it_is_sent_or_refused() {
    let refusing = Server::start("554 no");
    let home = home(&email(refusing.port, ""));
    assert_eq!(send(&home).0, Some(69));
    assert_eq!(digest(&home, None), Vec::<String>::new(), "nobody waits for it");
    let server = Server::start("250 taken");
    home.config(&format!("timezone = \"UTC\"\n[alerts]\n{}", email(server.port, "")));
    assert_eq!(send(&home).0, Some(0));
    assert_eq!(digest(&home, None), ["delivered"]);
    server.mail();
}

#[test]
fn a_limit_that_is_reached_is_mailed_once() {
    let server = Server::start("250 taken");
    let home = home(&format!("{}[limits]\nday = {{ tokens = 100 }}\n", email(server.port, "")));
    home.write(LOG, &native("b", &now(), "claude-opus-5", 200, 0));
    let meters = [serve(&home), serve(&home)];
    let mail = server.mail();
    assert!(mail.text.contains("Subject: Daily limit reached") && mail.text.contains("200 / 100"), "{}", mail.text);
    for meter in meters {
        ended(meter);
    }
    assert!(server.is_quiet(), "sent twice");
}

#[test]
fn no_secret_of_the_config_is_shown() {
    let home = home(
        "slack = \"https://hooks.slack.com/services/T0/HIDDEN\"\nwebhook = \"https://u:HIDDEN@example.org/HIDDEN?HIDDEN\"\n",
    );
    let shown = home.tokmeter().args(["config", "show", "--origin"]).output().unwrap();
    let shown = String::from_utf8(shown.stdout).unwrap();
    assert!(shown.contains("slack = \"https://hooks.slack.com/…\"") && !shown.contains("HIDDEN"), "{shown}");
    assert!(shown.contains("webhook = \"https://example.org/…\""), "{shown}");
    for (line, column) in [
        ("slack = \"hooks.slack.com/HIDDEN\"", "4:9"),
        ("webhook = \"ftp://HIDDEN\"", "4:11"),
        ("slack = \"https://HIDDEN\" x", "4:"),
        ("email = { server = \"a\", from = \"a@b.c\", to = \"d@e.f\", password = \"HIDDEN\" }", "4:"),
    ] {
        home.config(&format!("timezone = \"UTC\"\n[alerts]\nnotify = \"off\"\n{line}\n"));
        let checked = home.tokmeter().args(["config", "check"]).output().unwrap();
        let said = [checked.stdout, checked.stderr].map(|text| String::from_utf8(text).unwrap()).concat();
        assert!(!checked.status.success() && said.contains(&format!("config.toml:{column}")), "{said}");
        assert!(!said.contains("HIDDEN"), "{said}");
    }
}

#[test]
fn only_the_digest_of_a_day_is_sent_and_anything_else_is_refused_before_it_is() {
    let server = Server::start("250 taken");
    let home = home(&email(server.port, ""));
    let ask = |args: &[&str]| {
        let said = home.tokmeter().arg("report").args(args).output().unwrap();
        (said.status.code(), String::from_utf8(said.stdout).unwrap(), String::from_utf8(said.stderr).unwrap())
    };
    for more in [
        &["week"][..],
        &["month"],
        &["session"],
        &["call"],
        &["total"],
        &["--json"],
        &["--csv"],
        &["--markdown"],
        &["--limit", "1"],
        &["--order", "asc"],
        &["--since", "7d"],
    ] {
        let (code, out, err) = ask(&[more, &["--yesterday", "--send"]].concat());
        assert_eq!((code, out.as_str()), (Some(64), ""), "{more:?}: {err}");
        assert!(err.contains("--send") || err.contains("--yesterday"), "{more:?}: {err}");
    }
    assert_eq!(ask(&["--send"]).0, Some(64), "of which day?");
    assert!(server.is_quiet());
    // Printed, a report of yesterday is what it was asked for: the week's row, not the digest.
    let (code, out, _) = ask(&["week", "--yesterday"]);
    assert!(code == Some(0) && out.starts_with("week") && out.contains("-W"), "{out}");
    let (code, out, _) = ask(&["--yesterday", "--limit", "1"]);
    assert!(code == Some(0) && out.starts_with("day"), "{out}");
    let (code, out, _) = ask(&["--yesterday"]);
    assert!(code == Some(0) && out.contains("Requests  1"), "{out}");
}
