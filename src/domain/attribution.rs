//! When, where and by whom a call was made, and which of two sightings has the better evidence.

use std::cmp::Ordering;

use super::{Instant, Label};

/// When and where a call was made and who made it, taken from its first sighting.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attribution {
    /// Time at which the call was first reported.
    pub at: Instant,
    /// Name of the log format.
    pub source: Label,
    /// Session.
    pub session: Option<Label>,
    /// Sub-agent within the session; `None` for the main thread.
    pub agent: Option<Label>,
    /// Working directory, or the log's own notion of a project; for a worktree, its repository.
    pub project: Option<Label>,
    /// The worktree's own directory, when `project` is the repository that it belongs to.
    pub folder: Option<Label>,
    /// Git branch checked out in that directory, from any sighting that names one. Copies made for a fork do not.
    pub branch: Option<Label>,
    /// User.
    pub user: Option<Label>,
    /// The user's team.
    pub team: Option<Label>,
    /// The part of a program that made the call.
    pub feature: Option<Label>,
    /// The organisation.
    pub org: Option<Label>,
    /// Position in the log.
    pub place: Option<Place>,
    /// How sure it is that this session made the call.
    pub claim: Claim,
    /// First timestamp in the log, if the format lets us find it.
    pub began: Option<Instant>,
}

/// How sure it is that the session named by a log line made the call, weakest first.
///
/// Claude Code copies a session's history into the file of its fork, under the fork's name (all versions from 2.1.104
/// to 2.1.332, seen 2026-11). Such a copy must not take the call from the session that made it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Claim {
    /// A copy that does not name the session that made the call.
    Copy,
    /// A copy that names the session it was copied from, which may itself hold a copy.
    Parent,
    /// Stored by a version of tokmeter that did not yet detect copies.
    Unchecked,
    /// A copy that names the session that made the call.
    Maker,
    /// The session's own line.
    #[default]
    Own,
}

impl Claim {
    /// Every claim, weakest first.
    pub const ALL: [Self; 5] = [Self::Copy, Self::Parent, Self::Unchecked, Self::Maker, Self::Own];

    /// Name in an export. Empty for the default.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Copy => "copy",
            Self::Parent => "parent",
            Self::Unchecked => "unchecked",
            Self::Maker => "maker",
            Self::Own => "",
        }
    }

    /// Parses a name.
    pub fn of_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|claim| claim.word() == word)
    }
}

/// Position of a line in a log.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Place {
    /// Path of the file, or name of the feed.
    pub path: Label,
    /// Byte offset of the line.
    pub offset: u64,
}

impl Attribution {
    /// An attribution with nothing but a time and a log format.
    pub fn new(at: Instant, source: Label) -> Self {
        Self {
            at,
            source,
            session: None,
            agent: None,
            project: None,
            folder: None,
            branch: None,
            user: None,
            team: None,
            feature: None,
            org: None,
            place: None,
            claim: Claim::Own,
            began: None,
        }
    }

    /// Orders sightings by evidence: the strongest claim first, then the earliest, then the main thread before
    /// sub-agents. On `Equal`, a durable ledger keeps the one it has.
    pub fn evidence(&self, other: &Self) -> Ordering {
        other
            .claim
            .cmp(&self.claim)
            .then_with(|| self.at.cmp(&other.at))
            .then_with(|| self.agent.is_some().cmp(&other.agent.is_some()))
    }

    /// Total order of sightings: by [evidence](Attribution::evidence), then by the start of the log (a fork's log
    /// starts after its parent's), then by name, which proves nothing but breaks the tie.
    pub fn precedence(&self, other: &Self) -> Ordering {
        let began = |from: &Self| (from.began.is_none(), from.began);
        self.evidence(other)
            .then_with(|| began(self).cmp(&began(other)))
            .then_with(|| self.agent.cmp(&other.agent))
            .then_with(|| self.session.cmp(&other.session))
            .then_with(|| self.source.cmp(&other.source))
            // Prefer the sighting that knows the worktree's directory: it has more data.
            .then_with(|| self.folder.is_none().cmp(&other.folder.is_none()))
            .then_with(|| (&self.project, &self.user, &self.team).cmp(&(&other.project, &other.user, &other.team)))
            .then_with(|| (&self.feature, &self.org, &self.place).cmp(&(&other.feature, &other.org, &other.place)))
            .then_with(|| self.folder.cmp(&other.folder))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn j29_an_own_line_comes_before_any_copy_and_a_file_that_began_first_before_its_fork() {
        let second = |at| Instant::from_timestamp(at, 0).unwrap();
        let own = Attribution { session: Some(Label::new("z")), ..Attribution::new(second(9), Label::new("test")) };
        for claim in [Claim::Copy, Claim::Parent, Claim::Unchecked, Claim::Maker] {
            let other = Attribution { claim, session: Some(Label::new("a")), at: second(1), ..own.clone() };
            assert_eq!(own.evidence(&other), Ordering::Less, "{claim:?}");
        }
        let parent = Attribution { began: Some(second(1)), ..own.clone() };
        let fork = Attribution { began: Some(second(2)), session: Some(Label::new("a")), ..own.clone() };
        assert_eq!((parent.evidence(&fork), parent.precedence(&fork)), (Ordering::Equal, Ordering::Less));
        assert_eq!(fork.precedence(&Attribution { began: None, ..parent }), Ordering::Less);
    }
}
