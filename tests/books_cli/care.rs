//! `ledger`, `audit` and `doctor`: a ledger that outlives its logs, and every line accounted for.

use std::fs;

use crate::home::{Home, line, rows, three_calls};

#[test]
fn without_a_ledger_everyone_is_told_so_and_nothing_fails() {
    let home = Home::new();
    for words in [&["ledger"][..], &["ledger", "info"], &["ledger", "verify"], &["ledger", "reprice"]] {
        assert!(home.fine(words).out.contains("No ledger yet"), "{words:?}");
    }
    assert_eq!(home.fine(&["ledger", "info", "--json"]).json()["calls"], 0);
    assert!(!home.path("data/tokmeter/ledger.db").exists());
}

#[test]
fn deleting_every_log_and_starting_again_changes_no_total() {
    let home = Home::new();
    let log = home.log(&three_calls());
    let report = || home.fine(&["report", "day", "--by", "model,user", "--json"]).out;
    let before = report();
    assert_eq!(home.fine(&["report", "total", "--json"]).json()["total"]["calls"], 3);
    fs::remove_file(log).unwrap();
    assert_eq!(report(), before);
    let info = home.fine(&["ledger", "info", "--json"]).json();
    assert_eq!((&info["calls"], &info["sessions"], &info["future_calls"]), (&3.into(), &2.into(), &0.into()));
    home.fine(&["ledger", "verify"]);
    let audit = home.fine(&["audit", "--json"]).json();
    assert_eq!((&audit["calls"], &audit["ledger"]["only_in_ledger"]), (&0.into(), &3.into()));
    assert_eq!(audit["ledger"]["files_gone"], 1);
}

#[test]
fn an_export_makes_the_same_books_elsewhere_however_often_it_is_imported() {
    let (home, other) = (Home::new(), Home::new());
    home.log(&three_calls());
    let export = home.fine(&["ledger", "export"]).out;
    assert_eq!(export.lines().count(), 3);
    other.write("books.jsonl", &export);
    for told in ["3 calls read, 3 of them", "3 calls read, 0 of them"] {
        let said = other.fine(&["ledger", "import", "books.jsonl"]).out;
        assert!(said.contains(told), "{said}");
        for grain in ["day", "month", "session", "call", "total"] {
            let words = ["report", grain, "--by", "model,user", "--json"];
            assert_eq!(other.fine(&words).out, home.fine(&words).out, "{grain}");
        }
    }
    other.write("broken.jsonl", &export.replacen("\"key\"", "\"kex\"", 2));
    let said = other.run(&["ledger", "import", "broken.jsonl"]);
    assert_eq!(said.code, 65, "{said:?}");
    assert!(said.err.contains("broken.jsonl:1") && said.err.contains("nothing was imported"), "{said:?}");
}

#[test]
fn a_dash_is_standard_input() {
    let (home, other) = (Home::new(), Home::new());
    home.log(&three_calls());
    let export = home.fine(&["ledger", "export"]).out;
    let said = other.pipe(&["ledger", "import", "-"], &export);
    assert!(said.code == 0 && said.out.contains("3 calls read, 3 of them"), "{said:?}");
    assert_eq!(other.fine(&["report", "--json"]).out, home.fine(&["report", "--json"]).out);
    assert_eq!(other.pipe(&["ledger", "import", "-"], "{}\n").code, 65);
    let audit = other.pipe(&["audit", "--json", "-"], &troubled());
    assert_eq!((audit.code, &audit.json()["duplicates"], &audit.json()["bad_lines"]), (0, &1.into(), &1.into()));
    let bill = "date,model,cost\n2026-11-21,claude-opus-5,0.0125\n";
    let said = other.pipe(&["reconcile", "-", "--json"], bill);
    assert!(said.code == 0 && said.json()["gap_usd"] == 0, "{said:?}");
}

#[test]
fn what_is_pruned_stays_away_and_the_rest_is_untouched() {
    let home = Home::new();
    home.log(&three_calls());
    home.fine(&["report"]);
    let said = home.fine(&["ledger", "prune", "--before", "today"]).out;
    assert!(said.contains("1 call, 2,100 tokens"), "{said}");
    let total = home.fine(&["report", "total", "--json"]).json();
    assert_eq!((&total["total"]["calls"], &total["total"]["total_tokens"]), (&2.into(), &2000.into()));
    home.fine(&["ledger", "verify"]);
    assert_eq!(home.run(&["ledger", "prune", "--before", "2030-01-01"]).code, 64);
}

#[test]
fn a_damaged_ledger_is_found_by_verify() {
    let home = Home::new();
    home.log(&three_calls());
    home.fine(&["report"]);
    let db = rusqlite::Connection::open(home.path("data/tokmeter/ledger.db")).unwrap();
    assert!(db.execute("UPDATE calls SET body = json_set(body, '$[5]', body ->> 5 + 1)", []).unwrap() > 0);
    drop(db);
    let said = home.run(&["ledger", "verify"]);
    assert_eq!(said.code, 1, "{said:?}");
    assert!(!said.out.is_empty());
}

/// Lines of every kind: a repeated call, one without a price, an implausible one, an incomplete one.
fn troubled() -> String {
    let good = line("t-1", "2026-11-22T09:00:00Z", "gpt-4o", 500, 300, "");
    let unpriced = line("t-2", "2026-11-22T09:01:00Z", "in-house", 70, 7, "");
    let absurd =
        "{\"id\":\"c\",\"at\":\"2026-11-22T09:02:00Z\",\"model\":\"gpt-4o\",\"input_tokens\":-5,\"output_tokens\":1}\n";
    format!("{good}{good}{unpriced}{absurd}")
}

#[test]
fn an_audit_accounts_for_every_line_over_paths_and_over_everything() {
    let home = Home::new();
    let log = home.log(&troubled());
    for words in [&["audit", "--json"][..], &["audit", "--json", log.to_str().unwrap()]] {
        // Repeatable: an audit reads from the first byte and writes nothing.
        for _ in 0..2 {
            let audit = home.fine(words).json();
            let count = |name: &str| audit[name].as_u64().unwrap();
            assert_eq!((count("lines"), count("sightings"), count("calls"), count("duplicates")), (4, 3, 2, 1));
            assert_eq!((count("bad_lines"), count("unpriced_tokens")), (1, 77));
            assert_eq!(audit["unpriced"][0]["model"], "in-house");
            let bad = &rows(&audit, "first_bad_lines")[0];
            assert_eq!((&bad["file"], &bad["line"]), (&log.to_str().unwrap().into(), &4.into()));
            assert_eq!(audit["sources"][0]["source"], "native");
        }
    }
    assert!(!home.path("data/tokmeter/ledger.db").exists());
    let text = home.fine(&["audit"]).out;
    assert!(text.contains(&format!("{}:4: ", log.display())) && text.contains("1 repetition dropped"), "{text}");
    assert_eq!(home.run(&["audit", "nowhere"]).code, 65);
}

#[test]
fn an_audit_tells_the_prices_of_today_from_what_calls_are_recorded_with() {
    let home = Home::new();
    home.log(&line("one", "2026-11-22T10:00:00Z", "in-house", 70, 7, ""));
    home.fine(&["report"]);
    let said = home.fine(&["audit"]).out;
    assert!(said.contains("77  tokens recorded without a price\n") && !said.contains("a price today"), "{said}");
    home.config("[prices.\"in-house\"]\ninput = 1\noutput = 2\n");
    let said = home.fine(&["audit"]).out;
    assert!(said.contains("every call has a price today"), "{said}");
    assert!(
        said.contains("77  tokens recorded without a price; they may have one now: tokmeter ledger reprice"),
        "{said}"
    );
    assert_eq!(home.fine(&["audit", "--json"]).json()["ledger"]["unpriced_tokens"], 77);
    home.fine(&["ledger", "reprice", "--yes"]);
    assert!(!home.fine(&["audit"]).out.contains("recorded without"));
    assert!(!Home::new().fine(&["audit"]).out.contains("Every line"));
}

#[test]
fn an_audit_names_the_sessions_whose_limits_were_lifted_and_why() {
    let home = Home::new();
    home.log(&three_calls());
    home.fine(&["report"]);
    home.fine(&["limits", "override", "s-1", "--reason", "release night"]);
    let audit = home.fine(&["audit", "--json"]).json();
    let lifted = &rows(&audit["ledger"], "limits_lifted")[0];
    assert_eq!((&lifted["session"], &lifted["reason"]), (&"s-1".into(), &"release night".into()));
    assert!(home.fine(&["audit"]).out.contains("limits lifted for s-1 at 2026-11-22 12:00: release night"));
}

#[test]
fn b20_a_flood_of_bad_lines_is_counted_and_only_the_first_are_named() {
    let home = Home::new();
    let bad = "{\"id\":\"c\",\"model\":\"gpt-4o\",\"input_tokens\":-5,\"output_tokens\":1}\n";
    home.log(&(three_calls() + &bad.repeat(20_000)));
    let audit = home.fine(&["audit", "--json"]).json();
    assert_eq!(audit["bad_lines"], 20_000);
    let named: Vec<u64> = rows(&audit, "first_bad_lines").iter().map(|bad| bad["line"].as_u64().unwrap()).collect();
    assert_eq!(named, (4..=23).collect::<Vec<u64>>());
    assert!(home.fine(&["audit"]).out.len() < 10_000);
    let doctor = home.run(&["doctor"]);
    assert!(doctor.code == 1 && doctor.out.contains("20,000 lines in 1 file"), "{doctor:?}");
    assert!(doctor.out.len() < 20_000);
}

#[test]
fn d13_calls_from_the_future_stand_under_their_day_and_are_flagged() {
    let home = Home::new();
    home.log(&line("a", "2036-11-22T09:00:00Z", "gpt-4o", 500, 300, ""));
    let report = home.fine(&["report", "day", "--json"]).json();
    assert_eq!(report["rows"][0]["day"], "2036-11-22");
    assert_eq!(home.fine(&["ledger", "info", "--json"]).json()["future_calls"], 1);
    assert!(home.fine(&["ledger", "info"]).out.contains("1 call dated in the future"));
    let doctor = home.run(&["doctor", "--json"]);
    let json = doctor.json();
    let clock = rows(&json, "checks").iter().find(|check| check["area"] == "clock");
    assert!(doctor.code == 1 && clock.is_some_and(|check| check["state"] == "attention"), "{json}");
}

#[test]
fn one_call_that_only_the_ledger_holds_is_a_call_and_two_are_calls() {
    let home = Home::new();
    home.log(&three_calls());
    home.fine(&["report"]);
    let lines: Vec<String> = three_calls().lines().map(|line| format!("{line}\n")).collect();
    for (kept, told) in
        [(2, "           1  call more than the logs hold"), (1, "           2  calls more than the logs hold")]
    {
        home.log(&lines[..kept].concat());
        let said = home.fine(&["audit"]).out;
        assert!(said.contains(told), "{said}");
    }
}

#[test]
fn calls_that_came_without_a_log_are_not_said_to_be_of_one_that_is_gone() {
    let home = Home::new();
    home.log(&three_calls());
    let export = home.fine(&["ledger", "export"]).out;
    home.write("books.jsonl", &as_proxied(&export));
    home.fine(&["ledger", "import", home.path("books.jsonl").to_str().unwrap()]);
    let said = home.fine(&["audit"]).out;
    assert!(said.contains("more than the logs hold: they came by proxy, socket or telemetry, or their logs"), "{said}");
}

/// Lines of an export as the calls of a proxy that gave them ids of its own.
fn as_proxied(export: &str) -> String {
    let proxied = |line: &str| {
        let mut line: serde_json::Value = serde_json::from_str(line).unwrap();
        let key = line["key"].as_str().unwrap().chars().rev().collect::<String>();
        (line["key"], line["source"]) = (key.into(), "proxy".into());
        format!("{line}\n")
    };
    export.lines().map(proxied).collect()
}

#[test]
fn the_doctor_names_agents_whose_calls_the_proxy_counted_too() {
    let home = Home::new();
    let answers = (1..=3).map(|answer| {
        format!(
            "{{\"type\":\"assistant\",\"sessionId\":\"s\",\"timestamp\":\"2026-11-22T11:0{answer}:00Z\",\"message\":\
             {{\"id\":\"gen-{answer}\",\"model\":\"m\",\"usage\":{{\"input_tokens\":{answer},\"output_tokens\":9}}}}}}\n"
        )
    });
    home.write(".claude/projects/api/s.jsonl", &answers.collect::<String>());
    let export = home.fine(&["ledger", "export"]).out;
    let counted = || {
        home.run(&["doctor", "--json"]).json()["checks"]
            .as_array()
            .unwrap()
            .iter()
            .filter(|check| check["area"] == "counted")
            .map(|check| check["text"].to_string())
            .collect::<String>()
    };
    assert_eq!(counted(), "");
    home.write("books.jsonl", &as_proxied(&export));
    home.fine(&["ledger", "import", home.path("books.jsonl").to_str().unwrap()]);
    let told = counted();
    assert!(told.contains("claude-code: 3 calls of the last 7 days probably counted twice"), "{told}");
}

#[test]
fn the_doctor_names_what_needs_attention_and_explains_its_marks() {
    let home = Home::new();
    home.log(&three_calls());
    home.write(".claude/projects/api/s.jsonl", "{\"type\":\"summary\"}\n");
    let said = home.fine(&["doctor"]).out;
    for words in
        ["· not logged claude-code (E", "· socket ", "one started with --socket does", "E exact for each call · "]
    {
        assert!(said.contains(words), "{words}: {said}");
    }
    home.log(&(three_calls() + &troubled()));
    let said = home.run(&["doctor"]).out;
    let last = said.lines().last().unwrap();
    assert!(
        last.contains("need attention, marked with !: ") || last.contains("needs attention, marked with !: "),
        "{said}"
    );
    assert!(last.contains("lines") && last.contains("prices"), "{said}");
    assert!(home.fine(&["agents"]).out.contains("in the column 'counts':\nE   exact for each call"));
}

#[test]
fn the_doctor_finds_a_healthy_home_well_and_says_what_is_not() {
    let home = Home::new();
    home.log(&three_calls());
    let said = home.run(&["doctor"]);
    assert_eq!(said.code, 0, "{said:?}");
    for words in ["All is well", "xterm", "UTC", "usage.jsonl", "no meter listens", "native"] {
        assert!(said.out.contains(words), "{words}: {}", said.out);
    }
    home.log(&(three_calls() + &troubled()));
    let said = home.run(&["doctor", "--json"]);
    let json = said.json();
    assert_eq!((said.code, &json["bad_lines"], &json["unpriced"]["in-house"]), (1, &1.into(), &77.into()));
    assert_eq!(rows(&json, "first_bad_lines")[0]["line"], 7);
    assert_eq!(json["ledger"]["state"], "writable");
    // A price list of four months ago.
    let late = Home::new().at("2027-03-22T12:00:00Z");
    let said = late.run(&["doctor"]);
    assert!(said.code == 1 && said.out.contains("prices update"), "{said:?}");
}

#[test]
fn i7_what_was_said_to_a_model_is_neither_kept_nor_shown() {
    let home = Home::new();
    let canary = "CANARY-3b1f";
    let good = line(
        "a",
        "2026-11-22T09:00:00Z",
        "gpt-4o",
        5,
        3,
        &format!(",\"session\":\"s-1\",\"prompt\":\"{canary}\",\"content\":\"{canary}\""),
    );
    let bad = format!(
        "{{\"id\":\"b\",\"model\":\"gpt-4o\",\"input_tokens\":-5,\"output_tokens\":1,\"prompt\":\"{canary}\"}}\n"
    );
    let torn = format!("{{\"id\":\"c\",\"model\":\"gpt-4o\",\"input_tokens\":5,\"messages\":\"{canary}\n");
    let claude = format!(
        "{{\"type\":\"assistant\",\"uuid\":\"u\",\"timestamp\":\"2026-11-22T09:00:00Z\",\"sessionId\":\"s\",\"requestId\":\"r\",\"message\":{{\"id\":\"m\",\"model\":\"claude-opus-5\",\"content\":[{{\"type\":\"text\",\"text\":\"{canary}\"}}],\"usage\":{{\"input_tokens\":3,\"output_tokens\":4}}}}}}\n"
    );
    let log = home.log(&format!("{good}{bad}{torn}"));
    let transcript = home.write(".claude/projects/p/s.jsonl", &claude);
    let trace = home.path("trace.log");
    let call = home.fine(&["--log", trace.to_str().unwrap(), "report", "call", "--json"]);
    assert_eq!(call.json()["total"]["calls"], 2);
    let key = call.json()["rows"][0]["key"].as_str().unwrap().to_owned();
    let words: [&[&str]; 14] = [
        &["report", "session"],
        &["summary"],
        &["summary", "--json"],
        &["audit"],
        &["audit", "--json"],
        &["doctor"],
        &["doctor", "--json"],
        &["explain", &key],
        &["explain", &key, "--json"],
        &["ledger", "export"],
        &["metrics"],
        &["signals", "--json"],
        &["invoice", "2026-11", "--csv"],
        &["audit", "--json", log.to_str().unwrap()],
    ];
    for words in words {
        let said = home.run(&[&["--log", trace.to_str().unwrap()], words].concat());
        assert!(!said.out.is_empty(), "{words:?}: {said:?}");
        assert!(!said.out.contains(canary) && !said.err.contains(canary), "{words:?}: {said:?}");
    }
    assert!(fs::read_to_string(&trace).unwrap().contains("batch handed on"));
    let logs = [log, transcript];
    for path in home.files().into_iter().filter(|path| !logs.contains(path)) {
        let bytes = fs::read(&path).unwrap();
        let found = bytes.windows(canary.len()).any(|part| part == canary.as_bytes());
        assert!(!found, "{}", path.display());
    }
}

#[test]
fn i4_a_long_name_is_cut_in_the_table_of_limits() {
    let home = Home::new();
    let name = "n".repeat(400);
    home.config(&format!("[limits.users.\"{name}\"]\nday = \"5usd\"\n"));
    let text = home.fine(&["limits"]).out;
    assert!(text.lines().all(|line| line.chars().count() < 120) && text.contains('…'), "{text}");
    assert!(home.fine(&["limits", "--json"]).out.contains(&name));
}

#[test]
fn a_projects_limit_is_that_of_its_folder_however_the_folder_is_written() {
    for (config, folder) in [("~", ""), ("~/", ""), ("~/api", "/api"), ("~/api/", "/api/"), ("HOME/api/", "/api")] {
        let home = Home::new();
        let at = home.path("").to_string_lossy().trim_end_matches('/').to_owned();
        home.log(&line("1", "2026-11-22T09:00:00Z", "gpt-4o", 1_000_000, 0, &format!(",\"project\":\"{at}{folder}\"")));
        let name = config.replace("HOME", &at);
        home.config(&format!("[limits.projects.\"{name}\"]\nday = \"1usd\"\n"));
        let gate = |project: &str| home.run(&["gate", "--project", project]).code;
        let used = home.fine(&["limits", "--json"]).json()["limits"][0]["percent"].clone();
        assert_eq!(used, 250, "{config}, {folder}");
        assert_eq!(gate(&format!("{at}{folder}")), 2, "{config}, {folder}");
        assert_eq!(gate(&format!("{}/", format!("{at}{folder}").trim_end_matches('/'))), 2, "{config}, {folder}");
        // The same limit, set by a command.
        home.config("");
        home.fine(&["limits", "set", &format!("project:{name}:day"), "1usd"]);
        assert_eq!(home.fine(&["limits", "--json"]).json()["limits"][0]["percent"], 250, "{config}, {folder}");
        let report = home.fine(&["report", "total", "--json", "--project", &format!("{at}/api/")]).json();
        assert_eq!(report["total"]["calls"], u64::from(!folder.is_empty()), "{config}, {folder}");
    }
}

/// Appends a call of these input tokens, and then the agent's own total of the session, to the log of a Claude session.
fn go_on(home: &Home, (number, at, input): (u8, &str, u64), (all_in, all_out): (u64, u64)) {
    let path = home.path(".claude/projects/-w/5e55aaaa-0000-4000-8000-0000000000aa.jsonl");
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    let known = fs::read_to_string(&path).unwrap_or_default();
    let session = "\"sessionId\":\"5e55aaaa-0000-4000-8000-0000000000aa\"";
    let call = format!(
        "{{\"type\":\"assistant\",{session},\"version\":\"2.1.332\",\"cwd\":\"/w\",\"requestId\":\"req_{number}\",\
         \"uuid\":\"u{number}\",\"timestamp\":\"{at}\",\"message\":{{\"id\":\"msg_01BBBBBBBBBBBBBBBBBBB{number}\",\
         \"type\":\"message\",\"role\":\"assistant\",\"model\":\"claude-opus-5\",\"content\":[],\
         \"stop_reason\":\"end_turn\",\"usage\":{{\"input_tokens\":{input},\"output_tokens\":10}}}}}}\n"
    );
    let whole = format!(
        "{{\"type\":\"cost-state\",{session},\"totalCostUSD\":1,\"modelUsage\":{{\"claude-opus-5\":{{\
         \"inputTokens\":{all_in},\"outputTokens\":{all_out},\"cacheReadInputTokens\":0,\
         \"cacheCreationInputTokens\":0,\"cacheCreationEphemeral5mInputTokens\":0,\
         \"cacheCreationEphemeral1hInputTokens\":0,\"webSearchRequests\":0,\"costUSD\":1}}}},\
         \"hasUnknownModelCost\":false}}\n"
    );
    fs::write(&path, known + &call + &whole).unwrap();
}

fn total_of(home: &Home, more: &[&str]) -> [u64; 3] {
    let json = home.fine(&[&["report", "total", "--json"], more].concat()).json();
    ["calls", "input_tokens", "output_tokens"].map(|name| json["total"][name].as_u64().unwrap())
}

#[test]
fn d17_what_was_pruned_comes_back_whole_with_an_import_and_its_totals_go_on() {
    let home = Home::new();
    go_on(&home, (1, "2026-11-10T10:00:00Z", 100), (150, 20));
    assert_eq!(total_of(&home, &[]), [2, 150, 20]);
    home.write("export.jsonl", &home.fine(&["ledger", "export"]).out);
    home.fine(&["ledger", "prune", "--before", "2026-11-15"]);
    assert_eq!(total_of(&home, &[]), [0, 0, 0]);
    go_on(&home, (2, "2026-11-20T10:00:00Z", 1_000), (1_250, 40));
    assert_eq!(total_of(&home, &[]), [2, 1_100, 20]);
    for _ in 0..2 {
        home.fine(&["ledger", "import", "export.jsonl"]);
        assert_eq!(total_of(&home, &[]), [3, 1_250, 40]);
    }
    go_on(&home, (3, "2026-11-21T10:00:00Z", 1), (1_300, 60));
    assert_eq!(total_of(&home, &[]), [4, 1_300, 60]);
    assert_eq!(total_of(&home, &["--no-ledger"]), [4, 1_300, 60]);
    home.fine(&["ledger", "verify"]);
}
