//! Config file access: size-limited reads, change detection, atomic writes.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use super::paths::make_private_folder;
use super::replace_file::{Draft, PRIVATE, folder_of};
use super::{ConfigText, Diagnostic, Env, Loaded, Overrides, Paths, Settings, Where};
use super::{document, regular_file};
use crate::domain::Label;

/// Maximum size of a config, in bytes.
const LONGEST: u64 = 1 << 20;

/// The commented default config, written by `config init`.
pub const SAMPLE: &str = include_str!("../../samples/config.toml");

/// Locates and reads the config and loads the settings; an unreadable file is reported as a problem.
pub fn open(env: &Env, overrides: &Overrides, themes: &[&str]) -> (Paths, Loaded) {
    let paths = Paths::resolve(env, overrides);
    let (text, unread) = match paths.config.as_deref().map(|path| read(path, paths.config_given)) {
        Some(Ok(text)) => (text, None),
        Some(Err(problem)) => (None, Some(problem)),
        None => (None, None),
    };
    let mut loaded = Settings::load(text.as_ref(), env, overrides, themes);
    loaded.problems.splice(0..0, unread.into_iter().chain(paths.problems.iter().cloned()));
    (paths, loaded)
}

/// Reads a config file. A missing file is `None`, unless it was explicitly `given` by a flag or a variable.
///
/// # Errors
/// When the file cannot be used: it is a folder, unreadable, not text, or too large.
pub fn read(path: &Path, given: bool) -> Result<Option<ConfigText>, Diagnostic> {
    let text = read_raw(path, given)?;
    Ok(text.map(|text| ConfigText {
        path: path.to_owned(),
        text: text.strip_prefix(document::MARK).unwrap_or(&text).to_owned(),
    }))
}

/// The text of a config file as it is, with its byte order mark.
fn read_raw(path: &Path, given: bool) -> Result<Option<String>, Diagnostic> {
    let wrong = |why: &str| Diagnostic::error(Where::Path(Label::from_path(path)), why);
    let kind = match fs::metadata(path) {
        Ok(metadata) => metadata.file_type(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return if fs::symlink_metadata(path).is_ok() {
                Err(wrong("is a link to a file that does not exist"))
            } else if given {
                Err(wrong("does not exist; `tokmeter config init` makes one"))
            } else {
                Ok(None)
            };
        }
        Err(error) => return Err(wrong(&format!("cannot be read: {error}"))),
    };
    if kind.is_dir() {
        return Err(wrong("is a folder; name the file in it"));
    }
    if !kind.is_file() && !given {
        return Err(wrong("is not a regular file"));
    }
    // `--config /dev/null` asks for the defaults, so devices named explicitly are read, up to the size limit.
    let bytes = regular_file::read_bytes(path, LONGEST, |kind| given && is_device(kind)).map_err(|error| {
        if error.kind() == io::ErrorKind::FileTooLarge {
            return wrong("is larger than 1 MiB, which no config is");
        }
        wrong(&regular_file::why(&error))
    })?;
    let text = String::from_utf8(bytes).map_err(|error| {
        wrong(&regular_file::why(&regular_file::not_text(error.as_bytes(), error.utf8_error().valid_up_to())))
    })?;
    Ok(Some(text))
}

#[cfg(unix)]
fn is_device(kind: fs::FileType) -> bool {
    std::os::unix::fs::FileTypeExt::is_char_device(&kind)
}

#[cfg(not(unix))]
fn is_device(_: fs::FileType) -> bool {
    false
}

/// A cheap fingerprint of a file's state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stamp {
    length: u64,
    modified: Option<SystemTime>,
    identity: (u64, u64),
}

/// The stamp of a file; `None` if it does not exist.
pub fn stamp(path: &Path) -> Option<Stamp> {
    let metadata = fs::metadata(path).ok()?;
    #[cfg(unix)]
    let identity = {
        use std::os::unix::fs::MetadataExt as _;
        (metadata.dev(), metadata.ino())
    };
    #[cfg(not(unix))]
    let identity = (0, 0);
    Some(Stamp { length: metadata.len(), modified: metadata.modified().ok(), identity })
}

/// Edits the config file: reads it, lets `change` produce the new text, and replaces it atomically.
///
/// A symbolic link is followed and its target replaced. Concurrent edits are serialised by a lock. A new file gets mode
/// 0600; an existing one keeps its mode.
///
/// # Errors
/// A sentence that names the file, with the error of `change` or the reason it cannot be read or written.
pub(crate) fn change(path: &Path, change: impl FnOnce(&str) -> Result<String, String>) -> Result<(), String> {
    let target = target(path)?;
    let _turn = lock(&target)?;
    let before = read_raw(&target, false).map_err(|problem| problem.to_string())?;
    let after = document::edited(before.as_deref().unwrap_or_default(), change)
        .map_err(|why| format!("{}: {why}", Label::from_path(path)))?;
    if before.as_ref() == Some(&after) {
        return Ok(());
    }
    replace(&target, &after)
}

/// Writes the commented default config.
///
/// # Errors
/// When a file exists and `force` is false, or the file cannot be written. A partial file is never left behind.
pub(crate) fn init(path: &Path, force: bool) -> Result<(), String> {
    let _turn = lock(path)?;
    if force {
        return replace(&target(path)?, SAMPLE);
    }
    let exists = || format!("{} exists already; --force replaces it", Label::from_path(path));
    if fs::symlink_metadata(path).is_ok() {
        return Err(exists());
    }
    let draft = draft(path, SAMPLE)?;
    // A hard link is created as a whole or, if the file exists by now, not at all.
    match fs::hard_link(draft.path(), path) {
        Ok(()) => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Err(exists()),
        Err(_) => draft.put_in_place().map_err(|error| unwritable(path, &error)),
    }
}

/// The target of a symbolic link, or the path itself.
fn target(path: &Path) -> Result<PathBuf, String> {
    match fs::symlink_metadata(path) {
        Ok(metadata) if metadata.is_symlink() => path
            .canonicalize()
            .map_err(|_| format!("{} is a link to a file that does not exist", Label::from_path(path))),
        _ => Ok(path.to_owned()),
    }
}

/// Locks a file's folder for writing, creating it if needed. Unlocks on drop.
fn lock(path: &Path) -> Result<Option<File>, String> {
    let folder = folder_of(path);
    make_private_folder(folder).map_err(|error| unwritable(folder, &error))?;
    #[cfg(unix)]
    {
        let file = File::open(folder).map_err(|error| unwritable(folder, &error))?;
        // Some network file systems have no locks; there the last writer wins, as with any editor.
        let _ = rustix::fs::flock(&file, rustix::fs::FlockOperation::LockExclusive);
        Ok(Some(file))
    }
    #[cfg(not(unix))]
    Ok(None)
}

/// Replaces or creates a regular file owned by the user.
fn replace(target: &Path, text: &str) -> Result<(), String> {
    let old = match fs::metadata(target) {
        Ok(old) => Some(old),
        Err(error) if error.kind() == io::ErrorKind::NotFound => None,
        Err(error) => return Err(unwritable(target, &error)),
    };
    if old.as_ref().is_some_and(|old| !old.is_file()) {
        return Err(format!("{} is not a regular file; it is left as it is", Label::from_path(target)));
    }
    if old.as_ref().is_some_and(|old| old.permissions().readonly()) {
        return Err(format!("{} is read-only; it is left as it is", Label::from_path(target)));
    }
    let draft = draft(target, text)?;
    let put = || -> io::Result<()> {
        if let Some(old) = &old {
            #[cfg(unix)]
            {
                use std::os::unix::fs::MetadataExt as _;
                if fs::metadata(draft.path())?.uid() != old.uid() {
                    return Err(io::Error::other("it belongs to another user"));
                }
            }
            fs::set_permissions(draft.path(), old.permissions())?;
        }
        draft.put_in_place()
    };
    put().map_err(|error| unwritable(target, &error))
}

fn draft<'t>(target: &'t Path, text: &str) -> Result<Draft<'t>, String> {
    Draft::write(target, PRIVATE, |file| file.write_all(text.as_bytes())).map_err(|error| unwritable(target, &error))
}

fn unwritable(path: &Path, error: &io::Error) -> String {
    format!("{} cannot be written: {error}", Label::from_path(path))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn why(path: &Path, given: bool) -> String {
        read(path, given).unwrap_err().to_string()
    }

    #[test]
    fn g4_a_missing_file_is_an_error_only_when_it_was_named() {
        let base = tempfile::tempdir().unwrap();
        let path = base.path().join("config.toml");
        assert_eq!(read(&path, false), Ok(None));
        assert!(why(&path, true).ends_with("does not exist; `tokmeter config init` makes one"));
    }

    #[test]
    fn g5_what_is_no_config_is_refused_in_one_line() {
        let base = tempfile::tempdir().unwrap();
        let path = base.path().join("config.toml");
        assert!(why(base.path(), true).ends_with("is a folder; name the file in it"));
        fs::write(&path, b"a = 1\nb = \"\xff\"\n").unwrap();
        assert!(why(&path, false).ends_with("is not UTF-8 text: see line 2"));
        fs::write(&path, "#".repeat((1 << 20) + 1)).unwrap();
        assert!(why(&path, false).contains("is larger than 1 MiB"));
        fs::write(&path, "\u{feff}theme = \"dark\"\r\n").unwrap();
        assert_eq!(read(&path, false).unwrap().unwrap().text, "theme = \"dark\"\r\n");
    }

    #[cfg(unix)]
    #[test]
    fn g5_a_huge_or_endless_file_is_read_up_to_the_cap_only() {
        let base = tempfile::tempdir().unwrap();
        let path = base.path().join("config.toml");
        // A gibibyte without a byte on disk.
        File::create(&path).unwrap().set_len(1 << 30).unwrap();
        assert!(why(&path, false).contains("is larger than 1 MiB"));
        assert!(why(Path::new("/dev/zero"), true).contains("is larger than 1 MiB"));
        assert!(why(Path::new("/dev/zero"), false).contains("is not a regular file"));
        let pipe = base.path().join("pipe");
        if std::process::Command::new("mkfifo").arg(&pipe).status().is_ok_and(|status| status.success()) {
            assert!(why(&pipe, false).ends_with("is not a regular file"));
            assert!(why(&pipe, true).ends_with("is a named pipe, not a regular file"));
        } else {
            eprintln!("skipped: no mkfifo");
        }
        assert_eq!(read(Path::new("/dev/null"), true).unwrap().unwrap().text, "");
    }

    #[cfg(unix)]
    #[test]
    fn g5_a_file_that_may_not_be_read_says_so() {
        use std::os::unix::fs::PermissionsExt as _;
        let base = tempfile::tempdir().unwrap();
        let path = base.path().join("config.toml");
        fs::write(&path, "").unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o000)).unwrap();
        match File::open(&path) {
            // Root can read everything, but a path through a file is invalid for anyone.
            Ok(_) => assert!(why(&path.join("config.toml"), false).contains("cannot be read: Not a directory")),
            Err(_) => assert!(why(&path, false).contains("cannot be read: Permission denied")),
        }
    }

    #[cfg(unix)]
    #[test]
    fn a_link_to_nothing_is_an_error_since_a_config_was_meant() {
        let base = tempfile::tempdir().unwrap();
        let path = base.path().join("config.toml");
        std::os::unix::fs::symlink("/nowhere/config.toml", &path).unwrap();
        assert!(why(&path, false).ends_with("is a link to a file that does not exist"));
        assert!(change(&path, |_| Ok("a = 1".into())).is_err());
    }

    #[test]
    fn g10_init_refuses_to_overwrite_unless_forced() {
        let base = tempfile::tempdir().unwrap();
        let path = base.path().join("tokmeter/config.toml");
        init(&path, false).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), SAMPLE);
        fs::write(&path, "theme = \"dark\"").unwrap();
        assert!(init(&path, false).unwrap_err().ends_with("exists already; --force replaces it"));
        assert_eq!(fs::read_to_string(&path).unwrap(), "theme = \"dark\"");
        init(&path, true).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), SAMPLE);
        assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), 1, "no draft is left behind");
    }

    #[test]
    fn g10_of_many_inits_at_once_one_wins_and_the_file_is_whole() {
        let base = tempfile::tempdir().unwrap();
        let path = base.path().join("config.toml");
        let won: usize = std::thread::scope(|scope| {
            let all: Vec<_> = (0..8).map(|_| scope.spawn(|| init(&path, false).is_ok())).collect();
            all.into_iter().map(|one| usize::from(one.join().unwrap())).sum()
        });
        assert_eq!(won, 1);
        assert_eq!(fs::read_to_string(&path).unwrap(), SAMPLE);
    }

    #[test]
    fn changes_made_at_once_are_all_kept() {
        let base = tempfile::tempdir().unwrap();
        let path = base.path().join("config.toml");
        std::thread::scope(|scope| {
            for number in 0..8 {
                let path = &path;
                scope.spawn(move || change(path, |text| Ok(format!("{text}# {number}\n"))).unwrap());
            }
        });
        assert_eq!(fs::read_to_string(&path).unwrap().lines().count(), 8);
    }

    #[cfg(unix)]
    #[test]
    fn i6_a_new_config_is_private_and_an_old_one_keeps_its_mode_and_its_link() {
        use std::os::unix::fs::PermissionsExt as _;
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        let base = tempfile::tempdir().unwrap();
        let (kept, link) = (base.path().join("dotfiles.toml"), base.path().join("config.toml"));
        change(&kept, |_| Ok("a = 1\n".into())).unwrap();
        assert_eq!(mode(&kept), 0o600);
        fs::set_permissions(&kept, fs::Permissions::from_mode(0o644)).unwrap();
        std::os::unix::fs::symlink(&kept, &link).unwrap();
        change(&link, |text| Ok(text.replace('1', "2"))).unwrap();
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
        assert_eq!((fs::read_to_string(&kept).unwrap().as_str(), mode(&kept)), ("a = 2\n", 0o644));
        fs::set_permissions(&kept, fs::Permissions::from_mode(0o444)).unwrap();
        assert!(change(&kept, |_| Ok("b = 1".into())).unwrap_err().contains("is read-only"));
        assert_eq!(fs::read_to_string(&kept).unwrap(), "a = 2\n");
    }

    #[test]
    fn g8_a_stamp_differs_after_every_change() {
        let base = tempfile::tempdir().unwrap();
        let path = base.path().join("config.toml");
        assert_eq!(stamp(&path), None);
        let mut seen = vec![None];
        for text in ["a", "b", "c"] {
            change(&path, |_| Ok(text.to_owned())).unwrap();
            assert_eq!(stamp(&path), stamp(&path));
            assert!(seen.last() != Some(&stamp(&path)), "{text}");
            seen.push(stamp(&path));
        }
    }
}
