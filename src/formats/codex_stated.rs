//! Status reports in a Codex rollout: the provider's quota windows, the context size, and turns.
//!
//! Seen in 0.4x to 0.171.0, 2026-11-26: every `token_count` has `rate_limits` with `primary` and `secondary`, each null
//! if the plan has no such window; `resets_at` in seconds since 1970, or `resets_in_seconds` before 0.50; windows of
//! 299 and 10,079 minutes in old versions.

use chrono::Duration;

use super::codex_line::{Limit, Payload};
use super::codex_thread::Thread;
use super::fields::Slot;
use crate::domain::{Instant, Label, Quota, Record, SessionStatus, Status, Turn, TurnStatus};

/// The latest of each report since they were last taken.
#[derive(Default)]
pub(super) struct Stated {
    /// Name of the limit, and its two windows.
    quotas: Vec<Quota>,
    /// Time of the latest report on the session.
    session: Option<Instant>,
    /// The latest start or end of a turn.
    turn: Option<(Turn, Instant)>,
}

impl Stated {
    /// Reads the reports in a `token_count`.
    pub(super) fn hear(&mut self, payload: &Payload<'_>, source: &Label, at: Instant) {
        let limits = &payload.limits;
        for limit in [&limits.primary, &limits.secondary] {
            let Some((minutes, used, resets_at)) = window(limit, at) else { continue };
            let name = limits.name.get().unwrap_or(source);
            let known = self.quotas.iter_mut().find(|quota| quota.minutes == minutes && quota.name.as_str() == name);
            match known {
                Some(known) => (known.used, known.resets_at, known.seen) = (used, resets_at, at),
                None => self.quotas.push(Quota {
                    source: source.clone(),
                    name: Label::new(name),
                    minutes,
                    used,
                    resets_at,
                    seen: at,
                }),
            }
        }
        self.session = Some(at);
    }

    /// Takes note that a turn began or ended.
    pub(super) fn turn(&mut self, turn: Turn, at: Instant) {
        self.turn = Some((turn, at));
    }

    /// Appends the reports. A sub-agent's context is not its session's.
    pub(super) fn take(&mut self, source: &Label, thread: &Thread, out: &mut Vec<Record>) {
        out.extend(self.quotas.drain(..).map(|quota| Record::Status(Status::Quota(quota))));
        let (session, turn) = (self.session.take(), self.turn.take());
        let Some(own) = &thread.own else { return };
        let of = || (source.clone(), Label::new(thread.root.as_deref().unwrap_or(own)));
        out.extend(session.filter(|_| thread.agent.is_none()).map(|seen| {
            let ((source, session), context_size) = (of(), thread.context_size);
            Record::Status(Status::Session(SessionStatus { source, session, context_size, cost: None, seen }))
        }));
        out.extend(turn.map(|(turn, seen)| {
            let (source, session) = of();
            let agent = thread.agent.as_deref().map(Label::new);
            Record::Status(Status::Turn(TurnStatus { source, session, agent, turn, seen }))
        }));
    }
}

/// Length in minutes, usage in hundredths of a per cent, and reset time.
fn window(limit: &Limit<'_>, at: Instant) -> Option<(u32, u32, Option<Instant>)> {
    if limit.is_absent() {
        return None;
    }
    let minutes = u32::try_from(limit.minutes.total("window_minutes").ok()?).ok().filter(|minutes| *minutes > 0)?;
    let minutes = if minutes % 60 == 59 { minutes + 1 } else { minutes };
    let used = Quota::hundredths(limit.used.0?)?;
    let resets_in = limit.resets_in.total("resets_in_seconds").ok().filter(|_| limit.resets_in.is_given());
    let resets_in = resets_in.and_then(|seconds| Duration::try_seconds(i64::try_from(seconds).ok()?));
    let resets_at = limit.resets_at.0.or_else(|| at.checked_add_signed(resets_in?));
    Some((minutes, used, resets_at))
}
