//! The whole program in a terminal: display, latency, and what is left behind.

#![cfg(unix)]
#![allow(missing_docs, clippy::unwrap_used, reason = "a panic fails the test")]

mod common;
#[path = "pty/ends.rs"]
mod ends;
#[path = "pty/pace.rs"]
mod pace;
#[path = "pty/unwatched.rs"]
mod unwatched;

use std::fs;
use std::io::Write;
use std::time::{Duration, Instant};

use common::pty::Pty;
use common::{Home, append, native, now};
use rustix::process::Signal;

const LOG: &str = "logs/usage.jsonl";
/// The program's own log, in the data folder.
const OWN: &str = ".local/share/tokmeter/usage.jsonl";

/// A home with one log of three calls, and the screen on it.
fn watching(columns: u16, rows: u16) -> (Home, Pty) {
    let home = Home::new();
    let at = now();
    let text: String = (0..3).map(|n| native(&format!("call-{n}"), &at, "claude-opus-5", 1_000, 100)).collect();
    home.write(LOG, &text);
    let pty = Pty::start(&home, &["logs"], columns, rows);
    pty.wait_for("3,300");
    (home, pty)
}

#[test]
fn the_screen_opens_counts_and_closes_with_the_summary() {
    let (_home, mut pty) = watching(120, 36);
    let screen = pty.screen();
    assert!(screen.contains("Tokens: 3,300"), "{screen}");
    assert!(screen.contains("| Cost: $"), "{screen}");
    pty.send("q");
    assert_eq!(pty.ended(), 0);
    pty.drained();
    let screen = pty.screen();
    for line in ["Session Complete", "Duration: ", "Operations: 3", "Tokens: 3,300", "Cost: $"] {
        assert!(screen.contains(line), "{line} is missing:\n{screen}");
    }
}

#[test]
fn a_session_can_be_named_before_its_first_call_is_booked() {
    let home = Home::new();
    let mut log = home.append(OWN);
    append(&mut log, &native("a", &now(), "claude-opus-5", 1_000, 100));
    home.tokmeter().args(["report", "day"]).assert().success();
    // Two more, of which the ledger knows nothing.
    for (id, session) in [("b", "fresh-one"), ("c", "fresh-two")] {
        append(&mut log, &native(id, &now(), "claude-opus-5", 1_000, 100).replace("\"s1\"", &format!("\"{session}\"")));
    }
    let mut pty = Pty::start(&home, &["--session", "fresh-one"], 120, 36);
    pty.wait_for("pinned: native · fresh-one");
    pty.send("q");
    assert_eq!(pty.ended(), 0);
    append(&mut log, &native("d", &now(), "claude-opus-5", 1_000, 100).replace("\"s1\"", "\"fresh-three\""));
    let mut pty = Pty::start(&home, &["--session", "latest"], 120, 36);
    pty.wait_for("pinned: native · fresh-three");
    pty.send("q");
    assert_eq!(pty.ended(), 0);
}

#[test]
fn an_appended_line_is_on_the_screen_within_a_tenth_of_a_second() {
    let (home, mut pty) = watching(120, 36);
    let mut log = home.append(LOG);
    let mut times = Vec::new();
    for n in 0..21_u64 {
        // Let the screen fall asleep, so that every append wakes it.
        pty.settle(Duration::from_millis(60));
        let expected = format!("Tokens: {}", grouped(3_300 + (n + 1) * 1_100));
        let line = native(&format!("later-{n}"), &now(), "claude-opus-5", 1_000, 100);
        let start = Instant::now();
        append(&mut log, &line);
        let shown = pty.wait_for(&expected);
        times.push(shown.saturating_duration_since(start));
    }
    times.sort();
    let median = times[times.len() / 2];
    println!("append to screen: median {median:?}, fastest {:?}, slowest {:?}", times[0], times[times.len() - 1]);
    assert!(median < Duration::from_millis(100), "the median is {median:?}");
    pty.send("q");
    assert_eq!(pty.ended(), 0);
}

#[test]
fn h8_an_idle_screen_writes_nothing_and_hardly_wakes_up() {
    let (_home, mut pty) = watching(100, 30);
    // The last call was made just now: wait until the rate has decayed and the arrow is gone.
    pty.settle(Duration::from_secs(6));
    let (bytes, wake_ups) = (pty.written(), pty.wake_ups());
    std::thread::sleep(Duration::from_secs(10));
    let (bytes, wake_ups) = (pty.written() - bytes, pty.wake_ups().saturating_sub(wake_ups));
    println!("idle for 10 s: {bytes} bytes, {wake_ups} wake-ups");
    // A look at the files every few seconds, and the rate's last step; a tick of a second in one thread is ten.
    assert!(wake_ups < 10, "{wake_ups}");
    // A bar that ages, or the rate's last step, may be drawn; nothing else.
    assert!(bytes < 2_000, "{bytes} bytes");
    pty.send("q");
    assert_eq!(pty.ended(), 0);
}

#[test]
fn a_limit_warns_from_exactly_eighty_per_cent_on() {
    let home = Home::new();
    home.config("[limits]\nday = { tokens = 500_000 }\n");
    let at = now();
    home.write("logs/usage.jsonl", &native("one", &at, "claude-opus-5", 399_999, 0));
    let mut pty = Pty::start(&home, &["logs"], 120, 36);
    pty.wait_for("399,999");
    assert!(!pty.screen().contains("% of daily limit used"), "{}", pty.screen());
    append(&mut home.append("logs/usage.jsonl"), &native("two", &at, "claude-opus-5", 1, 0));
    pty.wait_for("80% of daily limit used");
    pty.wait_for("Tokens: 400,000 / 500,000");
    append(&mut home.append("logs/usage.jsonl"), &native("three", &at, "claude-opus-5", 100_000, 0));
    pty.wait_for("Daily limit reached");
    pty.send("q");
    assert_eq!(pty.ended(), 0);
}

#[test]
fn a_users_limit_is_about_that_user_only() {
    let home = Home::new();
    home.config("[limits.users.bob]\nday = { tokens = 1_000 }\n");
    let line = |id: &str, user: &str| {
        native(id, &now(), "claude-opus-5", 900, 0).replace("\"session\"", &format!("\"user\":\"{user}\",\"session\""))
    };
    home.write("logs/usage.jsonl", &line("one", "alice"));
    let mut pty = Pty::start(&home, &["logs"], 120, 36);
    pty.wait_for("Tokens: 900");
    assert!(!pty.screen().contains("limit used"), "{}", pty.screen());
    append(&mut home.append("logs/usage.jsonl"), &line("two", "bob"));
    pty.wait_for("90% of bob");
    pty.send("q");
    assert_eq!(pty.ended(), 0);
}

#[test]
fn f2_signals_leave_a_usable_terminal_and_their_exit_code() {
    for (signal, code) in [
        (Signal::TERM, 143),
        (Signal::HUP, 129),
        (Signal::INT, 130),
        (Signal::QUIT, 131),
        (Signal::USR1, 138),
        (Signal::USR2, 140),
        (Signal::ALARM, 142),
        (Signal::VTALARM, 154),
        (Signal::XCPU, 152),
    ] {
        let (_home, mut pty) = watching(80, 24);
        pty.signal(signal);
        assert_eq!(pty.ended(), code, "{signal:?}");
        pty.drained();
        pty.with_screen(|screen| {
            assert!(!screen.alternate_screen(), "{signal:?} left the other screen on");
            assert!(!screen.hide_cursor(), "{signal:?} left the cursor hidden");
            assert!(!screen.bracketed_paste(), "{signal:?} left bracketed paste on");
        });
    }
}

#[test]
fn f2_ctrl_c_always_quits() {
    let (_home, mut pty) = watching(80, 24);
    pty.send("/");
    pty.settle(Duration::from_millis(50));
    pty.send("\u{3}");
    assert_eq!(pty.ended(), 130);
    pty.drained();
    assert!(pty.screen().contains("Session Complete"), "{}", pty.screen());
}

#[test]
fn f4_a_terminal_that_vanishes_ends_the_program() {
    let (_home, mut pty) = watching(80, 24);
    let start = Instant::now();
    pty.hang_up();
    pty.signal(Signal::HUP);
    pty.ended();
    assert!(start.elapsed() < Duration::from_secs(5), "{:?}", start.elapsed());
}

#[test]
fn f7_every_small_size_is_survived_and_large_ones_come_back() {
    let (_home, mut pty) = watching(120, 36);
    for (columns, rows) in
        [(1, 1), (2, 2), (10, 3), (40, 10), (20, 4), (200, 60), (80, 24), (1, 60), (200, 1), (120, 36)]
    {
        pty.resize(columns, rows);
        pty.settle(Duration::from_millis(40));
    }
    pty.wait_for("Tokens: 3,300");
    pty.send("q");
    assert_eq!(pty.ended(), 0);
}

#[test]
fn f8_a_storm_of_resizes_is_drawn_once_a_frame() {
    let (_home, mut pty) = watching(120, 36);
    let before = pty.written();
    for n in 0..200 {
        pty.resize(100 + n % 20, 30);
    }
    pty.resize(120, 36);
    pty.wait_for("Tokens: 3,300");
    pty.settle(Duration::from_millis(100));
    let written = pty.written() - before;
    assert!(written < 200 * 4_000, "{written} bytes for 200 resizes");
    pty.send("q");
    assert_eq!(pty.ended(), 0);
}

#[test]
fn f16_pasted_text_never_quits() {
    let (_home, mut pty) = watching(80, 24);
    pty.send("\u{1b}[200~q\nq\n\u{3}\u{1b}[201~");
    pty.settle(Duration::from_millis(100));
    assert!(pty.child.try_wait().unwrap().is_none(), "a paste ended the program");
    pty.send("q");
    assert_eq!(pty.ended(), 0);
}

#[test]
fn a1_a_log_that_is_born_later_wakes_the_waiting_screen() {
    let home = Home::new();
    let mut pty = Pty::start(&home, &["--no-ledger"], 100, 30);
    pty.wait_for("claude-code");
    home.write(".claude/projects/-home-alice-api/3f2a91c0.jsonl", &claude("msg_01", 3, 1_000, 20));
    pty.wait_for("Tokens: 1,023");
    pty.send("q");
    assert_eq!(pty.ended(), 0);
}

#[test]
fn i1_no_escape_sequence_of_a_log_reaches_the_terminal() {
    let home = Home::new();
    let evil = "\\u001b]52;c;ZXZpbA==\\u0007\\u001b]0;owned\\u0007\\u202e\\u009b31m";
    let line = native("one", &now(), "MODEL", 1_000, 5).replace("MODEL", evil).replace("s1", evil);
    home.write(LOG, &line);
    let mut pty = Pty::start(&home, &["logs"], 120, 36);
    pty.wait_for("1,005");
    for view in ["2", "3", "4", "5", "6", "7", "1", "?"] {
        pty.send(view);
        pty.settle(Duration::from_millis(40));
    }
    pty.send("\u{3}");
    pty.ended();
    pty.drained();
    let bytes = pty.bytes();
    // The only query of the terminal: its background colour.
    let text = String::from_utf8_lossy(&bytes).replace("\u{1b}]11;?\u{7}", "");
    for bad in ["\u{1b}]52", "\u{1b}]0;owned", "\u{202e}", "\u{9b}31m", "\u{7}"] {
        assert!(!text.contains(bad), "{bad:?} reached the terminal");
    }
}

#[test]
fn a_limit_that_is_typed_with_the_name_on_the_screen_counts_under_the_whole_name() {
    let home = Home::new();
    let line = native("one", &now(), "claude-opus-5", 1_000, 0);
    home.write(".local/share/tokmeter/usage.jsonl", &line.replace("{\"", "{\"project\":\"/home/kim/web-shop\",\""));
    let mut pty = Pty::start(&home, &[], 120, 36);
    pty.wait_for("1,000");
    for (typed, kept) in [("project:web-shop", "/home/kim/web-shop"), ("project:foo", "foo")] {
        pty.send("6");
        pty.send("a");
        pty.send(&format!("{typed}:day 4000 tokens\r"));
        let config = home.path().join(".config/tokmeter/config.toml");
        let is_kept = |_: &str| fs::read_to_string(&config).is_ok_and(|text| text.contains(kept));
        pty.wait("the limit in the config", is_kept);
    }
    pty.wait_for("no call has project 'foo'");
    pty.send("1");
    pty.wait_for("3,000 left");
    pty.send("q");
    assert_eq!(pty.ended(), 0);
}

#[test]
fn g8_a_config_that_becomes_wrong_keeps_the_old_one_and_says_so() {
    let home = Home::new();
    home.config("[limits]\nday = { tokens = 2_000 }\n");
    home.write(LOG, &native("one", &now(), "claude-opus-5", 1_000, 0));
    let mut pty = Pty::start(&home, &["logs"], 120, 36);
    pty.wait_for("1,000 left of 2,000");
    home.config("[limits]\nday = { tokens = -1 }\n");
    pty.wait("the error", |screen| screen.contains("config.toml"));
    assert!(pty.screen().contains("1,000 left of 2,000"), "{}", pty.screen());
    // The message goes after a while; Health says it until the file is right again.
    pty.send("7");
    pty.wait_for("▲ Config not applied: ");
    home.config("[limits]\nday = { tokens = 2_000 }\n");
    pty.wait("Health without it", |screen| !screen.contains("not applied"));
    pty.send("1");
    home.config("[limits]\nday = { tokens = 4_000 }\n");
    pty.wait_for("3,000 left of 4,000");
    pty.send("q");
    assert_eq!(pty.ended(), 0);
}

#[test]
fn a_limit_set_elsewhere_is_on_the_screen_within_a_second() {
    let home = Home::new();
    home.write(LOG, &native("one", &now(), "claude-opus-5", 1_000, 0));
    let mut pty = Pty::start(&home, &["logs"], 120, 36);
    pty.wait_for("Tokens: 1,000");
    home.tokmeter().args(["limits", "set", "day", "25usd"]).assert().success();
    let start = Instant::now();
    pty.wait_for("of $25.00");
    println!("a limit set elsewhere shows after {:?}", start.elapsed());
    assert!(start.elapsed() < Duration::from_secs(3), "{:?}", start.elapsed());
    pty.send("q");
    assert_eq!(pty.ended(), 0);
}

#[test]
fn f3_a_suspended_screen_gives_the_shell_back_and_returns_whole() {
    let home = Home::new();
    home.write(LOG, &native("one", &now(), "claude-opus-5", 1_000, 0));
    // A shell with job control: the program is its job.
    let mut command = portable_pty::CommandBuilder::new("/bin/bash");
    command.args(["--norc", "--noprofile", "-i"]);
    command.env_clear();
    command.cwd(home.path());
    for (name, value) in home.vars() {
        command.env(name, value);
    }
    command.env("PS1", "ready> ");
    let mut pty = Pty::spawn(command, 100, 30);
    pty.wait_for("ready>");
    let program = assert_cmd::cargo::cargo_bin("tokmeter");
    pty.send(&format!("{} logs\n", program.display()));
    pty.wait_for("Tokens: 1,000");
    pty.send("\u{1a}");
    pty.wait("the shell", |screen| screen.contains("Stopped"));
    pty.with_screen(|screen| assert!(!screen.alternate_screen() && !screen.hide_cursor()));
    pty.send("fg\n");
    pty.wait("the screen again", |screen| screen.contains("Tokens: 1,000") && screen.contains("Models"));
    pty.send("q");
    pty.wait_for("Session Complete");
    // Input typed before the shell has its terminal back may still go to the ending program.
    pty.wait("the prompt", |screen| screen.trim_end().ends_with("ready>"));
    pty.send("exit\n");
    pty.ended();
}

#[test]
fn h8_a_session_that_has_ended_long_ago_costs_nothing_to_watch() {
    let home = Home::new();
    home.write(LOG, &native("one", "2026-01-01T00:00:00Z", "claude-opus-5", 1_000, 0));
    let mut pty = Pty::start(&home, &["logs"], 120, 36);
    pty.wait_for("1,000");
    pty.settle(Duration::from_millis(2_500));
    let (bytes, wake_ups) = (pty.written(), pty.wake_ups());
    // Long enough that a tick every second would exceed the bound.
    std::thread::sleep(Duration::from_secs(30));
    let (bytes, wake_ups) = (pty.written() - bytes, pty.wake_ups().saturating_sub(wake_ups));
    println!("idle for 30 s: {bytes} bytes, {wake_ups} wake-ups");
    // The header clock may cause one frame in this time.
    assert!(bytes < 400, "{bytes} bytes were written");
    // The files are checked every few seconds; a thread with a tick every second would wake up thirty times.
    assert!(wake_ups < 20, "{wake_ups}");
    pty.send("q");
    assert_eq!(pty.ended(), 0);
}

/// A line of a Claude Code transcript.
fn claude(id: &str, input: u64, cache_read: u64, output: u64) -> String {
    format!(
        "{{\"type\":\"assistant\",\"sessionId\":\"3f2a91c0\",\"cwd\":\"/home/alice/api\",\"version\":\"2.1.104\",\"requestId\":\"req_{id}\",\
         \"timestamp\":\"{}\",\"uuid\":\"u-{id}\",\"message\":{{\"id\":\"{id}\",\"type\":\"message\",\"role\":\"assistant\",\"model\":\"claude-opus-5\",\
         \"content\":[],\"stop_reason\":\"end_turn\",\"usage\":{{\"input_tokens\":{input},\"cache_creation_input_tokens\":0,\
         \"cache_read_input_tokens\":{cache_read},\"output_tokens\":{output}}}}}}}\n",
        now()
    )
}

fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

#[test]
fn a_broken_line_is_counted_and_shown_and_the_next_one_counts() {
    let (home, mut pty) = watching(120, 36);
    let mut log = home.append(LOG);
    log.write_all(b"{\"id\":\"torn\",\"input_tokens\":12\n").unwrap();
    append(&mut log, &native("after", &now(), "claude-opus-5", 1_000, 0));
    pty.wait_for("Tokens: 4,300");
    pty.wait_for("1 bad line");
    assert!(fs::metadata(home.path().join(LOG)).unwrap().len() > 0);
    pty.send("q");
    assert_eq!(pty.ended(), 0);
}

#[test]
fn lines_without_a_screen_follow_the_config_and_deliver_alerts() {
    let home = Home::new();
    let said = home.path().join("said.txt");
    let alerts =
        format!("[alerts]\ncommand = [\"/bin/sh\", \"-c\", \"echo $0 >> {}\", \"{{title}}\"]\n", said.display());
    home.config(&alerts);
    home.write(LOG, &native("one", &now(), "claude-opus-5", 1_000, 0));
    let mut pty = Pty::start(&home, &["--plain", "logs"], 120, 36);
    pty.wait_for("Tokens: 1,000");
    home.config(&format!("{alerts}[limits]\nday = \"1200 tokens\"\n"));
    pty.wait_for("⚠ 83% of daily limit used   Tokens: 1,000 / 1,200");
    // Alert programs run concurrently: the second one could write first.
    pty.wait("one alert", |_| fs::read_to_string(&said).is_ok_and(|said| said.lines().count() == 1));
    append(&mut home.append(LOG), &native("two", &now(), "claude-opus-5", 500, 0));
    pty.wait_for("■ Daily limit reached   Tokens: 1,500 / 1,200");
    pty.wait_for("tokmeter: daily limit reached");
    pty.wait("two alerts", |_| fs::read_to_string(&said).is_ok_and(|said| said.lines().count() == 2));
    assert_eq!(fs::read_to_string(&said).unwrap(), "83% of daily limit used\nDaily limit reached\n");
    pty.signal(Signal::INT);
    assert_eq!(pty.ended(), 130);
}

#[test]
fn a_model_without_a_price_is_named_from_the_first_reading_on() {
    let home = Home::new();
    home.write(LOG, &native("one", &now(), "a-model-nobody-knows", 1_000, 0));
    let mut pty = Pty::start(&home, &["logs"], 120, 36);
    pty.wait_for("? 1 unpriced");
    pty.send("7");
    pty.wait_for("? a-model-nobody-knows  1,000 tokens");
    pty.send("q");
    assert_eq!(pty.ended(), 0);
}

#[test]
fn a_meter_listens_on_the_usual_socket_and_a_recorded_call_reaches_it() {
    let home = Home::new();
    let run = home.path().join("run");
    fs::create_dir_all(&run).unwrap();
    fs::set_permissions(&run, std::os::unix::fs::PermissionsExt::from_mode(0o700)).unwrap();
    for args in [&["--socket"][..], &["--socket", "--compact"]] {
        let mut pty = Pty::start(&home, args, 120, 36);
        let socket = run.join("tokmeter.sock");
        if args.len() == 1 {
            pty.wait_for(&format!("listening on {}", &socket.to_str().unwrap()[..20]));
        }
        pty.wait("a socket", |_| std::os::unix::net::UnixStream::connect(&socket).is_ok());
        let record = ["record", "--model", "gpt-4o", "--input", "500", "--output", "300", "--id", "one"];
        home.tokmeter().args(record).assert().success();
        pty.wait_for("Tokens: 800");
        pty.send("q");
        assert_eq!(pty.ended(), 0);
    }
}
