//! The status line: for an agent, for tmux, at small widths, and without data.

use super::{Home, USAGE_LOG, call, run};

/// Input from the agent, about a session with one call of two million tokens at a dollar per million.
fn agent(home: &Home) -> String {
    let at = chrono::Utc::now().to_rfc3339();
    let log = home.write(
        ".claude/projects/-w/c1.jsonl",
        &format!(
            "{{\"type\":\"assistant\",\"timestamp\":\"{at}\",\"sessionId\":\"c1\",\"uuid\":\"u\",\"cwd\":\"/w\",\"requestId\":\"req_1\",\
             \"message\":{{\"id\":\"msg_1\",\"model\":\"dollar\",\"type\":\"message\",\"role\":\"assistant\",\
             \"usage\":{{\"input_tokens\":0,\"output_tokens\":2000000}}}}}}\n"
        ),
    );
    serde_json::json!({
        "session_id": "c1", "transcript_path": log, "cwd": "/w", "model": { "id": "dollar", "display_name": "Opus" },
        "context_window": { "used_percentage": 8 }, "rate_limits": { "five_hour": { "used_percentage": 23.5 } },
    })
    .to_string()
}

/// A home whose limit of all time is at 80 per cent with that call and another.
fn home() -> Home {
    let home = Home::new();
    home.config(&format!("[limits]\ntotal = {{ tokens = 10_000_000 }}\n{}", super::PRICE));
    home.write(USAGE_LOG, &call("alice", "dollar", 6_000_000));
    assert_eq!(run(&home, &["report"], "").code, 0);
    home
}

fn line(home: &Home, columns: Option<&str>, words: &[&str], input: &str) -> String {
    let mut command = home.tokmeter();
    command.env_remove("COLUMNS").envs(columns.map(|columns| ("COLUMNS", columns)));
    let output = command.arg("statusline").args(words).write_stdin(input).output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let text = String::from_utf8(output.stdout).unwrap();
    assert_eq!(text.lines().count(), 1, "{text:?}");
    assert!(!text.trim().is_empty() && !text.contains('\u{1b}'), "{text:?}");
    text.trim_end().to_owned()
}

#[test]
fn an_agent_is_told_the_session_the_day_the_limit_the_context_and_its_quota() {
    let home = home();
    let said = agent(&home);
    let whole = "Opus · $2.00 session · $8.00 today · total 80% ⚠ · ctx 8% · 5h 23%";
    // The forecast comes last, since it depends on the time.
    for columns in [None, Some("200")] {
        let said = line(&home, columns, &[], &said);
        let (facts, forecast) = said.split_once(" · by ").expect("a limit that is near is forecast");
        assert_eq!((facts, forecast.len() >= 5), (whole, true), "{said}");
    }
    assert_eq!(line(&home, Some("45"), &[], &said), "$2.00 session · $8.00 today · total 80% ⚠");
    assert_eq!(line(&home, Some("12"), &[], &said), "total 80% ⚠");
    for columns in 1..70_usize {
        let fitted = line(&home, Some(&columns.to_string()), &[], &said);
        assert!(unicode_width::UnicodeWidthStr::width(fitted.as_str()) <= columns, "{columns}: {fitted}");
        if columns % 10 == 0 && columns > 40 {
            assert!(fitted.contains("80% ⚠"), "{columns}: {fitted}");
        }
    }
}

#[test]
fn without_an_agent_it_says_the_day_and_the_worst_limit() {
    let home = home();
    assert_eq!(line(&home, None, &[], ""), "$6.00 today · 6M tokens · total 60%");
    assert_eq!(line(&home, None, &["--format", "{user}: {today_cost} · {model}"], ""), "alice: $6.00");
    assert_eq!(line(&home, None, &["--format", "{model} | {today_cost}"], ""), "– | $6.00");
    assert_eq!(line(&home, None, &["--format", "{session_cost}"], ""), "–");
    let mut ascii = home.tokmeter();
    let output = ascii.env("LC_ALL", "C").arg("statusline").output().unwrap();
    assert!(output.stdout.is_ascii());
}

#[test]
fn a_form_of_ones_own_drops_what_is_not_known_and_tells_a_word_that_is_not_one() {
    let home = home();
    home.config("statusline = \"{project} · {quota} · {session_tokens} tok · {month_cost}\"\n");
    let said = agent(&home).replace("\"rate_limits\"", "\"other\"");
    assert_eq!(line(&home, None, &[], &said), "w · 2M tok · ≥ $6.00");
    let wrong = line(&home, None, &["--format", "{modl}"], &said);
    assert!(wrong.starts_with("tokmeter: {modl} is not known; there are: {model}"), "{wrong}");
    home.config("statusline = \"{modl}\"\n");
    let checked = run(&home, &["config", "check"], "");
    assert_eq!(checked.code, 78);
    assert!(checked.err.contains("config.toml:1:") && checked.err.contains("{modl} is not known"), "{}", checked.err);
}

#[test]
fn it_says_something_and_ends_well_when_nothing_is_known() {
    let home = Home::new();
    for nonsense in ["", "null", "{", "[]", "{}", "{\"session_id\":7,\"model\":null,\"rate_limits\":[]}"] {
        line(&home, Some("80"), &[], nonsense);
    }
    home.write("blocked", "");
    let said =
        "{\"session_id\":\"c1\",\"model\":{\"display_name\":\"Opus\"},\"context_window\":{\"used_percentage\":8}}";
    let told = line(&home, None, &["--data-dir", "blocked"], said);
    assert!(told.starts_with("Opus") && told.contains("ctx 8%") && !told.contains("today"), "{told}");
    home.config("[limits]\ntotal = nonsense\n");
    assert!(line(&home, None, &[], said).contains("Opus"));
}

#[test]
fn it_does_not_wait_for_an_agent_that_says_nothing() {
    let home = Home::new();
    let mut command = std::process::Command::new(assert_cmd::cargo::cargo_bin!("tokmeter"));
    command.env_clear().envs(home.vars()).arg("statusline");
    command.stdin(std::process::Stdio::piped()).stdout(std::process::Stdio::piped());
    let mut child = command.spawn().unwrap();
    let silent = child.stdin.take();
    let mut text = String::new();
    std::io::Read::read_to_string(&mut child.stdout.take().unwrap(), &mut text).unwrap();
    assert!(child.wait().unwrap().success() && text.contains("today"), "{text}");
    drop(silent);
}

#[test]
fn a_config_with_an_error_is_said_because_limits_may_be_missing() {
    let home = home();
    for wrong in ["users.kim.day = \"5\"", "users.kim.day = "] {
        home.config(&format!("[limits]\ntotal = {{ tokens = 10_000_000 }}\n{wrong}\n{}", super::PRICE));
        let said = line(&home, None, &[], "");
        assert!(said.contains("$6.00 today") && said.ends_with(" · ▲ config error"), "{said}");
    }
}

#[test]
fn what_the_agent_says_a_session_cost_stands_in_until_the_books_know_a_call_of_it() {
    let home = home();
    let unknown = r#"{"session_id":"new","model":{"display_name":"Opus"},"cost":{"total_cost_usd":0.1234}}"#;
    assert!(
        line(&home, None, &[], unknown).starts_with("Opus · ~ $0.12 session"),
        "{}",
        line(&home, None, &[], unknown)
    );
    let known = agent(&home).replace("\"session_id\"", "\"cost\":{\"total_cost_usd\":9.99},\"session_id\"");
    assert!(line(&home, None, &[], &known).starts_with("Opus · $2.00 session"));
}

#[test]
fn what_the_agent_states_of_its_windows_is_kept_with_its_age_and_said_elsewhere() {
    let home = home();
    let now = chrono::Utc::now();
    let state = |percent: f64, hours: i64| {
        let resets_at = (now + chrono::Duration::hours(hours)).timestamp();
        serde_json::json!({
            "session_id": "c9", "model": { "display_name": "Opus" }, "cost": { "total_cost_usd": 0.5 },
            "context_window": { "used_percentage": 8, "context_window_size": 1_000_000 },
            "rate_limits": { "five_hour": { "used_percentage": percent, "resets_at": resets_at },
                             "seven_day": { "used_percentage": 85.25, "resets_at": resets_at + 86_400 } },
        })
        .to_string()
    };
    assert!(line(&home, None, &[], &state(31.5, 2)).contains("5h 31% 7d 85%"));
    let gate =
        |home: &Home| serde_json::from_str::<serde_json::Value>(&run(home, &["gate", "--json"], "").out).unwrap();
    let windows = |home: &Home| gate(home)["provider_windows"].clone();
    let found = windows(&home);
    assert_eq!(
        (&found[0]["source"], &found[0]["window_minutes"], &found[0]["used_percent"], &found[0]["stale"]),
        (&"claude-code".into(), &300.into(), &serde_json::json!(31.5), &false.into()),
        "{found}"
    );
    assert_eq!((&found[1]["window_minutes"], &found[1]["used_percent"]), (&10_080.into(), &serde_json::json!(85.25)));
    let listed = run(&home, &["limits"], "").out;
    assert!(listed.contains("claude 5 h") && listed.contains("31%") && listed.contains("just now"), "{listed}");
    // A line for another session, which reports nothing, shows the known windows; so does tmux.
    let other = r#"{"session_id":"c8","model":{"display_name":"Opus"}}"#;
    assert!(line(&home, None, &[], other).contains("5h 31% 7d 85%"));
    assert_eq!(line(&home, None, &["--format", "{quota}"], ""), "5h 31% 7d 85%");
    // The newest counts; once the window has started over, its use is not known.
    line(&home, None, &[], &state(40.0, -1));
    let found = windows(&home);
    assert_eq!((&found[0]["used_percent"], &found[0]["stale"]), (&serde_json::json!(40), &true.into()), "{found}");
    let listed = run(&home, &["limits"], "").out;
    assert!(listed.contains("use since then unknown"), "{listed}");
    assert_eq!(line(&home, None, &["--format", "{quota}"], ""), "7d 85%");
    // They refuse nothing.
    line(&home, None, &[], &state(100.0, 2));
    assert_eq!(gate(&home)["allowed"], true);
}

#[test]
fn a_lifted_limit_is_shown_as_lifted() {
    let home = home();
    home.config(&format!("[limits]\nsession = {{ tokens = 1_000_000 }}\n{}", super::PRICE));
    let said = agent(&home);
    assert!(line(&home, None, &["--format", "{limit}"], &said).contains("200% ■"));
    assert_eq!(run(&home, &["limits", "override", "c1", "--reason", "a release"], "").code, 0);
    let lifted = line(&home, None, &["--format", "{limit}"], &said);
    assert!(lifted.starts_with("session") && lifted.ends_with("200% lifted"), "{lifted}");
    assert!(run(&home, &["limits"], "").out.contains("lifted"));
    let listed: serde_json::Value = serde_json::from_str(&run(&home, &["limits", "show", "--json"], "").out).unwrap();
    assert!(listed["limits"].as_array().unwrap().iter().any(|limit| limit["lifted"] == true), "{listed}");
    assert!(run(&home, &["summary", "c1"], "").out.contains("is lifted, Tokens: 2,000,000 / 1,000,000"));
    assert_eq!(run(&home, &["limits", "override", "c1", "--revoke"], "").code, 0);
    assert!(line(&home, None, &["--format", "{limit}"], &said).contains("200% ■"));
}
