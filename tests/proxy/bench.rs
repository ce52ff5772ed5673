//! `bench proxy`: its table, and that it leaves nothing behind.

use std::process::Child;

use crate::common::Home;

/// Starts it with temporary files of its own.
fn start(home: &Home, calls: &str) -> Child {
    std::fs::create_dir(home.path().join("tmp")).unwrap();
    let mut command = std::process::Command::new(assert_cmd::cargo::cargo_bin("tokmeter"));
    command.args(["bench", "proxy", "--limits", "--calls", calls]).env_clear().envs(home.vars());
    command.env("TMPDIR", home.path().join("tmp")).stdout(std::process::Stdio::piped()).spawn().unwrap()
}

#[test]
fn the_table_has_a_line_for_each_way_and_number_of_connections() {
    let home = Home::new();
    let out = start(&home, "1").wait_with_output().unwrap();
    let text = String::from_utf8(out.stdout).unwrap();
    assert!(out.status.success(), "{text}");
    for way in ["straight", "bare hyper", "tokmeter", "with limits"] {
        let lines: Vec<&str> = text.lines().filter(|line| line.contains(way) && line.starts_with(' ')).collect();
        let numbers = |line: &str| line.replace(way, "").split_whitespace().all(|cell| cell.parse::<f64>().is_ok());
        assert!(lines.len() == 3 && lines.iter().all(|line| numbers(line)), "{text}");
    }
    assert!(text.contains("calls a second over 16 connections"), "{text}");
    assert_eq!(std::fs::read_dir(home.path().join("tmp")).unwrap().count(), 0, "its proxies' folders");
}

/// `/proc` says which processes it has started, and which of them still run.
#[cfg(target_os = "linux")]
#[test]
fn its_proxies_end_when_it_is_killed() {
    let home = Home::new();
    let mut bench = start(&home, "100000");
    let path = format!("/proc/{0}/task/{0}/children", bench.id());
    let children = || {
        let ids = std::fs::read_to_string(&path).unwrap();
        ids.split_whitespace().map(str::to_owned).collect::<Vec<_>>()
    };
    let proxies = loop {
        let proxies = children();
        if proxies.len() == 3 {
            break proxies;
        }
        assert_eq!(bench.try_wait().unwrap(), None);
        std::thread::yield_now();
    };
    bench.kill().unwrap();
    bench.wait().unwrap();
    let runs = |id: &String| {
        let stat = std::fs::read_to_string(format!("/proc/{id}/stat")).unwrap_or_default();
        // Behind the name in brackets: `Z` has ended, and nobody has asked how.
        stat.rsplit_once(") ").is_some_and(|(_, rest)| !rest.starts_with('Z'))
    };
    while proxies.iter().any(runs) {
        std::thread::yield_now();
    }
}
