//! Memory used by commands, which must not depend on the number of calls.

#![cfg(target_os = "linux")]
#![allow(missing_docs, clippy::unwrap_used, clippy::naive_bytecount, reason = "a panic fails the test")]

mod common;

use std::io::Read;
use std::process::{Command, Stdio};

use common::Home;

/// Runs a command to its end; returns the observed peak of its memory in KiB, and the number of lines it wrote.
fn peak(home: &Home, args: &[&str]) -> (u64, usize) {
    let mut child = Command::new(assert_cmd::cargo::cargo_bin("tokmeter"))
        .args(args)
        .env_clear()
        .envs(home.vars())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut out = child.stdout.take().unwrap();
    let reader = std::thread::spawn(move || {
        let mut text = Vec::new();
        out.read_to_end(&mut text).unwrap();
        text.iter().filter(|byte| **byte == b'\n').count()
    });
    let (path, mut highest) = (format!("/proc/{}/status", child.id()), 0);
    let status = loop {
        // The kernel keeps the peak; it is polled until the process is gone.
        let text = std::fs::read_to_string(&path).unwrap_or_default();
        let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        highest = highest.max(line.map_or(0, |line| line.trim().trim_end_matches(" kB").parse().unwrap()));
        if let Some(status) = child.try_wait().unwrap() {
            break status;
        }
        std::thread::yield_now();
    };
    assert!(status.success(), "{args:?}");
    (highest, reader.join().unwrap())
}

fn home(calls: u64) -> Home {
    let home = Home::new();
    let line = |number: u64| {
        format!(
            "{{\"id\":\"c{number}\",\"at\":\"2026-0{}-0{}T0{}:{:02}:00Z\",\"model\":\"gpt-4o\",\"session\":\"s{}\",\"input_tokens\":9,\"output_tokens\":1}}\n",
            1 + number % 9,
            1 + number % 7,
            number % 10,
            number % 60,
            number % 50,
        )
    };
    home.write(".local/share/tokmeter/usage.jsonl", &(0..calls).map(line).collect::<String>());
    home.tokmeter().args(["report", "total"]).assert().success();
    home
}

#[test]
fn j11_calls_that_are_written_or_judged_one_by_one_are_not_held() {
    let home = home(40_000);
    for args in [&["report", "call", "--csv"][..], &["report", "call", "--json"], &["signals", "--json"]] {
        let (peak, lines) = peak(&home, args);
        assert_eq!(lines, if args.contains(&"--csv") { 40_001 } else { 1 }, "{args:?}");
        // The program itself takes some twenty MiB; forty thousand calls, held, take as much again and more.
        assert!(peak < 36 * 1024, "{args:?}: {peak} KiB for 40,000 calls");
    }
}
