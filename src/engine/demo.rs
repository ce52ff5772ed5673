//! The simulated session of `demo`: three models, two sub-agents, a cache that warms up.
//!
//! Its numbers come from a fixed sequence, so that every demo and every picture of it is the same.

use chrono::Duration;

use crate::domain::{Attribution, Call, CallKey, Instant, Label, Tokens};

/// One call, and its delay after the one before.
pub(crate) struct Step {
    /// Delay after the call before.
    pub(crate) after: Duration,
    /// The call; its time is set on playback.
    pub(crate) call: Call,
}

/// Deterministic pseudo-random numbers.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, from: u64, to: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        from + (self.0 >> 33) % (to - from + 1)
    }
}

/// A session of `calls` calls, the last made at `end`.
pub(crate) fn session(calls: u64, end: Instant, user: &Label) -> Vec<Step> {
    let mut dice = Dice(2_026);
    let mut context = 18_000;
    let mut steps = Vec::new();
    for number in 0..calls {
        let explorer = dice.roll(0, 9) < 3;
        let (model, agent) = match (explorer, dice.roll(0, 5)) {
            (true, _) => ("claude-haiku-4-5", Some("explore")),
            (false, 0) => ("claude-sonnet-5", Some("review")),
            (false, _) => ("claude-opus-5", None),
        };
        let output = dice.roll(60, if explorer { 400 } else { 1_900 });
        let written = dice.roll(200, 4_800);
        let tokens = Tokens {
            input: dice.roll(2, 14),
            cache_read: if number == 0 { 0 } else { context },
            cache_write_5m: if explorer { written } else { 0 },
            cache_write_1h: if explorer { 0 } else { written },
            output,
            reasoning: output / 3,
        };
        context = if context > 150_000 { 24_000 } else { context + written + output };
        let from = Attribution {
            session: Some(Label::new("3f2a91c0-demo")),
            agent: agent.map(Label::new),
            project: Some(Label::new("/home/alice/api-server")),
            user: Some(user.clone()),
            ..Attribution::new(end, Label::new("demo"))
        };
        let call =
            Call::new(CallKey::from_parts(&["demo", &number.to_string()]), from, Some(Label::new(model)), tokens);
        // Bursts of work with pauses in between.
        let after = Duration::seconds(
            i64::try_from(if dice.roll(0, 11) == 0 { dice.roll(60, 150) } else { dice.roll(3, 22) }).unwrap_or(5),
        );
        steps.push(Step { after, call });
    }
    stamp(&mut steps, end);
    steps
}

/// Sets the times of the calls so that the last is made at `end`.
fn stamp(steps: &mut [Step], end: Instant) {
    let mut at = end;
    for step in steps.iter_mut().rev() {
        step.call.from.at = at;
        at -= step.after;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_session_is_always_the_same_and_ends_when_told() {
        let end = Instant::from_timestamp(1_800_000_000, 0).unwrap();
        let user = Label::new("alice");
        let (one, two) = (session(40, end, &user), session(40, end, &user));
        assert_eq!(one.len(), 40);
        assert_eq!(one.last().unwrap().call.at(), end);
        assert!(one.iter().zip(&two).all(|(one, two)| one.call == two.call));
        assert!(one.windows(2).all(|pair| pair[0].call.at() < pair[1].call.at()));
    }
}
