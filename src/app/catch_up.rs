//! Opens the books a command is about, and catches up with the logs before it answers.

mod ask;

use std::path::{Path, PathBuf};
use std::sync::Arc;

pub(crate) use self::ask::{caller, limit_states, summary};
use super::{Context, Exit, Failure};
use crate::domain::{Filter, Label};
use crate::engine::AnyLedger;
use crate::ingest::{self, BadNote, Health, Owner, ReadBatch, Roots, Tails, Tallies};
use crate::ledger::{self, Batch, BooksError, Checkpoint, Ledger};
use crate::pricing::PriceBook;

/// Files that are not read are named up to this number.
const NAMED: usize = 3;

/// What a command is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum LogSelection {
    /// Every log found, and all that was ever booked.
    Everything,
    /// Every log found, without the ledger.
    Unbooked,
    /// These files and folders.
    Paths(Vec<PathBuf>),
    /// All that was ever booked, after reading on in this session's transcript only, or in every log found: an
    /// agent or a prompt waits for the answer.
    Session(Option<PathBuf>),
}

impl LogSelection {
    /// These paths, or everything; with or without the ledger.
    pub(crate) fn from_args(context: &Context<'_>, paths: &[PathBuf], unbooked: bool) -> Self {
        match (paths, unbooked) {
            ([], true) => Self::Unbooked,
            ([], false) => Self::Everything,
            (paths, _) => Self::Paths(paths.iter().map(|path| context.absolute(path)).collect()),
        }
    }
}

/// Books that have caught up, and what was met on the way.
pub(crate) struct Books {
    /// The books.
    pub(crate) ledger: AnyLedger,
    /// What they are priced with.
    pub(crate) prices: Arc<PriceBook>,
    /// What was met while catching up.
    pub(crate) tallies: Tallies,
    /// The first lines that could not be counted.
    pub(crate) bad: Vec<BadNote>,
    /// How the sources are.
    pub(crate) health: Health,
    /// Why these books may lack something: the ledger could not be opened.
    pub(crate) trouble: Option<String>,
    /// Why what is new is not booked. It is counted all the same.
    pub(crate) unbooked: Option<String>,
}

impl Books {
    /// Warning shown with the answer, if any: something may be missing, or is not booked yet.
    pub(crate) fn warning(&self) -> Option<&str> {
        self.trouble.as_deref().or(self.unbooked.as_deref())
    }
}

/// Opens the books and reads what is new.
///
/// `book` also writes to the ledger what given paths hold.
///
/// # Errors
/// When given paths hold nothing that can be read.
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
    if missed.is_mendable() && mend(context).is_ok() {
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

/// Moves a damaged ledger aside and creates a new one, which the next opening fills from the logs.
///
/// # Errors
/// When it can be neither put aside nor made.
pub(crate) fn mend(context: &mut Context<'_>) -> Result<(), Failure> {
    let Some(path) = context.paths.ledger() else { return Ok(()) };
    let prices = context.prices();
    let notes = ledger::mend(&path, ledger::Options::new(context.now()), prices as _)?;
    for note in notes {
        context.note(&note.to_string());
    }
    Ok(())
}

/// Why books were not gathered.
enum Missed {
    /// The ledger can be opened, and neither be written nor read.
    Unreadable(BooksError),
    Failed(Failure),
}

impl From<Failure> for Missed {
    fn from(failure: Failure) -> Self {
        Self::Failed(failure)
    }
}

impl From<BooksError> for Missed {
    fn from(error: BooksError) -> Self {
        Self::Unreadable(error)
    }
}

/// Opens the books and reads what is new; `with_ledger` is false where the ledger cannot be used.
fn gather_once(
    context: &mut Context<'_>,
    selection: &LogSelection,
    book: bool,
    with_ledger: bool,
) -> Result<Books, Missed> {
    let prices = context.prices();
    let mut selection = selection.clone();
    let mut roots = roots(context, &selection)?;
    // One transcript and its sub-agents' are read at once where they are; threads would cost more than they save.
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
        let options = ledger::Options { beside: true, ..options(context, &selection) };
        open(context, &selection, &prices, book, options)
    } else {
        let trouble = "the ledger cannot be read; only what the logs still hold is counted, and nothing is booked";
        (AnyLedger::memory(&prices), Some(trouble.to_owned()))
    };
    if let LogSelection::Session(Some(transcript)) = &selection
        && (trouble.is_some() || ledger.to_salvage())
    {
        // One session's transcript says nothing of the rest of the day: without the ledger, all logs are needed.
        let transcript = transcript.clone();
        roots = self::roots(context, &LogSelection::Session(None))?;
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
    catch_up(context, &mut books, tails, threads);
    if !matches!(selection, LogSelection::Session(_)) {
        name_unread(context, &books.health);
    }
    if matches!(selection, LogSelection::Everything) && books.health.gone > 0 {
        let now = context.now();
        // Books that cannot be tidied now are tidied another day.
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
        if error.is_mendable() && with_ledger {
            return Err(error.into());
        }
        // What cannot be booked is counted with what is; where that cannot even be read, the logs have to do.
        if with_ledger {
            books.ledger.sums(&Filter { since: Some(context.now()), ..Filter::default() })?;
        }
        not_booked(context, &mut books, selection, &error);
    } else if books.ledger.to_salvage() {
        match books.ledger.salvage() {
            Ok(Some(salvaged)) => context.note(&crate::engine::salvaged_words(&salvaged)),
            Ok(None) => {}
            Err(error) => context.note(&format!("what no log holds any more was not taken over yet: {error}")),
        }
    }
    // One sentence is enough: where something could not be booked, it was said why.
    if books.unbooked.is_none()
        && let Some(why) = books.ledger.why_only_read()
    {
        context.note(why);
    }
    Ok(books)
}

/// Books what was gathered; gives back why it could not be booked.
fn book_gathered(books: &mut Books) -> Option<BooksError> {
    books.ledger.flush().err()
}

/// Says that what is new is counted and not booked. An answer to a hook or a prompt says it itself.
fn not_booked(context: &mut Context<'_>, books: &mut Books, selection: &LogSelection, error: &BooksError) {
    let unbooked = format!("{error}; what is new is counted here, and booked as soon as it can be");
    if !matches!(selection, LogSelection::Session(_)) {
        context.note(&unbooked);
    }
    books.unbooked.get_or_insert(unbooked);
}

/// Sums that are looked at when the ledger is opened: fewer than would be noticed.
const GLANCE: usize = 100;

/// Warns of files that may hold more calls and are not read.
fn name_unread(context: &mut Context<'_>, health: &Health) {
    let all = health.unread();
    for (path, why) in all.iter().take(NAMED) {
        context.note(&format!("{path} is not read: {why}; the numbers may be higher"));
    }
    let more = all.len().saturating_sub(NAMED);
    if more > 0 {
        context.note(&format!("{more} more files are not read; `tokmeter doctor` names them"));
    }
}

/// How the ledger is opened for a reach.
pub(crate) fn options(context: &Context<'_>, selection: &LogSelection) -> ledger::Options {
    match selection {
        // The newest day alone: an agent waits.
        LogSelection::Session(_) => ledger::Options { glance: 1, ..ledger::Options::hurried(context.now()) },
        LogSelection::Everything | LogSelection::Unbooked | LogSelection::Paths(_) => {
            ledger::Options { glance: GLANCE, ..ledger::Options::new(context.now()) }
        }
    }
}

/// The books a reach is about: the ledger where it can be opened, else books in memory and a warning. That the ledger
/// is only read is left to the caller to say: [`AnyLedger::why_only_read`].
pub(crate) fn open(
    context: &mut Context<'_>,
    selection: &LogSelection,
    prices: &Arc<PriceBook>,
    book: bool,
    options: ledger::Options,
) -> (AnyLedger, Option<String>) {
    let mut any_ledger = AnyLedger::memory(prices);
    if matches!(selection, LogSelection::Everything | LogSelection::Session(_)) || book {
        let path = context.paths.ledger();
        let opened = match &path {
            Some(path) => AnyLedger::ledger(path, options.clone(), prices).map_err(|error| error.to_string()),
            None => Err(context.paths.why_no_data()),
        };
        match opened {
            Ok((ledger, notes)) => {
                for note in notes.iter().filter(|note| !note.is_only_read()) {
                    context.note(&note.to_string());
                }
                if book && matches!(selection, LogSelection::Paths(_)) {
                    any_ledger.beside(ledger);
                } else {
                    any_ledger = ledger;
                }
            }
            Err(why) => {
                let trouble = format!("{why}; only what the logs still hold is counted, and nothing is booked");
                context.note(&trouble);
                if let (Some(path), false) = (path, matches!(selection, LogSelection::Paths(_))) {
                    any_ledger = AnyLedger::instead_of(path, options, prices);
                }
                return (any_ledger, Some(trouble));
            }
        }
    }
    (any_ledger, None)
}

/// How far one session's transcript and those of its sub-agents have been read. A large home's other files are
/// none of a hook's business.
fn states_of(books: &dyn Ledger, transcript: &Path) -> Result<Vec<Checkpoint>, BooksError> {
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

/// Reads what is new into the books.
fn catch_up(context: &mut Context<'_>, books: &mut Books, mut tails: Tails, threads: usize) {
    let Books { ledger, tallies, bad, .. } = books;
    let mut failed: Option<BooksError> = None;
    tails.catch_up(std::time::Instant::now(), threads, &mut |batch: ReadBatch, _| {
        tallies.add(&batch.tallies);
        bad.extend_from_slice(&batch.bad[..batch.bad.len().min(ReadBatch::NOTES.saturating_sub(bad.len()))]);
        if let Err(error) = ledger.absorb(&Batch::from(batch)) {
            failed.get_or_insert(error);
        }
    });
    books.health = tails.health(std::time::Instant::now());
    // A command gathers once and ends with its answer; to let go of thousands of files first would make it wait.
    std::mem::forget(tails);
    if let Some(error) = failed {
        // What is booked can still be shown; the new lines are read again next time.
        let trouble = format!("{error}; what is new in the logs is missing here");
        context.note(&trouble);
        books.trouble.get_or_insert(trouble);
    }
}

/// Reads standard input to its end.
fn read_stdin(context: &Context<'_>, books: &mut Books) -> Result<(), Failure> {
    let (options, clock) = (tail_options(context), Arc::clone(&context.env.clock));
    let Books { ledger, tallies, bad, .. } = books;
    let mut failed: Option<BooksError> = None;
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

/// How logs are read with these settings.
pub(crate) fn tail_options(context: &Context<'_>) -> ingest::Options {
    let settings = &context.settings;
    let owner = Owner { user: Some(settings.user.clone()), team: settings.team.clone(), org: settings.org.clone() };
    ingest::Options { owner, ..ingest::Options::default() }
}

/// Where a reach's logs are.
///
/// # Errors
/// When a given path does not exist.
pub(crate) fn roots(context: &Context<'_>, selection: &LogSelection) -> Result<Roots, Failure> {
    match selection {
        LogSelection::Everything | LogSelection::Unbooked | LogSelection::Session(None) => {
            let var = |name: &str| context.env.vars.get(std::ffi::OsStr::new(name)).cloned();
            let mut roots = Roots::discover(context.env.home.as_deref(), var);
            roots.native.extend(context.paths.usage_log().into_iter().chain(context.paths.spool()));
            roots.extra.extend(context.settings.logs.iter().cloned());
            Ok(roots)
        }
        LogSelection::Session(Some(transcript)) => Ok(Roots::session(transcript)),
        LogSelection::Paths(paths) => {
            let files = || paths.iter().filter(|path| !is_stdin(path));
            let missing: Vec<String> = files()
                .filter(|path| !path.exists())
                .map(|path| format!("{}: no such file or folder", path_label(path)))
                .collect();
            if missing.is_empty() {
                Ok(Roots::only(files().cloned()))
            } else {
                Err(Failure::new(Exit::NoInput, missing.join("\n")))
            }
        }
    }
}

/// True for `-`, which means standard input.
pub(crate) fn is_stdin(path: &Path) -> bool {
    path.file_name().is_some_and(|name| name == "-")
}

fn complain_if_empty(books: &Books, paths: &[PathBuf]) -> Result<(), Failure> {
    let named = || paths.iter().map(|path| path_label(path).to_string()).collect::<Vec<_>>().join(", ");
    if books.health.files == 0 {
        return Err(Failure::new(Exit::NoInput, format!("{}: no log in it (*.jsonl)", named())));
    }
    if books.tallies.lines > 0 && books.tallies.read == 0 {
        let known = crate::formats::names().join(", ");
        let lines = crate::text::plural(books.tallies.lines, "line");
        return Err(Failure::new(Exit::NoInput, format!("{}: {lines}, none in a known format ({known})", named())));
    }
    Ok(())
}

fn path_label(path: &Path) -> Label {
    Label::from_bytes(path.as_os_str().as_encoded_bytes())
}
