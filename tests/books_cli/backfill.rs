//! Estimates of what a log does not count: kept apart, marked, and removed without a trace.

use std::fs;

use serde_json::{Value, json};

use super::home::Home;

/// An answer with so much text, at four characters to a token where its count is whole.
fn answer(n: u64, version: &str, output: u64, characters: u64) -> String {
    let text = "secret word ".repeat(100).chars().take(usize::try_from(characters).unwrap()).collect::<String>();
    let line = json!({"type": "assistant", "sessionId": "s-1", "uuid": format!("u-{n}"), "cwd": "/home/kim/shop",
        "version": version, "entrypoint": "sdk-cli", "timestamp": format!("2026-11-20T10:{:02}:{:02}.000Z", n / 60, n % 60),
        "message": {"id": format!("msg_{n:024}"), "model": "claude-opus-5", "role": "assistant", "stop_reason": "end_turn",
            "content": [{"type": "text", "text": text}], "usage": {"input_tokens": 3, "output_tokens": output}}});
    format!("{line}\n")
}

fn home() -> Home {
    let home = Home::new();
    let known: String = (0..60).map(|n| answer(n, "2.1.120", 100 + n, 400 + 4 * n)).collect();
    // One of them once more, as a fork copies it.
    let cut = answer(70, "2.1.20", 2, 1_000) + &answer(70, "2.1.20", 2, 1_000) + &answer(71, "2.1.20", 1, 600);
    home.write(".claude/projects/-home-kim-shop/s-1.jsonl", &(known + &cut));
    home
}

fn total(home: &Home) -> Value {
    home.fine(&["report", "total", "--json"]).json()
}

#[test]
fn what_was_cut_is_estimated_apart_and_can_be_taken_back() {
    let home = home();
    let before = total(&home);
    let estimates = home.path("data/tokmeter/estimates.jsonl");
    let dry = home.fine(&["backfill", "--dry-run", "--json"]).json();
    assert!(dry["kept"].is_null() && !estimates.exists());
    let model = &dry["models"][0];
    assert_eq!((&model["calls"], &model["logged_output_tokens"]), (&json!(2), &json!(3)));
    assert_eq!((&model["estimated_output_tokens"], &model["measured_on_answers"]), (&json!(400), &json!(60)));
    assert_eq!((&model["error_of_one_percent"], &model["error_of_all_percent"]), (&json!(0), &json!(0)));
    let said = home.fine(&["backfill"]).out;
    assert!(said.contains("~ 397") && said.contains("60 answers"), "{said}");
    let kept = fs::read_to_string(&estimates).unwrap();
    assert!(kept.lines().count() == 2 && !kept.contains("secret"), "{kept}");
    // No total changes, and each report names the estimates that it leaves out.
    let after = total(&home);
    assert_eq!((&after["total"], &after["rows"]), (&before["total"], &before["rows"]));
    assert_eq!(after["estimated"], json!({"calls": 2, "output_tokens": 397, "cost_usd": 0.009_925}));
    assert!(home.fine(&["report"]).out.contains("Not in these numbers: ~ 397 tokens"));
    assert!(home.fine(&["report", "--since", "2026-11-21", "--json"]).json()["estimated"].is_null());
    assert_eq!(home.fine(&["ledger", "info", "--json"]).json()["calls"], json!(62));
    // Again is the same, and undone is as before.
    home.fine(&["backfill"]);
    assert_eq!(fs::read_to_string(&estimates).unwrap(), kept);
    assert!(home.fine(&["backfill", "--undo"]).out.contains("removed"));
    assert_eq!((total(&home), estimates.exists()), (before, false));
    assert!(home.fine(&["backfill", "--undo"]).out.contains("no estimates"));
}

#[test]
fn estimates_outlive_the_logs_and_go_when_the_answer_is_counted() {
    let home = home();
    let log = ".claude/projects/-home-kim-shop/s-1.jsonl";
    let estimated = || {
        let estimated = total(&home)["estimated"].clone();
        (estimated["calls"].as_u64(), estimated["output_tokens"].as_u64())
    };
    home.fine(&["backfill"]);
    assert_eq!(estimated(), (Some(2), Some(397)));
    // The agent removes its old logs; a new one has another answer that is cut.
    let known: String = (100..160).map(|n| answer(n, "2.1.120", n, 4 * n)).collect();
    home.write(log, &(known + &answer(72, "2.1.20", 1, 400)));
    let said = home.fine(&["backfill"]).out;
    assert!(said.contains("estimates of 2 answers that no log has any more"), "{said}");
    assert_eq!(estimated(), (Some(3), Some(397 + 99)));
    // Too little is left to measure by: the estimates stay.
    home.write(log, &answer(72, "2.1.20", 1, 400));
    home.fine(&["backfill"]);
    assert_eq!(estimated(), (Some(3), Some(397 + 99)));
    // The log of the first two is back, with their counts: there is nothing to estimate any more.
    home.write(log, &(answer(70, "2.1.120", 250, 1_000) + &answer(71, "2.1.120", 150, 600)));
    home.fine(&["backfill"]);
    assert_eq!(estimated(), (Some(1), Some(99)));
    home.write(log, &answer(72, "2.1.120", 100, 400));
    home.fine(&["backfill"]);
    assert_eq!((estimated(), home.path("data/tokmeter/estimates.jsonl").exists()), ((None, None), false));
}

#[test]
fn without_answers_to_measure_nothing_is_estimated() {
    let home = Home::new();
    home.write(".claude/projects/-w/s.jsonl", &answer(1, "2.1.20", 2, 1_000));
    let said = home.fine(&["backfill"]).out;
    assert!(said.contains("too few answers have both text and count: claude-opus-5 of claude-code"), "{said}");
    assert!(!home.path("data/tokmeter/estimates.jsonl").exists());
    assert!(Home::new().fine(&["backfill"]).out.contains("No answer"));
}

#[test]
fn agents_whose_logs_have_texts_and_no_counts_are_estimated_by_what_others_count() {
    let home = home();
    let sample =
        |name: &str| fs::read_to_string(std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("samples").join(name));
    home.write(".pi/agent/sessions/--w--/a.jsonl", &sample("pi/aborted.jsonl").unwrap());
    let session = "7c1d0c0e-0000-4000-8000-000000000001";
    for ending in ["json", "jsonl"] {
        let text = sample(&format!("kiro/{session}.{ending}")).unwrap();
        home.write(&format!(".kiro/sessions/cli/{session}.{ending}"), &text);
    }
    let before = total(&home);
    let found = home.fine(&["backfill", "--json"]).json();
    let rows: Vec<(&str, &str, u64, u64, bool)> = found["models"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| {
            let number = |name: &str| row[name].as_u64().unwrap();
            let is_own = row["is_own_measure"].as_bool().unwrap();
            let model = row["model"].as_str().unwrap();
            (row["agent"].as_str().unwrap(), model, number("calls"), number("estimated_output_tokens"), is_own)
        })
        .collect();
    // Four characters to a token, as in the answers of Claude Code and in the one of pi that has both.
    let expected = [
        ("claude-code", "claude-opus-5", 2, 400, true),
        // 25 and 26 characters, each rounded to the nearest.
        ("kiro", "claude-sonnet-4.5", 2, 6 + 7, false),
        ("pi", "gpt-5.5", 1, 92 / 4, false),
    ];
    assert_eq!(rows, expected);
    let kept = fs::read_to_string(home.path("data/tokmeter/estimates.jsonl")).unwrap();
    assert!(kept.lines().count() == 5 && !kept.contains("hello"), "{kept}");
    let after = total(&home);
    assert_eq!((&after["total"], &after["rows"]), (&before["total"], &before["rows"]));
    // 400 − 3, 13 and 23.
    assert_eq!(after["estimated"]["output_tokens"], json!(397 + 13 + 23));
}
