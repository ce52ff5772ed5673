//! Bars, sparklines, and the line of a limit.

use ratatui::text::{Line, Span};

use super::{ink, width};
use crate::domain::{Instant, Zone};
use crate::meter::{LimitState, Verdict};
use crate::text;
use crate::theme::{Role, Theme};

/// A bar of this width for a percentage; complete only at 100.
pub(in super::super) fn gauge(per_cent: u64, columns: usize) -> String {
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

/// Colour role of a limit's verdict.
pub(in super::super) fn role_of(verdict: Verdict) -> Role {
    match verdict {
        Verdict::Under => Role::Good,
        Verdict::Near => Role::Warning,
        Verdict::Over => Role::Danger,
    }
}

/// `day  400,000 of 500,000  ████████░░  80% ⚠  16:40`, shortened to the available width.
pub(in super::super) fn limit_line(
    theme: &Theme,
    limit: &LimitState,
    (names, used): (usize, usize),
    room: usize,
    now: Instant,
    zone: Zone,
) -> Line<'static> {
    let role = role_of(limit.verdict);
    let mark = match limit.verdict {
        Verdict::Under => "  ",
        Verdict::Near => " ⚠",
        Verdict::Over => " ■",
    };
    let name = ink(theme, Role::Text, text::pad(&text::scope(limit), names) + " ");
    let per_cent = ink(theme, role, format!("{:>4}%{mark}", limit.percent));
    let used = ink(theme, Role::Text, text::pad(&text::used_of(limit), used) + "  ");
    let hit = match (limit.verdict, limit.hit) {
        (Verdict::Over, _) => "over".to_owned(),
        (Verdict::Under | Verdict::Near, Some((likely, _))) => text::moment(likely, now, zone),
        (Verdict::Under | Verdict::Near, None) => String::new(),
    };
    let hit = ink(theme, role, format!("  {}", text::pad(&hit, 9)));
    let with = |before: &[&Span<'static>], after: &[&Span<'static>], least: usize| -> Option<Line<'static>> {
        let parts = before.iter().chain(after);
        let taken: usize = parts.map(|part| width(std::slice::from_ref(*part))).sum();
        let bar = room.checked_sub(taken)?.min(20);
        if bar < least {
            return None;
        }
        let bar = if least == 0 { String::new() } else { gauge(limit.percent, bar) };
        let mut spans: Vec<Span<'static>> = before.iter().map(|part| (*part).clone()).collect();
        spans.push(ink(theme, role, bar));
        spans.extend(after.iter().map(|part| (*part).clone()));
        Some(Line::from(spans))
    };
    with(&[&name, &used], &[&per_cent, &hit], 10)
        .or_else(|| with(&[&name, &used], &[&per_cent], 5))
        .or_else(|| with(&[&name], &[&per_cent], 5))
        .or_else(|| with(&[&name], &[&per_cent], 0))
        .unwrap_or_else(|| Line::from(vec![per_cent]))
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
