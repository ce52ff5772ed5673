//! Calls that were probably counted twice: by the proxy, and from the log of an agent whose answers have no id that the
//! proxy sees, too.

use std::collections::BTreeMap;

use chrono::Duration;

use crate::domain::{Call, Instant, Label};

/// How far apart the two may be: a proxy's call has the time of its request, a log's often that of the answer.
const APART: Duration = Duration::minutes(1);

/// Model and counts of calls. A proxy and a log may see different parts of the reasoning.
type Usage = (Option<Label>, [u64; 5]);

/// Collects calls of one period.
#[derive(Debug, Default)]
pub(crate) struct DoubleCounts {
    usage: BTreeMap<Usage, Seen>,
}

/// Calls of one model with equal counts.
#[derive(Debug, Default)]
struct Seen {
    /// When each call of the proxy began and ended.
    proxied: Vec<(Instant, Instant)>,
    logged: Vec<(Instant, Label)>,
}

impl DoubleCounts {
    /// Number of days that are compared.
    pub(crate) const DAYS: i64 = 7;

    /// The time from which calls are compared.
    pub(crate) fn since(now: Instant) -> Instant {
        now - Duration::days(Self::DAYS)
    }

    /// Adds a call of the proxy.
    pub(crate) fn add_proxied(&mut self, call: &Call) {
        let took = call.latency.and_then(|took| Duration::from_std(took).ok()).unwrap_or_default();
        self.of(call).proxied.push((call.at(), call.at() + took));
    }

    /// Adds a call from an agent's log.
    pub(crate) fn add_logged(&mut self, call: &Call) {
        self.of(call).logged.push((call.at(), call.from.source.clone()));
    }

    fn of(&mut self, call: &Call) -> &mut Seen {
        let tokens = &call.tokens;
        let counts = [tokens.input, tokens.cache_read, tokens.cache_write_5m, tokens.cache_write_1h, tokens.output];
        self.usage.entry((call.model.clone(), counts)).or_default()
    }

    /// The number of such calls by agent. Each call of the proxy is that of one log at most.
    pub(crate) fn by_agent(self) -> BTreeMap<Label, u64> {
        let mut found = BTreeMap::new();
        for Seen { mut proxied, mut logged } in self.usage.into_values() {
            proxied.sort_unstable();
            logged.sort_unstable();
            for (at, agent) in logged {
                let is_near = |(begun, ended): &(Instant, Instant)| *begun - APART <= at && at <= *ended + APART;
                if let Some(place) = proxied.iter().position(is_near) {
                    proxied.remove(place);
                    *found.entry(agent).or_default() += 1;
                }
            }
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{Attribution, CallKey, Tokens};

    fn call(source: &str, second: i64, model: &str, output: u64) -> Call {
        let at = Instant::from_timestamp(1_795_730_000 + second, 0).unwrap();
        let from = Attribution::new(at, Label::new(source));
        let key = CallKey::from_parts(&[source.as_bytes(), &second.to_le_bytes()]);
        Call::new(key, from, Some(Label::new(model)), Tokens { input: 100, output, ..Tokens::ZERO })
    }

    #[test]
    fn a_logged_call_beside_one_of_the_proxy_with_its_model_and_counts_is_counted_twice() {
        let mut calls = DoubleCounts::default();
        let long = Call { latency: Some(std::time::Duration::from_secs(300)), ..call("proxy", 0, "m", 5) };
        for proxied in [long, call("proxy", 0, "m", 6), call("proxy", 0, "m", 7), call("proxy", 0, "m", 8)] {
            calls.add_proxied(&proxied);
        }
        for logged in [
            call("vibe", 330, "m", 5),
            call("vibe", 331, "m", 5),
            call("opencode", -59, "m", 6),
            call("opencode", 61, "m", 7),
            call("opencode", 0, "other", 8),
        ] {
            calls.add_logged(&logged);
        }
        let expected = [("vibe", 1), ("opencode", 1)].map(|(agent, count)| (Label::new(agent), count));
        assert_eq!(calls.by_agent(), BTreeMap::from(expected));
    }
}
