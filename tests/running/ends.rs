//! Shutdown is immediate, whatever is queued, stalled or slow.

use std::io::{BufRead, BufReader, Read, Write};
use std::process::Stdio;
use std::time::{Duration, Instant};

use rustix::process::Signal;

use super::common::pty::Pty;
use super::common::{native, now};
use super::{Home, booked, connect, ended_within, eventually, has, heeded, program, signal, socket};

/// Time limit for an immediate end, on a machine busy with other tests.
const AT_ONCE: Duration = Duration::from_secs(10);

fn lines(count: usize) -> String {
    let at = now();
    (0..count).map(|n| native(&format!("q{n}"), &at, "gpt-4o", 10, 5)).collect()
}

#[test]
fn j1_plain_ends_at_once_with_a_stalled_output_and_thousands_of_lines_queued() {
    for (what, code) in heeded([(Signal::TERM, 143), (Signal::INT, 130), (Signal::HUP, 129)]) {
        let home = Home::new();
        let path = socket(&home);
        // Its output is not read: the pipe is full after some hundred lines.
        let mut child = program(&home, &["--plain", "--socket"]).spawn().unwrap();
        let stream = connect(&path);
        let text = lines(3_000);
        let answered = std::thread::scope(|scope| {
            let writer = scope.spawn(|| (&stream).write_all(text.as_bytes()).unwrap());
            let mut answers = BufReader::new(&stream).lines();
            // In the middle of it all, once every line has arrived: on a busy machine the writer may pause for longer
            // than the end waits for another line.
            let is_call = |answer: std::io::Result<String>| answer.unwrap().contains("\"key\"");
            let mut first = answers.by_ref().take(1_500).map(is_call).filter(|is_call| *is_call).count();
            while !writer.is_finished() {
                first += usize::from(answers.next().is_some_and(is_call));
            }
            signal(&child, what);
            first + answers.map_while(Result::ok).filter(|answer| answer.contains("\"key\"")).count()
        });
        assert_eq!(ended_within(&mut child, AT_ONCE).code(), Some(code));
        assert_eq!(answered, 3_000, "every client was answered");
        assert_eq!(booked(&home), 3_000);
    }
}

#[test]
fn j1_an_output_that_nobody_reads_holds_up_no_writer() {
    let home = Home::new();
    let path = socket(&home);
    let mut child = program(&home, &["--plain", "--socket"]).spawn().unwrap();
    let stream = connect(&path);
    let text = lines(3_000);
    std::thread::scope(|scope| {
        scope.spawn(|| (&stream).write_all(text.as_bytes()).unwrap());
        let answers = BufReader::new(&stream).lines().take(3_000);
        assert_eq!(answers.filter(|answer| answer.as_ref().unwrap().contains("\"key\"")).count(), 3_000);
    });
    signal(&child, Signal::TERM);
    assert_eq!(ended_within(&mut child, AT_ONCE).code(), Some(143));
}

#[test]
fn j1_plain_ends_quietly_when_its_reader_goes_away_while_nothing_happens() {
    let home = Home::new();
    home.write("logs/a.jsonl", &lines(3));
    let mut child = program(&home, &["--plain", "logs"]).spawn().unwrap();
    let mut out = BufReader::new(child.stdout.take().unwrap());
    let mut first = String::new();
    out.read_line(&mut first).unwrap();
    drop(out);
    assert_eq!(ended_within(&mut child, AT_ONCE).code(), Some(0));
    let mut err = String::new();
    child.stderr.take().unwrap().read_to_string(&mut err).unwrap();
    assert_eq!(err, "");
}

#[test]
fn j1_plain_ends_with_its_standard_input_and_has_printed_all_of_it() {
    let home = Home::new();
    let mut child = program(&home, &["--plain", "-"]).stdin(Stdio::piped()).spawn().unwrap();
    let (mut into, mut out) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
    let text = lines(2_000);
    let writer = std::thread::spawn(move || into.write_all(text.as_bytes()).unwrap());
    let mut all = String::new();
    out.read_to_string(&mut all).unwrap();
    writer.join().unwrap();
    assert_eq!(ended_within(&mut child, AT_ONCE).code(), Some(0));
    assert!(all.contains("Tokens: 30,000") && all.contains("Session Complete"), "{all:.2000}");
    // Empty input is an end, too.
    let mut child = program(&home, &["--plain", "-"]).spawn().unwrap();
    assert_eq!(ended_within(&mut child, AT_ONCE).code(), Some(0));
}

#[test]
fn j1_plain_on_a_full_disk_ends_and_says_so() {
    let Ok(full) = std::fs::OpenOptions::new().write(true).open("/dev/full") else {
        return eprintln!("skipped: there is no /dev/full here");
    };
    let home = Home::new();
    home.write("logs/a.jsonl", &lines(3));
    let mut child = program(&home, &["--plain", "logs"]).stdout(full).spawn().unwrap();
    assert_eq!(ended_within(&mut child, AT_ONCE).code(), Some(74));
    let mut err = String::new();
    child.stderr.take().unwrap().read_to_string(&mut err).unwrap();
    assert!(err.contains("No space left"), "{err}");
}

#[test]
fn j6_the_screen_ends_within_a_second_while_folders_are_slow() {
    if !has("strace") {
        return;
    }
    let home = Home::new();
    for n in 0..300 {
        std::fs::create_dir_all(home.path().join(format!(".claude/projects/d{n}"))).unwrap();
    }
    for (keys, code) in [("q", 0), ("\u{3}", 130)] {
        let mut command = portable_pty::CommandBuilder::new("strace");
        let delay =
            ["-f", "-qq", "-o", "/dev/null", "-e", "trace=getdents64", "-e", "inject=getdents64:delay_exit=50000"];
        command.args(delay);
        command.arg(assert_cmd::cargo::cargo_bin("tokmeter"));
        command.env_clear();
        command.cwd(home.path());
        for (name, value) in home.vars() {
            command.env(name, value);
        }
        let mut pty = Pty::spawn(command, 100, 30);
        pty.wait("the screen", |screen| !screen.trim().is_empty());
        let began = Instant::now();
        pty.send(keys);
        assert_eq!(pty.ended(), code);
        // All folders take 30 s and more.
        assert!(began.elapsed() < AT_ONCE, "{:?}", began.elapsed());
    }
}

#[test]
fn j6_the_screen_ends_during_a_first_reading_and_the_next_one_reads_the_rest() {
    let home = Home::new();
    for n in 0..30 {
        let text = lines(3_000).replace("\"q", &format!("\"{n}-"));
        home.write(&format!(".local/share/tokmeter/usage-{n}.jsonl"), "");
        home.write(&format!("logs/{n}.jsonl"), &text);
    }
    home.config(&format!("logs = [\"{}/logs\"]\n", home.path().display()));
    let mut pty = Pty::start(&home, &[], 100, 30);
    pty.wait("the screen", |screen| !screen.trim().is_empty());
    let began = Instant::now();
    pty.send("q");
    assert_eq!(pty.ended(), 0);
    let took = began.elapsed();
    println!("the end took {took:?}");
    assert!(took < Duration::from_secs(5), "{took:?}");
    assert_eq!(booked(&home), 90_000);
}

#[test]
fn j6_a_second_ctrl_c_ends_whatever_hangs() {
    if !has("strace") {
        return;
    }
    // Every synced write takes for ever. The ledger exists already.
    let home = Home::new();
    home.write(super::USAGE_LOG, &lines(1));
    assert_eq!(booked(&home), 1);
    let path = socket(&home);
    let calls = home.path().join("calls.txt");
    let mut command = std::process::Command::new("strace");
    command.args(["-f", "-qq", "-e", "trace=fsync,fdatasync,exit_group"]);
    command.args(["-e", "inject=fsync,fdatasync:delay_enter=100000000", "-o"]).arg(&calls);
    command.arg(assert_cmd::cargo::cargo_bin("tokmeter")).args(["--plain", "--socket"]);
    command.env_clear().envs(home.vars()).current_dir(home.path());
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let mut strace = command.spawn().unwrap();
    let pid = eventually("the program", || {
        let children = std::fs::read_to_string(format!("/proc/{0}/task/{0}/children", strace.id())).ok()?;
        let pid = children.split_whitespace().next()?.parse::<i32>().ok()?;
        let name = std::fs::read_to_string(format!("/proc/{pid}/comm")).ok()?;
        (name.trim() == "tokmeter" && path.exists()).then(|| rustix::process::Pid::from_raw(pid).unwrap())
    });
    (&connect(&path)).write_all(lines(2).as_bytes()).unwrap();
    let said = |what: &str| std::fs::read_to_string(&calls).is_ok_and(|calls| calls.contains(what));
    eventually("a write that hangs", || said("sync(").then_some(()));
    // The first signal requests the end, which is blocked. The second forces it.
    rustix::process::kill_process(pid, Signal::INT).unwrap();
    eventually("the end of the socket", || (!path.exists()).then_some(()));
    rustix::process::kill_process(pid, Signal::INT).unwrap();
    let began = Instant::now();
    // Where another thread's call comes between, strace writes `exit_group(130 <unfinished ...>`.
    eventually("the end", || said("exit_group(130").then_some(()));
    assert!(began.elapsed() < AT_ONCE, "{:?}", began.elapsed());
    // Some versions of strace keep a process that they delay.
    let _ = rustix::process::kill_process(pid, Signal::KILL);
    let _ = strace.kill();
    let _ = strace.wait();
}

#[test]
fn plain_names_the_session_of_each_call_and_prints_a_streamed_answer_once() {
    let home = Home::new();
    let line = |id: &str, output: u64| {
        serde_json::json!({
            "type": "assistant", "timestamp": "2026-11-22T12:00:00Z", "sessionId": "3f2a91c0-1111-4222-8333-444455556666",
            "uuid": format!("{id}{output}"), "cwd": "/w/api-server", "requestId": format!("req_{id}"),
            "message": { "id": format!("msg_{id}"), "model": "claude-opus-5", "type": "message", "role": "assistant",
                         "usage": { "input_tokens": 3, "output_tokens": output } },
        })
        .to_string()
    };
    let mut child = program(&home, &["--plain", "--tz", "UTC", "-"]).stdin(Stdio::piped()).spawn().unwrap();
    let mut input = child.stdin.take().unwrap();
    let mut out = BufReader::new(child.stdout.take().unwrap());
    // A line that is there at the start is counted and not listed.
    writeln!(input, "{}", line("z", 7)).unwrap();
    let mut text = String::new();
    while !text.contains("Tokens: 10") {
        assert!(out.read_line(&mut text).unwrap() > 0, "{text}");
    }
    text.clear();
    for (id, output) in [("a", 1), ("a", 20), ("a", 300), ("b", 4), ("b", 50)] {
        writeln!(input, "{}", line(id, output)).unwrap();
        input.flush().unwrap();
    }
    drop(input);
    out.read_to_string(&mut text).unwrap();
    child.wait().unwrap();
    let calls: Vec<&str> = text.lines().filter(|line| line.contains("claude-opus-5  in ")).collect();
    let calls: Vec<&str> = calls.into_iter().filter(|call| !call.contains("out 7 ")).collect();
    assert_eq!(calls.len(), 2, "{text}");
    for (call, output) in calls.iter().zip(["out 300", "out 50"]) {
        assert!(call.starts_with("12:00:00  api-server 55556666  claude-opus-5"), "{call}");
        assert!(call.contains(output), "{call}");
    }
}

#[test]
fn plain_lists_the_calls_that_another_process_records() {
    let home = Home::new();
    let out = home.write("plain.txt", "");
    let said = || std::fs::read_to_string(&out).unwrap();
    let mut child = program(&home, &["--plain"]).stdout(std::fs::File::create(&out).unwrap()).spawn().unwrap();
    eventually("the first counter", || said().contains("Tokens: ").then_some(()));
    for input in [17, 18] {
        // A log that only the other process reads.
        home.write("elsewhere.jsonl", &native(&format!("call-{input}"), &now(), "gpt-4o", input, 5));
        assert!(program(&home, &["report", "total", "--book", "elsewhere.jsonl"]).status().unwrap().success());
        eventually("the line of a call", || said().contains(&format!("in {input} cache 0 out 5")).then_some(()));
    }
    signal(&child, Signal::TERM);
    assert_eq!(ended_within(&mut child, AT_ONCE).code(), Some(143));
    assert_eq!(said().matches("cache 0 out 5").count(), 2, "each call once: {}", said());
    let said = said();
    let lines: Vec<&str> = said.lines().collect();
    assert!(lines.windows(2).all(|pair| pair[0] != pair[1]), "nothing new is no line: {said}");
}
