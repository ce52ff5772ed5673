//! Reads the sizes of answers from the logs of every agent whose logs include text.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

use rustc_hash::FxHashSet;

use crate::app::catch_up::{self, LogSelection};
use crate::app::{Context, Failure};
use crate::config::regular_file;
use crate::domain::{Attribution, Instant, Label, sort_by};
use crate::formats::{self, Env, FormatId, Framing, Location, Origin, Spoken, Texts};
use crate::ingest;

/// Maximum bytes of a line; a longer one is not an answer.
const LONGEST: u64 = 64 << 20;

/// How often to try reading a database that is being written.
const ATTEMPTS: usize = 3;

/// Answers by key.
pub(crate) type Answers = BTreeMap<[u8; 16], Answer>;

/// An answer, with all its parts added up.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    pub(crate) from: Attribution,
    pub(crate) model: Option<Label>,
    pub(crate) output: u64,
    pub(crate) characters: u64,
    pub(crate) hides_parts: bool,
    pub(crate) is_cut: bool,
    blocks: FxHashSet<u64>,
}

/// Reads every answer in the logs; a log that cannot be read is skipped.
///
/// # Errors
/// When a path is missing.
pub(crate) fn read(context: &Context<'_>) -> Result<Answers, Failure> {
    let roots = catch_up::roots(context, &LogSelection::Everything)?;
    let listed = ingest::listed_places(&roots.indexes);
    let mut answers = Answers::new();
    for texts in formats::TEXTS {
        let id = FormatId::of_name(texts.name());
        let places = roots.agents.iter().chain(&listed);
        let known = places.filter(|(other, _)| Some(*other) == id).map(|(_, place)| place.clone());
        for place in known.chain(own_places(context, *texts)) {
            for file in logs(*texts, &place) {
                // A log that cannot be read now may be readable next time.
                let _ = read_log(*texts, &file, &mut answers);
            }
        }
    }
    Ok(answers)
}

/// The log locations of an agent that has no format, in every home.
fn own_places(context: &Context<'_>, texts: &dyn Texts) -> Vec<Location> {
    let var = |name: &str| context.env.vars.get(std::ffi::OsStr::new(name)).cloned();
    let own = texts.locations(&Env::new(context.env.home.as_deref(), &var));
    let others = context.settings.homes.iter().flat_map(|home| texts.locations(&Env::new(Some(home), &|_| None)));
    own.into_iter().chain(others).collect()
}

/// Every log in a location. Links are not followed, so that no folder is read twice.
fn logs(texts: &dyn Texts, place: &Location) -> Vec<PathBuf> {
    let is_log = |name: &std::ffi::OsStr| texts.framing(name.as_encoded_bytes()).is_some();
    let mut found = Vec::new();
    if place.path.is_file() {
        return vec![place.path.clone()];
    }
    let mut waiting = vec![place.path.clone()];
    while let Some(folder) = waiting.pop() {
        for entry in fs::read_dir(&folder).into_iter().flatten().flatten() {
            match entry.file_type() {
                Ok(kind) if kind.is_dir() && !place.is_flat => waiting.push(entry.path()),
                Ok(kind) if kind.is_file() && is_log(&entry.file_name()) => found.push(entry.path()),
                Ok(_) | Err(_) => {}
            }
        }
    }
    sort_by(&mut found, Ord::cmp);
    found
}

/// Adds the answers of one log.
///
/// # Errors
/// When it cannot be read.
pub(super) fn read_log(texts: &dyn Texts, path: &Path, answers: &mut Answers) -> io::Result<()> {
    let origin = Origin { path: Label::from_path(path), offset: 0, modified: Instant::UNIX_EPOCH };
    let name = path.file_name().unwrap_or_default().as_encoded_bytes();
    match texts.framing(name).unwrap_or(Framing::Lines) {
        Framing::Sqlite => read_database(texts, path, &origin, answers),
        Framing::Document => {
            let (mut document, mut spoken) = (Vec::new(), Vec::new());
            regular_file::open_operand(path)?.take(LONGEST).read_to_end(&mut document)?;
            let mut reader = texts.reader();
            reader.line(&document, &origin, &mut spoken);
            reader.end(&origin, &mut spoken);
            spoken.drain(..).for_each(|part| add(part, answers));
            Ok(())
        }
        Framing::Lines => read_lines(texts, path, &origin, answers),
    }
}

fn read_lines(texts: &dyn Texts, path: &Path, origin: &Origin, answers: &mut Answers) -> io::Result<()> {
    let mut lines = BufReader::with_capacity(1 << 18, regular_file::open_operand(path)?);
    let (mut line, mut spoken, mut reader) = (Vec::new(), Vec::new(), texts.reader());
    for text in
        texts.project_files(path).iter().filter_map(|file| regular_file::read_bytes(file, LONGEST, |_| false).ok())
    {
        reader.describe(&text);
    }
    loop {
        line.clear();
        if lines.by_ref().take(LONGEST).read_until(b'\n', &mut line)? == 0 {
            reader.end(origin, &mut spoken);
            spoken.drain(..).for_each(|part| add(part, answers));
            return Ok(());
        }
        reader.line(&line, origin, &mut spoken);
        spoken.drain(..).for_each(|part| add(part, answers));
    }
}

fn read_database(texts: &dyn Texts, path: &Path, origin: &Origin, answers: &mut Answers) -> io::Result<()> {
    let mut last = Ok(());
    for _ in 0..ATTEMPTS {
        let (mut spoken, mut reader) = (Vec::new(), texts.reader());
        let mut each = |query: usize, row: &[formats::Value<'_>]| reader.row(query, row, origin, &mut spoken);
        last = ingest::read_rows(path, &|schema| texts.queries(schema), &mut each);
        if last.is_ok() {
            spoken.drain(..).for_each(|part| add(part, answers));
            break;
        }
    }
    last
}

fn add(spoken: Spoken, answers: &mut Answers) {
    let answer = answers.entry(spoken.key.bytes()).or_insert_with(|| Answer {
        from: spoken.from.clone(),
        model: spoken.model.clone(),
        output: 0,
        characters: 0,
        hides_parts: false,
        is_cut: false,
        blocks: FxHashSet::default(),
    });
    if spoken.from.at < answer.from.at {
        answer.from = spoken.from;
    }
    answer.output = answer.output.max(spoken.output);
    answer.hides_parts |= spoken.hides_parts;
    answer.is_cut |= spoken.is_cut;
    for (hash, characters) in spoken.blocks {
        if answer.blocks.insert(hash) {
            answer.characters = answer.characters.saturating_add(characters);
        }
    }
}

#[cfg(test)]
impl Answer {
    /// An answer of this size.
    pub(super) fn sized(model: &str, output: u64, characters: u64, is_cut: bool) -> Self {
        Self {
            from: Attribution::new(Instant::UNIX_EPOCH, Label::new("claude-code")),
            model: Some(Label::new(model)),
            output,
            characters,
            hides_parts: false,
            is_cut,
            blocks: FxHashSet::default(),
        }
    }
}
