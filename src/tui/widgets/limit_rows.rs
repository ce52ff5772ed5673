//! Rows of limits: name, bar, per cent, remaining amount, time when full, reset time.

use ratatui::text::{Line, Span};

use super::super::limit_widths::LimitWidths;
use super::{limit_bar, mark_of, quota_bar, role_of, role_of_quota, styled};
use crate::domain::{Instant, Quota, Zone};
use crate::meter::{LimitState, Verdict};
use crate::text;
use crate::theme::{Role, Theme};

/// Minimum width of a percentage and its mark.
const PER_CENT: usize = 8;

/// The texts for one limit.
struct LimitCells {
    name: String,
    /// The name for narrow rows: only the session, if that is clear.
    short_name: String,
    per_cent: String,
    left: String,
    left_of: String,
    full: String,
    resets: String,
}

impl LimitCells {
    fn from_limit(limit: &LimitState, (short_name, name): (String, String), now: Instant, zone: Zone) -> Self {
        let full = match limit.verdict {
            _ if limit.lifted => "lifted".to_owned(),
            _ if limit.has_ended() => "ended".to_owned(),
            // `left` shows how far over it is.
            Verdict::Over => String::new(),
            Verdict::Under | Verdict::Near => text::full_at(limit, now, zone).unwrap_or_default(),
        };
        Self {
            short_name,
            name,
            per_cent: format!(" {:>5} {:1}", text::percent(limit), mark_of(limit)),
            left: text::left(limit),
            left_of: text::left_of(limit),
            full,
            resets: text::resets(limit, now, zone).unwrap_or_default(),
        }
    }

    fn of_quota(quota: &Quota, now: Instant, zone: Zone) -> Self {
        let over = quota.is_over(now);
        let left = format!("{}% left", 100_u32.saturating_sub(quota.percent()));
        let left = if over { String::new() } else { left };
        Self {
            name: text::quota_name(quota),
            short_name: text::quota_name(quota),
            per_cent: if over { "     ?  ".to_owned() } else { format!("{:>5}%  ", quota.percent()) },
            left_of: left.clone(),
            left,
            full: match quota.resets_at {
                Some(at) if over => format!("was reset {}", text::moment(at, now, zone)),
                Some(_) | None => text::quota_resets(quota, now, zone),
            },
            // A fixed time, which needs no ticking clock.
            resets: format!("stated {}", text::moment(quota.seen, now, zone)),
        }
    }
}

/// Width of the columns before and after the bar.
struct Plan {
    name: usize,
    bar: usize,
    left: usize,
    is_short: bool,
    per_cent: usize,
    full: usize,
    resets: usize,
}

impl Plan {
    /// Shows as much as there is room for. The bar takes the room that the texts leave.
    fn fit(words: &[LimitCells], widths: &LimitWidths, room: usize) -> Self {
        let widest =
            |of: fn(&LimitCells) -> &String| words.iter().map(|words| text::width(of(words))).max().unwrap_or(0);
        // No column becomes narrower while amounts grow.
        let left = widest(|words| &words.left).max(widths.left);
        let left_of = widest(|words| &words.left_of).max(widths.left_of);
        let full = widest(|words| &words.full).max(widths.full);
        let resets = widest(|words| &words.resets).max(widths.resets);
        let per_cent = widest(|words| &words.per_cent).max(PER_CENT).max(widths.percent + 3);
        let cells = |width: usize| if width == 0 { 0 } else { width + 2 };
        // Use a shorter name, and truncate it, before dropping the time when the limit is full. Never truncate a name
        // if the bar can spare the room.
        let whole = widest(|words| &words.name).max(5);
        let short = widest(|words| &words.short_name).clamp(5, (room * 2 / 5).max(8));
        let wordings = [
            (whole, left_of, false, full, resets, 10),
            (whole, left, true, full, resets, 10),
            (whole, left, true, full, 0, 8),
            (whole, left, true, full, 0, 4),
            (short, left, true, full, 0, 8),
            (short, left, true, 0, 0, 6),
            (short, 0, true, 0, 0, 4),
        ];
        let plan = wordings.into_iter().find_map(|(least_name, left, is_short, full, resets, least)| {
            let spare = room.checked_sub(1 + per_cent + cells(left) + cells(full) + cells(resets) + least)?;
            let name = if spare < whole { short } else { whole };
            (spare >= name && name >= least_name).then(|| Self {
                name,
                bar: spare - name + least,
                left,
                is_short,
                per_cent,
                full,
                resets,
            })
        });
        plan.unwrap_or(Self {
            name: room.saturating_sub(per_cent + 1),
            bar: 0,
            left: 0,
            is_short: true,
            per_cent,
            full: 0,
            resets: 0,
        })
    }
}

/// A line for each limit and each provider's window. The columns are aligned, and the bars use the remaining room.
pub(in super::super) fn limit_lines(
    theme: &Theme,
    limits: &[&LimitState],
    quotas: &[&Quota],
    widths: &LimitWidths,
    room: usize,
    now: Instant,
    zone: Zone,
) -> Vec<Line<'static>> {
    let names = text::row_names(limits);
    let names = text::short_names(limits, &names).into_iter().zip(names);
    let words = limits.iter().zip(names).map(|(limit, names)| LimitCells::from_limit(limit, names, now, zone));
    let words: Vec<LimitCells> =
        words.chain(quotas.iter().map(|quota| LimitCells::of_quota(quota, now, zone))).collect();
    let plan = Plan::fit(&words, widths, room);
    let of_limits = limits.iter().map(|limit| (role_of(limit), limit_bar(limit, plan.bar, now)));
    let of_quotas = quotas.iter().map(|quota| (role_of_quota(quota, now), quota_bar(quota, plan.bar, now)));
    let line = |((role, bar), words): ((Role, String), &LimitCells)| {
        let mut spans: Vec<Span<'static>> = Vec::new();
        if plan.name > 0 {
            let name = if text::width(&words.name) > plan.name { &words.short_name } else { &words.name };
            let name = text::fit_name(name, plan.name);
            spans.push(styled(theme, Role::Text, text::pad(&name, plan.name) + " "));
        }
        spans.push(styled(theme, role, bar));
        spans.push(styled(theme, role, text::pad_left(&words.per_cent, plan.per_cent)));
        let left = if plan.is_short { &words.left } else { &words.left_of };
        // A full limit has no forecast, so show its reset time there, unless that has a column of its own.
        let is_free = plan.resets == 0 && words.per_cent.ends_with('■') && text::width(&words.resets) <= plan.full;
        let full = if is_free && words.full.is_empty() { &words.resets } else { &words.full };
        for (width, word, role) in
            [(plan.left, left, Role::Text), (plan.full, full, role), (plan.resets, &words.resets, Role::Dim)]
        {
            if width > 0 {
                spans.push(styled(theme, role, format!("  {}", text::pad(word, width))));
            }
        }
        Line::from(spans)
    };
    of_limits.chain(of_quotas).zip(&words).map(line).collect()
}
