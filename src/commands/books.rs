//! Opens the books a command is about, and catches up with the logs before it answers.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use super::{Desk, Exit, Failure};
use crate::domain::{Dimension, Label};
use crate::ingest::{BadNote, Batch, Health, Options, Roots, Tails, Tallies};
use crate::ledger::{self, BooksError, Ledger, Memory, Posting};
use crate::meter::{self, Asker, LimitState};
use crate::pricing::PriceBook;

/// How long a command waits for another process that is writing.
const PATIENCE: Duration = Duration::from_secs(5);
/// How long a status line or a hook waits: an agent is waiting for it.
const SHORT_PATIENCE: Duration = Duration::from_millis(250);

/// What a command is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Reach {
    /// Every log found, and all that was ever booked.
    Everything,
    /// Every log found, without the ledger.
    Unbooked,
    /// These files and folders.
    Paths(Vec<PathBuf>),
    /// All that was ever booked, after reading on in this session's transcript only: an agent waits for the answer.
    Session(Option<PathBuf>),
}

impl Reach {
    /// These paths, or everything; with or without the ledger.
    pub(super) fn of(desk: &Desk<'_>, paths: &[PathBuf], unbooked: bool) -> Self {
        match (paths, unbooked) {
            ([], true) => Self::Unbooked,
            ([], false) => Self::Everything,
            (paths, _) => Self::Paths(paths.iter().map(|path| desk.absolute(path)).collect()),
        }
    }
}

/// Books that have caught up, and what was met on the way.
pub(super) struct Books {
    /// The books.
    pub(super) ledger: Box<dyn Ledger + Send>,
    /// What they were priced with.
    pub(super) prices: Arc<PriceBook>,
    /// What was met while catching up.
    pub(super) tallies: Tallies,
    /// The first lines that could not be counted.
    pub(super) bad: Vec<BadNote>,
    /// How the sources are.
    pub(super) health: Health,
    /// Why these books may lack something: the ledger could not be opened, or what is new could not be booked.
    pub(super) trouble: Option<String>,
}

impl Books {
    /// How a command that only shows these books ends.
    #[expect(clippy::unused_self, reason = "what was met may matter to the exit code of a later version")]
    pub(super) fn exit(&self) -> Exit {
        Exit::Fine
    }
}

/// Opens the books and reads what is new.
///
/// `book` also writes to the ledger what given paths hold.
///
/// # Errors
/// When given paths hold nothing that can be read.
pub(super) fn gather(desk: &mut Desk<'_>, reach: &Reach, book: bool) -> Result<Books, Failure> {
    let prices = desk.prices();
    let roots = roots(desk, reach)?;
    let (ledger, trouble) = match reach {
        Reach::Everything => open(desk, &prices, PATIENCE),
        Reach::Session(_) => open(desk, &prices, SHORT_PATIENCE),
        Reach::Unbooked | Reach::Paths(_) => (memory(&prices), None),
    };
    let (tallies, health) = (Tallies::default(), Health::default());
    let mut books = Books { ledger, prices, tallies, bad: Vec::new(), health, trouble };
    let mut also = if book { Some(open(desk, &books.prices, PATIENCE).0) } else { None };
    // One transcript and its sub-agents' are read at once where they are; threads would cost more than they save.
    let threads = match reach {
        Reach::Session(Some(_)) => 1,
        Reach::Everything | Reach::Unbooked | Reach::Paths(_) | Reach::Session(None) => {
            std::thread::available_parallelism().map_or(1, std::num::NonZero::get)
        }
    };
    catch_up(desk, &mut books, &roots, threads, also.as_deref_mut())?;
    if let Reach::Paths(paths) = reach {
        complain_if_empty(&books, paths)?;
    }
    Ok(books)
}

/// Reads what is new under the roots into the books.
fn catch_up(
    desk: &mut Desk<'_>,
    books: &mut Books,
    roots: &Roots,
    threads: usize,
    mut also: Option<&mut (dyn Ledger + Send + 'static)>,
) -> Result<(), Failure> {
    let mut tails = Tails::new(roots, tail_options(desk));
    tails.resume(books.ledger.files()?);
    let mut failed: Option<BooksError> = None;
    let Books { ledger, tallies, bad, .. } = books;
    tails.catch_up(std::time::Instant::now(), threads, &mut |batch: Batch, _| {
        tallies.add(&batch.tallies);
        bad.extend_from_slice(&batch.bad[..batch.bad.len().min(Batch::NOTES.saturating_sub(bad.len()))]);
        let posting = Posting::from(batch);
        let taken = ledger.absorb(&posting).and_then(|()| also.as_mut().map_or(Ok(()), |also| also.absorb(&posting)));
        failed = failed.take().or(taken.err());
    });
    books.health = tails.health(std::time::Instant::now());
    let flushed = books.ledger.flush().and_then(|()| also.map_or(Ok(()), Ledger::flush));
    if let Some(error) = failed.or(flushed.err()) {
        // What is booked already can still be shown; the new bytes are read again next time.
        let trouble = format!("{error}; what is new in the logs is missing from this answer");
        desk.note(&trouble);
        books.trouble.get_or_insert(trouble);
    }
    Ok(())
}

/// How logs are read with these settings.
pub(super) fn tail_options(desk: &Desk<'_>) -> Options {
    Options { user: Some(desk.settings.user.clone()), ..Options::default() }
}

/// Where a command's logs are.
///
/// # Errors
/// When a given path does not exist.
pub(super) fn roots(desk: &Desk<'_>, reach: &Reach) -> Result<Roots, Failure> {
    let found = || {
        let mut roots =
            Roots::found(desk.world.home.as_deref(), |name| desk.world.vars.get(std::ffi::OsStr::new(name)).cloned());
        roots.native.extend(desk.paths.usage_log().into_iter().chain(desk.paths.spool()));
        roots.extra.extend(desk.settings.logs.iter().cloned());
        roots
    };
    match reach {
        Reach::Everything | Reach::Unbooked | Reach::Session(None) => Ok(found()),
        Reach::Session(Some(transcript)) => Ok(Roots::session(transcript)),
        Reach::Paths(paths) => {
            let missing: Vec<&Path> = paths.iter().map(PathBuf::as_path).filter(|path| !path.exists()).collect();
            match missing.as_slice() {
                [] => Ok(Roots::only(paths.iter().cloned())),
                missing => Err(Failure::new(
                    Exit::NoInput,
                    missing
                        .iter()
                        .map(|path| format!("{}: no such file or folder", shown(path)))
                        .collect::<Vec<_>>()
                        .join("\n"),
                )),
            }
        }
    }
}

/// The ledger; when it cannot be opened, books in memory, a warning, and why.
pub(super) fn open(
    desk: &mut Desk<'_>,
    prices: &Arc<PriceBook>,
    patience: Duration,
) -> (Box<dyn Ledger + Send>, Option<String>) {
    let opened = match desk.paths.ledger() {
        Some(path) => {
            let options = ledger::Options { busy: patience, ..ledger::Options::new(desk.now()) };
            ledger::open(&path, options, Arc::clone(prices) as _).map_err(|error| error.to_string())
        }
        None => Err("there is no data folder: set HOME or TOKMETER_DATA_DIR".to_owned()),
    };
    match opened {
        Ok(ledger::Opened { books, notes }) => {
            for note in notes {
                desk.note(&note.to_string());
            }
            (Box::new(books), None)
        }
        Err(why) => {
            let trouble = format!("{why}; only what the logs still hold is counted, and nothing is booked");
            desk.note(&trouble);
            (memory(prices), Some(trouble))
        }
    }
}

fn memory(prices: &Arc<PriceBook>) -> Box<dyn Ledger + Send> {
    Box::new(Memory::new(Arc::clone(prices) as _))
}

/// How the limits stand; with a session, those that concern it.
pub(super) fn limit_states(
    desk: &Desk<'_>,
    books: &dyn Ledger,
    session: Option<(&Label, &Label)>,
) -> Result<Vec<LimitState>, Failure> {
    let rules = desk.rules(crate::domain::Filter::default());
    let asker = session.map(|(source, session)| Asker {
        names: vec![
            (Dimension::Source, source.clone()),
            (Dimension::Session, session.clone()),
            (Dimension::User, desk.settings.user.clone()),
        ],
    });
    Ok(meter::states(books, &rules, asker.as_ref(), desk.now())?)
}

fn complain_if_empty(books: &Books, paths: &[PathBuf]) -> Result<(), Failure> {
    let named = || paths.iter().map(|path| shown(path).to_string()).collect::<Vec<_>>().join(", ");
    if books.health.files == 0 {
        return Err(Failure::new(Exit::NoInput, format!("{}: no log in it (*.jsonl)", named())));
    }
    if books.tallies.lines > 0 && books.tallies.read == 0 {
        return Err(Failure::new(
            Exit::NoInput,
            format!(
                "{}: {} lines and none in a known format; known are {}",
                named(),
                books.tallies.lines,
                crate::formats::names().join(", ")
            ),
        ));
    }
    Ok(())
}

fn shown(path: &Path) -> Label {
    Label::from_bytes(path.as_os_str().as_encoded_bytes())
}
