//! Counters of the socket, for the Health view, `{"query":"socket"}` and `doctor`.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use crate::domain::Label;
use crate::ingest::socket::Tally;
use crate::text;

/// Path and counters of the socket, set once it is served.
pub(crate) type SocketCounters = Arc<OnceLock<(Label, Arc<Tally>)>>;

/// JSON form of the counters, in `{"query":"socket"}` and `doctor --json`.
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

    /// Reason of the most recent bad line.
    pub(crate) fn last_reason(&self) -> Option<&str> {
        self.reasons.last().map(String::as_str)
    }

    /// The counters that need attention, as text.
    pub(crate) fn words(&self) -> Option<Label> {
        let counters = [
            (self.refused_users, "connection of another user refused", "connections of other users refused"),
            (self.crowded_out, "connection closed to make room", "connections closed to make room"),
            (
                self.cut_lines,
                "line cut off by the end of its connection",
                "lines cut off by the end of their connection",
            ),
            (self.made_again, "time re-created after it vanished", "times re-created after it vanished"),
        ];
        let words: Vec<String> = counters
            .into_iter()
            .filter(|(count, _, _)| *count > 0)
            .map(|(count, one, many)| format!("{} {}", text::count(count), if count == 1 { one } else { many }))
            .collect();
        (!words.is_empty()).then(|| Label::new(&format!("socket: {}", words.join(", "))))
    }
}
