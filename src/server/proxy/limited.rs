//! Admission based on the ledger's limits and the proxy's keys.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};

use super::admission::{Admission, Ask, Decision, HoldId, Owner, Protocol, Refusal};
use super::count::SOURCE;
use super::keys::KeyRing;
use crate::domain::{Attribution, Call, CallKey, Dimension, Fidelity, Label, Tokens};
use crate::engine::{Admitted, EngineClient};

/// Output tokens held for a call that sets no maximum.
const USUAL_OUTPUT: u64 = 1_024;
/// Maximum output tokens held for a call. A maximum such as 64,000 is almost never reached, and holding that much would
/// refuse calls for which there is room.
const MOST_OUTPUT: u64 = 4_096;

/// Asks the engine.
pub(crate) struct Limited {
    engine: EngineClient,
    keys: KeyRing,
    /// The keys of the limits that do not hold for an alias, as far as somebody has been warned.
    warned: Mutex<HashSet<String>>,
}

impl Limited {
    pub(crate) fn new(engine: EngineClient, keys: KeyRing) -> Self {
        Self { engine, keys, warned: Mutex::default() }
    }

    /// The call as it would be booked, and the model that was asked for, if that is another.
    fn coming(&self, ask: &Ask) -> (Call, Option<Label>) {
        let (call, asked) = coming(ask);
        if let (Some(asked), Some(answered)) = (&asked, &call.model) {
            self.warn(asked, answered);
        }
        (call, asked)
    }

    /// Warns once of each limit for an alias that its calls cannot reach.
    fn warn(&self, asked: &Label, answered: &Label) {
        for limit in self.engine.limits.passed_by(asked, answered) {
            let mut warned = self.warned.lock().unwrap_or_else(PoisonError::into_inner);
            if warned.insert(limit.clone()) {
                drop(warned);
                self.engine.note(format!(
                    "the limit {limit} does not hold: the upstream answers calls for {asked} as {answered}, and that \
                     is what they count as; limit {answered} instead"
                ));
            }
        }
    }
}

/// The call as it would be booked, with an estimate of its tokens, and the model that was asked for, if that is another.
fn coming(ask: &Ask) -> (Call, Option<Label>) {
    let Ask { who, .. } = ask.clone();
    let from = Attribution {
        session: who.session,
        agent: who.agent,
        project: who.project,
        user: who.user,
        team: who.team,
        feature: who.feature,
        org: ask.org.clone(),
        ..Attribution::new(ask.at, Label::new(SOURCE))
    };
    let output = match ask.protocol {
        Protocol::Embeddings => 0,
        Protocol::Chat | Protocol::Responses | Protocol::Messages => {
            ask.output.unwrap_or(USUAL_OUTPUT).min(MOST_OUTPUT)
        }
    };
    let tokens = Tokens { input: ask.input, output, ..Tokens::ZERO };
    // This key is never booked.
    let key = CallKey::from_parts(&["coming"]);
    let (model, asked) = match &ask.answers_as {
        Some(answered) => (Some(answered.clone()), ask.model.clone()),
        None => (ask.model.clone(), None),
    };
    (Call { fidelity: Fidelity::Guessed, ..Call::new(key, from, model, tokens) }, asked)
}

impl Admission for Limited {
    fn owner(&self, key: Option<&str>) -> Option<Owner> {
        self.keys.owner(key)
    }

    fn limited(&self) -> Option<Arc<[Dimension]>> {
        self.engine.limits.dimensions()
    }

    fn admit_at_once(&self, ask: &Ask) -> Option<Decision> {
        let (call, asked) = self.coming(ask);
        self.engine.limits.admit_at_once(call, asked).map(decision)
    }

    fn admit(&self, ask: &Ask) -> Decision {
        let (call, asked) = self.coming(ask);
        decision(self.engine.limits.admit(call, asked))
    }

    fn undecided(&self) -> Decision {
        decision((self.engine.limits.undecided(), None))
    }
}

/// The engine's decision.
fn decision((admitted, hold): (Admitted, Option<HoldId>)) -> Decision {
    match admitted {
        Admitted::Go { near, .. } => Decision::Go { hold, near },
        Admitted::Over(state) => Decision::Refuse(Refusal::Over(state)),
        Admitted::Denied => Decision::Refuse(Refusal::Books),
    }
}
