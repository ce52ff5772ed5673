//! Options for opening a ledger.

use std::fmt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use super::network::is_network;
use crate::domain::Instant;

/// How to open a ledger.
#[derive(Clone)]
pub struct Options {
    /// How long to wait for another process's lock.
    pub busy: Duration,
    /// Open read-only even if writing would be possible.
    pub read_only: bool,
    /// Build a new ledger in a temporary file and move it into place on the first flush. Until then other processes do
    /// not see it, it does not see their writes, and queries return nothing.
    pub as_draft: bool,
    /// Number of changes written at once while building a new ledger.
    pub together: usize,
    /// Size limit in pages of 4 KiB. Reaching it is reported like a full disk.
    pub max_pages: Option<u32>,
    /// Current time, for the names of files moved aside.
    pub now: Instant,
    /// Detects network file systems, where SQLite's write-ahead log does not work.
    pub is_network: fn(&Path) -> bool,
    /// Number of sums that are checked for consistency on opening.
    pub quick_check: usize,
    /// Called before each step of an atomic sequence, where tests kill the process.
    pub step: Option<Arc<dyn Fn(&'static str) + Send + Sync>>,
}

impl Options {
    /// For screens and reports: lock timeout of five seconds.
    pub fn new(now: Instant) -> Self {
        Self {
            busy: Duration::from_secs(5),
            read_only: false,
            as_draft: false,
            // Large enough that neighbouring rows share pages, small enough that readers do not have to wait.
            together: 1_024,
            max_pages: None,
            now,
            is_network,
            quick_check: 0,
            step: None,
        }
    }

    /// For hooks and status lines: lock timeout of a quarter of a second.
    pub fn hurried(now: Instant) -> Self {
        Self { busy: Duration::from_millis(250), ..Self::new(now) }
    }
}

impl fmt::Debug for Options {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Options")
            .field("busy", &self.busy)
            .field("read_only", &self.read_only)
            .field("now", &self.now)
            .finish_non_exhaustive()
    }
}

/// Whether the ledger can be written, or why not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum WriteAccess {
    Writable,
    ReadOnly,
    /// The disk has no room for the files that SQLite needs for writing.
    Full,
    Newer {
        found: i64,
    },
}
