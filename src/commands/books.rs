//! Opens the books a command is about, and catches up with the logs before it answers.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::shelf::Shelf;
use super::{Desk, Exit, Failure, gate};
use crate::domain::{Dimension, Filter, Label, Zone};
use crate::ingest::{self, BadNote, Batch, Health, Owner, Roots, Tails, Tallies};
use crate::ledger::{self, BooksError, FileState, Grain, Ledger, Posting, Query, SessionRow};
use crate::meter::{self, Follow, Limit, LimitState, Meter, Opening, Summary};
use crate::pricing::PriceBook;

/// Logs that cannot be read are named up to this number.
const NAMED: usize = 3;

/// What a command is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Reach {
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
    pub(super) ledger: Shelf,
    /// What they are priced with.
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

/// Opens the books and reads what is new.
///
/// `book` also writes to the ledger what given paths hold.
///
/// # Errors
/// When given paths hold nothing that can be read.
pub(super) fn gather(desk: &mut Desk<'_>, reach: &Reach, book: bool) -> Result<Books, Failure> {
    let prices = desk.prices();
    let roots = roots(desk, reach)?;
    // One transcript and its sub-agents' are read at once where they are; threads would cost more than they save.
    let threads = match reach {
        Reach::Session(Some(_)) => 1,
        Reach::Everything | Reach::Unbooked | Reach::Paths(_) | Reach::Session(None) => {
            std::thread::available_parallelism().map_or(1, std::num::NonZero::get)
        }
    };
    let mut tails = Tails::new(&roots, ingest::Options { oldest_first: true, ..tail_options(desk) });
    if threads > 1 {
        tails.look_ahead();
    }
    let options = ledger::Options { beside: true, ..options(desk, reach) };
    let (ledger, trouble) = open(desk, reach, &prices, book, options);
    let (tallies, health) = (Tallies::default(), Health::default());
    let mut books = Books { ledger, prices, tallies, bad: Vec::new(), health, trouble };
    tails.resume(match reach {
        Reach::Session(Some(transcript)) => states_of(&books.ledger, transcript)?,
        Reach::Everything | Reach::Unbooked | Reach::Paths(_) | Reach::Session(None) => books.ledger.files()?,
    });
    catch_up(desk, &mut books, tails, threads);
    if !matches!(reach, Reach::Session(_)) {
        name_unreadable(desk, &books.health);
    }
    if matches!(reach, Reach::Everything) && books.health.gone > 0 {
        let now = desk.now();
        // Books that cannot be tidied now are tidied another day.
        let _ = books.ledger.sqlite().map(|books| books.tidy(now));
    }
    if let Reach::Paths(paths) = reach {
        if paths.iter().any(|path| is_stdin(path)) {
            read_stdin(desk, &mut books)?;
        }
        complain_if_empty(&books, paths)?;
    }
    Ok(books)
}

/// Warns of logs that are there and cannot be read.
fn name_unreadable(desk: &mut Desk<'_>, health: &Health) {
    let all = health.unreadable();
    for (path, why) in all.iter().take(NAMED) {
        desk.note(&format!("{path} is not read: {why}; the numbers may be higher (≥)"));
    }
    if all.len() > NAMED {
        desk.note(&format!("{} more are not read; `tokmeter doctor` names them", all.len() - NAMED));
    }
}

/// How the ledger is opened for a reach.
pub(super) fn options(desk: &Desk<'_>, reach: &Reach) -> ledger::Options {
    match reach {
        Reach::Session(_) => ledger::Options::hurried(desk.now()),
        Reach::Everything | Reach::Unbooked | Reach::Paths(_) => ledger::Options::new(desk.now()),
    }
}

/// The books a reach is about: the ledger where it can be opened, else books in memory and a warning.
pub(super) fn open(
    desk: &mut Desk<'_>,
    reach: &Reach,
    prices: &Arc<PriceBook>,
    book: bool,
    options: ledger::Options,
) -> (Shelf, Option<String>) {
    let mut shelf = Shelf::memory(prices);
    if matches!(reach, Reach::Everything | Reach::Session(_)) || book {
        let opened = match desk.paths.ledger() {
            Some(path) => Shelf::ledger(&path, options, prices).map_err(|error| error.to_string()),
            None => Err(desk.paths.why_no_data()),
        };
        match opened {
            Ok((ledger, notes)) => {
                for note in notes {
                    desk.note(&note.to_string());
                }
                if book && matches!(reach, Reach::Paths(_)) { shelf.beside(ledger) } else { shelf = ledger }
            }
            Err(why) => {
                let trouble = format!("{why}; only what the logs still hold is counted, and nothing is booked");
                desk.note(&trouble);
                return (shelf, Some(trouble));
            }
        }
    }
    (shelf, None)
}

/// How far one session's transcript and those of its sub-agents have been read. A large home's other files are
/// none of a hook's business.
fn states_of(books: &dyn Ledger, transcript: &Path) -> Result<Vec<FileState>, BooksError> {
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
fn catch_up(desk: &mut Desk<'_>, books: &mut Books, mut tails: Tails, threads: usize) {
    let Books { ledger, tallies, bad, .. } = books;
    let mut failed: Option<BooksError> = None;
    tails.catch_up(std::time::Instant::now(), threads, &mut |batch: Batch, _| {
        tallies.add(&batch.tallies);
        bad.extend_from_slice(&batch.bad[..batch.bad.len().min(Batch::NOTES.saturating_sub(bad.len()))]);
        if let Err(error) = ledger.absorb(&Posting::from(batch)) {
            failed.get_or_insert(error);
        }
    });
    books.health = tails.health(std::time::Instant::now());
    // A command gathers once and ends with its answer; to let go of thousands of files first would make it wait.
    std::mem::forget(tails);
    let flushed = books.ledger.flush();
    if let Some(error) = failed.or(flushed.err()) {
        // What is booked can still be shown; the new lines are read again next time.
        let trouble = format!("{error}; what is new in the logs is missing here");
        desk.note(&trouble);
        books.trouble.get_or_insert(trouble);
    }
}

/// Reads standard input to its end.
fn read_stdin(desk: &Desk<'_>, books: &mut Books) -> Result<(), Failure> {
    let (options, clock) = (tail_options(desk), Arc::clone(&desk.world.clock));
    let Books { ledger, tallies, bad, .. } = books;
    let mut failed: Option<BooksError> = None;
    let name = Label::new("-");
    let read = ingest::read_stream(&mut std::io::stdin().lock(), &name, &options, &|| clock(), &mut |batch| {
        tallies.add(&batch.tallies);
        bad.extend_from_slice(&batch.bad[..batch.bad.len().min(Batch::NOTES.saturating_sub(bad.len()))]);
        if let Err(error) = ledger.absorb(&Posting::from(batch)) {
            failed.get_or_insert(error);
        }
    });
    books.health.files += 1;
    read.map_err(|error| Failure::new(Exit::NoInput, format!("standard input: {error}")))?;
    books.ledger.flush()?;
    failed.map_or(Ok(()), |error| Err(error.into()))
}

/// How logs are read with these settings.
pub(super) fn tail_options(desk: &Desk<'_>) -> ingest::Options {
    let settings = &desk.settings;
    let owner = Owner { user: Some(settings.user.clone()), team: settings.team.clone(), org: settings.org.clone() };
    ingest::Options { owner, ..ingest::Options::default() }
}

/// Where a reach's logs are.
///
/// # Errors
/// When a given path does not exist.
pub(super) fn roots(desk: &Desk<'_>, reach: &Reach) -> Result<Roots, Failure> {
    match reach {
        Reach::Everything | Reach::Unbooked | Reach::Session(None) => {
            let var = |name: &str| desk.world.vars.get(std::ffi::OsStr::new(name)).cloned();
            let mut roots = Roots::found(desk.world.home.as_deref(), var);
            roots.native.extend(desk.paths.usage_log().into_iter().chain(desk.paths.spool()));
            roots.extra.extend(desk.settings.logs.iter().cloned());
            Ok(roots)
        }
        Reach::Session(Some(transcript)) => Ok(Roots::session(transcript)),
        Reach::Paths(paths) => {
            let files = || paths.iter().filter(|path| !is_stdin(path));
            let missing: Vec<String> = files()
                .filter(|path| !path.exists())
                .map(|path| format!("{}: no such file or folder", shown(path)))
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
pub(super) fn is_stdin(path: &Path) -> bool {
    path.file_name().is_some_and(|name| name == "-")
}

/// Tokens of each model that has no price.
pub(super) fn unpriced(books: &dyn Ledger) -> Result<BTreeMap<Label, u64>, Failure> {
    let query = Query { by: vec![Dimension::Model], ..Query::new(Grain::Total, Zone::UTC) };
    let rows = books.report(&query)?.rows.into_iter();
    Ok(rows
        .filter(|row| row.sums.unpriced_tokens > 0)
        .map(|row| {
            let model = row.by.into_iter().next().flatten();
            (model.unwrap_or_else(|| Label::new("(no model named)")), row.sums.unpriced_tokens)
        })
        .collect())
}

/// The numbers as the screen would show them now: limits with their forecast, pace, projections.
pub(super) fn summary(desk: &Desk<'_>, books: &dyn Ledger) -> Result<Summary, BooksError> {
    let (rules, now) = (desk.rules(Filter::default()), desk.now());
    let opening = Opening::ask(books, &rules, &Follow::Latest, now)?;
    Ok(Meter::open(rules, opening).summary(now))
}

/// How the limits stand that a session comes under, worst first: by its user, its project and each of its models,
/// and this machine's own; every limit for calls that name no session.
pub(super) fn limit_states(
    desk: &Desk<'_>,
    books: &dyn Ledger,
    row: Option<&SessionRow>,
) -> Result<Vec<LimitState>, Failure> {
    let (rules, now) = (desk.rules(Filter::default()), desk.now());
    let Some((row, session)) = row.and_then(|row| Some((row, row.session.as_ref()?))) else {
        return Ok(meter::states(books, &rules, None, now)?);
    };
    let about = |limit: &Limit| limit.scope.only.iter().any(|(dimension, _)| *dimension == Dimension::Model);
    // An asker is of one model; without limits on models one asker is enough.
    let models: Vec<Option<&Label>> = if rules.limits.iter().any(about) && !row.models.is_empty() {
        row.models.iter().map(|(model, _)| model.as_ref()).collect()
    } else {
        vec![None]
    };
    let mut all: Vec<LimitState> = Vec::new();
    for model in models {
        let names = [
            (Dimension::Source, Some(&row.source)),
            (Dimension::Session, Some(session)),
            (Dimension::User, row.user.as_ref()),
            (Dimension::Project, row.project.as_ref()),
            (Dimension::Model, model),
        ];
        let names: Vec<_> = names.into_iter().filter_map(|(of, name)| Some((of, name?.as_str()))).collect();
        for state in meter::states(books, &rules, Some(&gate::asker(&desk.settings, &names)), now)? {
            if !all.iter().any(|known| known.limit == state.limit && known.subject == state.subject) {
                all.push(state);
            }
        }
    }
    all.sort_by_key(|state| std::cmp::Reverse((state.verdict, state.percent)));
    Ok(all)
}

fn complain_if_empty(books: &Books, paths: &[PathBuf]) -> Result<(), Failure> {
    let named = || paths.iter().map(|path| shown(path).to_string()).collect::<Vec<_>>().join(", ");
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

fn shown(path: &Path) -> Label {
    Label::from_bytes(path.as_os_str().as_encoded_bytes())
}
