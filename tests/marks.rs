//! Numbers that may be wrong are marked, in text and in JSON, and an audit names the place.

#![cfg(unix)]
#![allow(missing_docs, clippy::unwrap_used, reason = "a panic fails the test")]

mod common;

use std::path::Path;

use common::Home;
use serde_json::{Value, json};

const EXACT: &str =
    r#"{"id":"exact","at":"2026-11-20T10:00:00Z","model":"gpt-4o","session":"s1","input_tokens":10,"output_tokens":5}"#;
/// Only a total: its input share is a guess.
const GUESS: &str =
    r#"{"id":"guess","at":"2026-11-20T10:01:00Z","model":"gpt-4o","session":"s1","total_tokens":50,"user":"bob"}"#;
const UNPRICED: &str = r#"{"id":"unpriced","at":"2026-11-20T10:02:00Z","model":"of-the-house","session":"s1","input_tokens":7,"output_tokens":1}"#;
/// Token counts of no known format.
const UNKNOWN: &str = r#"{"type":"message","usage":{"what_tokens":3},"input_tokens":{}}"#;
/// A version of Claude Code that logged less than was used.
const PARTIAL: &str = r#"{"type":"assistant","uuid":"u1","sessionId":"s2","timestamp":"2026-11-20T10:03:00Z","version":"2.1.20","message":{"id":"msg_01MarksPartial","role":"assistant","model":"claude-opus-4-5","usage":{"input_tokens":3,"output_tokens":1}}}"#;

fn out(home: &Home, args: &[&str]) -> String {
    let output = home.tokmeter().args(args).output().unwrap();
    assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

fn json_of(home: &Home, args: &[&str]) -> Value {
    serde_json::from_str(&out(home, args)).unwrap()
}

fn lines(lines: &[&str]) -> String {
    lines.iter().flat_map(|line| [line, "\n"]).collect()
}

#[test]
fn every_row_of_every_answer_for_programs_says_how_many_calls_are_guessed() {
    let home = Home::new();
    home.write("log.jsonl", &lines(&[EXACT, GUESS]));
    for grain in ["total", "day", "week", "month", "session", "call"] {
        let report = json_of(&home, &["report", grain, "--json", "log.jsonl"]);
        let rows = report["rows"].as_array().unwrap();
        let sum: u64 = rows.iter().map(|row| row["guessed_calls"].as_u64().unwrap()).sum();
        assert_eq!((sum, &report["total"]["guessed_calls"]), (1, &json!(1)), "{grain}");
        assert!(rows.iter().all(|row| row["lower_bound_calls"].is_u64()), "{grain}");
        let csv = out(&home, &["report", grain, "--csv", "log.jsonl"]);
        assert!(csv.lines().next().unwrap().split(',').any(|column| column == "guessed_calls"), "{csv}");
    }
    let summary = json_of(&home, &["summary", "s1", "--json", "log.jsonl"]);
    let one = json!(1);
    assert_eq!((&summary["guessed_calls"], &summary["models"][0]["guessed_calls"]), (&one, &one));
    assert_eq!(
        (&summary["models"][0]["lower_bound_calls"], &summary["agents"]["guessed_calls"]),
        (&json!(0), &json!(0))
    );
    let text = out(&home, &["report", "total", "log.jsonl"]);
    assert!(text.contains("~ $") && text.contains("guessed"), "{text}");
}

#[test]
fn a_comparison_with_another_model_is_as_uncertain_as_the_cost() {
    let home = Home::new();
    home.write("log.jsonl", &lines(&[EXACT, GUESS, UNPRICED]));
    let text = out(&home, &["signals", "--against", "gpt-5", "log.jsonl"]);
    let row = text.lines().rfind(|line| line.starts_with("total")).unwrap();
    assert_eq!(row.matches("~ ").count(), 3, "{text}");
    home.write("log.jsonl", EXACT);
    let text = out(&home, &["signals", "--against", "gpt-5", "log.jsonl"]);
    assert!(!text.contains('~'), "{text}");
}

#[test]
fn no_amount_is_zero_because_nothing_has_a_price() {
    let home = Home::new();
    let agent =
        UNPRICED.replace("\"id\":\"unpriced\"", "\"id\":\"two\",\"agent\":\"explore\"").replace("10:02", "10:12");
    home.write("log.jsonl", &lines(&[UNPRICED, &agent]));
    let summary = json_of(&home, &["summary", "s1", "--json", "log.jsonl"]);
    assert_eq!(
        (&summary["cost_usd"], &summary["cost_per_hour_usd"], &summary["agents"]["cost_usd"]),
        (&Value::Null, &Value::Null, &Value::Null),
        "{summary}"
    );
    home.config("logs = [\"~/log.jsonl\"]\n");
    home.write("log.jsonl", &UNPRICED.replace("2026-11-20T10:02:00Z", &common::now()));
    let limits = json_of(&home, &["limits", "show", "--json"]);
    for key in ["cost_per_hour_usd", "by_day_end_usd", "by_month_end_usd"] {
        assert_eq!(limits[key], Value::Null, "{limits}");
    }
    home.write("log.jsonl", &EXACT.replace("2026-11-20T10:00:00Z", &common::now()));
    assert!(json_of(&home, &["limits", "show", "--json"])["cost_per_hour_usd"].is_number());
}

#[test]
fn limits_metrics_and_the_ledger_say_so_too() {
    let home = Home::new();
    home.config("logs = [\"~/log.jsonl\"]\n[limits]\ntotal = { usd = 1 }\n");
    home.write("log.jsonl", &lines(&[EXACT]));
    let limit = |home: &Home| json_of(home, &["limits", "show", "--json"])["limits"][0].clone();
    assert_eq!((&limit(&home)["guessed"], &limit(&home)["lower_bound"]), (&json!(false), &json!(false)));
    home.write("log.jsonl", &lines(&[EXACT, GUESS]));
    assert_eq!((&limit(&home)["guessed"], &limit(&home)["lower_bound"]), (&json!(true), &json!(false)));
    let shown = out(&home, &["limits", "show"]);
    assert!(shown.contains("~ $"), "{shown}");
    let metrics = out(&home, &["metrics"]);
    assert!(metrics.contains("tokmeter_guessed_calls_total{source=\"native\",model=\"gpt-4o\"} 1"), "{metrics}");
    assert_eq!(json_of(&home, &["ledger", "info", "--json"])["guessed_calls"], json!(1));
    let gate = json_of(&home, &["gate", "--json"]);
    assert_eq!(gate["limits"][0]["guessed"], json!(true), "{gate}");
}

#[test]
fn what_has_no_price_is_null_for_programs_and_never_zero_dollars() {
    let home = Home::new();
    home.config(
        "logs = [\"~/log.jsonl\"]\n[limits]\ntotal = { usd = 1 }\nmonth = { usd = 1, tokens = 100 }\n[plans.Max]\nusd = 20\n",
    );
    let at = |line: &str| line.replace("2026-11-20T10:02:00Z", &common::now());
    let agent = at(UNPRICED).replace("unpriced", "second").replace("\"input", "\"agent\":\"scout\",\"input");
    home.write("log.jsonl", &lines(&[&at(UNPRICED), &agent]));
    let limits = json_of(&home, &["limits", "show", "--json"]);
    let nulls = |document: &Value, names: &[&str]| {
        for name in names {
            assert_eq!(document.pointer(name), Some(&Value::Null), "{name} in {document}");
        }
    };
    let rates = ["/cost_per_hour_usd", "/by_day_end_usd", "/by_month_end_usd", "/today/cost_usd", "/month/cost_usd"];
    nulls(&limits, &rates);
    nulls(&limits, &["/limits/0/used/usd", "/limits/1/used/usd"]);
    assert_eq!((&limits["today"]["unpriced_tokens"], &limits["month"]["calls"]), (&json!(16), &json!(2)));
    nulls(&json_of(&home, &["gate", "--json"]), &["/limits/0/used/usd"]);
    // Of 100 tokens 16 are used; of a dollar nobody knows how much.
    let percent_of = |document: &Value, name: &str| {
        let limits = document["limits"].as_array().unwrap();
        limits.iter().find(|limit| limit["limit"] == name).unwrap()["percent"].clone()
    };
    for asked in ["limits", "gate"] {
        let document = json_of(&home, &[asked, "--json"]);
        let percent = ["month", "total"].map(|name| percent_of(&document, name));
        assert_eq!(percent, [json!(16), Value::Null], "{asked}: {document}");
    }
    nulls(&json_of(&home, &["summary", "s1", "--json"]), &["/cost_usd", "/agents/cost_usd", "/models/0/cost_usd"]);
    let plans = json_of(&home, &["report", "month", "--json"]);
    nulls(&plans, &["/plans/0/usage_usd", "/plans/0/times"]);
    assert!(out(&home, &["report", "month"]).contains("usage worth ? so far, of the plan Max ($20.00 a month)"));
    nulls(&json_of(&home, &["audit", "--json", "log.jsonl"]), &["/cost_usd", "/sources/0/cost_usd"]);
    // It has something to say about the model.
    let doctor = home.tokmeter().args(["doctor", "--json"]).output().unwrap();
    nulls(&serde_json::from_slice(&doctor.stdout).unwrap(), &["/ledger/cost_usd"]);
    let metrics = out(&home, &["metrics"]);
    for unknown in
        ["tokmeter_today_cost_usd", "tokmeter_cache_saved_usd{", "unit=\"usd\"} 0", "_used_ratio{limit=\"total\""]
    {
        let is_said = |line: &str| !line.starts_with('#') && line.contains(unknown);
        assert!(!metrics.lines().any(is_said), "{unknown} in {metrics}");
    }
    for known in [
        "tokmeter_today_calls 2",
        "_used{limit=\"month\",subject=\"\",unit=\"tokens\"} 16",
        "_ratio{limit=\"month\",subject=\"\"} 0.16",
    ] {
        assert!(metrics.contains(known), "{known} in {metrics}");
    }
    // With one price known they are numbers, and the marks beside them say that they are too low.
    home.write("log.jsonl", &lines(&[&at(UNPRICED), &agent, &EXACT.replace("2026-11-20T10:00:00Z", &common::now())]));
    let limits = json_of(&home, &["limits", "show", "--json"]);
    for name in rates.iter().filter(|name| **name != "/by_month_end_usd") {
        assert!(limits.pointer(name).unwrap().as_f64() > Some(0.0), "{name} in {limits}");
    }
    assert!(limits["today"]["unpriced_tokens"] == 16 && limits["limits"][0]["used"]["usd"].as_f64() > Some(0.0));
}

#[test]
fn an_audit_says_counted_in_full_only_of_what_was() {
    let home = Home::new();
    home.write("exact.jsonl", &lines(&[EXACT]));
    assert!(out(&home, &["audit", "exact.jsonl"]).contains("counted in full"));
    for (name, line, place) in [
        ("guess", GUESS, format!("guess.jsonl, byte {}: guessed", EXACT.len() + 1)),
        ("unpriced", UNPRICED, format!("unpriced.jsonl, byte {}: no price", EXACT.len() + 1)),
        ("partial", PARTIAL, format!("partial.jsonl, byte {}: logged in part", EXACT.len() + 1)),
        ("unknown", UNKNOWN, "unknown.jsonl:2: looks like usage, of no known format".to_owned()),
        ("bad", r#"{"id":"bad","model":"gpt-4o","input_tokens":-1}"#, "bad.jsonl:2: input_tokens is -1".to_owned()),
    ] {
        home.write(&format!("{name}.jsonl"), &lines(&[EXACT, line]));
        let audit = out(&home, &["audit", &format!("{name}.jsonl")]);
        assert!(!audit.contains("counted in full"), "{name}: {audit}");
        assert!(audit.contains(&place), "{name} is to name {place}: {audit}");
    }
    let audit = json_of(&home, &["audit", "--json", "guess.jsonl", "unknown.jsonl"]);
    assert_eq!(audit["first_marked_calls"][0]["why"], "guessed");
    assert_eq!((&audit["first_unknown_lines"][0]["line"], &audit["unknown_lines"]), (&json!(2), &json!(1)));
    // An unread file has no lines, but does not count as read in full either.
    std::os::unix::fs::symlink("nowhere", home.path().join("gone.jsonl")).unwrap();
    home.write("logs/exact.jsonl", &lines(&[EXACT]));
    std::os::unix::fs::symlink("nowhere", home.path().join("logs/gone.jsonl")).unwrap();
    let audit = out(&home, &["audit", "logs"]);
    assert!(!audit.contains("counted in full") && audit.contains("gone.jsonl"), "{audit}");
}

#[test]
fn calls_written_one_by_one_are_the_document_that_the_whole_report_is() {
    let home = Home::new();
    home.write("log.jsonl", &lines(&[EXACT, GUESS, UNPRICED]));
    for more in [&[][..], &["--limit", "1"], &["--limit", "2", "--order", "desc", "--by", "user"], &["--user", "carol"]]
    {
        let ask = |whole: &[&str]| out(&home, &[&["report", "call", "--json", "log.jsonl"], more, whole].concat());
        // After repricing it is written at once.
        assert_eq!(ask(&[]), ask(&["--reprice"]), "{more:?}");
    }
    std::fs::write(home.file("old.jsonl.gz"), b"\x1f\x8b\x08\0made up").unwrap();
    let report = json_of(&home, &["report", "call", "--json", "--limit", "1", "log.jsonl", "old.jsonl.gz"]);
    let rows = report["rows"].as_array().unwrap().len();
    assert_eq!((rows, &report["total"]["calls"], &report["unread_files"]), (1, &json!(3), &json!(1)));
}

#[test]
fn an_audit_of_a_folder_with_an_unread_file_is_a_lower_bound() {
    let home = Home::new();
    home.write("logs/log.jsonl", &lines(&[EXACT]));
    assert!(!out(&home, &["audit", "logs"]).contains('≥'));
    std::fs::write(home.file("logs/old.jsonl.gz"), b"\x1f\x8b\x08\0made up").unwrap();
    let text = out(&home, &["audit", "logs"]);
    assert!(text.contains("tokens, ≥ $") && !text.contains("in full, at"), "{text}");
    assert_eq!(json_of(&home, &["audit", "logs", "--json"])["unread_files"], json!(1));
}

#[test]
fn a_file_that_is_not_read_is_marked_in_every_answer() {
    let home = Home::new();
    let folder = ".claude/projects/-w";
    home.write(&format!("{folder}/log.jsonl"), &lines(&[EXACT]));
    home.write(".config/tokmeter/config.toml", "[limits]\nday = \"5 usd\"\n");
    let asked = [
        ["report", "total", "--csv"].as_slice(),
        &["report", "total", "--json"],
        &["summary", "--json"],
        &["limits", "show", "--json"],
        &["gate", "--json"],
        &["invoice", "2026-11", "--json"],
        &["summary"],
        &["statusline"],
        &["limits"],
        &["invoice", "2026-11"],
        &["invoice", "2026-11", "--csv"],
        &["--once"],
        &["--once", "--compact"],
    ];
    let say = || asked.map(|args| out(&home, args));
    let before = say();
    let is_marked = |said: &str| said.contains('≥') || said.contains("\"unread_files\":1");
    assert!(before.iter().all(|said| !is_marked(said)), "{before:?}");
    assert!(out(&home, &["metrics"]).contains("\ntokmeter_unread_files 0\n"));
    let last_but = |csv: &str| csv.lines().nth(1).map(|line| line.split(',').nth_back(2).unwrap().to_owned());
    assert_eq!(last_but(&before[0]).as_deref(), Some("0"));
    std::fs::write(home.file(&format!("{folder}/old.jsonl.gz")), b"\x1f\x8b\x08\0made up").unwrap();
    let after = say();
    assert!(before[0].starts_with("calls,") && last_but(&after[0]).as_deref() == Some("1"), "{}", after[0]);
    assert_eq!(last_but(&after[10]).as_deref(), Some("1"), "{}", after[10]);
    for (args, said) in asked.iter().zip(&after).filter(|(args, _)| !args.contains(&"--csv")) {
        assert!(is_marked(said), "{args:?}: {said}");
    }
    assert!(out(&home, &["metrics"]).contains("\ntokmeter_unread_files 1\n"));
}

#[test]
fn what_an_agent_notes_beside_its_answers_is_no_alarm() {
    let home = Home::new();
    let sample = Path::new(env!("CARGO_MANIFEST_DIR")).join("samples/claude-code/bookkeeping.jsonl");
    let audit = json_of(&home, &["audit", "--json", sample.to_str().unwrap()]);
    assert_eq!((&audit["unknown_lines"], &audit["bad_lines"], &audit["calls"]), (&json!(0), &json!(0), &json!(1)));
    assert!(out(&home, &["audit", sample.to_str().unwrap()]).contains("counted in full"));
}

/// An event of Claude Code's telemetry: so many tokens written to a cache, and their cost.
fn event(request: &str, written: u64, output: u64, cost: &str) -> String {
    let attribute = |key: &str, value: &str| format!(r#"{{"key":"{key}","value":{{"stringValue":"{value}"}}}}"#);
    let attributes = [
        attribute("event.name", "api_request"),
        attribute("session.id", "s9"),
        attribute("model", "claude-opus-5"),
        attribute("input_tokens", "3"),
        attribute("output_tokens", &output.to_string()),
        attribute("cache_creation_tokens", &written.to_string()),
        attribute("cost_usd", cost),
        attribute("request_id", request),
    ]
    .join(",");
    format!(
        r#"{{"resourceLogs":[{{"resource":{{"attributes":[]}},"scopeLogs":[{{"scope":{{"name":"com.anthropic.claude_code.events"}},"logRecords":[{{"timeUnixNano":"1795165200000000000","body":{{"stringValue":"claude_code.api_request"}},"attributes":[{attributes}]}}]}}]}}]}}"#
    )
}

/// A line of the transcript of the same answer.
fn answer(request: &str, short: u64, long: u64, output: u64) -> String {
    format!(
        r#"{{"type":"assistant","uuid":"u-{request}","sessionId":"s9","timestamp":"2026-11-20T09:00:01Z","version":"2.1.300","requestId":"{request}","message":{{"id":"msg_{request}","role":"assistant","model":"claude-opus-5","usage":{{"input_tokens":3,"cache_creation_input_tokens":{},"cache_creation":{{"ephemeral_5m_input_tokens":{short},"ephemeral_1h_input_tokens":{long}}},"output_tokens":{output}}}}}}}"#,
        short + long
    )
}

#[test]
fn lifetimes_solved_from_the_cost_are_no_guess_and_a_cost_that_solves_nothing_leaves_one() {
    let home = Home::new();
    // 3 × $5 + 400 × $25 + 37,000 × $10, per million.
    home.write("solved.jsonl", &lines(&[&event("req_1", 37_000, 400, "0.380015")]));
    let call = &json_of(&home, &["report", "call", "--json", "solved.jsonl"])["rows"][0];
    assert_eq!((&call["cache_write_5m_tokens"], &call["cache_write_1h_tokens"]), (&json!(0), &json!(37_000)));
    assert_eq!((&call["fidelity"], &call["guessed_calls"]), (&json!("solved"), &json!(0)));
    assert_eq!(call["cost_usd"].to_string(), "0.380015");
    assert!(out(&home, &["audit", "solved.jsonl"]).contains("counted in full"));
    home.write("guess.jsonl", &lines(&[&event("req_1", 37_000, 400, "0.9")]));
    let call = &json_of(&home, &["report", "call", "--json", "guess.jsonl"])["rows"][0];
    assert_eq!((&call["fidelity"], &call["guessed_calls"]), (&json!("guessed"), &json!(1)));
    assert!(out(&home, &["report", "total", "guess.jsonl"]).contains("~ $"));
}

#[test]
fn e14_a_price_of_the_config_changes_what_a_log_costs_and_not_what_it_says() {
    let own = |model: &str| {
        format!(
            "logs = [\"~/logs\"]\n[prices.\"{model}\"]\ninput = \"2.5\"\noutput = \"12.5\"\ncache_read = \"0.25\"\n\
             cache_write_5m = \"3.125\"\ncache_write_1h = \"5\"\n"
        )
    };
    let rollout = r#"{"timestamp":"2026-11-20T09:00:00.000Z","type":"session_meta","payload":{"id":"t1","cwd":"/p"}}
{"timestamp":"2026-11-20T09:00:00.100Z","type":"turn_context","payload":{"model":"gpt-5.6"}}
{"timestamp":"2026-11-20T09:00:02.000Z","type":"event_msg","payload":{"type":"token_count","info":{"total_token_usage":{"input_tokens":4000,"cached_input_tokens":1000,"output_tokens":50},"last_token_usage":{"input_tokens":4000,"cached_input_tokens":1000,"output_tokens":50}}}}
"#;
    let spend = r#"{"request_id":"chatcmpl-1","call_type":"acompletion","spend":0.380015,"total_tokens":37403,"prompt_tokens":37003,"completion_tokens":400,"startTime":"2026-11-20T09:00:00Z","endTime":"2026-11-20T09:00:09Z","model":"anthropic/claude-opus-5","metadata":{"usage_object":{"prompt_tokens":37003,"completion_tokens":400,"total_tokens":37403,"cache_creation_input_tokens":37000,"cache_read_input_tokens":0}}}"#;
    for (name, log, model) in [
        ("telemetry.jsonl", lines(&[&event("req_1", 37_000, 400, "0.380015")]), "claude-opus-5"),
        ("spend.jsonl", lines(&[spend]), "claude-opus-5"),
        ("rollout-t1.jsonl", rollout.to_owned(), "gpt-5.6"),
    ] {
        let read = |home: &Home, more: &[&str]| {
            let rows = json_of(home, &[&["report", "call", "--json"], more].concat())["rows"].clone();
            let names = ["cache_write_5m_tokens", "cache_write_1h_tokens", "fidelity", "cost_usd", "lower_bound_calls"];
            names.map(|name| rows[0][name].to_string())
        };
        let [before, after] = [false, true].map(|is_own_from_the_start| {
            let home = Home::new();
            home.config(if is_own_from_the_start { own(model) } else { own("another") }.as_str());
            home.write(&format!("logs/{name}"), &log);
            let first = read(&home, &[]);
            home.config(&own(model));
            out(&home, &["ledger", "reprice", "--yes"]);
            assert_eq!(read(&home, &[]), read(&home, &["--no-ledger"]), "{name}");
            assert!(out(&home, &["ledger", "verify"]).contains("whole"), "{name}");
            assert_eq!(first[..3], read(&home, &[])[..3], "{name}");
            read(&home, &[])
        });
        assert_eq!(before, after, "{name}");
        if model == "claude-opus-5" {
            // 3 × $2.50 + 400 × $12.50 + 37,000 × $5, per million.
            assert_eq!(after, ["0", "37000", "\"solved\"", "0.1900075", "0"].map(str::to_owned), "{name}");
        } else {
            assert_eq!((after[2].as_str(), after[4].as_str()), ("\"lower_bound\"", "1"));
        }
    }
}

#[test]
fn writes_that_a_log_does_not_tell_from_input_are_a_guess_without_a_price_that_decides() {
    let log = |model: &str| {
        format!(
            r#"{{"timestamp":"2026-11-20T09:00:00.000Z","type":"session_meta","payload":{{"id":"t1","cwd":"/p"}}}}
{{"timestamp":"2026-11-20T09:00:00.100Z","type":"turn_context","payload":{{"model":"{model}"}}}}
{{"timestamp":"2026-11-20T09:00:02.000Z","type":"event_msg","payload":{{"type":"token_count","info":{{"total_token_usage":{{"input_tokens":4000,"cached_input_tokens":1000,"output_tokens":50}},"last_token_usage":{{"input_tokens":4000,"cached_input_tokens":1000,"output_tokens":50}}}}}}}}
"#
        )
    };
    // Writes cost more than input, cost as much, have no known price.
    for (model, fidelity, guessed, least) in
        [("gpt-5.6", "lower_bound", 0, 1), ("gpt-5.2-codex", "final", 0, 0), ("of-the-house", "guessed", 1, 0)]
    {
        let home = Home::new();
        home.write(".codex/sessions/rollout-t1.jsonl", &log(model));
        for args in [&["report", "call", "--json"][..], &["report", "call", "--json", "--no-ledger"]] {
            let call = &json_of(&home, args)["rows"][0];
            let found = ["fidelity", "guessed_calls", "lower_bound_calls"].map(|name| call[name].clone());
            assert_eq!(found, [json!(fidelity), json!(guessed), json!(least)], "{model}");
        }
        assert!(out(&home, &["ledger", "verify"]).contains("whole"), "{model}");
    }
}

#[test]
fn the_split_of_a_transcript_stands_before_one_that_was_solved_in_either_order() {
    let transcript = ".claude/projects/-p/s9.jsonl";
    // The transcript states a mix; the cost, rounded by another price list, implies an hour for all of it.
    let (event, answer) = (event("req_1", 10_000, 400, "0.110015"), answer("req_1", 4_000, 6_000, 400));
    let total = |home: &Home| {
        let total = json_of(home, &["report", "total", "--json"])["total"].clone();
        ["calls", "cache_write_5m_tokens", "cache_write_1h_tokens", "guessed_calls"]
            .map(|name| total[name].as_u64().unwrap())
    };
    for telemetry_first in [true, false] {
        let home = Home::new();
        home.config("logs = [\"~/telemetry.jsonl\"]\n");
        let steps = [("telemetry.jsonl", &event), (transcript, &answer)];
        let order = if telemetry_first { [0, 1] } else { [1, 0] };
        home.write(steps[order[0]].0, &lines(&[steps[order[0]].1]));
        let first = total(&home);
        assert_eq!(first, if telemetry_first { [1, 0, 10_000, 0] } else { [1, 4_000, 6_000, 0] });
        home.write(steps[order[1]].0, &lines(&[steps[order[1]].1]));
        assert_eq!(total(&home), [1, 4_000, 6_000, 0], "telemetry first: {telemetry_first}");
        // Repetition changes nothing.
        home.write("telemetry.jsonl", &lines(&[&event, &event]));
        assert_eq!(total(&home), [1, 4_000, 6_000, 0], "telemetry first: {telemetry_first}");
        assert!(out(&home, &["ledger", "verify"]).contains("whole"));
    }
}

/// A chat span, nested in another one or not, as one line.
fn span(id: u8, parent: Option<u8>, read: Option<u64>) -> String {
    let parent = parent.map_or_else(String::new, |parent| format!(r#""parentSpanId":"{parent:016x}","#));
    let read = read.map_or_else(String::new, |read| format!(r#","gen_ai.usage.cache_read.input_tokens":{read}"#));
    format!(
        r#"{{"name":"chat","traceId":"{:032x}","spanId":"{id:016x}",{parent}"startTime":"2026-11-20T10:00:00Z","attributes":{{"gen_ai.operation.name":"chat","gen_ai.request.model":"gpt-4o","gen_ai.usage.input_tokens":100,"gen_ai.usage.output_tokens":5{read}}}}}"#,
        7
    )
}

#[test]
fn a_span_around_another_is_the_same_call_whichever_comes_first_and_whenever_it_is_read() {
    let (outer, inner) = (span(1, None, None), span(2, Some(1), Some(60)));
    for (first, second) in [(&inner, &outer), (&outer, &inner)] {
        let home = Home::new();
        home.config("logs = [\"~/spans.jsonl\"]\n");
        let total = |text: &str| {
            home.write("spans.jsonl", text);
            let total = json_of(&home, &["report", "total", "--json"])["total"].clone();
            ["calls", "input_tokens", "cache_read_tokens"].map(|name| total[name].as_u64().unwrap())
        };
        // Each line is read by a separate process.
        assert_eq!(total(&lines(&[first]))[0], 1);
        assert_eq!(total(&lines(&[first, second])), [1, 40, 60]);
        // Another attempt within the same span is another call.
        assert_eq!(total(&lines(&[first, second, &span(3, Some(1), Some(60))])), [2, 80, 120]);
        assert!(out(&home, &["ledger", "verify"]).contains("whole"));
    }
}

#[test]
fn a_limit_of_nothing_is_reached_whatever_a_call_costs() {
    let home = Home::new();
    home.config("logs = [\"~/log.jsonl\"]\n[limits]\ntotal = { usd = 0 }\n");
    home.write("log.jsonl", UNPRICED);
    let limit = &json_of(&home, &["limits", "--json"])["limits"][0];
    assert_eq!(
        (&limit["percent"], &limit["verdict"], &limit["used"]["usd"]),
        (&json!(100), &json!("over"), &Value::Null)
    );
    assert!(out(&home, &["limits"]).contains("100%"));
}

/// A call that saved $0.00125, which rounds to $0.0012, by reading a thousand tokens from the cache.
const CACHED: &str = r#"{"id":"cached","at":"2026-11-20T10:04:00Z","model":"gpt-4o","session":"s1","input_tokens":10,"cache_read_tokens":1000,"output_tokens":5}"#;

#[test]
fn what_caching_saved_is_as_uncertain_as_the_cost() {
    let home = Home::new();
    for (others, sign) in [(&[][..], ""), (&[GUESS][..], "~ "), (&[UNPRICED][..], "~ "), (&[UNPRICED, GUESS][..], "~ ")]
    {
        home.write("log.jsonl", &lines(&[&[CACHED], others].concat()));
        let saved = format!("{sign}$0.0012");
        let total = out(&home, &["report", "total", "log.jsonl"]);
        assert!(total.lines().nth(1).unwrap().ends_with(&format!("  {saved}")), "{saved}: {total}");
        let summary = out(&home, &["summary", "s1", "log.jsonl"]);
        assert!(summary.contains(&format!("% hit, saved {saved}\n")), "{saved}: {summary}");
        let signals = out(&home, &["signals", "log.jsonl"]);
        assert!(signals.contains(&format!("read from it, saved {saved}\n")), "{saved}: {signals}");
        let signals = json_of(&home, &["signals", "--json", "log.jsonl"]);
        assert_eq!(signals["cache_saved_usd"].to_string(), "0.00125");
        let count = |line: &str| json!(others.iter().filter(|other| **other == line).count());
        assert_eq!((&signals["guessed_calls"], &signals["lower_bound_calls"]), (&count(GUESS), &json!(0)));
        assert_eq!(signals["unpriced_tokens"], json!(8 * count(UNPRICED).as_u64().unwrap()));
    }
    home.write("log.jsonl", &lines(&[UNPRICED]));
    assert!(out(&home, &["signals", "log.jsonl"]).contains("saved ?"));
    assert_eq!(json_of(&home, &["signals", "--json", "log.jsonl"])["cache_saved_usd"], Value::Null);
    // Each row of the others carries its own marks.
    home.write("log.jsonl", &lines(&[EXACT, GUESS]));
    let signals = json_of(&home, &["signals", "--json", "--against", "gpt-5", "log.jsonl"]);
    assert_eq!(
        (&signals["dearest"][0]["guessed_calls"], &signals["dearest"][1]["guessed_calls"]),
        (&json!(1), &json!(0))
    );
    assert_eq!(signals["against"]["rows"][0]["guessed_calls"], json!(1));
}

#[test]
fn the_explanation_of_a_call_has_the_marks_of_a_report_on_every_amount() {
    let home = Home::new();
    home.write("log.jsonl", &lines(&[EXACT, GUESS, UNPRICED, PARTIAL]));
    for (name, sign, marks) in
        [("exact", "", [0, 0, 0]), ("guess", "~ ", [0, 0, 1]), ("msg_01MarksPartial", "≥ ", [0, 1, 0])]
    {
        let calls = json_of(&home, &["report", "call", "--json", "log.jsonl"]);
        let at = ["exact", "guess", "unpriced", "msg_01MarksPartial"].iter().position(|known| *known == name).unwrap();
        let key = calls["rows"][at]["key"].as_str().unwrap().to_owned();
        let text = out(&home, &["explain", &key, "log.jsonl"]);
        assert!(text.contains(&format!("\nCost    {sign}$0.")), "{name}: {text}");
        let amounts = text.lines().filter(|line| line.contains(" = ") || line.starts_with("Cost ")).collect::<Vec<_>>();
        assert!(amounts.len() > 1 && amounts.iter().all(|line| line.contains(&format!("{sign}$0."))), "{name}: {text}");
        assert_eq!(text.matches(['~', '≥']).count(), if sign.is_empty() { 0 } else { amounts.len() }, "{name}: {text}");
        let explained = json_of(&home, &["explain", "--json", &key, "log.jsonl"]);
        let names = ["unpriced_tokens", "lower_bound_calls", "guessed_calls"];
        assert_eq!(names.map(|name| explained[name].as_u64().unwrap()), marks, "{name}: {explained}");
    }
}

#[test]
fn the_estimates_of_aider_are_a_guess_and_no_lower_bound() {
    let home = Home::new();
    let sample = Path::new(env!("CARGO_MANIFEST_DIR")).join("samples/aider/analytics.jsonl");
    let total = json_of(&home, &["report", "total", "--json", sample.to_str().unwrap()])["total"].clone();
    assert_eq!(
        (&total["calls"], &total["guessed_calls"], &total["lower_bound_calls"]),
        (&json!(3), &json!(3), &json!(0))
    );
    assert!(out(&home, &["report", "total", "--by", "model", sample.to_str().unwrap()]).contains("~ $"));
}

#[test]
fn a_report_explains_the_mark_of_what_was_saved() {
    let home = Home::new();
    let said = |others: &[&str]| {
        home.write("log.jsonl", &lines(&[&[CACHED], others].concat()));
        out(&home, &["report", "total", "log.jsonl"])
    };
    assert!(said(&[UNPRICED]).contains("\n~ saved: "));
    // A guess has its own line, and without a mark there is nothing to explain.
    assert!(!said(&[GUESS]).contains("~ saved: ") && said(&[GUESS]).contains("\n~ 1 call with a guessed "));
    assert!(!said(&[]).contains('~'));
}

#[test]
fn a_part_without_calls_has_no_share_and_an_empty_ledger_no_selection() {
    let home = Home::new();
    home.write("log.jsonl", &lines(&[EXACT, UNPRICED]));
    assert!(out(&home, &["signals", "log.jsonl"]).contains("\nSub-agents: 0% of the cost\n"));
    assert_eq!(out(&home, &["signals"]), "No calls yet.\n");
    assert_eq!(out(&home, &["signals", "--user", "nobody"]), "No calls in this selection.\n");
    assert!(!out(&home, &["audit"]).contains("\n\n\n"));
}

#[test]
fn no_price_is_asked_for_where_a_log_names_no_model() {
    let home = Home::new();
    home.config("logs = [\"~/log.jsonl\"]\n");
    home.write("log.jsonl", &lines(&[r#"{"id":"n","at":"2026-11-20T10:00:00Z","input_tokens":5}"#, UNPRICED]));
    let doctor = home.tokmeter().arg("doctor").output().unwrap();
    let said = String::from_utf8(doctor.stdout).unwrap();
    let line_of =
        |name: &str| said.lines().find(|line| line.contains(name)).unwrap_or_else(|| panic!("{said}")).to_owned();
    assert!(
        line_of("(no model named): 5 tokens").ends_with("none can be given: their logs do not say which model it was")
    );
    assert!(line_of("of-the-house: 8 tokens").contains("give it one under [prices]"));
}
