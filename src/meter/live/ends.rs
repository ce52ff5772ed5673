//! Forecasts beyond today, which all follow from the same days: the month's end, and when a limit of weeks is full.

use chrono::Duration;

use super::Meter;
use crate::domain::{Filter, Instant, Ratio, Span, Usd};
use crate::ledger::Sums;
use crate::meter::amount::Measure;
use crate::meter::forecast::Outlook;
use crate::meter::limit::{LimitState, Verdict};
use crate::meter::used::Used;
use crate::meter::window::Window;

/// How far ahead the end of a limit of all time is foretold.
const AHEAD: Duration = Duration::days(31);

impl Meter {
    /// Forecast of the day's and the month's dollars.
    pub(super) fn ends(&self, outlook: &Outlook<'_>) -> (Option<Usd>, Option<Usd>) {
        let (day, today) = (self.today.0, self.today.1);
        let by_day_end = (today.calls > 0).then(|| today.cost + outlook.expected(day.until, None));
        if self.month.1.calls == 0 {
            return (by_day_end, None);
        }
        let (month, spent) = (self.month.0, self.month.1.cost);
        let before = spent - today.cost;
        let by_month_end = self.average(before, month.from).map(|a_day| {
            let left = u64::try_from((month.until - day.until).num_hours()).unwrap_or(0);
            let later = a_day.times(left).scaled(Ratio { num: 1, den: 24 });
            // Today ends as its own forecast says, and not below a usual day.
            before + by_day_end.unwrap_or_default().max(a_day) + later
        });
        (by_day_end, by_month_end)
    }

    /// Dollars a day over the whole days since a midnight, or since the first call; nothing before one is over.
    ///
    /// The month goes on as its whole days have: a forecast of weeks must not follow the pace of a minute.
    fn average(&self, spent: Usd, from: Instant) -> Option<Usd> {
        let hours = self.whole_hours(from)?;
        Some(spent.scaled(Ratio { num: 24, den: hours }))
    }

    /// Hours of the whole days between a midnight, or the day of the first call, and today.
    fn whole_hours(&self, from: Instant) -> Option<u32> {
        let begun = self.sessions.earliest().filter(|_| self.sessions.complete).unwrap_or(from);
        let first = Span::day(begun, self.rules.zone).from.max(from);
        u32::try_from((self.today.0.from - first).num_hours()).ok().filter(|hours| *hours >= 23)
    }

    /// When a limit of a week, a month or all time that covers everything is full: the day goes on as that of the day's
    /// limit does, and the days after it as those of the month, so that it agrees with the forecast of the month's end.
    pub(super) fn foretell(&self, state: &mut LimitState, outlook: &Outlook<'_>) {
        let until = match state.limit.window {
            Window::Week | Window::Month => state.span.map(|span| span.until),
            Window::Total => outlook.now.checked_add_signed(AHEAD),
            Window::Call
            | Window::Session
            | Window::Run
            | Window::Hour
            | Window::Day
            | Window::Block
            | Window::Rolling(_) => None,
        };
        // Limits also count what is out of view, of whose days nothing is known.
        let covers_all = state.limit.scope.names().is_empty() && self.rules.view == Filter::default();
        let Some(until) = until.filter(|_| covers_all && state.verdict != Verdict::Over) else { return };
        let today = outlook.projected_before(state, self.today.0.until.min(until));
        let kinds = Measure::ALL.into_iter().filter_map(|measure| self.later(state, measure, until, outlook));
        state.projected = kinds.chain(today).min_by_key(|(likely, _)| *likely);
    }

    /// When the days to come fill a limit in one unit, and when a quarter more or less a day would.
    fn later(
        &self,
        state: &LimitState,
        measure: Measure,
        until: Instant,
        outlook: &Outlook<'_>,
    ) -> Option<(Instant, Span)> {
        let (allowed, used) = (measure.amount_of(&state.limit.amount)?, measure.amount_of(&state.used)?);
        let left = allowed.checked_sub(used).filter(|left| *left > 0)?;
        let amount = |sums: &Sums| {
            measure.amount_of(&Used::from_sums(sums, self.rules.fallback.as_ref()).amount(&state.limit.amount))
        };
        let today = amount(&self.today.1)?;
        let (spent, hours) = [self.month, self.week]
            .into_iter()
            .find_map(|(span, sums)| Some((amount(&sums)? - today, self.whole_hours(span.from)?)))?;
        let a_day = spent.max(0).saturating_mul(24) / i128::from(hours);
        let (now, midnight) = (self.as_of, self.today.0.until);
        let expected = outlook.expected_of(measure, midnight, None);
        let when = |a_day: i128| {
            let rest_of_today = (a_day - today).max(expected);
            let seconds = |whole: Duration, part: i128, of: i128| {
                let seconds = i128::from(whole.num_seconds()).saturating_mul(part).checked_div(of)?;
                i64::try_from(seconds).ok().and_then(Duration::try_seconds)
            };
            let at = if left <= rest_of_today {
                now.checked_add_signed(seconds(midnight - now, left, rest_of_today)?)
            } else {
                midnight.checked_add_signed(seconds(Duration::days(1), left - rest_of_today, a_day)?)
            };
            at.filter(|at| *at < until)
        };
        let likely = when(a_day)?;
        let early = when(a_day.saturating_mul(5) / 4).unwrap_or(likely).min(likely);
        let late = when(a_day.saturating_mul(4) / 5).unwrap_or(until).max(likely);
        Some((likely, Span { from: early, until: late }))
    }
}
