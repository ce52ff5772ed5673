//! What is not believed: impossible imports, places that others chose, files of the wrong kind, hostile names.

use std::fmt::Write as _;

use crate::home::{Home, line};

/// One exported call, as its own line.
fn exported() -> String {
    let home = Home::new();
    home.log(&line("a", "2026-11-22T09:00:00Z", "gpt-4o", 500, 300, ",\"session\":\"s-1\""));
    home.fine(&["ledger", "export"]).out
}

#[test]
fn j12_counts_and_costs_that_no_log_could_hold_are_refused_by_line_and_the_rest_is_imported() {
    let good = exported();
    let odd = |from: &str, to: &str| {
        assert!(good.contains(from), "{from} in {good}");
        good.replace(from, to)
    };
    let (from, until) = (good.find("\"booked_usd\":\"").unwrap() + 14, good.find("\",\"saved_usd").unwrap());
    let cost = good[from..until].to_owned();
    let lines = [
        odd("\"input_tokens\":500", "\"input_tokens\":18446744073709551615"),
        odd("\"input_tokens\":500", "\"input_tokens\":1000000001"),
        odd("\"output_tokens\":300", "\"output_tokens\":-300"),
        odd("\"output_tokens\":300", "\"output_tokens\":1.5"),
        odd(&format!("\"booked_usd\":\"{cost}\""), "\"booked_usd\":\"-500\""),
        odd(&format!("\"booked_usd\":\"{cost}\""), "\"booked_usd\":\"1e15\""),
        odd("\"at\":\"2026", "\"at\":\"1626"),
    ];
    let other = Home::new();
    other.write("mixed.jsonl", &format!("{}{good}", lines.concat()));
    let said = other.run(&["ledger", "import", "mixed.jsonl"]);
    assert_eq!(said.code, 1, "{said:?}");
    assert!(said.out.starts_with("1 call read, 1 of them") && said.out.contains("7 lines refused"), "{said:?}");
    let reasons = [
        "input_tokens is 18446744073709551615",
        "more than one call",
        "is -300",
        "is 1.5",
        "-500",
        "no call costs",
        "before 1970",
    ];
    for (at, reason) in reasons.iter().enumerate() {
        let place = format!("mixed.jsonl:{}: ", at + 1);
        assert!(
            said.err.lines().any(|line| line.contains(&place) && line.contains(reason)),
            "{place}{reason} in {said:?}"
        );
    }
    let total = other.fine(&["report", "total", "--json"]).json();
    assert_eq!((&total["total"]["calls"], &total["total"]["input_tokens"]), (&1.into(), &500.into()));

    other.write("bad.jsonl", &lines.concat());
    let said = other.run(&["ledger", "import", "bad.jsonl"]);
    assert!(said.code == 65 && said.err.contains("nothing was imported"), "{said:?}");
    other.fine(&["ledger", "verify"]);
}

#[test]
fn j12_a_file_that_is_no_export_imports_nothing_and_an_import_in_many_turns_is_whole() {
    let home = Home::new();
    let mut log = String::new();
    for number in 0..4_500 {
        log += &line(&format!("c{number}"), "2026-11-22T09:00:00Z", "gpt-4o", 10, 1, ",\"session\":\"s-1\"");
    }
    home.log(&log);
    let export = home.fine(&["ledger", "export"]).out;
    let other = Home::new();
    other.write("cut.jsonl", &format!("{export}{{\"key\":"));
    let said = other.run(&["ledger", "import", "cut.jsonl"]);
    assert!(said.code == 65 && said.err.contains("cut.jsonl:4501") && said.err.contains("nothing was imported"));
    other.write("whole.jsonl", &export);
    assert!(other.fine(&["ledger", "import", "whole.jsonl"]).out.starts_with("4,500 calls read, 4,500 of them"));
    let words = ["report", "session", "--by", "model", "--json"];
    assert_eq!(other.fine(&words).out, home.fine(&words).out);
    other.fine(&["ledger", "verify"]);
}

#[test]
fn j12_descents_child_first_give_one_family() {
    let home = Home::new();
    let mut chain = String::new();
    for number in 0..300 {
        let _ = writeln!(chain, "{{\"child\":\"c{number}\",\"parent\":\"c{}\"}}", number + 1);
    }
    home.write("chain.jsonl", &chain);
    home.fine(&["ledger", "import", "chain.jsonl"]);
    assert_eq!(home.fine(&["ledger", "export"]).out.lines().count(), 300);
}
