//! One answer of a model, as every log format delivers it.

use std::cmp::Ordering;
use std::time::Duration;

use super::{CallKey, Instant, Label, Tokens, Usd};

/// One answer of a model and what it consumed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    /// What names this answer.
    pub key: CallKey,
    /// Where it belongs: its time, its session, who caused it.
    pub from: Attribution,
    /// The model's name as the log writes it.
    pub model: Option<Label>,
    /// What it consumed.
    pub tokens: Tokens,
    /// What it was charged as.
    pub tier: Tier,
    /// Web searches charged beside the tokens.
    pub web_searches: u32,
    /// The cost the log itself states.
    pub quoted: Option<Usd>,
    /// How long the answer took.
    pub latency: Option<Duration>,
    /// How far the counts can be trusted.
    pub fidelity: Fidelity,
    /// The second name under which another log may report the same answer (a request id).
    pub alias: Option<CallKey>,
    /// The session whose ancestors share this key, when the format's keys are only unique within a
    /// family of sessions; see [`CallKey::under`].
    pub lineage: Option<Label>,
}

/// When and where an answer was first seen, and who caused it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attribution {
    /// When the answer was first reported.
    pub at: Instant,
    /// The name of the log format.
    pub source: Label,
    /// The conversation.
    pub session: Option<Label>,
    /// The sub-agent within the conversation; `None` is the main thread.
    pub agent: Option<Label>,
    /// The working directory, or whatever the log calls a project; the repository, where that is a worktree of it.
    pub project: Option<Label>,
    /// The working directory itself, where `project` is the repository that it is a worktree of.
    pub folder: Option<Label>,
    /// Who.
    pub user: Option<Label>,
    /// The user's team.
    pub team: Option<Label>,
    /// The part of a program that asked.
    pub feature: Option<Label>,
    /// The organisation.
    pub org: Option<Label>,
    /// Where the row stands.
    pub place: Option<Place>,
}

/// A line in a log.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Place {
    /// The file, or the name of a feed.
    pub path: Label,
    /// The byte offset at which the line begins.
    pub offset: u64,
}

/// What an answer was charged as.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Tier {
    /// The vendor's fast mode.
    pub speed: Speed,
    /// The vendor's service tier.
    pub service: Service,
    /// Where the vendor was asked to run the model.
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
    /// Paid precedence.
    Priority,
    /// Cheaper, slower.
    Flex,
    /// Asynchronous, usually half price.
    Batch,
}

/// Where inference was asked to run.
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

/// How far a call's counts can be trusted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Fidelity {
    /// The model, or the split into classes, was not in the log.
    Guessed,
    /// The writer is known to log less than was used.
    LowerBound,
    /// The log's own final numbers.
    #[default]
    Final,
}

/// The sources whose one row sums up a whole thread: it counts only where no other source has the thread's calls one
/// by one. Such a row's second name is its own key, as in an agent's telemetry, and a call of the thread carries it.
pub(crate) const SUMS_UP: [&str; 1] = ["codex-exec"];

impl Call {
    /// An answer that is charged in the ordinary way, and of which nothing else is known.
    pub fn new(key: CallKey, from: Attribution, model: Option<Label>, tokens: Tokens) -> Self {
        Self {
            key,
            from,
            model,
            tokens,
            tier: Tier::default(),
            web_searches: 0,
            quoted: None,
            latency: None,
            fidelity: Fidelity::Final,
            alias: None,
            lineage: None,
        }
    }

    /// Two sightings of one answer become one.
    ///
    /// The numbers are those of the whole greater row (never field by field: a placeholder with
    /// another cache split would be added to the real row); the time and the attribution are those
    /// of the earliest sighting. The order of sightings, and how often each is repeated, cannot matter.
    #[must_use]
    pub fn join(self, other: Self) -> Self {
        let earliest =
            if self.from.precedence(&other.from) == Ordering::Greater { other.from.clone() } else { self.from.clone() };
        let alias = self.alias.max(other.alias);
        let lineage = self.lineage.clone().max(other.lineage.clone());
        let greatest = if self.greatness(&other) == Ordering::Less { other } else { self };
        Self { from: earliest, alias, lineage, ..greatest }
    }

    /// Orders sightings by what they report: output, total, whether the split is known, every field.
    fn greatness(&self, other: &Self) -> Ordering {
        let rank = |call: &Self| {
            (call.tokens.output, call.tokens.total(), call.fidelity != Fidelity::Guessed, call.tokens.fields())
        };
        rank(self)
            .cmp(&rank(other))
            .then_with(|| self.fidelity.cmp(&other.fidelity))
            .then_with(|| self.model.cmp(&other.model))
            .then_with(|| self.tier.cmp(&other.tier))
            .then_with(|| {
                (self.web_searches, self.quoted, self.latency).cmp(&(other.web_searches, other.quoted, other.latency))
            })
    }

    /// When the answer was first reported.
    pub fn at(&self) -> Instant {
        self.from.at
    }
}

impl Attribution {
    /// Somewhere, at this time, from this log format.
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
        }
    }

    /// Orders sightings: the earliest first, at the same moment the main thread before a sub-agent.
    pub fn precedence(&self, other: &Self) -> Ordering {
        self.at
            .cmp(&other.at)
            .then_with(|| self.agent.cmp(&other.agent))
            .then_with(|| self.session.cmp(&other.session))
            .then_with(|| self.source.cmp(&other.source))
            // Of two, the sighting that still found the repository knows more.
            .then_with(|| self.folder.is_none().cmp(&other.folder.is_none()))
            .then_with(|| (&self.project, &self.user, &self.team).cmp(&(&other.project, &other.user, &other.team)))
            .then_with(|| (&self.feature, &self.org, &self.place).cmp(&(&other.feature, &other.org, &other.place)))
            .then_with(|| self.folder.cmp(&other.folder))
    }
}

/// What a log line can say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Record {
    /// An answer.
    Call(Call),
    /// A session descends from another, whose history it may replay.
    Descends {
        /// The younger session.
        child: Label,
        /// The session it was forked from or spawned by.
        parent: Label,
    },
    /// An older version booked an answer under another key, where its books are still in use.
    Rekeyed {
        /// The key within the family of `lineage`.
        from: CallKey,
        /// The session that made it.
        lineage: Label,
        /// The key it is known by now.
        to: CallKey,
        /// That key, too, is one within the family.
        in_family: bool,
    },
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn call() -> impl Strategy<Value = Call> {
        let label = || prop::option::of(prop::sample::select(vec!["a", "b"]).prop_map(Label::new));
        (
            0_i64..3,
            label(),
            label(),
            label(),
            prop::array::uniform6(0_u64..3),
            0_u32..2,
            prop::sample::select(vec![Fidelity::Guessed, Fidelity::LowerBound, Fidelity::Final]),
        )
            .prop_map(|(at, session, agent, model, tokens, web_searches, fidelity)| Call {
                key: CallKey::of(&["one"]),
                from: Attribution {
                    session,
                    agent,
                    ..Attribution::new(Instant::from_timestamp(at, 0).unwrap(), Label::new("test"))
                },
                model,
                tokens: Tokens::from_fields(tokens),
                tier: Tier::default(),
                web_searches,
                quoted: None,
                latency: None,
                fidelity,
                alias: None,
                lineage: None,
            })
    }

    proptest! {
        #[test]
        fn joining_calls_is_commutative_associative_and_idempotent((a, b, c) in (call(), call(), call())) {
            prop_assert_eq!(a.clone().join(b.clone()), b.clone().join(a.clone()));
            prop_assert_eq!(a.clone().join(b.clone()).join(c.clone()), a.clone().join(b.join(c)));
            prop_assert_eq!(a.clone().join(a.clone()), a);
        }
    }
}
