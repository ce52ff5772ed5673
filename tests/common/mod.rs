//! Shared by several test files: a private home, logs to write, and the program in a pseudo-terminal.

#![allow(dead_code, unreachable_pub, missing_docs, clippy::unwrap_used, reason = "each test file uses its part")]

pub mod clients;
pub mod pty;

use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// An address where nobody listens, for a program that takes no port 0, or for an upstream that is gone.
///
/// On Linux it is one of 127.0.0.0/8 that no other test gets. A port of 127.0.0.1 could be taken by another test before
/// it is used, and on one of those that outgoing connections get, whoever tries to connect until somebody listens may
/// connect to itself and so keep the port from the program.
pub fn free_address() -> std::net::SocketAddr {
    use std::sync::atomic::{AtomicU32, Ordering};
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let number = std::process::id().wrapping_mul(64).wrapping_add(COUNT.fetch_add(1, Ordering::Relaxed) % 64);
    let [_, a, b, c] = number.to_be_bytes();
    let host = if cfg!(target_os = "linux") { [127, a | 1, b, c.clamp(1, 254)] } else { [127, 0, 0, 1] };
    std::net::TcpListener::bind((std::net::Ipv4Addr::from(host), 0)).unwrap().local_addr().unwrap()
}

/// A private home folder, removed when dropped.
pub struct Home {
    folder: tempfile::TempDir,
}

impl Home {
    pub fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap() }
    }

    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    pub fn file(&self, name: &str) -> PathBuf {
        let path = self.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        path
    }

    /// Writes a file, making its folders.
    pub fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.file(name);
        fs::write(&path, text).unwrap();
        path
    }

    /// Opens a file for appending, making its folders.
    pub fn append(&self, name: &str) -> File {
        OpenOptions::new().create(true).append(true).open(self.file(name)).unwrap()
    }

    /// Writes the config.
    pub fn config(&self, text: &str) -> PathBuf {
        self.write(".config/tokmeter/config.toml", text)
    }

    /// Starts the program without a terminal; its standard error is to be read.
    pub fn spawn(&self, args: &[&str]) -> Child {
        Command::new(assert_cmd::cargo::cargo_bin("tokmeter"))
            .args(args)
            .env_clear()
            .envs(self.vars())
            .current_dir(self.path())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap()
    }

    /// Environment of a user with this home only.
    pub fn vars(&self) -> Vec<(String, String)> {
        let home = self.path().to_str().unwrap();
        [
            ("HOME", home.to_owned()),
            ("USER", "alice".into()),
            ("LOGNAME", "alice".into()),
            ("XDG_CONFIG_HOME", format!("{home}/.config")),
            ("XDG_DATA_HOME", format!("{home}/.local/share")),
            ("XDG_CACHE_HOME", format!("{home}/.cache")),
            ("XDG_RUNTIME_DIR", format!("{home}/run")),
            ("TZ", "UTC".into()),
            ("LANG", "C.UTF-8".into()),
            ("PATH", "/usr/bin:/bin".into()),
            ("TERM", "xterm-256color".into()),
        ]
        .map(|(name, value)| (name.to_owned(), value))
        .to_vec()
    }

    /// The program, ready to run in this home.
    pub fn tokmeter(&self) -> assert_cmd::Command {
        let mut command = assert_cmd::Command::cargo_bin("tokmeter").unwrap();
        command.env_clear().envs(self.vars()).current_dir(self.path());
        command
    }
}

/// A line of the native log.
pub fn native(id: &str, at: &str, model: &str, input: u64, output: u64) -> String {
    format!(
        "{{\"id\":\"{id}\",\"at\":\"{at}\",\"model\":\"{model}\",\"session\":\"s1\",\"input_tokens\":{input},\"output_tokens\":{output}}}\n"
    )
}

/// Now, as logs write it.
#[allow(clippy::disallowed_methods, reason = "a test may look at the clock")]
pub fn now() -> String {
    chrono::Utc::now().to_rfc3339_opts(chrono::SecondsFormat::Millis, true)
}

/// Appends text in one write.
pub fn append(file: &mut File, text: &str) {
    file.write_all(text.as_bytes()).unwrap();
}
