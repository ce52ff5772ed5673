//! When several limits are reached, every face names the same one.

use serde_json::Value;

use super::{Home, PRICE, USAGE_LOG, call, json, run};

/// A home whose limits of the day and of all time are both reached. The day's is exceeded more, but has room again at
/// midnight.
fn home() -> Home {
    let home = Home::new();
    home.config(&format!(
        "[limits]\nday = \"1usd\"\nmonth = \"50usd\"\ntotal = \"4usd\"\nsession = \"2usd\"\n[limits.users.alice]\ntotal = \"2usd\"\n{PRICE}"
    ));
    home.write(USAGE_LOG, &call("alice", "dollar", 5_000_000));
    home
}

/// The names of the limits in a JSON document, in its order.
fn names(document: &Value) -> Vec<String> {
    let name = |limit: &Value| limit["name"].as_str().unwrap().to_owned();
    document["limits"].as_array().unwrap().iter().map(name).collect()
}

#[test]
fn of_several_limits_that_are_reached_all_commands_name_the_one_that_blocks_most_for_longest() {
    let home = home();
    let order = ["total", "daily", "alice total", "session s1", "monthly"];
    let asked = ["--session", "s1", "--user", "alice"];
    let gate = run(&home, &[&["gate", "--json"], &asked[..]].concat(), "");
    assert_eq!(gate.code, 2, "{}", gate.err);
    assert_eq!(names(&json(&gate.out)), order);
    let refused = run(&home, &[&["gate"], &asked[..]].concat(), "").err;
    let first: Vec<&str> = refused.lines().filter_map(|line| line.split(" limit reached").next()).collect();
    assert_eq!(first, ["Total", "Daily", "alice total", "Session s1"], "{refused}");
    assert_eq!(names(&json(&run(&home, &["limits", "show", "--json"], "").out)), order);
    let table = run(&home, &["limits", "show"], "").out;
    let rows: Vec<&str> = table.lines().filter(|line| line.contains("over")).collect();
    assert!(rows[0].starts_with("total ") && rows[1].starts_with("daily "), "{table}");
    let line = run(&home, &["statusline", "--format", "{limit}"], "").out;
    assert_eq!(line.trim(), "total 125% ■");
    let closing = run(&home, &["summary", "s1"], "").out;
    let reached: Vec<&str> = closing.lines().filter(|line| line.contains(" limit reached")).collect();
    assert!(reached[0].contains("Total") && reached[1].contains("Daily") && reached[2].contains("alice"), "{closing}");
    let once = run(&home, &["--once"], "").out;
    assert!(once.contains("■ Total limit reached") && once.contains("+3 more"), "{once}");
    let compact = run(&home, &["--once", "--compact"], "").out;
    assert!(compact.contains("■ Total limit reached") && compact.contains("+3 more"), "{compact}");
    // Logged a moment after the run has begun.
    let at = (chrono::Utc::now() + chrono::Duration::seconds(2)).to_rfc3339();
    let later = serde_json::json!({ "at": at, "session": "s2", "user": "alice", "model": "dollar", "output_tokens": 1_000_000 });
    home.write("calls", &format!("{later}\n"));
    let script = format!("cat calls >> {USAGE_LOG}");
    let run_of = run(&home, &["run", "--", "/bin/sh", "-c", &script], "").err;
    let reached: Vec<&str> = run_of.lines().filter(|line| line.contains(" limit reached")).collect();
    assert!(reached.first().is_some_and(|first| first.contains("Total")), "{run_of}");
}
