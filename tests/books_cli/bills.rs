//! `invoice` and `reconcile`: a month's cost, and its comparison with a provider's bill.

use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::home::{Home, Said, line, rows};

fn samples() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("samples/bills")
}

/// A home with the log that the sample bills charge for.
fn billed() -> Home {
    let home = Home::new().at("2026-11-05T12:00:00Z");
    home.log(&fs::read_to_string(samples().join("usage.jsonl")).unwrap());
    home
}

fn reconcile(home: &Home, bill: &str, more: &[&str]) -> Said {
    let bill = samples().join(bill);
    home.run(&[&["reconcile", bill.to_str().unwrap()], more].concat())
}

fn difference<'a>(answer: &'a Value, day: &str, model: &str) -> &'a Value {
    rows(answer, "differences").iter().find(|row| row["day"] == day && row["model"] == model).unwrap()
}

#[test]
fn an_invoice_bills_no_more_than_its_month_whatever_days_are_asked_for() {
    let home = Home::new().at("2026-12-05T12:00:00Z");
    let days = ["2026-10-31T23:59:59Z", "2026-11-01T00:00:00Z", "2026-11-30T23:59:59Z", "2026-12-01T00:00:00Z"];
    home.log(&days.map(|at| line(at, at, "gpt-4o", 1, 1, "")).concat());
    for (words, calls) in [
        (&[][..], 2),
        (&["--since", "2026-10-01"], 2),
        (&["--until", "2026-12-03"], 2),
        (&["--since", "2026-11-02"], 1),
    ] {
        let bill = home.fine(&[&["invoice", "2026-11", "--json"], words].concat()).json();
        assert_eq!(bill["total"]["calls"], calls, "{words:?}");
    }
}

#[test]
fn an_invoice_is_the_last_month_with_its_total_and_its_marks() {
    let home = billed();
    let text = home.fine(&["invoice"]).out;
    for words in [
        "Statement for October 2026",
        "2026-10-01 to 2026-10-31, UTC",
        "claude-opus-5",
        "total",
        "≥ $30.02",
        "770 tokens whose model has no known price",
        "list of 20",
    ] {
        assert!(text.contains(words), "{words}: {text}");
    }
    let json = home.fine(&["invoice", "2026-10", "--json"]).json();
    assert_eq!(
        (&json["month"], &json["by"][1], &json["month_is_over"]),
        (&"2026-10".into(), &"model".into(), &true.into())
    );
    // 1M × $5 + 1M × $25; 10,000 × $1 + 2,000 × $5; 500 × $2.50 + 300 × $10, each per million.
    assert_eq!(json["total"]["cost_usd"].to_string(), "30.02425");
    assert_eq!(rows(&json, "rows")[0]["model"], "claude-opus-5");
    assert_eq!(rows(&json, "rows").last().unwrap()["cost_usd"], Value::Null);

    let by_user = home.fine(&["invoice", "2026-10", "--by", "user", "--user", "bob", "--json"]).json();
    assert_eq!((rows(&by_user, "rows").len(), by_user["total"]["cost_usd"].to_string()), (1, "0.02".into()));
    let csv = home.fine(&["invoice", "2026-10", "--csv"]).out;
    let mut table = csv::Reader::from_reader(csv.as_bytes());
    assert_eq!(table.headers().unwrap().iter().take(3).collect::<Vec<_>>(), ["month", "user", "model"]);
    assert_eq!(table.records().map(|row| row.unwrap()[0].to_owned()).collect::<Vec<_>>(), ["2026-10"; 4]);
    let markdown = home.fine(&["invoice", "2026-10", "--markdown"]).out;
    assert!(markdown.starts_with("# Statement for October 2026") && markdown.contains("| total |"), "{markdown}");
    assert!(home.fine(&["invoice", "2026-11"]).out.contains("the month is not over"));
    assert!(home.fine(&["invoice", "2020-01"]).out.contains("No calls."));
    assert_eq!(home.run(&["invoice", "3d"]).code, 64);
}

#[test]
fn i5_a_hostile_name_stays_one_field_of_an_invoice() {
    let home = billed();
    home.log(&line("x", "2026-10-09T09:00:00Z", "=cmd()|calc\\n,\\\"x\\\"", 1, 1, ",\"user\":\"@SUM(A1)|\\nrow\""));
    let csv = home.fine(&["invoice", "2026-10", "--csv"]).out;
    let mut table = csv::Reader::from_reader(csv.as_bytes());
    let all: Vec<csv::StringRecord> = table.records().map(Result::unwrap).collect();
    assert_eq!(all.len(), 1, "{csv}");
    assert!(all[0][1].starts_with("'@SUM") && all[0][2].starts_with("'=cmd()"), "{csv}");
    let markdown = home.fine(&["invoice", "2026-10", "--markdown"]).out;
    let table: Vec<&str> = markdown.lines().filter(|line| line.starts_with('|')).collect();
    let cells = |row: &str| row.replace("\\|", "").matches('|').count();
    assert_eq!(table.len(), 4, "{markdown}");
    assert!(table.iter().all(|row| cells(row) == cells(table[0])), "{markdown}");
}

#[test]
fn anthropics_bill_is_held_against_the_books_per_day_and_model() {
    let home = billed();
    let said = reconcile(&home, "anthropic_cost.csv", &["--json"]);
    let json = said.json();
    assert_eq!((said.code, &json["bill"]), (1, &"anthropic".into()));
    let totals = ["bill_usd", "books_usd", "gap_usd"].map(|name| json[name].to_string());
    assert_eq!(totals, ["32.52", "30.02", "2.5"]);
    // Display names and dated names are one model: nothing differs on the first two days.
    assert_eq!(rows(&json, "differences").len(), 1);
    let missing = difference(&json, "2026-10-03", "claude-opus-5");
    assert_eq!((&missing["reason"], missing["difference_usd"].to_string()), (&"missing day".into(), "2.5".into()));
    assert_eq!(json["left_out_calls"], 2);
    assert_eq!(rows(&json, "causes")[0]["reason"], "missing day");
    assert_eq!(reconcile(&home, "anthropic_cost.csv", &["--tolerance", "8"]).code, 0);
    assert_eq!(reconcile(&home, "anthropic_cost.csv", &["--tolerance", "7"]).code, 1);
    assert_eq!(reconcile(&home, "anthropic_cost.csv", &["--until", "2026-10-02"]).code, 0);
    let text = reconcile(&home, "anthropic_cost.csv", &[]).out;
    assert!(text.contains("Gap    +$2.50, beyond 1%") && text.contains("no calls in the ledger"), "{text}");
}

#[test]
fn b14_books_without_a_price_are_unknown_next_to_a_bill() {
    let home = Home::new().at("2026-11-22T12:00:00Z");
    let bill = home.write("bill.csv", "date,model,cost\n2026-11-10,in-house,1.00\n2026-11-10,gpt-4o,2.50\n");
    let reconcile = |more: &[&str]| home.run(&[&["reconcile", bill.to_str().unwrap()], more].concat());
    home.log(&line("one", "2026-11-10T10:00:00Z", "in-house", 1_000_000, 0, ""));
    let json = reconcile(&["--json"]).json();
    assert!(json["books_usd"].is_null(), "{json}");
    assert!(difference(&json, "2026-11-10", "in-house")["books_usd"].is_null(), "{json}");
    let text = reconcile(&[]).out;
    assert!(text.contains("Books  ?\n"), "{text}");

    // A million tokens at $2.50.
    home.log(&line("two", "2026-11-10T10:00:00Z", "gpt-4o", 1_000_000, 0, ""));
    let json = reconcile(&["--json"]).json();
    assert_eq!((json["books_usd"].to_string(), json["gap_usd"].to_string()), ("2.5".into(), "1".into()));
    let text = reconcile(&[]).out;
    assert!(text.contains("Books  ≥ $2.50\n"), "{text}");
}

#[test]
fn openais_bill_and_a_table_of_ones_own_are_read_too() {
    let home = billed();
    let said = reconcile(&home, "openai_cost.csv", &["--json"]);
    let json = said.json();
    assert_eq!((said.code, &json["bill"], json["gap_usd"].to_string()), (0, &"openai".into(), "0".into()));
    assert_eq!(json["bill_usd"].to_string(), "0.00425");
    assert!(rows(&json, "differences").is_empty(), "{json}");

    let unknown = reconcile(&home, "generic.csv", &[]);
    assert!(unknown.code == 65 && unknown.err.contains("--date"), "{unknown:?}");
    let columns = ["--date", "When", "--model-column", "Which", "--cost", "Dollars"];
    let json = reconcile(&home, "generic.csv", &[&columns[..], &["--json"]].concat()).json();
    let unpriced = difference(&json, "2026-10-02", "in-house");
    assert_eq!((&unpriced["reason"], unpriced["difference_usd"].to_string()), (&"unpriced".into(), "1.5".into()));
    assert_eq!(difference(&json, "2026-10-01", "claude-opus-5")["reason"], "not on the bill");
}

#[test]
fn the_arithmetic_names_the_likely_reason_and_the_largest_comes_first() {
    let home = billed();
    home.log(
        &[
            line("1", "2026-10-01T09:00:00Z", "gpt-4o", 4_000_000, 0, ""),
            line("2", "2026-10-02T09:00:00Z", "claude-opus-5", 0, 100_000, ""),
            line("3", "2026-10-03T23:59:59Z", "claude-haiku-4-5", 1_000_000, 0, ""),
        ]
        .concat(),
    );
    let bill = "date,model,cost\n\
        2026-10-01,gpt-4o,5.00\n\
        2026-10-02,claude-opus-5,2.499\n\
        2026-10-02,gpt-4o-mini,40\n\
        2026-10-04,claude-haiku-4-5,1.00\n";
    let path = home.write("bill.csv", bill);
    let json = home.run(&["reconcile", path.to_str().unwrap(), "--json"]).json();
    let reason = |day, model| difference(&json, day, model)["reason"].as_str().unwrap().to_owned();
    assert_eq!(reason("2026-10-01", "gpt-4o"), "half price");
    assert_eq!(reason("2026-10-02", "claude-opus-5"), "rounding");
    assert_eq!(reason("2026-10-02", "gpt-4o-mini"), "not in logs");
    assert_eq!(reason("2026-10-03", "claude-haiku-4-5"), "another day");
    assert_eq!(reason("2026-10-04", "claude-haiku-4-5"), "another day");
    let sizes: Vec<tokmeter::testing::domain::Usd> = rows(&json, "differences")
        .iter()
        .map(|row| {
            let text = row["difference_usd"].to_string();
            tokmeter::testing::domain::Usd::parse(text.trim_start_matches('-')).unwrap().0
        })
        .collect();
    assert!(sizes.windows(2).all(|pair| pair[0] >= pair[1]), "{sizes:?}");
    assert_eq!(rows(&json, "differences")[0]["model"], "gpt-4o-mini");

    let path = home.write("broken.csv", &(bill.to_owned() + "soon,gpt-4o,1\n"));
    let said = home.run(&["reconcile", path.to_str().unwrap(), "--tolerance", "1000"]);
    assert!(said.code == 1 && said.out.contains("line 6: 'soon' is not a day"), "{said:?}");
    assert_eq!(home.run(&["reconcile", "nowhere.csv"]).code, 65);
}

#[test]
fn a_comparison_of_one_model_leaves_out_the_others_on_the_bill_too() {
    let home = Home::new().at("2026-10-05T12:00:00Z");
    let call = |id: &str, model: &str| line(id, "2026-10-01T10:00:00Z", model, 1_000_000, 0, "");
    home.log(&[call("1", "claude-haiku-4-5-20251001"), call("2", "claude-opus-5")].concat());
    let bill = "date,model,cost_usd\n2026-10-01,Claude Haiku 4.5,1.00\n2026-10-01,Claude Opus 5,90.00\n";
    let path = home.write("bill.csv", bill);
    let compare = |more: &[&str]| home.run(&[&["reconcile", path.to_str().unwrap(), "--json"], more].concat());
    for name in ["claude-haiku-4-5", "claude-haiku-4-5-20251001", "Claude Haiku 4.5", "*haiku*"] {
        let said = compare(&["--model", name]);
        let json = said.json();
        let totals = ["bill_usd", "books_usd", "gap_usd"].map(|name| json[name].to_string());
        assert_eq!((said.code, totals), (0, ["1", "1", "0"].map(str::to_owned)), "{name}: {json}");
    }
    assert_eq!(compare(&[]).code, 1);
    home.write("bill.csv", "date,cost_usd\n2026-10-01,6.00\n");
    let said = compare(&["--model", "claude-haiku-4-5"]);
    assert!(said.code == 64 && said.err.contains("names no models"), "{said:?}");
}
