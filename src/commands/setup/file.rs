//! Claude Code's settings file: read, replaced whole or not at all, and kept as it was beside the new one.

use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use crate::commands::{Exit, Failure};
use crate::config::regular_file;
use crate::domain::{Instant, Label};
use crate::integrations::claude_code::settings_merge::{self as merge, Merged};

/// The longest settings file that is read, in bytes.
const LONGEST: u64 = 16 << 20;

/// What stands between a file's name and the time in the name of a copy.
const COPY: &str = ".before-tokmeter-";

/// The settings as they are.
pub(super) struct Settings {
    /// The file itself, behind any links.
    path: PathBuf,
    text: Option<String>,
}

impl Settings {
    /// Reads the settings; a missing file is empty settings.
    pub(super) fn read(path: &Path) -> Result<Self, Failure> {
        // A link (settings kept in a repository of dot files) stays one: its target is replaced.
        let path = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
        match regular_file::read_text(&path, LONGEST) {
            Ok(text) => Ok(Self { path, text: Some(text) }),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Self { path, text: None }),
            Err(error) => {
                Err(Failure::new(Exit::NoInput, format!("{} {}", path_label(&path), regular_file::why(&error))))
            }
        }
    }

    /// What the file holds; nothing when there is none.
    pub(super) fn text(&self) -> Option<&str> {
        self.text.as_deref()
    }

    /// With what is ours.
    pub(super) fn with_ours(&self, program: &str) -> Result<Merged, Failure> {
        merge::add(self.object(), program).map_err(|why| self.refuse(&why))
    }

    /// Without what is ours. Where nothing else has changed since, it is the file as it was, to the
    /// letter; and no file where there was none.
    pub(super) fn without_ours(&self) -> Result<Option<String>, Failure> {
        let Some(text) = &self.text else { return Ok(None) };
        let without = merge::remove(text).map_err(|why| self.refuse(&why))?;
        if without == *text {
            return Ok(Some(without));
        }
        let same = |one: &str, other: &str| {
            let value = |text: &str| serde_json::from_str::<serde_json::Value>(text).ok();
            value(one).is_some() && value(one) == value(other)
        };
        let copies = self.copies();
        let before = copies.iter().rev().filter_map(|copy| fs::read_to_string(copy).ok());
        if let Some(exact) = before.into_iter().find(|copy| same(copy, &without)) {
            return Ok(Some(exact));
        }
        Ok(if copies.is_empty() && same(&without, "{}") { None } else { Some(without) })
    }

    /// Replaces the file, and keeps a copy of the one that was there; gives back the copy's path.
    pub(super) fn write(&self, text: Option<&str>, now: Instant) -> Result<Option<PathBuf>, Failure> {
        self.replace(text, now).map_err(|error| Failure::new(Exit::Io, format!("{}: {error}", path_label(&self.path))))
    }

    fn replace(&self, text: Option<&str>, now: Instant) -> io::Result<Option<PathBuf>> {
        let backup = match &self.text {
            Some(before) => {
                let stamp = now.format("%Y%m%dT%H%M%S%3fZ");
                let copy = self.beside(&format!("{COPY}{stamp}"));
                fs::copy(&self.path, &copy)?;
                // Somebody else may have written meanwhile; then what was shown is no longer true.
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
        let fresh = self.beside(".tokmeter-new");
        let written = fs::File::create(&fresh).and_then(|mut file| {
            if let Ok(facts) = fs::metadata(&self.path) {
                file.set_permissions(facts.permissions())?;
            }
            file.write_all(text.as_bytes())?;
            file.sync_all()
        });
        written.and_then(|()| fs::rename(&fresh, &self.path)).inspect_err(|_| drop(fs::remove_file(&fresh)))?;
        Ok(backup)
    }

    fn object(&self) -> &str {
        self.text.as_deref().filter(|text| !text.trim().is_empty()).unwrap_or("{}")
    }

    fn refuse(&self, why: &str) -> Failure {
        let path = path_label(&self.path);
        Failure::new(Exit::NoInput, format!("{path}: {why}; mend it first, nothing was written"))
    }

    /// The copies made so far, oldest first.
    fn copies(&self) -> Vec<PathBuf> {
        let prefix = self.beside(COPY);
        let entries = self.path.parent().and_then(|folder| fs::read_dir(folder).ok());
        let mut copies: Vec<PathBuf> = entries
            .into_iter()
            .flatten()
            .filter_map(|entry| Some(entry.ok()?.path()))
            .filter(|path| path.as_os_str().as_encoded_bytes().starts_with(prefix.as_os_str().as_encoded_bytes()))
            .collect();
        copies.sort();
        copies
    }

    fn beside(&self, ending: &str) -> PathBuf {
        let mut name = self.path.as_os_str().to_owned();
        name.push(ending);
        PathBuf::from(name)
    }
}

fn path_label(path: &Path) -> Label {
    Label::from_bytes(path.as_os_str().as_encoded_bytes())
}
