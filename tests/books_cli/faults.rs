//! Commands with a ledger that is damaged or cannot be written: they go on, with a warning.

use std::fs;
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::PathBuf;

use rusqlite::Connection;

use super::home::{Home, Said, line};

const LIMIT: &str = "[limits]\nday = \"5usd\"\n";

fn ledger(home: &Home) -> PathBuf {
    home.path("data/tokmeter/ledger.db")
}

/// Calls of `gpt-4o` at a dollar each: 400,000 tokens of input.
fn dollars(from: u32, count: u32) -> String {
    let call =
        |number| line(&format!("d-{number}"), "2026-11-22T09:00:00Z", "gpt-4o", 400_000, 0, ",\"session\":\"s-1\"");
    (from..from + count).map(call).collect()
}

fn corrupt(home: &Home) -> Vec<PathBuf> {
    let aside = home.files().into_iter().filter(|path| path.to_string_lossy().contains(".corrupt-"));
    aside
        .filter(|path| !path.to_string_lossy().ends_with("-wal") && !path.to_string_lossy().ends_with("-shm"))
        .collect()
}

/// Checks that every command with numbers counts one dollar booked and nine that are not.
fn says_ten(home: &Home, why: &str) {
    let gate = home.run(&["gate"]);
    assert_eq!(gate.code, 2, "{why}: {gate:?}");
    assert!(gate.err.contains("$10.00 of $5.00"), "{why}: {gate:?}");
    let said: std::collections::BTreeSet<&str> = gate.err.lines().collect();
    assert_eq!(said.len(), gate.err.lines().count(), "{why}: said twice: {}", gate.err);
    let gate = home.run(&["gate", "--json"]);
    assert_eq!((gate.code, &gate.json()["allowed"]), (2, &serde_json::json!(false)), "{why}");
    assert!(gate.json()["warning"].is_string(), "{why}: {gate:?}");
    let report = home.fine(&["report", "total", "--json"]);
    assert_eq!(report.json()["total"]["cost_usd"], 10.0, "{why}: {report:?}");
    assert!(report.err.contains("not saved") || report.err.contains("counted"), "{why}: {report:?}");
    let limits = home.run(&["limits", "show", "--json"]);
    assert_eq!(limits.json()["limits"][0]["percent"], 200, "{why}: {limits:?}");
    let summary = home.fine(&["summary", "--json"]);
    assert_eq!(summary.json()["calls"], 10, "{why}: {summary:?}");
    let metrics = home.fine(&["metrics"]);
    assert!(
        metrics.out.contains("tokmeter_calls_total{source=\"native\",model=\"gpt-4o\"} 10\n"),
        "{why}: {metrics:?}"
    );
    let line = home.fine(&["statusline"]).out;
    assert!(line.contains(" · ▲ ") && line.contains("$10.00"), "{why}: {line}");
    let once = home.fine(&["--once"]);
    assert!(once.out.contains("$10.00"), "{why}: {once:?}");
}

/// Checks that everything is booked afterwards, without further warnings.
fn is_well_again(home: &Home, why: &str) {
    let report = home.fine(&["report", "total", "--json"]);
    assert_eq!((report.json()["total"]["calls"].as_u64(), report.err.as_str()), (Some(10), ""), "{why}");
    home.log("");
    assert_eq!(home.fine(&["report", "total", "--json"]).json()["total"]["calls"], 10, "{why}: it is booked");
    assert!(home.fine(&["ledger", "verify"]).out.contains("whole"), "{why}");
}

#[test]
fn j2_while_another_process_writes_every_answer_is_of_all_that_was_read() {
    let home = Home::new();
    home.config(LIMIT);
    home.log(&dollars(0, 1));
    home.fine(&["report"]);
    let lock = Connection::open(ledger(&home)).unwrap();
    lock.execute_batch("BEGIN IMMEDIATE").unwrap();
    home.log(&dollars(0, 10));
    let gate = home.run(&["gate"]);
    assert_eq!(gate.code, 2, "{gate:?}");
    assert!(gate.err.contains("busy") && gate.err.contains("$10.00 of $5.00"), "{gate:?}");
    let line = home.fine(&["statusline"]).out;
    assert!(line.contains("▲ not booked") && line.contains("$10.00"), "{line}");
    drop(lock);
    is_well_again(&home, "busy");
}

#[test]
fn j2_a_ledger_of_a_newer_version_is_read_and_the_rest_counted_with_it() {
    let home = Home::new();
    home.config(LIMIT);
    home.log(&dollars(0, 1));
    home.fine(&["report"]);
    let version = |version: u32| {
        Connection::open(ledger(&home)).unwrap().pragma_update(None, "user_version", version).unwrap();
    };
    let known: u32 =
        Connection::open(ledger(&home)).unwrap().pragma_query_value(None, "user_version", |row| row.get(0)).unwrap();
    // No log holds the booked call any more.
    home.log(&dollars(1, 9));
    version(999);
    says_ten(&home, "newer");
    version(known);
    is_well_again(&home, "newer");
}

#[test]
fn j2_a_newer_ledger_that_is_not_understood_is_left_alone_and_the_logs_are_counted() {
    let home = Home::new();
    home.config(LIMIT);
    home.log(&dollars(0, 10));
    home.fine(&["report"]);
    let db = Connection::open(ledger(&home)).unwrap();
    db.execute_batch("ALTER TABLE kinds RENAME TO sorts; PRAGMA user_version = 999").unwrap();
    drop(db);
    says_ten(&home, "not understood");
    assert_eq!(corrupt(&home), Vec::<PathBuf>::new());
}

#[cfg(unix)]
#[test]
fn j2_a_ledger_that_may_not_be_written_is_read_and_the_rest_counted_with_it() {
    use std::os::unix::fs::PermissionsExt;
    let home = Home::new();
    home.config(LIMIT);
    home.log(&dollars(0, 1));
    home.fine(&["report"]);
    home.log(&dollars(1, 9));
    let folder = home.path("data/tokmeter");
    let mode = |file, dir| {
        fs::set_permissions(ledger(&home), fs::Permissions::from_mode(file)).unwrap();
        fs::set_permissions(&folder, fs::Permissions::from_mode(dir)).unwrap();
    };
    mode(0o400, 0o500);
    if fs::File::options().write(true).open(ledger(&home)).is_ok() {
        eprintln!("skipped: this user may write everywhere");
        return;
    }
    says_ten(&home, "read-only");
    mode(0o600, 0o700);
    is_well_again(&home, "read-only");
}

#[test]
fn j2_without_a_place_for_a_ledger_the_logs_are_counted() {
    let home = Home::new();
    home.config(LIMIT);
    let log = home.write("logs/usage.jsonl", &dollars(0, 10));
    home.config(&format!("logs = [\"{}\"]\n{LIMIT}", log.display()));
    // A file in place of the folder: nothing can be created there, not even by root.
    home.write("data", "");
    let gate = home.run(&["gate"]);
    assert_eq!(gate.code, 2, "{gate:?}");
    assert_eq!(home.fine(&["report", "total", "--json"]).json()["total"]["calls"], 10);
    assert!(home.fine(&["statusline"]).out.contains("▲ no ledger"));
}

/// Ways to damage the sums or the rows of a ledger that SQLite does not notice.
const WRONG: [&str; 6] = [
    "UPDATE rollup_days SET sums = (SELECT sums FROM kinds WHERE sums IS NOT NULL LIMIT 1)",
    "DELETE FROM rollup_days",
    "DELETE FROM rollup_kinds",
    "UPDATE kinds SET sums = NULL",
    "UPDATE calls SET body = json_set(body, '$[5]', body ->> 5 + 1)",
    "DELETE FROM rollup",
];

#[test]
fn j3_wrong_sums_are_found_and_mended_by_any_command() {
    for (spoil, command) in WRONG.into_iter().zip(["report", "gate", "limits", "metrics", "statusline", "summary"]) {
        let home = Home::new();
        home.config("[limits]\nday = \"500usd\"\n");
        home.log(&dollars(0, 10));
        home.fine(&["report"]);
        Connection::open(ledger(&home)).unwrap().execute_batch(spoil).unwrap();
        let said = home.fine(&[command]);
        assert!(said.err.contains("was damaged") && said.err.contains(".corrupt-"), "{spoil}, {command}: {said:?}");
        assert_eq!(corrupt(&home).len(), 1, "{spoil}, {command}");
        let after = home.fine(&["report", "total", "--json"]);
        assert_eq!((after.json()["total"]["calls"].as_u64(), after.err.as_str()), (Some(10), ""), "{spoil}, {command}");
        home.fine(&["ledger", "verify"]);
    }
}

#[test]
fn j3_of_many_calls_the_newest_sums_are_compared_before_a_gate_is_answered() {
    for spoil in [WRONG[1], WRONG[2], "UPDATE rollup_days SET sums = (SELECT sums FROM kinds WHERE sums IS NOT NULL)"] {
        let home = Home::new();
        home.config("[limits]\nday = \"5usd\"\n");
        home.log(&dollars(0, 400));
        home.fine(&["report"]);
        Connection::open(ledger(&home)).unwrap().execute_batch(spoil).unwrap();
        let said = home.run(&["gate"]);
        assert!(said.code == 2 && said.err.contains("was damaged"), "{spoil}: {said:?}");
        assert!(said.err.contains("$400.00 of $5.00"), "{spoil}: {said:?}");
    }
}

/// Overwrites pages in the middle of the ledger.
fn spoil_pages(home: &Home, from: u64) {
    Connection::open(ledger(home)).unwrap().query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())).unwrap();
    let mut file = fs::File::options().read(true).write(true).open(ledger(home)).unwrap();
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes).unwrap();
    let pages = u64::try_from(bytes.len()).unwrap() / 4096;
    for page in from..pages {
        file.seek(SeekFrom::Start(page * 4096)).unwrap();
        file.write_all(&[0xa5; 4096]).unwrap();
    }
}

#[test]
fn j3_damage_that_shows_after_opening_is_mended_by_any_command() {
    let commands: [&[&str]; 9] = [
        &["report"],
        &["report", "call", "--csv"],
        &["gate"],
        &["limits"],
        &["statusline"],
        &["summary"],
        &["--once"],
        &["signals"],
        &["metrics"],
    ];
    for (nth, command) in commands.into_iter().enumerate() {
        let home = Home::new();
        home.config("[limits]\nday = \"5000usd\"\n");
        home.log(&dollars(0, 2_000));
        home.fine(&["report"]);
        spoil_pages(&home, 8 + u64::try_from(nth).unwrap() * 4);
        home.log(&dollars(0, 2_001));
        let said = home.run(command);
        assert_eq!(said.code, 0, "{command:?}: {said:?}");
        let after = home.fine(&["report", "total", "--json"]);
        assert_eq!(after.json()["total"]["calls"], 2_001, "{command:?}: {after:?}");
        assert_eq!(corrupt(&home).len(), 1, "{command:?}: it is kept");
        assert!(home.fine(&["ledger", "verify"]).out.contains("whole"), "{command:?}");
    }
}

#[test]
fn j3_what_no_log_holds_any_more_is_taken_over_from_a_damaged_ledger() {
    let home = Home::new();
    home.log(&dollars(0, 400));
    home.fine(&["report"]);
    home.log(&dollars(400, 600));
    home.fine(&["report"]);
    home.fine(&["limits", "override", "s-1", "--reason", "release"]);
    // The indexes are missing, but the rows are there.
    let db = Connection::open(ledger(&home)).unwrap();
    db.execute_batch("DELETE FROM rollup_kinds").unwrap();
    drop(db);
    let said = home.fine(&["report", "total", "--json"]);
    assert!(said.err.contains("400 calls that no log holds any more"), "{said:?}");
    assert_eq!(said.json()["total"]["calls"], 1_000, "{said:?}");
    assert_eq!(home.fine(&["limits", "show", "--json"]).json()["overrides"][0]["reason"], "release");
    assert_eq!(home.fine(&["report", "total", "--json"]).err, "", "it is said once");
    home.fine(&["ledger", "verify"]);
}

#[test]
fn j3_what_cannot_be_recovered_stays_marked_as_long_as_the_damaged_ledger_is_kept() {
    let home = Home::new();
    home.config("[limits]\nday = \"9000usd\"\n");
    home.log(&dollars(0, 2_000));
    home.fine(&["report"]);
    home.log("");
    spoil_pages(&home, 40);
    let found = home.fine(&["statusline"]);
    assert!(found.err.contains("was damaged"), "{found:?}");
    let report = home.fine(&["report", "total", "--json"]);
    let calls = report.json()["total"]["calls"].as_u64().unwrap();
    assert!(calls < 2_000 && report.err.contains("cannot be recovered"), "{report:?}");
    assert_eq!(report.json()["unread_files"], 1, "{report:?}");
    for command in [["report", "total"].as_slice(), &["statusline"], &["limits"], &["--once"]] {
        let said = home.fine(command);
        assert!(said.out.contains('≥'), "{command:?}: {said:?}");
    }
    let doctor = home.run(&["doctor"]);
    assert!(doctor.code == 1 && doctor.out.contains("remove the file to accept that"), "{doctor:?}");
    // Whoever removes the file accepts the loss.
    for path in corrupt(&home) {
        fs::remove_file(path).unwrap();
    }
    let report = home.fine(&["report", "total", "--json"]);
    assert_eq!((report.json().get("unread_files"), report.err.as_str()), (None, ""), "{report:?}");
}

#[test]
fn j3_what_was_pruned_does_not_come_back_with_a_new_ledger() {
    let home = Home::new();
    let old = line("old", "2025-01-01T00:00:00Z", "gpt-4o", 10, 1, "");
    home.log(&format!("{old}{}", dollars(0, 5)));
    home.fine(&["report"]);
    home.fine(&["ledger", "prune", "--before", "2026-01-01"]);
    Connection::open(ledger(&home)).unwrap().execute_batch("DELETE FROM rollup_days").unwrap();
    assert_eq!(home.fine(&["report", "total", "--json"]).json()["total"]["calls"], 5);
}

#[cfg(unix)]
#[test]
fn j3_run_ends_as_the_agent_did_whatever_the_books_do() {
    let home = Home::new();
    home.log(&dollars(0, 2_000));
    home.fine(&["report"]);
    spoil_pages(&home, 8);
    let run = |home: &Home| -> Said { home.pipe(&["run", "--", "sh", "-c", "exit 3"], "") };
    assert_eq!(run(&home).code, 3);
    fs::remove_dir_all(home.path("data")).unwrap();
    home.write("data", "");
    assert_eq!(run(&home).code, 3);
}

#[test]
fn j13_many_models_users_and_sessions_are_counted_in_a_time_that_grows_with_them() {
    let count = 20_000_u32;
    for name in ["model", "user", "session"] {
        let home = Home::new();
        let call = |number: u32| {
            let model = if name == "model" { format!("m-{number}") } else { "gpt-4o".to_owned() };
            let rest = if name == "model" { String::new() } else { format!(",\"{name}\":\"n-{number}\"") };
            line(&format!("{number}"), "2026-11-22T09:00:00Z", &model, 1, 1, &rest)
        };
        home.log(&(0..count).map(call).collect::<String>());
        let begun = std::time::Instant::now();
        home.fine(&["report", "total"]);
        home.fine(&["--once"]);
        home.fine(&["report", "session", "--by", name, "--csv"]);
        // With quadratic cost it takes minutes.
        assert!(begun.elapsed().as_secs() < 60, "{name}: {:?}", begun.elapsed());
    }
}
