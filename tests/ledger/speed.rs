//! Cost of ledger operations on generated logs of the usual shape. Run in release mode: they print measurements, and
//! fail only on gross deviations.
//!
//! `cargo test --release --test ledger -- --ignored --nocapture speed`

#![allow(
    clippy::print_stdout,
    clippy::unchecked_time_subtraction,
    reason = "these tests are there to say what they measured"
)]

use std::time::{Duration, Instant};

use chrono::TimeZone;
use tokmeter::testing::domain::{
    Attribution, Call, CallKey, Dimension, Filter, Label, Matcher, Place, Record, Tokens, Zone,
};
use tokmeter::testing::ledger::{Batch, Grain, Ledger, Memory, Options, Order, Query, Sqlite, open};

use super::common::{at, call, file, key, prices, query};

const DAY: i64 = 86_400;

/// `calls` answers over `days`: three sessions a day, each with five sub-agents, two sightings of most answers.
/// Every file has labels of its own, as readers make them.
fn logs(calls: i64, days: i64, each: &mut dyn FnMut(Batch)) {
    let a_day = calls / days;
    let per_file = (a_day / 18).max(1);
    let mut number = 0_i64;
    for day in 0..days {
        for part in 0..18 {
            let (session, agent) = (part / 6, part % 6);
            let path = Label::new(&format!("/home/alice/.claude/projects/p{}/{day}-{part}.jsonl", session % 5));
            let models = ["opus", "haiku", "sonnet"].map(Label::new);
            let from = Attribution {
                session: Some(Label::new(&format!("session {day} {session}"))),
                agent: (agent > 0).then(|| Label::new(&format!("agent {day} {session} {agent}"))),
                project: Some(Label::new(&format!("/home/alice/p{}", (day + session) % 5))),
                user: Some(Label::new("alice")),
                ..Attribution::new(at(0), Label::new("claude-code"))
            };
            let mut records = Vec::new();
            for answer in 0..per_file {
                number += 1;
                let second = day * DAY + 8 * 3600 + part * 1_900 + answer * 1_200 / per_file;
                let alike = usize::try_from(number % 20).unwrap();
                let told = Call {
                    key: CallKey::from_parts(&["claude", &number.to_string()]),
                    from: Attribution {
                        at: at(second) + chrono::Duration::milliseconds(number % 1000),
                        place: Some(Place { path: path.clone(), offset: u64::try_from(answer * 4000).unwrap() }),
                        ..from.clone()
                    },
                    model: Some(models[if alike == 0 { 2 } else { usize::from(agent > 0) }].clone()),
                    tokens: Tokens {
                        input: 4 + number.unsigned_abs() % 9,
                        cache_read: 30_000 + number.unsigned_abs() * 37 % 100_000,
                        cache_write_1h: number.unsigned_abs() * 11 % 4_000,
                        output: 200 + number.unsigned_abs() * 13 % 3_000,
                        ..Tokens::ZERO
                    },
                    alias: Some(CallKey::from_parts(&["request", &number.to_string()])),
                    ..call("-", 0, 0)
                };
                let mut early = told.clone();
                early.tokens.output = if alike % 3 == 0 { told.tokens.output } else { 3 };
                let mut late = told;
                late.from.at += chrono::Duration::milliseconds(900);
                records.push(Record::Call(early));
                if alike < 16 {
                    records.push(Record::Call(late.clone()));
                }
                if alike < 7 {
                    records.push(Record::Call(late));
                }
            }
            each(Batch { records, files: vec![file(&path, 1)] });
        }
    }
}

fn gathered(calls: i64, days: i64) -> Vec<Batch> {
    let mut all = Vec::new();
    logs(calls, days, &mut |batch| all.push(batch));
    all
}

fn timed<T>(what: &str, work: impl FnOnce() -> T) -> (T, Duration) {
    let (start, cpu) = (Instant::now(), cpu());
    let done = work();
    let (took, cpu) = (start.elapsed(), self::cpu() - cpu);
    println!("{:>10.3} ms, {:>10.3} of the processor  {what}", took.as_secs_f64() * 1e3, cpu.as_secs_f64() * 1e3);
    (done, took)
}

/// Processor time of this thread, which is the fairer measure on a busy machine.
fn cpu() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    Duration::new(time.tv_sec.unsigned_abs(), u32::try_from(time.tv_nsec).unwrap())
}

/// The shortest of several runs.
fn best<T>(what: &str, mut work: impl FnMut() -> T) -> Duration {
    let times = (0..7).map(|_| {
        let start = cpu();
        std::hint::black_box(work());
        cpu() - start
    });
    let took = times.min().unwrap();
    println!("{:>10.3} ms of the processor  {what}", took.as_secs_f64() * 1e3);
    took
}

/// Prints the time between steps.
fn watched() -> std::sync::Arc<dyn Fn(&'static str) + Send + Sync> {
    let last = std::sync::Mutex::new(("-", cpu()));
    std::sync::Arc::new(move |step| {
        let mut last = last.lock().unwrap();
        println!("           {:>10.3} of the processor  after '{}'", (cpu() - last.1).as_secs_f64() * 1e3, last.0);
        *last = (step, cpu());
    })
}

fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.and_then(|line| line.trim().trim_end_matches(" kB").parse().ok()).unwrap_or(0)
}

#[test]
#[ignore = "measures"]
fn speed_of_a_cold_start() {
    let all = gathered(60_000, 60);
    let sightings: usize = all.iter().map(|batch| batch.records.len()).sum();
    println!("{sightings} sightings of 60000 answers");
    for _ in 0..3 {
        let before = resident();
        let mut memory = Memory::new(prices());
        timed("memory: absorb", || all.iter().for_each(|batch| memory.absorb(batch).unwrap()));
        timed("memory: flush", || memory.flush().unwrap());
        println!("{:>10} bytes a row", (resident() - before) * 1024 / u64::try_from(memory.len()).unwrap());
        best("memory: report day", || memory.report(&query(Grain::Day, &[])).unwrap());
        best("memory: report session by model", || memory.report(&query(Grain::Session, &[Dimension::Model])).unwrap());
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ledger.db");
        let options = Options { step: Some(watched()), ..Options::new(at(0)) };
        let (mut disk, _) = timed("disk: make", || open(&path, options, prices()).unwrap().books);
        timed("disk: absorb", || all.iter().for_each(|batch| disk.absorb(batch).unwrap()));
        timed("disk: flush", || disk.flush().unwrap());
        assert_eq!(disk.report(&query(Grain::Day, &[])).unwrap(), memory.report(&query(Grain::Day, &[])).unwrap());
        timed("disk: close", || drop(disk));
        println!("{:>10} bytes a call on disk", std::fs::metadata(&path).unwrap().len() / 60_000);
    }
}

fn a_million(path: &std::path::Path) -> Sqlite {
    let mut disk = open(path, Options::new(at(0)), prices()).unwrap().books;
    logs(1_000_000, 365, &mut |batch| disk.absorb(&batch).unwrap());
    timed("a million calls: flush", || disk.flush().unwrap());
    disk
}

#[test]
#[ignore = "measures"]
fn speed_of_books_of_a_million_calls() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ledger.db");
    let mut disk = a_million(&path);
    println!("{:>10} bytes a call on disk", disk.info(at(0)).unwrap().bytes / 1_000_000);
    let open_it = || open(&path, Options::hurried(at(0)), prices()).unwrap().books;
    drop(disk);
    best("open", open_it);
    best("open, report day of a year", || open_it().report(&query(Grain::Day, &[])).unwrap());
    best("open, sums of a day", || {
        let filter = Filter { since: Some(at(300 * DAY)), until: Some(at(301 * DAY)), ..Filter::default() };
        open_it().sums(&filter).unwrap()
    });
    disk = open_it();
    let rome = |grain, by: &[Dimension]| Query { zone: Zone::named("Europe/Rome").unwrap(), ..query(grain, by) };
    best("report day of a year", || disk.report(&rome(Grain::Day, &[])).unwrap());
    best("report day of a year by model, project", || {
        disk.report(&rome(Grain::Day, &[Dimension::Model, Dimension::Project])).unwrap()
    });
    best("report month by session", || disk.report(&rome(Grain::Month, &[Dimension::Session])).unwrap());
    best("report session, the latest 20", || {
        disk.report(&Query { order: Order::Descending, limit: Some(20), ..rome(Grain::Session, &[]) }).unwrap()
    });
    let between = |from: i64, until: i64| Filter { since: Some(at(from)), until: Some(at(until)), ..Filter::default() };
    best("report session of a day", || {
        disk.report(&Query { filter: between(300 * DAY, 301 * DAY), ..rome(Grain::Session, &[]) }).unwrap()
    });
    best("sums of a day", || disk.sums(&between(300 * DAY, 301 * DAY)).unwrap());
    best("sums of a month", || disk.sums(&between(300 * DAY, 330 * DAY)).unwrap());
    best("sums of a month by user", || {
        let only = vec![(Dimension::User, Matcher::new("alice"))];
        disk.sums(&Filter { only, ..between(300 * DAY, 330 * DAY) }).unwrap()
    });
    best("sums of a session", || {
        let only = vec![(Dimension::Session, Matcher::new("session 300 1"))];
        disk.sums(&Filter { only, ..Filter::default() }).unwrap()
    });
    best("sums of five hours to the second", || disk.sums(&between(300 * DAY + 40_001, 300 * DAY + 58_001)).unwrap());
    best("the latest 100 calls", || disk.calls(&Filter::default(), 100).unwrap());
    best("how far files were read", || disk.files().unwrap());
    let mut number = 0_u64;
    best("post one call", || {
        number += 1;
        let new = Record::Call(call(&format!("new {number}"), 364 * DAY + 30_000, 5));
        disk.post(&Batch { records: vec![new], files: vec![file("/log", number)] }).unwrap()
    });
    let fresh = Batch {
        records: (0..5_000).map(|one| Record::Call(call(&format!("more {one}"), 364 * DAY + one * 7, 5))).collect(),
        files: Vec::new(),
    };
    timed("absorb and flush 5000 more", || {
        disk.absorb(&fresh).unwrap();
        disk.flush().unwrap();
    });
    assert!(disk.call(key("more 1")).unwrap().is_some());
    timed("verify", || assert_eq!(disk.verify().unwrap().problems, Vec::<String>::new()));
    let year = Zone::UTC.with_ymd_and_hms(1970, 12, 1, 0, 0, 0).unwrap().to_utc();
    timed("prune eleven months", || disk.prune(year).unwrap());
}
