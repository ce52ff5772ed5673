//! Agents that log a running total: what it grows by belongs to the time at which it grew.

use std::fs::File;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::time::{Duration, SystemTime};

use serde_json::{Value, json};

use super::common::Home;

/// Start of each session.
const START: &str = "2026-11-20T09:00:00Z";
const SESSION: &str = "d0d00001-0000-4000-8000-000000000009";

/// Writes a document as at this time.
fn write(home: &Home, path: &str, content: &Value, at: &str) {
    let path = home.write(path, &content.to_string());
    let at = chrono::DateTime::parse_from_rfc3339(at).unwrap();
    set_time(&path, SystemTime::UNIX_EPOCH + Duration::from_secs(u64::try_from(at.timestamp()).unwrap()));
}

fn set_time(path: &Path, at: SystemTime) {
    File::options().write(true).open(path).unwrap().set_modified(at).unwrap();
}

fn droid(home: &Home, input: u64, at: &str) {
    let usage = json!({"inputTokens": input, "outputTokens": 1, "cacheCreationTokens": 0, "cacheReadTokens": 0});
    let lock = json!("2026-11-20T09:00:00.000Z");
    let settings = json!({"model": "claude-opus-4-6", "providerLockTimestamp": lock, "tokenUsage": usage});
    write(home, &format!(".factory/sessions/-shop/{SESSION}.settings.json"), &settings, at);
}

fn fx(home: &Home, input: u64, at: &str) {
    let models = json!([{"model": "zai/glm-5.2", "input_tokens": input, "output_tokens": 1}]);
    let document = json!({"session_id": "1795165200000-1-abc", "snapshot": {"models": models}});
    write(home, ".fx/sessions/1795165200000-1-abc/usage-v2.json", &document, at);
}

fn codewhale(home: &Home, input: u64, at: &str) {
    let about =
        json!({"id": SESSION, "created_at": START, "updated_at": at, "total_tokens": input, "model": "glm-5.2"});
    // The file may be written much later than the session.
    write(home, &format!(".codewhale/sessions/{SESSION}.json"), &json!({"metadata": about}), "2026-11-30T00:00:00Z");
}

/// Runs statements in an agent's database.
fn run(home: &Home, path: &str, sql: &str) {
    rusqlite::Connection::open(home.file(path)).unwrap().execute_batch(sql).unwrap();
}

fn goose(home: &Home, input: u64, at: &str) {
    let sql = format!(
        "CREATE TABLE IF NOT EXISTS sessions (id TEXT PRIMARY KEY, working_dir TEXT, created_at TIMESTAMP, \
         updated_at TIMESTAMP, accumulated_total_tokens INTEGER, accumulated_input_tokens INTEGER, \
         accumulated_output_tokens INTEGER, model_config_json TEXT); \
         REPLACE INTO sessions VALUES ('20261120_1', '/home/kim/shop', '{START}', '{at}', {input} + 1, {input}, 1, \
         '{{\"model_name\":\"gpt-5.2\"}}')"
    );
    run(home, ".local/share/goose/sessions/sessions.db", &sql);
}

/// A thread of Zed's, which counts under its current model.
fn thread(home: &Home, (id, parent, model): (&str, &str, &str), input: u64, at: &str) {
    let model = json!({"provider": "zed.dev", "model": model});
    let usage = json!({"input_tokens": input, "output_tokens": 1});
    let data = json!({"model": model, "cumulative_token_usage": usage, "request_token_usage": {}});
    let sql = format!(
        "CREATE TABLE IF NOT EXISTS threads (id TEXT PRIMARY KEY, updated_at TEXT, data_type TEXT, data BLOB, \
         parent_id TEXT, created_at TEXT); \
         INSERT INTO threads VALUES ('{id}', '{at}', 'json', CAST('{data}' AS BLOB), {parent}, '{START}') \
         ON CONFLICT (id) DO UPDATE SET updated_at = excluded.updated_at, data = excluded.data"
    );
    run(home, ".local/share/zed/threads/threads.db", &sql);
}

fn zed(home: &Home, input: u64, at: &str) {
    thread(home, ("z1", "NULL", "claude-opus-5"), input, at);
}

fn seconds(at: &str) -> i64 {
    chrono::DateTime::parse_from_rfc3339(at).unwrap().timestamp()
}

/// Hermes' table of sessions.
const HERMES: &str = "CREATE TABLE IF NOT EXISTS sessions (id TEXT PRIMARY KEY, model TEXT, started_at REAL, ended_at REAL, \
                      input_tokens INTEGER, output_tokens INTEGER, estimated_cost_usd REAL);";

fn hermes(home: &Home, input: u64, at: &str) {
    let (start, at) = (seconds(START), seconds(at));
    let sql = format!(
        "{HERMES} CREATE TABLE IF NOT EXISTS session_model_usage (session_id TEXT, model TEXT, task TEXT, \
         input_tokens INTEGER, output_tokens INTEGER, estimated_cost_usd REAL, first_seen REAL, last_seen REAL, \
         PRIMARY KEY (session_id, model, task)); \
         REPLACE INTO sessions VALUES ('h1', 'our-model', {start}, NULL, {input}, 1, 0); \
         INSERT INTO session_model_usage VALUES ('h1', 'our-model', '', {input}, 1, {input} / 1000.0, {start}, {at}) \
         ON CONFLICT DO UPDATE SET input_tokens = {input}, estimated_cost_usd = {input} / 1000.0, last_seen = {at}"
    );
    run(home, ".hermes/state.db", &sql);
}

/// Hermes before it had totals by model and their times.
fn older_hermes(home: &Home, input: u64, at: &str) {
    let (start, at) = (seconds(START), seconds(at));
    let sql = format!(
        "{HERMES} CREATE TABLE IF NOT EXISTS messages (session_id TEXT, timestamp REAL); \
         REPLACE INTO sessions VALUES ('h1', 'our-model', {start}, NULL, {input}, 1, {input} / 1000.0); \
         INSERT INTO messages VALUES ('h1', {at})"
    );
    run(home, ".hermes/state.db", &sql);
}

fn crush(home: &Home, thousandths: u64, at: &str) {
    let (start, at) = (seconds(START), seconds(at));
    let sql = format!(
        "CREATE TABLE IF NOT EXISTS sessions (id TEXT PRIMARY KEY, parent_session_id TEXT, cost REAL, \
         updated_at INTEGER, created_at INTEGER); \
         INSERT INTO sessions VALUES ('c1', NULL, {thousandths} / 1000.0, {at}, {start}) \
         ON CONFLICT DO UPDATE SET cost = excluded.cost, updated_at = {at}"
    );
    run(home, ".crush/crush.db", &sql);
}

/// A report by day, and the rows' values of this measure.
fn report(home: &Home, measure: &str, more: &[&str]) -> Vec<(String, String)> {
    let report = [&["report", "day", "--json", "--since", "2026-11-01"], more].concat();
    let out = home.tokmeter().args(report).output().unwrap();
    let report: Value = serde_json::from_slice(&out.stdout).unwrap();
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let row = |row: &Value| (text(&row["day"]), text(&row[measure]));
    report["rows"].as_array().unwrap().iter().map(row).collect()
}

/// The days with their input tokens.
fn days(home: &Home, more: &[&str]) -> Vec<(String, u64)> {
    let rows = report(home, "input_tokens", more).into_iter();
    rows.map(|(day, tokens)| (day, tokens.parse().unwrap())).collect()
}

#[test]
fn a_total_that_grows_counts_on_the_day_on_which_it_grew() {
    for (write, states_its_time) in [
        (droid as fn(&Home, u64, &str), false),
        (fx, false),
        (codewhale, true),
        (goose, true),
        (zed, true),
        (hermes, true),
        (older_hermes, true),
    ] {
        let home = Home::new();
        let is = |day: &str, input| (format!("2026-11-{day}"), input);
        write(&home, 1_000, "2026-11-20T10:00:00Z");
        assert_eq!(days(&home, &[]), [is("20", 1_000)]);
        write(&home, 1_500, "2026-11-20T23:59:00Z");
        write(&home, 1_600, "2026-11-21T00:01:00Z");
        assert_eq!(days(&home, &[]), [is("20", 1_000), is("21", 600)]);
        write(&home, 4_000, "2026-11-23T09:30:00Z");
        assert_eq!(days(&home, &[]), [is("20", 1_000), is("21", 600), is("23", 2_400)]);
        // The file is copied, and its total is the same.
        write(&home, 4_000, "2026-11-24T09:30:00Z");
        assert_eq!(days(&home, &[]), [is("20", 1_000), is("21", 600), is("23", 2_400)]);
        // A reader that sees only the last total knows when the log says that it was written, or when the session
        // began.
        let day = if states_its_time { "24" } else { "20" };
        assert_eq!(days(&home, &["--no-ledger"]), [is(day, 4_000)]);
        let verified = home.tokmeter().args(["ledger", "verify"]).output().unwrap();
        assert_eq!(verified.status.code(), Some(0), "{verified:?}");
    }
}

#[test]
fn a_cost_that_grows_counts_on_the_day_on_which_it_grew() {
    for write in [crush, hermes, older_hermes] {
        let home = Home::new();
        let is = |day: &str, cost: &str| (format!("2026-11-{day}"), cost.to_owned());
        let costs = |more: &[&str]| report(&home, "cost_usd", more);
        write(&home, 1_000, "2026-11-20T10:00:00Z");
        assert_eq!(costs(&[]), [is("20", "1")]);
        write(&home, 1_250, "2026-11-21T00:01:00Z");
        assert_eq!(costs(&[]), [is("20", "1"), is("21", "0.25")]);
        write(&home, 1_500, "2026-11-21T00:01:30Z");
        write(&home, 4_000, "2026-11-23T09:30:00Z");
        assert_eq!(costs(&[]), [is("20", "1"), is("21", "0.25"), is("23", "2.75")]);
        assert_eq!(costs(&["--no-ledger"]), [is("23", "4")]);
        let verified = home.tokmeter().args(["ledger", "verify"]).output().unwrap();
        assert_eq!(verified.status.code(), Some(0), "{verified:?}");
    }
}

#[test]
fn a_database_that_an_earlier_version_read_as_calls_is_read_again() {
    let home = Home::new();
    crush(&home, 1_000, "2026-11-21T10:00:00Z");
    let costs = || report(&home, "cost_usd", &[]);
    let is = |day: &str, cost: &str| (format!("2026-11-{day}"), cost.to_owned());
    assert_eq!(costs(), [is("21", "1")]);
    // Rows before the position to which it has been read.
    let add = |number: i64| {
        let start = seconds(START);
        let sql = format!(
            "INSERT INTO sessions (rowid, id, cost, updated_at, created_at) VALUES ({number}, 'c{number}', 2.0, {start}, {start})"
        );
        run(&home, ".crush/crush.db", &sql);
    };
    add(-1);
    assert_eq!(costs(), [is("21", "1")]);
    let of_earlier = r#"UPDATE files SET reader = replace(reader, '"revision":1,', '') WHERE reader LIKE '%crush%'"#;
    run(&home, ".local/share/tokmeter/ledger.db", of_earlier);
    add(-2);
    assert_eq!(costs(), [is("20", "4"), is("21", "1")]);
}

/// Hermes' tables as its newer versions create them.
const NEWER_HERMES: &str = "CREATE TABLE sessions (id TEXT PRIMARY KEY, model TEXT, started_at REAL, input_tokens INTEGER, \
                            output_tokens INTEGER, estimated_cost_usd REAL, actual_cost_usd REAL); \
                            CREATE TABLE messages (session_id TEXT, timestamp REAL); \
                            CREATE TABLE session_model_usage (session_id TEXT, model TEXT, task TEXT, input_tokens INTEGER, \
                            output_tokens INTEGER, estimated_cost_usd REAL, actual_cost_usd REAL, first_seen REAL, \
                            last_seen REAL, PRIMARY KEY (session_id, model, task));";

/// Adds to the total of a session, and to the one by model if there is a task.
fn answer(home: &Home, (session, model): (&str, &str), task: Option<&str>, input: u64, at: &str) {
    let (start, at) = (seconds(START), seconds(at));
    let is_of_main_loop = task.is_none_or(|task| task.is_empty() || task == "voice_chat");
    let whole = if is_of_main_loop { input } else { 0 };
    let whole_of_session = format!(
        "INSERT INTO sessions VALUES ('{session}', 'our-model', {start}, {whole}, 1, {whole} / 1000.0, NULL) \
         ON CONFLICT DO UPDATE SET input_tokens = input_tokens + {whole}, \
         estimated_cost_usd = estimated_cost_usd + {whole} / 1000.0"
    );
    let message = is_of_main_loop.then(|| format!("INSERT INTO messages VALUES ('{session}', {at})"));
    let by_model = task.map(|task| {
        format!(
            "INSERT INTO session_model_usage VALUES ('{session}', '{model}', '{task}', {input}, 0, {input} / 1000.0, 0, \
             {at}, {at}) ON CONFLICT DO UPDATE SET input_tokens = input_tokens + {input}, \
             estimated_cost_usd = estimated_cost_usd + {input} / 1000.0, last_seen = {at}"
        )
    });
    let all: Vec<String> = [Some(whole_of_session), message, by_model].into_iter().flatten().collect();
    run(home, ".hermes/state.db", &format!("BEGIN; {}; COMMIT", all.join("; ")));
}

/// Input tokens in all sessions.
fn input_of(home: &Home, more: &[&str]) -> u64 {
    days(home, more).iter().map(|(_, input)| input).sum()
}

#[test]
fn what_totals_by_model_lack_of_the_sessions_own_total_counts_while_both_grow() {
    let home = Home::new();
    run(&home, ".hermes/state.db", NEWER_HERMES);
    let (ours, other) = (("h1", "our-model"), ("h1", "other-model"));
    let mut whole = 0;
    for (hour, (of, task, input)) in [
        // Before there were totals by model, and then by a gateway, which only knows the whole.
        (ours, None, 100_000),
        (other, Some("title_generation"), 300),
        (ours, None, 200_000),
        // The terminal adds to both.
        (ours, Some(""), 1_000),
        (other, Some(""), 2_000),
        (other, Some("title_generation"), 20),
        (other, Some("voice_chat"), 4_000),
        (ours, None, 8_000),
        (ours, Some(""), 16_000),
        (other, Some("voice_chat"), 32_000),
        (("h2", "our-model"), Some(""), 64_000),
    ]
    .into_iter()
    .enumerate()
    {
        answer(&home, of, task, input, &format!("2026-11-20T{:02}:30:00Z", 9 + hour));
        whole += input;
        assert_eq!((input_of(&home, &[]), input_of(&home, &["--no-ledger"])), (whole, whole), "{hour}");
    }
    answer(&home, ours, None, 5_000, "2026-11-22T10:00:00Z");
    let is = |day: &str, input| (format!("2026-11-{day}"), input);
    assert_eq!(days(&home, &[]), [is("20", whole), is("22", 5_000)]);
    let costs = report(&home, "cost_usd", &[]);
    assert_eq!(
        costs.iter().map(|(_, cost)| cost.as_str()).collect::<Vec<_>>(),
        [format!("{}.32", whole / 1000).as_str(), "5"]
    );
    for more in [&[][..], &["--no-ledger"]] {
        let out =
            home.tokmeter().args([&["report", "total", "--json", "--by", "model"], more].concat()).output().unwrap();
        let report: Value = serde_json::from_slice(&out.stdout).unwrap();
        let row = |row: &Value| (row["model"].as_str().unwrap().to_owned(), row["input_tokens"].as_u64().unwrap());
        let mut rows: Vec<_> = report["rows"].as_array().unwrap().iter().map(row).collect();
        rows.sort();
        let is = |model: &str, input| (model.to_owned(), input);
        assert_eq!(rows, [is("other-model", 38_320), is("our-model", 394_000)], "{more:?}");
    }
    let verified = home.tokmeter().args(["ledger", "verify"]).output().unwrap();
    assert_eq!(verified.status.code(), Some(0), "{verified:?}");
}

#[test]
fn a_database_that_an_earlier_version_read_is_read_again_even_if_it_never_changes() {
    let home = Home::new();
    run(&home, ".hermes/state.db", NEWER_HERMES);
    answer(&home, ("h1", "our-model"), None, 1_000, "2026-11-20T10:00:00Z");
    assert_eq!(input_of(&home, &[]), 1_000);
    // What that version did not count looks fully read.
    run(&home, ".hermes/state.db", "UPDATE sessions SET input_tokens = 9000");
    let stat = std::fs::metadata(home.file(".hermes/state.db")).unwrap();
    let changed = stat.ctime() * 1_000_000_000 + stat.ctime_nsec();
    let ledger = |sql: &str| run(&home, ".local/share/tokmeter/ledger.db", sql);
    ledger(&format!("UPDATE files SET size = {}, modified_ns = {changed}", stat.size()));
    assert_eq!(input_of(&home, &[]), 1_000);
    ledger(r#"UPDATE files SET reader = replace(reader, '"revision":2,', '"revision":1,')"#);
    assert_eq!(input_of(&home, &[]), 9_000);
}

#[test]
fn a_thread_leaves_its_first_model_what_it_used_and_adds_to_that_of_its_sub_agents() {
    let home = Home::new();
    let of = |by: &str| {
        let out = home.tokmeter().args(["report", "total", "--json", "--by", by]).output().unwrap();
        let report: Value = serde_json::from_slice(&out.stdout).unwrap();
        let row = |row: &Value| (row[by].as_str().unwrap_or("-").to_owned(), row["input_tokens"].as_u64().unwrap());
        let mut rows: Vec<_> = report["rows"].as_array().unwrap().iter().map(row).collect();
        rows.sort();
        rows
    };
    let is = |name: &str, input| (name.to_owned(), input);
    thread(&home, ("z1", "NULL", "claude-opus-5"), 1_000, "2026-11-20T10:00:00Z");
    thread(&home, ("z2", "'z1'", "claude-opus-5"), 70, "2026-11-20T10:10:00Z");
    assert_eq!(of("model"), [is("claude-opus-5", 1_070)]);
    thread(&home, ("z1", "NULL", "claude-haiku-4-5"), 1_300, "2026-11-21T10:00:00Z");
    thread(&home, ("z2", "'z1'", "claude-opus-5"), 90, "2026-11-22T10:00:00Z");
    assert_eq!(of("model"), [is("claude-haiku-4-5", 300), is("claude-opus-5", 1_090)]);
    assert_eq!((of("session"), of("agent")), (vec![is("z1", 1_390)], vec![is("-", 1_300), is("z2", 90)]));
    let is = |day: &str, input| (format!("2026-11-{day}"), input);
    assert_eq!(days(&home, &[]), [is("20", 1_070), is("21", 300), is("22", 20)]);
    thread(&home, ("z1", "NULL", "claude-opus-5"), 1_400, "2026-11-22T10:00:00Z");
    assert_eq!(days(&home, &[]), [is("20", 1_070), is("21", 300), is("22", 120)]);
}
