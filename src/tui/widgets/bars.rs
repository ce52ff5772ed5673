//! Bars and sparklines.

use crate::domain::Instant;
use crate::meter::{LimitState, Verdict};
use crate::theme::Role;

/// A bar of this width for a percentage; complete only at 100.
fn gauge(per_cent: u64, columns: usize) -> String {
    let whole = u64::try_from(columns).unwrap_or(0);
    let filled = usize::try_from(per_cent.min(100) * whole / 100).unwrap_or(columns);
    "█".repeat(filled) + &"░".repeat(columns - filled)
}

const HEIGHTS: [char; 9] = [' ', '▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

/// A sparkline of the last values; any value above zero is visible.
pub(in super::super) fn spark(values: &[u64], most: u64, columns: usize) -> String {
    let shown = &values[values.len().saturating_sub(columns)..];
    shown.iter().map(|value| HEIGHTS[eighths(*value, most)]).collect()
}

fn eighths(value: u64, most: u64) -> usize {
    if value == 0 || most == 0 {
        return 0;
    }
    let part = u128::from(value) * 8 / u128::from(most);
    usize::try_from(part).unwrap_or(8).clamp(1, 8)
}

/// A limit's bar, with a tick where the period stands: beyond the bar while there is time for more.
pub(in super::super) fn limit_bar(limit: &LimitState, columns: usize, now: Instant) -> String {
    let bar = gauge(limit.percent, columns);
    let Some(tick) = gone(limit, columns, now) else { return bar };
    bar.chars().enumerate().map(|(at, letter)| if at == tick { '╷' } else { letter }).collect()
}

/// The column in which the present moment lies within a limit's period.
fn gone(limit: &LimitState, columns: usize, now: Instant) -> Option<usize> {
    let has_period = limit.limit.window.is_periodic();
    let span = limit.span.filter(|span| has_period && span.contains(now))?;
    let whole = (span.until - span.from).num_seconds().max(1);
    let part = (now - span.from).num_seconds().checked_mul(i64::try_from(columns).ok()?)? / whole;
    usize::try_from(part).ok().filter(|part| *part < columns)
}

/// The role in which a limit is shown: a warning as soon as the forecast reaches it before the reset.
pub(in super::super) fn role_of(limit: &LimitState) -> Role {
    match limit.verdict {
        _ if limit.has_ended() => Role::Dim,
        Verdict::Under if limit.is_running_out() => Role::Warning,
        Verdict::Under => Role::Good,
        Verdict::Near => Role::Warning,
        Verdict::Over => Role::Danger,
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
