//! Alerts: once for each limit, subject, threshold and period, and never in quiet hours.

use std::collections::BTreeMap;
use std::fmt;

use chrono::{Duration, NaiveTime, TimeZone};

use super::limit::{LimitState, Verdict, Window};
use crate::domain::{Instant, Zone};

/// Something to say aloud.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Alert {
    /// What names it in the books, so that several processes say it once.
    pub id: AlertId,
    /// The threshold that was reached, in per cent; 100 is the limit itself.
    pub threshold: u8,
    /// The limit as it stood: what the body is written from.
    pub limit: LimitState,
}

impl Alert {
    /// The fact: `80% of daily limit used`, `daily limit reached`.
    pub fn title(&self) -> String {
        match self.limit.verdict {
            Verdict::Under | Verdict::Near => format!("{}% of {} limit used", self.limit.percent, self.limit.name),
            Verdict::Over => format!("{} limit reached", self.limit.name),
        }
    }
}

/// Names one alert: its limit, whose it is, the threshold and the period.
///
/// It is text a person can read in the books: `daily tokens=500000 @80 2026-11-22T00:00:00Z`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AlertId(String);

impl AlertId {
    /// The name of this threshold of this limit in the period that holds `now`.
    ///
    /// A changed amount is another limit. A rolling window has no periods: its length of time counts
    /// as one, so that it speaks at most once in that time.
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

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for AlertId {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.pad(&self.0)
    }
}

/// What names a limit and whose it is, without the period.
fn subject(state: &LimitState) -> String {
    let names = state.limit.scope.only.iter().map(|(dimension, names)| format!(" {dimension}={}", names.as_str()));
    let whose = state.subject.iter().map(|subject| format!(" ({subject})"));
    let amount = &state.limit.amount;
    let amounts = [
        amount.usd.map(|usd| format!(" usd={usd}")),
        amount.tokens.map(|tokens| format!(" tokens={tokens}")),
        amount.output_tokens.map(|tokens| format!(" output={tokens}")),
    ];
    let details: String = names.chain(whose).chain(amounts.into_iter().flatten()).collect();
    let name = super::evaluate::stable_name(&state.limit, state.subject.as_deref());
    format!("{name}{details}")
}

/// Hours of the local day in which nothing is said; they may pass midnight.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct QuietHours {
    /// From this time of day on.
    pub from: NaiveTime,
    /// Until this time of day.
    pub until: NaiveTime,
    /// Whose day.
    pub zone: Zone,
}

impl QuietHours {
    /// True when nothing may be said now.
    pub fn hold(&self, now: Instant) -> bool {
        let time = now.with_timezone(&self.zone).time();
        if self.from <= self.until {
            self.from <= time && time < self.until
        } else {
            time >= self.from || time < self.until
        }
    }

    /// The next moment at which they end.
    fn end(&self, now: Instant) -> Option<Instant> {
        let today = now.with_timezone(&self.zone).date_naive();
        [Some(today), today.succ_opt()].into_iter().flatten().find_map(|day| {
            // A clock change may swallow the moment: then they end when the clock is past it.
            let end = (0..4).find_map(|hours| {
                let local = day.and_time(self.until).checked_add_signed(Duration::hours(hours))?;
                self.zone.from_local_datetime(&local).earliest()
            });
            end.map(|end| end.to_utc()).filter(|end| *end > now)
        })
    }
}

/// Remembers what was said. What is held back by quiet hours or a snooze is said after them, if it is still so.
#[derive(Clone, Debug)]
pub struct Alerts {
    quiet: Option<QuietHours>,
    /// How far below a threshold, in points of a per cent, use must fall before the threshold can fire again.
    hysteresis: u8,
    /// Nothing is said before; of every limit, or of one by its name.
    snoozed: Option<Instant>,
    snoozed_limits: BTreeMap<String, Instant>,
    /// True while quiet hours hold something back.
    held: bool,
    /// The highest threshold said of each limit and subject, and the period it was said in.
    said: BTreeMap<String, Said>,
}

#[derive(Clone, Copy, Debug)]
struct Said {
    threshold: u8,
    period: Option<Instant>,
}

impl Default for Alerts {
    fn default() -> Self {
        Self::new(None, 5)
    }
}

impl Alerts {
    /// Nothing said yet. Use must fall by `hysteresis` points of a per cent below a threshold before the threshold can
    /// fire again: with 0, anything below it.
    pub fn new(quiet: Option<QuietHours>, hysteresis: u8) -> Self {
        Self { quiet, hysteresis, snoozed: None, snoozed_limits: BTreeMap::new(), held: false, said: BTreeMap::new() }
    }

    /// Says nothing before `until`.
    pub fn snooze(&mut self, until: Instant) {
        self.snoozed = Some(until);
    }

    /// Says nothing of this limit, known by [`LimitState::name`], before `until`.
    pub fn snooze_limit(&mut self, name: &str, until: Instant) {
        self.snoozed_limits.insert(name.to_owned(), until);
    }

    /// Ends every snooze.
    pub fn wake(&mut self) {
        self.snoozed = None;
        self.snoozed_limits.clear();
    }

    /// What is to be said now. Several thresholds passed at once are said as one: the highest.
    ///
    /// The caller asks the books to remember `Alert::id` and says only what they had not heard of.
    pub fn due(&mut self, limits: &[LimitState], now: Instant) -> Vec<Alert> {
        self.snoozed = self.snoozed.filter(|until| *until > now);
        self.snoozed_limits.retain(|_, until| *until > now);
        let quiet = self.quiet.is_some_and(|quiet| quiet.hold(now));
        let silent = quiet || self.snoozed.is_some();
        self.held = false;
        let present: BTreeMap<String, &LimitState> = limits.iter().map(|state| (subject(state), state)).collect();
        self.said.retain(|key, _| present.contains_key(key));
        let mut due = Vec::new();
        for (key, state) in present {
            let period = period_start(state);
            if let Some(said) = self.said.get_mut(&key) {
                if said.period == period {
                    // Fallen clearly below what was said: the lower thresholds still reached stay said.
                    while said.threshold > 0 && !state.reached(said.threshold.saturating_sub(self.hysteresis)) {
                        said.threshold = next_below(state, said.threshold);
                    }
                } else {
                    self.said.remove(&key);
                }
            }
            let Some(threshold) = state.threshold().filter(|_| !state.has_ended()) else { continue };
            let heard = self.said.get(&key).map_or(0, |said| said.threshold);
            if threshold <= heard {
                continue;
            }
            if silent || self.snoozed_limits.contains_key(&state.name) {
                self.held |= quiet;
                continue;
            }
            due.push(Alert { id: AlertId::from_state(state, threshold, now), threshold, limit: state.clone() });
            self.said.insert(key, Said { threshold, period });
        }
        due.sort_by_key(|alert| std::cmp::Reverse((alert.threshold, alert.limit.percent)));
        due
    }

    /// When something held back may be said, if nothing else happens before.
    pub fn changes_at(&self, now: Instant) -> Option<Instant> {
        let quiet = self.quiet.filter(|_| self.held).and_then(|quiet| quiet.end(now));
        let snoozed = self.snoozed_limits.values().copied().chain(self.snoozed);
        snoozed.chain(quiet).filter(|until| *until > now).min()
    }
}

/// A period rolls for calendar windows only; the others fall back by use falling.
fn period_start(state: &LimitState) -> Option<Instant> {
    match state.limit.window {
        Window::Call | Window::Hour | Window::Day | Window::Week | Window::Month => state.span.map(|span| span.from),
        Window::Rolling(_) | Window::Session | Window::Run | Window::Total => None,
    }
}

/// The next lower threshold of a limit; zero below the lowest.
fn next_below(state: &LimitState, threshold: u8) -> u8 {
    state.limit.warn_at.iter().copied().filter(|lower| *lower < threshold).max().unwrap_or(0)
}
