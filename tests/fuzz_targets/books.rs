//! Ledgers and price lists that are foreign or damaged.

use std::fs;
use std::path::Path;
use std::sync::OnceLock;

use tokmeter::testing::domain::{Dimension, Filter, Label, Zone};
use tokmeter::testing::formats::Decoder;
use tokmeter::testing::ledger::{self, Batch, FactKind, Grain, KeyValue, Ledger, Query, Sqlite};

use super::{now, origin, prices};

/// A price list is accepted or refused; an accepted one is usable, and is valid again in its stored form.
pub fn price_list(data: &[u8]) {
    let text = String::from_utf8_lossy(data).into_owned();
    let day = now().date_naive();
    let book = prices();
    if let Ok(update) = book.update(&text, day) {
        let (book, problem) = super::PriceBook::new(Vec::new(), Vec::new(), book.mode()).with_update(update.text);
        assert_eq!(problem.map(|problem| problem.to_string()), None);
        book.changes();
    }
    let (book, _) = super::PriceBook::new(Vec::new(), Vec::new(), book.mode()).with_update(text);
    let names: Vec<String> = book.names().take(20).map(str::to_owned).collect();
    for name in names {
        book.rates(&name, now());
        book.history(&name);
    }
}

/// A valid ledger of a few calls, as bytes.
fn sound() -> &'static [u8] {
    static SOUND: OnceLock<Vec<u8>> = OnceLock::new();
    SOUND.get_or_init(|| {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ledger.db");
        let mut books = open(&path).unwrap();
        let (mut lines, mut records) = (Decoder::new(&[]), Vec::new());
        for at in 0..CALLS {
            let line = format!(
                "{{\"id\":\"{at}\",\"at\":{},\"model\":\"m{}\",\"session\":\"s\",\"input_tokens\":{at},\"output_tokens\":5}}",
                1_795_000_000 + at * 600,
                at % 3
            );
            lines.line(line.as_bytes(), &origin(at), &mut records);
        }
        books.post(&Batch { records, files: Vec::new() }).unwrap();
        drop(books);
        fs::read(path).unwrap()
    })
}

const CALLS: u64 = 60;

fn open(path: &Path) -> Result<Sqlite, ledger::LedgerError> {
    ledger::open(path, ledger::Options::hurried(now()), prices()).map(|opened| opened.books)
}

/// Damage is detected or harmless: nothing panics, and an undamaged ledger holds its calls.
///
/// Every four bytes change one byte of a valid ledger; if the first is odd, the bytes are the ledger.
pub fn ledger_open(data: &[u8]) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ledger.db");
    let mut bytes = sound().to_vec();
    let raw = data.first().is_some_and(|first| first % 2 == 1);
    if raw {
        bytes = data[1..].to_vec();
    } else {
        for change in data.chunks_exact(4) {
            let at = usize::from(u16::from_le_bytes([change[0], change[1]])) * 256 + usize::from(change[2]);
            let at = at % bytes.len();
            bytes[at] ^= change[3];
        }
    }
    let whole = bytes == sound();
    fs::write(&path, &bytes).unwrap();
    let Ok(mut books) = open(&path) else {
        assert!(!whole, "a sound ledger opens");
        return;
    };
    let query = |grain, by| Query { by, ..Query::new(grain, Zone::UTC) };
    let mut answers = Vec::new();
    for grain in [Grain::Day, Grain::Session, Grain::Call, Grain::Total] {
        answers.push(books.report(&query(grain, vec![Dimension::Model])).map(|report| report.total.calls));
    }
    answers.push(books.sums(&Filter::default()).map(|sums| sums.calls));
    answers.push(books.calls(&Filter::default(), 1000).map(|calls| calls.len() as u64));
    let _ = (books.files(), books.facts(FactKind::Override, ""));
    let mut records = Vec::new();
    let line = br#"{"id":"new","at":1795290000,"model":"m","input_tokens":1}"#;
    Decoder::new(&[]).line(line, &origin(CALLS), &mut records);
    let posted = books.post(&Batch { records, files: Vec::new() });
    if whole {
        assert!(answers.iter().all(|calls| calls.as_ref().is_ok_and(|calls| *calls == CALLS)), "{answers:?}");
        assert_eq!(posted.unwrap().len(), 1);
    } else if let Err(error) = posted {
        Label::new(&error.to_string());
    }
}
