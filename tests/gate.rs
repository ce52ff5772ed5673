//! The gate and related commands, as used by people, scripts and agents: through the program itself.

#![cfg(unix)]
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a panic fails the test; the program it runs has the system's clock"
)]

mod common;

#[path = "gate/agents.rs"]
mod agents;
#[path = "gate/names.rs"]
mod names;
#[path = "gate/record.rs"]
mod record;
#[path = "gate/setup.rs"]
mod setup;
#[path = "gate/statusline.rs"]
mod statusline;
#[path = "gate/worst.rs"]
mod worst;

use std::collections::BTreeMap;

use common::Home;
use common::pty::Pty;
use serde_json::Value;

/// Where the usage log is in a home.
const USAGE_LOG: &str = ".local/share/tokmeter/usage.jsonl";

/// Output and exit code of the program.
struct Run {
    code: i32,
    out: String,
    err: String,
}

fn run(home: &Home, words: &[&str], input: &str) -> Run {
    let output = home.tokmeter().args(words).write_stdin(input).output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    Run { code: output.status.code().unwrap(), out: text(output.stdout), err: text(output.stderr) }
}

fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text:?}"))
}

/// A call made now, with this many output tokens of a model that costs a dollar per million.
fn call(user: &str, model: &str, output: u64) -> String {
    let at = chrono::Utc::now().to_rfc3339();
    format!(
        "{{\"at\":\"{at}\",\"user\":\"{user}\",\"session\":\"s1\",\"model\":\"{model}\",\"input_tokens\":0,\"output_tokens\":{output}}}\n"
    )
}

const PRICE: &str = "[prices.dollar]\ninput = \"0\"\noutput = \"1\"\n";

#[test]
fn a_limit_that_is_near_says_when_it_is_full_as_the_status_line_does() {
    let home = Home::new();
    home.config(&format!("[limits]\ntotal = {{ usd = 10 }}\n{PRICE}"));
    home.write(USAGE_LOG, &call("alice", "dollar", 8_100_000));
    let hour = run(&home, &["statusline", "--format", "{forecast}"], "").out.trim().to_owned();
    let full = format!(", full at {hour}");
    let mut pty = Pty::start(&home, &["gate"], 200, 5);
    pty.wait("the forecast", |screen| screen.contains("81% of total limit used") && screen.contains(&full));
    assert_eq!(pty.ended(), 0);
    // A script waits for no forecast.
    let said = run(&home, &["gate"], "");
    assert!(
        said.code == 0 && said.err.contains("81% of total limit used") && !said.err.contains("full"),
        "{}",
        said.err
    );
    let json: Value = serde_json::from_str(&run(&home, &["gate", "--json"], "").out).unwrap();
    let limit = &json["limits"][0];
    assert!(limit["reached_at"].is_string() && limit["reached_between"][1].is_string(), "{limit}");
    assert!(json["reason"].as_str().unwrap().contains(&full), "{json}");
    // Far from the limit nothing is forecast, since that takes a look at hours of calls.
    home.config(&format!("[limits]\ntotal = {{ usd = 100 }}\n{PRICE}"));
    let json: Value = serde_json::from_str(&run(&home, &["gate", "--json"], "").out).unwrap();
    assert!(json["limits"][0]["reached_at"].is_null(), "{json}");
}

#[test]
fn b14_the_status_line_knows_no_share_of_a_limit_while_nothing_has_a_price() {
    let home = Home::new();
    home.config("[limits]\ntotal = { usd = 10 }\n");
    home.write(USAGE_LOG, &call("alice", "in-house", 8_100_000));
    let said = run(&home, &["statusline"], "");
    assert!(said.out.contains("total ?") && !said.out.contains('%'), "{}", said.out);
}

#[test]
fn the_forecast_of_a_run_is_that_of_its_own_session() {
    let home = Home::new();
    home.config("[limits]\nrun = { tokens = 1000 }\n");
    let line = |session: &str, minutes: i64, output: u64| {
        let at = (chrono::Utc::now() - chrono::Duration::minutes(minutes)).to_rfc3339();
        format!(
            "{{\"at\":\"{at}\",\"session\":\"{session}\",\"agent\":\"explore\",\"model\":\"m\",\"input_tokens\":0,\"output_tokens\":{output}}}\n"
        )
    };
    let busy: String = (0..9).map(|minutes| line("busy", minutes, 100)).collect();
    home.write(USAGE_LOG, &(line("quiet", 60, 850) + &busy));
    for (session, percent, is_forecast) in [("busy", 90, true), ("quiet", 85, false)] {
        let said = run(&home, &["gate", "--session", session, "--agent", "explore", "--json"], "").out;
        let limit = &json(&said)["limits"][0];
        assert_eq!(
            (limit["percent"].as_u64(), limit["reached_at"].is_string()),
            (Some(percent), is_forecast),
            "{said}"
        );
    }
}

#[test]
fn a_limit_is_near_from_its_warning_on_and_over_at_its_amount() {
    // In dollars of a known price: 7.999 million tokens are $7.999 of $10.
    let cases = [(7_999_000, 0, "under"), (8_000_000, 0, "near"), (9_999_999, 0, "near"), (10_000_000, 2, "over")];
    for (output, code, verdict) in cases {
        let home = Home::new();
        home.config(&format!("[limits]\ntotal = \"10usd\"\n{PRICE}"));
        home.write(USAGE_LOG, &call("alice", "dollar", output));
        let plain = run(&home, &["gate"], "");
        assert_eq!((plain.code, plain.out.as_str()), (code, ""), "{verdict}: {}", plain.err);
        assert_eq!(plain.err.is_empty(), verdict == "under", "{}", plain.err);
        let told = run(&home, &["gate", "--json"], "");
        let answer = json(&told.out);
        assert_eq!(told.code, code);
        assert_eq!((&answer["ok"], &answer["allowed"]), (&true.into(), &(code == 0).into()));
        assert_eq!((&answer["verdict"], &answer["limits"][0]["limit"]), (&verdict.into(), &"total".into()));
    }
    let home = Home::new();
    home.config(&format!("[limits]\nmonth = \"10usd\"\n{PRICE}"));
    home.write(USAGE_LOG, &call("alice", "dollar", 12_500_000));
    let err = run(&home, &["gate"], "").err;
    assert!(err.starts_with("Monthly limit reached: $12.50 of $10.00 used, resets "), "{err}");
}

#[test]
fn a_limit_concerns_those_it_is_about() {
    let home = Home::new();
    home.config(&format!("[limits.users.bob]\ntotal = \"1usd\"\n[limits.models.dollar]\ntotal = \"1usd\"\n[limits.org]\ntotal = \"3usd\"\n{PRICE}"));
    home.write(USAGE_LOG, &call("bob", "dollar", 1_000_000));
    let code = |words: &[&str]| run(&home, words, "").code;
    assert_eq!(code(&["gate"]), 0, "alice, with a model that is not known yet");
    assert_eq!(code(&["gate", "--user", "bob"]), 2);
    assert_eq!(code(&["gate", "--model", "dollar"]), 2);
    assert_eq!(code(&["gate", "--model", "other", "--user", "carol"]), 0);
    home.append(USAGE_LOG);
    std::io::Write::write_all(&mut home.append(USAGE_LOG), call("dora", "dollar", 2_000_000).as_bytes()).unwrap();
    assert_eq!(code(&["gate"]), 2, "the organisation's limit is everybody's");
}

#[test]
fn limits_of_what_is_not_named_are_said_to_be_unchecked() {
    let home = Home::new();
    home.config(&format!(
        "[limits]\ntotal = \"10usd\"\nsession = \"1usd\"\n[limits.models.dollar]\nday = \"1usd\"\n[limits.users.bob.models.dollar]\nday = \"1usd\"\n{PRICE}"
    ));
    home.write(USAGE_LOG, &call("alice", "dollar", 2_000_000));
    let said = run(&home, &["gate"], "");
    let expected = "tokmeter: limits not checked: session, model:dollar:day (give --session, --model)\n";
    assert_eq!((said.code, said.err.as_str()), (0, expected));
    let said = run(&home, &["gate", "--json"], "");
    assert_eq!(said.err, "");
    assert_eq!(json(&said.out)["not_checked"], serde_json::json!(["session", "model:dollar:day"]));
    // The hook speaks its own protocol.
    assert_eq!(run(&home, &["gate", "--hook", "claude"], "{\"hook_event_name\":\"PreToolUse\"}").err, "");
    let said = run(&home, &["gate", "--session", "s1", "--json"], "");
    assert_eq!((said.code, &json(&said.out)["not_checked"]), (2, &serde_json::json!(["model:dollar:day"])));
    assert_eq!(
        json(&run(&home, &["gate", "--session", "s1", "--model", "dollar", "--json"], "").out)["not_checked"],
        Value::Null
    );
}

#[test]
fn the_names_that_the_screens_show_close_the_gate_too() {
    let home = Home::new();
    let at = chrono::Utc::now().to_rfc3339();
    let session = "3f2a91c0-1111-4222-8333-444455556666";
    home.write(
        USAGE_LOG,
        &format!("{{\"at\":\"{at}\",\"session\":\"{session}\",\"project\":\"/home/kim/web-shop\",\"model\":\"claude-opus-5\",\"input_tokens\":0,\"output_tokens\":2000}}\n"),
    );
    for (limit, option, name) in [
        ("[limits]\nsession = \"1k tokens\"\n", "--session", "3f2a91c0"),
        ("[limits.projects.\"/home/kim/web-shop\"]\nday = \"1k tokens\"\n", "--project", "web-shop"),
        ("[limits.models.claude-opus-5]\nday = \"1k tokens\"\n", "--model", "opus-5"),
    ] {
        home.config(limit);
        let said = run(&home, &["gate", option, name], "");
        assert_eq!(said.code, 2, "{option} {name}: {}", said.err);
        // A name that no call has opens nothing and closes nothing, but is said.
        let said = run(&home, &["gate", option, "zzz"], "");
        assert_eq!(said.code, 0, "{option}: {}", said.err);
        assert!(said.err.contains("'zzz'"), "{option}: {}", said.err);
        let said = run(&home, &["gate", option, "zzz", "--json"], "");
        assert!(said.err.is_empty() && json(&said.out)["notes"][0].as_str().unwrap().contains("'zzz'"), "{}", said.out);
    }
    // Before the first call nothing is known, and nothing is said.
    let home = Home::new();
    home.config("[limits]\nsession = \"1k tokens\"\n");
    let said = run(&home, &["gate", "--session", "zzz", "--model", "opus-5", "--project", "web-shop"], "");
    assert_eq!((said.code, said.err.as_str()), (0, ""));
}

#[test]
fn a_beginning_that_several_sessions_have_names_none_and_the_answer_says_what_is_not_checked() {
    let home = Home::new();
    home.config("[limits]\nsession = \"1k tokens\"\n");
    let used = |session: &str| call("alice", "dollar", 2_000).replace("\"s1\"", &format!("\"{session}\""));
    let [one, other] = ["3f2a91c0-1111-4222-8333-444455556666", "3f2a91c0-1111-4222-8333-777788889999"];
    home.write(USAGE_LOG, &(used(one) + &used(other)));
    let said = run(&home, &["gate", "--session", "3f2a91c0"], "");
    assert_eq!(
        (said.code, said.err.as_str()),
        (
            0,
            "tokmeter: 2 sessions match '3f2a91c0'; give more of the name\n\
             tokmeter: limits not checked: session (give --session)\n"
        )
    );
    assert_eq!(run(&home, &["gate", "--session", one], "").code, 2);
}

#[test]
fn a_new_session_is_not_charged_with_what_a_session_of_a_longer_name_used() {
    let home = Home::new();
    home.config("[limits]\nsession = \"1k tokens\"\n");
    let used = |session: &str| call("alice", "dollar", 2_000).replace("\"s1\"", &format!("\"{session}\""));
    let uuid = "3f2a91c0-1111-4222-8333-444455556666";
    home.write(USAGE_LOG, &["run-10", "nightly-10", "nightly-11", "web-shop-tests", uuid].map(used).concat());
    for new in ["run-1", "nightly-1", "web-sho", "3f2a91c", "3f2a91c0-1111-4222-8333-444455556667"] {
        let said = run(&home, &["gate", "--session", new], "");
        let note = format!("tokmeter: no call has session '{new}'; `tokmeter report session` lists those with calls\n");
        assert_eq!((said.code, said.err), (0, note), "{new}");
    }
    for known in ["run-10", "web-shop", uuid, "3f2a91c0", "3f2a91c0-11", "latest"] {
        assert_eq!(run(&home, &["gate", "--session", known], "").code, 2, "{known}");
    }
}

#[test]
fn a_running_meter_counts_what_comes_under_a_name_that_ends_with_the_given_one() {
    let home = Home::new();
    let line = |project: &str, output: u64| {
        let line = call("alice", "claude-opus-5-5", output);
        line.replacen('{', &format!("{{\"project\":\"{project}\","), 1)
    };
    let input = [line("/home/kim/web-shop", 1_234), line("/home/kim/api", 50_000)].concat();
    // Nothing is known of any project when it starts.
    for (option, name) in [("--project", "web-shop"), ("--project", "/home/kim/web-shop")] {
        let said = run(&home, &["--plain", option, name, "-"], &input);
        assert!(said.out.contains("Tokens: 1,234\n"), "{name}: {} {}", said.out, said.err);
    }
    let said = run(&home, &["--plain", "--model", "opus-5-5", "-"], &input);
    assert!(said.out.contains("Tokens: 51,234\n"), "{} {}", said.out, said.err);
}

#[test]
fn a_closing_summary_says_what_it_is_about_and_names_no_limit_of_an_idle_session() {
    let home = Home::new();
    home.config(&format!("[limits]\ntotal = \"1000usd\"\nsession = \"100usd\"\n{PRICE}"));
    let old = |session: &str| {
        let at = (chrono::Utc::now() - chrono::Duration::hours(3)).to_rfc3339();
        format!(
            "{{\"at\":\"{at}\",\"session\":\"{session}\",\"project\":\"/w/api\",\"model\":\"dollar\",\"output_tokens\":1000000}}\n"
        )
    };
    for (input, about) in [(old("one"), "Session: api one"), (old("one") + &old("two"), "Everything: 2 sessions")] {
        let said = run(&home, &["--plain", "-"], &input).out;
        let closing = said.split_once("Session Complete\n─────────────────\n").unwrap().1;
        assert_eq!(closing.lines().next(), Some(about), "{said}");
        assert!(closing.contains("Limit: 0% of total limit used") && !closing.contains("Limit: session"), "{said}");
    }
    home.write(USAGE_LOG, &call("alice", "dollar", 4_000_000));
    let said = run(&home, &["summary"], "").out;
    assert!(
        said.contains("\nSession: s1\n") && said.contains("\nLimit: session s1: 4% used, Cost: $4.00 / $100.00\n"),
        "{said}"
    );
    let table = run(&home, &["limits"], "").out;
    assert!(!table.contains("resets resets") && !table.contains("  resets 0"), "{table}");
}

#[test]
fn a_limit_for_a_name_that_no_call_has_is_set_and_the_name_is_said() {
    let home = Home::new();
    home.write(USAGE_LOG, &call("alice", "claude-opus-5-5", 10));
    // To set a limit reads no log: without a ledger nothing is known of any name.
    let said = run(&home, &["limits", "set", "model:opus-5-5:day", "30usd"], "");
    assert_eq!((said.code, said.err.as_str()), (0, ""));
    assert!(!home.path().join(".local/share/tokmeter/ledger.db").exists());
    assert_eq!(run(&home, &["report"], "").code, 0);
    let said = run(&home, &["limits", "set", "model:opus-5-5:day", "20usd"], "");
    assert_eq!((said.code, said.out.as_str()), (0, "model:opus-5-5:day: 20usd (was 30usd)\n"));
    assert_eq!(
        said.err,
        "tokmeter: the limit is set, but no call has model 'opus-5-5' yet; did you mean 'claude-opus-5-5'?\n"
    );
    assert_eq!(run(&home, &["limits", "unset", "model:opus-5-5:day"], "").out, "model:opus-5-5:day: removed\n");
    // A new limit takes the name that the screens show, as the gate does.
    let said = run(&home, &["limits", "set", "model:opus-5-5:day", "20usd"], "");
    assert_eq!((said.out.as_str(), said.err.as_str()), ("model:claude-opus-5-5:day: 20usd\n", ""));
    let said = run(&home, &["limits", "unset", "model:opus-5-5:day"], "");
    assert_eq!((said.code, said.out.as_str()), (0, "model:claude-opus-5-5:day: removed\n"));
    let said = run(&home, &["limits", "set", "model:opus-5-6:day", "20usd"], "");
    assert!(said.err.contains("no call has model 'opus-5-6'"), "{}", said.err);
    let said = run(&home, &["limits", "set", "model:opus-*:day", "20usd"], "");
    assert_eq!((said.code, said.out.as_str(), said.err.as_str()), (0, "model:claude-opus-*:day: 20usd\n", ""));
    let said = run(&home, &["limits", "set", "model:gpt-*:day", "20usd"], "");
    assert_eq!((said.code, said.out.as_str()), (0, "model:gpt-*:day: 20usd\n"));
    assert!(said.err.contains("the limit is set, but no call has model 'gpt-*' yet"), "{}", said.err);
    for scope in ["model:claude-opus-5-5:day", "model:claude-*:day", "user:*:model:claude-*:day", "team:*:day", "day"] {
        assert_eq!(run(&home, &["limits", "set", scope, "20usd"], "").err, "", "{scope}");
    }
}

#[test]
fn tokens_without_a_price_are_judged_with_the_fallback_rate_and_never_as_nothing() {
    let home = Home::new();
    let limits = "[limits]\ntotal = \"10usd\"\n";
    home.config(limits);
    home.write(USAGE_LOG, &call("alice", "a-model-nobody-knows", 200_000));
    let answer = json(&run(&home, &["gate", "--json"], "").out);
    assert_eq!((&answer["allowed"], &answer["limits"][0]["lower_bound"]), (&true.into(), &true.into()));
    home.config(&format!("{limits}[gate]\nunpriced = {{ input = 15.0, output = 75.0 }}\n"));
    let told = run(&home, &["gate", "--json"], "");
    assert_eq!((told.code, &json(&told.out)["limits"][0]["used"]["usd"]), (2, &15.into()));
}

#[test]
fn a_rolling_window_has_no_time_at_which_it_resets() {
    let home = Home::new();
    home.config("[limits]\n5h = \"10 tokens\"\nday = \"10 tokens\"\n");
    home.write(USAGE_LOG, &call("alice", "dollar", 10));
    let limits = json(&run(&home, &["limits", "show", "--json"], "").out)["limits"].clone();
    // The first one blocks for longer, which depends on the time of day.
    let reset = |limit: &Value| (limit["limit"].as_str().unwrap().to_owned(), limit["resets_at"].is_string());
    let resets: BTreeMap<String, bool> = limits.as_array().unwrap().iter().map(reset).collect();
    assert_eq!(resets, BTreeMap::from([("5h".to_owned(), false), ("day".to_owned(), true)]));
}

#[test]
fn an_override_lifts_limits_for_one_session_and_is_remembered() {
    let home = Home::new();
    home.config("[limits]\ntotal = \"10 tokens\"\n");
    home.write(USAGE_LOG, &call("alice", "dollar", 10));
    let gate = |session: &str| run(&home, &["gate", "--session", session, "--json"], "");
    assert_eq!((gate("s1").code, gate("s2").code), (2, 2));
    assert_eq!(run(&home, &["limits", "override", "s1"], "").code, 64, "without a reason");
    let lifted = run(&home, &["limits", "override", "s1", "--reason", "release tonight"], "");
    assert_eq!(lifted.code, 0, "{}", lifted.err);
    assert_eq!((gate("s1").code, gate("s2").code), (0, 2));
    let answer = json(&gate("s1").out);
    assert_eq!(answer["override"]["reason"], "release tonight");
    assert!(run(&home, &["limits"], "").out.contains("Lifted for session s1 since "));
    assert_eq!(json(&run(&home, &["limits", "show", "--json"], "").out)["overrides"][0]["session"], "s1");
    assert_eq!(run(&home, &["limits", "override", "s1", "--revoke"], "").out, "Limits stop session s1 again\n");
    assert_eq!((gate("s1").code, json(&gate("s1").out)["override"].is_null()), (2, true));
    assert_eq!(run(&home, &["limits", "override", "s1", "--revoke"], "").code, 64, "it is not lifted");
    assert!(!run(&home, &["limits"], "").out.contains("Lifted"));
    assert!(run(&home, &["audit"], "").out.contains(": release tonight"));
    // A session that was blocked before its first call is not in the ledger yet.
    let fresh = "3f2a91c0-1111-4222-8333-444455556666";
    let said = run(&home, &["limits", "override", fresh, "--reason", "why not"], "");
    assert!(said.code == 0 && said.err.contains("no call has session '3f2a91c0-"), "{}", said.err);
    assert_eq!(gate(fresh).code, 0);
    let said = run(&home, &["limits", "override", "3f2a91c0", "--revoke"], "");
    assert_eq!((said.code, gate(fresh).code), (0, 2), "{}", said.err);
}

#[test]
fn g11_a_wrong_word_a_wrong_config_and_a_broken_ledger_never_end_with_2() {
    let home = Home::new();
    home.config("[limits]\ntotal = \"10 tokens\"\n");
    for words in [&["gate", "--typo"][..], &["gate", "--hook"], &["gate", "--hook", "codex"], &["gate", "extra"]] {
        let told = run(&home, words, "{}");
        assert_eq!((told.code, told.out.as_str()), (64, ""), "{words:?}");
    }
    // A file where the data folder should be stops root as well.
    home.write("blocked", "");
    let blocked = run(&home, &["gate", "--data-dir", "blocked"], "");
    assert_eq!(blocked.code, 0, "{}", blocked.err);
    assert!(blocked.err.contains("allowed anyway"), "{}", blocked.err);
    let hook =
        run(&home, &["gate", "--hook", "claude", "--data-dir", "blocked"], "{\"hook_event_name\":\"PreToolUse\"}");
    assert_eq!((hook.code, hook.out.as_str()), (0, ""));
    for garbage in ["", "null", "{", "\u{0}\u{1}", "{\"hook_event_name\":[]}"] {
        let told = run(&home, &["gate", "--hook", "claude"], garbage);
        assert_eq!((told.code, told.out.as_str()), (0, ""), "{garbage:?}");
    }
    home.config("[limits]\ntotal = \"10 tokens\"\n[gate]\non_error = \"deny\"\n");
    let denied = run(&home, &["gate", "--data-dir", "blocked", "--json"], "");
    assert_eq!((denied.code, &json(&denied.out)["allowed"]), (2, &false.into()), "asked for in the config");
    home.config("[limits]\ntotal = nothing\n");
    let wrong = run(&home, &["gate"], "");
    assert_eq!(wrong.code, 78);
    assert!(wrong.err.contains("config.toml:2:"), "{}", wrong.err);
    assert_eq!(run(&home, &["gate", "--hook", "claude"], "{\"hook_event_name\":\"PreToolUse\"}").code, 0);
}

#[test]
fn a_no_stays_a_no_when_nobody_reads_it() {
    let home = Home::new();
    home.config("[limits]\ntotal = \"0 tokens\"\n");
    for words in [&["gate"][..], &["gate", "--json"]] {
        let mut command = std::process::Command::new(assert_cmd::cargo::cargo_bin!("tokmeter"));
        let (out, err) = (std::io::pipe().unwrap().1, std::io::pipe().unwrap().1);
        let status = command.env_clear().envs(home.vars()).args(words).stdout(out).stderr(err).status().unwrap();
        assert_eq!(status.code(), Some(2), "{words:?}");
    }
}

#[test]
fn d2_a_ledger_that_another_process_holds_delays_a_gate_briefly_and_it_judges_all_that_was_read() {
    let home = Home::new();
    home.config("[limits]\ntotal = \"10 tokens\"\n");
    home.write(USAGE_LOG, &call("alice", "dollar", 1));
    assert_eq!(run(&home, &["gate"], "").code, 0);
    let other = rusqlite::Connection::open(home.path().join(".local/share/tokmeter/ledger.db")).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    std::io::Write::write_all(&mut home.append(USAGE_LOG), call("alice", "dollar", 20).as_bytes()).unwrap();
    let began = std::time::Instant::now();
    let held = run(&home, &["gate"], "");
    assert_eq!(held.code, 2, "what cannot be booked counts too: {}", held.err);
    assert!(held.err.contains("busy"), "{}", held.err);
    assert!(began.elapsed() < std::time::Duration::from_secs(20));
    other.execute_batch("ROLLBACK").unwrap();
    assert_eq!(run(&home, &["gate"], "").code, 2, "what could not be booked is read again");
}
