//! The program from the command line: exit codes, pipes, missing terminals, and the worked examples.

#![cfg(unix)]
#![allow(missing_docs, clippy::unwrap_used, reason = "a panic fails the test")]

mod common;

use std::collections::BTreeSet;
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::process::{Command, Stdio};

use common::pty::Pty;
use common::{Home, append, native, now};
use serde_json::Value;

/// The program in this home, as a plain command.
fn plain(home: &Home) -> Command {
    let mut command = Command::new(assert_cmd::cargo::cargo_bin("tokmeter"));
    command.env_clear().envs(home.vars()).current_dir(home.path()).stdin(Stdio::null());
    command
}

fn json(home: &Home, args: &[&str]) -> Value {
    let out = plain(home).args(args).output().unwrap();
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    serde_json::from_slice(&out.stdout).unwrap()
}

/// Calls of three sessions over two days.
fn logs(home: &Home) {
    for (file, day) in [("one", 20), ("two", 21), ("three", 21)] {
        let text: String = (0..40)
            .map(|n| {
                native(
                    &format!("{file}-{n}"),
                    &format!("2026-11-{day}T10:{n:02}:00Z"),
                    "claude-opus-5",
                    1_000 + n,
                    10 * n,
                )
            })
            .collect();
        home.write(&format!("logs/{file}.jsonl"), &text);
    }
}

#[test]
fn the_worked_example_of_the_contract_costs_seven_tenths_of_a_cent() {
    let home = Home::new();
    home.config("[prices.\"gpt-4o\"]\ninput = \"5\"\noutput = \"15\"\ncache_read = \"0.50\"\n");
    home.write("a.jsonl", "{\"id\":\"1\",\"at\":\"2026-11-20T10:00:00Z\",\"model\":\"gpt-4o\",\"input_tokens\":500,\"output_tokens\":300}\n");
    assert_eq!(json(&home, &["report", "total", "--json", "a.jsonl"])["total"]["cost_usd"].to_string(), "0.007");
    // The same prompt, nine tenths off for what was cached: a tenth of the price.
    home.write("b.jsonl", "{\"id\":\"2\",\"at\":\"2026-11-20T10:00:00Z\",\"model\":\"gpt-4o\",\"prompt_tokens\":500,\"cached_tokens\":500,\"output_tokens\":0}\n");
    assert_eq!(json(&home, &["report", "total", "--json", "b.jsonl"])["total"]["cost_usd"].to_string(), "0.00025");
}

#[test]
fn order_repetition_and_a_restart_in_the_middle_give_the_same_bytes() {
    let home = Home::new();
    logs(&home);
    let bytes = |args: &[&str]| {
        plain(&home).args(["report", "day", "--by", "source,model", "--json"]).args(args).output().unwrap().stdout
    };
    let whole = bytes(&["logs"]);
    assert_eq!(bytes(&["logs/three.jsonl", "logs/one.jsonl", "logs/two.jsonl"]), whole);
    assert_eq!(bytes(&["logs", "logs/one.jsonl", "logs"]), whole);
    // Through the ledger: half of each log, an end, the rest, an end, and once more.
    home.config(&format!("logs = [\"{}\"]\n", home.path().join("followed").display()));
    for half in [0, 1] {
        for name in ["one", "two", "three"] {
            let text = fs::read_to_string(home.path().join(format!("logs/{name}.jsonl"))).unwrap();
            let (first, rest) = text.split_at(text.len() / 2 + 7);
            append(&mut home.append(&format!("followed/{name}.jsonl")), if half == 0 { first } else { rest });
        }
        plain(&home).args(["report", "total"]).output().unwrap();
    }
    let booked = bytes(&[]);
    assert_eq!(booked, whole);
    fs::remove_dir_all(home.path().join("followed")).unwrap();
    assert_eq!(bytes(&[]), booked, "the books forgot what the logs no longer hold");
}

#[test]
fn a_standard_input_of_any_format_is_a_log() {
    let home = Home::new();
    let mut child = plain(&home)
        .args(["report", "total", "--json", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    child
        .stdin
        .take()
        .unwrap()
        .write_all(native("1", "2026-11-20T10:00:00Z", "claude-opus-5", 7, 3).as_bytes())
        .unwrap();
    let out = child.wait_with_output().unwrap();
    let report: Value = serde_json::from_slice(&out.stdout).unwrap();
    assert_eq!(report["total"]["total_tokens"], 10);
}

#[test]
fn f5_without_a_terminal_one_screen_is_drawn_as_text_and_no_escape_byte_leaves() {
    let home = Home::new();
    logs(&home);
    let out = plain(&home).arg("logs").output().unwrap();
    assert!(out.status.success());
    let text = String::from_utf8(out.stdout).unwrap();
    assert!(text.contains("Tokens: ") && text.contains("Models"), "{text}");
    assert!(!text.contains('\u{1b}'), "{text}");
}

#[test]
fn f7_a_size_that_no_screen_has_is_refused_and_the_largest_is_drawn() {
    let home = Home::new();
    logs(&home);
    for (size, code) in [("65535x65535", 64), ("4001x1", 64), ("1x2001", 64), ("4000x2", 0), ("0x0", 0)] {
        let out = plain(&home).args(["logs", "--once", "--size", size]).output().unwrap();
        assert_eq!(out.status.code(), Some(code), "{size}: {out:?}");
        assert_eq!(String::from_utf8_lossy(&out.stderr).contains("is more than 4000x2000"), code == 64, "{out:?}");
    }
}

#[test]
fn f11_one_screen_for_sixteen_colours_has_no_sequence_of_256() {
    let home = Home::new();
    logs(&home);
    for (term, more) in [("xterm", false), ("xterm-256color", true)] {
        let out = plain(&home).args(["logs", "--once", "--color", "always"]).env("TERM", term).output().unwrap();
        let text = String::from_utf8(out.stdout).unwrap();
        assert!(text.contains("\u{1b}["), "{text}");
        assert_eq!(text.contains("8;5;"), more, "{term}: {text:?}");
    }
}

#[test]
fn f6_a_dumb_terminal_gets_lines_and_is_told_why() {
    let home = Home::new();
    home.write("logs/a.jsonl", &native("1", &now(), "claude-opus-5", 1_000, 0));
    for term in ["dumb", ""] {
        let mut pty = Pty::start_with(&home, &["logs"], 100, 20, &[("TERM", term)]);
        pty.wait_for("one line per change");
        pty.wait_for("Tokens: 1,000");
        append(&mut home.append("logs/a.jsonl"), &native(&format!("2{term}"), &now(), "claude-opus-5", 500, 0));
        pty.wait(" the new call", |screen| screen.contains("in 500"));
        pty.send("\u{3}");
        assert_eq!(pty.ended(), 130);
        pty.drained();
        assert!(!String::from_utf8_lossy(&pty.bytes()).contains("\u{1b}["), "{}", pty.screen());
        home.write("logs/a.jsonl", &native("1", &now(), "claude-opus-5", 1_000, 0));
    }
}

#[test]
fn f17_no_keyboard_mode_is_pushed_that_could_be_left_behind() {
    let home = Home::new();
    logs(&home);
    let mut pty = Pty::start(&home, &["logs"], 100, 30);
    pty.wait_for("Models");
    pty.send("q");
    pty.ended();
    pty.drained();
    let bytes = pty.bytes();
    let text = String::from_utf8_lossy(&bytes);
    assert!(!text.contains("\u{1b}[>") && !text.contains("\u{1b}[="), "a kitty keyboard mode was asked for");
    // Every mode that is set is reset, the alternate screen last.
    for (on, off) in
        [("\u{1b}[?1049h", "\u{1b}[?1049l"), ("\u{1b}[?25l", "\u{1b}[?25h"), ("\u{1b}[?2004h", "\u{1b}[?2004l")]
    {
        assert!(text.rfind(off) > text.rfind(on), "{on:?} was left on");
    }
}

#[test]
fn f18_a_reader_that_goes_away_ends_the_program_quietly() {
    let home = Home::new();
    let text: String =
        (0..3_000).map(|n| native(&format!("n{n}"), "2026-11-20T10:00:00Z", "claude-opus-5", n, 1)).collect();
    home.write("a.jsonl", &text);
    let mut child = plain(&home)
        .args(["report", "call", "--csv", "a.jsonl"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    assert!(line.starts_with("key,at,"), "{line}");
    let out = child.wait_with_output().unwrap();
    assert_eq!((out.status.code(), String::from_utf8_lossy(&out.stderr).as_ref()), (Some(0), ""));
}

#[cfg(target_os = "linux")]
#[test]
fn f19_a_full_disk_is_an_error_with_a_code_of_its_own() {
    let home = Home::new();
    logs(&home);
    let full = fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    let out = plain(&home)
        .args(["report", "--json", "logs"])
        .stdout(full)
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
        .wait_with_output()
        .unwrap();
    assert_eq!(out.status.code(), Some(74));
    assert!(String::from_utf8_lossy(&out.stderr).contains("write failed: No space left"), "{out:?}");
}

#[test]
fn g6_a_relative_home_makes_no_file_of_the_working_folder_the_config_or_the_ledger() {
    let home = Home::new();
    home.write("rel/.config/tokmeter/config.toml", "[limits]\nday = \"0usd\"\n");
    let alone = |args: &[&str]| {
        let mut command = Command::new(assert_cmd::cargo::cargo_bin("tokmeter"));
        command.args(args).env_clear().env("HOME", "rel").env("TZ", "UTC").current_dir(home.path());
        command.stdin(Stdio::null()).output().unwrap()
    };
    let out = alone(&["gate"]);
    assert_eq!(out.status.code(), Some(0), "{out:?}");
    assert!(String::from_utf8_lossy(&out.stderr).contains("HOME: warning: is not an absolute path"), "{out:?}");
    let out = alone(&["record", "--model", "gpt-4o", "--input", "5"]);
    assert_eq!(out.status.code(), Some(74), "{out:?}");
    assert!(String::from_utf8_lossy(&out.stderr).contains("HOME"), "{out:?}");
    assert!(!home.path().join("rel/.local").exists());
}

#[test]
fn g11_wrong_use_is_never_taken_for_a_limit() {
    let home = Home::new();
    for args in [&["gate", "--typo"][..], &["report", "--by", "colour"], &["limits", "set", "day"], &["--no-such-flag"]]
    {
        let out = plain(&home).args(args).output().unwrap();
        assert_eq!(out.status.code(), Some(64), "{args:?}: {out:?}");
    }
    home.config("[limits]\nday = \"many\"\n");
    let out = plain(&home).args(["report"]).output().unwrap();
    assert_eq!(out.status.code(), Some(78));
    assert!(String::from_utf8_lossy(&out.stderr).contains("config.toml:2:"), "{out:?}");
}

#[test]
fn nothing_readable_has_a_code_of_its_own_and_says_what_was_expected() {
    let home = Home::new();
    home.write("notes.txt", "hello\nworld\n");
    home.write("empty/readme.md", "nothing");
    for path in ["no-such-file", "notes.txt", "empty"] {
        let out = plain(&home).args(["report", path]).output().unwrap();
        assert_eq!(out.status.code(), Some(65), "{path}: {out:?}");
        assert!(String::from_utf8_lossy(&out.stderr).contains(path), "{out:?}");
    }
}

/// Runs a script in this home, for settings that need a shell.
fn shell(home: &Home, script: &str) -> Command {
    let mut shell = Command::new("bash");
    shell.args(["-c", script]).env_clear().envs(home.vars()).current_dir(home.path());
    shell
}

#[test]
fn h5_a_large_backlog_is_read_in_little_memory() {
    let home = Home::new();
    let filler = "x".repeat(4_000);
    let mut file = home.append("logs/big.jsonl");
    for n in 0..8_000 {
        let line = native(&format!("n{n}"), "2026-11-20T10:00:00Z", "claude-opus-5", 10, 1);
        writeln!(file, "{}", line.trim_end().replacen('{', &format!("{{\"text\":\"{filler}\","), 1)).unwrap();
    }
    let program = assert_cmd::cargo::cargo_bin("tokmeter");
    // The system refuses more memory than this, and the program would not survive it.
    let limited = format!("ulimit -d 150000; exec {} report total --json logs", program.display());
    let out = shell(&home, &limited).output().unwrap();
    assert!(out.status.success(), "{out:?}");
    let report: Value = serde_json::from_slice(&out.stdout).unwrap();
    assert_eq!(report["total"]["calls"], 8_000);
}

/// A report needs no thread; the live view does, and names what is missing. Root has no such limit, so that the program
/// then runs as another user.
#[cfg(target_os = "linux")]
#[test]
fn h7_without_threads_a_report_is_whole_and_the_live_view_says_what_is_missing() {
    use std::os::unix::fs::PermissionsExt;
    use std::os::unix::process::CommandExt;
    let home = Home::new();
    home.write("logs/a.jsonl", &native("1", &now(), "claude-opus-5", 10, 1));
    let program = home.path().join("tokmeter");
    fs::copy(assert_cmd::cargo::cargo_bin("tokmeter"), &program).unwrap();
    fs::set_permissions(home.path(), fs::Permissions::from_mode(0o777)).unwrap();
    let alone = |args: &str| {
        let mut shell = shell(&home, &format!("ulimit -u 1 && exec {} {args}", program.display()));
        if rustix::process::getuid().is_root() {
            shell.gid(58_231).uid(58_231);
        }
        shell.output().unwrap()
    };
    let live = alone("logs --plain --no-ledger");
    assert_eq!(live.status.code(), Some(71), "{live:?}");
    assert!(String::from_utf8_lossy(&live.stderr).contains("no thread could be started"), "{live:?}");
    let report = alone("report total --json --no-ledger logs");
    assert!(report.status.success(), "{report:?}");
    assert_eq!(serde_json::from_slice::<Value>(&report.stdout).unwrap()["total"]["calls"], 1);
}

#[test]
fn i6_whatever_the_umask_the_books_are_for_their_owner_only() {
    use std::os::unix::fs::MetadataExt;
    let home = Home::new();
    home.write(".claude/projects/x/a.jsonl", &native("1", &now(), "claude-opus-5", 10, 1));
    let program = assert_cmd::cargo::cargo_bin("tokmeter");
    let data = home.path().join(".local/share/tokmeter");
    let log = format!("report --log {}/t.log", data.display());
    for command in ["report", "record --model gpt-4o --input 5 --output 3", "limits set day 5usd", &log] {
        let out = shell(&home, &format!("umask 000; {} {command}", program.display())).output().unwrap();
        assert!(out.status.success(), "{out:?}");
    }
    assert!(data.join("t.log").exists());
    assert_eq!(fs::metadata(&data).unwrap().mode() & 0o077, 0);
    for entry in fs::read_dir(&data).unwrap() {
        let entry = entry.unwrap();
        assert_eq!(entry.metadata().unwrap().mode() & 0o077, 0, "{:?}", entry.path());
    }
    assert_eq!(fs::metadata(home.path().join(".config/tokmeter/config.toml")).unwrap().mode() & 0o077, 0);
}

#[test]
fn the_log_names_what_became_of_every_file_and_is_off_unless_a_file_is_named() {
    let home = Home::new();
    let log = home.path().join("t.log");
    let one = native("1", &now(), "claude-opus-5", 10, 1);
    let path = home.write("logs/a.jsonl", &[&one, &*native("2", &now(), "claude-opus-5", 20, 2)].concat());
    home.config("logs = [\"~/logs\"]\n");
    assert!(plain(&home).arg("report").output().unwrap().status.success());
    assert!(!log.exists());
    let run = |args: &[&str]| {
        let _ = fs::remove_file(&log);
        let out = plain(&home).args(args).env("TOKMETER_LOG", &log).output().unwrap();
        assert!(out.status.success() && out.stderr.is_empty(), "{out:?}");
        fs::read_to_string(&log).unwrap()
    };
    let said = run(&["report"]);
    assert!(said.contains("file found") && said.contains("a.jsonl") && !said.contains("handed on"), "{said}");
    fs::write(&path, &one).unwrap();
    let said = run(&["report"]);
    for event in ["file truncated, read again", "batch handed on", "batch taken", "held calls written"] {
        assert!(said.contains(event), "{event}: {said}");
    }
    fs::rename(&path, path.with_file_name("a.jsonl.1")).unwrap();
    home.write("logs/a.jsonl", &native("3", &now(), "claude-opus-5", 20, 2));
    assert!(run(&["report"]).contains("a.jsonl.1"));
    let said = run(&["--plain", "-"]);
    assert!(said.contains("engine started") && said.contains("engine stopped"), "{said}");
    let line = said.lines().next().unwrap();
    assert!(line.starts_with("20") && line.contains("Z ") && line.contains("INFO"), "{line}");
}

#[cfg(target_os = "linux")]
#[test]
fn i10_every_answer_is_given_without_a_network() {
    let home = Home::new();
    logs(&home);
    let program = assert_cmd::cargo::cargo_bin("tokmeter");
    let alone = |args: &[&str]| {
        Command::new("unshare")
            .args(["-rn"])
            .arg(&program)
            .args(args)
            .env_clear()
            .envs(home.vars())
            .current_dir(home.path())
            .output()
    };
    let with = plain(&home).args(["report", "--json", "logs"]).output().unwrap();
    match alone(&["report", "--json", "logs"]) {
        Ok(without) if without.status.success() => assert_eq!(without.stdout, with.stdout),
        // Where namespaces are not available, the sources must show it: only the delivery of alerts can open a
        // connection.
        _ => println!("skipped: this system makes no network namespaces for us"),
    }
    // The proxy connects to the upstreams that it was given, metrics go to the collector that the config names, and
    // nothing goes anywhere else.
    let may_connect = ["webhook", "alert_delivery", "server/proxy/", "engine/otlp_export.rs"];
    for (path, code) in sources() {
        let words = ["TcpStream::", "UdpSocket", "ureq::", "hyper::client", "hyper_util::client", "SmtpTransport"];
        let connects = words.iter().any(|word| code.contains(word));
        assert!(!connects || may_connect.iter().any(|place| path.contains(place)), "{path} can open a connection");
    }
}

fn sources() -> Vec<(String, String)> {
    fn walk(folder: &std::path::Path, into: &mut Vec<(String, String)>) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                walk(&path, into);
            } else {
                into.push((path.display().to_string(), fs::read_to_string(&path).unwrap_or_default()));
            }
        }
    }
    let mut all = Vec::new();
    walk(&std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut all);
    all
}

#[test]
fn flags_for_everywhere_may_stand_before_the_command_and_after_it() {
    let home = Home::new();
    logs(&home);
    let books = home.path().join("books");
    let books = books.to_str().unwrap();
    let before = json(&home, &["--data-dir", books, "--tz", "Asia/Tokyo", "report", "total", "--json", "logs"]);
    let after = json(&home, &["report", "total", "--json", "logs", "--data-dir", books, "--tz", "Asia/Tokyo"]);
    assert_eq!(before, after);
    assert_eq!(before["timezone"], "Asia/Tokyo");
    // A word that is not a command is a path, and so is a command's name after a path.
    let out = plain(&home).args(["--once", "logs"]).output().unwrap();
    assert!(out.status.success(), "{out:?}");
    let out = plain(&home).args(["--once", "--size", "60x20", "demo"]).output().unwrap();
    let shown = String::from_utf8_lossy(&out.stdout);
    assert!(shown.contains("api-server") && shown.contains("demo"), "{out:?}");
}

#[test]
fn one_screen_is_coloured_if_that_is_asked_for() {
    let home = Home::new();
    let screen = |color: &str, term: &str| {
        let args = ["--once", "--size", "60x20", "--color", color, "demo"];
        let out = plain(&home).args(args).env("TERM", term).env("NO_COLOR", "1").output().unwrap();
        String::from_utf8(out.stdout).unwrap()
    };
    let colored = screen("always", "xterm-256color");
    assert!(colored.contains("\u{1b}[38;5;"), "{colored:?}");
    assert!(screen("always", "xterm").contains("\u{1b}[7m"), "the tab is marked in any case");
    assert!(!screen("never", "xterm-256color").contains('\u{1b}'));
    assert!(!screen("auto", "xterm-256color").contains('\u{1b}'), "this is not a terminal");
    // Nothing else differs.
    let mut plain = String::new();
    let mut parts = colored.split('\u{1b}');
    plain.push_str(parts.next().unwrap());
    parts.for_each(|part| plain.push_str(part.split_once('m').unwrap().1));
    let count = |text: &str| text.lines().map(|line| line.trim_end().chars().count()).collect::<Vec<_>>();
    assert_eq!(count(&plain), count(&screen("never", "xterm")));
}

#[test]
fn a_mistyped_word_is_told_what_was_meant() {
    let home = Home::new();
    for (args, meant) in [
        (&["repotr"][..], "did you mean `tokmeter report`?"),
        (&["import"], "did you mean `tokmeter ledger import`?"),
        (&["exprot"], "did you mean `tokmeter ledger export`?"),
        (&["init"], "did you mean `tokmeter config init`?"),
        (&["check"], "did you mean `tokmeter prices check` or `tokmeter config check`?"),
        (&["digest"], "digest: no such file or folder, and not a command; commands: `tokmeter --help` lists them"),
        (&["alias"], "not a command"),
        (&["report", "moth"], "did you mean `tokmeter report month`?"),
        (&["limits", "set", "dya", "5usd"], "did you mean 'day'?"),
        (&["limits", "set", "day", "25"], "'25' has no unit; write 25usd or 25 tokens"),
        (&["limits", "set", "day", "-5usd"], "'-5usd' is negative"),
        (&["report", "--tz", "Mars/Base"], "--tz: 'Mars/Base' is not a time zone"),
    ] {
        let out = plain(&home).args(args).output().unwrap();
        let told = String::from_utf8_lossy(&out.stderr).into_owned();
        assert!(told.contains(meant), "{args:?}: {told}");
        assert!(matches!(out.status.code(), Some(64 | 78)), "{args:?}: {out:?}");
    }
}

#[test]
fn a_replaced_limit_says_what_it_was() {
    let home = Home::new();
    let set = |amount: &str| {
        let out = plain(&home).args(["limits", "set", "day", amount]).output().unwrap();
        String::from_utf8(out.stdout).unwrap()
    };
    assert_eq!(set("25usd"), "day: 25usd\n");
    assert_eq!(set("25usd"), "day: 25usd\n");
    assert_eq!(set("500k"), "day: 500k tokens (was 25usd)\n");
}

#[test]
fn the_latest_session_is_found_behind_newer_calls_that_name_none() {
    let home = Home::new();
    let nameless = native("2", "2026-11-20T12:00:00Z", "claude-opus-5", 9, 9).replace("session", "unknown_field");
    home.write("a.jsonl", &format!("{}{nameless}", native("1", "2026-11-20T10:00:00Z", "claude-opus-5", 7, 3)));
    let session = json(&home, &["summary", "latest", "--json", "a.jsonl"]);
    assert_eq!((&session["operations"], &session["total_tokens"]), (&1.into(), &10.into()));
}

#[test]
fn a_summary_shows_the_limits_of_its_project_and_its_models() {
    let home = Home::new();
    home.config(
        "[limits.projects.\"/w/api\"]\nday = \"10usd\"\n[limits.projects.\"/w/web\"]\nday = \"10usd\"\n\
         [limits.models.\"claude-opus-*\"]\nmonth = \"20usd\"\n[limits.models.gpt-4o]\nmonth = \"30usd\"\n",
    );
    let line = native("1", &now(), "claude-opus-5", 7, 3).replace("\"session\"", "\"project\":\"/w/api\",\"session\"");
    home.write("a.jsonl", &line);
    let out = plain(&home).args(["summary", "latest", "a.jsonl"]).output().unwrap();
    let told = String::from_utf8(out.stdout).unwrap();
    let limits: Vec<&str> = told.lines().filter(|line| line.starts_with("Limit: ")).collect();
    assert_eq!(limits.len(), 2, "{told}");
    assert!(told.contains("/w/api daily") && told.contains("claude-opus-* monthly"), "{told}");
}

#[test]
fn a_table_fits_its_terminal_and_says_what_it_left_out() {
    let home = Home::new();
    let model = "a-model-with-a-rather-long-name-20260101";
    let text: String = (0..5)
        .map(|n| native(&format!("n{n}"), "2026-11-20T23:30:00Z", &format!("{model}-{n}"), 1_000_000, 1_000_000))
        .collect();
    home.write("a.jsonl", &text.replace("\"session\":\"", "\"session\":\"a-session-with-a-rather-long-name-"));
    for (words, columns) in [("day", 60), ("session", 60), ("session", 80), ("call", 80), ("day --by=model", 60)] {
        let words: Vec<&str> = words.split(' ').chain(["a.jsonl"]).collect();
        let args: Vec<&str> = std::iter::once("report").chain(words.iter().copied()).collect();
        let mut pty = Pty::start(&home, &args, columns, 40);
        assert_eq!(pty.ended(), 0);
        pty.drained();
        let screen = pty.screen();
        assert!(screen.contains("Omitted for lack of space: saved, "), "{screen}");
        let rows: Vec<&str> = screen.lines().take_while(|line| !line.trim().is_empty()).collect();
        let height = if words[0] == "day" && words.len() == 2 || words[0] == "session" { 3 } else { 7 };
        assert_eq!(rows.len(), height, "{args:?} at {columns}:\n{screen}");
        assert!(rows[0].contains("cost"), "{screen}");
    }
    let out = plain(&home).args(["report", "session", "a.jsonl"]).output().unwrap();
    let whole = String::from_utf8(out.stdout).unwrap();
    assert!(whole.contains("saved") && !whole.contains("Left out") && whole.contains(" +2 "), "{whole}");
}

#[test]
fn limits_and_a_statement_fit_the_terminal() {
    let home = Home::new();
    home.config(
        "[limits]\nday = \"60usd\"\n[limits.projects]\n\"/w/a-project-with-a-rather-long-name\".day = \"40usd\"\n",
    );
    let line = native("n", &now(), "claude-opus-5", 7_000_000, 3)
        .replace("\"session\"", "\"project\":\"/w/a-project-with-a-rather-long-name\",\"session\"");
    home.write(".local/share/tokmeter/usage.jsonl", &line);
    let month = &now()[..7];
    for (args, last) in [(&["limits"][..], "used"), (&["invoice", month, "--by", "user,model,project"], "cost")] {
        for columns in [70, 80, 200] {
            let mut pty = Pty::start(&home, args, columns, 40);
            assert_eq!(pty.ended(), 0);
            pty.drained();
            let rows: Vec<String> = pty.with_screen(|screen| screen.rows(0, columns).collect());
            assert!(rows.iter().any(|row| row.contains(last)), "{rows:#?}");
            let amounts = rows.iter().filter(|row| row.contains("35.00")).count();
            assert!(amounts >= 2, "the amounts are not broken at {columns}: {rows:#?}");
            assert_eq!(rows.iter().any(|row| row.contains("Omitted")), columns < 200 && args.len() > 1, "{rows:#?}");
        }
    }
}

#[test]
fn long_texts_of_a_table_are_wrapped_between_their_words() {
    let home = Home::new();
    let listed = json(&home, &["agents", "--json"]);
    let texts: Vec<&str> = listed["agents"].as_array().unwrap().iter().filter_map(|one| one["gaps"].as_str()).collect();
    assert!(texts.iter().any(|text| text.len() > 100), "{listed}");
    for columns in [80, 120, 200] {
        let mut pty = Pty::start(&home, &["agents"], columns, 400);
        assert_eq!(pty.ended(), 0);
        pty.drained();
        // Row by row: the screen as one text joins what the terminal has wrapped.
        let rows: Vec<String> = pty.with_screen(|screen| screen.rows(0, columns).collect());
        let screen = rows.join("\n");
        let words: BTreeSet<&str> = screen.split_whitespace().collect();
        for word in texts.iter().flat_map(|text| text.split_whitespace()) {
            assert!(words.contains(word), "{word} is broken at {columns} columns:\n{screen}");
        }
        assert_eq!(screen.contains("Omitted for lack of space: where"), columns == 80, "{screen}");
    }
}

#[test]
fn a_table_shows_its_times_in_the_zone_of_its_days() {
    let home = Home::new();
    home.write("a.jsonl", &native("1", "2026-11-20T23:30:00Z", "claude-opus-5", 7, 3));
    let out = plain(&home).args(["report", "call", "a.jsonl", "--tz", "Europe/Rome"]).output().unwrap();
    let told = String::from_utf8(out.stdout).unwrap();
    assert!(told.contains("2026-11-21 00:30"), "{told}");
    assert_eq!(json(&home, &["report", "call", "a.jsonl", "--json"])["rows"][0]["at"], "2026-11-20T23:30:00.000Z");
}

#[test]
fn every_sample_in_the_program_is_counted_right_in_less_than_the_promised_time() {
    let home = Home::new();
    let document = json(&home, &["selftest", "--json"]);
    assert_eq!(document["wrong"], 0, "{document}");
    let hazards = document["hazards"].as_array().unwrap();
    let names: Vec<_> = hazards.iter().map(|hazard| hazard["hazard"].as_str().unwrap()).collect();
    assert_eq!(names, ["H1", "H2", "H3", "H4", "H5", "H6", "H7", "H8"]);
    for hazard in hazards {
        assert!(hazard["counted"]["calls"].as_u64().unwrap() > 0, "{hazard}");
        assert_eq!(hazard["counted"], hazard["expected"]);
    }
    // The same samples as in the source tree, and none left behind.
    let samples = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("samples");
    let agents =
        fs::read_dir(samples).unwrap().filter(|entry| entry.as_ref().unwrap().path().join("expected.json").exists());
    let whole = document["samples"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|sample| !sample["sample"].as_str().unwrap().contains('/'));
    assert_eq!(whole.count(), agents.count());
    let windows =
        document["samples"].as_array().unwrap().iter().find(|sample| sample["sample"] == "codex/quota-windows.jsonl");
    assert_eq!(windows.unwrap()["quotas"], serde_json::json!({"5 h": 1300, "7 d": 4225}));
    let text = plain(&home).arg("selftest").output().unwrap();
    assert!(text.status.success() && String::from_utf8(text.stdout).unwrap().contains("every number is as expected"));
}

#[test]
fn exported_samples_are_logs_that_any_reader_can_read() {
    let home = Home::new();
    let done = plain(&home).args(["selftest", "--export", "golden"]).output().unwrap();
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    let expected: Value =
        serde_json::from_str(&fs::read_to_string(home.path().join("golden/codex/expected.json")).unwrap()).unwrap();
    let counted = json(&home, &["report", "total", "--by", "model", "--json", "golden/codex"]);
    assert_eq!(counted["rows"].as_array().unwrap().len(), expected["models"].as_array().unwrap().len());
    let goose = json(&home, &["report", "total", "--json", "golden/goose/sessions.db"]);
    let expected: Value =
        serde_json::from_str(&fs::read_to_string(home.path().join("golden/goose/expected.json")).unwrap()).unwrap();
    let calls: u64 = expected["traps"]["sessions.sql"]
        .as_array()
        .unwrap()
        .iter()
        .map(|model| model["calls"].as_u64().unwrap())
        .sum();
    assert_eq!(goose["total"]["calls"], calls);
    let again = plain(&home).args(["selftest", "--export", "golden"]).output().unwrap();
    assert_eq!(again.status.code(), Some(74), "a folder with files in it is left alone");
}

#[test]
fn a_limits_period_may_be_spelled_as_it_is_shown() {
    let home = Home::new();
    let out = |args: &[&str]| {
        let out = plain(&home).args(args).output().unwrap();
        assert!(out.status.success(), "{args:?}: {}", String::from_utf8_lossy(&out.stderr));
        String::from_utf8(out.stdout).unwrap()
    };
    assert_eq!(out(&["limits", "set", "daily", "5usd"]), "daily: 5usd\n");
    assert_eq!(out(&["limits", "set", "User:alice:Monthly", "50usd"]), "user:alice:monthly: 50usd\n");
    assert_eq!(out(&["limits", "set", "day", "6usd"]), "day: 6usd (was 5usd)\n");
    assert_eq!(out(&["limits", "unset", "Daily"]), "daily: removed\n");
}

#[test]
fn a_file_whose_only_lines_are_quarantined_says_why_they_were_not_counted() {
    let home = Home::new();
    let line = native("1", "2026-11-20T10:00:00Z", "claude-opus-5", 7, 3).replace(":7,", ":-10,");
    home.write("a.jsonl", &line);
    for args in [&["report", "total", "a.jsonl"][..], &["summary", "latest", "a.jsonl"], &["--once", "a.jsonl"]] {
        let out = plain(&home).args(args).output().unwrap();
        let told = String::from_utf8(out.stderr).unwrap();
        assert_eq!(out.status.code(), Some(65), "{told}");
        assert!(
            told.contains("a.jsonl: 1 line, none of which could be counted; line 1: input_tokens is -10"),
            "{told}"
        );
        assert!(!told.contains("known format"), "{told}");
    }
    home.write("a.jsonl", &line.repeat(3));
    let out = plain(&home).args(["report", "total", "a.jsonl"]).output().unwrap();
    assert!(String::from_utf8(out.stderr).unwrap().contains("`tokmeter audit` lists the others"));
}

#[test]
fn a_document_with_one_bad_count_counts_without_it() {
    let home = Home::new();
    let request = |at: u64, input: i64| {
        format!(
            r#"{{"ts":{at},"type":"say","say":"api_req_started","text":"{{\"tokensIn\":{input},\"tokensOut\":5}}"}}"#
        )
    };
    let requests = [request(1_795_600_000_000, 7), request(1_795_600_001_000, -5)];
    home.write("ui_messages.json", &format!("[{}]", requests.join(",")));
    // 7 of input and 5 of output; the second request is quarantined.
    let total = json(&home, &["report", "total", "ui_messages.json", "--json"]);
    assert_eq!(total["total"]["total_tokens"], 12, "{total}");
}

#[test]
fn limits_are_json_with_and_without_show() {
    let home = Home::new();
    assert!(plain(&home).args(["limits", "set", "day", "25usd"]).output().unwrap().status.success());
    let short = json(&home, &["limits", "--json"]);
    assert_eq!(short["limits"][0]["limit"], "day", "{short}");
    assert_eq!(short["limits"], json(&home, &["limits", "show", "--json"])["limits"]);
    let out = plain(&home).args(["limits", "--json", "set", "day", "25usd"]).output().unwrap();
    assert_eq!(out.status.code(), Some(64));
}

#[test]
fn amounts_of_limits_in_json_are_exact() {
    let home = Home::new();
    assert!(plain(&home).args(["limits", "set", "day", "1usd"]).output().unwrap().status.success());
    let call = ["record", "--model", "house-model", "--input", "1", "--output", "0", "--cost", "0.9999996"];
    assert!(plain(&home).args(call).output().unwrap().status.success());
    for args in [&["limits", "show", "--json"][..], &["gate", "--json"]] {
        let shown = json(&home, args);
        let limit = &shown["limits"][0];
        assert_eq!((limit["verdict"].as_str(), limit["percent"].as_u64()), (Some("near"), Some(99)), "{shown}");
        assert_eq!(limit["used"]["usd"].to_string(), "0.9999996", "rounded, it would be reached");
    }
}

#[test]
fn a_limit_finer_than_a_pico_dollar_is_refused_instead_of_becoming_zero() {
    let home = Home::new();
    for amount in ["0.0000000000001usd", "0.1234567890123usd"] {
        let out = plain(&home).args(["limits", "set", "day", amount]).output().unwrap();
        let told = String::from_utf8(out.stderr).unwrap();
        assert_eq!((out.status.code(), told.contains("finer than a pico-dollar")), (Some(64), true), "{told}");
    }
    assert!(json(&home, &["limits", "--json"])["limits"].as_array().unwrap().is_empty());
}

#[test]
fn a_size_of_a_screen_is_refused_where_no_screen_is_drawn() {
    let home = Home::new();
    for args in [&["--plain", "--size", "80x24"][..], &["--plain", "--svg"], &["--size", "80x24"]] {
        let out = plain(&home).args(args).arg("-").output().unwrap();
        assert_eq!(out.status.code(), Some(64), "{args:?}: {out:?}");
    }
}

#[test]
fn a_session_of_several_users_names_none_and_calls_without_a_session_only_what_all_have() {
    let home = Home::new();
    let call = |id: u8, facts: &str| {
        format!(
            "{{\"id\":\"{id}\",\"at\":\"2026-11-20T10:00:0{id}Z\",\"model\":\"m\",\"input_tokens\":1,\"output_tokens\":1{facts}}}\n"
        )
    };
    let row = |calls: &[&str]| {
        let text: String = calls.iter().zip(1..).map(|(facts, id)| call(id, facts)).collect();
        home.write("a.jsonl", &text);
        let report = json(&home, &["report", "session", "--json", "a.jsonl"]);
        assert_eq!(report["rows"].as_array().unwrap().len(), 1, "{report}");
        let row = |of: &Value| ["user", "project"].map(|key| of[key].as_str().unwrap_or("none").to_owned());
        if report["rows"][0]["session"].is_string() {
            assert_eq!(row(&json(&home, &["summary", "--json", "a.jsonl"])), row(&report["rows"][0]));
        }
        row(&report["rows"][0])
    };
    let (ann, bob) = (r#","user":"ann","project":"/a""#, r#","user":"bob","project":"/b""#);
    let named = |facts: &str| format!("{facts},\"session\":\"s\"");
    assert_eq!(row(&[&named(ann), &named(ann)]), ["ann", "/a"]);
    assert_eq!(row(&[&named(ann), &named(bob)]), ["none", "/a"]);
    assert_eq!(row(&[ann, ann]), ["ann", "/a"]);
    assert_eq!(row(&[ann, bob]), ["none", "none"]);
    assert_eq!(row(&[r#","user":"bob""#, r#","user":"bob","project":"/z""#]), ["bob", "none"]);
}

#[test]
fn a_replay_without_a_terminal_prints_what_the_log_holds() {
    let home = Home::new();
    let text: String = (0..3).map(|n| native(&n.to_string(), &now(), "claude-opus-5", 1_000, 234)).collect();
    home.write("a.jsonl", &text);
    let out = plain(&home).args(["replay", "a.jsonl"]).output().unwrap();
    let screen = String::from_utf8(out.stdout).unwrap();
    assert!(screen.contains("3,702") && !screen.contains("Waiting for a first call"), "{screen}");
    home.write("empty.jsonl", "");
    assert_eq!(plain(&home).args(["replay", "empty.jsonl"]).output().unwrap().status.code(), Some(65));
}

#[test]
fn upstreams_and_keys_that_would_be_refused_are_found_by_config_check_with_their_place() {
    let home = Home::new();
    for (config, place, why) in [
        ("[proxy]\nupstreams = { \"x\" = \"https://a.b\" }\n", ":2:21: ", "has a prefix that does not begin with /"),
        ("[proxy]\nupstreams = { \"/\" = \"foo\" }\n", ":2:21: ", "has no https:// or http:// at its beginning"),
        ("[proxy.upstreams]\n\"/\" = \"ftp://foo\"\n", ":2:7: ", "is neither https:// nor http://"),
        ("[proxy.upstreams]\n\"/\" = \"https://kim:SECRET@foo\"\n", ":2:7: ", "holds a password"),
        ("[proxy.upstreams]\n\"/a\" = \"https://a\"\n\"/a/\" = \"https://b\"\n", ":3:9: ", "is the second for"),
        ("[keys]\nquit = [\"foo-x\"]\n", ":2:8: ", "quit: 'foo-x' is not a key"),
    ] {
        home.config(config);
        let commands = [&["config", "check"][..], &["proxy", "--listen", "127.0.0.1:0"]];
        for args in &commands[..if config.starts_with("[proxy") { 2 } else { 1 }] {
            let out = plain(&home).args(*args).output().unwrap();
            let told = String::from_utf8(out.stderr).unwrap();
            assert_eq!(out.status.code(), Some(78), "{args:?} {config}: {told}");
            assert!(told.contains(&format!("config.toml{place}")) && told.contains(why), "{args:?}: {told}");
            assert!(!told.contains("SECRET"), "{told}");
        }
    }
}
