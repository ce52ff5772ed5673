//! The ledger: bulk loading, single writes, and warm queries.

use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use chrono::{Duration, TimeZone, Utc};
use divan::Bencher;
use divan::counter::ItemsCount;
use tokmeter::testing::domain::{
    Attribution, Call, CallKey, Dimension, Filter, Instant, Label, Matcher, Record, Span, Tokens, Zone,
};
use tokmeter::testing::ledger::{self, Batch, Grain, Ledger, Query, Sqlite};
use tokmeter::testing::meter::{self, Amount, Follow, Limit, Rules, Scope, Snapshot, Window};
use tokmeter::testing::pricing::{CostMode, PriceBook};

mod corpus;

const COLD: u64 = 60_000;
const WARM: u64 = 200_000;
const DAYS: u64 = 365;
/// A zone whose days are not all of 24 hours.
const ROME: Zone = Zone::named("Europe/Rome").expect("in the database");

/// A ledger of a year, made once; the folder is kept until the end.
static BOOKS: OnceLock<PathBuf> = OnceLock::new();

fn books() -> &'static Path {
    BOOKS.get_or_init(|| {
        let folder = tempfile::tempdir().expect("a folder for books").keep();
        take_in(&mut open(&folder), &batch_of(WARM));
        folder
    })
}

fn main() {
    divan::main();
    if let Some(folder) = BOOKS.get() {
        let _ = std::fs::remove_dir_all(folder);
    }
}

fn now() -> Instant {
    Utc.with_ymd_and_hms(2026, 11, 21, 20, 0, 0).single().expect("a moment that was")
}

fn open(folder: &Path) -> Sqlite {
    let prices = Arc::new(PriceBook::new(Vec::new(), Vec::new(), CostMode::default()));
    ledger::open(&folder.join("ledger.db"), ledger::Options::new(now()), prices).expect("new books").books
}

/// Calls of a year of sessions: four models, a dozen projects, sub-agents, three users.
fn batch_of(calls: u64) -> Batch {
    let mut draw = corpus::Draw::new(calls);
    let names = |what: &str, count: u64| (0..count).map(|at| Label::new(&format!("{what}-{at}"))).collect::<Vec<_>>();
    let (projects, users) = (names("/home/kim/project", 12), names("user", 3));
    let models = ["claude-opus-4-5", "claude-sonnet-4-5", "claude-haiku-4-5", "gpt-5.2-codex"].map(Label::new).to_vec();
    let pick =
        |draw: &mut corpus::Draw, all: &[Label]| all.get(usize::try_from(draw.below(all.len() as u64)).ok()?).cloned();
    let records = (0..calls).map(|at| {
        let ago = Duration::seconds(i64::try_from((calls - at) * DAYS * 86_400 / calls).unwrap_or_default());
        let session = at / 60;
        let from = Attribution {
            session: Some(Label::new(&format!("{session:08}-1111-4222-8333-444455556666"))),
            project: projects.get(usize::try_from(session % 12).unwrap_or_default()).cloned(),
            agent: draw.chance(200).then(|| Label::new("explore")),
            user: pick(&mut draw, &users),
            ..Attribution::new(now() - ago, Label::new("claude-code"))
        };
        Record::Call(Call::new(
            CallKey::from_parts(&["bench", &at.to_string()]),
            from,
            pick(&mut draw, &models),
            Tokens {
                input: draw.within(1, 400),
                cache_read: draw.within(9_000, 150_000),
                cache_write_5m: 0,
                cache_write_1h: draw.within(100, 6_000),
                output: draw.within(20, 1_800),
                reasoning: 0,
            },
        ))
    });
    Batch { records: records.collect(), files: Vec::new() }
}

fn take_in(books: &mut Sqlite, batch: &Batch) {
    books.absorb(batch).expect("they take all");
    books.flush().expect("they take all");
    let count = books.sums(&Filter::default()).expect("they answer").calls;
    assert_eq!(count, batch.records.len() as u64);
}

/// A cold start: 60,000 calls into new books, in one transaction.
#[divan::bench(sample_count = 10)]
fn absorb_and_flush(bencher: Bencher<'_, '_>) {
    let batch = batch_of(COLD);
    bencher
        .counter(ItemsCount::new(COLD))
        .with_inputs(|| tempfile::tempdir().expect("a folder for books"))
        .bench_local_values(|folder| {
            take_in(&mut open(folder.path()), &batch);
            folder
        });
}

/// One new call, as it comes while the screen is open: a transaction of its own.
#[divan::bench(sample_count = 50)]
fn post_one(bencher: Bencher<'_, '_>) {
    let folder = tempfile::tempdir().expect("a folder for books");
    let mut books = open(folder.path());
    take_in(&mut books, &batch_of(COLD));
    let Some(Record::Call(one)) = batch_of(1).records.pop() else { return };
    let mut serial = 0_u64;
    bencher.bench_local(|| {
        serial += 1;
        let call = Call { key: CallKey::from_parts(&["one", &serial.to_string()]), ..one.clone() };
        books.post(&Batch { records: vec![Record::Call(call)], files: Vec::new() }).expect("they take it")
    });
}

fn query(grain: Grain, by: &[Dimension], filter: Filter) -> Query {
    Query { by: by.to_vec(), filter, ..Query::new(grain, ROME) }
}

/// Opens a ledger of 200,000 calls.
#[divan::bench]
fn open_books() -> Sqlite {
    open(books())
}

/// Each day of a year.
#[divan::bench]
fn report_days_of_a_year(bencher: Bencher<'_, '_>) {
    let (books, question) = (open(books()), query(Grain::Day, &[], Filter::default()));
    bencher.bench_local(|| {
        let report = books.report(&question).expect("they answer");
        assert!(report.rows.len() as u64 >= DAYS && report.total.calls == WARM);
        report
    });
}

/// Each day of a year, by model and project.
#[divan::bench]
fn report_days_by_model_and_project(bencher: Bencher<'_, '_>) {
    let question = query(Grain::Day, &[Dimension::Model, Dimension::Project], Filter::default());
    let books = open(books());
    bencher.bench_local(|| books.report(&question).expect("they answer"));
}

/// The query of one user's daily limit.
#[divan::bench]
fn sums_for_a_limit(bencher: Bencher<'_, '_>) {
    let day = Span::day(now() - Duration::days(1), ROME);
    let only = vec![(Dimension::User, Matcher::new("user-1"))];
    let filter = Filter { only, since: Some(day.from), until: Some(day.until) };
    let books = open(books());
    bencher.bench_local(|| {
        let sums = books.sums(&filter).expect("they answer");
        assert!(sums.calls > 0);
        sums
    });
}

fn rules() -> Rules {
    let limit = |window| Limit {
        scope: Scope::default(),
        window,
        amount: Amount { tokens: Some(50_000_000), ..Amount::default() },
        warn_at: vec![80],
    };
    Rules {
        limits: [Window::Call, Window::Session, Window::Day, Window::Month].map(limit).to_vec(),
        ..Rules::new(ROME)
    }
}

/// The query of a gate: four limits.
#[divan::bench]
fn states_of_four_limits(bencher: Bencher<'_, '_>) {
    let (books, rules) = (open(books()), rules());
    bencher.bench_local(|| meter::states(&books, &rules, None, now()).expect("they answer"));
}

/// The queries of the live screen before its first complete frame.
#[divan::bench]
fn opening_of_the_screen(bencher: Bencher<'_, '_>) {
    let (books, rules) = (open(books()), rules());
    bencher.bench_local(|| Snapshot::ask(&books, &rules, &Follow::Latest, now()).expect("they answer"));
}
