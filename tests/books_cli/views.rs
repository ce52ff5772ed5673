//! `report --yesterday`, `signals` and `metrics`.

use serde_json::Value;

use crate::home::{Home, line, rows, three_calls};

#[test]
fn yesterday_is_a_few_lines_fit_for_a_mail() {
    let home = Home::new();
    home.config("[limits]\nday = { tokens = 2_000 }\n");
    home.log(&three_calls());
    let said = home.fine(&["report", "--yesterday"]).out;
    assert!(said.starts_with("Saturday, 21 November 2026 (UTC)"), "{said}");
    for words in [
        "Requests  1\n",
        "Tokens    2,100 (2,000 input, 100 output)",
        "Users     1 (bob ",
        "Sessions  1\n",
        "Limits    daily reached (105% used: 2,100 of 2,000 tokens)",
        "claude-opus-5",
    ] {
        assert!(said.contains(words), "{words}: {said}");
    }
    let json = home.fine(&["report", "--yesterday", "--json"]).json();
    assert_eq!((&json["period"], &json["total"]["calls"]), (&"day".into(), &1.into()));
    let quiet = home.at("2026-11-25T12:00:00Z");
    assert!(quiet.fine(&["report", "--yesterday"]).out.contains("No requests."));
}

#[test]
fn a_day_without_prices_may_have_reached_its_limit() {
    let home = Home::new();
    home.config("[limits]\nday = { usd = 2 }\nmonth = { tokens = 1_000_000 }\n");
    let yesterday = |id: &str, model: &str| line(id, "2026-11-21T10:00:00Z", model, 1_000, 0, "");
    let said = |home: &Home| home.fine(&["report", "--yesterday"]).out;
    home.log(&yesterday("a", "gpt-4o"));
    assert!(said(&home).contains("\nLimits    none near or reached (per call"), "{}", said(&home));
    home.log(&yesterday("b", "of-the-house"));
    assert!(said(&home).contains("\nLimits    none known to be near or reached (per call"), "{}", said(&home));
    // Nor is one known that unread logs count towards.
    let home = Home::new();
    home.config("[limits]\nday = { tokens = 1_000_000 }\n");
    home.log(&yesterday("a", "gpt-4o"));
    assert!(said(&home).contains("\nLimits    none near or reached"), "{}", said(&home));
    home.write(".codex/sessions/2026/11/21/rollout-2026-11-21T10-00-00-x.jsonl.gz", "made up");
    assert!(said(&home).contains("\nLimits    none known to be near or reached"), "{}", said(&home));
}

#[test]
fn signals_show_caches_growth_and_the_dearest_calls_and_compare_models() {
    let home = Home::new();
    let cached = |id: &str, at: &str, read: u64, write: u64| {
        let rest = format!(",\"session\":\"s-1\",\"cache_read_tokens\":{read},\"cache_write_5m_tokens\":{write}");
        line(id, at, "claude-opus-5", 10, 100, &rest)
    };
    let growing = (1..=5).map(|n| {
        let at = format!("2026-11-22T10:0{n}:00Z");
        line(&format!("g{n}"), &at, "gpt-4o", 4_000 * n, 10, ",\"session\":\"s-2\"")
    });
    let log: String = [
        cached("a", "2026-11-22T09:00:00Z", 0, 50_000),
        cached("b", "2026-11-22T09:01:00Z", 50_000, 100),
        cached("c", "2026-11-22T09:30:00Z", 0, 50_200),
    ]
    .into_iter()
    .chain(growing)
    .collect();
    home.log(&log);
    let json = home.fine(&["signals", "--json", "--against", "claude-haiku-4-5"]).json();
    assert_eq!(json["calls"], 8);
    let expired = &rows(&json, "expired_caches")[0];
    assert_eq!((&expired["rewritten_tokens"], &expired["idle_s"]), (&50_100.into(), &1740.into()));
    let uncached = &rows(&json, "growing_without_cache")[0];
    assert_eq!(
        (&uncached["session"], &uncached["calls"], &uncached["prompt_tokens"]),
        (&"s-2".into(), &5.into(), &20_000.into())
    );
    let dearest: Vec<&str> = rows(&json, "dearest").iter().map(|call| call["model"].as_str().unwrap()).collect();
    assert_eq!((dearest.len(), dearest[0]), (8, "claude-opus-5"));
    // gpt-4o at $2.50 and $10: 60,000 × 2.5 + 50 × 10; claude-haiku-4-5 at $1 and $5.
    let compared = rows(&json["against"], "rows").iter().find(|row| row["model"] == "gpt-4o").unwrap().clone();
    let numbers = ["cost_usd", "would_cost_usd", "difference_usd"].map(|name| compared[name].to_string());
    assert_eq!(numbers, ["0.1505", "0.06025", "-0.09025"]);
    let text = home.fine(&["signals", "--against", "claude-haiku-4-5"]).out;
    for words in ["found the cache expired", "grow and nothing read", "Most expensive calls", "arithmetic"] {
        assert!(text.contains(words), "{words}: {text}");
    }
    let said = home.run(&["signals", "--against", "gpt-4oo"]);
    assert!(said.code == 64 && said.err.contains("gpt-4o"), "{said:?}");
    assert_eq!(home.fine(&["signals", "--json", "--since", "2026-11-22T10:00:00Z"]).json()["calls"], 5);
}

/// Reads one line of Prometheus' text form: its name, its labels, its value.
fn sample(line: &str) -> (String, Vec<(String, String)>, String) {
    let form = regex::Regex::new(r"^([a-z_]+)(?:\{(.*)\})? (-?[0-9]+(?:\.[0-9]+)?)$").unwrap();
    let label = regex::Regex::new(r#"([a-z]+)="((?:[^"\\]|\\[\\"n])*)"(?:,|$)"#).unwrap();
    let found = form.captures(line).unwrap_or_else(|| panic!("{line}"));
    let labels = found.get(2).map_or("", |labels| labels.as_str());
    let all: Vec<(String, String)> =
        label.captures_iter(labels).map(|pair| (pair[1].to_owned(), pair[2].to_owned())).collect();
    let length: usize = label.find_iter(labels).map(|found| found.len()).sum();
    assert_eq!(length, labels.len(), "{line}");
    (found[1].to_owned(), all, found[3].to_owned())
}

#[test]
fn metrics_parse_line_by_line_and_agree_with_the_report() {
    let home = Home::new();
    home.config("[limits]\nday = { usd = 1, tokens = 10_000 }\n");
    let odd = line("d", "2026-11-22T09:10:00Z", r#"odd \"model\\"#, 11, 1, "");
    let bad = "{\"id\":\"c\",\"model\":\"gpt-4o\",\"input_tokens\":-5,\"output_tokens\":1}\n";
    home.log(&(three_calls() + &odd + bad));
    let text = home.fine(&["metrics"]).out;
    let mut described: Option<&str> = None;
    let mut samples = Vec::new();
    for line in text.lines() {
        if let Some(help) = line.strip_prefix("# HELP ") {
            described = help.split(' ').next();
        } else if let Some(kind) = line.strip_prefix("# TYPE ") {
            let (name, kind) = kind.split_once(' ').unwrap();
            assert_eq!(Some(name), described);
            assert!(["counter", "gauge"].contains(&kind), "{line}");
        } else {
            let sample = sample(line);
            assert_eq!(Some(sample.0.as_str()), described);
            samples.push(sample);
        }
    }
    let report = home.fine(&["report", "total", "--json"]).json();
    let sum = |name: &str| {
        let of = samples.iter().filter(|sample| sample.0 == name);
        of.map(|sample| tokmeter::testing::domain::Usd::parse(&sample.2).unwrap().0)
            .sum::<tokmeter::testing::domain::Usd>()
            .to_string()
    };
    assert_eq!(sum("tokmeter_tokens_total"), report["total"]["total_tokens"].to_string());
    assert_eq!(sum("tokmeter_cost_usd_total"), report["total"]["cost_usd"].to_string());
    assert_eq!((sum("tokmeter_calls_total"), sum("tokmeter_unpriced_tokens_total")), ("4".into(), "12".into()));
    assert_eq!(sum("tokmeter_bad_lines"), "1");
    let limit = |name: &str, unit: &str| {
        let pair = ("unit".to_owned(), unit.to_owned());
        samples.iter().find(|sample| sample.0 == name && sample.1.contains(&pair)).unwrap().2.clone()
    };
    assert_eq!(
        (limit("tokmeter_limit_used", "tokens"), limit("tokmeter_limit", "tokens")),
        ("2012".into(), "10000".into())
    );
    assert_eq!(limit("tokmeter_limit", "usd"), "1");
    let named = samples.iter().flat_map(|sample| &sample.1).any(|(_, value)| value == r#"odd \"model\\"#);
    assert!(named, "{text}");
}

#[test]
fn a_name_that_no_call_has_is_told_beside_the_empty_answer() {
    let home = Home::new();
    home.log(&three_calls());
    for (words, told) in [
        (["--user", "bo"], "no call has user 'bo'; did you mean 'bob'?"),
        (["--model", "claude-opus-6"], "no call has model 'claude-opus-6'; did you mean 'claude-opus-5'?"),
        (["--source", "nothing-alike"], "no call has source 'nothing-alike'; there are: "),
    ] {
        let said = home.fine(&[&["report"], &words[..]].concat());
        assert!(said.out.contains("No calls in this selection.") && said.err.contains(told), "{words:?}: {said:?}");
    }
    // An empty time span is not a mistake, nor is a pattern without matches.
    let said = home.fine(&["report", "--user", "bob", "--since", "2026-11-22T11:59:00Z"]);
    assert_eq!(said.err, "");
    assert_eq!(home.fine(&["report", "--user", "x*"]).err, "");
}

#[test]
fn a_short_name_selects_the_one_that_is_shown_so() {
    let home = Home::new();
    home.log(&three_calls());
    let calls =
        |words: &[&str]| home.fine(&[&["report", "total", "--json"], words].concat()).json()["total"]["calls"].clone();
    assert_eq!(calls(&["--model", "opus-5"]), calls(&["--model", "claude-opus-5"]));
    assert_ne!(calls(&["--model", "opus-5"]), 0);
    let said = home.fine(&["--once", "--model", "opus-6"]);
    assert!(said.err.contains("no call has model 'opus-6'; did you mean 'claude-opus-5'?"), "{said:?}");
    assert!(!home.fine(&["--once", "--model", "opus-5"]).err.contains("no call has"));
}

#[test]
fn the_latest_session_of_a_short_name_is_that_of_the_full_one() {
    let home = Home::new();
    let of = |id: &str, at: &str, project: &str| {
        let rest = format!(",\"session\":\"{id}-session\",\"project\":\"/home/kim/{project}\"");
        line(id, at, "claude-opus-5", 10, 1, &rest)
    };
    home.log(&[of("shop", "2026-11-22T09:00:00Z", "web-shop"), of("api", "2026-11-22T10:00:00Z", "api")].concat());
    for session in ["latest", "shop"] {
        for filter in [["--project", "web-shop"], ["--project", "/home/kim/web-shop"]] {
            let words = [&["report", "session", "--json", "--session", session], &filter[..]].concat();
            let json = home.fine(&words).json();
            let sessions: Vec<&Value> = rows(&json, "rows").iter().map(|row| &row["session"]).collect();
            assert_eq!(sessions, ["shop-session"], "{words:?}");
        }
    }
}

#[test]
fn a_limited_report_says_how_many_rows_there_are_and_which_it_shows() {
    let home = Home::new();
    home.log(&three_calls());
    for (words, told) in [
        (
            &["call", "--limit", "2"][..],
            "2 of 3 rows, the oldest (`--order desc` shows the newest); the total is of all",
        ),
        (&["day", "--limit", "1", "--order", "desc"], "1 of 2 rows, the newest; the total is of all"),
        (&["session", "--limit", "1"], "1 of 2 rows, the oldest"),
        (&["total", "--by", "model", "--limit", "1"], "1 of 2 rows; the total is of all"),
    ] {
        let said = home.fine(&[&["report"], words].concat());
        assert!(said.out.contains(told), "{words:?}: {}", said.out);
        let json = home.fine(&[&["report", "--json"], words].concat()).json();
        let rows = told.split(' ').nth(2).unwrap().parse::<u64>().unwrap();
        assert_eq!(json["all_rows"], rows, "{words:?}: {json}");
    }
    for words in [&["call", "--limit", "3"][..], &["day"], &["session", "--limit", "8"]] {
        assert!(!home.fine(&[&["report"], words].concat()).out.contains("rows"), "{words:?}");
        assert_eq!(home.fine(&[&["report", "--json"], words].concat()).json()["all_rows"], Value::Null, "{words:?}");
    }
}

#[test]
fn a_period_that_is_counted_in_part_says_from_when() {
    let home = Home::new();
    home.log(&three_calls());
    // It is noon of the 22nd.
    let said = home.fine(&["report", "--since", "20h"]);
    assert!(said.out.contains("The first day counts from 2026-11-21 16:00 on"), "{}", said.out);
    let said = home.fine(&["report", "week", "--until", "2026-11-22T09:02:00Z"]);
    assert!(said.out.contains("The last week counts until 2026-11-22 09:02"), "{}", said.out);
    for words in
        [&["--since", "2026-11-21"][..], &["--since", "5h"], &["--until", "today"], &["total", "--since", "20h"]]
    {
        let said = home.fine(&[&["report"], words].concat());
        let is_cut = words == ["--since", "5h"];
        assert_eq!(said.out.contains(" counts "), is_cut, "{words:?}: {}", said.out);
    }
}

#[test]
fn what_is_saved_and_used_without_a_price_is_unknown_and_never_nothing() {
    let home = Home::new();
    home.log(&line(
        "a",
        "2026-11-22T09:00:00Z",
        "nobody-knows",
        500,
        300,
        ",\"session\":\"s-1\",\"cache_read_tokens\":900",
    ));
    home.config("[limits]\nsession = \"1usd\"\n");
    let said = home.fine(&["report"]);
    assert!(!said.out.contains("$0.00"), "{}", said.out);
    let row = home.fine(&["report", "--json"]).json()["rows"][0].clone();
    assert_eq!((&row["cost_usd"], &row["cache_saved_usd"]), (&Value::Null, &Value::Null));
    let said = home.fine(&["summary"]);
    assert!(said.out.contains("Limit: session s-1: ? used, Cost: ? / $1.00"), "{}", said.out);
    assert!(!said.out.contains("$0.00") && !said.out.contains("0%"), "{}", said.out);
}

#[test]
fn a_word_that_is_neither_a_period_nor_a_file_is_told_which_periods_there_are() {
    let home = Home::new();
    home.log(&three_calls());
    let said = home.run(&["report", "foo"]);
    let expected =
        "tokmeter: foo: no such file or folder, and not a period; periods: day, week, month, session, call, total\n";
    assert_eq!((said.code, said.err.as_str()), (65, expected));
    let said = home.run(&["foobarbaz"]);
    let expected =
        "tokmeter: foobarbaz: no such file or folder, and not a command; commands: `tokmeter --help` lists them\n";
    assert_eq!((said.code, said.err.as_str()), (64, expected));
    let said = home.run(&["report", "./foo"]);
    assert!(said.code == 65 && !said.err.contains("period"), "{said:?}");
}

#[test]
fn words_that_a_newcomer_types_are_understood_or_answered_with_what_was_meant() {
    let home = Home::new();
    home.log(&three_calls());
    for (word, meant) in [
        ("2026-11", "--since 2026-11 --until 2026-11"),
        ("yesterday", "--since yesterday --until yesterday"),
        ("last week", "--since 'last week' --until 'last week'"),
        ("7d", "--since 7d"),
    ] {
        let said = home.run(&["report", word]);
        let expected = format!("tokmeter: {word} is a time, not a period; did you mean `tokmeter report {meant}`?\n");
        assert_eq!((said.code, said.err), (64, expected));
    }
    home.write("7d", "");
    assert_ne!(home.run(&["report", home.path("7d").to_str().unwrap()]).code, 64, "a file of that name is read");
    let said = home.run(&["prices", "claude-opus-5"]);
    assert!(said.code == 64 && said.err.contains("tokmeter prices show claude-opus-5\n"), "{said:?}");
    assert_eq!(home.fine(&["limits", "set", "week", "5", "usd", "+", "50k"]).out, "week: 5usd + 50k tokens\n");
    let other = home.path("other.toml");
    let said = home.run(&["limits", "set", "day", "5", "usd", "--config", other.to_str().unwrap()]);
    assert!(said.code != 0 && said.err.contains("other.toml"), "an option after the words is one: {said:?}");
    let latest = home.fine(&["explain", "latest", "--json"]).json();
    let calls = home.fine(&["report", "call", "--order", "desc", "--json"]).json();
    assert_eq!(latest["key"], calls["rows"][0]["key"]);
    assert!(latest["key"].is_string(), "{latest}");
}

#[test]
fn a_compact_screen_printed_once_is_its_lines_alone() {
    let home = Home::new();
    home.log(&three_calls());
    let said = home.fine(&["--compact", "--once"]);
    let lines: Vec<&str> = said.out.lines().collect();
    assert!((1..=4).contains(&lines.len()) && lines.iter().all(|line| !line.is_empty()), "{}", said.out);
    assert!(said.out.contains('$') && !said.out.contains("q quit"), "{}", said.out);
}

#[test]
fn what_is_not_there_cannot_be_unset_and_what_has_no_name_not_be_recorded() {
    let home = Home::new();
    home.config("[limits]\nday = { usd = 5 }\n");
    let said = home.run(&["limits", "unset", "week"]);
    assert_eq!((said.code, said.err.as_str()), (64, "tokmeter: there is no limit week; there are: day\n"));
    assert_eq!(home.fine(&["limits", "unset", "day"]).out, "day: removed\n");
    let said = home.run(&["limits", "unset", "day"]);
    assert_eq!((said.code, said.err.as_str()), (64, "tokmeter: there is no limit day; none is set\n"));
    assert_eq!(home.run(&["record", "--model", "", "--input", "5"]).code, 64);
}

#[test]
fn a_table_without_rows_has_the_columns_of_one_with_rows() {
    let home = Home::new();
    home.log(&three_calls());
    for grain in ["day", "week", "month", "session", "call", "total"] {
        let head = |since: &str| {
            let words = ["report", grain, "--csv", "--by", "user,feature", "--since", since];
            home.fine(&words).out.lines().next().unwrap().to_owned()
        };
        assert_eq!(head("2026-11-22T11:00:00Z"), head("2026-11-01"), "{grain}");
    }
}

#[test]
fn a_week_is_named_by_its_own_year() {
    let home = Home::new();
    home.log(&[three_calls(), line("d", "2027-01-01T09:00:00Z", "gpt-4o", 1, 1, "")].concat());
    let json = home.at("2027-01-02T12:00:00Z").fine(&["report", "week", "--json"]).json();
    let weeks: Vec<_> = rows(&json, "rows").iter().map(|row| (&row["week"], &row["calls"])).collect();
    assert_eq!(weeks, [(&"2026-W47".into(), &3.into()), (&"2026-W53".into(), &1.into())]);
}

#[test]
fn periods_are_taken_as_people_say_them_and_an_error_lists_them() {
    // A Sunday: the week before ended a week ago.
    let home = Home::new().at("2026-11-22T12:00:00Z");
    let days = ["2026-11-12", "2026-11-16", "2026-11-19"];
    let lines: Vec<String> =
        days.iter().map(|day| line(day, &format!("{day}T10:00:00Z"), "gpt-4o", 100, 10, "")).collect();
    home.log(&lines.concat());
    for (since, calls) in [("this week", 2), ("last week", 3), ("3 days ago", 1), ("yesterday", 0), ("last month", 3)] {
        let json = home.fine(&["report", "total", "--since", since, "--json"]).json();
        assert_eq!(json["total"]["calls"], calls, "{since}");
    }
    let json = home.fine(&["report", "total", "--since", "last week", "--until", "last week", "--json"]).json();
    assert_eq!(json["total"]["calls"], 1);
    let said = home.run(&["report", "--since", "next week"]).err;
    assert!(["last week", "last month", "3 days ago"].iter().all(|words| said.contains(words)), "{said}");
}

#[test]
fn f20_every_command_prints_ascii_where_nothing_else_is_wanted_and_data_stays_what_it_is() {
    let home = Home::new();
    let call = r#"{"id":"a","at":"2026-11-22T10:00:00Z","model":"gpt-4o","project":"/w/日本","input_tokens":100000,"output_tokens":5}"#;
    let unpriced =
        r#"{"id":"b","at":"2026-11-22T10:00:00Z","model":"nobody-knows","input_tokens":7,"output_tokens":5}"#;
    home.log(&format!("{call}\n{unpriced}\n"));
    home.config("symbols = \"ascii\"\n[limits]\nday = \"0.1usd\"\n");
    let report = home.fine(&["report", "call", "--model", "gpt-4o", "--json"]).json();
    let key = report["rows"][0]["key"].as_str().unwrap().to_owned();
    let texts = [
        &["report"][..],
        &["report", "session"],
        &["report", "total", "--by", "project"],
        &["limits"],
        &["gate"],
        &["signals"],
        &["agents"],
        &["doctor"],
        &["audit"],
        &["prices"],
        &["prices", "show", "gpt-4o"],
        &["explain", &key],
        &["summary", "latest"],
        &["invoice", "2026-11"],
        &["statusline"],
        &["--once"],
        &["ledger"],
    ];
    for words in texts {
        let said = home.run(words);
        let all = said.out.clone() + &said.err;
        assert!(!all.is_empty() && all.is_ascii(), "{words:?}: {said:?}");
    }
    for words in [
        &["report", "total", "--by", "project", "--json"][..],
        &["report", "total", "--by", "project", "--csv"],
        &["report", "total", "--by", "project", "--markdown"],
        &["explain", &key, "--json"],
        &["ledger", "export"],
    ] {
        let said = home.run(words);
        assert!(said.out.contains("日本"), "{words:?}: {said:?}");
    }
}

#[test]
fn a_report_whose_rows_are_all_left_out_says_so_and_has_its_total() {
    let home = Home::new();
    home.log(&three_calls());
    for period in ["day", "session", "call", "total"] {
        let report = ["report", period, "--by", "user", "--limit", "0"];
        let text = home.fine(&report).out;
        assert!(!text.contains("No calls") && text.contains("0 of ") && text.contains("total"), "{period}: {text}");
        let json = home.fine(&[&report[..], &["--json"]].concat()).json();
        assert!(json["all_rows"].as_u64() > Some(0) && json["total"]["calls"] == 3, "{period}: {json}");
    }
    assert!(home.fine(&["report", "--user", "nobody"]).out.contains("No calls"));
}

#[test]
fn a_dimension_that_is_named_twice_splits_once() {
    let home = Home::new();
    home.log(&three_calls());
    let by = |by| home.fine(&["report", "total", "--by", by, "--json"]).out;
    assert_eq!(by("model,user,model"), by("model,user"));
}
