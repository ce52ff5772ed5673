//! The first lines of a Claude Code transcript: they tell when the log of its session began.

use super::fields::{Slot, fields};
use super::json::{self, Text};
use super::time::{self, Stamp};
use crate::domain::{Instant, Label};

/// When the log of a session began, as its first lines say, and the session of the first line with a time stamp.
///
/// An answer that is older was copied into the file when it began, and another session made the call. A fork opens with
/// a line of its own (`claude -p`), or with all of its parent's snapshots and one of its own (on the screen; 2.1.104 and
/// 2.1.332, seen 2026-11-26). Of a file into which several sessions were written, this is known of the first one only.
#[derive(Default)]
pub(super) struct Opening {
    at: Option<Instant>,
    session: Option<Label>,
    /// A line with a time stamp of its own has been read.
    is_whole: bool,
}

/// An [`Opening`] to be kept: its time, its session, whether it is whole.
pub(super) type State = (String, Option<String>, bool);

fields! {
    /// Fields read from the first lines of a file.
    Stamped {
        at: Stamp = "timestamp",
        session: Text<'a> = "sessionId" | "session_id",
        snapshot: Snapshot<'a> = "snapshot",
    }
}

fields! {
    /// Snapshot of a project's files at a prompt.
    Snapshot {
        at: Stamp = "timestamp",
    }
}

impl Opening {
    /// Reads one of the first lines: the latest snapshot before the first line with a time stamp, or that stamp.
    pub(super) fn see(&mut self, line: &[u8]) {
        let Ok(stamped) = json::parse::<Stamped<'_>>(line) else { return };
        if let Some(at) = stamped.at.or(&stamped.snapshot.at).0 {
            self.at = self.at.max(Some(at));
            self.session = stamped.session.get().map(Label::new);
            self.is_whole = !stamped.at.is_absent();
        }
    }

    /// True when no later line changes it.
    pub(super) fn is_whole(&self) -> bool {
        self.is_whole
    }

    /// When the log began, if it is this session's as far as is known.
    pub(super) fn began(&self, session: Option<&str>) -> Option<Instant> {
        self.at.filter(|_| self.session.is_none() || self.session.as_deref() == session)
    }

    /// State to store; none before the first time stamp.
    pub(super) fn state(&self) -> Option<State> {
        Some((self.at?.to_rfc3339(), self.session.as_ref().map(Label::to_string), self.is_whole))
    }

    /// The opening that was remembered so.
    pub(super) fn restored((at, session, is_whole): &State) -> Self {
        Self { at: time::parse(at), session: session.as_deref().map(Label::new), is_whole: *is_whole }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SNAPSHOTS: [&[u8]; 3] = [
        br#"{"type":"mode","mode":"normal","sessionId":"a"}"#,
        br#"{"type":"file-history-snapshot","snapshot":{"timestamp":"2026-11-10T09:00:00.007Z"}}"#,
        br#"{"type":"file-history-snapshot","snapshot":{"timestamp":"2026-11-10T08:00:00Z"}}"#,
    ];

    #[test]
    fn j29_a_log_began_with_its_latest_snapshot_or_its_first_stamp_and_remembers_it() {
        let moment = |text: &str| Some(text.parse::<Instant>().unwrap());
        let mut opening = Opening::default();
        assert_eq!((opening.state(), opening.began(Some("a"))), (None, None));
        for line in SNAPSHOTS {
            opening.see(line);
            assert!(!opening.is_whole());
        }
        let snapshot = moment("2026-11-10T09:00:00.007Z");
        assert_eq!(opening.began(Some("a")), snapshot);
        for (stamp, began) in
            [("2026-11-10T08:00:00Z", snapshot), ("2026-11-10T10:00:00.5Z", moment("2026-11-10T10:00:00.5Z"))]
        {
            let mut opening = Opening::restored(&opening.state().unwrap());
            opening.see(format!(r#"{{"type":"user","sessionId":"a","timestamp":"{stamp}"}}"#).as_bytes());
            let opening = Opening::restored(&opening.state().unwrap());
            assert_eq!((opening.is_whole(), opening.began(Some("a")), opening.began(Some("b"))), (true, began, None));
        }
    }
}
