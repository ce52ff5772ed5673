//! Roots and folders, as the last scan found them.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::fs::FileId;
use super::roots::Place;
use super::{RootKind, RootState};

/// Maximum folder depth.
pub(super) const DEEPEST: usize = 64;

/// State of a root.
pub(super) struct Root {
    pub(super) path: Arc<Path>,
    pub(super) layout: RootKind,
    /// Only files directly inside it count.
    pub(super) is_flat: bool,
    pub(super) state: RootState,
    /// Identity of the folder or file last found there.
    pub(super) id: Option<FileId>,
    /// True once it has existed.
    pub(super) seen: bool,
    pub(super) reattached: u32,
}

/// State of a folder when last read.
pub(super) struct Folder {
    pub(super) id: FileId,
    pub(super) changed_ns: i64,
    /// True if it was read twice in this state, or had been in it for long: it need not be read again.
    pub(super) settled: bool,
    pub(super) folders: Vec<PathBuf>,
}

impl Root {
    pub(super) fn new(place: Place<'_>) -> Self {
        Self {
            path: normalised(place.path),
            layout: place.kind,
            is_flat: place.is_flat,
            state: RootState::Waiting,
            id: None,
            seen: false,
            reattached: 0,
        }
    }
}

/// Normalises a path, removing doubled separators and the like, so that paths below it have only one spelling.
fn normalised(path: &Path) -> Arc<Path> {
    let bytes = path.as_os_str().as_encoded_bytes();
    // Nearly every path is normalised already, and splitting and joining it costs as much as finding it.
    let is_odd = |at: usize| match &bytes[at + 1..] {
        [] => bytes.len() > 1,
        [b'/', ..] | [b'.'] | [b'.', b'/', ..] => true,
        _ => false,
    };
    let is_plain = cfg!(unix) && !memchr::memchr_iter(b'/', bytes).any(is_odd);
    if is_plain { path.into() } else { path.components().collect::<PathBuf>().into() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_has_one_spelling() {
        let plain = ["/", "a", "/a", "/a/b", "./a", "/.a/.b", "/a/../b", "/..", "a/b"];
        let odd = ["", "//", "//a", "/a//b", "/a/b/", "/a/b//", "/a/./b", "/a/b/.", "/a/.b/./c", "/.", "a/", "a/."];
        for path in plain.iter().chain(&odd).map(Path::new) {
            let parts: PathBuf = path.components().collect();
            assert_eq!(normalised(path).as_os_str(), parts.as_os_str(), "{}", path.display());
        }
    }
}
