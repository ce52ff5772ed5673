//! Every sample under `samples/` decodes to its `expected.json`, in any way of reading.

#![allow(clippy::unwrap_used, clippy::option_option, missing_docs, reason = "a panic fails the test")]

#[path = "formats/turns.rs"]
mod turns;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use proptest::prelude::*;
use serde::Deserialize;
use tokmeter::testing::domain::{Claim, Dimension, Filter, Instant, Label, Record, Speed, Status, Turn, Usd, Zone};
use tokmeter::testing::formats::{BadLine, Decoder, FormatId, Framing, Origin, Outcome, format_of_name};
use tokmeter::testing::ingest::{Options, Roots, Tails};
use tokmeter::testing::ledger::{Batch, Grain, Ledger, Memory, Options as LedgerOptions, Query, Row, open};
use tokmeter::testing::pricing::{CostMode, PriceBook};
use tokmeter::testing::samples::{Model, of_ledger};

/// Expected totals of a folder of samples.
#[derive(Deserialize)]
struct Expected {
    /// All of it, by model.
    models: Vec<Model>,
    /// Its files and folders, separately.
    #[serde(default)]
    traps: BTreeMap<String, Vec<Model>>,
    /// The calls that each session of a trap made.
    #[serde(default)]
    sessions: BTreeMap<String, BTreeMap<String, u64>>,
}

/// Files that belong together, with their expected totals.
struct Case {
    name: String,
    files: Vec<PathBuf>,
    models: Vec<Model>,
}

fn samples() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("samples")
}

fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    for entry in fs::read_dir(samples()).unwrap() {
        let folder = entry.unwrap().path();
        let Ok(expected) = fs::read_to_string(folder.join("expected.json")) else { continue };
        let expected: Expected =
            serde_json::from_str(&expected).unwrap_or_else(|why| panic!("{}: {why}", folder.display()));
        let name = folder.file_name().unwrap().to_string_lossy().into_owned();
        for (trap, models) in expected.traps {
            cases.push(Case { name: format!("{name}/{trap}"), files: logs(&folder.join(trap)), models });
        }
        cases.push(Case { name, files: logs(&folder), models: expected.models });
    }
    assert!(cases.len() > 40, "the samples were not found");
    cases
}

fn logs(path: &Path) -> Vec<PathBuf> {
    if path.is_file() {
        let is_sql = path.extension().is_some_and(|ending| ending == "sql");
        return if is_sql || framing_of(path).is_some() { vec![path.to_owned()] } else { vec![] };
    }
    let mut all: Vec<_> = fs::read_dir(path).unwrap().flat_map(|entry| logs(&entry.unwrap().path())).collect();
    all.sort();
    all
}

/// The agent in whose folder a sample is, if its logs are known by their place alone.
fn owner(path: &Path) -> Option<FormatId> {
    let folder = path.strip_prefix(samples()).ok()?.components().next()?.as_os_str().to_str()?;
    FormatId::of_name(folder).filter(|id| id.format().is_known_by_place())
}

/// How a sample is framed; `None` for a file that is not a log.
fn framing_of(path: &Path) -> Option<Framing> {
    let name = path.file_name().unwrap();
    if name == "expected.json" {
        return None;
    }
    if let Some(owner) = owner(path) {
        return owner.format().framing(name.as_encoded_bytes());
    }
    let is_lines = path.extension().is_some_and(|ending| ending == "jsonl");
    is_lines.then_some(Framing::Lines).or_else(|| Some(format_of_name(name.as_encoded_bytes())?.1))
}

fn has_lines(path: &Path) -> bool {
    framing_of(path) == Some(Framing::Lines)
}

/// The format of a document, by its place or its name.
fn format_of(path: &Path) -> Option<FormatId> {
    let is_document = framing_of(path) == Some(Framing::Document);
    let by_name = || format_of_name(path.file_name().unwrap().as_encoded_bytes()).map(|(id, _)| id);
    owner(path).or_else(by_name).filter(|_| is_document)
}

/// A reader of a sample's lines, as for a file in its agent's place or one that the user names.
fn decoder(path: &Path) -> Decoder {
    owner(path).map_or_else(|| Decoder::new(&[]), |id| described(id, path))
}

/// A reader of one agent's file, with the names from the files next to it.
fn described(id: FormatId, path: &Path) -> Decoder {
    let mut decoder = Decoder::of_format(id, &[]);
    for text in id.format().project_files(path).iter().filter_map(|file| fs::read(file).ok()) {
        decoder.describe(&text);
    }
    decoder
}

/// The logs that consist of lines.
fn line_logs() -> impl Iterator<Item = PathBuf> {
    logs(&samples()).into_iter().filter(|path| has_lines(path))
}

/// The rows of a database that is made of these statements, under the name that its agent gives it: read when it is
/// complete, twice, or after each statement by a new reader that goes on from the checkpoint.
fn rows_of(sql: &Path, how: Reading) -> Vec<Record> {
    let folder = tempfile::tempdir().unwrap();
    let stem = Path::new(sql.file_stem().unwrap());
    // `sessions.sql` makes `sessions.db`, `state.vscdb.sql` makes `state.vscdb`.
    let named = if stem.extension().is_some() { stem.to_owned() } else { stem.with_extension("db") };
    let database = folder.path().join(named);
    let text = fs::read_to_string(sql).unwrap();
    let connection = rusqlite::Connection::open(&database).unwrap();
    connection.execute_batch("PRAGMA synchronous = OFF").unwrap();
    let (mut out, mut checkpoint) = (Vec::new(), None);
    let mut read = |statements: &str, goes_on: bool| {
        connection.execute_batch(statements).unwrap();
        let now = std::time::Instant::now();
        let mut tails = Tails::new(&Roots::only([database.clone()]), Options::default());
        tails.resume(checkpoint.clone().filter(|_| goes_on));
        tails.rescan(now);
        tails.poll_once(now, &mut |batch| {
            assert!(batch.bad.is_empty(), "{}: {:?}", sql.display(), batch.bad);
            out.extend(batch.records);
            checkpoint = batch.file.or(checkpoint.take());
        });
    };
    match how {
        Reading::Restarted | Reading::RestartedAt(_) => {
            // As in a program that runs, one row after the other.
            text.split_inclusive(";\n").for_each(|statement| read(statement, true));
        }
        Reading::Twice => {
            read(&text, false);
            read("", false);
        }
        Reading::Plain | Reading::OfOneProgram => read(&text, false),
    }
    out
}

fn noon() -> Instant {
    "2026-11-20T12:00:00Z".parse().unwrap()
}

fn origin(path: &Path, offset: usize) -> Origin {
    let path = path.strip_prefix(samples()).unwrap_or(path);
    Origin { path: Label::new(&path.to_string_lossy()), offset: offset as u64, modified: noon() }
}

/// Ways of passing a file's lines to its reader.
#[derive(Clone, Copy, PartialEq)]
enum Reading {
    /// One after the other.
    Plain,
    /// Each line twice.
    Twice,
    /// A new reader for each line, resuming from the previous one's state.
    Restarted,
    /// A new reader from this line on.
    RestartedAt(usize),
    /// As the log of a single program.
    OfOneProgram,
}

/// The lines of a log. An object over several lines is one of them, and one that begins behind another is its own.
fn pieces(bytes: &[u8]) -> Vec<&[u8]> {
    let (mut pieces, mut begin, mut at) = (Vec::new(), 0, 0);
    let mut is_open = false;
    for line in bytes.split_inclusive(|byte| *byte == b'\n') {
        if line == b"}{\n" {
            pieces.push(&bytes[begin..=at]);
            begin = at + 1;
        } else {
            is_open = line == b"{\n" || (is_open && line != b"}\n");
        }
        at += line.len();
        if !is_open {
            pieces.push(&bytes[begin..at]);
            begin = at;
        }
    }
    pieces
}

fn read(file: &Path, how: Reading) -> Vec<Record> {
    if file.extension().is_some_and(|ending| ending == "sql") {
        return rows_of(file, how);
    }
    let bytes = fs::read(file).unwrap();
    if let Some(format) = format_of(file) {
        let mut out = Vec::new();
        for _ in 0..if how == Reading::Twice { 2 } else { 1 } {
            assert_eq!(described(format, file).document(&bytes, &origin(file, 0), &mut out), Outcome::Read);
        }
        return out;
    }
    let mut lines = decoder(file);
    if how == Reading::OfOneProgram {
        lines = lines.of_one_program();
    }
    let mut out = Vec::new();
    let mut offset = 0;
    for (number, line) in pieces(&bytes).into_iter().enumerate() {
        if how == Reading::Restarted || how == Reading::RestartedAt(number) {
            let state = lines.state();
            lines = decoder(file);
            lines.restore(&state);
            assert_eq!(lines.state(), state);
        }
        for _ in 0..if how == Reading::Twice { 2 } else { 1 } {
            let outcome = lines.line(line, &origin(file, offset), &mut out);
            assert!(!matches!(outcome, Outcome::Bad(_)), "{}:{}: {outcome:?}", file.display(), number + 1);
        }
        offset += line.len();
    }
    out
}

fn prices() -> Arc<PriceBook> {
    Arc::new(PriceBook::new(Vec::new(), Vec::new(), CostMode::Auto))
}

fn books(records: Vec<Record>) -> Memory {
    let mut books = Memory::new(prices());
    books.post(&Batch { records, files: Vec::new() }).unwrap();
    books
}

fn rows(books: &Memory) -> Vec<Arc<Row>> {
    books.calls(&Filter::default(), usize::MAX).unwrap()
}

/// Sums per model, in the order of `expected.json`.
fn models(books: &Memory) -> Vec<Model> {
    of_ledger(books).unwrap()
}

fn check(case: &Case, how: &str, records: Vec<Record>) {
    check_books(case, how, &books(records));
}

fn check_books(case: &Case, how: &str, books: &dyn Ledger) {
    let mut found = of_ledger(books).unwrap();
    let mut expected = case.models.clone();
    expected.sort_by(|one, other| one.name.cmp(&other.name));
    for (found, expected) in found.iter_mut().zip(&expected) {
        found.drop_unstated(expected);
    }
    assert_eq!(found, expected, "samples/{} {how}", case.name);
}

#[test]
fn every_sample_comes_to_what_is_expected_of_it() {
    for case in cases() {
        let records = case.files.iter().flat_map(|file| read(file, Reading::Plain)).collect();
        check(&case, "read from beginning to end", records);
    }
}

#[test]
fn the_order_of_files_does_not_matter() {
    for case in cases() {
        check(&case, "in reverse", case.files.iter().rev().flat_map(|file| read(file, Reading::Plain)).collect());
    }
}

/// All orders of a few things; of many, those in which each of them is once the first and once the last.
fn orders(count: usize) -> Vec<Vec<usize>> {
    if count > 4 {
        let rotated = |first: usize| (0..count).map(move |at| (first + at) % count).collect::<Vec<_>>();
        let reversed = |first| rotated(first).into_iter().rev().collect();
        return (0..count).flat_map(|first| [rotated(first), reversed(first)]).collect();
    }
    (0..count).fold(vec![Vec::new()], |all, next| {
        let with = |order: Vec<usize>| (0..=order.len()).map(move |at| [&order[..at], &[next], &order[at..]].concat());
        all.into_iter().flat_map(with).collect()
    })
}

#[test]
fn j29_what_a_ledger_holds_when_it_reads_the_next_file_does_not_matter() {
    let (folder, mut number) = (tempfile::tempdir().unwrap(), 0);
    for case in cases().iter().filter(|case| case.files.len() > 1) {
        let records: Vec<Vec<Record>> = case.files.iter().map(|file| read(file, Reading::Plain)).collect();
        // Calls alone are joined by their keys.
        if !records.iter().flatten().any(|record| matches!(record, Record::Bill(_))) {
            continue;
        }
        for order in orders(records.len()) {
            let file = folder.path().join(format!("{number}.db"));
            number += 1;
            let opened = || open(&file, LedgerOptions::new(noon()), prices()).unwrap().books;
            for file in &order {
                let mut books = opened();
                books.post(&Batch { records: records[*file].clone(), files: Vec::new() }).unwrap();
                books.flush().unwrap();
            }
            let books = opened();
            let names: Vec<_> = order.iter().map(|at| case.files[*at].strip_prefix(samples()).unwrap()).collect();
            check_books(case, &format!("one file after the other: {names:?}"), &books);
        }
    }
}

#[test]
fn repeating_lines_and_files_does_not_matter() {
    for case in cases() {
        check(&case, "with each line twice", case.files.iter().flat_map(|file| read(file, Reading::Twice)).collect());
        let twice = case.files.iter().chain(&case.files).flat_map(|file| read(file, Reading::Plain)).collect();
        check(&case, "with each file twice", twice);
    }
}

/// The lines of a file as one list on one line, if each of them is an object.
fn as_list(file: &Path) -> Option<String> {
    let text = fs::read_to_string(file).ok()?;
    let lines: Vec<&str> = text.lines().filter(|line| !line.is_empty()).collect();
    let is_object = |line: &&str| serde_json::from_str::<serde_json::Map<String, serde_json::Value>>(line).is_ok();
    lines.iter().all(is_object).then(|| format!("[{}]", lines.join(", ")))
}

#[test]
fn b7_a_list_of_lines_on_one_line_comes_to_what_the_lines_do() {
    let mut lists = 0;
    for case in cases() {
        let mut records = Vec::new();
        for file in &case.files {
            let Some(list) = as_list(file).filter(|_| has_lines(file)) else {
                records.extend(read(file, Reading::Plain));
                continue;
            };
            lists += 1;
            let outcome = decoder(file).line(list.as_bytes(), &origin(file, 0), &mut records);
            assert!(
                matches!(outcome, Outcome::Read | Outcome::Other | Outcome::Passed),
                "{}: {outcome:?}",
                file.display()
            );
        }
        check(&case, "as lists", records);
    }
    assert!(lists > 40, "few samples are lists of objects: {lists}");
}

#[test]
fn a_reader_goes_on_from_any_line() {
    for case in cases() {
        let restarted = case.files.iter().flat_map(|file| read(file, Reading::Restarted)).collect();
        check(&case, "with a restart at each line", restarted);
    }
    for file in line_logs() {
        let plain = read(&file, Reading::Plain);
        for at in 1..fs::read_to_string(&file).unwrap().lines().count() {
            assert_eq!(read(&file, Reading::RestartedAt(at)), plain, "{} restarted at line {at}", file.display());
        }
    }
}

#[test]
fn what_one_program_has_written_is_all_found_by_its_own_hints() {
    for file in line_logs() {
        assert_eq!(read(&file, Reading::OfOneProgram), read(&file, Reading::Plain), "{}", file.display());
    }
}

#[test]
fn once_the_format_is_known_what_only_others_write_is_not_looked_for_in_one_programs_file() {
    let ours = answer("msg_1", "10");
    let foreign = r#"{"type":"thread.started","thread_id":"t"}"#;
    let foreign_usage = r#"{"id":"msg_2","type":"message","role":"assistant","usage":{"input_tokens":1}}"#;
    let outcomes = |mut lines: Decoder| {
        let (place, mut out) = (origin(Path::new("fed.jsonl"), 0), Vec::new());
        [foreign, &ours, foreign, foreign_usage].map(|line| lines.line(line.as_bytes(), &place, &mut out))
    };
    let (read, passed) = (Outcome::Read, Outcome::Passed);
    assert_eq!(outcomes(Decoder::new(&[])), [&read, &read, &read, &read].map(Clone::clone));
    // Until then the file may have any format, and a line is offered to all.
    assert_eq!(outcomes(Decoder::new(&[]).of_one_program()), [&read, &read, &passed, &read].map(Clone::clone));
}

#[test]
fn j29_each_session_of_a_fork_has_the_calls_it_made_whatever_is_read_first() {
    let mut forks = Vec::new();
    for entry in fs::read_dir(samples()).unwrap() {
        let folder = entry.unwrap().path();
        let Ok(expected) = fs::read_to_string(folder.join("expected.json")) else { continue };
        let expected: Expected = serde_json::from_str(&expected).unwrap();
        forks.extend(expected.sessions.into_iter().map(|(trap, sessions)| (folder.join(trap), sessions)));
    }
    assert!(forks.len() >= 7, "the forks were not found");
    let by_session = Query { by: vec![Dimension::Session], ..Query::new(Grain::Total, Zone::UTC) };
    for (trap, sessions) in forks {
        let trap = trap.display();
        let mut files = logs(Path::new(&trap.to_string()));
        for turn in 0..2 * files.len() {
            files.rotate_left(1);
            if turn == files.len() {
                files.reverse();
            }
            for how in [Reading::Plain, Reading::Twice, Reading::Restarted, Reading::OfOneProgram] {
                let books = books(files.iter().flat_map(|file| read(file, how)).collect());
                let rows = books.report(&by_session).unwrap().rows.into_iter();
                let found: BTreeMap<String, u64> =
                    rows.map(|row| (row.by[0].as_deref().unwrap().to_owned(), row.sums.calls)).collect();
                assert_eq!(found, sessions, "{trap}, {files:?} first");
            }
        }
    }
}

#[test]
fn j29_only_the_first_session_of_a_file_is_known_by_its_first_time_stamp() {
    let claims = |lines: &[&str]| {
        let (mut reader, mut out, mut offset) = (Decoder::new(&[]), Vec::new(), 0);
        for line in lines {
            reader.line(line.as_bytes(), &origin(Path::new("fed.jsonl"), offset), &mut out);
            offset += line.len();
        }
        out.iter().map(|record| call(record).from.claim).collect::<Vec<_>>()
    };
    let line = |session: &str, hour: u8| {
        format!(
            r#"{{"type":"assistant","sessionId":"{session}","timestamp":"2026-11-10T{hour:02}:00:00Z","message":{{"id":"msg_{session}{hour}","model":"claude-opus-5","usage":{{"input_tokens":1,"output_tokens":1}}}}}}"#
        )
    };
    let queued = r#"{"type":"queue-operation","sessionId":"a","timestamp":"2026-11-10T09:00:00Z"}"#;
    let nameless = r#"{"type":"queue-operation","timestamp":"2026-11-10T09:00:00Z"}"#;
    let unstamped = r#"{"type":"assistant","sessionId":"a","message":{"id":"msg_x","model":"claude-opus-5","usage":{"input_tokens":1,"output_tokens":1}}}"#;
    let (early, late, other) = (line("a", 8), line("a", 10), line("b", 8));
    assert_eq!(claims(&[queued, &early, &late, &other]), [Claim::Copy, Claim::Own, Claim::Own]);
    assert_eq!(claims(&[nameless, &early, &other]), [Claim::Copy, Claim::Copy]);
    assert_eq!(claims(&[&late, &early]), [Claim::Own, Claim::Copy], "the first answer may bear the first time stamp");
    assert_eq!(claims(&[queued, unstamped]), [Claim::Own], "a line without a time is not a copy");
    let same = early.replace(r#""type":"assistant""#, r#""type":"assistant","requestSessionId":"a""#);
    let marked = early.replace(r#""type":"assistant""#, r#""type":"assistant","requestSessionId":"z""#);
    assert_eq!(claims(&[queued, &same, &marked]), [Claim::Own, Claim::Maker]);
    // A reader that begins within the file has not seen how it opens.
    let mut out = Vec::new();
    let mut reader = Decoder::new(&[]);
    for text in [queued, &early] {
        reader.line(text.as_bytes(), &origin(Path::new("fed.jsonl"), 900), &mut out);
    }
    assert_eq!(call(&out[0]).from.claim, Claim::Own);
}

#[test]
fn each_line_says_where_it_stands_and_who_spoke() {
    let file = |name: &str| read(&samples().join(name), Reading::Plain);
    let streamed = rows(&books(file("claude-code/streamed.jsonl")));
    let [row] = &*streamed else { panic!("one answer") };
    let from = &row.call.from;
    assert_eq!(from.at.to_rfc3339(), "2026-11-10T09:00:01+00:00", "the first time it was seen");
    assert_eq!(from.project.as_deref(), Some("/home/kim/shop"));
    assert_eq!(from.session.as_deref(), Some("5e550001-0000-4000-8000-000000000000"));
    assert_eq!((from.source.as_str(), &from.agent), ("claude-code", &None));
    assert_eq!(
        from.place.as_ref().map(|place| (place.path.as_str(), place.offset)),
        Some(("claude-code/streamed.jsonl", 0))
    );

    let copied = file("claude-code/fork-copy/fork.jsonl");
    let sessions: Vec<_> = copied.iter().map(|record| call(record).from.session.as_deref().unwrap()).collect();
    let (parent, fork) = ("5e550006-0000-4000-8000-000000000000", "5e550007-0000-4000-8000-000000000000");
    assert_eq!(sessions, [parent, parent, fork], "what a fork copied is its parent's");

    let parent = file("claude-code/agent-progress/main.jsonl");
    let agents: Vec<_> = parent.iter().map(|record| call(record).from.agent.as_deref()).collect();
    assert_eq!(agents, [None, Some("b91"), Some("b91"), Some("b91")]);

    let folder = samples().join("codex/sub-agent");
    let spoke: Vec<_> = logs(&folder)
        .iter()
        .flat_map(|file| read(file, Reading::Plain))
        .filter(|record| matches!(record, Record::Call(_)))
        .map(|record| (call(&record).from.agent.as_deref().map(str::to_owned), call(&record).lineage.is_some()))
        .collect();
    let third = "0195c0de-0000-7000-8000-000000000032";
    assert_eq!(spoke, [(None, true), (Some("Ada".to_owned()), true), (Some(third.to_owned()), true)]);
}

fn call(record: &Record) -> &tokmeter::testing::domain::Call {
    match record {
        Record::Call(call) => call,
        Record::Descends { .. } | Record::Bill(_) | Record::Rekeyed { .. } | Record::Status(_) | Record::Settled(_) => {
            panic!("not a call: {record:?}")
        }
    }
}

#[test]
fn e7_an_answer_across_midnight_belongs_to_the_day_on_which_it_began() {
    let file = samples().join("claude-code/midnight.jsonl");
    let mut records = read(&file, Reading::Plain);
    records.reverse();
    let books = books(records);
    let query = Query::new(Grain::Day, Zone::UTC);
    let report = books.report(&query).unwrap();
    let days: Vec<_> = report.rows.iter().map(|row| (format!("{:?}", row.period), row.sums.tokens.output)).collect();
    assert_eq!(days, [("Day(2026-11-10)".to_owned(), 90)]);
}

#[test]
fn a_printed_total_whose_split_or_model_is_a_guess_says_so() {
    let guessed = |sample: &str| {
        let report = books(read(&samples().join(sample), Reading::Plain));
        let query = Query { by: vec![Dimension::Model], ..Query::new(Grain::Total, Zone::UTC) };
        report.report(&query).unwrap().total.guessed_calls
    };
    // Gemini CLI's stream leaves out what the rest of its total is; the document does not.
    assert_eq!((guessed("gemini-cli/printed.jsonl"), guessed("gemini-cli/printed-json.jsonl")), (1, 0));
    // Where the total is that of the answers, their model is known.
    assert_eq!((guessed("qwen-code/printed.jsonl"), guessed("qwen-code/printed-list.jsonl")), (0, 0));
    // A sub-agent may have used another model, and `json` names none.
    assert_eq!((guessed("droid/printed.jsonl"), guessed("droid/printed-json.jsonl")), (1, 1));
    assert_eq!(guessed("droid/printed/run.jsonl"), 0);
}

#[test]
fn a_total_without_input_and_output_is_input_as_a_guess() {
    let books = books(read(&samples().join("goose/only-totals/sessions.sql"), Reading::Plain));
    let query = Query { by: vec![Dimension::Model], ..Query::new(Grain::Total, Zone::UTC) };
    let total = books.report(&query).unwrap().total;
    // 1,000 tokens in all, of which nothing says what they were.
    assert_eq!((total.tokens.input, total.tokens.output, total.guessed_calls), (1000, 0, 1));
}

#[test]
fn a_message_without_a_time_is_dated_by_the_start_of_its_chat() {
    let books = books(read(&samples().join("cursor/state.vscdb.sql"), Reading::Plain));
    let old = rows(&books).into_iter().find(|row| row.call.tokens.input == 50).unwrap();
    // 1,795,000,000 seconds since 1970, not the time at which the database was written.
    assert_eq!(old.call.from.at, "2026-11-18T11:06:40Z".parse::<Instant>().unwrap());
}

#[test]
fn a_turn_of_one_model_has_the_cost_that_the_turn_states() {
    let folder = "grok-build/%2Fhome%2Fkim%2Fshop/01a09207-ffff-7802-b465-0bedbf66f83b/updates.jsonl";
    let books = books(read(&samples().join(folder), Reading::Plain));
    let row = rows(&books).into_iter().find(|row| row.call.tokens.output == 7).unwrap();
    // 5,000,000 ticks of 10^-10 dollars.
    assert_eq!(row.call.quoted.map(Usd::pico), Some(500_000_000));
}

#[test]
fn only_the_formats_asked_for_are_read() {
    let file = samples().join("claude-code/streamed.jsonl");
    let bytes = fs::read(&file).unwrap();
    let counted = |only: &[&str]| {
        let (mut lines, mut out) = (Decoder::new(only), Vec::new());
        for line in bytes.split(|byte| *byte == b'\n') {
            lines.line(line, &origin(&file, 0), &mut out);
        }
        out.len()
    };
    assert_eq!((counted(&[]), counted(&["claude-code"]), counted(&["codex", "native"])), (3, 3, 0));
}

/// An answer of this many output tokens, as a line of a transcript.

#[test]
fn a_usage_object_counts_when_it_says_more_than_the_counts_of_its_line() {
    let counted = |line: &str| {
        let (mut reader, mut out) = (Decoder::new(&["native"]), Vec::new());
        reader.line(line.as_bytes(), &origin(Path::new("app.jsonl"), 0), &mut out);
        let tokens = call(&out[0]).tokens;
        (tokens.input, tokens.cache_read, tokens.output)
    };
    let line = |counts: &str, usage: &str| {
        format!(r#"{{"timestamp":"2026-11-10T09:00:00Z","model":"gpt-5",{counts},"usage":{usage}}}"#)
    };
    let usage = r#"{"prompt_tokens":1000,"completion_tokens":50,"prompt_tokens_details":{"cached_tokens":400}}"#;
    // 1,000 of input, 400 of them from the cache.
    let said = (600, 400, 50);
    for counts in [
        r#""total_tokens":1050"#,
        r#""input_tokens":1000"#,
        r#""output_tokens":50"#,
        r#""input_tokens":0,"output_tokens":0"#,
        r#""input_tokens":1000,"output_tokens":50"#,
    ] {
        assert_eq!(counted(&line(counts, usage)), said, "{counts}");
    }
    assert_eq!(counted(&line(r#""input_tokens":"many","output_tokens":1"#, usage)), said, "what cannot be read");
    let unreadable = r#"{"prompt_tokens":"many","completion_tokens":9000}"#;
    for usage in ["{}", r#"{"prompt_tokens":0,"completion_tokens":0}"#, r#"{"total_tokens":1050}"#, unreadable] {
        let counts = r#""input_tokens":600,"cache_read_tokens":400,"output_tokens":50"#;
        assert_eq!(counted(&line(counts, usage)), said, "{usage}");
    }
}

fn answer(id: &str, output: &str) -> String {
    format!(
        r#"{{"type":"assistant","sessionId":"s","cwd":"/w","timestamp":"2026-11-10T09:00:00.000Z","uuid":"u","message":{{"id":"{id}","model":"claude-opus-5","role":"assistant","content":[{{"type":"text","text":"hello"}}],"usage":{{"input_tokens":1,"output_tokens":{output}}}}}}}"#
    )
}

/// Decodes a feed: outcome of each line, and output tokens of each answer.
fn fed(lines: &[&[u8]]) -> (Vec<Outcome>, Vec<u64>, u64) {
    let (mut reader, mut out) = (Decoder::new(&[]), Vec::new());
    let place = origin(Path::new("fed.jsonl"), 0);
    let outcomes = lines.iter().map(|line| reader.line(line, &place, &mut out)).collect();
    (outcomes, out.iter().map(|record| call(record).tokens.output).collect(), reader.nul_bytes())
}

fn is_bad(outcome: &Outcome) -> bool {
    matches!(outcome, Outcome::Bad(_))
}

#[test]
fn b4_a_torn_line_is_one_bad_line_and_the_next_one_counts() {
    let (one, two) = (answer("msg_1", "10"), answer("msg_2", "20"));
    for cut in 1..one.len() {
        let torn = &one.as_bytes()[..cut];
        let (outcomes, outputs, _) = fed(&[torn, two.as_bytes()]);
        // Truncated after an inner object and before its usage, it looks like any irrelevant line.
        let looks_whole = torn.ends_with(b"}") && !String::from_utf8_lossy(torn).contains("\"usage\"");
        assert!(is_bad(&outcomes[0]) || looks_whole, "cut at {cut}: {outcomes:?}");
        assert_eq!(outcomes[1], Outcome::Read);
        assert_eq!(outputs, [20], "cut at {cut}");
    }
    let head_is_gone = &one.as_bytes()[20..];
    assert!(is_bad(&fed(&[head_is_gone]).0[0]));
    assert!(is_bad(&fed(&[b"{\"type\":\"user\",\"message\":\"no needle and no end"]).0[0]));
}

#[test]
fn b4_an_answer_right_behind_a_torn_line_counts() {
    let (first, one, two) = (answer("msg_0", "5"), answer("msg_1", "10"), answer("msg_2", "20"));
    for cut in 1..one.len() {
        let glued = [&one.as_bytes()[..cut], two.as_bytes()].concat();
        let (outcomes, outputs, _) = fed(&[first.as_bytes(), &glued]);
        assert!(is_bad(&outcomes[1]), "cut at {cut}");
        assert_eq!(outputs, [5, 20], "cut at {cut}");
    }
}

#[test]
fn b4_an_answer_right_behind_a_torn_first_line_counts() {
    let (one, two, three) = (answer("msg_1", "10"), answer("msg_2", "20"), answer("msg_3", "30"));
    for cut in 1..one.len() {
        let torn = &one[..cut];
        let (outcomes, outputs, _) = fed(&[(torn.to_owned() + &two).as_bytes(), three.as_bytes()]);
        assert!(is_bad(&outcomes[0]), "cut at {cut}");
        // It could be a value of the first one, whose format is not known yet.
        let is_value = torn.ends_with(['[', ',']) || torn.ends_with("\":");
        assert_eq!(outputs.as_slice(), if is_value { &[30][..] } else { &[20, 30] }, "cut at {cut}");
    }
    // Within a line that lacks its end, the message is not a line of another format.
    let end = one.rfind('}').unwrap();
    assert_eq!(fed(&[&one.as_bytes()[..end], two.as_bytes()]).1, [20]);
}

#[test]
fn b4_a_list_with_an_item_on_each_line_counts_wherever_it_stands() {
    let (one, two, three) = (answer("msg_1", "10"), answer("msg_2", "20"), answer("msg_3", "30"));
    for first in [None, Some(answer("msg_0", "5"))] {
        for list in [format!("[{one},\n{two},\n{three}]"), format!("[\n{one},\n{two},\n{three}\n]")] {
            let lines: Vec<&[u8]> =
                first.iter().flat_map(|line| line.lines()).chain(list.lines()).map(str::as_bytes).collect();
            let outputs = fed(&lines).1;
            assert_eq!(outputs[outputs.len() - 3..], [10, 20, 30], "{list}");
            assert_eq!(outputs.len(), 3 + first.iter().count());
        }
    }
}

#[test]
fn b5_nul_holes_and_padding_are_taken_out_and_told() {
    let line = answer("msg_1", "10");
    let hole = [&[0; 100], line.as_bytes()].concat();
    let padded = [line.as_bytes(), &[0; 28], b"\r\n"].concat();
    let (head, tail) = line.as_bytes().split_at(90);
    let inside = [head, &[0; 3], tail].concat();
    let between = [line.as_bytes(), &[0; 5], answer("msg_2", "20").as_bytes()].concat();
    let (outcomes, outputs, nuls) = fed(&[&hole, &padded, &inside, &between, &[0; 64]]);
    let read = Outcome::Read;
    assert_eq!(outcomes, [read.clone(), read.clone(), read.clone(), read, Outcome::Passed]);
    assert_eq!((outputs.as_slice(), nuls), ([10, 10, 10, 10, 20].as_slice(), 200));
}

#[test]
fn b5_nul_bytes_within_the_name_of_a_count_do_not_lose_the_count() {
    let line = answer("msg_1", "10");
    let (head, tail) = line.as_bytes().split_at(line.find("output_tokens").unwrap() + 3);
    let (outcomes, outputs, nuls) = fed(&[&[head, &[0; 2], tail].concat()]);
    assert_eq!((outcomes, outputs, nuls), (vec![Outcome::Read], vec![10], 2));
}

#[test]
fn b6_marks_line_ends_blanks_and_spaces_are_accepted() {
    let line = answer("msg_1", "10");
    for (before, after) in [("\u{feff}", ""), ("", "\r"), ("  ", " \t "), ("\u{feff} ", "\r\n"), ("", "\n")] {
        let (outcomes, outputs, _) = fed(&[format!("{before}{line}{after}").as_bytes()]);
        assert_eq!((outcomes, outputs), (vec![Outcome::Read], vec![10]), "{before:?} {after:?}");
    }
    for blank in ["", " ", "\r", "\n", "\t\r\n", "\u{feff}"] {
        assert_eq!(fed(&[blank.as_bytes()]).0, [Outcome::Passed], "{blank:?}");
    }
}

#[test]
fn b7_two_objects_on_one_line_are_both_counted() {
    let (one, two) = (answer("msg_1", "10"), answer("msg_2", "20"));
    for between in ["", " ", "\t"] {
        let (outcomes, outputs, _) = fed(&[format!("{one}{between}{two}").as_bytes()]);
        assert_eq!((outcomes, outputs), (vec![Outcome::Read], vec![10, 20]));
    }
    let (outcomes, outputs, _) = fed(&[format!(r#"{one}{{"type":"user"}}{two}{{"type":"#).as_bytes()]);
    assert!(is_bad(&outcomes[0]), "the torn third is told");
    assert_eq!(outputs, [10, 20], "and the whole ones count");
}

#[test]
fn b8_text_that_is_no_text_does_not_lose_tokens() {
    let line = answer("msg_1", "10");
    for odd in [b"\xff\xfe".as_slice(), br"\ud800", br"\udc00\ud800", b"\xed\xa0\x80", b"\x1b[31m", b"tab\there"] {
        for field in ["hello", "/w", "claude-opus-5"] {
            let at = line.find(field).unwrap();
            let bytes = [&line.as_bytes()[..at], odd, &line.as_bytes()[at..]].concat();
            let (outcomes, outputs, _) = fed(&[&bytes]);
            assert_eq!((outcomes, outputs), (vec![Outcome::Read], vec![10]), "{odd:?} in {field}");
        }
    }
}

#[test]
fn b10_depth_bombs_are_bad_lines() {
    for open in ["[", r#"{"usage":"#, r#"{"message":"#, r#"{"message":{"usage":{"iterations":["#, r#"{"payload":"#] {
        let bomb = open.repeat(1_000_000 / open.len());
        assert!(is_bad(&fed(&[bomb.as_bytes()]).0[0]), "{open}");
        let marked = format!(r#"{{"usage":1,"token_count":1,"message":{bomb}"#);
        assert!(is_bad(&fed(&[marked.as_bytes()]).0[0]), "{open} with needles");
    }
    let deep = format!(r#"{{"x":{}{},{}"#, "[".repeat(100_000), "]".repeat(100_000), &answer("msg_1", "10")[1..]);
    assert_eq!(fed(&[deep.as_bytes()]).1, [10], "what is not read may be as deep as it likes");
}

#[test]
fn b11_whole_numbers_in_any_spelling_count_and_others_name_the_field() {
    for (spelling, output) in [("12", 12), ("12.0", 12), ("1e3", 1000), ("\"12\"", 12), ("null", 0)] {
        let (outcomes, outputs, _) = fed(&[answer("msg_1", spelling).as_bytes()]);
        assert_eq!((outcomes, outputs), (vec![Outcome::Read], vec![output]), "{spelling}");
    }
    for spelling in ["true", "{}", "[1]", "\"many\""] {
        let (outcomes, outputs, _) = fed(&[answer("msg_1", spelling).as_bytes()]);
        let wrong = BadLine::WrongType { field: "output_tokens", expected: "a count of tokens" };
        assert_eq!((outcomes, outputs), (vec![Outcome::Bad(wrong)], vec![]), "{spelling}");
    }
}

#[test]
fn b12_numbers_that_cannot_be_true_are_put_aside() {
    for spelling in ["-5", "1.5", "1000000001", "18446744073709551616", "\"NaN\"", "1e30"] {
        let (outcomes, outputs, _) = fed(&[answer("msg_1", spelling).as_bytes()]);
        let [Outcome::Bad(BadLine::Absurd { field: "output_tokens", value })] = &*outcomes else {
            panic!("{spelling}: {outcomes:?}")
        };
        assert!(outputs.is_empty() && !value.is_empty(), "{spelling}");
    }
    let past = r#"{"type":"event_msg","payload":{"type":"token_count","info":{"total_token_usage":{"input_tokens":5000000000,"output_tokens":7}}}}"#;
    let next = past.replace("5000000000", "5000000100").replace(":7}", ":9}");
    let (outcomes, outputs, _) = fed(&[past.as_bytes(), next.as_bytes()]);
    assert!(is_bad(&outcomes[0]), "five billion in one answer");
    assert_eq!(outputs, [2], "a running total may be larger than any one answer");
}

#[test]
fn b12_web_searches_that_cannot_be_true_are_put_aside_in_every_format() {
    let searched = |count: &str| {
        answer("msg_1", "10").replace(
            "\"output_tokens\"",
            &format!("\"server_tool_use\":{{\"web_search_requests\":{count}}},\"output_tokens\""),
        )
    };
    let own = |count: &str| {
        format!(
            r#"{{"type":"user","sessionId":"s","uuid":"u2","timestamp":"2026-11-10T09:00:00.000Z","message":{{"role":"user","content":[]}},"toolUseResult":{{"query":"tides","searchCount":{count}}}}}"#
        )
    };
    let of_session = |count: &str| {
        format!(
            r#"{{"type":"cost-state","sessionId":"s","modelUsage":{{"claude-opus-5":{{"inputTokens":1,"outputTokens":2,"webSearchRequests":{count}}}}}}}"#
        )
    };
    let of_api = |count: &str| {
        format!(
            r#"{{"id":"resp_1","object":"response","model":"gpt-5.5","output":[],"tool_usage":{{"web_search":{{"num_requests":{count}}}}},"usage":{{"input_tokens":1,"output_tokens":1}}}}"#
        )
    };
    let of_sdk = |count: &str| {
        format!(
            r#"{{"id":"msg_2","type":"message","role":"assistant","model":"claude-opus-5","usage":{{"input_tokens":1,"output_tokens":1,"server_tool_use":{{"web_search_requests":{count}}}}}}}"#
        )
    };
    let outcome = |line: String| {
        let mut out = Vec::new();
        let outcome = Decoder::new(&[]).line(line.as_bytes(), &origin(Path::new("x.jsonl"), 0), &mut out);
        assert!(!is_bad(&outcome) || out.is_empty(), "{line}");
        outcome
    };
    for (name, line, too_many) in [
        ("an answer", &searched as &dyn Fn(&str) -> String, "100000"),
        ("a search of the agent's own", &own, "100000"),
        ("OpenAI", &of_api, "100000"),
        ("Anthropic", &of_sdk, "100000"),
        ("a session", &of_session, "100000000"),
    ] {
        for count in ["-1", "1.5", "true", "4294967297", too_many] {
            assert!(is_bad(&outcome(line(count))), "{name}, {count}");
        }
        assert_eq!(outcome(line("3")), Outcome::Read, "{name}");
    }
}

#[test]
fn b12_more_thinking_than_output_is_as_much_as_the_output() {
    let line = answer("msg_1", r#"10,"output_tokens_details":{"thinking_tokens":25}"#);
    let (mut reader, mut out) = (Decoder::new(&[]), Vec::new());
    reader.line(line.as_bytes(), &origin(Path::new("x.jsonl"), 0), &mut out);
    let tokens = call(&out[0]).tokens;
    assert_eq!((tokens.output, tokens.reasoning), (10, 10));
}

#[test]
fn an_advisor_of_a_fast_answer_is_charged_at_the_standard_speed() {
    let round = r#"{"type":"advisor_message","model":"claude-haiku-4-5","input_tokens":5,"output_tokens":2}"#;
    let line = answer("msg_1", &format!(r#"10,"speed":"fast","iterations":[{round}]"#));
    let (mut reader, mut out) = (Decoder::new(&[]), Vec::new());
    reader.line(line.as_bytes(), &origin(Path::new("x.jsonl"), 0), &mut out);
    let speeds: Vec<_> = out.iter().map(call).map(|call| (call.model.as_deref(), call.tier.speed)).collect();
    assert_eq!(speeds, [(Some("claude-haiku-4-5"), Speed::Standard), (Some("claude-opus-5"), Speed::Fast)]);
}

#[test]
fn b13_of_a_field_given_twice_the_last_stands() {
    let line = answer("msg_1", r#"7,"output_tokens":9"#);
    assert_eq!(fed(&[line.as_bytes()]).1, [9]);
}

#[test]
fn b14_an_unknown_model_counts_and_its_cost_is_unknown() {
    let file = samples().join("claude-code/unknown-model.jsonl");
    let models = models(&books(read(&file, Reading::Plain)));
    assert_eq!((models[0].output_tokens, &models[0].cost_usd), (200, &Some(None)));
}

#[test]
fn b15_records_of_no_interest_are_passed_over_and_are_not_bad() {
    for line in [
        r#"{"type":"file-history-snapshot","messageId":"m"}"#,
        r#"{"type":"brand-new-kind","anything":[1,2,{"usage":3}]}"#,
        r#"{"usage":"see the manual"}"#,
        r#"{"type":"session_meta"}"#,
        r#"{"token_count":5,"turn_context":null}"#,
        r"{}",
        r"[]",
    ] {
        let (outcomes, outputs, _) = fed(&[line.as_bytes()]);
        assert!(matches!(outcomes[0], Outcome::Passed | Outcome::Other), "{line}: {outcomes:?}");
        assert!(outputs.is_empty());
    }
}

#[test]
fn b16_an_answer_that_grows_counts_with_its_last_value() {
    let lines: Vec<_> = [3, 1, 427, 60].map(|output| answer("msg_1", &output.to_string())).into();
    let mut records = Vec::new();
    let mut reader = Decoder::new(&[]);
    for line in &lines {
        reader.line(line.as_bytes(), &origin(Path::new("x.jsonl"), 0), &mut records);
    }
    let models = models(&books(records));
    assert_eq!((models[0].calls, models[0].output_tokens), (1, 427));
}

#[test]
fn b17_an_answer_copied_into_a_fork_counts_once() {
    let line = answer("msg_1", "10");
    let mut records = Vec::new();
    for (file, line) in [("a.jsonl", line.clone()), ("b.jsonl", line.replace(r#""s""#, r#""fork""#))] {
        Decoder::new(&[]).line(line.as_bytes(), &origin(Path::new(file), 0), &mut records);
    }
    assert_eq!(models(&books(records))[0].calls, 1);
}

#[test]
fn b18_one_id_for_every_answer_does_not_make_them_one() {
    let line = |session: &str, input: u32| {
        answer("0", "10")
            .replace(r#""s""#, &format!("{session:?}"))
            .replace(r#"tokens":1,"#, &format!(r#"tokens":{input},"#))
    };
    let (mut reader, mut records) = (Decoder::new(&[]), Vec::new());
    for line in [line("s", 1), line("s", 1), line("s", 2), line("t", 1)] {
        reader.line(line.as_bytes(), &origin(Path::new("x.jsonl"), 0), &mut records);
    }
    assert_eq!(models(&books(records))[0].calls, 3);
}

#[test]
fn b19_a_binary_file_has_bad_lines_and_no_calls() {
    let mut seed = 0x9e37_79b9_7f4a_7c15_u64;
    let noise: Vec<u8> = (0..1 << 20)
        .map(|_| {
            seed ^= seed << 13;
            seed ^= seed >> 7;
            seed ^= seed << 17;
            seed.to_le_bytes()[0]
        })
        .collect();
    let lines: Vec<&[u8]> = noise.split(|byte| *byte == b'\n').collect();
    let (outcomes, outputs, _) = fed(&lines);
    assert!(outcomes.iter().filter(|outcome| is_bad(outcome)).count() > 3000 && outputs.is_empty());
}

#[test]
fn b20_a_flood_of_bad_lines_is_only_counted() {
    let (mut reader, mut out) = (Decoder::new(&[]), Vec::new());
    let place = origin(Path::new("x.jsonl"), 0);
    let bad = (0..100_000).filter(|_| is_bad(&reader.line(b"{\"torn", &place, &mut out))).count();
    assert_eq!((bad, out.len(), reader.state().len()), (100_000, 0, 0));
}

#[test]
fn e6_an_answer_without_a_sensible_time_has_its_files() {
    for time in ["\"\"", "null", "\"0001-01-01T00:00:00Z\"", "\"soon\"", "{}"] {
        let line = answer("msg_1", "10").replace("\"2026-11-10T09:00:00.000Z\"", time);
        let mut out = Vec::new();
        Decoder::new(&[]).line(line.as_bytes(), &origin(Path::new("x.jsonl"), 0), &mut out);
        assert_eq!(call(&out[0]).at(), noon(), "{time}");
    }
}

#[test]
fn i7_no_text_of_a_conversation_leaves_a_reader() {
    let mut said = String::new();
    for secret in [
        answer("msg_1", "10").replace("hello", "canary"),
        answer("msg_1", "10").replace("hello", "canary\u{1b}"),
        answer("msg_1", "true").replace("hello", "canary"),
        format!("{}canary", answer("msg_1", "10")),
        answer("msg_1", "10").replace("\"hello\"", "canary"),
        "{\"usage\":\"canary".to_owned(),
    ] {
        let (mut reader, mut out) = (Decoder::new(&[]), Vec::new());
        let outcome = reader.line(secret.as_bytes(), &origin(Path::new("x.jsonl"), 0), &mut out);
        write!(said, "{outcome:?} {out:?} {}", reader.state()).unwrap();
    }
    assert!(!said.contains("canary"), "{said}");
}

/// A line or document of a sample with a few bytes changed, cut out or doubled, and the file it is from.
fn mangled() -> impl Strategy<Value = (Option<PathBuf>, Vec<u8>)> {
    let pieces = |file: &Path| {
        let text = fs::read(file).unwrap();
        if has_lines(file) { text.split(|byte| *byte == b'\n').map(<[u8]>::to_vec).collect() } else { vec![text] }
    };
    let files = logs(&samples()).into_iter().filter(|file| has_lines(file) || format_of(file).is_some());
    let all: Vec<(Option<PathBuf>, Vec<u8>)> = files
        .flat_map(|file| pieces(&file).into_iter().map(move |line| (Some(file.clone()), line)).collect::<Vec<_>>())
        .filter(|(_, line)| !line.is_empty())
        .collect();
    let change = (any::<prop::sample::Index>(), 0..4_u8, any::<u8>(), 1..40_usize);
    (prop::sample::select(all), prop::collection::vec(change, 0..6)).prop_map(|((file, mut line), changes)| {
        for (at, kind, byte, length) in changes {
            if line.is_empty() {
                break;
            }
            let at = at.index(line.len());
            let end = (at + length).min(line.len());
            match kind {
                0 => line[at] = byte,
                1 => drop(line.drain(at..end)),
                2 => line.insert(at, byte),
                _ => {
                    let piece = line[at..end].to_vec();
                    line.splice(at..at, piece);
                }
            }
        }
        (file, line)
    })
}

fn noise() -> impl Strategy<Value = (Option<PathBuf>, Vec<u8>)> {
    prop::collection::vec(any::<u8>(), 0..200).prop_map(|noise| (None, noise))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn no_bytes_panic_and_none_make_an_absurd_call(lines in prop::collection::vec(prop_oneof![mangled(), noise()], 1..6)) {
        let (mut reader, mut out) = (Decoder::new(&[]), Vec::new());
        for (file, line) in &lines {
            let place = origin(Path::new("x.jsonl"), 0);
            if let Some(format) = file.as_deref().and_then(format_of) {
                Decoder::of_format(format, &[]).document(line, &place, &mut out);
                continue;
            }
            let own = file.as_deref().and_then(owner);
            let mut of_agent = own.map(|own| Decoder::of_format(own, &[]));
            let reader = of_agent.as_mut().unwrap_or(&mut reader);
            reader.line(line, &place, &mut out);
            let state = reader.state();
            reader.restore(&state);
            prop_assert_eq!(reader.state(), state);
        }
        for record in &out {
            if let Record::Call(call) = record {
                prop_assert!(call.tokens.fields().iter().all(|count| *count <= 4_000_000_000), "{:?}", call.tokens);
                prop_assert!(call.quoted.is_none_or(|usd| usd > Usd::ZERO));
            }
        }
    }

    #[test]
    fn a_state_that_is_no_state_is_a_new_beginning(state in "\\PC{0,60}", format in prop::sample::select(tokmeter::testing::formats::names())) {
        for state in [state.clone(), format!("{{\"v\":1,\"on\":\"{format}\",\"formats\":{{\"{format}\":{state:?}}}}}")] {
            let (mut reader, mut out) = (Decoder::new(&[]), Vec::new());
            reader.restore(&state);
            prop_assert_eq!(reader.line(answer("msg_1", "10").as_bytes(), &origin(Path::new("x.jsonl"), 0), &mut out), Outcome::Read);
            prop_assert_eq!(out.len(), 1);
        }
    }
}

#[test]
fn an_answer_that_leaves_nothing_to_do_ends_its_turn_however_often_it_is_logged() {
    let claude = |id: &str, stop: &str| {
        answer(id, "5").replace("\"role\"", &format!("\"stop_reason\":{stop},\"role\"")).replace("\"hello\"", "\"hi\"")
    };
    let lines = [
        claude("msg_01A", "null"),
        claude("msg_01A", "\"tool_use\""),
        claude("msg_01B", "null"),
        claude("msg_01B", "\"end_turn\""),
        // Another sighting of the same answer.
        claude("msg_01B", "null"),
        claude("msg_01C", "\"max_tokens\""),
    ];
    let ends = |sample: Vec<Record>| -> Vec<bool> {
        let mut rows = rows(&books(sample));
        rows.sort_by_key(|row| row.call.from.place.as_ref().map(|place| place.offset));
        rows.iter().map(|row| row.call.ends_turn).collect()
    };
    let (mut reader, mut out) = (Decoder::new(&[]), Vec::new());
    for (number, line) in lines.iter().enumerate() {
        assert_eq!(reader.line(line.as_bytes(), &origin(Path::new("x.jsonl"), number), &mut out), Outcome::Read);
    }
    assert_eq!(ends(out), [false, true, false]);
    let ends_of = |sample: &str| ends(read(&samples().join(sample), Reading::Plain));
    assert_eq!(ends_of("pi/aborted.jsonl"), [true, true]);
    assert_eq!(ends_of("opencode/steps/opencode.sql"), [false, false]);
    assert!(ends_of("opencode/opencode.sql").contains(&true));
}

#[test]
fn a_codex_turn_has_lines_of_its_own() {
    let file = logs(&samples().join("codex/session")).remove(0);
    let text = fs::read_to_string(&file).unwrap();
    let began = r#"{"timestamp":"2026-11-20T09:01:02.500Z","type":"event_msg","payload":{"type":"task_started"}}"#;
    let text = text.replacen('\n', &format!("\n{began}\n"), 1);
    let codex = FormatId::of_name("codex").unwrap();
    let (mut reader, mut sizes, mut turns, mut offset) = (described(codex, &file), Vec::new(), Vec::new(), 0);
    for line in text.split_inclusive('\n') {
        let mut out = Vec::new();
        // As after a restart between any two lines.
        let state = reader.state();
        reader = described(codex, &file);
        reader.restore(&state);
        reader.line(line.as_bytes(), &origin(&file, offset), &mut out);
        reader.statuses(&mut out);
        offset += line.len();
        sizes.extend(out.iter().filter_map(|record| {
            if let Record::Status(Status::Session(status)) = record { Some(status.context_size) } else { None }
        }));
        turns.extend(turns::reported(out).into_iter().map(|status| status.turn));
    }
    assert!(sizes[0].is_some());
    assert_eq!(sizes, [sizes[0], sizes[0]]);
    // `codex exec` made the sample.
    assert_eq!(turns, [Turn::Begun, Turn::Closed]);
}
