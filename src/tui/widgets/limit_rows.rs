//! Rows of limits: name, bar, per cent, amount left, time when full, time of the reset.

use ratatui::text::{Line, Span};

use super::{ink, limit_bar, role_of};
use crate::domain::{Instant, Zone};
use crate::meter::{LimitState, Verdict};
use crate::text;
use crate::theme::{Role, Theme};

/// The words of one limit.
struct Words {
    name: String,
    per_cent: String,
    left: String,
    left_of: String,
    full: String,
    resets: String,
}

impl Words {
    fn of(limit: &LimitState, now: Instant, zone: Zone) -> Self {
        let mark = match limit.verdict {
            _ if limit.has_ended() => "  ",
            Verdict::Under => "  ",
            Verdict::Near => " ⚠",
            Verdict::Over => " ■",
        };
        let full = match limit.verdict {
            _ if limit.has_ended() => "ended".to_owned(),
            // `left` says how much it is over.
            Verdict::Over => String::new(),
            Verdict::Under | Verdict::Near => text::full_at(limit, now, zone).unwrap_or_default(),
        };
        Self {
            name: text::scope(limit),
            per_cent: format!("{:>4}%{mark}", limit.percent),
            left: text::left(limit),
            left_of: text::left_of(limit),
            full,
            resets: text::resets(limit, now, zone).unwrap_or_default(),
        }
    }
}

/// Columns before the bar and behind it.
struct Plan {
    name: usize,
    bar: usize,
    left: usize,
    is_short: bool,
    full: usize,
    resets: usize,
}

impl Plan {
    /// As much as there is room for; the bar takes what the words leave.
    fn of(words: &[Words], room: usize) -> Self {
        let widest = |of: fn(&Words) -> &String| words.iter().map(|words| text::width(of(words))).max().unwrap_or(0);
        let name = widest(|words| &words.name).clamp(5, (room / 3).max(8));
        let (left, left_of) = (widest(|words| &words.left), widest(|words| &words.left_of));
        let (full, resets) = (widest(|words| &words.full), widest(|words| &words.resets));
        let cells = |width: usize| if width == 0 { 0 } else { width + 2 };
        let wordings = [
            (left_of, false, full, resets, 10),
            (left, true, full, resets, 10),
            (left, true, full, 0, 8),
            (left, true, 0, 0, 6),
            (0, true, 0, 0, 4),
        ];
        let plan = wordings.into_iter().find_map(|(left, is_short, full, resets, least)| {
            let words = name + 1 + 7 + cells(left) + cells(full) + cells(resets);
            let bar = room.checked_sub(words).filter(|bar| *bar >= least)?;
            Some(Self { name, bar, left, is_short, full, resets })
        });
        plan.unwrap_or(Self { name: room.saturating_sub(8), bar: 0, left: 0, is_short: true, full: 0, resets: 0 })
    }
}

/// A line for each limit; their columns stand below each other, and the bars are as long as there is room.
pub(in super::super) fn limit_lines(
    theme: &Theme,
    limits: &[&LimitState],
    room: usize,
    now: Instant,
    zone: Zone,
) -> Vec<Line<'static>> {
    let words: Vec<Words> = limits.iter().map(|limit| Words::of(limit, now, zone)).collect();
    let plan = Plan::of(&words, room);
    let line = |(limit, words): (&&LimitState, &Words)| {
        let role = role_of(limit);
        let mut spans: Vec<Span<'static>> = Vec::new();
        if plan.name > 0 {
            let name = text::fit_middle(&words.name, plan.name);
            spans.push(ink(theme, Role::Text, text::pad(&name, plan.name) + " "));
        }
        spans.push(ink(theme, role, limit_bar(limit, plan.bar, now)));
        spans.push(ink(theme, role, words.per_cent.clone()));
        let left = if plan.is_short { &words.left } else { &words.left_of };
        for (width, word, role) in
            [(plan.left, left, Role::Text), (plan.full, &words.full, role), (plan.resets, &words.resets, Role::Dim)]
        {
            if width > 0 {
                spans.push(ink(theme, role, format!("  {}", text::pad(word, width))));
            }
        }
        Line::from(spans)
    };
    limits.iter().zip(&words).map(line).collect()
}
