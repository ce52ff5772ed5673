//! Metadata of the roots and of the folders above them, requested once per scan.
//!
//! Most of the places where an agent could keep its logs do not exist, and many of them would lie in the same missing
//! folder. Asking for that folder answers for all of them.

use std::io;
use std::path::{Path, PathBuf};

use rustc_hash::FxHashMap;

use super::fs::{FileId, Fs, Stat, is_missing};

/// Separator of the names in a path.
const SEPARATOR: u8 = if cfg!(windows) { b'\\' } else { b'/' };

/// Number of paths that the agents' places usually take.
const USUAL: usize = 96;

/// Metadata found during one scan, by the bytes of the path; `None` for paths that do not exist.
#[derive(Default)]
pub(super) struct RootStats(FxHashMap<Box<[u8]>, Option<Stat>>);

impl RootStats {
    /// Forgets the answers of the scan before.
    pub(super) fn start_scan(&mut self) {
        self.0.clear();
        self.0.reserve(USUAL);
    }

    /// Metadata of a root, or of a folder above one. The folders above are checked first.
    ///
    /// # Errors
    /// As reported by the system.
    pub(super) fn stat(&mut self, fs: &dyn Fs, path: &Path) -> io::Result<Stat> {
        for end in ends(path) {
            let exists = match self.0.get(&path.as_os_str().as_encoded_bytes()[..end]) {
                Some(known) => known.is_some(),
                None => {
                    !above(path, end).is_some_and(|above| self.ask(fs, above).is_err_and(|error| is_missing(&error)))
                }
            };
            if !exists {
                return Err(io::ErrorKind::NotFound.into());
            }
        }
        match self.0.get(path.as_os_str().as_encoded_bytes()) {
            Some(known) => known.ok_or_else(|| io::ErrorKind::NotFound.into()),
            None => self.ask(fs, path),
        }
    }

    /// The nearest existing folder above a path, or the path itself, with its identity.
    pub(super) fn nearest(&mut self, fs: &dyn Fs, path: &Path) -> Option<(PathBuf, FileId)> {
        path.ancestors().find_map(|path| Some((path.to_owned(), self.stat(fs, path).ok()?.id)))
    }

    fn ask(&mut self, fs: &dyn Fs, path: &Path) -> io::Result<Stat> {
        let answer = fs.stat(path);
        let known = match &answer {
            Ok(stat) => Some(*stat),
            Err(error) if is_missing(error) => None,
            Err(_) => return answer,
        };
        self.0.insert(path.as_os_str().as_encoded_bytes().into(), known);
        answer
    }
}

/// The lengths of the folders above a path, the topmost first, without splitting it into its parts again and again.
fn ends(path: &Path) -> impl Iterator<Item = usize> {
    let bytes = path.as_os_str().as_encoded_bytes();
    memchr::memchr_iter(SEPARATOR, bytes).filter(|at| *at > 0 && *at + 1 < bytes.len())
}

/// The folder of this length above a path.
fn above(path: &Path, length: usize) -> Option<&Path> {
    match std::str::from_utf8(&path.as_os_str().as_encoded_bytes()[..length]) {
        Ok(above) => Some(Path::new(above)),
        Err(_) => path.ancestors().find(|above| above.as_os_str().len() == length),
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
        // The missing folder, and those above without the root.
        assert_eq!(asked, home.path().ancestors().count());

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
