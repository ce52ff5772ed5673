//! Metadata of the roots and of the folders above them, requested once per scan.
//!
//! Most of the places where an agent could keep its logs do not exist, and many of them would lie in the same missing
//! folder. Asking for that folder answers for all of them.

use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};

use rustc_hash::FxHashMap;

use super::fs::{FileId, Fs, Stat, is_missing};

/// Metadata found during one scan; `None` for paths that do not exist.
#[derive(Default)]
pub(super) struct RootStats(FxHashMap<OsString, Option<Stat>>);

impl RootStats {
    /// Forgets the answers of the scan before.
    pub(super) fn start_scan(&mut self) {
        self.0.clear();
    }

    /// Metadata of a root, or of a folder above one. The folders above are checked first.
    ///
    /// # Errors
    /// As reported by the system.
    pub(super) fn stat(&mut self, fs: &dyn Fs, path: &Path) -> io::Result<Stat> {
        if let Some(known) = self.0.get(path.as_os_str()) {
            return known.ok_or_else(|| io::ErrorKind::NotFound.into());
        }
        let above = path.parent().filter(|above| !above.as_os_str().is_empty());
        let answer = match above.map(|above| self.stat(fs, above)) {
            Some(Err(error)) if is_missing(&error) => Err(error),
            Some(Ok(_) | Err(_)) | None => fs.stat(path),
        };
        let known = match &answer {
            Ok(stat) => Some(*stat),
            Err(error) if is_missing(error) => None,
            Err(_) => return answer,
        };
        self.0.insert(path.as_os_str().to_owned(), known);
        answer
    }

    /// The nearest existing folder above a path, or the path itself, with its identity.
    pub(super) fn nearest(&mut self, fs: &dyn Fs, path: &Path) -> Option<(PathBuf, FileId)> {
        path.ancestors().find_map(|path| Some((path.to_owned(), self.stat(fs, path).ok()?.id)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::sync::Mutex;

    use crate::ingest::{Entry, Handle, OsFs};

    /// The real file system, with the paths that were asked for.
    #[derive(Default)]
    struct Asked(Mutex<Vec<PathBuf>>);

    impl Fs for Asked {
        fn stat(&self, path: &Path) -> io::Result<Stat> {
            self.0.lock().unwrap().push(path.to_owned());
            OsFs.stat(path)
        }

        fn list(&self, folder: &Path) -> io::Result<Vec<Entry>> {
            OsFs.list(folder)
        }

        fn open(&self, path: &Path) -> io::Result<Box<dyn Handle>> {
            OsFs.open(path)
        }
    }

    impl Asked {
        fn count(&self) -> usize {
            std::mem::take(&mut *self.0.lock().unwrap()).len()
        }
    }

    #[test]
    fn one_missing_folder_answers_for_every_root_in_it_until_it_appears() {
        let home = tempfile::tempdir().unwrap();
        let roots = ["code/user/a/tasks", "code/user/b/tasks", "code/user/c/tasks"].map(|root| home.path().join(root));
        let (disk, mut stats) = (Asked::default(), RootStats::default());
        let scan = |stats: &mut RootStats| {
            stats.start_scan();
            let found = roots.each_ref().map(|root| stats.stat(&disk, root).is_ok());
            (found, roots.each_ref().map(|root| stats.nearest(&disk, root).unwrap().0), disk.count())
        };
        let (found, nearest, asked) = scan(&mut stats);
        assert_eq!((found, nearest), ([false; 3], [home.path(); 3].map(Path::to_owned)));
        // The folders above, and the missing one.
        assert_eq!(asked, home.path().ancestors().count() + 1);

        fs::create_dir_all(home.path().join("code/user/b")).unwrap();
        let (found, nearest, _) = scan(&mut stats);
        let (user, of_b) = (home.path().join("code/user"), home.path().join("code/user/b"));
        assert_eq!((found, nearest), ([false; 3], [user.clone(), of_b, user]));

        fs::create_dir_all(&roots[1]).unwrap();
        let (found, nearest, _) = scan(&mut stats);
        assert_eq!((found, &nearest[1]), ([false, true, false], &roots[1]));

        fs::remove_dir_all(home.path().join("code")).unwrap();
        let (found, nearest, _) = scan(&mut stats);
        assert_eq!((found, nearest), ([false; 3], [home.path(); 3].map(Path::to_owned)));
    }
}
