//! The counters of the socket: for the Health view, for `{"query":"socket"}`, and for `doctor`.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use crate::domain::Label;
use crate::ingest::socket::Tally;
use crate::text;

/// The path of the socket and its counters, set when it is served.
pub(crate) type SocketCounters = Arc<OnceLock<(Label, Arc<Tally>)>>;

/// Name of the socket in lists of bad lines.
pub(super) const SOCKET: &str = "socket";

/// The counters of the socket, as `{"query":"socket"}` answers them and `doctor --json` shows them.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(default)]
pub(crate) struct SocketJson {
    ok: bool,
    path: String,
    pub(super) connections: u64,
    pub(super) refused_users: u64,
    pub(super) crowded_out: u64,
    pub(crate) bad_lines: u64,
    pub(super) cut_lines: u64,
    pub(super) made_again: u64,
    pub(super) reasons: Vec<String>,
}

impl SocketJson {
    pub(super) fn from_tally(path: &Label, tally: &Tally) -> Self {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Self {
            ok: true,
            path: path.to_string(),
            connections: read(&tally.accepted),
            refused_users: read(&tally.foreign),
            crowded_out: read(&tally.crowded),
            bad_lines: read(&tally.bad),
            cut_lines: read(&tally.partial),
            made_again: read(&tally.rebound),
            reasons: tally.reasons().iter().map(ToString::to_string).collect(),
        }
    }

    /// The reason of the last bad line.
    pub(crate) fn last_reason(&self) -> Option<&str> {
        self.reasons.last().map(String::as_str)
    }

    /// The counters that are worth a word.
    pub(crate) fn words(&self) -> Option<Label> {
        let counters = [
            (self.refused_users, "connection of another user refused", "connections of other users refused"),
            (self.crowded_out, "connection closed for want of room", "connections closed for want of room"),
            (
                self.cut_lines,
                "line cut off by the end of its connection",
                "lines cut off by the end of their connection",
            ),
            (self.made_again, "time made again after it had vanished", "times made again after it had vanished"),
        ];
        let words: Vec<String> = counters
            .into_iter()
            .filter(|(count, _, _)| *count > 0)
            .map(|(count, one, many)| format!("{} {}", text::count(count), if count == 1 { one } else { many }))
            .collect();
        (!words.is_empty()).then(|| Label::new(&format!("socket: {}", words.join(", "))))
    }
}
