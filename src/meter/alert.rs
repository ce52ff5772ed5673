//! Alerts: one per limit, subject, threshold and period, and none during quiet hours.

use std::collections::BTreeMap;
use std::fmt;

use chrono::Duration;

use super::limit::{LimitState, Verdict};
use super::quiet_hours::QuietHours;
use super::window::Window;
use crate::domain::{Instant, Label, Quota, Span, Zone, one_by_one, sort_by_key};
use crate::ledger::{AlertClaim, Fact, FactKind, Ledger, LedgerError, claim_alert};

/// An alert to deliver.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Alert {
    /// Id stored in the ledger, so that only one process delivers the alert.
    pub id: AlertId,
    /// The threshold that was reached, in per cent; 100 is the limit itself.
    pub threshold: u8,
    /// The subject, from which the text is built.
    pub about: About,
}

impl Alert {
    /// Claims the alert in the ledger for delivery. Only one caller at a time gets it, until it has been delivered once
    /// in its period.
    ///
    /// A period that begins at a different moment in another time zone, or turns out to have begun earlier, still
    /// counts as the period in which the alert was delivered.
    ///
    /// # Errors
    /// When the ledger cannot be written.
    pub(crate) fn claim(&self, books: &mut dyn Ledger, now: Instant) -> Result<AlertClaim, LedgerError> {
        let taken = self.recorded(books, now)?.map(|fact| AlertClaim::after(&fact, now)).max();
        if let Some(taken) = taken.filter(|claim| *claim != AlertClaim::Ours) {
            return Ok(taken);
        }
        claim_alert(books, self.id.as_str(), now)
    }

    /// True when it was delivered before this time, within its period.
    ///
    /// # Errors
    /// When the ledger cannot be read.
    pub(crate) fn was_delivered_before(&self, time: Instant, books: &dyn Ledger) -> Result<bool, LedgerError> {
        let mut recorded = self.recorded(books, time)?;
        Ok(recorded.any(|fact| fact.at < time && AlertClaim::after(&fact, time) == AlertClaim::Done))
    }

    /// Its claims and deliveries in the ledger, under its own id and under other ids within its period.
    fn recorded(&self, books: &dyn Ledger, now: Instant) -> Result<impl Iterator<Item = Fact>, LedgerError> {
        let (period, of_any_period) = (self.period(now), format!("{} ", self.id.stem()));
        let known = books.facts(FactKind::Alert, self.id.stem())?.into_iter();
        let is_same = move |(id, fact): &(String, Fact)| {
            id == self.id.as_str()
                || (id.starts_with(&of_any_period) && period.is_some_and(|span| span.contains(fact.at)))
        };
        Ok(known.filter(is_same).map(|(_, fact)| fact))
    }

    /// The period in which it is delivered at most once.
    fn period(&self, now: Instant) -> Option<Span> {
        match &self.about {
            About::Limit(limit) => match limit.limit.window {
                Window::Rolling(length) => Some(Span {
                    from: now.checked_sub_signed(length)?,
                    // A clock that was set back repeats nothing either.
                    until: now.checked_add_signed(length)?,
                }),
                Window::Call
                | Window::Session
                | Window::Run
                | Window::Hour
                | Window::Day
                | Window::Week
                | Window::Month
                | Window::Block
                | Window::Total => period_start(limit).and(limit.span),
            },
            About::Quota(quota) => {
                let until = quota.resets_at?;
                Some(Span { from: until.checked_sub_signed(Duration::minutes(quota.minutes.into()))?, until })
            }
        }
    }
}

/// The subject of an alert.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum About {
    /// A limit of the user's own.
    Limit(LimitState),
    /// A provider's own quota window.
    Quota(Quota),
}

impl Alert {
    /// The headline: `80% of daily limit used`, `daily limit reached`.
    pub fn title(&self) -> String {
        match &self.about {
            About::Limit(limit) if limit.verdict == Verdict::Over && !limit.stops_work() => {
                format!("a call is over the {} limit", limit.name)
            }
            About::Limit(limit) if limit.verdict == Verdict::Over => format!("{} limit reached", limit.name),
            About::Limit(limit) => format!("{}% of {} limit used", limit.percent, limit.name),
            About::Quota(quota) => {
                format!("{}% of the {} {} window used", quota.percent(), quota.source, quota.window())
            }
        }
    }

    /// Name of the limit it is about.
    pub(crate) fn limit(&self) -> Option<&str> {
        match &self.about {
            About::Limit(limit) => Some(&limit.name),
            About::Quota(_) => None,
        }
    }

    fn percent(&self) -> u64 {
        match &self.about {
            About::Limit(limit) => limit.percent,
            About::Quota(quota) => quota.percent().into(),
        }
    }
}

/// Identifies an alert: limit, subject, threshold and period.
///
/// Readable text: `daily tokens=500000 @80 2026-11-22T00:00:00Z`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AlertId(String);

impl AlertId {
    /// The id of a limit's threshold in the period that contains `now`.
    ///
    /// Changing the amount changes the id. A rolling window has no periods. Its ids are those of equal stretches of
    /// time, and [`Alert::claim`] makes sure that two of them are its length apart.
    pub fn from_state(state: &LimitState, threshold: u8, now: Instant) -> Self {
        let period = match (state.limit.window, state.span) {
            (Window::Rolling(length), _) => {
                let length = length.num_seconds().max(1);
                Instant::from_timestamp(now.timestamp().div_euclid(length).saturating_mul(length), 0)
            }
            (_, span) => span.map(|span| span.from),
        };
        let period = period.map(|from| format!(" {}", from.format("%Y-%m-%dT%H:%M:%SZ"))).unwrap_or_default();
        Self(format!("{} @{threshold}{period}", subject(state)))
    }

    /// The id for a threshold of a provider's window, until the window resets.
    fn from_quota(quota: &Quota, threshold: u8) -> Self {
        // If the provider only gives the seconds left, the computed reset time varies by a few seconds.
        let round = |at: Instant| (at.timestamp().saturating_add(300)).div_euclid(600).saturating_mul(600);
        let length = i64::from(quota.minutes.max(1)).saturating_mul(60);
        let period = quota.resets_at.map_or_else(|| quota.seen.timestamp().div_euclid(length), round);
        Self(format!("{} @{threshold} {period}", quota_key(quota)))
    }

    /// The id without its period.
    fn stem(&self) -> &str {
        let begins = self.0.rfind(" @").map(|at| at + 2);
        let ends = begins.and_then(|at| Some(at + self.0[at..].find(' ')?));
        &self.0[..ends.unwrap_or(self.0.len())]
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for AlertId {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.pad(&self.0)
    }
}

/// Claims the warning about a threshold for a session, which gets each once in its period. True for the first caller.
///
/// # Errors
/// When the ledger cannot be read or written.
pub(crate) fn claim_warning(
    books: &mut dyn Ledger,
    session: &Label,
    (state, threshold): (&LimitState, u8),
    now: Instant,
) -> Result<bool, LedgerError> {
    let id = AlertId::from_state(state, threshold, now);
    if let Window::Rolling(length) = state.limit.window {
        let of_any_time = format!("{session}\t{} ", id.stem());
        let known = books.facts(FactKind::Warning, &of_any_time)?;
        if known.into_iter().any(|(_, fact)| (now - fact.at).abs() < length) {
            return Ok(false);
        }
    }
    books.claim(FactKind::Warning, &format!("{session}\t{id}"), now)
}

/// Identifies a provider's window, without its period.
fn quota_key(quota: &Quota) -> String {
    format!("quota {} {} {}", quota.source, quota.name, quota.minutes)
}

/// Identifies a limit and its subject, without its period.
fn subject(state: &LimitState) -> String {
    let names = state.limit.scope.only.iter().map(|(dimension, names)| format!(" {dimension}={}", names.as_str()));
    let whose = state.subject.iter().map(|subject| format!(" ({subject})"));
    // The subject of a run names its agent only.
    let of_run = state.session.iter().filter(|session| session.agent.is_some());
    let run = of_run.map(|run| format!(" {} {}", run.id.source, run.id.session.as_deref().unwrap_or_default()));
    let amount = &state.limit.amount;
    let amounts = [
        amount.usd.map(|usd| format!(" usd={usd}")),
        amount.tokens.map(|tokens| format!(" tokens={tokens}")),
        amount.output_tokens.map(|tokens| format!(" output={tokens}")),
    ];
    let details: String = names.chain(whose).chain(run).chain(amounts.into_iter().flatten()).collect();
    let name = super::evaluate::stable_name(&state.limit, state.subject.as_deref());
    format!("{name}{details}")
}

/// Tracks delivered alerts. Alerts that quiet hours or a snooze held back are delivered afterwards, if the threshold is
/// still reached.
#[derive(Clone, Debug)]
pub struct Alerts {
    quiet: Option<(QuietHours, Zone)>,
    /// Percentage points by which usage must fall below a threshold before it can fire again.
    hysteresis: u8,
    /// No alerts before this time: for all limits, or for single limits by name.
    snoozed: Option<Instant>,
    snoozed_limits: BTreeMap<String, Instant>,
    /// True while quiet hours are holding back an alert.
    held: bool,
    /// The highest threshold delivered per limit and subject, and its period.
    announced: BTreeMap<String, Announced>,
}

#[derive(Clone, Copy, Debug)]
struct Announced {
    threshold: u8,
    period: Option<Instant>,
}

impl Default for Alerts {
    fn default() -> Self {
        Self::new(None, 5)
    }
}

impl Alerts {
    /// No alerts delivered yet. Usage must fall `hysteresis` percentage points below a threshold before it can fire
    /// again; with 0, anything below the threshold will do.
    pub fn new(quiet: Option<(QuietHours, Zone)>, hysteresis: u8) -> Self {
        Self {
            quiet,
            hysteresis,
            snoozed: None,
            snoozed_limits: BTreeMap::new(),
            held: false,
            announced: BTreeMap::new(),
        }
    }

    /// Changes the quiet hours and the hysteresis. Deliveries and snoozes are kept.
    pub fn set_quiet_hours(&mut self, quiet: Option<(QuietHours, Zone)>, hysteresis: u8) {
        (self.quiet, self.hysteresis) = (quiet, hysteresis);
    }

    /// Holds back all alerts until a time.
    pub fn snooze(&mut self, until: Instant) {
        self.snoozed = Some(until);
    }

    /// Holds back alerts of one limit, by [`LimitState::name`], until a time.
    pub fn snooze_limit(&mut self, name: &str, until: Instant) {
        self.snoozed_limits.insert(name.to_owned(), until);
    }

    /// Stops holding them back. Those that have become due in the meantime follow.
    pub fn unsnooze_limit(&mut self, name: &str) {
        self.snoozed_limits.remove(name);
    }

    /// The alerts that are due now. When several thresholds are passed at once, there is one alert for the highest.
    ///
    /// The caller must claim `Alert::id` in the ledger and deliver only alerts that nobody has claimed.
    pub fn due(&mut self, limits: &[LimitState], quotas: &[Quota], now: Instant) -> Vec<Alert> {
        self.snoozed = self.snoozed.filter(|until| *until > now);
        self.snoozed_limits.retain(|_, until| *until > now);
        let quiet = self.quiet.is_some_and(|(quiet, zone)| quiet.hold(now, zone));
        let silent = quiet || self.snoozed.is_some();
        self.held = false;
        let present: BTreeMap<String, &LimitState> = one_by_one(limits.iter().map(|state| (subject(state), state)));
        let windows: BTreeMap<String, &Quota> = one_by_one(quotas.iter().map(|quota| (quota_key(quota), quota)));
        self.announced.retain(|key, _| present.contains_key(key) || windows.contains_key(key));
        let mut due = Vec::new();
        for (key, state) in present {
            let period = period_start(state);
            if let Some(announced) = self.announced.get_mut(&key) {
                if announced.period == period {
                    // Usage has clearly fallen below the delivered threshold. Lower thresholds that are still reached
                    // stay delivered.
                    while announced.threshold > 0 && !state.reached(announced.threshold.saturating_sub(self.hysteresis))
                    {
                        announced.threshold = next_below(state, announced.threshold);
                    }
                } else {
                    self.announced.remove(&key);
                }
            }
            let Some(threshold) = state.threshold().filter(|_| !state.is_quiet()) else { continue };
            let highest = self.announced.get(&key).map_or(0, |announced| announced.threshold);
            if threshold <= highest {
                continue;
            }
            if silent || self.snoozed_limits.contains_key(&state.name) {
                self.held |= quiet;
                continue;
            }
            due.push(Alert {
                id: AlertId::from_state(state, threshold, now),
                threshold,
                about: About::Limit(state.clone()),
            });
            self.announced.insert(key, Announced { threshold, period });
        }
        for (key, quota) in windows {
            let alert = self.quota_due(&key, quota, now);
            if silent {
                self.held |= quiet && alert.is_some();
                continue;
            }
            if let Some(alert) = &alert {
                self.announced.insert(key, Announced { threshold: alert.threshold, period: quota.resets_at });
            }
            due.extend(alert);
        }
        sort_by_key(&mut due, |alert| std::cmp::Reverse((alert.threshold, alert.percent())));
        due
    }

    /// The alert for a provider's window: at 80 and at 100 per cent, once until it resets.
    fn quota_due(&self, key: &str, quota: &Quota, now: Instant) -> Option<Alert> {
        let threshold = [100, 80].into_iter().find(|of| quota.percent() >= u32::from(*of) && !quota.is_over(now))?;
        let id = AlertId::from_quota(quota, threshold);
        let period = quota.resets_at;
        let announced = self.announced.get(key).filter(|announced| {
            let moved = |(one, other): (Instant, Instant)| (one - other).num_minutes().abs() > 10;
            !announced.period.zip(period).is_some_and(moved)
        });
        if announced.is_some_and(|announced| announced.threshold >= threshold) {
            return None;
        }
        Some(Alert { id, threshold, about: About::Quota(quota.clone()) })
    }

    /// When a held-back alert becomes due if nothing else changes.
    pub fn changes_at(&self, now: Instant) -> Option<Instant> {
        let quiet = self.quiet.filter(|_| self.held).and_then(|(quiet, zone)| quiet.end(now, zone));
        let snoozed = self.snoozed_limits.values().copied().chain(self.snoozed);
        snoozed.chain(quiet).filter(|until| *until > now).min()
    }
}

/// Start of the current period. Only calendar windows and blocks have one; usage of the others falls gradually.
fn period_start(state: &LimitState) -> Option<Instant> {
    match state.limit.window {
        Window::Call | Window::Hour | Window::Day | Window::Week | Window::Month | Window::Block => {
            state.span.map(|span| span.from)
        }
        Window::Rolling(_) | Window::Session | Window::Run | Window::Total => None,
    }
}

/// The next lower threshold of a limit; zero if there is none.
fn next_below(state: &LimitState, threshold: u8) -> u8 {
    state.limit.warn_at.iter().copied().filter(|lower| *lower < threshold).max().unwrap_or(0)
}
