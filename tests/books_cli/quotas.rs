//! Windows as Codex states them, in the ledger and in memory.

use super::home::Home;

/// A rollout with one call for each statement: when, and its rate limits.
fn rollout(id: &str, statements: &[(&str, &str)]) -> String {
    let mut lines = vec![format!(
        r#"{{"timestamp":"2026-11-20T09:00:00.000Z","type":"session_meta","payload":{{"id":"{id}","cwd":"/w"}}}}"#
    )];
    for (number, (at, limits)) in (1..).zip(statements) {
        let tokens = number * 1_000;
        lines.push(format!(
            r#"{{"timestamp":"{at}","type":"event_msg","payload":{{"type":"token_count","info":{{"total_token_usage":{{"input_tokens":{tokens},"output_tokens":10}},"model_context_window":258400}},"rate_limits":{limits}}}}}"#
        ));
    }
    lines.join("\n") + "\n"
}

/// The clock of a home.
fn now() -> chrono::DateTime<chrono::Utc> {
    "2026-11-22T12:00:00Z".parse().unwrap()
}

fn at(minutes_ago: i64) -> String {
    (now() - chrono::Duration::minutes(minutes_ago)).format("%Y-%m-%dT%H:%M:%S.000Z").to_string()
}

fn windows(home: &Home) -> Vec<(String, u64, String, bool)> {
    let said = home.fine(&["limits", "show", "--json"]).json();
    let window = |of: &serde_json::Value| {
        (
            of["name"].as_str().unwrap().to_owned(),
            of["window_minutes"].as_u64().unwrap(),
            of["used_percent"].to_string(),
            of["stale"].as_bool().unwrap(),
        )
    };
    said["provider_windows"].as_array().map(|all| all.iter().map(window).collect()).unwrap_or_default()
}

/// A call with a prompt of 170,000 tokens of the 200,000 that fit, some of them from the cache.
fn home_line() -> String {
    let at = at(2);
    serde_json::json!({
        "at": at, "session": "s", "model": "claude-haiku-4-5", "input_tokens": 20_000, "cache_read_tokens": 150_000,
        "output_tokens": 10,
    })
    .to_string()
        + "\n"
}

#[test]
fn the_newest_statement_counts_whatever_file_is_read_first_and_after_a_restart() {
    let resets = now().timestamp() + 3_600;
    let limits = |used: &str| {
        format!(
            r#"{{"limit_id":"codex","primary":{{"used_percent":{used},"window_minutes":300,"resets_at":{resets}}},"secondary":{{"used_percent":12.0,"window_minutes":10080,"resets_at":{}}}}}"#,
            resets + 86_400
        )
    };
    let (early, late, last) = (at(30), at(5), at(1));
    let older = rollout("0195c0de-0000-7000-8000-0000000000a1", &[(&early, &limits("3.0"))]);
    let newer = rollout("0195c0de-0000-7000-8000-0000000000a2", &[(&early, &limits("9.0")), (&late, &limits("31.5"))]);
    let expected =
        [("codex".to_owned(), 300, "31.5".to_owned(), false), ("codex".to_owned(), 10_080, "12".to_owned(), false)];
    for order in [[&older, &newer], [&newer, &older]] {
        let home = Home::new();
        for (number, text) in order.into_iter().enumerate() {
            home.write(&format!(".codex/sessions/2026/11/20/rollout-{number}.jsonl"), text);
            home.fine(&["report", "total"]);
        }
        assert_eq!(windows(&home), expected);
        assert_eq!(windows(&home), expected, "nothing new was read");
        let text = home.fine(&["limits"]).out;
        assert!(text.contains("codex 5 h") && text.contains("31%") && text.contains("5 min ago"), "{text}");
        assert!(home.fine(&["ledger", "verify"]).out.contains("The ledger is whole"));
        let more = rollout("0195c0de-0000-7000-8000-0000000000a3", &[(&last, &limits("80"))]);
        home.write(".codex/sessions/2026/11/20/rollout-9.jsonl", &more);
        assert_eq!(windows(&home)[0].2, "80");
    }
    // In memory, and on the screen.
    let home = Home::new();
    home.write(".codex/sessions/2026/11/20/rollout-1.jsonl", &newer);
    let screen = home.fine(&["--once", "--no-ledger", "--size", "120x36"]).out;
    assert!(screen.contains("codex 5 h") && screen.contains("31%") && screen.contains("resets "), "{screen}");
    // 1,000 of the 258,400 tokens of its context, as the rollout states; of the largest prompt of a listed model.
    assert!(screen.contains("1k 0%"), "{screen}");
    home.log(&home_line());
    let screen = home.fine(&["--once", "--no-ledger", "--size", "120x36"]).out;
    assert!(screen.contains("170k 85%"), "{screen}");
}

#[test]
fn statements_of_old_versions_are_read_and_nonsense_is_not() {
    let home = Home::new();
    let old = r#"{"primary":{"used_percent":50.0,"window_minutes":299,"resets_in_seconds":7200},"secondary":null}"#;
    home.write(".codex/sessions/rollout-1.jsonl", &rollout("0195c0de-0000-7000-8000-0000000000b1", &[(&at(3), old)]));
    assert_eq!(windows(&home), [("codex".to_owned(), 300, "50".to_owned(), false)]);
    for nonsense in [
        r#"{"primary":{"used_percent":-1,"window_minutes":300},"secondary":{"used_percent":"x","window_minutes":300}}"#,
        r#"{"primary":{"used_percent":5},"secondary":{"window_minutes":300}}"#,
        r#"{"primary":{"used_percent":5,"window_minutes":1e300},"secondary":[]}"#,
        r#""none""#,
    ] {
        let home = Home::new();
        home.write(
            ".codex/sessions/rollout-1.jsonl",
            &rollout("0195c0de-0000-7000-8000-0000000000b2", &[(&at(3), nonsense)]),
        );
        assert_eq!(windows(&home), [], "{nonsense}");
        assert_eq!(home.fine(&["report", "total", "--json"]).json()["total"]["calls"], 1);
    }
    // A window that started over longer ago than it lasts says nothing any more.
    let home = Home::new();
    let past = rollout("0195c0de-0000-7000-8000-0000000000b3", &[(&at(400), old)]);
    home.write(".codex/sessions/rollout-1.jsonl", &past);
    assert_eq!(windows(&home), []);
}
