//! How much memory a command takes: of the number of calls it must not depend.
//!
//! One test, alone in its program: the peak is that of the largest child there ever was.

#![cfg(target_os = "linux")]
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::naive_bytecount,
    reason = "a test that fails here has found what it was looking for"
)]

mod common;

use std::io::Read;
use std::process::{Command, Stdio};

use common::Home;

/// Runs a command to its end; gives back its own peak of memory in KiB, and how many lines it wrote.
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
    let status = format!("/proc/{}/status", child.id());
    let (mut highest, mut lines, mut bytes) = (0, 0, vec![0; 8192]);
    let mut out = child.stdout.take().unwrap();
    loop {
        // A process that has ended has no peak any more: what was seen before its last words counts.
        let text = std::fs::read_to_string(&status).unwrap_or_default();
        let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        highest = highest.max(line.map_or(0, |line| line.trim().trim_end_matches(" kB").parse().unwrap()));
        let count = out.read(&mut bytes).unwrap();
        if count == 0 {
            break;
        }
        lines += bytes[..count].iter().filter(|byte| **byte == b'\n').count();
    }
    assert!(child.wait().unwrap().success(), "{args:?}");
    (highest, lines)
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
    let (few, many) = (home(2_000), home(40_000));
    for args in [&["report", "call", "--csv"][..], &["signals", "--json"]] {
        let ((small, _), (large, lines)) = (peak(&few, args), peak(&many, args));
        if args[0] == "report" {
            assert_eq!(lines, 40_001);
        }
        // Forty thousand calls, held, are more than twenty MiB.
        assert!(small > 0 && large < small + 8 * 1024, "{args:?}: {small} KiB for 2,000 calls, {large} for 40,000");
    }
}
