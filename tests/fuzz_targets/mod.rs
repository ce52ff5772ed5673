//! Invariants for arbitrary bytes: each function accepts any input, and panics when an invariant is violated.
//!
//! `tests/fuzz.rs` runs them on seeded bytes with every test run; `fuzz/` runs them in a fuzzer.

#![allow(clippy::unwrap_used, missing_docs, unreachable_pub, reason = "a panic here is a finding")]

mod books;
mod screen;
mod settings;

use std::io::Read;
use std::path::PathBuf;
use std::sync::Arc;

use tokmeter::testing::commands;
use tokmeter::testing::config::{Env, Settings};
use tokmeter::testing::domain::{Filter, Instant, Label, Record, Zone};
use tokmeter::testing::formats::{Decoder, Origin, Outcome};
use tokmeter::testing::ingest::{Options, read_stream};
use tokmeter::testing::ledger::{Batch, Ledger, Memory};
use tokmeter::testing::meter::Rules;
use tokmeter::testing::pricing::{CostMode, PriceBook};

pub use books::{ledger_open, price_list};
pub use screen::{key_binding, render};
pub use settings::{config_toml, timestamp};

/// A target's name and function.
pub type Target = (&'static str, fn(&[u8]));

/// Every function, by the name of its fuzz target.
pub const ALL: &[Target] = &[
    ("line_parser", line_parser),
    ("splitter", splitter),
    ("socket_line", socket_line),
    ("sanitise", sanitise),
    ("timestamp", timestamp),
    ("price_list", price_list),
    ("config_toml", config_toml),
    ("key_binding", key_binding),
    ("ledger_open", ledger_open),
    ("render", render),
];

fn now() -> Instant {
    Instant::from_timestamp(1_795_291_200, 0).unwrap()
}

fn origin(offset: u64) -> Origin {
    Origin { path: Label::new("/fuzz/log.jsonl"), offset, modified: now() }
}

fn prices() -> Arc<PriceBook> {
    Arc::new(PriceBook::new(Vec::new(), Vec::new(), CostMode::default()))
}

/// No line panics; a reader restored between lines decodes the same; no implausible count is accepted.
pub fn line_parser(data: &[u8]) {
    let (mut whole, mut records) = (Decoder::new(&[]), Vec::new());
    let (mut state, mut resumed) = (String::new(), Vec::new());
    for (at, line) in (0..).zip(data.split(|byte| *byte == b'\n')) {
        let (before, origin) = (records.len(), origin(at));
        let outcome = whole.line(line, &origin, &mut records);
        assert!(outcome != Outcome::Passed || records.len() == before, "a line passed over says nothing");
        let mut again = Decoder::new(&[]);
        again.restore(&state);
        again.line(line, &origin, &mut resumed);
        state = again.state();
    }
    assert_eq!(records, resumed);
    for record in &records {
        if let Record::Call(call) = record {
            assert!(call.tokens.fields().iter().all(|count| *count <= 1_000_000_000), "{call:?}");
            assert!(call.tokens.reasoning <= call.tokens.output, "{call:?}");
        }
    }
}

/// Yields at most this many bytes at a time.
struct Sips<'a>(&'a [u8], usize);

impl Read for Sips<'_> {
    fn read(&mut self, into: &mut [u8]) -> std::io::Result<usize> {
        let sip = self.0.len().min(self.1).min(into.len());
        let (taken, rest) = self.0.split_at(sip);
        into[..sip].copy_from_slice(taken);
        self.0 = rest;
        Ok(sip)
    }
}

/// A feed decodes the same in pieces of any size. The first byte is the size of the pieces.
pub fn splitter(data: &[u8]) {
    let Some((first, feed)) = data.split_first() else { return };
    let read = |sip: usize| {
        let mut books = Memory::new(prices());
        let options = Options { longest_line: 4096, ..Options::default() };
        read_stream(&mut Sips(feed, sip), &Label::new("-"), &options, &now, &mut |batch| {
            books.post(&Batch::from(batch)).unwrap();
        })
        .unwrap();
        books.flush().unwrap();
        books.sums(&Filter::default()).unwrap()
    };
    // A line of a feed is complete with its object, so that a line end must close every line.
    if feed.last() == Some(&b'\n') {
        assert_eq!(read(usize::from(*first).max(1)), read(usize::MAX));
    } else {
        read(usize::from(*first).max(1));
    }
}

/// Any input is answered with one line of JSON, and the ledger accepts any records.
pub fn socket_line(data: &[u8]) {
    let mut records = Vec::new();
    Decoder::new(&[]).line(data, &origin(0), &mut records);
    let mut books = Memory::new(prices());
    books.post(&Batch { records, files: Vec::new() }).unwrap();
    let settings = Settings::defaults(&Env::empty(now()));
    let question = String::from_utf8_lossy(data);
    let answer = commands::query(&question, &books, &Rules::new(Zone::UTC), &settings, now());
    assert!(!answer.contains('\n') && serde_json::from_str::<serde_json::Value>(&answer).is_ok(), "{answer}");
}

/// A name is printable, short, and stays as it is when cleaned again.
pub fn sanitise(data: &[u8]) {
    let label = Label::from_bytes(data);
    assert!(label.len() <= 1024);
    assert!(!label.chars().any(|letter| letter.is_control() || ('\u{200b}'..='\u{200f}').contains(&letter)));
    assert!(!label.chars().any(|letter| ('\u{202a}'..='\u{202e}').contains(&letter)), "nothing turns a line around");
    assert_eq!(Label::new(&label), label);
    let path = PathBuf::from(label.as_str());
    assert_eq!(Label::from_bytes(path.as_os_str().as_encoded_bytes()), label);
}
