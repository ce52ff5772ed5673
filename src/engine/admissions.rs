//! Decides for the proxy whether a call may be made. A separate connection to the ledger answers or, if there is none,
//! the ledger thread.

pub(super) mod admission_ledger;
pub(super) mod verdict;

use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::sync::Arc;
use std::sync::mpsc::{RecvTimeoutError, SyncSender, sync_channel};
use std::time::{Duration, Instant as Clock};

use tokio::sync::{mpsc, watch};

use self::admission_ledger::AdmissionLedger;
use crate::config::{OnError, Settings};
use crate::domain::{Call, Dimension, HoldId, Instant, Label};
use crate::meter::admission::PendingCall;
use crate::meter::{Limit, Rules};

/// How long the ledger may take to answer before `gate.on_error` decides.
const TIMEOUT: Duration = Duration::from_secs(2);
/// How often to retry sending to a full queue.
const AGAIN: Duration = Duration::from_millis(2);

/// A call that asks for admission.
pub(crate) struct Admit {
    pub(crate) coming: PendingCall,
    /// Receives the answer. If nobody is waiting for it any more, nothing is held.
    pub(crate) reply: SyncSender<Admitted>,
}

/// State of the limit that decided.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct LimitState {
    /// Its name: `alice daily`.
    pub(crate) limit: Label,
    /// Its period: `daily`.
    pub(crate) period: Label,
    /// Whole per cent used.
    pub(crate) percent: u64,
    /// The highest threshold reached, in per cent.
    pub(crate) threshold: u8,
    /// Spent and allowed amounts as text, including amounts held for calls in progress: `$26.10 of $25.00`.
    pub(crate) used: Label,
    /// When it has room again, as text: `resets 00:00`.
    pub(crate) again: Label,
    /// End of the period, if known. For a limit that refuses a call, the latest end among all limits that do.
    pub(crate) resets_at: Option<Instant>,
    /// True when it has room if the calls in progress cost nothing.
    pub(crate) waits: bool,
}

/// Whether a call may be made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Admitted {
    /// The call may be made.
    Go {
        /// True when an amount is held for it.
        is_held: bool,
        /// The limit that is near, if any.
        near: Option<LimitState>,
    },
    /// A limit is reached.
    Over(LimitState),
    /// The ledger cannot be read, and the config says to deny calls in that case.
    Denied,
}

/// Facts about the limits that a server knows without asking the ledger.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Policy {
    /// The dimensions that limits depend on; `None` when there is no limit.
    pub(crate) limited: Option<Arc<[Dimension]>>,
    /// The limits for models, except those of zero, which refuse every call that they cover.
    pub(crate) of_models: Arc<[Limit]>,
    /// The answer when the ledger cannot be read.
    pub(crate) on_error: OnError,
}

impl Policy {
    /// The facts that follow from these limits and settings.
    pub(super) fn new(rules: &Rules, settings: &Settings) -> Self {
        let limited = (!rules.limits.is_empty()).then(|| rules.dimensions().into());
        let of_models =
            rules.limits.iter().filter(|limit| limit.scope.models().is_some() && !limit.amount.allows_nothing());
        Self { limited, of_models: of_models.cloned().collect(), on_error: settings.gate.on_error }
    }
}

/// The proxy's access to the limits.
#[derive(Clone)]
pub(crate) struct Limits {
    pub(super) admit: mpsc::Sender<Admit>,
    pub(super) policy: watch::Receiver<Policy>,
    pub(super) second_books: Arc<AdmissionLedger>,
}

impl Limits {
    /// The dimensions that limits depend on; `None` when there is no limit.
    pub(crate) fn dimensions(&self) -> Option<Arc<[Dimension]>> {
        self.policy.borrow().limited.clone()
    }

    /// The keys of limits above zero for the model that a request `asked` for, which its call does not count under,
    /// because another one answers.
    pub(crate) fn passed_by(&self, asked: &Label, answered: &Label) -> Vec<String> {
        let policy = self.policy.borrow();
        let is_passed = |limit: &&Limit| {
            limit.scope.models().is_some_and(|models| models.matches(asked) && !models.matches(answered))
        };
        policy.of_models.iter().filter(is_passed).map(|limit| limit.scope.key(limit.window)).collect()
    }

    /// Like [`Limits::admit`], but without waiting; `None` if that is not possible now.
    pub(crate) fn admit_at_once(&self, call: Call, asked: Option<Label>) -> Option<(Admitted, Option<HoldId>)> {
        let coming = PendingCall { hold: fresh(), call, asked };
        Some(with_hold(self.second_books.admit_at_once(&coming)?, coming.hold))
    }

    /// Decides whether a call may be made. Its tokens are an estimate, and `asked` is the model that its request names,
    /// if it would be booked under another. Waits at most two seconds for the ledger.
    pub(crate) fn admit(&self, call: Call, asked: Option<Label>) -> (Admitted, Option<HoldId>) {
        let coming = PendingCall { hold: fresh(), call, asked };
        let hold = coming.hold;
        let until = Clock::now() + TIMEOUT;
        if let Some(admitted) = self.second_books.admit(&coming) {
            return with_hold(admitted, hold);
        }
        let (reply, answer) = sync_channel(1);
        let sent = send(&self.admit, Admit { coming, reply }, until);
        let left = until.saturating_duration_since(Clock::now());
        let answered = sent.then(|| answer.recv_timeout(left));
        match answered {
            Some(Ok(admitted)) => with_hold(admitted, hold),
            None | Some(Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected)) => (self.undecided(), None),
        }
    }

    /// The answer if the ledger gives none: `gate.on_error` decides.
    pub(crate) fn undecided(&self) -> Admitted {
        tracing::warn!("the books do not answer whether a call may be made");
        self.policy.borrow().on_error.admitted(None)
    }
}

/// The answer, and the hold if an amount is held.
fn with_hold(admitted: Admitted, hold: HoldId) -> (Admitted, Option<HoldId>) {
    let is_held = matches!(admitted, Admitted::Go { is_held: true, .. });
    (admitted, is_held.then_some(hold))
}

impl OnError {
    /// The answer when the ledger cannot be read.
    pub(crate) fn admitted(self, near: Option<LimitState>) -> Admitted {
        match self {
            Self::Allow => Admitted::Go { is_held: false, near },
            Self::Deny => Admitted::Denied,
        }
    }
}

/// Sends to a queue that may be full. Returns false if it stays full, or nobody is receiving.
fn send<T>(queue: &mpsc::Sender<T>, mut message: T, until: Clock) -> bool {
    loop {
        match queue.try_send(message) {
            Ok(()) => return true,
            Err(mpsc::error::TrySendError::Full(again)) if Clock::now() < until => message = again,
            Err(mpsc::error::TrySendError::Full(_) | mpsc::error::TrySendError::Closed(_)) => return false,
        }
        std::thread::sleep(AGAIN);
    }
}

/// A new random id. The system seeds every hasher at random.
fn fresh() -> HoldId {
    let half = || u128::from(RandomState::new().hash_one(std::process::id()));
    HoldId::new(half() << 64 | half())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ledger_that_gives_no_answer_lets_the_config_decide() {
        let undecided = |on_error| {
            let (admit, _) = mpsc::channel(1);
            let policy = watch::channel(Policy { on_error, ..Policy::default() }).1;
            Limits { admit, policy, second_books: Arc::default() }.undecided()
        };
        assert!(matches!(undecided(OnError::Deny), Admitted::Denied));
        assert!(matches!(undecided(OnError::Allow), Admitted::Go { is_held: false, .. }));
    }
}
