//! Detects untrusted locations: the working directory, and folders that other users can write to.

use std::path::{Path, PathBuf};

use super::absolute::absolute;
use super::{Diagnostic, Env, Where};
use crate::domain::Label;

/// Files in the data folder that are written, or trusted when read.
const DATA_FILES: [&str; 9] = [
    "ledger.db",
    "ledger.db-wal",
    "ledger.db-shm",
    "ledger.db-journal",
    "usage.jsonl",
    "spool.jsonl",
    "prices.txt",
    "keys.jsonl",
    "estimates.jsonl",
];

/// The path named by a variable, unless it is in the working directory, whose content may come from others.
///
/// `usual` is the default location: a variable that names it changes nothing. `matters` says what a file there must not
/// do, and `instead` names the flag that is trusted.
pub(crate) fn variable_path(
    env: &Env,
    name: &'static str,
    path: PathBuf,
    usual: Option<&Path>,
    (matters, instead): (&str, &str),
    problems: &mut Vec<Diagnostic>,
) -> Option<PathBuf> {
    if usual == Some(path.as_path()) || !in_working_folder(env, &path) {
        return Some(path);
    }
    let message = format!(
        "names {}, which lies in the working folder and must not {matters}; it is ignored (use {instead})",
        Label::from_path(&path)
    );
    problems.push(Diagnostic::warning(Where::Variable(name), message));
    None
}

/// True for a path at or below the working directory, unless that is the home folder.
///
/// Symbolic links are resolved as far as the path exists, so that neither a link into the working directory nor one
/// that leads to it (`/proc/self/cwd`, a linked home) can hide where the path is.
pub(crate) fn in_working_folder(env: &Env, path: &Path) -> bool {
    let cwd = resolved(&env.cwd);
    let at_home = |home: &PathBuf| home.starts_with(&env.cwd) || resolved(home).starts_with(&cwd);
    if env.home.as_ref().is_some_and(at_home) {
        return false;
    }
    path.starts_with(&env.cwd) || resolved(path).starts_with(&cwd)
}

/// Resolves symbolic links as far as the path exists.
fn resolved(path: &Path) -> PathBuf {
    for above in path.ancestors() {
        if let Ok(real) = above.canonicalize() {
            return path.strip_prefix(above).map_or_else(|_| real.clone(), |rest| real.join(rest));
        }
    }
    path.to_owned()
}

/// The path given by a variable, relative to the working directory.
pub(crate) fn given_path(env: &Env, name: &str) -> Option<PathBuf> {
    env.var(name).map(|path| absolute(env, Path::new(path)))
}

/// Why other users could modify the data folder, as the rest of a sentence that begins with its name.
#[cfg(unix)]
pub(crate) fn open_to_others(folder: &Path, uid: u32) -> Option<String> {
    use std::os::unix::fs::MetadataExt as _;
    let metadata = std::fs::metadata(folder).ok().filter(std::fs::Metadata::is_dir)?;
    if metadata.uid() != uid && metadata.uid() != 0 {
        return Some("belongs to another user, who can change the ledger".to_owned());
    }
    if metadata.mode() & 0o022 == 0 {
        return None;
    }
    Some(format!("has mode {:o}, so that others can change the ledger; run chmod 700 on it", metadata.mode() & 0o777))
}

#[cfg(not(unix))]
pub(crate) fn open_to_others(_: &Path, _: u32) -> Option<String> {
    None
}

/// The first of the data folder's files, and of these further ones, that may have been planted in a folder that others can
/// write to: a symbolic link, a file with several names, or one owned by another user. `below` is a folder in it.
#[cfg(unix)]
pub(crate) fn planted(folder: &Path, uid: u32, below: &str, further: &[PathBuf]) -> Option<String> {
    use std::os::unix::fs::MetadataExt as _;
    // Root may maintain someone else's ledger, so files of the folder's owner are trusted.
    let owner = std::fs::metadata(folder).map_or(uid, |metadata| metadata.uid());
    let below = folder.join(below);
    let files = DATA_FILES.iter().map(|name| folder.join(name)).chain(further.iter().cloned());
    std::iter::once(below.clone()).chain(files).find_map(|path| {
        let metadata = std::fs::symlink_metadata(&path).ok()?;
        let is_below = path == below;
        let what = if metadata.is_symlink() {
            "is a link"
        } else if is_below && !metadata.is_dir() {
            "is not a folder"
        } else if !is_below && !metadata.is_file() {
            "is not a regular file"
        } else if !is_below && metadata.nlink() > 1 {
            "has a second name elsewhere"
        } else if ![uid, owner].contains(&metadata.uid()) {
            "belongs to another user"
        } else {
            return None;
        };
        let shown = Label::from_path(&path);
        Some(format!(
            "{shown} {what}, in a folder where others can write: it is not followed and nothing is booked; \
             remove it, then run chmod 700 on the folder"
        ))
    })
}

#[cfg(not(unix))]
pub(crate) fn planted(_: &Path, _: u32, _: &str, _: &[PathBuf]) -> Option<String> {
    None
}

#[cfg(unix)]
#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Instant;
    use std::fs::{self, Permissions};
    use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink};

    #[test]
    fn j15_a_link_does_not_hide_that_a_path_is_in_the_working_folder() {
        let base = tempfile::tempdir().unwrap();
        let (repo, home, link) = (base.path().join("repo"), base.path().join("home"), base.path().join("link"));
        fs::create_dir_all(repo.join("sub")).unwrap();
        fs::create_dir(&home).unwrap();
        symlink(&repo, &link).unwrap();
        symlink(repo.join("sub"), home.join("linked")).unwrap();
        let env = |cwd: &Path| Env { home: Some(home.clone()), cwd: cwd.to_owned(), ..Env::empty(Instant::UNIX_EPOCH) };
        for cwd in [&repo, &link] {
            for path in [repo.join("x/y"), link.join("x"), home.join("linked/none"), repo.clone()] {
                assert!(in_working_folder(&env(cwd), &path), "{} from {}", path.display(), cwd.display());
            }
            assert!(!in_working_folder(&env(cwd), &home.join(".config")));
            assert!(!in_working_folder(&env(cwd), &base.path().join("repository")));
        }
        // The home folder and its parents are not repositories.
        assert!(!in_working_folder(&env(base.path()), &repo));
        assert!(!in_working_folder(&env(&home), &home.join("x")));
    }

    #[test]
    fn j16_a_folder_that_others_can_write_is_said_and_what_they_may_have_put_there_is_found() {
        let base = tempfile::tempdir().unwrap();
        let folder = base.path().join("data");
        fs::create_dir(&folder).unwrap();
        let uid = fs::metadata(&folder).unwrap().uid();
        for (mode, open) in [(0o700, false), (0o755, false), (0o775, true), (0o777, true), (0o1777, true)] {
            fs::set_permissions(&folder, Permissions::from_mode(mode)).unwrap();
            assert_eq!(open_to_others(&folder, uid).is_some(), open, "{mode:o}");
        }
        assert!(open_to_others(&folder, uid + 1).is_some_and(|why| uid == 0 || why.contains("another user")));
        assert_eq!(open_to_others(&base.path().join("none"), uid), None);

        let planted = |folder: &Path, uid| super::planted(folder, uid, "proxy", &[folder.join("proxy/1-1.jsonl")]);
        assert_eq!(planted(&folder, uid), None);
        fs::write(folder.join("usage.jsonl"), "").unwrap();
        assert_eq!(planted(&folder, uid), None);
        assert_eq!(planted(&folder, uid + 1), None, "the owner's own file in the owner's folder");
        for name in DATA_FILES {
            let path = folder.join(name);
            let _ = fs::remove_file(&path);
            symlink(base.path().join("precious"), &path).unwrap();
            assert!(planted(&folder, uid).is_some_and(|why| why.contains(name) && why.contains("is a link")));
            fs::remove_file(&path).unwrap();
        }
        symlink(base.path(), folder.join("proxy")).unwrap();
        assert!(planted(&folder, uid).is_some_and(|why| why.contains("proxy is a link")));
        fs::remove_file(folder.join("proxy")).unwrap();
        fs::create_dir(folder.join("proxy")).unwrap();
        assert_eq!(planted(&folder, uid), None);
        symlink(base.path().join("precious"), folder.join("proxy/1-1.jsonl")).unwrap();
        assert!(planted(&folder, uid).is_some_and(|why| why.contains("1-1.jsonl is a link")));
        fs::remove_file(folder.join("proxy/1-1.jsonl")).unwrap();
        fs::write(base.path().join("precious"), "").unwrap();
        fs::hard_link(base.path().join("precious"), folder.join("spool.jsonl")).unwrap();
        assert!(planted(&folder, uid).is_some_and(|why| why.contains("second name")));
    }
}
