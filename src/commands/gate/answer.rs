//! The gate's answer as JSON, the same on the command line and the socket.

use std::collections::BTreeSet;

use serde::Serialize;

use crate::config::{LimitKey, OnError, Settings};
use crate::domain::{Dimension, Instant, Status, one_by_one};
use crate::ledger::{Ledger, LedgerError};
use crate::meter::overrides::Override;
use crate::meter::{CallContext, LimitState, Rules, Verdict, gate};
use crate::output::{self, LimitJson, QuotaJson};
use crate::text;

/// The gate's answer. Its JSON is the same on the command line and on the socket.
#[derive(Default, Serialize)]
pub(crate) struct GateAnswer {
    pub(crate) ok: bool,
    pub(crate) schema: u8,
    /// True if the call may be made.
    pub(crate) allowed: bool,
    /// Verdict of the worst limit.
    pub(crate) verdict: &'static str,
    /// Why the call is refused, or which limit is near.
    pub(crate) reason: Option<String>,
    pub(crate) limits: Vec<LimitJson>,
    /// Providers' own windows, as reported by their agents; omitted if there are none. They never refuse a call.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) provider_windows: Vec<QuotaJson>,
    /// The override in force for this session, if any.
    #[serde(rename = "override")]
    pub(crate) lifted: Option<Override>,
    /// Why the answer may be wrong.
    pub(crate) warning: Option<String>,
    /// Names given by the caller that no call has; omitted if there are none.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) notes: Vec<String>,
    /// Keys of limits that were not evaluated because the caller left out a name, such as the model or the team;
    /// omitted if all were evaluated.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) not_checked: Vec<String>,
    /// The dimensions of those limits that the caller did not give.
    #[serde(skip)]
    pub(crate) left_out: BTreeSet<Dimension>,
    /// Number of files that could not be read, so that more may have been used; omitted if zero.
    #[serde(skip_serializing_if = "output::is_zero")]
    pub(crate) unread_files: u64,
    /// Limits that apply to the caller, worst first.
    #[serde(skip)]
    pub(crate) states: Vec<LimitState>,
    /// False when the call is refused because of the ledger, in which an override cannot be recorded either.
    #[serde(skip)]
    pub(crate) is_liftable: bool,
}

/// The answer for a decision about a caller that may be any of these.
///
/// # Errors
/// When the ledger cannot be read.
pub(crate) fn answer(
    books: &dyn Ledger,
    rules: &Rules,
    settings: &Settings,
    callers: &[CallContext],
    decision: gate::Decision,
    now: Instant,
) -> Result<GateAnswer, LedgerError> {
    let reason = text::gate_reason(&decision, now, settings.zone);
    let gate::Decision { allowed, worst, states, lifted, .. } = decision;
    let unchecked = gate::unchecked(rules, callers);
    let mut quotas = Status::quotas(&books.statuses()?);
    quotas.retain(|quota| !quota.is_forgotten(now));
    Ok(GateAnswer {
        ok: true,
        schema: 1,
        allowed,
        verdict: worst.name(),
        reason,
        limits: states
            .iter()
            .map(|state| LimitJson::new(&LimitKey::from_limit(&state.limit), state, settings.zone))
            .collect(),
        provider_windows: QuotaJson::all(&quotas, now, settings.zone),
        lifted,
        warning: None,
        notes: Vec::new(),
        not_checked: unchecked.iter().map(|(limit, _)| LimitKey::from_limit(limit).to_string()).collect(),
        left_out: one_by_one(unchecked.into_iter().flat_map(|(_, missing)| missing)),
        unread_files: 0,
        states,
        is_liftable: true,
    })
}

impl GateAnswer {
    /// The answer when the ledger cannot be read.
    pub(crate) fn unknown(why: &str, settings: &Settings) -> Self {
        let mut answer =
            Self { ok: true, schema: 1, allowed: true, verdict: "unknown", is_liftable: true, ..Self::default() };
        answer.doubt_ledger(why, settings);
        answer
    }

    /// Marks the answer as possibly wrong because of the ledger.
    pub(super) fn doubt_ledger(&mut self, why: &str, settings: &Settings) {
        let was_allowed = self.allowed;
        self.doubt(why, settings);
        self.is_liftable &= self.allowed || !was_allowed;
    }

    /// Marks the answer as possibly wrong, and refuses the call if the config says so.
    pub(crate) fn doubt(&mut self, why: &str, settings: &Settings) {
        match settings.gate.on_error {
            OnError::Allow if self.allowed => {
                self.warning.get_or_insert_with(|| format!("{why}; allowed anyway (gate.on_error is \"allow\")"));
            }
            OnError::Allow => {
                self.warning.get_or_insert_with(|| why.to_owned());
            }
            OnError::Deny if self.allowed && self.lifted.is_none() => {
                self.allowed = false;
                self.reason = Some(format!("Limits cannot be checked: {why} (gate.on_error is \"deny\")"));
            }
            OnError::Deny => {}
        }
    }

    /// Adds a warning that does not make the answer doubtful.
    pub(crate) fn warn(&mut self, what: &str) {
        self.warning.get_or_insert_with(|| what.to_owned());
    }

    /// True when a limit is near, or over without blocking.
    pub(crate) fn warns(&self) -> bool {
        self.allowed && self.states.iter().any(|state| state.verdict != Verdict::Under)
    }
}
