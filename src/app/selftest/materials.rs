//! Unpacks the samples, writes them to a temporary folder, and reads them like logs.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use flate2::read::GzDecoder;

use crate::app::scratch::Scratch;
use crate::domain::{Label, Record};
use crate::formats::{FormatId, Framing, Location, format_of_name};
use crate::ingest::{self, Roots, Tails, sample_database};

/// Created by the build script.
static ARCHIVE: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/samples.gz"));

/// Modification time of every sample: noon on 2026-11-20, in seconds since 1970.
const CHANGED: Duration = Duration::from_secs(1_795_176_000);

/// A file of the archive.
#[derive(Clone, Debug)]
pub(crate) struct Sample {
    /// Path below `samples/`, with forward slashes.
    pub(crate) name: String,
    pub(crate) bytes: Vec<u8>,
}

/// All files in the archive, in order.
///
/// # Errors
/// When the archive is damaged.
pub(crate) fn samples() -> io::Result<Vec<Sample>> {
    let mut text = Vec::new();
    GzDecoder::new(ARCHIVE).read_to_end(&mut text)?;
    let (mut rest, mut samples) = (text.as_slice(), Vec::new());
    while !rest.is_empty() {
        let name = line(&mut rest)?.to_owned();
        let length: usize = line(&mut rest)?.parse().map_err(io::Error::other)?;
        let (bytes, after) = rest.split_at_checked(length).ok_or(io::ErrorKind::UnexpectedEof)?;
        samples.push(Sample { name, bytes: bytes.to_owned() });
        rest = after;
    }
    Ok(samples)
}

fn line<'a>(rest: &mut &'a [u8]) -> io::Result<&'a str> {
    let end = rest.iter().position(|byte| *byte == b'\n').ok_or(io::ErrorKind::UnexpectedEof)?;
    let (line, after) = rest.split_at(end);
    *rest = &after[1..];
    std::str::from_utf8(line).map_err(io::Error::other)
}

impl Sample {
    /// The file name that its agent would use: `sessions.sql` becomes `sessions.db`, and `state.vscdb.sql` becomes
    /// `state.vscdb`.
    fn log_name(&self) -> PathBuf {
        let path = Path::new(&self.name);
        if !self.is_database() {
            return path.to_owned();
        }
        let stem = path.with_extension("");
        if stem.extension().is_some() { stem } else { stem.with_extension("db") }
    }

    /// True for the SQL statements of a database.
    pub(crate) fn is_database(&self) -> bool {
        Path::new(&self.name).extension().is_some_and(|ending| ending == "sql")
    }

    /// Writes it below a folder, the way its agent would.
    ///
    /// # Errors
    /// When it cannot be written.
    pub(crate) fn write_below(&self, folder: &Path) -> io::Result<PathBuf> {
        let path = folder.join(self.log_name());
        fs::create_dir_all(path.parent().unwrap_or(folder))?;
        if self.is_database() {
            sample_database(&path, std::str::from_utf8(&self.bytes).map_err(io::Error::other)?)?;
        } else {
            fs::write(&path, &self.bytes)?;
        }
        Ok(path)
    }

    /// The agent whose folder it belongs in, if that agent's logs are recognised only by location.
    fn owner(&self) -> Option<FormatId> {
        let agent = self.name.split('/').next()?;
        FormatId::of_name(agent).filter(|id| id.format().is_known_by_place())
    }

    /// True for a log, as opposed to a description or the expected totals.
    fn is_log(&self) -> bool {
        let file = self.name.rsplit('/').next().unwrap_or_default();
        if file == "expected.json" {
            return false;
        }
        if self.is_database() {
            return true;
        }
        match self.owner() {
            Some(owner) => owner.format().framing(file.as_bytes()).is_some(),
            None => {
                Path::new(file).extension().is_some_and(|ending| ending == "jsonl")
                    || matches!(format_of_name(file.as_bytes()), Some((_, Framing::Document | Framing::Sqlite)))
            }
        }
    }
}

/// The records of all samples.
pub(super) struct Reading {
    /// Records by sample name, in order.
    of_sample: Vec<(String, Vec<Record>)>,
}

impl Reading {
    /// Writes the logs and their description files, and reads the logs.
    ///
    /// # Errors
    /// When a log cannot be written or read.
    pub(super) fn read(samples: &[Sample]) -> io::Result<Self> {
        let folder = Scratch::new("selftest")?;
        let (mut roots, mut at, mut of_sample) = (Roots::default(), BTreeMap::new(), Vec::new());
        for sample in samples {
            let path = sample.write_below(folder.path())?;
            if !sample.is_log() {
                continue;
            }
            File::options().append(true).open(&path)?.set_modified(SystemTime::UNIX_EPOCH + CHANGED)?;
            at.insert(Label::from_path(&path), of_sample.len());
            of_sample.push((sample.name.clone(), Vec::new()));
            match sample.owner().filter(|_| !sample.is_database()) {
                Some(owner) => roots.agents.push((owner, Location::flat(path))),
                None => roots.extra.push(path),
            }
        }
        let threads = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        let mut tails = Tails::new(&roots, ingest::Options::default());
        let mut unknown = None;
        tails.catch_up(std::time::Instant::now(), threads, &mut |batch, _| match at.get(&batch.path) {
            Some(place) => of_sample[*place].1.extend(batch.records),
            None => unknown = Some(batch.path),
        });
        match unknown {
            Some(path) => Err(io::Error::other(format!("{path} is not a sample"))),
            None => Ok(Self { of_sample }),
        }
    }

    /// The records of each file of a sample, which is either a file or all files in a folder.
    pub(super) fn records<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a [Record]> {
        let is_part =
            move |file: &str| file.strip_prefix(name).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
        self.of_sample.iter().filter(move |(file, _)| is_part(file)).map(|(_, records)| records.as_slice())
    }
}
