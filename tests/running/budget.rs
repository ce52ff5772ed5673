//! `run`: the sum of every session, and the budget at which the agent is stopped.

use std::fs;
use std::io::Read;
use std::process::Stdio;

use serde_json::Value;

use super::{Home, PATIENCE, USAGE_LOG, ended_within, eventually, program};

/// Millions of tokens at a dollar each, logged a moment after the run has begun.
fn call(session: &str, millions: u64) -> String {
    let at = (chrono::Utc::now() + chrono::Duration::seconds(2)).to_rfc3339();
    let tokens = millions * 1_000_000;
    serde_json::json!({ "at": at, "session": session, "model": "dollar", "output_tokens": tokens }).to_string()
}

fn home() -> Home {
    let home = Home::new();
    home.config(
        "[limits]\nday = { usd = 10 }\nsession = { usd = 4 }\n[prices.dollar]\ninput = \"1\"\noutput = \"1\"\n",
    );
    // In an earlier second: a time in the first millisecond of the run's own second would be taken for a whole one.
    let earlier = (chrono::Utc::now() - chrono::Duration::seconds(1)).to_rfc3339();
    let before = serde_json::json!({ "at": earlier, "session": "before", "model": "dollar", "output_tokens": 500_000 });
    home.write(USAGE_LOG, &format!("{before}\n"));
    home
}

/// An agent that logs these calls and goes on as the script says.
fn agent(home: &Home, calls: &[String], then: &str) -> String {
    home.write("calls", &(calls.join("\n") + "\n"));
    format!("cat calls >> {USAGE_LOG}; {then}")
}

#[test]
fn every_session_of_the_run_is_summed_up_with_the_day_and_its_limits() {
    let home = home();
    let script = agent(&home, &[call("one", 1), call("two", 2), call("one", 1)], "exit 3");
    let out = program(&home, &["run", "--", "/bin/sh", "-c", &script]).output().unwrap();
    let err = String::from_utf8(out.stderr).unwrap();
    assert_eq!(out.status.code(), Some(3), "{err}");
    for line in [
        "Session Complete",
        "Operations: 3",
        "Tokens: 4,000,000",
        "Cost: $4.00",
        "  one $2.00 (2 calls, 2,000,000 tokens)  Log: ",
        "  two $2.00 (1 call, 2,000,000 tokens)  Log: ",
        "Today: $4.50, 4,500,000 tokens",
        "45% of daily limit used, Cost: $4.50 / $10.00",
        "Run: 2 sessions",
        "Limit: session one: 50% used, Cost: $2.00 / $4.00",
        "Limit: session two: 50% used, Cost: $2.00 / $4.00",
    ] {
        assert!(err.contains(line), "{line}\n{err}");
    }
    assert!(err.contains(USAGE_LOG) && !err.contains("before") && out.stdout.is_empty(), "{err}");
    // One session alone is itself, with its log.
    let home = self::home();
    let script = agent(&home, &[call("three", 1)], "true");
    let out = program(&home, &["run", "--", "/bin/sh", "-c", &script]).output().unwrap();
    let err = String::from_utf8(out.stderr).unwrap();
    assert!(err.contains("Cost: $1.00") && err.contains("Log: ") && !err.contains("Sessions:"), "{err}");
}

#[test]
fn as_json_it_is_the_last_line_of_standard_error() {
    let home = home();
    let script = agent(&home, &[call("one", 1), call("two", 2)], "echo from the agent >&2");
    let out = program(&home, &["run", "--json", "--budget", "5usd", "--", "/bin/sh", "-c", &script]).output().unwrap();
    let err = String::from_utf8(out.stderr).unwrap();
    let said: Value = serde_json::from_str(err.lines().last().unwrap()).unwrap();
    let cost = |of: &Value| of["cost_usd"].to_string();
    let sessions: Vec<(String, String)> = said["sessions"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| (row["session"].as_str().unwrap().to_owned(), cost(row)))
        .collect();
    assert_eq!(sessions, [("one".to_owned(), "1".to_owned()), ("two".to_owned(), "2".to_owned())], "{said}");
    assert_eq!((cost(&said["total"]), cost(&said["today"])), ("3".to_owned(), "3.5".to_owned()));
    assert_eq!((&said["exit_code"], &said["stopped"]), (&0.into(), &false.into()));
    assert_eq!((&said["budget"]["percent"], said["limits"].as_array().unwrap().len()), (&60.into(), 3), "{said}");
    let out = program(&home, &["run", "--json", "--", "/bin/sh", "-c", "true"]).output().unwrap();
    let err = String::from_utf8(out.stderr).unwrap();
    let said: Value = serde_json::from_str(err.lines().last().unwrap()).unwrap();
    assert_eq!(said.get("budget"), Some(&Value::Null), "{said}");
}

#[test]
fn at_the_budget_the_agent_and_what_it_started_are_stopped_and_the_code_is_2() {
    for (trap, stdin) in [("true", Stdio::null()), ("trap '' TERM", Stdio::piped())] {
        let home = home();
        let then = format!("{trap}; sleep 600 & echo $! > started; while :; do sleep 0.05; done");
        let script = agent(&home, &[call("one", 1), call("two", 2)], &then);
        let words = ["run", "--budget", "2usd", "--", "/bin/sh", "-c", &script];
        let mut child = program(&home, &words).stdin(stdin).spawn().unwrap();
        assert_eq!(ended_within(&mut child, PATIENCE).code(), Some(2));
        let mut err = String::new();
        child.stderr.take().unwrap().read_to_string(&mut err).unwrap();
        assert!(
            err.contains("Budget: $3.00 of $2.00 used; the agent was stopped") && err.contains("Cost: $3.00"),
            "{err}"
        );
        let started = fs::read_to_string(home.path().join("started")).unwrap();
        // Where nobody reaps it, it stays as a zombie.
        let stat = format!("/proc/{}/stat", started.trim());
        let runs = || fs::read_to_string(&stat).is_ok_and(|stat| !stat.contains(") Z"));
        eventually("its end", || (!runs()).then_some(()));
    }
}

#[test]
fn a_budget_that_is_none_and_one_that_is_not_reached_stop_nothing() {
    let home = home();
    let out = program(&home, &["run", "--budget", "nonsense", "--", "true"]).output().unwrap();
    let err = String::from_utf8_lossy(&out.stderr).into_owned();
    assert!(out.status.code() == Some(64) && err.contains("--budget: 'nonsense'"), "{err}");
    let script = agent(&home, &[call("one", 1)], "sleep 1.2; exit 5");
    let out = program(&home, &["run", "--budget", "2usd", "--", "/bin/sh", "-c", &script]).output().unwrap();
    let err = String::from_utf8_lossy(&out.stderr).into_owned();
    assert!(out.status.code() == Some(5) && err.contains("Budget: $1.00 of $2.00 used\n"), "{err}");
}

#[test]
fn a_run_that_is_stopped_before_its_first_call_says_why() {
    let home = home();
    let out = program(&home, &["run", "--budget", "0usd", "--", "sleep", "60"]).output().unwrap();
    let err = String::from_utf8_lossy(&out.stderr).into_owned();
    let expected = "tokmeter: no call was logged while it ran\nBudget: $0.00 of $0.00 used; the agent was stopped\n";
    assert_eq!((out.status.code(), err.as_str()), (Some(2), expected));
}

/// A dollar of a session, logged so many seconds after now, in this project.
fn dollar(session: &str, seconds: i64, project: &str) -> String {
    let at = (chrono::Utc::now() + chrono::Duration::seconds(seconds)).to_rfc3339();
    serde_json::json!({ "at": at, "session": session, "project": project, "model": "dollar", "output_tokens": 1_000_000 })
        .to_string()
}

#[test]
fn the_sessions_of_others_at_work_meanwhile_are_named_and_not_counted() {
    let home = home();
    let here = home.path().to_str().unwrap();
    let before = [dollar("elsewhere", -600, "/w/other"), dollar("beside", -20, here), dollar("rested", -600, here)];
    home.write(USAGE_LOG, &(before.join("\n") + "\n"));
    // None of them is the run's while it starts nothing of its own.
    let calls = ["elsewhere", "beside"].map(|name| dollar(name, 2, if name == "beside" { here } else { "/w/other" }));
    let script = agent(&home, &calls, "true");
    let out = program(&home, &["run", "--", "/bin/sh", "-c", &script]).output().unwrap();
    let err = String::from_utf8(out.stderr).unwrap();
    let expected = "tokmeter: no call was logged while it ran\n\
                    Not counted: $2.00 in 2 other sessions that ran at the same time\n";
    assert_eq!(err, expected);
    // One that begins, and one of this folder that had rested and goes on, are the run's.
    let calls = [dollar("fresh", 3, here), dollar("rested", 3, here), dollar("fresh abroad", 3, "/w/other")];
    let script = agent(&home, &calls, "true");
    let run = |words: &[&str]| program(&home, words).output().unwrap().stderr;
    let said: Value = serde_json::from_slice(&run(&["run", "--json", "--", "/bin/sh", "-c", &script])).unwrap();
    let names: Vec<&str> =
        said["sessions"].as_array().unwrap().iter().map(|row| row["session"].as_str().unwrap()).collect();
    assert_eq!((names.len(), said["total"]["calls"].as_u64()), (2, Some(2)), "{said}");
    assert!(names.contains(&"fresh") && names.contains(&"rested"), "{said}");
    assert_eq!((&said["others"]["sessions"], &said["others"]["calls"]), (&3.into(), &3.into()), "{said}");
}

#[test]
fn the_duration_of_a_run_is_the_time_that_its_command_took() {
    let home = home();
    let script = agent(&home, &[call("one", 1)], "sleep 2.1");
    let out = program(&home, &["run", "--", "/bin/sh", "-c", &script]).output().unwrap();
    let err = String::from_utf8(out.stderr).unwrap();
    let seconds: u64 = err
        .lines()
        .find_map(|line| line.strip_prefix("Duration: ")?.split(' ').next()?.parse().ok())
        .unwrap_or_else(|| panic!("{err}"));
    // Both calls bear the same time, so that the session itself took none.
    assert!((2..60).contains(&seconds), "{err}");
}
