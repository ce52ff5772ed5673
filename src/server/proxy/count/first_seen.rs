//! Remembers the first value of each name.

use std::collections::{HashMap, VecDeque};

use crate::domain::CallKey;

/// Number of names that are remembered.
const MOST: usize = 10_000;

/// The first value of each of the last names.
#[derive(Debug, Default)]
pub(in crate::server::proxy) struct FirstSeen {
    known: HashMap<CallKey, CallKey>,
    order: VecDeque<CallKey>,
    /// Whole answers to the attempts of the last aliases.
    answered: HashMap<CallKey, u32>,
    attempts: VecDeque<CallKey>,
}

impl FirstSeen {
    /// The value that this name was given first, which is `value` for a new name.
    pub(in crate::server::proxy) fn first(&mut self, name: CallKey, value: CallKey) -> CallKey {
        if let Some(known) = self.known.get(&name) {
            return *known;
        }
        if self.order.len() == MOST
            && let Some(oldest) = self.order.pop_front()
        {
            self.known.remove(&oldest);
        }
        self.order.push_back(name);
        self.known.insert(name, value);
        value
    }

    /// Counts one more whole answer to attempts with this alias. Returns how many there were.
    pub(in crate::server::proxy) fn answered(&mut self, attempts: CallKey) -> u32 {
        let count = self.answered.entry(attempts).or_default();
        *count = count.saturating_add(1);
        let count = *count;
        if count == 1 {
            self.attempts.push_back(attempts);
        }
        if self.attempts.len() > MOST
            && let Some(oldest) = self.attempts.pop_front()
        {
            self.answered.remove(&oldest);
        }
        count
    }
}
