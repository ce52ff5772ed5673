//! The daily digest and alerts by mail and web hook: once over all processes, and without a secret in any output.

#![allow(
    missing_docs,
    unreachable_pub,
    clippy::unwrap_used,
    reason = "a test that fails here has found what it was looking for"
)]

mod common;
#[path = "alerts/smtp.rs"]
mod smtp;

use std::process::{Child, Command, Stdio};

use common::{Home, native, now};
use smtp::Server;

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
