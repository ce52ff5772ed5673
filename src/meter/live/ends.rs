//! Forecasts beyond today, all based on the same daily average: spending at the end of the month, and when a limit
//! longer than a day will be used up.

use chrono::Duration;

use super::Meter;
use crate::domain::{Filter, Instant, Ratio, Span, Usd};
use crate::ledger::Sums;
use crate::meter::amount::Measure;
use crate::meter::forecast::Outlook;
use crate::meter::limit::{LimitState, Verdict};
use crate::meter::used::Used;
use crate::meter::window::Window;

/// How far ahead a total limit is forecast.
const AHEAD: Duration = Duration::days(31);

impl Meter {
    /// Forecast of the dollars spent by the end of the day and of the month.
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
            // Today ends as its own forecast says, but not below an average day.
            before + by_day_end.unwrap_or_default().max(a_day) + later
        });
        (by_day_end, by_month_end)
    }

    /// Average dollars per whole day since a midnight, or since the first call; `None` before one whole day is over.
    ///
    /// The rest of the month continues at this average: a forecast of weeks must not follow the rate of a single
    /// minute.
    fn average(&self, spent: Usd, from: Instant) -> Option<Usd> {
        let hours = self.whole_hours(from)?;
        Some(spent.scaled(Ratio { num: 24, den: hours }))
    }

    /// Hours in the whole days between a midnight, or the day of the first call, and today.
    fn whole_hours(&self, from: Instant) -> Option<u32> {
        let begun = self.sessions.earliest().filter(|_| self.sessions.complete).unwrap_or(from);
        let first = Span::day(begun, self.rules.zone).from.max(from);
        u32::try_from((self.today.0.from - first).num_hours()).ok().filter(|hours| *hours >= 23)
    }

    /// Forecasts when a week, month or total limit that covers everything will be used up. Today follows the forecast
    /// of the day's limit and later days the monthly average, as in the forecast for the end of the month. Only the
    /// rest of a day without work is not made up for: the time would move on with the clock.
    pub(super) fn add_forecast(&self, state: &mut LimitState, outlook: &Outlook<'_>) {
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
        // Limits also count calls that are out of view, for which there is no daily average.
        let covers_all = state.limit.scope.names().is_empty() && self.rules.view == Filter::default();
        let Some(until) = until.filter(|_| covers_all && state.verdict != Verdict::Over) else { return };
        let today = outlook.projected_before(state, self.today.0.until.min(until));
        let kinds = Measure::ALL.into_iter().filter_map(|measure| self.later(state, measure, until, outlook));
        state.projected = kinds.chain(today).min_by_key(|(likely, _)| *likely);
    }

    /// When the coming days use up a limit in one unit, and when they would at a quarter more or less per day.
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
            let seconds = |whole: Duration, part: i128, of: i128| {
                let seconds = i128::from(whole.num_seconds()).saturating_mul(part).checked_div(of)?;
                i64::try_from(seconds).ok().and_then(Duration::try_seconds)
            };
            let at = if left <= expected {
                now.checked_add_signed(seconds(midnight - now, left, expected)?)
            } else {
                // An average day has used as much by then. While nothing is used, this time stays the same.
                let is_today = left <= a_day - today;
                let usual = self.today.0.from.checked_add_signed(seconds(Duration::days(1), today + left, a_day)?);
                usual.filter(|usual| is_today && *usual > now).or_else(|| {
                    // A day that is behind the average does not make up for it before midnight.
                    let rest_of_today = if is_today { expected } else { expected.max(a_day - today) };
                    midnight.checked_add_signed(seconds(Duration::days(1), left - rest_of_today, a_day)?)
                })
            };
            at.filter(|at| *at < until)
        };
        let likely = when(a_day)?;
        let early = when(a_day.saturating_mul(5) / 4).unwrap_or(likely).min(likely);
        let late = when(a_day.saturating_mul(4) / 5).unwrap_or(until).max(likely);
        Some((likely, Span { from: early, until: late }))
    }
}
