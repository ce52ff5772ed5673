//! Determines when a session's log began, from the first lines of a Claude Code transcript.

use super::fields::{Slot, fields};
use super::json::{self, Text};
use super::stored_time::StoredTime;
use super::time::Stamp;
use crate::domain::{Instant, Label};

/// When a session's log began, and the session of the first line with a timestamp.
///
/// Older answers were copied into the file when it began, so another session made those calls. A fork opens with a line
/// of its own (`claude -p`), or with all of its parent's snapshots and one of its own (in the interactive screen;
/// 2.1.104 and 2.1.332, seen 2026-11-26). In a file with several sessions, this is known only for the first one.
#[derive(Default)]
pub(super) struct Opening {
    at: Option<Instant>,
    session: Option<Label>,
    /// True once a line with its own timestamp has been read.
    is_whole: bool,
}

/// Stored form of an [`Opening`]: time, session, completeness.
pub(super) type State = (StoredTime, Option<String>, bool);

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
    /// Examines one of the first lines. Takes the latest snapshot before the first timestamp, or that timestamp.
    pub(super) fn see(&mut self, line: &[u8]) {
        let ends = flat_ends(line);
        let of_ends = ends.as_deref().and_then(|ends| json::parse::<Stamped<'_>>(ends).ok());
        let of_ends = of_ends.filter(|stamped| !stamped.at.is_absent() && !stamped.session.is_absent());
        let Some(stamped) = of_ends.or_else(|| json::parse(line).ok()) else { return };
        if let Some(at) = stamped.at.or(&stamped.snapshot.at).0 {
            self.at = self.at.max(Some(at));
            self.session = stamped.session.get().map(Label::new);
            self.is_whole = !stamped.at.is_absent();
        }
    }

    /// True once later lines cannot change it.
    pub(super) fn is_whole(&self) -> bool {
        self.is_whole
    }

    /// When the log of this session began; `None` if the opening belongs to another session.
    pub(super) fn began(&self, session: Option<&str>) -> Option<Instant> {
        self.at.filter(|_| self.session.is_none() || self.session.as_deref() == session)
    }

    /// State to store; `None` before the first timestamp.
    pub(super) fn state(&self) -> Option<State> {
        Some((StoredTime(self.at?), self.session.as_ref().map(Label::to_string), self.is_whole))
    }

    /// Restores a stored opening.
    pub(super) fn restored((at, session, is_whole): &State) -> Self {
        Self { at: Some(at.0), session: session.as_deref().map(Label::new), is_whole: *is_whole }
    }
}

/// Lines up to this length are parsed as a whole.
const SHORT: usize = 512;

/// The fields before a line's first nested value and after its last, as one object. A prompt in between may be very
/// long. `None` if these are not complete fields; braces inside strings cause a parse error.
fn flat_ends(line: &[u8]) -> Option<Vec<u8>> {
    let inner = line.strip_prefix(b"{")?.strip_suffix(b"}")?;
    if inner.len() < SHORT {
        return None;
    }
    let head = &inner[..memchr::memchr2(b'{', b'[', inner)?];
    let head = &head[..memchr::memrchr(b',', head)?];
    let tail = &inner[memchr::memrchr2(b'}', b']', inner)? + 1..];
    Some([b"{", head, tail, b"}"].concat())
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
    fn the_ends_of_a_long_line_say_the_same_as_the_whole() {
        let long = "{[ x, ".repeat(200);
        let (session, at) = (r#""sessionId":"a""#, r#""timestamp":"2026-11-10T09:00:00Z""#);
        let snapshot = r#""snapshot":{"timestamp":"2026-11-01T00:00:00Z"}"#;
        let text = format!(r#""message":{{"timestamp":"2026-11-01T00:00:00Z","content":"{long}"}}"#);
        for line in [
            format!("{{{session},{at},{text}}}"),
            format!("{{{session},{text},{at}}}"),
            format!(r#"{{"n":1,{text},{session},{at}}}"#),
            format!(r#"{{"slug":"a, {{b","n":1,{text},{snapshot},{at},{session}}}"#),
            format!(r#"{{"text":"{long}",{at},{snapshot},{session},"n":1}}"#),
            format!(r#"{{{at},"text":"{long}",{session}}}"#),
        ] {
            let mut opening = Opening::default();
            opening.see(line.as_bytes());
            let state = (StoredTime("2026-11-10T09:00:00Z".parse().unwrap()), Some("a".to_owned()), true);
            assert_eq!(opening.state(), Some(state), "{line}");
        }
    }

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
