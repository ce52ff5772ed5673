//! Branches and tickets as rows and filters, and plans compared with a month's usage.

use std::path::Path;

use serde_json::{Value, json};

use super::home::{Home, line};

fn call(id: &str, at: &str, input: u64, rest: &str) -> String {
    line(id, &format!("2026-{at}T09:00:00Z"), "claude-opus-5", input, 0, &format!(",\"session\":\"s\"{rest}"))
}

/// The names of a dimension with their tokens.
fn rows(home: &Home, by: &str, args: &[&str]) -> Vec<(Value, u64)> {
    let report = home.fine(&[&["report", "total", "--by", by, "--json"], args].concat()).json();
    let row = |row: &Value| (row[by].clone(), row["total_tokens"].as_u64().unwrap());
    report["rows"].as_array().unwrap().iter().map(row).collect()
}

fn log() -> String {
    [
        call("a", "11-20", 1_000, ",\"branch\":\"main\""),
        call("b", "11-20", 2_000, ",\"gitBranch\":\"feature/SHOP-12-basket\""),
        call("c", "11-21", 4_000, ",\"branch\":\"kim/SHOP-12\""),
        call("d", "11-21", 8_000, ",\"branch\":\"SHOP-7\""),
        call("e", "11-22", 16_000, ""),
    ]
    .concat()
}

#[test]
fn branches_and_tickets_are_rows_and_filters_with_and_without_a_ledger() {
    let home = Home::new();
    let file = home.log(&log()).display().to_string();
    let branches = [
        (json!("SHOP-7"), 8_000),
        (json!("feature/SHOP-12-basket"), 2_000),
        (json!("kim/SHOP-12"), 4_000),
        (json!("main"), 1_000),
        (Value::Null, 16_000),
    ];
    // A branch without a ticket is in the row of what has none.
    let tickets = [(json!("SHOP-12"), 6_000), (json!("SHOP-7"), 8_000), (Value::Null, 17_000)];
    for args in [&[][..], &["--no-ledger"], &[&file]] {
        assert_eq!(rows(&home, "branch", args), branches, "{args:?}");
        assert_eq!(rows(&home, "ticket", args), tickets, "{args:?}");
        let only = |filter: &[&str]| rows(&home, "ticket", &[filter, args].concat());
        assert_eq!(only(&["--ticket", "SHOP-12"]), [(json!("SHOP-12"), 6_000)]);
        assert_eq!(only(&["--ticket", "SHOP-*"]), tickets[..2]);
        assert_eq!(only(&["--branch", "kim/*", "--ticket", "SHOP-12"]), [(json!("SHOP-12"), 4_000)]);
        assert_eq!(only(&["--since", "2026-11-21", "--ticket", "SHOP-12"]), [(json!("SHOP-12"), 4_000)]);
        assert_eq!(only(&["--ticket", "SHOP-99"]), []);
        let days = home.fine(&[&["report", "day", "--by", "branch", "--json"], args].concat()).json();
        assert_eq!((days["rows"].as_array().unwrap().len(), days["total"]["total_tokens"].as_u64()), (5, Some(31_000)));
    }
    home.config("[attribution]\nticket = \"SHOP-([0-9]+)\"\n");
    assert_eq!(rows(&home, "ticket", &[]), [(json!("12"), 6_000), (json!("7"), 8_000), (Value::Null, 17_000)]);
}

#[test]
fn branches_outlive_their_log_and_an_export() {
    let home = Home::new();
    let file = home.log(&log());
    let branches = rows(&home, "branch", &[]);
    std::fs::remove_file(file).unwrap();
    assert_eq!(rows(&home, "branch", &[]), branches);
    let export = home.fine(&["ledger", "export"]).out;
    let other = Home::new();
    let file = other.write("export.jsonl", &export).display().to_string();
    other.fine(&["ledger", "import", &file]);
    assert_eq!(rows(&other, "branch", &[]), branches);
    assert_eq!(other.run(&["ledger", "verify"]).code, 0);
}

#[test]
fn the_rows_of_every_split_add_up_to_the_total_on_every_sample() {
    let home = Home::new();
    let samples = Path::new(env!("CARGO_MANIFEST_DIR")).join("samples").display().to_string();
    for by in ["branch", "repo", "ticket", "branch,ticket,model", "fidelity"] {
        let report = home.fine(&["report", "total", "--by", by, "--json", &samples]).json();
        for measure in ["calls", "input_tokens", "cache_read_tokens", "output_tokens", "total_tokens"] {
            let rows = report["rows"].as_array().unwrap().iter().map(|row| row[measure].as_u64().unwrap());
            assert_eq!(rows.sum::<u64>(), report["total"][measure].as_u64().unwrap(), "{by} {measure}");
        }
    }
    let by_source = home.fine(&["report", "total", "--by", "source,branch", "--json", &samples]).json();
    for source in ["claude-code", "codex", "copilot"] {
        let mut rows = by_source["rows"].as_array().unwrap().iter();
        assert!(rows.any(|row| row["source"] == source && row["branch"].is_string()), "{source} names its branches");
    }
}

#[test]
fn a_split_that_was_asked_for_has_its_column_where_no_call_has_such_a_name() {
    let home = Home::new();
    home.log(&call("a", "09-30", 1_000, ""));
    let all = [
        "agent", "branch", "feature", "fidelity", "model", "org", "project", "repo", "session", "source", "team",
        "ticket", "user",
    ];
    for by in all {
        let table = home.fine(&["report", "total", "--by", by]).out;
        let heads: Vec<&str> = table.lines().next().unwrap().split("  ").map(str::trim).collect();
        assert!(heads.contains(&by), "{by}: {table}");
    }
}

#[test]
fn a_plan_is_compared_with_the_months_since_it_began() {
    let home = Home::new();
    // Opus costs $5 for a million of input.
    home.log(
        &[
            call("a", "09-30", 1_000_000, ""),
            call("b", "10-10", 10_000_000, ""),
            call("c", "10-20", 3_000_000, ""),
            call("d", "11-20", 7_000_000, ""),
        ]
        .concat(),
    );
    assert!(
        home.fine(&["report", "month", "--json"]).json()["plans"].is_null(),
        "without a plan there is nothing to say"
    );
    home.config(
        "[[plans.Max]]\nusd = 20\nfrom = 2026-10-15\n[[plans.Max]]\nusd = 100\nfrom = 2026-11-01\n\
         [plans.Codex]\nusd = 20\nsources = [\"codex\"]\n",
    );
    let plans = home.fine(&["report", "month", "--json"]).json()["plans"].clone();
    let facts = |plan: &Value| {
        json!([plan["month"], plan["plan"], plan["price_usd"], plan["usage_usd"], plan["times"], plan["month_is_over"]])
    };
    let facts: Vec<Value> = plans.as_array().unwrap().iter().map(facts).collect();
    let expected = [json!(["2026-10", "Max", 20, 15, 0.7, true]), json!(["2026-11", "Max", 100, 35, 0.3, false])];
    assert_eq!(facts, expected);
    let text = home.fine(&["report", "month"]).out;
    assert!(text.contains("2026-10: usage worth $15.00, × 0.7 of the plan Max ($20.00 a month)"), "{text}");
    assert!(text.contains("2026-11: usage worth $35.00 so far, × 0.3 of the plan Max ($100.00 a month)"), "{text}");
    home.log(&line("e", "2026-11-20T10:00:00Z", "of-the-house", 9, 0, ""));
    let text = home.fine(&["report", "month"]).out;
    assert!(text.contains("2026-11: usage worth ≥ $35.00 so far, ≥ × 0.3 of the plan Max"), "{text}");
    let invoice = home.fine(&["invoice", "2026-10"]).out;
    assert!(invoice.contains("× 0.7 of the plan Max"), "{invoice}");
    let invoice = home.fine(&["invoice", "2026-10", "--json"]).json();
    assert_eq!((&invoice["plans"][0]["plan"], &invoice["month"]), (&json!("Max"), &json!("2026-10")));
}
