//! An agent's settings file: replaced atomically, with a backup next to it.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::app::context::remove_drafts;
use crate::commands::{Exit, Failure};
use crate::config::regular_file;
use crate::config::replace_file::{Draft, PRIVATE};
use crate::domain::{Instant, Label, sort_by};
use crate::integrations::claude_code::settings_merge::Merged;

/// Maximum size of the settings file in bytes.
const LONGEST: u64 = 16 << 20;

/// Separates file name and time in the name of a backup.
const COPY: &str = ".before-tokmeter-";

pub(super) struct Settings {
    /// The file, with symbolic links resolved.
    path: PathBuf,
    text: Option<String>,
}

impl Settings {
    /// Reads the settings. A missing file counts as empty.
    pub(super) fn read(path: &Path) -> Result<Self, Failure> {
        // A symbolic link, such as one to a dotfiles repository, is kept: its target is replaced.
        let path = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
        remove_drafts(&path);
        match regular_file::read_text(&path, LONGEST) {
            Ok(text) => Ok(Self { path, text: Some(text) }),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Self { path, text: None }),
            Err(error) => {
                Err(Failure::new(Exit::NoInput, format!("{} {}", Label::from_path(&path), regular_file::why(&error))))
            }
        }
    }

    /// Content of the file, if it exists.
    pub(super) fn text(&self) -> Option<&str> {
        self.text.as_deref()
    }

    /// The settings with our entries.
    pub(super) fn with_ours(&self, add: impl Fn(&str) -> Result<Merged, String>) -> Result<Merged, Failure> {
        add(self.text().unwrap_or_default()).map_err(|why| self.refuse(&why))
    }

    /// The settings without our entries. If nothing else has changed, this is the original file byte for byte, or no
    /// file if there was none.
    pub(super) fn without_ours(
        &self,
        remove: impl Fn(&str) -> Result<String, String>,
    ) -> Result<Option<String>, Failure> {
        let Some(text) = &self.text else { return Ok(None) };
        let without = remove(text).map_err(|why| self.refuse(&why))?;
        if without == *text {
            return Ok(Some(without));
        }
        let same = |one: &str, other: &str| {
            let value = |text: &str| serde_json::from_str::<serde_json::Value>(text).ok();
            one == other || (value(one).is_some() && value(one) == value(other))
        };
        let copies = self.copies();
        let before = copies.iter().rev().filter_map(|copy| regular_file::read_text(copy, LONGEST).ok());
        if let Some(exact) = before.into_iter().find(|copy| same(copy, &without)) {
            return Ok(Some(exact));
        }
        Ok(if copies.is_empty() && (same(&without, "{}") || without.is_empty()) { None } else { Some(without) })
    }

    /// Makes a backup and replaces the file. Returns the path of the backup.
    pub(super) fn write(&self, text: Option<&str>, now: Instant) -> Result<Option<PathBuf>, Failure> {
        self.replace(text, now)
            .map_err(|error| Failure::new(Exit::Io, format!("{}: {error}", Label::from_path(&self.path))))
    }

    fn replace(&self, text: Option<&str>, now: Instant) -> io::Result<Option<PathBuf>> {
        let backup = match &self.text {
            Some(before) => {
                let stamp = now.format("%Y%m%dT%H%M%S%3fZ");
                let copy = self.sibling(&format!("{COPY}{stamp}"));
                fs::copy(&self.path, &copy)?;
                // Another program may have written to it meanwhile, and the difference shown would be wrong.
                if fs::read_to_string(&copy)? != *before {
                    fs::remove_file(&copy)?;
                    return Err(io::Error::other("it was changed by another program meanwhile; run this again"));
                }
                Some(copy)
            }
            None => None,
        };
        let Some(text) = text else {
            fs::remove_file(&self.path)?;
            return Ok(backup);
        };
        if let Some(folder) = self.path.parent() {
            fs::create_dir_all(folder)?;
        }
        let old = fs::metadata(&self.path);
        let mode = if old.is_ok() { PRIVATE } else { 0o666 };
        let draft = Draft::write(&self.path, mode, |file| file.write_all(text.as_bytes()))?;
        if let Ok(old) = old {
            fs::set_permissions(draft.path(), old.permissions())?;
        }
        draft.put_in_place()?;
        Ok(backup)
    }

    fn refuse(&self, why: &str) -> Failure {
        let path = Label::from_path(&self.path);
        Failure::new(Exit::NoInput, format!("{path}: {why}; fix it first, nothing was written"))
    }

    /// Backups, oldest first.
    fn copies(&self) -> Vec<PathBuf> {
        let prefix = self.sibling(COPY);
        let entries = self.path.parent().and_then(|folder| fs::read_dir(folder).ok());
        let mut copies: Vec<PathBuf> = entries
            .into_iter()
            .flatten()
            .filter_map(|entry| Some(entry.ok()?.path()))
            .filter(|path| path.as_os_str().as_encoded_bytes().starts_with(prefix.as_os_str().as_encoded_bytes()))
            .collect();
        sort_by(&mut copies, Ord::cmp);
        copies
    }

    fn sibling(&self, ending: &str) -> PathBuf {
        let mut name = self.path.as_os_str().to_owned();
        name.push(ending);
        PathBuf::from(name)
    }
}
