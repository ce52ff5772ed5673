//! Reads the sizes of answers from every transcript.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

use rustc_hash::FxHashSet;

use crate::app::catch_up::{self, LogSelection};
use crate::app::{Context, Failure};
use crate::domain::{Attribution, CallKey, Label};
use crate::formats::{self, FormatId, TRANSCRIPTS};

/// Longer lines are no answers.
const LONGEST: u64 = 64 << 20;

/// An answer, over all its lines.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    pub(crate) from: Attribution,
    pub(crate) model: Label,
    pub(crate) output: u64,
    pub(crate) characters: u64,
    pub(crate) hides_parts: bool,
    pub(crate) is_cut: bool,
    blocks: FxHashSet<u64>,
}

/// Every answer in the transcripts, by its key; a transcript that cannot be read is passed over.
///
/// # Errors
/// When a path is missing.
pub(crate) fn read(context: &Context<'_>) -> Result<BTreeMap<[u8; 16], Answer>, Failure> {
    let roots = catch_up::roots(context, &LogSelection::Everything)?;
    let transcripts = FormatId::of_name(TRANSCRIPTS);
    let mut answers = BTreeMap::new();
    for (_, place) in roots.agents.iter().filter(|(id, _)| Some(*id) == transcripts) {
        for file in logs(&place.path) {
            // What cannot be read now may be read the next time.
            let _ = read_file(&file, &mut answers);
        }
    }
    Ok(answers)
}

/// Every transcript below a folder. Links are not followed, so that no folder is read twice.
fn logs(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut waiting = vec![folder.to_owned()];
    while let Some(folder) = waiting.pop() {
        for entry in fs::read_dir(&folder).into_iter().flatten().flatten() {
            match entry.file_type() {
                Ok(kind) if kind.is_dir() => waiting.push(entry.path()),
                Ok(kind) if kind.is_file() && entry.path().extension().is_some_and(|ending| ending == "jsonl") => {
                    found.push(entry.path());
                }
                Ok(_) | Err(_) => {}
            }
        }
    }
    found.sort();
    found
}

fn read_file(path: &Path, answers: &mut BTreeMap<[u8; 16], Answer>) -> io::Result<()> {
    let mut lines = BufReader::with_capacity(1 << 18, File::open(path)?);
    let mut line = Vec::new();
    loop {
        line.clear();
        if lines.by_ref().take(LONGEST).read_until(b'\n', &mut line)? == 0 {
            return Ok(());
        }
        let Some(spoken) = formats::spoken(&line) else { continue };
        let key: CallKey = spoken.key;
        let answer = answers.entry(key.bytes()).or_insert_with(|| Answer {
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
}

#[cfg(test)]
impl Answer {
    /// An answer of this size.
    pub(super) fn sized(model: &str, output: u64, characters: u64, is_cut: bool) -> Self {
        Self {
            from: Attribution::new(crate::domain::Instant::UNIX_EPOCH, Label::new(TRANSCRIPTS)),
            model: Label::new(model),
            output,
            characters,
            hides_parts: false,
            is_cut,
            blocks: FxHashSet::default(),
        }
    }
}
