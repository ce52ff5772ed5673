//! `prices` and `explain`, and the effect of later price changes on the ledger.

use std::fs;

use crate::home::{Home, line, rows};

/// A list in LiteLLM's format: one changed price, a new one, one with unusual digits, an invalid one.
const NEWER: &str = r#"{
  "gpt-4o": {"input_cost_per_token": 5e-06, "output_cost_per_token": 1.5e-05, "litellm_provider": "openai", "mode": "chat"},
  "brand-new": {"input_cost_per_token": 1e-7, "output_cost_per_token": 4e-7, "litellm_provider": "openai", "mode": "chat"},
  "odd-digits": {"input_cost_per_token": 0.00000030000000000000004, "output_cost_per_token": 1e-6, "litellm_provider": "openai", "mode": "chat"},
  "below-zero": {"input_cost_per_token": -1, "output_cost_per_token": 1e-6, "litellm_provider": "openai", "mode": "chat"}
}"#;

#[test]
fn prices_are_listed_and_shown_with_their_history() {
    let home = Home::new();
    let list = home.fine(&["prices", "list", "claude-opus-5"]);
    assert!(list.out.contains("claude-opus-5") && list.out.contains("$5"), "{}", list.out);
    let json = home.fine(&["prices", "list", "claude-opus-5", "--json"]).json();
    let model = rows(&json, "models").iter().find(|model| model["model"] == "claude-opus-5").unwrap().clone();
    assert_eq!((model["input"].to_string(), model["cache_read"].to_string()), ("5".into(), "0.5".into()));

    let shown = home.fine(&["prices", "show", "anthropic/claude-opus-5[1m]"]);
    assert!(shown.out.contains("claude-opus-5") && shown.out.contains(" · in use now"), "{}", shown.out);
    let json = home.fine(&["prices", "show", "claude-sonnet-4-5", "--json"]).json();
    let history = rows(&json, "history");
    assert!(history.len() > 1, "{json}");
    let days: Vec<&str> = history.iter().map(|price| price["since"].as_str().unwrap()).collect();
    assert!(days.windows(2).all(|pair| pair[0] < pair[1]), "{days:?}");
    assert_eq!(history[0]["long"][0]["above_prompt_tokens"], 200_000);
    assert_eq!(history[0]["long"][0]["input"].to_string(), "6");
}

#[test]
fn a_model_without_a_price_is_answered_with_near_names() {
    let home = Home::new();
    let said = home.run(&["prices", "show", "claude-opus-5x"]);
    assert_eq!(said.code, 1);
    assert!(said.err.contains("claude-opus-5\n"), "{said:?}");
    assert!(said.err.lines().filter(|line| line.starts_with("  ")).count() <= 5, "{said:?}");
    assert_eq!(home.run(&["prices", "list", "no such model at all"]).code, 1);
}

#[test]
fn e13_unusual_digits_are_rounded_and_told_and_what_cannot_be_true_is_refused() {
    let home = Home::new().at("2026-11-28T12:00:00Z");
    home.write("list.json", NEWER);
    let said = home.fine(&["prices", "update", "list.json"]);
    assert!(said.err.contains("1 number with unusually many digits"), "{said:?}");
    assert!(
        said.err.contains("1 model skipped, such as below-zero: a rate is not a number or is negative"),
        "{said:?}"
    );
    assert!(said.out.contains("gpt-4o") && said.out.contains("→ $5"), "{said:?}");
    let odd = home.fine(&["prices", "show", "odd-digits", "--json"]).json();
    assert_eq!(odd["history"][0]["input"].to_string(), "0.3");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let kept = home.path("data/tokmeter/prices.txt");
        assert_eq!(fs::metadata(kept).unwrap().permissions().mode() & 0o777, 0o600);
    }
    home.write("broken.json", "{\"gpt-4o\":");
    assert_eq!(home.run(&["prices", "update", "broken.json"]).code, 65);
    assert_eq!(home.run(&["prices", "update", "nowhere.json"]).code, 65);
    assert_eq!(home.fine(&["prices", "show", "odd-digits", "--json"]).json()["history"][0]["input"].to_string(), "0.3");
}

#[test]
fn d16_a_price_that_changes_later_leaves_what_is_booked_and_reprice_shows_the_new_one() {
    let home = Home::new().at("2026-11-28T12:00:00Z");
    home.log(&line("a", "2026-11-28T09:00:00Z", "gpt-4o", 500, 300, ""));
    let cost = |args: &[&str]| home.fine(args).json()["total"]["cost_usd"].to_string();
    let booked = || cost(&["report", "total", "--json"]);
    let today = || cost(&["report", "total", "--json", "--reprice"]);
    assert_eq!((booked(), today()), ("0.00425".into(), "0.00425".into()));
    assert_eq!(home.run(&["prices", "check"]).code, 0);

    home.write("list.json", NEWER);
    home.fine(&["prices", "update", "list.json"]);
    // 500 × $5 and 300 × $15 per million, instead of 2.50 and 10.
    assert_eq!((booked(), today()), ("0.00425".into(), "0.007".into()));
    let check = home.run(&["prices", "check"]);
    assert_eq!(check.code, 1, "{check:?}");
    assert!(check.out.contains("1 booked call would cost $0.007 instead of the booked $0.0042"), "{check:?}");
    let explained = home.fine(&["report", "call", "--json"]).json();
    let key = explained["rows"][0]["key"].as_str().unwrap().to_owned();
    let told = home.fine(&["explain", &key]).out;
    assert!(told.contains("Cost    $0.007") && told.contains("Booked  $0.00425"), "{told}");

    let dry = home.fine(&["ledger", "reprice"]);
    assert!(dry.out.contains("Nothing is written without --yes"), "{dry:?}");
    assert_eq!(booked(), "0.00425");
    let done = home.fine(&["ledger", "reprice", "--yes"]);
    assert!(done.out.contains("is kept as"), "{done:?}");
    assert_eq!(booked(), "0.007");
    assert!(home.files().iter().any(|path| path.to_string_lossy().contains("before-reprice")), "{:?}", home.files());
    home.fine(&["ledger", "verify"]);
}

#[test]
fn b14_what_has_no_price_is_nowhere_said_to_cost_or_to_have_saved_nothing() {
    let home = Home::new().at("2026-11-22T12:00:00Z");
    home.log(&line("one", "2026-11-22T10:00:00Z", "in-house", 1_000_000, 0, ",\"cache_read_tokens\":10"));
    assert_eq!(home.fine(&["report", "total", "--json"]).json()["total"]["cost_usd"], serde_json::Value::Null);
    let signals = home.fine(&["signals"]);
    assert!(signals.out.contains("saved ?") && !signals.out.contains('$'), "{signals:?}");
    assert!(home.fine(&["signals", "--json"]).json()["cache_saved_usd"].is_null());

    home.config("[prices.in-house]\ninput = 3\noutput = 0\ncache_read = 0\n");
    let check = home.run(&["prices", "check"]);
    assert!(check.out.contains("1 booked call would cost $3.00 instead of the booked ?:"), "{check:?}");
    let shown = home.fine(&["ledger", "reprice"]);
    assert!(shown.out.contains("1 call would change from ? to $3.00."), "{shown:?}");
    let done = home.fine(&["ledger", "reprice", "--yes"]);
    assert!(done.out.contains("1 call repriced: ? is now $3.00."), "{done:?}");
}

#[test]
fn a_call_is_explained_to_the_last_number_and_to_its_line() {
    let home = Home::new();
    home.config("[prices.\"worked\"]\ninput = \"5\"\noutput = \"15\"\ncache_read = \"0.5\"\n");
    let first = line("x", "2026-11-22T08:00:00Z", "gpt-4o", 1, 1, "");
    let second = line("y", "2026-11-22T09:00:00Z", "worked", 500, 300, ",\"cache_read_tokens\":1000,\"cost_usd\":0.5");
    let log = home.log(&format!("{first}{second}"));
    let calls = home.fine(&["report", "call", "--json", "--model", "worked"]).json();
    let key = calls["rows"][0]["key"].as_str().unwrap().to_owned();
    let json = home.fine(&["explain", &key[..12], "--json"]).json();
    let bucket = |class: &str| {
        let all = rows(&json, "buckets");
        let one = all.iter().find(|bucket| bucket["class"] == class).unwrap();
        (one["tokens"].to_string(), one["usd_per_million"].to_string(), one["usd"].to_string())
    };
    assert_eq!(bucket("input"), ("500".into(), "5".into(), "0.0025".into()));
    assert_eq!(bucket("cache_read"), ("1000".into(), "0.5".into(), "0.0005".into()));
    assert_eq!(bucket("output"), ("300".into(), "15".into(), "0.0045".into()));
    assert_eq!((json["cost_usd"].to_string(), json["quoted_usd"].to_string()), ("0.0075".into(), "0.5".into()));
    assert_eq!((&json["found"], &json["price"]), (&"config".into(), &"config:worked".into()));
    assert_eq!(json["place"]["line"], 2);
    assert_eq!(json["place"]["byte"].as_u64().unwrap(), first.len() as u64);
    let text = home.fine(&["explain", &key]).out;
    assert!(text.contains(&format!("{}:2", log.display())) && text.contains("Quoted  $0.5"), "{text}");
    // The file may go; the books still know the byte.
    fs::remove_file(&log).unwrap();
    assert!(home.fine(&["explain", &key]).out.contains("the file is gone"));
}

#[test]
fn a_key_that_no_call_or_several_have_is_said_so() {
    let home = Home::new();
    let log: String = (0..40).map(|n| line(&format!("n{n}"), "2026-11-22T09:00:00Z", "gpt-4o", 1, 1, "")).collect();
    home.log(&log);
    assert_eq!(home.run(&["explain", "not-hex"]).code, 64);
    assert_eq!(home.run(&["explain", &"f".repeat(32)]).code, 65);
    // 40 keys, 16 first digits: some digit is ambiguous, and no prefix of 20 digits is.
    let several = (0..16).map(|digit| home.run(&["explain", &format!("{digit:x}")])).find(|said| said.code == 64);
    assert!(several.unwrap().err.contains("keys begin with"));
    let calls = home.fine(&["report", "call", "--json"]).json();
    for row in rows(&calls, "rows") {
        home.fine(&["explain", &row["key"].as_str().unwrap()[..20]]);
    }
}
