//! Binds the socket. Silently replaces a stale one, but never a live meter's socket or another kind of file.

use std::fs;
use std::io;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};

use crate::domain::Label;

/// Maximum length of a socket path on this system, in bytes.
const PATH_CAP: usize = if cfg!(target_os = "macos") { 103 } else { 107 };

/// Why the socket could not be bound.
#[derive(Debug, thiserror::Error)]
pub enum SocketError {
    /// Another meter listens there.
    #[error("a meter is already running{} and listens on {path}", .pid.map(|pid| format!(" (pid {pid})")).unwrap_or_default())]
    InUse {
        /// Path of the socket.
        path: Label,
        /// Process id of that meter, if the system reports it.
        pid: Option<i32>,
    },
    /// Something else exists at the path.
    #[error("{path} is {what}, not a socket; it is left alone: name another path with --socket")]
    Foreign {
        /// The path.
        path: Label,
        /// The kind of file.
        what: &'static str,
    },
    /// The path is longer than the system allows.
    #[error(
        "the socket's path is {length} bytes long, the maximum is {PATH_CAP}: name a shorter one with --socket: {path}"
    )]
    TooLong {
        /// The path.
        path: Label,
        /// Its length in bytes.
        length: usize,
    },
    /// Other users could modify the folder.
    #[error("{path}: the folder {why}; name a socket in a folder of your own with --socket")]
    Unsafe {
        /// The folder.
        path: Label,
        /// The problem.
        why: &'static str,
    },
    /// A system error.
    #[error("{path}: {error}")]
    Io {
        /// The path.
        path: Label,
        /// The error.
        error: io::Error,
    },
}

/// A bound socket and its identity.
#[derive(Debug)]
pub struct Bound {
    /// The listener, in non-blocking mode.
    pub listener: UnixListener,
    /// Its path.
    pub path: PathBuf,
    device: u64,
    inode: u64,
}

impl Bound {
    /// True while the path leads to this socket.
    pub fn stands(&self) -> bool {
        fs::symlink_metadata(&self.path).is_ok_and(|facts| (facts.dev(), facts.ino()) == (self.device, self.inode))
    }

    /// Removes the socket from the file system, if the path still leads to it.
    pub fn remove(&self) {
        if self.stands() {
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// Binds the path: creates its folder (0700) if it is missing, replaces a stale socket, and sets mode 0600.
///
/// # Errors
/// When another meter listens there, when something else exists at the path, or on a system error.
pub fn bind(path: &Path, uid: u32) -> Result<Bound, SocketError> {
    let shown = Label::from_path(path);
    let length = path.as_os_str().len();
    if length > PATH_CAP {
        return Err(SocketError::TooLong { path: shown, length });
    }
    let failed = |error| SocketError::Io { path: shown.clone(), error };
    prepare_folder(path, uid)?;
    if let Ok(facts) = fs::symlink_metadata(path) {
        let kind = facts.file_type();
        if !kind.is_socket() {
            let what = match kind {
                kind if kind.is_dir() => "a folder",
                kind if kind.is_symlink() => "a symbolic link",
                kind if kind.is_file() => "a file",
                kind if kind.is_fifo() => "a pipe",
                _ => "something else",
            };
            return Err(SocketError::Foreign { path: shown, what });
        }
        match UnixStream::connect(path) {
            Ok(stream) => return Err(SocketError::InUse { path: shown, pid: peer_pid(&stream) }),
            Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => fs::remove_file(path).map_err(failed)?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(failed(error)),
        }
    }
    let listener = UnixListener::bind(path).map_err(failed)?;
    fs::set_permissions(path, fs::Permissions::from_mode(0o600)).map_err(failed)?;
    listener.set_nonblocking(true).map_err(failed)?;
    let facts = fs::symlink_metadata(path).map_err(failed)?;
    Ok(Bound { listener, path: path.to_owned(), device: facts.dev(), inode: facts.ino() })
}

/// Checks that the folder is ours, or is one like /tmp, whose sticky bit protects our files.
fn prepare_folder(path: &Path, uid: u32) -> Result<(), SocketError> {
    let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) else { return Ok(()) };
    let shown = Label::from_path(folder);
    let refuse = |why| Err(SocketError::Unsafe { path: shown.clone(), why });
    match fs::metadata(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let mut builder = fs::DirBuilder::new();
            std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
            builder.recursive(true).create(folder).map_err(|error| SocketError::Io { path: shown.clone(), error })
        }
        Err(error) => Err(SocketError::Io { path: shown, error }),
        Ok(facts) if !facts.is_dir() => refuse("is not a folder"),
        Ok(facts) => {
            let (mode, owner) = (facts.mode(), facts.uid());
            let sticky = mode & 0o1000 != 0;
            if owner != uid && owner != 0 {
                refuse("belongs to another user")
            } else if mode & 0o022 != 0 && !sticky {
                refuse("can be written by others")
            } else {
                Ok(())
            }
        }
    }
}

fn peer_pid(stream: &UnixStream) -> Option<i32> {
    #[cfg(target_os = "linux")]
    return rustix::net::sockopt::socket_peercred(stream).ok().map(|peer| peer.pid.as_raw_nonzero().get());
    #[cfg(not(target_os = "linux"))]
    {
        let _ = stream;
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn uid() -> u32 {
        rustix::process::getuid().as_raw()
    }

    #[test]
    fn c1_a_stale_socket_is_taken_over_silently() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("t.sock");
        drop(UnixListener::bind(&path).unwrap());
        assert!(path.exists());
        let bound = bind(&path, uid()).unwrap();
        assert!(bound.stands());
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o600);
    }

    #[test]
    fn c2_a_living_meter_is_named_by_its_process() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("t.sock");
        let _first = bind(&path, uid()).unwrap();
        let error = bind(&path, uid()).unwrap_err().to_string();
        assert!(error.contains("already running"), "{error}");
        #[cfg(target_os = "linux")]
        assert!(error.contains(&std::process::id().to_string()), "{error}");
        assert!(UnixStream::connect(&path).is_ok());
    }

    #[test]
    fn c3_what_is_no_socket_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let (file, inner, link) = (folder.path().join("f"), folder.path().join("d"), folder.path().join("l"));
        fs::write(&file, "precious").unwrap();
        fs::create_dir(&inner).unwrap();
        std::os::unix::fs::symlink(&file, &link).unwrap();
        // A link is left alone wherever it leads: to nothing, or to a socket that a dead program left.
        let [nowhere, dead, to_dead, pipe] = ["n", "s", "ls", "p"].map(|name| folder.path().join(name));
        std::os::unix::fs::symlink(folder.path().join("missing"), &nowhere).unwrap();
        drop(UnixListener::bind(&dead).unwrap());
        std::os::unix::fs::symlink(&dead, &to_dead).unwrap();
        let made = std::process::Command::new("mkfifo").arg(&pipe).status().unwrap();
        assert!(made.success());
        for (path, what) in [
            (&file, "a file"),
            (&inner, "a folder"),
            (&link, "a symbolic link"),
            (&nowhere, "a symbolic link"),
            (&to_dead, "a symbolic link"),
            (&pipe, "a pipe"),
        ] {
            let error = bind(path, uid()).unwrap_err().to_string();
            assert!(error.contains(what) && error.contains("left alone"), "{error}");
        }
        assert_eq!(fs::read_to_string(&file).unwrap(), "precious");
        assert!(inner.is_dir() && [&link, &nowhere, &to_dead].iter().all(|link| link.is_symlink()));
        assert!(dead.exists() && pipe.exists());
    }

    #[test]
    fn c4_a_folder_that_others_can_write_is_refused_and_a_missing_one_is_made_private() {
        let folder = tempfile::tempdir().unwrap();
        let open = folder.path().join("open");
        fs::create_dir(&open).unwrap();
        for mode in [0o777, 0o770, 0o707, 0o720, 0o702] {
            fs::set_permissions(&open, fs::Permissions::from_mode(mode)).unwrap();
            let error = bind(&open.join("t.sock"), uid()).unwrap_err().to_string();
            assert!(error.contains("can be written by others"), "{mode:o}: {error}");
        }
        // Like /tmp, and one that others can only look into.
        for mode in [0o1777, 0o755] {
            fs::set_permissions(&open, fs::Permissions::from_mode(mode)).unwrap();
            bind(&open.join("t.sock"), uid()).unwrap().remove();
        }
        let made = folder.path().join("made");
        let _bound = bind(&made.join("t.sock"), uid()).unwrap();
        assert_eq!(fs::metadata(&made).unwrap().mode() & 0o777, 0o700);
    }

    #[test]
    fn i8_a_folder_of_another_user_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        // For any other user id, this folder belongs to someone else.
        let me = uid();
        let other = if me == 0 { None } else { Some(me + 1) };
        if let Some(other) = other {
            assert!(matches!(bind(&folder.path().join("t.sock"), other), Err(SocketError::Unsafe { .. })));
        } else {
            let theirs = folder.path().join("theirs");
            fs::create_dir(&theirs).unwrap();
            std::os::unix::fs::chown(&theirs, Some(65534), None).unwrap();
            assert!(matches!(bind(&theirs.join("t.sock"), me), Err(SocketError::Unsafe { .. })));
        }
    }

    #[test]
    fn c5_a_path_that_is_too_long_is_told_with_its_length() {
        let path = PathBuf::from(format!("/tmp/{}", "x".repeat(120)));
        let error = bind(&path, uid()).unwrap_err().to_string();
        assert!(error.contains("125 bytes") && error.contains(&PATH_CAP.to_string()), "{error}");
        // The longest path works, and one byte more does not.
        let folder = tempfile::Builder::new().prefix("t").tempdir_in("/tmp").unwrap();
        let room = PATH_CAP - folder.path().as_os_str().len() - 1;
        bind(&folder.path().join("x".repeat(room)), uid()).unwrap();
        let longer = bind(&folder.path().join("x".repeat(room + 1)), uid());
        assert!(matches!(longer, Err(SocketError::TooLong { length, .. }) if length == PATH_CAP + 1));
    }
}
