//! The running program: shutdown, privacy of its input, and refusals by the system.

#![cfg(unix)]
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::disallowed_methods,
    clippy::print_stderr,
    reason = "a panic fails the test; the program it runs has the system's clock"
)]

mod common;

#[path = "running/agent.rs"]
mod agent;
#[path = "running/budget.rs"]
mod budget;
#[path = "running/denied.rs"]
mod denied;
#[path = "running/ends.rs"]
mod ends;
#[path = "running/output.rs"]
mod output;
#[path = "running/text.rs"]
mod text;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use common::Home;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

const USAGE_LOG: &str = ".local/share/tokmeter/usage.jsonl";
/// Timeout for anything that works, on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// The program in this home, for pipes and signals.
fn program(home: &Home, words: &[&str]) -> Command {
    let mut command = Command::new(assert_cmd::cargo::cargo_bin("tokmeter"));
    command.env_clear().envs(home.vars()).current_dir(home.path()).args(words);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// The socket of this home, in a folder of its own.
fn socket(home: &Home) -> PathBuf {
    let run = home.path().join("run");
    fs::create_dir_all(&run).unwrap();
    fs::set_permissions(&run, fs::Permissions::from_mode(0o700)).unwrap();
    run.join("tokmeter.sock")
}

/// Waits until a meter listens there.
fn connect(path: &PathBuf) -> UnixStream {
    let stream = eventually("a socket", || UnixStream::connect(path).ok());
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream
}

/// Waits for another process to do something.
fn eventually<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let end = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(Instant::now() < end, "{what} did not happen");
        std::thread::sleep(Duration::from_millis(2));
    }
}

fn signal(child: &Child, signal: Signal) {
    kill_process(Pid::from_raw(i32::try_from(child.id()).unwrap()).unwrap(), signal).unwrap();
}

/// Those of these signals that are not ignored at start, as by `nohup cargo test`.
fn heeded<T>(signals: impl IntoIterator<Item = (Signal, T)>) -> Vec<(Signal, T)> {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let mask = mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or(0);
    let is_heeded = |signal: Signal| {
        let ignored = mask >> (signal.as_raw() - 1) & 1 == 1;
        if ignored {
            eprintln!("skipped: {signal:?} is ignored here");
        }
        !ignored
    };
    signals.into_iter().filter(|(signal, _)| is_heeded(*signal)).collect()
}

/// Waits for a program to end; kills it and panics after the timeout.
fn ended_within(child: &mut Child, patience: Duration) -> ExitStatus {
    let end = Instant::now() + patience;
    loop {
        if let Some(status) = child.try_wait().unwrap() {
            return status;
        }
        if Instant::now() >= end {
            child.kill().unwrap();
            panic!("it still runs after {patience:?}");
        }
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// Number of booked calls in this home.
fn booked(home: &Home) -> u64 {
    let out = program(home, &["report", "total", "--json"]).output().unwrap();
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    let report: Value = serde_json::from_slice(&out.stdout).unwrap();
    report["total"]["calls"].as_u64().unwrap()
}

/// True if this program is installed; prints that the test is skipped otherwise.
fn has(tool: &str) -> bool {
    let found = ["/usr/bin", "/bin", "/usr/sbin"].iter().any(|folder| PathBuf::from(folder).join(tool).exists());
    if !found {
        eprintln!("skipped: there is no {tool} here");
    }
    found
}
