//! Roots and folders as a scan last found them.

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
    /// Only the files right in it count.
    pub(super) is_flat: bool,
    pub(super) state: RootState,
    /// Identity of the folder or file last found there.
    pub(super) id: Option<FileId>,
    /// True once it existed.
    pub(super) seen: bool,
    pub(super) reattached: u32,
}

/// State of a folder when last read.
pub(super) struct Folder {
    pub(super) id: FileId,
    pub(super) changed_ns: i64,
    /// It was read twice in this state, or had long been in it: no further reading is needed.
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

/// The path without doubled separators and the like, so that paths below it have only one spelling.
fn normalised(path: &Path) -> Arc<Path> {
    let bytes = path.as_os_str().as_encoded_bytes();
    // Nearly every path is in that form, and to split it and put it together costs as much as to find it.
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
