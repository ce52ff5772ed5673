//! One model call, as decoded from any log format.

use std::cmp::Ordering;
use std::time::Duration;

use super::fidelity::Fidelity;
use super::{Bill, CallKey, Instant, Label, Status, Tokens, Usd};

/// One model call with its usage.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    /// Identifies the call.
    pub key: CallKey,
    /// Time, session and who caused it.
    pub from: Attribution,
    /// Name of the model as in the log.
    pub model: Option<Label>,
    /// Token counts.
    pub tokens: Tokens,
    /// Parts of those counts that some vendors price separately; few calls have any.
    pub parts: Parts,
    /// Tier charged.
    pub tier: Tier,
    /// Web searches, charged in addition to the tokens.
    pub web_searches: u32,
    /// Cost stated by the log.
    pub quoted: Option<Usd>,
    /// Duration of the call.
    pub latency: Option<Duration>,
    /// Reliability of the counts.
    pub fidelity: Fidelity,
    /// Alias under which another log may report the same call (a request id).
    pub alias: Option<CallKey>,
    /// The session whose ancestors share this key, if the format's keys are unique only within a family of sessions;
    /// see [`CallKey::under`].
    pub lineage: Option<Label>,
}

/// Time, place and cause of a call, from its first sighting.
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
    /// The working directory, if `project` is the repository it is a worktree of.
    pub folder: Option<Label>,
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
    /// How certain it is that this session made the call.
    pub claim: Claim,
    /// First time stamp of the log, if its format determines it.
    pub began: Option<Instant>,
}

/// How certain it is that the session named by a log line made the call, in ascending order.
///
/// Claude Code copies a session's history into the file of its fork, under the fork's name (all versions from 2.1.104
/// to 2.1.332, seen 2026-11). Such a copy must not take the call from the session that made it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Claim {
    /// A copy that does not name the session that made the call.
    Copy,
    /// A copy that names the session it was copied from, which may itself hold a copy.
    Parent,
    /// Stored by a version of tokmeter that did not recognise copies.
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

    /// Name in an export; empty for the default.
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

/// The tier charged for a call.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Tier {
    /// The vendor's fast mode.
    pub speed: Speed,
    /// The vendor's service tier.
    pub service: Service,
    /// The region requested for inference.
    pub geo: Geo,
}

/// The vendor's speed mode.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Speed {
    /// The usual one.
    #[default]
    Standard,
    /// Faster answers at a multiple of the price.
    Fast,
}

/// The vendor's service tier.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Service {
    /// The usual one.
    #[default]
    Standard,
    /// Prioritised, at a higher price.
    Priority,
    /// Cheaper, slower.
    Flex,
    /// Asynchronous, usually half price.
    Batch,
    /// The fastest tier, at several times the price.
    Ultrafast,
    /// Between standard and flex, at providers that sell it.
    Balanced,
    /// Unknown. Priced as standard and marked as a guess.
    Unknown,
}

/// Parts of a call's counts with separate prices at some vendors.
///
/// Every part is included in a class of [`Tokens`] and never added to a total.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Parts {
    /// Audio within plain input.
    pub audio_input: u64,
    /// Audio within cache reads.
    pub audio_cache_read: u64,
    /// Audio within output.
    pub audio_output: u64,
    /// Cache writes within `cache_write_5m` of unknown lifetime. Where a vendor charges two lifetimes differently,
    /// their price is a guess.
    pub write_of_unstated_lifetime: u64,
}

impl Parts {
    /// No such parts.
    pub const NONE: Self = Self { audio_input: 0, audio_cache_read: 0, audio_output: 0, write_of_unstated_lifetime: 0 };

    /// True when all are zero.
    pub fn is_none(&self) -> bool {
        *self == Self::NONE
    }

    /// The parts in field order.
    pub fn fields(&self) -> [u64; 4] {
        [self.audio_input, self.audio_cache_read, self.audio_output, self.write_of_unstated_lifetime]
    }

    /// Converts from the order of [`Parts::fields`].
    pub fn from_fields(fields: [u64; 4]) -> Self {
        let [audio_input, audio_cache_read, audio_output, write_of_unstated_lifetime] = fields;
        Self { audio_input, audio_cache_read, audio_output, write_of_unstated_lifetime }
    }

    /// Clamps each part to the count that includes it.
    #[must_use]
    pub fn within(self, tokens: &Tokens) -> Self {
        Self {
            audio_input: self.audio_input.min(tokens.input),
            audio_cache_read: self.audio_cache_read.min(tokens.cache_read),
            audio_output: self.audio_output.min(tokens.output - tokens.reasoning.min(tokens.output)),
            write_of_unstated_lifetime: self.write_of_unstated_lifetime.min(tokens.cache_write_5m),
        }
    }
}

/// Region requested for inference.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Geo {
    /// Anywhere.
    #[default]
    Global,
    /// Only in the United States.
    Us,
    /// Only in the European Union.
    Eu,
}

/// Sources whose rows sum up a whole thread: such a row counts only where no other source has the thread's calls one by
/// one. Its alias is its own key, as in telemetry, and calls of the thread carry it.
pub(crate) const SUMS_UP: [&str; 1] = ["codex-exec"];

impl Call {
    /// A call at the standard tier, without any optional data.
    pub fn new(key: CallKey, from: Attribution, model: Option<Label>, tokens: Tokens) -> Self {
        Self {
            key,
            from,
            model,
            tokens,
            parts: Parts::NONE,
            tier: Tier::default(),
            web_searches: 0,
            quoted: None,
            latency: None,
            fidelity: Fidelity::Final,
            alias: None,
            lineage: None,
        }
    }

    /// Joins two sightings of one call.
    ///
    /// The counts are those of the greater row as a whole (never field by field: a placeholder with another cache split
    /// would be added to the real row); time and attribution are those of the sighting with
    /// [precedence](Attribution::precedence). The result is independent of the order and repetition of sightings.
    #[must_use]
    pub fn join(self, other: Self) -> Self {
        let order = self.from.precedence(&other.from);
        self.join_in_order(other, order)
    }

    /// Like [`Call::join`]; `order` decides the attribution: the other's if it is `Greater`.
    #[must_use]
    pub(crate) fn join_in_order(self, other: Self, order: Ordering) -> Self {
        let from = if order == Ordering::Greater { other.from.clone() } else { self.from.clone() };
        let alias = self.alias.max(other.alias);
        let lineage = self.lineage.clone().max(other.lineage.clone());
        let greatest = if self.greatness(&other) == Ordering::Less { other } else { self };
        Self { from, alias, lineage, ..greatest }
    }

    /// Orders sightings by what they report: a free refusal, output, total, how much of it the cache served or kept,
    /// how the split is known, every field.
    ///
    /// Two instrumentations of one request agree on its size, but one may not see the cache.
    fn greatness(&self, other: &Self) -> Ordering {
        let rank = |call: &Self| {
            let (output, total, cached, fields) = call.tokens.rank();
            (call.is_refused(), output, total, cached, call.fidelity.split(), fields)
        };
        rank(self)
            .cmp(&rank(other))
            .then_with(|| self.fidelity.cmp(&other.fidelity))
            .then_with(|| self.model.cmp(&other.model))
            .then_with(|| self.tier.cmp(&other.tier))
            .then_with(|| {
                (self.web_searches, self.quoted, self.latency).cmp(&(other.web_searches, other.quoted, other.latency))
            })
            .then_with(|| self.parts.cmp(&other.parts))
    }

    /// True for a call that costs nothing because the model refused it.
    pub fn is_refused(&self) -> bool {
        self.fidelity == Fidelity::Refused
    }

    /// Time at which the call was first reported.
    pub fn at(&self) -> Instant {
        self.from.at
    }

    /// Reliability of the counts; a call with an unknown service tier counts as a guess.
    pub fn trust(&self) -> Fidelity {
        if self.fidelity == Fidelity::Final && self.tier.service == Service::Unknown {
            Fidelity::Guessed
        } else {
            self.fidelity
        }
    }
}

impl Attribution {
    /// An attribution with only time and log format.
    pub fn new(at: Instant, source: Label) -> Self {
        Self {
            at,
            source,
            session: None,
            agent: None,
            project: None,
            folder: None,
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
    /// sub-agents. If `Equal`, a durable ledger keeps what it has.
    pub fn evidence(&self, other: &Self) -> Ordering {
        other
            .claim
            .cmp(&self.claim)
            .then_with(|| self.at.cmp(&other.at))
            .then_with(|| self.agent.is_some().cmp(&other.agent.is_some()))
    }

    /// Total order of sightings: by [evidence](Attribution::evidence), then by the start of the log (a fork's log
    /// begins after its parent's), then by names, which prove nothing.
    pub fn precedence(&self, other: &Self) -> Ordering {
        let began = |from: &Self| (from.began.is_none(), from.began);
        self.evidence(other)
            .then_with(|| began(self).cmp(&began(other)))
            .then_with(|| self.agent.cmp(&other.agent))
            .then_with(|| self.session.cmp(&other.session))
            .then_with(|| self.source.cmp(&other.source))
            // The sighting that could still find the repository has more data.
            .then_with(|| self.folder.is_none().cmp(&other.folder.is_none()))
            .then_with(|| (&self.project, &self.user, &self.team).cmp(&(&other.project, &other.user, &other.team)))
            .then_with(|| (&self.feature, &self.org, &self.place).cmp(&(&other.feature, &other.org, &other.place)))
            .then_with(|| self.folder.cmp(&other.folder))
    }
}

/// Content of a log line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Record {
    /// A call.
    Call(Call),
    /// A session descends from another, whose history it may replay.
    Descends {
        /// The descendant.
        child: Label,
        /// The session it was forked from or spawned by.
        parent: Label,
    },
    /// A session's total, as stated by its agent.
    Bill(Bill),
    /// An older version stored a call under another key.
    Rekeyed {
        /// The old key, within the family of `lineage`.
        from: CallKey,
        /// The session that made the call.
        lineage: Label,
        /// The current key.
        to: CallKey,
        /// Whether the current key, too, is relative to the family.
        in_family: bool,
    },
    /// A statement about a provider's window or a session.
    Status(Status),
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn call() -> impl Strategy<Value = Call> {
        let label = || prop::option::of(prop::sample::select(vec!["a", "b"]).prop_map(Label::new));
        let second = |at| Instant::from_timestamp(at, 0).unwrap();
        let claim = (prop::sample::select(Claim::ALL.to_vec()), prop::option::of((0_i64..2).prop_map(second)));
        (
            (0_i64..3).prop_map(second),
            label(),
            label(),
            label(),
            prop::array::uniform6(0_u64..3),
            0_u32..2,
            prop::sample::select(vec![
                Fidelity::Guessed,
                Fidelity::Solved,
                Fidelity::LowerBound,
                Fidelity::Unlisted,
                Fidelity::Final,
                Fidelity::Refused,
            ]),
            claim,
        )
            .prop_map(|(at, session, agent, model, tokens, web_searches, fidelity, (claim, began))| Call {
                key: CallKey::from_parts(&["one"]),
                from: Attribution { session, agent, claim, began, ..Attribution::new(at, Label::new("test")) },
                model,
                tokens: Tokens::from_fields(tokens),
                parts: Parts::NONE,
                tier: Tier::default(),
                web_searches,
                quoted: None,
                latency: None,
                fidelity,
                alias: None,
                lineage: None,
            })
    }

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

    proptest! {
        #[test]
        fn joining_calls_is_commutative_associative_and_idempotent((a, b, c) in (call(), call(), call())) {
            prop_assert_eq!(a.clone().join(b.clone()), b.clone().join(a.clone()));
            prop_assert_eq!(a.clone().join(b.clone()).join(c.clone()), a.clone().join(b.join(c)));
            prop_assert_eq!(a.clone().join(a.clone()), a);
        }

        #[test]
        fn of_two_sightings_of_one_size_the_one_that_knows_the_cache_wins((a, b) in (call(), call()), cached in 0_u64..9) {
            let input = a.tokens.prompt();
            let read = cached.min(input);
            let knowing = Tokens { cache_read: read, input: input - read, cache_write_5m: 0, cache_write_1h: 0, ..a.tokens };
            let blind = Tokens { cache_read: 0, input, ..knowing };
            prop_assume!(a.is_refused() == b.is_refused());
            let (knowing, blind) = (Call { tokens: knowing, ..a }, Call { tokens: blind, ..b });
            prop_assert_eq!(knowing.clone().join(blind.clone()).tokens, knowing.tokens);
            prop_assert_eq!(blind.join(knowing.clone()).tokens, knowing.tokens);
        }
    }

    #[test]
    fn a_split_that_the_log_states_stands_before_one_that_was_solved_and_that_before_a_guess() {
        let one = |fidelity, tokens| Call {
            fidelity,
            ..Call::new(
                CallKey::from_parts(&["one"]),
                Attribution::new(Instant::UNIX_EPOCH, Label::new("test")),
                None,
                Tokens::from_fields(tokens),
            )
        };
        let stated = one(Fidelity::Final, [1, 2, 30, 40, 5, 0]);
        let solved = one(Fidelity::Solved, [1, 2, 31, 39, 5, 0]);
        let guessed = one(Fidelity::Guessed, [1, 2, 70, 0, 5, 0]);
        for (better, worse) in [(&stated, &solved), (&stated, &guessed), (&solved, &guessed)] {
            assert_eq!(better.clone().join(worse.clone()), *better);
            assert_eq!(worse.clone().join(better.clone()), *better);
        }
    }
}
