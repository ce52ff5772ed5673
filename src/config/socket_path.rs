//! Location of the socket, in a folder that nobody else can enter. The meter and its clients determine it the same way.

use std::path::{Path, PathBuf};

use super::absolute::absolute;
use super::paths::{make_private_folder, socket_given};
use super::trust::in_working_folder;
use super::{Env, Overrides};
use crate::domain::Label;

/// File name of the socket.
const SOCKET: &str = "tokmeter.sock";

/// Location of the socket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SocketPath {
    /// Path of the socket.
    pub path: PathBuf,
    /// Why it is not in the standard location.
    pub note: Option<String>,
    /// True when we create and check its folder.
    own_folder: bool,
    uid: u32,
}

impl SocketPath {
    /// Determines the location: `--socket`, `TOKMETER_SOCKET`, `$XDG_RUNTIME_DIR`, `/run/user/UID`, and finally a
    /// private folder for temporary files.
    ///
    /// # Errors
    /// A sentence that names the last of these folders if it is not private.
    pub(crate) fn resolve(env: &Env, overrides: &Overrides) -> Result<Self, String> {
        // Problems with the variable are reported along with the paths.
        let given = overrides.socket.as_deref().map(|path| absolute(env, path));
        if let Some(path) = given.or_else(|| socket_given(env, &mut Vec::new())) {
            return Ok(Self { path, note: None, own_folder: false, uid: env.uid });
        }
        let usual = PathBuf::from(format!("/run/user/{}", env.uid));
        let temporary = if cfg!(target_os = "macos") { env.path_var("TMPDIR") } else { None };
        let temporary = temporary.unwrap_or_else(|| PathBuf::from("/tmp"));
        let runtime_dir = env.var("XDG_RUNTIME_DIR").map(Path::new);
        if let Some(folder) = runtime_dir.filter(|folder| *folder != usual && in_working_folder(env, folder)) {
            let why = format!("XDG_RUNTIME_DIR is {}, which lies in the working folder", Label::from_path(folder));
            let mut found = choose(None, &usual, &temporary, env.uid)?;
            found.note = Some(why);
            return Ok(found);
        }
        choose(runtime_dir, &usual, &temporary, env.uid)
    }

    /// Creates the folder if it is ours, and checks again that nobody else can enter it.
    ///
    /// # Errors
    /// A sentence that names the folder.
    pub(crate) fn prepare(&self) -> Result<(), String> {
        let Some(folder) = self.path.parent().filter(|_| self.own_folder) else { return Ok(()) };
        make_private_folder(folder)
            .map_err(|error| format!("{} cannot be created: {error}", Label::from_path(folder)))?;
        private(folder, self.uid).map_err(|why| refusal(folder, &why))
    }
}

fn choose(runtime_dir: Option<&Path>, usual: &Path, temporary: &Path, uid: u32) -> Result<SocketPath, String> {
    let found = |folder: &Path, note, own_folder| SocketPath { path: folder.join(SOCKET), note, own_folder, uid };
    let why = match runtime_dir {
        None => "XDG_RUNTIME_DIR is not set".to_owned(),
        Some(folder) => match private(folder, uid) {
            Ok(()) => return Ok(found(folder, None, false)),
            Err(why) => format!("XDG_RUNTIME_DIR is {}, which {why}", Label::from_path(folder)),
        },
    };
    if private(usual, uid).is_ok() {
        return Ok(found(usual, Some(why), false));
    }
    let folder = temporary.join(format!("tokmeter-{uid}"));
    match std::fs::symlink_metadata(&folder) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
        _ => private(&folder, uid).map_err(|why| refusal(&folder, &why))?,
    }
    Ok(found(&folder, Some(why), true))
}

fn refusal(folder: &Path, why: &str) -> String {
    format!(
        "{} {why}: no socket is created there; set XDG_RUNTIME_DIR, or name one with --socket",
        Label::from_path(folder)
    )
}

/// Checks that a folder belongs to this user and that nobody else can enter it.
///
/// # Errors
/// The problem, phrased to follow the folder's name.
#[cfg(unix)]
fn private(folder: &Path, uid: u32) -> Result<(), String> {
    use std::os::unix::fs::MetadataExt as _;
    if !folder.is_absolute() {
        return Err("is not an absolute path".to_owned());
    }
    let metadata = std::fs::symlink_metadata(folder).map_err(|error| {
        if error.kind() == std::io::ErrorKind::NotFound {
            "does not exist".to_owned()
        } else {
            format!("cannot be inspected ({error})")
        }
    })?;
    if metadata.is_symlink() {
        return Err("is a link".to_owned());
    }
    if !metadata.is_dir() {
        return Err("is not a folder".to_owned());
    }
    if metadata.uid() != uid {
        return Err("belongs to another user".to_owned());
    }
    if metadata.mode() & 0o077 != 0 {
        return Err(format!("has mode {:o}, so that others can enter it", metadata.mode() & 0o777));
    }
    Ok(())
}

#[cfg(not(unix))]
fn private(_: &Path, _: u32) -> Result<(), String> {
    Err("is on a system without Unix sockets".to_owned())
}

#[cfg(unix)]
#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Instant;
    use std::fs::{self, Permissions};
    use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink};

    struct Place {
        base: tempfile::TempDir,
        uid: u32,
    }

    impl Place {
        fn new() -> Self {
            let base = tempfile::tempdir().unwrap();
            let uid = fs::metadata(base.path()).unwrap().uid();
            Self { base, uid }
        }
        fn folder(&self, name: &str, mode: u32) -> PathBuf {
            let folder = self.base.path().join(name);
            fs::create_dir(&folder).unwrap();
            fs::set_permissions(&folder, Permissions::from_mode(mode)).unwrap();
            folder
        }
        fn choose(&self, runtime_dir: Option<&Path>) -> Result<SocketPath, String> {
            choose(runtime_dir, &self.base.path().join("run"), self.base.path(), self.uid)
        }
        fn fallback(&self) -> PathBuf {
            self.base.path().join(format!("tokmeter-{}", self.uid))
        }
    }

    #[test]
    fn c4_a_good_runtime_folder_is_used_without_a_word() {
        let place = Place::new();
        let good = place.folder("good", 0o700);
        let socket = place.choose(Some(&good)).unwrap();
        assert_eq!((socket.path, socket.note), (good.join("tokmeter.sock"), None));
    }

    #[test]
    fn c4_a_bad_runtime_folder_is_passed_over_with_the_reason() {
        let place = Place::new();
        let (open, good) = (place.folder("open", 0o755), place.folder("good", 0o700));
        let (link, file) = (place.base.path().join("link"), place.base.path().join("file"));
        symlink(&good, &link).unwrap();
        fs::write(&file, "").unwrap();
        let cases = [
            (None, "XDG_RUNTIME_DIR is not set"),
            (Some(Path::new("relative")), "is not an absolute path"),
            (Some(Path::new("/nowhere/at/all")), "does not exist"),
            (Some(open.as_path()), "has mode 755"),
            (Some(link.as_path()), "is a link"),
            (Some(file.as_path()), "is not a folder"),
        ];
        for (runtime_dir, expected) in cases {
            let socket = place.choose(runtime_dir).unwrap();
            assert_eq!(socket.path, place.fallback().join("tokmeter.sock"));
            assert!(socket.note.as_ref().is_some_and(|note| note.contains(expected)), "{:?}", socket.note);
        }
        // The same folder, checked with another user id.
        let socket = choose(Some(&good), Path::new("/nowhere"), place.base.path(), place.uid + 1).unwrap();
        assert!(socket.note.is_some_and(|note| note.contains("belongs to another user")));
    }

    #[test]
    fn c4_the_systems_own_runtime_folder_serves_when_the_variable_is_lost() {
        let place = Place::new();
        let run = place.folder("run", 0o700);
        let socket = place.choose(None).unwrap();
        assert_eq!(socket.path, run.join("tokmeter.sock"));
        assert_eq!(socket.prepare(), Ok(()));
    }

    #[test]
    fn i8_a_fallback_that_is_a_link_open_or_foreign_is_refused() {
        let place = Place::new();
        let good = place.folder("good", 0o700);
        symlink(&good, place.fallback()).unwrap();
        assert!(place.choose(None).unwrap_err().contains("is a link"));
        fs::remove_file(place.fallback()).unwrap();

        fs::create_dir(place.fallback()).unwrap();
        fs::set_permissions(place.fallback(), Permissions::from_mode(0o777)).unwrap();
        assert!(place.choose(None).unwrap_err().contains("has mode 777"));

        let others = place.base.path().join(format!("tokmeter-{}", place.uid + 1));
        fs::create_dir(&others).unwrap();
        fs::set_permissions(&others, Permissions::from_mode(0o700)).unwrap();
        let refused = choose(None, Path::new("/nowhere"), place.base.path(), place.uid + 1).unwrap_err();
        assert!(refused.contains("belongs to another user") && refused.contains("--socket"), "{refused}");
    }

    #[test]
    fn i8_the_fallback_is_made_private_and_checked_again() {
        let place = Place::new();
        let socket = place.choose(None).unwrap();
        socket.prepare().unwrap();
        assert_eq!(fs::metadata(place.fallback()).unwrap().mode() & 0o777, 0o700);
        fs::set_permissions(place.fallback(), Permissions::from_mode(0o755)).unwrap();
        assert!(socket.prepare().unwrap_err().contains("has mode 755"));
    }

    #[test]
    fn j15_no_variable_puts_the_socket_into_the_working_folder() {
        let place = Place::new();
        let folder = place.folder("run", 0o700);
        let mut env = Env { cwd: place.base.path().to_owned(), uid: place.uid, ..Env::empty(Instant::UNIX_EPOCH) };
        env.vars.insert("TOKMETER_SOCKET".into(), "s.sock".into());
        env.vars.insert("XDG_RUNTIME_DIR".into(), folder.clone().into());
        let found = SocketPath::resolve(&env, &Overrides::default());
        assert!(found.as_ref().map_or(true, |socket| !socket.path.starts_with(place.base.path())), "{found:?}");
        if let Ok(socket) = found {
            assert!(socket.note.is_some_and(|note| note.contains("in the working folder")));
        }
        env.cwd = "/elsewhere".into();
        env.vars.remove(std::ffi::OsStr::new("TOKMETER_SOCKET"));
        assert_eq!(SocketPath::resolve(&env, &Overrides::default()).unwrap().path, folder.join("tokmeter.sock"));
    }

    #[test]
    fn a_socket_that_is_named_is_taken_as_it_is() {
        let mut env = Env::empty(Instant::UNIX_EPOCH);
        env.vars.insert("TOKMETER_SOCKET".into(), "/a/../b.sock".into());
        env.cwd = "/elsewhere".into();
        assert_eq!(SocketPath::resolve(&env, &Overrides::default()).unwrap().path, PathBuf::from("/b.sock"));
        let flag = Overrides { socket: Some("/c.sock".into()), ..Overrides::default() };
        assert_eq!(SocketPath::resolve(&env, &flag).unwrap().path, PathBuf::from("/c.sock"));
    }
}
