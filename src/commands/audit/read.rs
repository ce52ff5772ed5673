//! Reads every log from its first byte, into memory.

use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use super::PLACES;
use crate::app::catch_up::{self, LogSelection};
use crate::commands::{Context, Exit, Failure};
use crate::domain::{Dimension, Label, Record, Zone, sort_by};
use crate::engine::AnyLedger;
use crate::ingest::{self, BadNote, Health, ReadBatch, Tails, Tallies};
use crate::ledger::{Batch, Grain, Ledger, Query, Report};

/// Result of reading every log from its first byte.
pub(crate) struct Read {
    /// Every call, in memory.
    pub(crate) books: AnyLedger,
    /// Number of calls reported by lines, including duplicates, per format.
    pub(crate) sightings: BTreeMap<Label, u64>,
    /// Line counters, by outcome.
    pub(crate) tallies: Tallies,
    /// The first lines that could not be counted, sorted by file and line.
    pub(crate) bad: Vec<BadNote>,
    /// The first lines that match no known format.
    pub(crate) unknown: Vec<BadNote>,
    /// State of the sources.
    pub(crate) health: Health,
}

/// Reads the selected logs from the first byte, into memory.
///
/// # Errors
/// When a given path does not exist, or standard input cannot be read.
pub(crate) fn read(context: &mut Context<'_>, selection: &LogSelection) -> Result<Read, Failure> {
    let prices = context.prices();
    let options = catch_up::tail_options(context);
    let (files, with_stdin) = match selection {
        LogSelection::Paths(paths) => {
            let files: Vec<PathBuf> = paths.iter().filter(|path| !catch_up::is_stdin(path)).cloned().collect();
            let with_stdin = files.len() < paths.len();
            (LogSelection::Paths(files), with_stdin)
        }
        LogSelection::Everything | LogSelection::Unbooked | LogSelection::Session(_) => (selection.clone(), false),
    };
    let mut tails = Tails::new(&catch_up::roots(context, &files)?, options.clone());
    let mut read = Read {
        books: AnyLedger::memory(&prices),
        sightings: BTreeMap::new(),
        tallies: Tallies::default(),
        bad: Vec::new(),
        unknown: Vec::new(),
        health: Health::default(),
    };
    let threads = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let mut failed = None;
    let now = std::time::Instant::now();
    tails.catch_up(now, threads, &mut |batch, _| failed = failed.take().or(read.take(batch).err()));
    read.health = tails.health(now);
    if with_stdin {
        let clock = Arc::clone(&context.env.clock);
        let name = Label::new("-");
        ingest::read_stream(&mut io::stdin().lock(), &name, &options, &|| clock(), &mut |batch| {
            failed = failed.take().or(read.take(batch).err());
        })
        .map_err(|error| Failure::new(Exit::NoInput, format!("standard input: {error}")))?;
        read.health.files += 1;
    }
    read.keep_first();
    read.books.flush()?;
    failed.map_or(Ok(read), |error| Err(Failure::from(error)))
}

impl Read {
    pub(crate) fn take(&mut self, batch: ReadBatch) -> Result<(), crate::ledger::LedgerError> {
        self.tallies.add(&batch.tallies);
        for record in &batch.records {
            if let Record::Call(call) = record {
                match self.sightings.get_mut(&call.from.source) {
                    Some(count) => *count += 1,
                    None => _ = self.sightings.insert(call.from.source.clone(), 1),
                }
            }
        }
        self.bad.extend_from_slice(&batch.bad);
        self.unknown.extend_from_slice(&batch.unknown);
        if self.bad.len().max(self.unknown.len()) > 50 * PLACES {
            self.keep_first();
        }
        self.books.absorb(&Batch::from(batch))
    }

    /// Keeps only the first bad lines, to bound memory.
    fn keep_first(&mut self) {
        for notes in [&mut self.bad, &mut self.unknown] {
            sort_by(notes, |one, other| (&one.path, one.offset).cmp(&(&other.path, other.offset)));
            notes.truncate(PLACES);
        }
    }

    pub(super) fn report_by(&self, dimension: Dimension) -> Result<Report, Failure> {
        let query = Query { by: vec![dimension], ..Query::new(Grain::Total, Zone::UTC) };
        Ok(self.books.report(&query)?)
    }
}
