//! Bars and sparklines.

use chrono::Duration;

use crate::domain::{Instant, Quota, Span, Usd};
use crate::meter::{LimitState, TREND, Trend, Verdict};
use crate::theme::Role;

/// A bar of this width for a percentage. It is only full at 100.
pub(in super::super) fn gauge(per_cent: u64, columns: usize) -> String {
    let whole = u64::try_from(columns).unwrap_or(0);
    let filled = usize::try_from(per_cent.min(100) * whole / 100).unwrap_or(columns);
    "█".repeat(filled) + &"░".repeat(columns - filled)
}

const HEIGHTS: [char; 9] = [' ', '▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

/// A sparkline of the last values. Any value above zero is visible.
pub(in super::super) fn spark(values: &[u64], most: u64, columns: usize) -> String {
    let shown = &values[values.len().saturating_sub(columns)..];
    shown.iter().map(|value| HEIGHTS[eighths(*value, most)]).collect()
}

/// Sparklines of several trends on a common scale: of dollars, or of tokens if nothing has a price. They end with the
/// last whole minute, because an unfinished minute would look like a drop.
pub(in super::super) struct Sparks {
    columns: usize,
    /// Number of minutes to leave out at the end of each trend.
    running: usize,
    pub(in super::super) is_in_dollars: bool,
    most: u64,
}

impl Sparks {
    /// The common scale of these trends, which end at the minute of `until`, over as many minutes as there are columns.
    pub(in super::super) fn scaled_to<'a>(
        trends: impl Iterator<Item = &'a Trend> + Clone,
        columns: usize,
        (until, now): (Instant, Instant),
    ) -> Self {
        let running = usize::from(until.timestamp().div_euclid(60) >= now.timestamp().div_euclid(60));
        let columns = columns.min(TREND - running);
        let is_in_dollars = trends.clone().any(|trend| trend.usd.iter().any(|usd| *usd > Usd::ZERO));
        let mut sparks = Self { columns, running, is_in_dollars, most: 0 };
        sparks.most = trends.flat_map(|trend| sparks.values(trend)).max().unwrap_or(0);
        sparks
    }

    /// The last minutes of a trend, one per column.
    pub(in super::super) fn draw(&self, trend: &Trend) -> String {
        spark(&self.values(trend), self.most, self.columns)
    }

    fn values(&self, trend: &Trend) -> Vec<u64> {
        if self.is_in_dollars {
            return self.last(&trend.usd).iter().map(|usd| micros(*usd)).collect();
        }
        self.last(&trend.tokens).to_vec()
    }

    fn last<'a, T>(&self, minutes: &'a [T]) -> &'a [T] {
        let whole = &minutes[..minutes.len().saturating_sub(self.running)];
        &whole[whole.len().saturating_sub(self.columns)..]
    }
}

/// Millionths of a dollar: precise enough for a chart, with room for multiplication.
pub(in super::super) fn micros(amount: Usd) -> u64 {
    u64::try_from(amount.rounded(6)).unwrap_or(0)
}

fn eighths(value: u64, most: u64) -> usize {
    if value == 0 || most == 0 {
        return 0;
    }
    let part = u128::from(value) * 8 / u128::from(most);
    usize::try_from(part).unwrap_or(8).clamp(1, 8)
}

/// A limit's bar, with a tick at the current time within the period. As long as the tick is ahead of the bar, there is
/// time to use more.
pub(in super::super) fn limit_bar(limit: &LimitState, columns: usize, now: Instant) -> String {
    // A full bar has no gap for a tick.
    let has_period = limit.limit.window.is_periodic() && limit.percent < 100;
    ticked(gauge(limit.percent, columns), limit.span.filter(|_| has_period), columns, now)
}

/// The bar of a provider's window; empty once it has reset.
pub(in super::super) fn quota_bar(quota: &Quota, columns: usize, now: Instant) -> String {
    if quota.is_over(now) {
        return gauge(0, columns);
    }
    if quota.percent() >= 100 {
        return gauge(100, columns);
    }
    let length = Duration::minutes(quota.minutes.into());
    let span = quota.resets_at.and_then(|until| Some(Span { from: until.checked_sub_signed(length)?, until }));
    ticked(gauge(quota.percent().into(), columns), span, columns, now)
}

fn ticked(bar: String, period: Option<Span>, columns: usize, now: Instant) -> String {
    let Some(tick) = period.and_then(|period| gone(period, columns, now)) else { return bar };
    bar.chars().enumerate().map(|(at, letter)| if at == tick { '╷' } else { letter }).collect()
}

/// The column that corresponds to the current time within a period.
fn gone(span: Span, columns: usize, now: Instant) -> Option<usize> {
    if !span.contains(now) {
        return None;
    }
    let whole = (span.until - span.from).num_seconds().max(1);
    let part = (now - span.from).num_seconds().checked_mul(i64::try_from(columns).ok()?)? / whole;
    usize::try_from(part).ok().filter(|part| *part < columns)
}

/// The role in which a limit is shown. It is a warning as soon as the forecast says it will be reached before it
/// resets.
pub(in super::super) fn role_of(limit: &LimitState) -> Role {
    match limit.verdict {
        _ if limit.is_quiet() => Role::Dim,
        Verdict::Under if limit.is_running_out() => Role::Warning,
        Verdict::Under => Role::Good,
        Verdict::Near => Role::Warning,
        Verdict::Over => Role::Danger,
    }
}

/// The mark of a limit that is near or reached. One that is reached keeps it when its session has ended, although it no
/// longer warns.
pub(in super::super) fn mark_of(limit: &LimitState) -> &'static str {
    match limit.verdict {
        _ if limit.lifted => "",
        Verdict::Over => "■",
        Verdict::Near if !limit.has_ended() => "⚠",
        Verdict::Near | Verdict::Under => "",
    }
}

/// The same as [`role_of`] for a provider's window.
pub(in super::super) fn role_of_quota(quota: &Quota, now: Instant) -> Role {
    match quota.percent() {
        _ if quota.is_over(now) => Role::Dim,
        100.. => Role::Danger,
        80.. => Role::Warning,
        _ => Role::Good,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bar_is_full_only_when_nothing_is_left() {
        assert_eq!(gauge(80, 20), "████████████████░░░░");
        assert_eq!(gauge(99, 20), "███████████████████░");
        assert_eq!(gauge(250, 4), "████");
        assert_eq!(gauge(0, 3), "░░░");
    }

    #[test]
    fn a_sparkline_shows_every_minute_with_anything_in_it() {
        assert_eq!(spark(&[0, 1, 500, 1000], 1000, 10), " ▁▄█");
        assert_eq!(spark(&[0, 1, 500, 1000], 1000, 2), "▄█");
        assert_eq!(spark(&[0, 0], 0, 2), "  ");
        assert_eq!(spark(&[u64::MAX], u64::MAX, 1), "█");
    }
}
