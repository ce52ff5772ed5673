//! `run`: signals are forwarded to the agent, and its exit code is ours in any case.

use std::fs;
use std::io::Read;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::ExitStatusExt;
use std::process::Stdio;

use rustix::process::Signal;

use super::{Home, PATIENCE, ended_within, eventually, heeded, program, signal};

#[test]
fn j26_sigterm_and_sighup_are_passed_on_and_the_summary_is_printed() {
    for (what, name) in heeded([(Signal::TERM, "TERM"), (Signal::HUP, "HUP")]) {
        let home = Home::new();
        let script = format!("trap 'echo got {name} > got; exit 7' {name}; echo up > up; while :; do sleep 0.01; done");
        let mut child = program(&home, &["run", "--", "/bin/sh", "-c", &script]).spawn().unwrap();
        eventually("the agent", || home.path().join("up").exists().then_some(()));
        signal(&child, what);
        assert_eq!(ended_within(&mut child, PATIENCE).code(), Some(7));
        assert_eq!(fs::read_to_string(home.path().join("got")).unwrap(), format!("got {name}\n"));
        let mut err = String::new();
        child.stderr.take().unwrap().read_to_string(&mut err).unwrap();
        assert!(err.contains("no call was logged while it ran"), "{err}");
    }
}

#[test]
fn j26_an_agent_that_a_signal_ends_gives_the_code_of_a_shell() {
    let home = Home::new();
    let script = "echo up > up; while :; do sleep 0.01; done";
    let mut child = program(&home, &["run", "--", "/bin/sh", "-c", script]).spawn().unwrap();
    eventually("the agent", || home.path().join("up").exists().then_some(()));
    signal(&child, Signal::TERM);
    assert_eq!(ended_within(&mut child, PATIENCE).code(), Some(143));
}

#[test]
fn j26_the_code_of_the_agent_stays_whatever_becomes_of_the_summary() {
    let home = Home::new();
    home.write("not-a-folder", "");
    let full = fs::OpenOptions::new().write(true).open("/dev/full").map_or_else(|_| Stdio::null(), Stdio::from);
    let status = program(&home, &["run", "--", "/bin/sh", "-c", "exit 3"]).stderr(full).status().unwrap();
    assert_eq!(status.code(), Some(3));
    for data in ["not-a-folder", "not-a-folder/inside", "/proc/none"] {
        let mut command = program(&home, &["--data-dir", data, "run", "--", "/bin/sh", "-c", "exit 3"]);
        assert_eq!(command.output().unwrap().status.code(), Some(3), "{data}");
    }
    // A closed reader ends nothing either.
    let mut child = program(&home, &["run", "--", "/bin/sh", "-c", "exit 3"]).spawn().unwrap();
    drop(child.stderr.take());
    assert_eq!(ended_within(&mut child, PATIENCE).code(), Some(3));
}

#[test]
fn j26_a_hang_up_that_is_ignored_stays_ignored_for_the_agent() {
    if !super::has("nohup") {
        return;
    }
    let home = Home::new();
    let script = "echo up > up; while [ ! -e go ]; do sleep 0.01; done; exit 5";
    let mut command = std::process::Command::new("nohup");
    command.arg(assert_cmd::cargo::cargo_bin("tokmeter")).args(["run", "--", "/bin/sh", "-c", script]);
    command.env_clear().envs(home.vars()).current_dir(home.path());
    let mut child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    eventually("the agent", || home.path().join("up").exists().then_some(()));
    signal(&child, Signal::HUP);
    home.write("go", "");
    let status = ended_within(&mut child, PATIENCE);
    assert_eq!((status.code(), status.signal()), (Some(5), None));
}

#[test]
fn a_program_that_cannot_be_run_is_told_as_a_shell_tells_it() {
    let home = Home::new();
    home.write("text", "no program");
    for (name, code) in [("no-such-program", 127), ("./text", 126)] {
        let out = program(&home, &["run", "--", name]).output().unwrap();
        assert_eq!(out.status.code(), Some(code), "{name}");
        assert!(String::from_utf8_lossy(&out.stderr).contains(name));
    }
}

#[test]
fn a_program_that_cannot_be_started_gives_the_exit_code_of_a_shell() {
    let home = Home::new();
    let plain = home.path().join("plain");
    fs::write(&plain, "true\n").unwrap();
    fs::set_permissions(&plain, fs::Permissions::from_mode(0o600)).unwrap();
    let folder = home.path().to_str().unwrap();
    let plain = plain.to_str().unwrap();
    for (name, code) in [("/nonexistent", 127), ("no-such-program", 127), (plain, 126), (folder, 126)] {
        let output = program(&home, &["run", "--", name]).output().unwrap();
        assert_eq!(output.status.code(), Some(code), "{name}");
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(said.contains(name) && said.lines().count() == 1, "{name}: {said}");
    }
}
