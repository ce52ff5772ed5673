//! Places that agents list in a file, or as the subfolders of a folder: projects, profiles.
//!
//! An index is checked with every scan of all places, and read when it has changed. A place that it has listed remains
//! a place.

use std::path::PathBuf;

use super::RootKind;
use super::fs::{FileId, FileKind, Fs, fill};
use super::os_fs::OsFs;
use crate::formats::{FormatId, Location};

/// Maximum length of an index, in bytes.
const LONGEST: usize = 1 << 20;
/// Maximum number of places in one index.
const MOST: usize = 1000;

/// The places that these files and folders currently list.
pub(crate) fn listed_places(indexes: &[(FormatId, PathBuf)]) -> Vec<(FormatId, Location)> {
    let of_index = |index: &(FormatId, PathBuf)| {
        let places = Index::new(index).news(&OsFs).unwrap_or_default();
        places.into_iter().map(|place| (index.0, place)).collect::<Vec<_>>()
    };
    indexes.iter().flat_map(of_index).collect()
}

/// A file or folder that lists places.
pub(super) struct Index {
    format: FormatId,
    pub(super) path: PathBuf,
    /// File id, time and size when it was last read.
    read: Option<(FileId, i64, u64)>,
}

impl Index {
    pub(super) fn new((format, path): &(FormatId, PathBuf)) -> Self {
        Self { format: *format, path: path.clone(), read: None }
    }

    /// The kind of the places that it lists.
    pub(super) fn layout(&self) -> RootKind {
        RootKind::Agent(self.format)
    }

    /// The places that it lists, if it has changed.
    pub(super) fn news(&mut self, fs: &dyn Fs) -> Option<Vec<Location>> {
        let stat = fs.stat(&self.path).ok()?;
        let state = Some((stat.id, stat.changed_ns, stat.size));
        if self.read == state {
            return None;
        }
        let content = match stat.sort {
            FileKind::Folder => {
                let entries = fs.read_folder(&self.path, &|_| false).ok()?.entries;
                let folders = entries.into_iter().filter(|entry| entry.sort == FileKind::Folder);
                folders.map(|entry| entry.name.into_encoded_bytes()).collect::<Vec<_>>().join(&b'\n')
            }
            FileKind::File => {
                let mut text = vec![0; usize::try_from(stat.size).unwrap_or(LONGEST).min(LONGEST)];
                let length = fill(&*fs.open(&self.path).ok()?, &mut text, 0).ok()?;
                text.truncate(length);
                text
            }
            FileKind::Link | FileKind::Other(_) => return None,
        };
        self.read = state;
        let mut places = self.format.format().indexed(&self.path, &content);
        places.truncate(MOST);
        Some(places)
    }
}
