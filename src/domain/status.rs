//! Agents' reports that are not calls: how full a provider's quota window is, how large a session's context is, and
//! whether an agent is busy with a prompt.

use super::sorting::sort_by;
use super::{Instant, Label, Usd};

/// A status report. Of two about the same subject, the newer one counts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Status {
    /// Usage of a provider's own limit.
    Quota(Quota),
    /// State of a session.
    Session(SessionStatus),
    /// Start or end of a session's turn.
    Turn(TurnStatus),
}

/// How much of a provider's own quota window is used, as reported by the provider.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Quota {
    /// The agent that reports it, by its log format.
    pub source: Label,
    /// The provider's name for the limit, if it has several: `codex`.
    pub name: Label,
    /// Length of the window in minutes.
    pub minutes: u32,
    /// Usage in hundredths of a per cent.
    pub used: u32,
    /// When the window resets; `None` if not given.
    pub resets_at: Option<Instant>,
    /// Time of the report.
    pub seen: Instant,
}

/// An agent's report on one session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionStatus {
    /// The log format.
    pub source: Label,
    /// The session.
    pub session: Label,
    /// Context size of its model, in tokens.
    pub context_size: Option<u64>,
    /// Total cost according to the agent.
    pub cost: Option<Usd>,
    /// Time of the report.
    pub seen: Instant,
}

/// An agent's report on a turn of its main thread or of a sub-agent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TurnStatus {
    /// The log format.
    pub source: Label,
    /// The session.
    pub session: Label,
    /// The sub-agent; `None` for the main thread.
    pub agent: Option<Label>,
    /// The event.
    pub turn: Turn,
    /// When it happened.
    pub seen: Instant,
}

/// One side of an agent's turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Turn {
    /// The user sent a prompt, and the agent works on it.
    Begun,
    /// The agent has answered or was interrupted, and waits for its user.
    Ended,
    /// The agent's process ends with this turn, or has ended: nobody prompts it again.
    Closed,
}

/// Prefix of the names of session reports.
pub(crate) const OF_SESSIONS: &str = "status:session\t";
/// Prefix of the names of reports on turns.
pub(crate) const OF_TURNS: &str = "status:turn\t";
/// Prefix of the names of all status reports.
pub(crate) const STATUS: &str = "status:";
const OF_QUOTAS: &str = "status:quota\t";

impl Quota {
    /// Hundredths of a per cent, rounded down and at most 999.99 %; `None` below zero. A percentage is read as an exact
    /// decimal with 12 places, in which a hundredth is 10¹⁰ units.
    pub(crate) fn hundredths(percent: Usd) -> Option<u32> {
        let hundredths = u64::try_from(percent.pico() / Self::HUNDREDTH).ok()?;
        Some(u32::try_from(hundredths).unwrap_or(Self::MOST).min(Self::MOST))
    }

    /// Usage in per cent, as an exact decimal.
    pub(crate) fn exact_percent(&self) -> Usd {
        Usd::from_pico(i128::from(self.used).saturating_mul(Self::HUNDREDTH))
    }

    const HUNDREDTH: i128 = 10_000_000_000;
    const MOST: u32 = 99_999;

    /// Usage in whole per cent, rounded down.
    pub fn percent(&self) -> u32 {
        self.used / 100
    }

    /// Length of the window in words: `5 h`, `7 d`.
    pub fn window(&self) -> String {
        match self.minutes {
            minutes if minutes % 1440 == 0 => format!("{} d", minutes / 1440),
            minutes if minutes % 60 == 0 => format!("{} h", minutes / 60),
            minutes => format!("{minutes} min"),
        }
    }

    /// True once the window has reset: usage in the new one is unknown.
    pub fn is_over(&self, now: Instant) -> bool {
        self.resets_at.is_some_and(|at| at <= now)
    }

    /// True when the last report is older than the window is long.
    pub fn is_forgotten(&self, now: Instant) -> bool {
        now.signed_duration_since(self.seen).num_minutes() > i64::from(self.minutes)
    }
}

impl Status {
    /// Time of the report.
    pub fn seen(&self) -> Instant {
        match self {
            Self::Quota(quota) => quota.seen,
            Self::Session(status) => status.seen,
            Self::Turn(status) => status.seen,
        }
    }

    /// True when it differs from the known report on the same subject, or confirms one that is a minute old or more.
    pub(crate) fn is_news(&self, known: &[Self]) -> bool {
        let name = self.entry().0;
        let Some(known) = known.iter().find(|known| known.entry().0 == name) else { return true };
        let age = self.seen().signed_duration_since(known.seen());
        let is_same = match (self, known) {
            (Self::Quota(one), Self::Quota(other)) => (one.used, one.resets_at) == (other.used, other.resets_at),
            (Self::Session(one), Self::Session(other)) => {
                (one.context_size, one.cost) == (other.context_size, other.cost)
            }
            (Self::Turn(one), Self::Turn(other)) => one.turn == other.turn,
            (Self::Quota(_) | Self::Session(_) | Self::Turn(_), _) => false,
        };
        !is_same || age.num_seconds() >= 60
    }

    /// The report as a name and a value for the ledger. Of two values under one name, the greater one is newer.
    ///
    /// Labels contain no control characters, so a tab separates them unambiguously.
    pub(crate) fn entry(&self) -> (String, String) {
        let seen = self.seen().timestamp_millis().max(0);
        let text = |number: Option<i128>| number.map_or_else(String::new, |number| number.to_string());
        match self {
            Self::Quota(Quota { source, name, minutes, used, resets_at, .. }) => (
                format!("{OF_QUOTAS}{source}\t{name}\t{minutes}"),
                format!("{seen:015}\t{used:05}\t{}", text(resets_at.map(|at| at.timestamp().into()))),
            ),
            Self::Session(SessionStatus { source, session, context_size, cost, .. }) => {
                let (size, cost) = (text(context_size.map(i128::from)), text(cost.map(Usd::pico)));
                (format!("{OF_SESSIONS}{source}\t{session}"), format!("{seen:015}\t{size}\t{cost}"))
            }
            Self::Turn(TurnStatus { source, session, agent, turn, .. }) => {
                let agent = agent.as_ref().map(|agent| format!("\t{agent}")).unwrap_or_default();
                (format!("{OF_TURNS}{source}\t{session}{agent}"), format!("{seen:015}\t{}", turn.name()))
            }
        }
    }

    /// Parses the output of [`Status::entry`]; `None` for anything else.
    pub(crate) fn from_entry(name: &str, value: &str) -> Option<Self> {
        let mut values = value.split('\t');
        let seen = Instant::from_timestamp_millis(values.next()?.parse().ok()?)?;
        let first = values.next()?;
        if let Some(name) = name.strip_prefix(OF_TURNS) {
            let (source, thread) = name.split_once('\t')?;
            let (session, agent) = thread.split_once('\t').map_or((thread, None), |(own, agent)| (own, Some(agent)));
            let turn = Turn::from_name(first)?;
            return Some(Self::Turn(TurnStatus {
                source: Label::new(source),
                session: Label::new(session),
                agent: agent.map(Label::new),
                turn,
                seen,
            }));
        }
        let second = values.next()?;
        if let Some(name) = name.strip_prefix(OF_QUOTAS) {
            let mut parts = name.split('\t');
            return Some(Self::Quota(Quota {
                source: Label::new(parts.next()?),
                name: Label::new(parts.next()?),
                minutes: parts.next()?.parse().ok()?,
                used: first.parse().ok()?,
                resets_at: second.parse().ok().and_then(|seconds| Instant::from_timestamp(seconds, 0)),
                seen,
            }));
        }
        let (source, session) = name.strip_prefix(OF_SESSIONS)?.split_once('\t')?;
        Some(Self::Session(SessionStatus {
            source: Label::new(source),
            session: Label::new(session),
            context_size: first.parse().ok(),
            cost: second.parse().ok().map(Usd::from_pico),
            seen,
        }))
    }

    /// The quotas among the reports, with each agent's shortest window first.
    pub fn quotas(all: &[Self]) -> Vec<Quota> {
        let quota = |status: &Self| match status {
            Self::Quota(quota) => Some(quota.clone()),
            Self::Session(_) | Self::Turn(_) => None,
        };
        let mut quotas: Vec<Quota> = all.iter().filter_map(quota).collect();
        sort_by(&mut quotas, |one, other| {
            (&one.source, one.minutes, &one.name).cmp(&(&other.source, other.minutes, &other.name))
        });
        quotas
    }
}

impl Turn {
    /// Name in the ledger.
    fn name(self) -> &'static str {
        match self {
            Self::Begun => "begun",
            Self::Ended => "ended",
            // Of two reports of the same moment, the later one by name counts.
            Self::Closed => "exited",
        }
    }

    fn from_name(name: &str) -> Option<Self> {
        [Self::Begun, Self::Ended, Self::Closed].into_iter().find(|turn| turn.name() == name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_stored_reads_back_and_the_newer_is_the_greater() {
        let at = |seconds| Instant::from_timestamp(seconds, 0).unwrap();
        let quota = |seen, used, resets_at| {
            let (source, name) = (Label::new("codex"), Label::new("codex"));
            Status::Quota(Quota { source, name, minutes: 300, used, resets_at, seen: at(seen) })
        };
        let session = |context_size, cost| {
            let (source, session) = (Label::new("claude-code"), Label::new("a b"));
            Status::Session(SessionStatus { source, session, context_size, cost, seen: at(7) })
        };
        let turn_of = |agent: Option<&str>, turn, seen| {
            let (source, session) = (Label::new("claude-code"), Label::new("a b"));
            Status::Turn(TurnStatus { source, session, agent: agent.map(Label::new), turn, seen: at(seen) })
        };
        let turn = |turn, seen| turn_of(None, turn, seen);
        let all = [
            quota(9, 10_000, Some(at(1_800_000_000))),
            quota(1_764_194_400, 0, None),
            session(None, None),
            session(Some(200_000), Some(Usd::from_micro(12_340))),
            turn(Turn::Ended, 8),
            turn(Turn::Begun, 9),
            turn(Turn::Closed, 10),
            turn_of(Some("explore"), Turn::Ended, 10),
        ];
        for status in &all {
            let (name, value) = status.entry();
            assert_eq!(Status::from_entry(&name, &value).as_ref(), Some(status));
        }
        assert_eq!(all[0].entry().0, all[1].entry().0);
        assert!(all[0].entry().1 < all[1].entry().1);
        assert!(all[4].entry().1 < all[5].entry().1);
        assert_ne!(all[3].entry().0, all[4].entry().0);
        assert_ne!(all[6].entry().0, all[7].entry().0);
        for strange in ["", "status:", "status:quota\tcodex", "status:session\tx", "status:turn\tcodex\tx"] {
            assert_eq!(Status::from_entry(strange, "000000000000001\t1\t"), None, "{strange}");
        }
    }
}
