//! Opens the ledger and reads new log lines before a command answers.

mod ask;
mod followed;
mod open;
mod selection;

use std::path::{Path, PathBuf};
use std::sync::Arc;

pub(crate) use self::ask::{caller, limit_states, summary};
pub(crate) use self::followed::Followed;
pub(crate) use self::open::{open, options, replace_damaged};
pub(crate) use self::selection::{LogSelection, is_stdin, roots};
use super::context::Context;
use super::exit::{Exit, Failure};
use crate::domain::{Filter, Label};
use crate::engine::{AnyLedger, owner_of};
use crate::ingest::{self, BadNote, Condition, Health, ReadBatch, Tails, Tallies};
use crate::ledger::{self, Batch, Checkpoint, Ledger, LedgerError};
use crate::pricing::PriceBook;

/// Maximum number of unread files to list by name.
const NAMED: usize = 3;

/// An up-to-date ledger, with the results of reading the logs.
pub(crate) struct Books {
    pub(crate) ledger: AnyLedger,
    /// Price book used for its calls.
    pub(crate) prices: Arc<PriceBook>,
    /// Counters of lines read.
    pub(crate) tallies: Tallies,
    /// The first lines that could not be counted.
    pub(crate) bad: Vec<BadNote>,
    /// State of the sources.
    pub(crate) health: Health,
    /// Why calls may be missing: the ledger could not be opened.
    pub(crate) trouble: Option<String>,
    /// Why new calls are counted but not yet written.
    pub(crate) unbooked: Option<String>,
}

impl Books {
    /// Warning to show with the answer: calls may be missing, or are not written yet.
    pub(crate) fn warning(&self) -> Option<&str> {
        self.trouble.as_deref().or(self.unbooked.as_deref())
    }
}

/// Opens the ledger and reads new log lines.
///
/// With `book`, calls from the given paths are also written to the ledger.
///
/// # Errors
/// When the given paths cannot be read.
pub(crate) fn open_and_catch_up(
    context: &mut Context<'_>,
    selection: &LogSelection,
    book: bool,
) -> Result<Books, Failure> {
    let mut missed = match gather_once(context, selection, book, true) {
        Err(Missed::Unreadable(error)) => error,
        Err(Missed::Failed(failure)) => return Err(failure),
        Ok(books) => return Ok(books),
    };
    if missed.is_recoverable() && replace_damaged(context).is_ok() {
        match gather_once(context, selection, book, true) {
            Err(Missed::Unreadable(error)) => missed = error,
            Err(Missed::Failed(failure)) => return Err(failure),
            Ok(books) => return Ok(books),
        }
    }
    context.note(&missed.to_string());
    gather_once(context, selection, book, false).map_err(|missed| match missed {
        Missed::Failed(failure) => failure,
        Missed::Unreadable(error) => error.into(),
    })
}

/// Why catching up failed.
enum Missed {
    /// The ledger opens, but can be neither written nor read.
    Unreadable(LedgerError),
    Failed(Failure),
}

impl From<Failure> for Missed {
    fn from(failure: Failure) -> Self {
        Self::Failed(failure)
    }
}

impl From<LedgerError> for Missed {
    fn from(error: LedgerError) -> Self {
        Self::Unreadable(error)
    }
}

/// Opens the ledger and reads new log lines; `with_ledger` is false if the ledger is unusable.
fn gather_once(
    context: &mut Context<'_>,
    selection: &LogSelection,
    book: bool,
    with_ledger: bool,
) -> Result<Books, Missed> {
    let prices = context.prices();
    let mut selection = selection.clone();
    let mut roots = roots(context, &selection)?;
    // A transcript and its sub-agents are read on this thread; starting threads would cost more than it saves.
    let threads = match &selection {
        LogSelection::Session(Some(_)) => 1,
        LogSelection::Everything | LogSelection::Unbooked | LogSelection::Paths(_) | LogSelection::Session(None) => {
            std::thread::available_parallelism().map_or(1, std::num::NonZero::get)
        }
    };
    let mut tails = Tails::new(&roots, ingest::Options { oldest_first: true, ..tail_options(context) });
    if threads > 1 {
        tails.look_ahead();
    }
    let (ledger, trouble) = if with_ledger {
        let options = ledger::Options { as_draft: true, ..options(context, &selection) };
        open(context, &selection, &prices, book, options)
    } else {
        let trouble = "the ledger cannot be read; only what the logs still hold is counted, and nothing is booked";
        (AnyLedger::memory(&prices), Some(trouble.to_owned()))
    };
    if let LogSelection::Session(Some(transcript)) = &selection
        && (trouble.is_some() || ledger.to_salvage())
    {
        // Without the ledger, one transcript is not enough: all logs of the day are needed.
        let transcript = transcript.clone();
        roots = selection::roots(context, &LogSelection::Session(None))?;
        roots.extra.push(transcript);
        selection = LogSelection::Session(None);
        tails = Tails::new(&roots, ingest::Options { oldest_first: true, ..tail_options(context) });
    }
    let (tallies, health) = (Tallies::default(), Health::default());
    let mut books = Books { ledger, prices, tallies, bad: Vec::new(), health, trouble, unbooked: None };
    let selection = &selection;
    tails.resume(match selection {
        LogSelection::Session(Some(transcript)) => states_of(&books.ledger, transcript)?,
        LogSelection::Everything | LogSelection::Unbooked | LogSelection::Paths(_) | LogSelection::Session(None) => {
            books.ledger.files()?
        }
    });
    catch_up(context, &mut books, tails, selection, threads);
    books.health.notes.extend(books.ledger.lost());
    if !matches!(selection, LogSelection::Session(_)) {
        name_unread(context, &books.health);
    }
    if matches!(selection, LogSelection::Everything) && books.health.gone > 0 {
        let now = context.now();
        // If tidying fails, another run retries it.
        let _ = books.ledger.sqlite().map(|books| books.tidy(now));
    }
    if let LogSelection::Paths(paths) = selection {
        if paths.iter().any(|path| is_stdin(path)) {
            read_stdin(context, &mut books)?;
        }
        if let Some(error) = book_gathered(&mut books) {
            not_booked(context, &mut books, selection, &error);
        }
        complain_if_empty(&books, paths)?;
    } else if let Some(error) = book_gathered(&mut books) {
        if error.is_recoverable() && with_ledger {
            return Err(error.into());
        }
        // Calls that cannot be written are counted together with the ledger's. If the ledger cannot be read either,
        // fall back to the logs.
        if with_ledger {
            books.ledger.sums(&Filter { since: Some(context.now()), ..Filter::default() })?;
        }
        not_booked(context, &mut books, selection, &error);
    } else if books.ledger.to_salvage() {
        match books.ledger.salvage() {
            Ok(Some(salvaged)) => {
                context.note(&crate::engine::salvaged_words(&salvaged));
                books.health.notes.retain(|note| !matches!(note.what, Condition::LostCalls { .. }));
                books.health.notes.extend(books.ledger.lost());
            }
            Ok(None) => {}
            Err(error) => context.note(&format!("calls that no log holds any more were not recovered yet: {error}")),
        }
    }
    // One warning is enough: a failed write has already been reported.
    if books.unbooked.is_none()
        && let Some(why) = books.ledger.why_only_read()
    {
        context.note(why);
    }
    Ok(books)
}

/// Writes the buffered calls; returns the error if that fails.
fn book_gathered(books: &mut Books) -> Option<LedgerError> {
    books.ledger.flush().err()
}

/// Warns about the ledger. Answers to hooks and prompts, which are about one session, carry the warning themselves.
fn warn(context: &mut Context<'_>, selection: &LogSelection, warning: &str) {
    if !matches!(selection, LogSelection::Session(_)) {
        context.note(warning);
    }
}

/// Warns that new calls are counted but not written.
fn not_booked(context: &mut Context<'_>, books: &mut Books, selection: &LogSelection, error: &LedgerError) {
    let unbooked = format!("{error}; new calls are counted here, and booked as soon as possible");
    warn(context, selection, &unbooked);
    books.unbooked.get_or_insert(unbooked);
}

/// Warns about unread files, which may contain more calls.
fn name_unread(context: &mut Context<'_>, health: &Health) {
    let all = health.unread();
    for (path, why) in all.iter().take(NAMED) {
        context.note(&format!("{path} is not read: {why}; the numbers may be higher"));
    }
    let more = all.len().saturating_sub(NAMED);
    if more > 0 {
        let files = if more == 1 { "file is" } else { "files are" };
        context.note(&format!("{more} more {files} not read; `tokmeter doctor` names them"));
    }
}

/// Checkpoints of one session's transcript and of its sub-agents. A hook does not need the other files.
fn states_of(books: &dyn Ledger, transcript: &Path) -> Result<Vec<Checkpoint>, LedgerError> {
    let mut paths = vec![transcript.to_owned()];
    let mut folders = vec![transcript.with_extension("").join("subagents")];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
            let is_folder = entry.file_type().is_ok_and(|kind| kind.is_dir());
            if is_folder { folders.push(entry.path()) } else { paths.push(entry.path()) }
        }
    }
    let states = paths.iter().filter_map(|path| books.file(path).transpose());
    states.collect()
}

/// Reads new lines into the ledger.
fn catch_up(context: &mut Context<'_>, books: &mut Books, mut tails: Tails, selection: &LogSelection, threads: usize) {
    let Books { ledger, tallies, bad, .. } = books;
    let mut failed: Option<LedgerError> = None;
    tails.catch_up(std::time::Instant::now(), threads, &mut |batch: ReadBatch, _| {
        tallies.add(&batch.tallies);
        bad.extend_from_slice(&batch.bad[..batch.bad.len().min(ReadBatch::NOTES.saturating_sub(bad.len()))]);
        if let Err(error) = ledger.absorb(&Batch::from(batch)) {
            failed.get_or_insert(error);
        }
    });
    books.health = tails.health(std::time::Instant::now());
    // The process ends after its answer, and dropping thousands of file states would delay that.
    std::mem::forget(tails);
    if let Some(error) = failed {
        // The ledger can still answer; the new lines are read again next time.
        let trouble = format!("{error}; new calls in the logs are missing here");
        warn(context, selection, &trouble);
        books.trouble.get_or_insert(trouble);
    }
}

/// Reads standard input to the end.
fn read_stdin(context: &Context<'_>, books: &mut Books) -> Result<(), Failure> {
    let (options, clock) = (tail_options(context), Arc::clone(&context.env.clock));
    let Books { ledger, tallies, bad, .. } = books;
    let mut failed: Option<LedgerError> = None;
    let name = Label::new("-");
    let read = ingest::read_stream(&mut std::io::stdin().lock(), &name, &options, &|| clock(), &mut |batch| {
        tallies.add(&batch.tallies);
        bad.extend_from_slice(&batch.bad[..batch.bad.len().min(ReadBatch::NOTES.saturating_sub(bad.len()))]);
        if let Err(error) = ledger.absorb(&Batch::from(batch)) {
            failed.get_or_insert(error);
        }
    });
    books.health.files += 1;
    read.map_err(|error| Failure::new(Exit::NoInput, format!("standard input: {error}")))?;
    failed.map_or(Ok(()), |error| Err(error.into()))
}

/// Reader options from the settings.
pub(crate) fn tail_options(context: &Context<'_>) -> ingest::Options {
    ingest::Options { owner: owner_of(&context.settings), ..ingest::Options::default() }
}

fn complain_if_empty(books: &Books, paths: &[PathBuf]) -> Result<(), Failure> {
    let named = || paths.iter().map(|path| Label::from_path(path).to_string()).collect::<Vec<_>>().join(", ");
    if books.health.files == 0 {
        return Err(Failure::new(Exit::NoInput, format!("{}: no log in it (*.jsonl)", named())));
    }
    if books.tallies.lines > 0 && books.tallies.read == 0 {
        let lines = crate::text::plural(books.tallies.lines, "line");
        if let Some(first) = books.bad.first() {
            let why = format!("{lines}, none of which could be counted; line {}: {}", first.line, first.why);
            let more = if books.tallies.bad > 1 { "; `tokmeter audit` lists the others" } else { "" };
            return Err(Failure::new(Exit::NoInput, format!("{}: {why}{more}", first.path)));
        }
        let known = crate::formats::names().join(", ");
        return Err(Failure::new(Exit::NoInput, format!("{}: {lines}, none in a known format ({known})", named())));
    }
    Ok(())
}
