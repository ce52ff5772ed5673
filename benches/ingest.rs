//! Reading: irrelevant lines, lines about usage, whole files, a whole home.

use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock, OnceLock};
use std::time::Instant as Moment;

use divan::Bencher;
use divan::counter::{BytesCount, ItemsCount};
use tokmeter::testing::domain::{Filter, Instant, Label, Record};
use tokmeter::testing::formats::{Decoder, Origin, Outcome};
use tokmeter::testing::ingest::{Options, Roots, Tails};
use tokmeter::testing::ledger::{Batch, Ledger, Memory};
use tokmeter::testing::pricing::{CostMode, PriceBook};

mod corpus;

const BYTES: u64 = 24_000_000;

static CORPUS: LazyLock<(Vec<corpus::Log>, corpus::Truth)> = LazyLock::new(|| corpus::in_memory(BYTES, 1));

/// The same logs in a folder; it stays until the system cleans up.
static HOME: OnceLock<PathBuf> = OnceLock::new();

fn home() -> &'static Path {
    HOME.get_or_init(|| {
        let folder = tempfile::tempdir().expect("a folder for logs").keep();
        corpus::write(&folder, BYTES, 1).expect("room for logs");
        folder
    })
}

fn main() {
    divan::main();
    if let Some(folder) = HOME.get() {
        let _ = std::fs::remove_dir_all(folder);
    }
}

fn origin() -> Origin {
    Origin { path: Label::new("bench.jsonl"), offset: 0, modified: Instant::UNIX_EPOCH }
}

/// The lines of all logs of which this is so.
fn lines(wanted: impl Fn(&Outcome) -> bool) -> Vec<&'static [u8]> {
    let mut kept = Vec::new();
    for log in &CORPUS.0 {
        let (mut reader, mut out) = (Decoder::new(&[]), Vec::new());
        for line in log.text.lines().map(str::as_bytes) {
            if wanted(&reader.line(line, &origin(), &mut out)) {
                kept.push(line);
            }
        }
    }
    kept
}

fn read(bencher: Bencher<'_, '_>, lines: &[&[u8]]) {
    let bytes: usize = lines.iter().map(|line| line.len()).sum();
    bencher.counter(BytesCount::new(bytes)).counter(ItemsCount::new(lines.len())).bench_local(|| {
        let (mut reader, origin, mut out) = (Decoder::new(&[]), origin(), Vec::new());
        for line in lines {
            divan::black_box(reader.line(line, &origin, &mut out));
        }
        out
    });
}

/// Prompts and tools' outputs: searched, not parsed.
#[divan::bench]
fn lines_passed_over(bencher: Bencher<'_, '_>) {
    read(bencher, &lines(|outcome| *outcome == Outcome::Passed));
}

/// Answers and counts: parsed.
#[divan::bench]
fn lines_about_usage(bencher: Bencher<'_, '_>) {
    read(bencher, &lines(|outcome| *outcome == Outcome::Read));
}

/// All lines of all files, joined by key.
#[divan::bench]
fn all_lines_into_memory(bencher: Bencher<'_, '_>) {
    let (logs, truth) = &*CORPUS;
    bencher.counter(BytesCount::new(truth.bytes)).bench_local(|| {
        let mut books = memory();
        for log in logs {
            let (mut reader, origin) = (Decoder::new(&[]), origin());
            let mut records: Vec<Record> = Vec::new();
            for line in log.text.lines() {
                reader.line(line.as_bytes(), &origin, &mut records);
            }
            books.absorb(&Batch { records, files: Vec::new() }).expect("memory takes all");
        }
        exact(books, truth)
    });
}

/// A cold start: files found, cut into lines, read and joined.
#[divan::bench(args = [1, 2])]
fn home_into_memory(bencher: Bencher<'_, '_>, threads: usize) {
    let roots = Roots::discover(Some(&home().join("home")), |_| None);
    let truth = &CORPUS.1;
    bencher.counter(BytesCount::new(truth.bytes)).bench_local(|| {
        let mut books = memory();
        let mut tails = Tails::new(&roots, Options::default());
        tails.catch_up(Moment::now(), threads, &mut |batch, _| {
            books.absorb(&Batch::from(batch)).expect("memory takes all");
        });
        exact(books, truth)
    });
}

fn memory() -> Memory {
    Memory::new(Arc::new(PriceBook::new(Vec::new(), Vec::new(), CostMode::default())))
}

/// A fast wrong answer is worth nothing.
fn exact(mut books: Memory, truth: &corpus::Truth) -> Memory {
    books.flush().expect("memory takes all");
    let (sums, total) = (books.sums(&Filter::default()).expect("memory answers"), truth.total());
    assert_eq!((sums.calls, sums.tokens.fields()), (total.calls, total.tokens));
    books
}
