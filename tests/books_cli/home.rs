//! A private home folder, and the program run in it.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde_json::Value;
use tokmeter::testing::commands;
use tokmeter::testing::config::{Env, Folders};
use tokmeter::testing::domain::Instant;

/// A home folder, removed when dropped, and the time in it.
pub struct Home {
    folder: tempfile::TempDir,
    pub now: Instant,
}

/// Output and exit code of a command.
#[derive(Debug)]
pub struct Said {
    pub code: u8,
    pub out: String,
    pub err: String,
}

impl Said {
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap_or_else(|why| panic!("{why}: {self:?}"))
    }
}

impl Home {
    /// A home at noon of 22 November 2026, UTC.
    pub fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap(), now: "2026-11-22T12:00:00Z".parse().unwrap() }
    }

    /// The same home at another time.
    pub fn at(mut self, now: &str) -> Self {
        self.now = now.parse().unwrap();
        self
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, text).unwrap();
        path
    }

    /// Writes the log that is always followed.
    pub fn log(&self, text: &str) -> PathBuf {
        self.write("data/tokmeter/usage.jsonl", text)
    }

    pub fn config(&self, text: &str) -> PathBuf {
        self.write("config/tokmeter/config.toml", text)
    }

    /// Runs the program to its end.
    pub fn run(&self, args: &[&str]) -> Said {
        let now = self.now;
        let home = self.folder.path().to_owned();
        let vars = [("LANG", "C.UTF-8".into()), ("TERM", "xterm".into()), ("XDG_RUNTIME_DIR", home.join("run").into())];
        let world = Env {
            clock: Arc::new(move || now),
            vars: vars.map(|(name, value): (_, OsString)| (OsString::from(name), value)).into(),
            home: Some(home.clone()),
            folders: Folders {
                config: Some(home.join("config")),
                data: Some(home.join("data")),
                cache: Some(home.join("cache")),
            },
            cwd: home,
            login: "alice".to_owned(),
            #[cfg(unix)]
            uid: std::os::unix::fs::MetadataExt::uid(&fs::metadata(self.folder.path()).unwrap()),
            ..Env::empty(now)
        };
        let args: Vec<OsString> = std::iter::once("tokmeter").chain(args.iter().copied()).map(OsString::from).collect();
        let (mut out, mut err) = (Vec::new(), Vec::new());
        let exit = commands::run(&args, world, &mut out, &mut err);
        let text = |bytes| String::from_utf8(bytes).unwrap();
        Said { code: exit.code(), out: text(out), err: text(err) }
    }

    /// Runs the program, which must succeed.
    pub fn fine(&self, args: &[&str]) -> Said {
        let said = self.run(args);
        assert_eq!(said.code, 0, "{args:?}: {said:?}");
        said
    }

    /// Runs the program as a process with this standard input.
    pub fn pipe(&self, args: &[&str], input: &str) -> Said {
        let mut command = assert_cmd::Command::cargo_bin("tokmeter").unwrap();
        let folder = |name: &str| (name.to_owned(), self.path(&name.to_ascii_lowercase()));
        command.env_clear().env("HOME", self.folder.path()).env("TZ", "UTC").env("LOGNAME", "alice");
        command.env("XDG_DATA_HOME", self.path("data")).env("XDG_CONFIG_HOME", self.path("config"));
        command.envs([folder("XDG_RUNTIME_DIR"), folder("XDG_CACHE_HOME")]).current_dir(self.folder.path());
        let output = command.args(args).write_stdin(input).output().unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        let code = u8::try_from(output.status.code().unwrap()).unwrap();
        Said { code, out: text(output.stdout), err: text(output.stderr) }
    }

    /// Every file under this home.
    pub fn files(&self) -> Vec<PathBuf> {
        fn walk(folder: &Path, into: &mut Vec<PathBuf>) {
            for entry in fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() { walk(&path, into) } else { into.push(path) }
            }
        }
        let mut all = Vec::new();
        walk(self.folder.path(), &mut all);
        all
    }
}

/// A line of the native log.
pub fn line(id: &str, at: &str, model: &str, input: u64, output: u64, rest: &str) -> String {
    format!(
        "{{\"id\":\"{id}\",\"at\":\"{at}\",\"model\":\"{model}\",\"input_tokens\":{input},\"output_tokens\":{output}{rest}}}\n"
    )
}

/// Three calls: two of one user today, one of another yesterday.
pub fn three_calls() -> String {
    [
        line("a", "2026-11-22T09:00:00Z", "gpt-4o", 500, 300, ",\"user\":\"alice\",\"session\":\"s-1\""),
        line("b", "2026-11-22T09:05:00Z", "claude-opus-5", 1000, 200, ",\"user\":\"alice\",\"session\":\"s-1\""),
        line("c", "2026-11-21T18:00:00Z", "claude-opus-5", 2000, 100, ",\"user\":\"bob\",\"session\":\"s-2\""),
    ]
    .concat()
}

/// The rows of a JSON answer.
pub fn rows<'a>(answer: &'a Value, name: &str) -> &'a Vec<Value> {
    answer[name].as_array().unwrap()
}
