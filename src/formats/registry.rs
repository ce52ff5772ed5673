//! Finds formats in the registry: by name, by place, and by file name.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use super::location::{Env, Framing, Location};
use super::{ALL, Format};

/// A format in the registry.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct FormatId(usize);

impl FormatId {
    /// The format with this name.
    pub fn of_name(name: &str) -> Option<Self> {
        ALL.iter().position(|format| format.name() == name).map(Self)
    }

    /// The format.
    pub fn format(self) -> &'static dyn Format {
        ALL[self.0]
    }

    /// Its index in the registry.
    pub(super) fn place(self) -> usize {
        self.0
    }
}

impl fmt::Debug for FormatId {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.format().name())
    }
}

/// Every place of every format, in the order of the registry.
pub(crate) fn locations(env: &Env<'_>) -> Vec<(FormatId, Location)> {
    let of_format = |(at, format): (usize, &&'static dyn Format)| {
        format.locations(env).into_iter().map(move |location| (FormatId(at), location)).collect::<Vec<_>>()
    };
    ALL.iter().enumerate().flat_map(of_format).collect()
}

/// The last components of places that alone identify their agent's files.
static PLACES: LazyLock<Vec<(FormatId, PathBuf, bool)>> = LazyLock::new(|| {
    let places = locations(&Env::new(Some(Path::new("")), &|_| None)).into_iter();
    let known = places.filter(|(id, _)| id.format().is_known_by_place());
    known.map(|(id, location)| (id, location.path, location.is_flat)).collect()
});

/// The agent for which this folder is the standard place in somebody's home, wherever that home is, and whether the
/// place is flat.
///
/// Only for agents whose files are recognised by their place.
pub(crate) fn format_of_place(folder: &Path) -> Option<(FormatId, bool)> {
    let is_here = |place: &&(FormatId, PathBuf, bool)| folder.ends_with(&place.1);
    PLACES.iter().find(is_here).map(|(id, _, is_flat)| (*id, *is_flat))
}

/// The format that uses this name for whole documents or databases, for files outside its own place.
///
/// Lines are recognised by their content; documents and databases are not.
pub fn format_of_name(name: &[u8]) -> Option<(FormatId, Framing)> {
    formats_of_name(name).next()
}

/// All formats that use this name for documents or databases.
pub(crate) fn formats_of_name(name: &[u8]) -> impl Iterator<Item = (FormatId, Framing)> {
    let anywhere = ALL.iter().enumerate().filter(|(_, format)| !format.is_known_by_place());
    anywhere.filter_map(|(at, format)| match format.framing(name) {
        Some(framing @ (Framing::Document | Framing::Sqlite)) => Some((FormatId(at), framing)),
        Some(Framing::Lines) | None => None,
    })
}

/// The files and folders that list further places, and their formats.
pub(crate) fn indexes(env: &Env<'_>) -> Vec<(FormatId, PathBuf)> {
    let of_format = |(at, format): (usize, &&'static dyn Format)| {
        format.indexes(env).into_iter().map(move |path| (FormatId(at), path)).collect::<Vec<_>>()
    };
    ALL.iter().enumerate().flat_map(of_format).collect()
}
