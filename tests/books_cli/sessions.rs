//! Several sessions under one limit a session: each face names the right one.

use super::home::{Home, line, rows};

/// Five sessions of five projects that work, of which `infra` has used most of its limit.
fn five() -> Home {
    let home = Home::new();
    home.config("[limits]\nsession = { tokens = 10_000 }\n");
    let sessions = [("docs", 100), ("api-server", 5_000), ("infra", 9_100), ("web", 7_000), ("mobile", 40)];
    let lines = sessions.into_iter().enumerate().map(|(nth, (name, tokens))| {
        let at = format!("2026-11-22T11:59:{}0Z", 5 - nth);
        let rest = format!(",\"session\":\"{name}-1\",\"project\":\"/home/alice/{name}\"");
        line(name, &at, "claude-opus-5", tokens, 0, &rest)
    });
    home.log(&lines.collect::<String>());
    home
}

#[test]
fn of_five_sessions_with_one_limit_json_table_and_summary_name_the_right_one() {
    let home = five();
    let json = home.fine(&["limits", "show", "--json"]).json();
    let limits = json["limits"].as_array().unwrap();
    let states: Vec<(&str, u64, &str)> = limits
        .iter()
        .map(|limit| {
            let text = |key: &str| limit[key].as_str().unwrap();
            (text("name"), limit["percent"].as_u64().unwrap(), text("verdict"))
        })
        .collect();
    assert_eq!(
        states,
        [
            ("session infra", 91, "near"),
            ("session web", 70, "under"),
            ("session api-server", 50, "under"),
            ("session docs", 1, "under"),
            ("session mobile", 0, "under"),
        ]
    );
    let table = home.fine(&["limits"]).out;
    assert!(table.lines().any(|line| line.contains("session infra") && line.contains("91%")), "{table}");
    let summary = home.fine(&["summary", "infra-1"]).out;
    assert!(summary.contains("session infra") && summary.contains("91%"), "{summary}");
    assert!(!summary.contains("session web"), "another session's limit: {summary}");
    let gate = |session: &str| home.run(&["gate", "--session", session, "--json"]);
    for (session, percent) in [("infra-1", 91), ("docs-1", 1)] {
        let said = gate(session);
        assert!(said.out.contains(&format!("\"percent\":{percent}")), "{session}: {said:?}");
    }
}

#[test]
fn limits_and_their_rate_are_of_the_day_and_not_of_the_latest_session() {
    // Two sessions are at work; the one with the latest call used next to nothing.
    let home = Home::new();
    home.config("[limits]\nsession = { tokens = 1_000 }\n");
    let call = |name: &str, at: &str, tokens: u64| {
        line(name, at, "claude-opus-5", tokens, 0, &format!(",\"session\":\"{name}\""))
    };
    let before = call("before", "2026-11-22T11:58:30Z", 1).replace("\"session\":\"before\"", "\"session\":\"busy\"");
    let [busy, small] = [("busy", "2026-11-22T11:59:00Z", 600_000), ("small", "2026-11-22T11:59:30Z", 1)];
    let [busy, small] = [busy, small].map(|(name, at, tokens)| call(name, at, tokens));
    home.log(&[before, busy, small].concat());
    let json = home.fine(&["limits", "show", "--json"]).json();
    assert!(json["tokens_per_min"].as_u64().unwrap() > 10_000, "{json}");
    assert!(json["cost_per_hour_usd"].as_f64().unwrap() > 1.0, "{json}");
    let text = home.fine(&["limits"]).out;
    assert!(text.contains("\nIf work goes on as usual: $") && text.contains(" full at\n"), "{text}");
    // With calls that have no known price, the amount is a lower bound.
    home.log(&line("local", "2026-11-22T11:59:40Z", "my-own-model", 1_000, 0, ",\"session\":\"local\""));
    let text = home.fine(&["limits"]).out;
    assert!(text.contains("\nIf work goes on as usual: ≥ $"), "{text}");
    // The first minute of a session gives no hourly rate.
    let summary = |name: &str| home.fine(&["summary", name, "--json"]).json();
    assert_eq!(
        (&summary("busy")["cost_per_hour_usd"], &summary("busy")["operations"]),
        (&serde_json::Value::Null, &serde_json::json!(2))
    );
    // A session that ended an hour ago is no longer held against its limit.
    let home = Home::new();
    home.config("[limits]\nsession = { tokens = 1_000 }\n");
    home.log(&call("ended", "2026-11-22T10:59:00Z", 5_000));
    let json = home.fine(&["limits", "show", "--json"]).json();
    let limit = &json["limits"][0];
    assert_eq!(
        (&limit["subject"], limit["verdict"].as_str(), limit["percent"].as_u64()),
        (&serde_json::Value::Null, Some("under"), Some(0))
    );
}

#[test]
fn a_sessions_rows_are_named_by_what_they_are_split_by() {
    let home = Home::new();
    let call = |id: &str, user: &str, project: &str, input: u64| {
        let rest = format!(",\"session\":\"s-1\",\"user\":\"{user}\",\"project\":\"{project}\"");
        line(id, &format!("2026-11-22T10:0{id}:00Z"), "claude-opus-5", input, 10, &rest)
    };
    home.log(&[call("1", "alice", "/p/one", 1_000), call("2", "bob", "/p/two", 3_000)].concat());
    for (by, names) in [("user", ["alice", "bob"]), ("project", ["/p/one", "/p/two"])] {
        let json = home.fine(&["report", "session", "--by", by, "--json"]).json();
        let rows: Vec<_> =
            rows(&json, "rows").iter().map(|row| (row[by].clone(), row["input_tokens"].clone())).collect();
        assert_eq!(rows, [(names[0].into(), 1_000.into()), (names[1].into(), 3_000.into())]);
        for style in [&[][..], &["--csv"], &["--markdown"]] {
            let text = home.fine(&[&["report", "session", "--by", by], style].concat()).out;
            assert!(names.iter().all(|name| text.matches(name).count() == 1), "{text}");
        }
    }
    // A session that is not split so has the project of its first call, and no user where it has several.
    let json = home.fine(&["report", "session", "--by", "model", "--json"]).json();
    let row = &rows(&json, "rows")[0];
    assert_eq!((&row["user"], &row["project"]), (&serde_json::Value::Null, &"/p/one".into()));
    assert_eq!(rows(&json, "rows").len(), 1);
}
