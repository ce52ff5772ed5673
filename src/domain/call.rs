//! One model call, as decoded from any log format.

use std::cmp::Ordering;
use std::time::Duration;

use super::attribution::Attribution;
use super::fidelity::Fidelity;
use super::parts::Parts;
use super::tier::{Service, Tier};
use super::{CallKey, Instant, Label, Tokens, Usd};

/// One model call and its usage.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    /// Identifies the call.
    pub key: CallKey,
    /// Time, session, and who made the call.
    pub from: Attribution,
    /// Name of the model as the log has it.
    pub model: Option<Label>,
    /// Token counts.
    pub tokens: Tokens,
    /// Parts of those counts that some vendors price separately. Few calls have any.
    pub parts: Parts,
    /// Tier the call was charged at.
    pub tier: Tier,
    /// Web searches, charged on top of the tokens.
    pub web_searches: u32,
    /// Cost given in the log.
    pub quoted: Option<Usd>,
    /// Duration of the call.
    pub latency: Option<Duration>,
    /// How reliable the counts are.
    pub fidelity: Fidelity,
    /// Alias under which another log may report the same call, such as a request id.
    pub alias: Option<CallKey>,
    /// The session whose ancestors share this key. Set only if the format's keys are unique just within a family of
    /// sessions; see [`CallKey::under`].
    pub lineage: Option<Label>,
    /// True if the model ended its turn with this answer, so that the agent waits for its user. False if it goes on,
    /// and if the log does not say.
    pub ends_turn: bool,
}

/// Sources whose rows summarise a whole thread. Such a row counts only if no other source lists the thread's calls one
/// by one. As in telemetry, its alias is its own key, and the thread's calls carry that alias.
pub(crate) const SUMS_UP: [&str; 1] = ["codex-exec"];

impl Call {
    /// Upper bound for the web searches of one answer or run: a hundred dollars at Anthropic's price. An answer makes a
    /// few dozen.
    pub const MOST_SEARCHES: u32 = 10_000;
    /// Upper bound for the web searches of a session.
    pub const MOST_SEARCHES_OF_SESSION: u32 = 1_000_000;

    /// A call at the standard tier with no optional data.
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
            ends_turn: false,
        }
    }

    /// Joins two sightings of one call.
    ///
    /// The counts are those of the greater row as a whole. They are never merged field by field: a placeholder with a
    /// different cache split would be added to the real row. Time and attribution come from the sighting with
    /// [precedence](Attribution::precedence), except for the branch, which telemetry does not know. The result does not
    /// depend on the order or repetition of sightings.
    #[must_use]
    pub fn join(self, other: Self) -> Self {
        let order = self.from.precedence(&other.from);
        self.join_in_order(other, order)
    }

    /// Like [`Call::join`], but `order` decides the attribution: `Greater` takes the other's.
    #[must_use]
    pub(crate) fn join_in_order(self, other: Self, order: Ordering) -> Self {
        let branch = self.from.branch.clone().max(other.from.branch.clone());
        let from = if order == Ordering::Greater { other.from.clone() } else { self.from.clone() };
        let from = Attribution { branch, ..from };
        let alias = self.alias.max(other.alias);
        let lineage = self.lineage.clone().max(other.lineage.clone());
        let ends_turn = self.ends_turn || other.ends_turn;
        let greatest = if self.greatness(&other) == Ordering::Less { other } else { self };
        Self { from, alias, lineage, ends_turn, ..greatest }
    }

    /// Orders sightings by their counts: a free refusal first, then final counts, output, total, tokens read from or
    /// written to the cache, how the split is known, and finally every field.
    ///
    /// Two instrumentations of one request agree on its size, but one of them may not see the cache.
    fn greatness(&self, other: &Self) -> Ordering {
        let rank = |call: &Self| {
            let (output, total, cached, fields) = call.tokens.rank();
            (call.is_refused(), call.fidelity.is_stated(), output, total, cached, call.fidelity.split(), fields)
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

    /// True for a call that telemetry reports: another log's call with its alias may be the same one.
    pub fn is_telemetry(&self) -> bool {
        self.alias.is_some_and(|alias| !alias.is_of_attempts() && self.key.is_named(alias))
    }

    /// True for a sighting that affects rows other than that of its key: it comes from telemetry, its alias is that of
    /// attempts, or it was refused.
    pub(crate) fn is_grouped(&self) -> bool {
        self.is_refused() || self.is_telemetry() || self.alias.is_some_and(CallKey::is_of_attempts)
    }

    /// True for a call that is free because the model refused it.
    pub fn is_refused(&self) -> bool {
        self.fidelity == Fidelity::Refused
    }

    /// Time at which the call was first reported.
    pub fn at(&self) -> Instant {
        self.from.at
    }

    /// How reliable the counts are. A call with an unknown service tier counts as a guess.
    pub fn trust(&self) -> Fidelity {
        if self.fidelity == Fidelity::Final && self.tier.service == Service::Unknown {
            Fidelity::Guessed
        } else {
            self.fidelity
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Claim;
    use proptest::prelude::*;

    fn call() -> impl Strategy<Value = Call> {
        let label = || prop::option::of(prop::sample::select(vec!["a", "b"]).prop_map(Label::new));
        let second = |at| Instant::from_timestamp(at, 0).unwrap();
        let claim = (
            label(),
            prop::sample::select(Claim::ALL.to_vec()),
            prop::option::of((0_i64..2).prop_map(second)),
            prop::bool::ANY,
        );
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
            .prop_map(
                |(at, session, agent, model, tokens, web_searches, fidelity, (branch, claim, began, ends_turn))| Call {
                    key: CallKey::from_parts(&["one"]),
                    from: Attribution {
                        session,
                        agent,
                        branch,
                        claim,
                        began,
                        ..Attribution::new(at, Label::new("test"))
                    },
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
                    ends_turn,
                },
            )
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
            prop_assume!(a.is_refused() == b.is_refused() && a.fidelity.is_stated() == b.fidelity.is_stated());
            let (knowing, blind) = (Call { tokens: knowing, ..a }, Call { tokens: blind, ..b });
            prop_assert_eq!(knowing.clone().join(blind.clone()).tokens, knowing.tokens);
            prop_assert_eq!(blind.join(knowing.clone()).tokens, knowing.tokens);
        }
    }

    #[test]
    fn stated_counts_stand_before_a_greater_estimate_and_before_what_was_stated_on_the_way() {
        let one = |fidelity, output| Call {
            fidelity,
            ..Call::new(
                CallKey::from_parts(&["one"]),
                Attribution::new(Instant::UNIX_EPOCH, Label::new("test")),
                None,
                Tokens { output, ..Tokens::ZERO },
            )
        };
        let stated = one(Fidelity::Final, 5);
        for other in [one(Fidelity::Guessed, 50), one(Fidelity::LowerBound, 50)] {
            assert_eq!(stated.clone().join(other.clone()), stated);
            assert_eq!(other.join(stated.clone()), stated);
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
