//! `audit`: reads every log again from its first byte and reports what became of each line.
//!
//! Writes nothing to the ledger and shows no content of lines: only counts, places and reasons.

mod marked;
mod show;

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use serde::Serialize;

use self::marked::Marked;
use super::{Context, Exit, Failure, ledger};
use crate::app::catch_up::{self, LogSelection};
use crate::domain::{Dimension, Filter, Label, Record, Zone};
use crate::engine::AnyLedger;
use crate::formats::{Exactness, FormatId};
use crate::ingest::{self, BadNote, Condition, Health, ReadBatch, Tails, Tallies};
use crate::ledger::{Batch, Grain, Ledger, Query, Report, Sums};
use crate::meter::overrides::{self, Override};
use crate::output::{self, Decimal};

/// Places listed for each kind of problem; all are counted.
const PLACES: usize = 20;

pub(super) fn run(context: &mut Context<'_>, json: bool, paths: &[PathBuf]) -> Result<Exit, Failure> {
    let selection = LogSelection::from_args(context, paths, true);
    let read = read(context, &selection)?;
    if paths.is_empty() {
        let audit = Audit::from_read(&read, Kept::from_ledger(context, &read)?)?;
        return show::write(context, &audit, json);
    }
    let audit = Audit::from_read(&read, None)?;
    show::write(context, &audit, json)
}

/// Result of reading every log from its first byte.
pub(super) struct Read {
    /// Every call, in memory.
    pub(super) books: AnyLedger,
    /// Calls as reported by lines, duplicates included, per format.
    pub(super) sightings: BTreeMap<Label, u64>,
    /// Counters of lines, by outcome.
    pub(super) tallies: Tallies,
    /// The first lines that could not be counted, by file and line.
    pub(super) bad: Vec<BadNote>,
    /// The first lines that match no known format.
    unknown: Vec<BadNote>,
    /// State of the sources.
    pub(super) health: Health,
}

/// Reads the selected logs from the first byte, into memory.
///
/// # Errors
/// When a given path does not exist, or standard input cannot be read.
pub(super) fn read(context: &mut Context<'_>, selection: &LogSelection) -> Result<Read, Failure> {
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
    fn take(&mut self, batch: ReadBatch) -> Result<(), crate::ledger::BooksError> {
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

    /// Drops all but the first bad lines to bound memory.
    fn keep_first(&mut self) {
        for notes in [&mut self.bad, &mut self.unknown] {
            notes.sort_by(|one, other| (&one.path, one.offset).cmp(&(&other.path, other.offset)));
            notes.truncate(PLACES);
        }
    }

    fn by(&self, dimension: Dimension) -> Result<Report, Failure> {
        let query = Query { by: vec![dimension], ..Query::new(Grain::Total, Zone::UTC) };
        Ok(self.books.report(&query)?)
    }
}

/// Totals of the ledger, for comparison.
#[derive(Serialize)]
struct Kept {
    calls: u64,
    /// Calls in the ledger that no log holds any more.
    only_in_ledger: u64,
    files_gone: u64,
    first_files_gone: Vec<Label>,
    future_calls: u64,
    limits_lifted: Vec<Override>,
}

impl Kept {
    fn from_ledger(context: &mut Context<'_>, read: &Read) -> Result<Option<Self>, Failure> {
        let prices = context.prices();
        let Some(books) = ledger::open(context, &prices)? else { return Ok(None) };
        let info = books.info(context.now())?;
        let files = books.files()?;
        let gone: BTreeSet<Label> =
            files.iter().filter(|file| !file.path.exists()).map(|file| Label::from_path(&file.path)).collect();
        let limits_lifted = overrides::all(&books)?;
        let in_logs = read.books.sums(&Filter::default())?.calls;
        Ok(Some(Self {
            calls: info.sums.calls,
            only_in_ledger: info.sums.calls.saturating_sub(in_logs),
            files_gone: u64::try_from(gone.len()).unwrap_or(u64::MAX),
            first_files_gone: gone.into_iter().take(PLACES).collect(),
            future_calls: info.future_calls,
            limits_lifted,
        }))
    }
}

#[derive(Serialize)]
struct Audit {
    schema: u8,
    files: u64,
    bytes: u64,
    lines: u64,
    recognised_lines: u64,
    unknown_lines: u64,
    sightings: u64,
    calls: u64,
    duplicates: u64,
    total_tokens: u64,
    cost_usd: output::Cell,
    sources: Vec<ByFormat>,
    lower_bound_calls: u64,
    guessed_calls: u64,
    unpriced: Vec<Unpriced>,
    unpriced_tokens: u64,
    first_marked_calls: Vec<Marked>,
    first_unknown_lines: Vec<Bad>,
    bad_lines: u64,
    first_bad_lines: Vec<Bad>,
    over_long_lines: u64,
    nul_bytes: u64,
    unread_bytes: u64,
    unread_files: u64,
    notes: Vec<Note>,
    ledger: Option<Kept>,
    #[serde(skip)]
    total: Sums,
}

#[derive(Serialize)]
struct ByFormat {
    source: Label,
    fidelity: String,
    sightings: u64,
    calls: u64,
    duplicates: u64,
    lower_bound_calls: u64,
    guessed_calls: u64,
    total_tokens: u64,
    cost_usd: Decimal,
}

#[derive(Serialize)]
struct Unpriced {
    model: Option<Label>,
    calls: u64,
    tokens: u64,
}

/// A line that was not counted: place and reason, without its content.
#[derive(Serialize)]
pub(super) struct Bad {
    file: Label,
    line: u64,
    byte: u64,
    why: Label,
}

impl Bad {
    pub(super) fn from_note(note: &BadNote) -> Self {
        Self { file: note.path.clone(), line: note.line, byte: note.offset, why: Label::new(&note.why.to_string()) }
    }
}

/// `FILE:LINE: why`.
impl std::fmt::Display for Bad {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "{}:{}: {}", self.file, self.line, self.why)
    }
}

/// How exact the logs of a source are: `E$` and the like; empty for a source of another version.
fn fidelity(source: &str) -> String {
    FormatId::of_name(source).map(|id| Exactness::label(id.format().fidelity())).unwrap_or_default()
}

#[derive(Serialize)]
struct Note {
    path: Label,
    what: Label,
}

impl Audit {
    fn from_read(read: &Read, ledger: Option<Kept>) -> Result<Self, Failure> {
        let sources = read.by(Dimension::Source)?;
        let of_source = |source: &Label| -> Sums {
            let row = sources.rows.iter().find(|row| row.by.first().is_some_and(|name| name.as_ref() == Some(source)));
            row.map(|row| row.sums).unwrap_or_default()
        };
        let models = read.by(Dimension::Model)?;
        let total = models.total;
        let sightings: u64 = read.sightings.values().sum();
        let notes = read.health.notes.iter().filter(|note| is_worth_a_word(&note.what));
        Ok(Self {
            schema: 1,
            files: read.health.files,
            bytes: read.tallies.bytes,
            lines: read.tallies.lines,
            recognised_lines: read.tallies.read,
            unknown_lines: read.tallies.other,
            sightings,
            calls: total.calls,
            duplicates: sightings.saturating_sub(total.calls),
            total_tokens: total.tokens.total(),
            cost_usd: output::cost_cell(&total),
            sources: read
                .sightings
                .iter()
                .map(|(source, sightings)| {
                    let sums = of_source(source);
                    ByFormat {
                        source: source.clone(),
                        fidelity: fidelity(source),
                        sightings: *sightings,
                        calls: sums.calls,
                        duplicates: sightings.saturating_sub(sums.calls),
                        lower_bound_calls: sums.lower_bound_calls,
                        guessed_calls: sums.guessed_calls,
                        total_tokens: sums.tokens.total(),
                        cost_usd: Decimal(sums.cost),
                    }
                })
                .collect(),
            lower_bound_calls: total.lower_bound_calls,
            guessed_calls: total.guessed_calls,
            unpriced: models
                .rows
                .iter()
                .filter(|row| row.sums.unpriced_tokens > 0)
                .map(|row| Unpriced {
                    model: row.by.first().cloned().flatten(),
                    calls: row.sums.calls,
                    tokens: row.sums.unpriced_tokens,
                })
                .collect(),
            unpriced_tokens: total.unpriced_tokens,
            first_marked_calls: Marked::first(&read.books, &total)?,
            first_unknown_lines: read.unknown.iter().map(Bad::from_note).collect(),
            bad_lines: read.tallies.bad,
            first_bad_lines: read.bad.iter().map(Bad::from_note).collect(),
            over_long_lines: read.tallies.over_long,
            nul_bytes: read.tallies.nuls,
            unread_bytes: read.health.lag,
            unread_files: read.health.unread_files(),
            notes: notes
                .take(PLACES)
                .map(|note| Note {
                    path: note.path.clone(),
                    what: Label::new(&crate::engine::health::condition_words(&note.what)),
                })
                .collect(),
            ledger,
            total,
        })
    }
}

/// True for conditions that no other count of the audit covers.
fn is_worth_a_word(what: &Condition) -> bool {
    match what {
        Condition::PermissionDenied
        | Condition::Failing(_)
        | Condition::Unsupported(_)
        | Condition::SymlinkLoop
        | Condition::DanglingLink
        | Condition::Partial { .. }
        | Condition::NotRecognised
        | Condition::OverLong { .. }
        | Condition::NulsSkipped { .. } => true,
        Condition::Replaced | Condition::Rewritten | Condition::Gone | Condition::Skipped(_) => false,
    }
}
