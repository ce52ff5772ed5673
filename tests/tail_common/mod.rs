//! Shared by the tests of the tailer: lines to write, and a ledger that merges what was read.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use tokmeter::testing::domain::{Bill, Call, CallKey, Record};
use tokmeter::testing::ingest::{BadNote, Condition, Health, Options, ReadBatch, Roots, Tails, Tallies};
use tokmeter::testing::ledger::Checkpoint;

/// One line of a usage log, with its end.
pub(crate) fn line(id: &str) -> String {
    format!("{}\n", object(id))
}

/// One line of a usage log, without its end. All ids of one length give lines of one length.
pub(crate) fn object(id: &str) -> String {
    format!(
        r#"{{"id":"{id}","at":"2026-11-22T10:00:00Z","model":"m-{id}","input_tokens":10,"output_tokens":3,"session":"s"}}"#
    )
}

/// Appends to a file, creating it if needed.
pub(crate) fn append(path: &Path, text: impl AsRef<[u8]>) {
    let mut file = OpenOptions::new().create(true).append(true).open(path).unwrap();
    file.write_all(text.as_ref()).unwrap();
}

/// A minimal ledger for batches of the tailer.
#[derive(Default)]
pub(crate) struct Books {
    pub(crate) calls: BTreeMap<CallKey, Call>,
    /// Number of sightings of each call.
    pub(crate) sightings: BTreeMap<String, u64>,
    pub(crate) files: BTreeMap<PathBuf, Checkpoint>,
    pub(crate) bad: Vec<BadNote>,
    pub(crate) tallies: Tallies,
    pub(crate) batches: usize,
    pub(crate) bills: Vec<Bill>,
}

impl Books {
    pub(crate) fn book(&mut self, batch: ReadBatch) {
        self.batches += 1;
        self.tallies.add(&batch.tallies);
        self.bad.extend(batch.bad);
        if let Some(file) = batch.file {
            self.files.insert(file.path.clone(), file);
        }
        for record in batch.records {
            let call = match record {
                Record::Call(call) => call,
                Record::Bill(bill) => {
                    self.bills.push(bill);
                    continue;
                }
                Record::Descends { .. } | Record::Rekeyed { .. } | Record::Status(_) | Record::Settled(_) => continue,
            };
            *self.sightings.entry(name(&call)).or_default() += 1;
            let joined = match self.calls.remove(&call.key) {
                Some(earlier) => earlier.join(call.clone()),
                None => call.clone(),
            };
            self.calls.insert(call.key, joined);
        }
    }

    /// The ids of the calls that are booked, each once.
    pub(crate) fn ids(&self) -> BTreeSet<String> {
        self.calls.values().map(name).collect()
    }
}

fn name(call: &Call) -> String {
    call.model.as_ref().map_or_else(String::new, |model| model.trim_start_matches("m-").to_owned())
}

/// A meter that follows folders, with a clock of its own.
pub(crate) struct Meter {
    pub(crate) tails: Tails,
    pub(crate) books: Books,
    pub(crate) now: Instant,
    roots: Roots,
    options: Options,
}

impl Meter {
    pub(crate) fn on(roots: Roots) -> Self {
        Self::with(roots, Options::default())
    }

    pub(crate) fn with(roots: Roots, options: Options) -> Self {
        let tails = Tails::new(&roots, options.clone());
        Self { tails, books: Books::default(), now: Instant::now(), roots, options }
    }

    /// Follows a folder that the user named.
    pub(crate) fn over(folder: &Path) -> Self {
        Self::on(Roots::only([folder.to_owned()]))
    }

    /// Looks everywhere, then reads.
    pub(crate) fn rescan(&mut self) -> &mut Self {
        self.tails.rescan(self.now);
        self.poll()
    }

    /// Looks at the files that are known.
    pub(crate) fn poll(&mut self) -> &mut Self {
        let Self { tails, books, now, .. } = self;
        tails.poll_once(*now, &mut |batch| books.book(batch));
        self
    }

    pub(crate) fn later(&mut self, seconds: u64) -> &mut Self {
        self.now += Duration::from_secs(seconds);
        self
    }

    /// Ends, and restarts from the ledger's checkpoints.
    pub(crate) fn restart(&mut self) -> &mut Self {
        self.tails = Tails::new(&self.roots, self.options.clone());
        self.tails.resume(self.books.files.values().cloned());
        self
    }

    pub(crate) fn ids(&self) -> Vec<String> {
        self.books.ids().into_iter().collect()
    }

    pub(crate) fn health(&self) -> Health {
        self.tails.health(self.now)
    }

    /// Conditions reported for a path.
    pub(crate) fn says(&self, path: &Path) -> Vec<Condition> {
        let label = tokmeter::testing::domain::Label::from_bytes(path.as_os_str().as_encoded_bytes());
        self.health().notes.into_iter().filter(|note| note.path == label).map(|note| note.what).collect()
    }
}

/// A folder for one test.
pub(crate) fn folder() -> (tempfile::TempDir, PathBuf) {
    let keep = tempfile::tempdir().unwrap();
    let path = fs::canonicalize(keep.path()).unwrap();
    (keep, path)
}
