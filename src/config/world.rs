//! What the program may know of the machine it runs on, handed in once, so that everything else can be tested.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::PathBuf;
use std::sync::Arc;

use crate::domain::Instant;

/// The machine, the person and the terminal, as seen when the program started; and a clock.
#[derive(Clone)]
pub struct World {
    /// The clock.
    pub clock: Arc<dyn Fn() -> Instant + Send + Sync>,
    /// The environment.
    pub vars: BTreeMap<OsString, OsString>,
    /// The home folder, if there is one.
    pub home: Option<PathBuf>,
    /// The working folder.
    pub cwd: PathBuf,
    /// The login name.
    pub login: String,
    /// The system's time zone, by the name the system gives it.
    pub zone_name: Option<String>,
    /// Whether standard input, output and error are terminals.
    pub terminal: [bool; 3],
}

impl World {
    /// The time now.
    pub fn now(&self) -> Instant {
        (self.clock)()
    }

    /// An environment variable that is set, not empty, and text.
    pub fn var(&self, name: &str) -> Option<&str> {
        self.vars.get(std::ffi::OsStr::new(name)).and_then(|value| value.to_str()).filter(|value| !value.is_empty())
    }
}
