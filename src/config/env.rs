//! The program's environment, passed in once so that everything else can be tested.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::domain::{Instant, Zone, one_by_one};

/// Machine, user and terminal as found at program start, and a clock.
#[derive(Clone)]
pub struct Env {
    /// The clock.
    pub clock: Arc<dyn Fn() -> Instant + Send + Sync>,
    /// Environment variables.
    pub vars: BTreeMap<OsString, OsString>,
    /// Home folder.
    pub home: Option<PathBuf>,
    /// The system's standard folders for settings and data.
    pub folders: Folders,
    /// Working directory.
    pub cwd: PathBuf,
    /// Login name.
    pub login: String,
    /// User id; 0 where users have none.
    pub uid: u32,
    /// The system's time zone, by name.
    pub zone_name: Option<String>,
    /// Whether standard input, output and error are terminals.
    pub terminal: [bool; 3],
    /// Width of the terminal on standard output, in columns.
    pub columns: Option<usize>,
}

/// The system's standard folders for programs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Folders {
    /// Settings: `~/.config`, or the system's equivalent.
    pub config: Option<PathBuf>,
    /// Data: `~/.local/share`, or the system's equivalent.
    pub data: Option<PathBuf>,
    /// Caches: `~/.cache`, or the system's equivalent.
    pub cache: Option<PathBuf>,
}

impl Env {
    /// Reads the environment of this process. Nothing else queries the system.
    #[allow(clippy::disallowed_methods, reason = "the one place where time and environment enter the program")]
    pub fn system() -> Self {
        let vars: BTreeMap<OsString, OsString> = one_by_one(std::env::vars_os());
        let base = directories::BaseDirs::new();
        // With a relative HOME, files of the working directory would be the config and the ledger.
        let absolute = |folder: &Path| Some(folder.to_owned()).filter(|folder| folder.is_absolute());
        let folders = base.as_ref().map_or_else(Folders::default, |base| Folders {
            config: absolute(base.config_dir()),
            data: absolute(base.data_local_dir()),
            cache: absolute(base.cache_dir()),
        });
        let uid = uid();
        let terminal = {
            use std::io::IsTerminal as _;
            [std::io::stdin().is_terminal(), std::io::stdout().is_terminal(), std::io::stderr().is_terminal()]
        };
        Self {
            clock: Arc::new(chrono::Utc::now),
            login: login(&vars, uid),
            vars,
            home: base.and_then(|base| absolute(base.home_dir())),
            folders,
            cwd: std::env::current_dir().unwrap_or_else(|_| PathBuf::from(".")),
            uid,
            zone_name: iana_time_zone::get_timezone().ok(),
            terminal,
            columns: columns().filter(|_| terminal[1]),
        }
    }

    /// An environment with only a clock, for tests and demos: no home, no variables, no terminal, UTC.
    pub fn empty(now: Instant) -> Self {
        Self {
            clock: Arc::new(move || now),
            vars: BTreeMap::new(),
            home: None,
            folders: Folders::default(),
            cwd: PathBuf::from("/"),
            login: "nobody".to_owned(),
            uid: 0,
            zone_name: None,
            terminal: [false; 3],
            columns: None,
        }
    }

    /// The current time.
    pub fn now(&self) -> Instant {
        (self.clock)()
    }

    /// A variable's value if it is set, not empty, and UTF-8.
    pub fn var(&self, name: &str) -> Option<&str> {
        self.vars.get(OsStr::new(name)).and_then(|value| value.to_str()).filter(|value| !value.is_empty())
    }

    /// A variable's value if it is an absolute path.
    pub fn path_var(&self, name: &str) -> Option<PathBuf> {
        self.vars.get(OsStr::new(name)).map(PathBuf::from).filter(|path| path.is_absolute())
    }

    /// The machine's time zone from `TZ`, otherwise from the system, and the problem with it, if any.
    ///
    /// An invalid zone falls back to UTC, as in the system's libraries, with a sentence to report it. A flag or the
    /// config takes precedence: see [`Settings::zone`](super::Settings).
    pub fn zone(&self) -> (Zone, Option<String>) {
        if let Some(text) = self.var("TZ") {
            let name = text.trim_start_matches(':');
            let name = name.split_once("zoneinfo/").map_or(name, |(_, name)| name);
            return match name.parse() {
                Ok(zone) => (zone, None),
                Err(_) if ["UTC0", "GMT0"].contains(&name) => (Zone::UTC, None),
                Err(_) => (
                    Zone::UTC,
                    Some(format!(
                        "TZ is '{text}', which is not a known time zone; using UTC (give a name such as Europe/Rome)"
                    )),
                ),
            };
        }
        match self.zone_name.as_deref().map(|name| (name, name.parse())) {
            None => (Zone::UTC, None),
            Some((_, Ok(zone))) => (zone, None),
            Some((name, Err(_))) => (
                Zone::UTC,
                Some(format!(
                    "the system's time zone '{name}' is not known here; using UTC (set timezone in the config)"
                )),
            ),
        }
    }
}

#[cfg(unix)]
fn columns() -> Option<usize> {
    rustix::termios::tcgetwinsize(rustix::stdio::stdout())
        .ok()
        .map(|size| size.ws_col.into())
        .filter(|columns| *columns > 0)
}

#[cfg(not(unix))]
fn columns() -> Option<usize> {
    None
}

#[cfg(unix)]
fn uid() -> u32 {
    rustix::process::getuid().as_raw()
}

#[cfg(not(unix))]
fn uid() -> u32 {
    0
}

/// Login name from the session's variables, then from the system's user database, and finally `uid` plus the number.
fn login(vars: &BTreeMap<OsString, OsString>, uid: u32) -> String {
    let by_variable = ["LOGNAME", "USER", "USERNAME"]
        .into_iter()
        .filter_map(|name| vars.get(OsStr::new(name)))
        .map(|name| name.to_string_lossy().into_owned())
        .find(|name| !name.is_empty());
    by_variable
        .or_else(|| listed(&std::fs::read_to_string("/etc/passwd").unwrap_or_default(), uid))
        .unwrap_or_else(|| format!("uid{uid}"))
}

fn listed(users: &str, uid: u32) -> Option<String> {
    users.lines().find_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        (fields.nth(1)? == uid.to_string() && !name.is_empty()).then(|| name.to_owned())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn env(vars: &[(&str, &str)]) -> Env {
        let vars = vars.iter().map(|(name, value)| (OsString::from(name), OsString::from(value))).collect();
        Env { vars, zone_name: Some("Europe/Rome".into()), ..Env::empty(Instant::UNIX_EPOCH) }
    }

    #[test]
    fn e5_the_zone_is_named_by_tz_else_by_the_system() {
        assert_eq!(env(&[]).zone(), (Zone::named("Europe/Rome").unwrap(), None));
        for tz in ["Asia/Tokyo", ":Asia/Tokyo", "/usr/share/zoneinfo/Asia/Tokyo"] {
            assert_eq!(env(&[("TZ", tz)]).zone(), (Zone::named("Asia/Tokyo").unwrap(), None), "{tz}");
        }
        assert_eq!(env(&[("TZ", "")]).zone(), (Zone::named("Europe/Rome").unwrap(), None));
        assert_eq!(env(&[("TZ", "UTC0")]).zone(), (Zone::UTC, None));
    }

    #[test]
    fn e5_a_zone_that_does_not_exist_is_utc_with_a_warning() {
        let (zone, problem) = env(&[("TZ", "Mars/Base")]).zone();
        assert_eq!(zone, Zone::UTC);
        assert!(problem.is_some_and(|text| text.contains("'Mars/Base'")));
        let (zone, problem) = Env { zone_name: Some("Nowhere".into()), ..env(&[]) }.zone();
        assert_eq!((zone, problem.is_some()), (Zone::UTC, true));
    }

    #[test]
    fn the_login_name_is_found_without_variables() {
        let users = "root:x:0:0:root:/root:/bin/sh\nalice:x:1000:1000::/home/alice:/bin/sh\n";
        assert_eq!(listed(users, 1000).as_deref(), Some("alice"));
        assert_eq!(listed(users, 7), None);
        let vars = BTreeMap::from([(OsString::from("USER"), OsString::from("bob"))]);
        assert_eq!(login(&vars, 0), "bob");
    }
}
