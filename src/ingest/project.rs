//! Finds the repository that a worktree belongs to.

use std::ffi::OsStr;
use std::path::{Component, Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use rustc_hash::FxHashMap;

use super::fs::{FileKind, Fs, fill};
use super::os_fs::OsFs;
use crate::domain::{Call, Label, Record, repository_of, without_slash};
use crate::formats::{Decoder, FormatId};

/// Maximum number of bytes read from a `.git` file, in which git writes one line with a path.
const LONGEST: usize = 8 * 1024;

/// Passes a log's sidecar files to its decoder. Returns what the log's reader has learned from them.
pub(super) fn describe(format: Option<FormatId>, log: &Path, decoder: &mut Decoder, fs: &dyn Fs) -> String {
    let Some(format) = format.map(FormatId::format) else { return String::new() };
    let texts = format.project_files(log).into_iter();
    let texts = texts.filter_map(|file| beginning(fs, &file, format.project_bytes()));
    texts.map(|text| decoder.describe(&text)).last().unwrap_or_default()
}

/// The beginning of a sidecar file.
fn beginning(fs: &dyn Fs, file: &Path, most: usize) -> Option<Vec<u8>> {
    let length = usize::try_from(fs.stat(file).ok()?.size).unwrap_or(most).min(most);
    let mut text = vec![0; length];
    let count = fill(&*fs.open(file).ok()?, &mut text, 0).ok()?;
    text.truncate(count);
    Some(text)
}

/// Repositories of working directories named in logs. Each is looked up on disk only once.
pub(crate) struct Projects {
    fs: Arc<dyn Fs>,
    known: Mutex<FxHashMap<Label, Option<Label>>>,
}

impl Default for Projects {
    fn default() -> Self {
        Self::new(Arc::new(OsFs))
    }
}

impl Projects {
    /// An empty cache over this file system.
    pub(crate) fn new(fs: Arc<dyn Fs>) -> Self {
        Self { fs, known: Mutex::default() }
    }

    /// Assigns a worktree's calls to its repository. The worktree is kept as `folder`.
    pub(crate) fn fold(&self, records: &mut [Record]) {
        // Calls from one file usually share the label.
        let mut last: Option<(Label, Option<Label>)> = None;
        for record in records {
            let Record::Call(Call { from, .. }) = record else { continue };
            let Some(folder) = from.project.as_ref().filter(|_| from.folder.is_none()) else { continue };
            let repository = match &last {
                Some((known, repository)) if std::ptr::eq(known.as_str(), folder.as_str()) => repository.clone(),
                Some(_) | None => {
                    let found = self.repository(folder);
                    last = Some((folder.clone(), found.clone()));
                    found
                }
            };
            if let Some(repository) = repository {
                from.folder = from.project.replace(repository);
            }
        }
    }

    /// The project of a working directory, as used in reports and limits.
    pub(crate) fn project(&self, folder: &Label) -> Label {
        self.repository(folder).unwrap_or_else(|| folder.clone())
    }

    /// The repository of a worktree.
    fn repository(&self, folder: &Label) -> Option<Label> {
        if let Some(known) = self.known.lock().unwrap_or_else(PoisonError::into_inner).get(folder) {
            return known.clone();
        }
        let (name, found) = (without_slash(folder), repository_of(folder));
        let found = match found.filter(|found| *found != name) {
            Some(repository) => Some(Label::new(repository)),
            None => linked(&*self.fs, Path::new(name))
                .map(|repository| Label::from_path(&repository))
                .or_else(|| found.map(Label::new)),
        };
        self.known.lock().unwrap_or_else(PoisonError::into_inner).insert(folder.clone(), found.clone());
        found
    }
}

/// The repository of a folder inside a linked worktree.
///
/// A linked worktree has a file `.git`, instead of a folder, with the line
/// `gitdir: <repository>/.git/worktrees/<name>`. A submodule has one that leads to `.git/modules`, and is a project of
/// its own (git 2.47, gitrepository-layout).
fn linked(fs: &dyn Fs, folder: &Path) -> Option<PathBuf> {
    if !folder.is_absolute() {
        return None;
    }
    for above in folder.ancestors() {
        let git = above.join(".git");
        match fs.stat(&git) {
            Ok(stat) if stat.sort == FileKind::File => return repository_in(above, &read(fs, &git)?),
            Ok(_) => return None,
            Err(_) => {}
        }
    }
    None
}

fn read(fs: &dyn Fs, git: &Path) -> Option<String> {
    let handle = fs.open(git).ok()?;
    let mut text = vec![0; LONGEST];
    let count = fill(&*handle, &mut text, 0).ok()?;
    text.truncate(count);
    String::from_utf8(text).ok()
}

/// The repository that a worktree's `.git` file points to.
fn repository_in(worktree: &Path, text: &str) -> Option<PathBuf> {
    let gitdir = plain(&worktree.join(text.lines().next()?.strip_prefix("gitdir:")?.trim()));
    let worktrees = gitdir.parent()?;
    let common = worktrees.parent().filter(|_| worktrees.file_name() == Some(OsStr::new("worktrees")))?;
    // A bare repository has no working directory and stands for itself.
    let is_usual = common.file_name() == Some(OsStr::new(".git"));
    if is_usual { common.parent().map(Path::to_owned) } else { Some(common.to_owned()) }
}

/// Resolves `.` and `..`, because git may write the path relative to the worktree.
fn plain(path: &Path) -> PathBuf {
    let mut plain = PathBuf::new();
    for part in path.components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir => _ = plain.pop(),
            Component::Prefix(_) | Component::RootDir | Component::Normal(_) => plain.push(part),
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_worktrees_own_file_leads_to_a_repository() {
        let cases = [
            ("gitdir: /home/kim/shop/.git/worktrees/fix\n", Some("/home/kim/shop")),
            ("gitdir: ../shop/.git/worktrees/fix", Some("/home/kim/shop")),
            ("gitdir: /srv/shop.git/worktrees/fix\r\n", Some("/srv/shop.git")),
            ("gitdir: ../shop/.git/modules/vendor", None),
            ("gitdir: /home/kim/shop/.git", None),
            ("gitdir:", None),
            ("worktrees", None),
            ("", None),
        ];
        for (text, repository) in cases {
            assert_eq!(repository_in(Path::new("/home/kim/fix"), text), repository.map(PathBuf::from), "{text}");
        }
    }
}
