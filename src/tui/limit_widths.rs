//! Column widths that the text of the limits has needed today, so that no column moves while amounts grow.

use crate::domain::{Instant, Quota, Zone};
use crate::meter::{Amount, LimitState, Summary, Verdict};
use crate::text;

/// Greatest width, in columns, of each kind of text shown for limits and providers' windows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct LimitWidths {
    /// Name in a row.
    pub(super) name: usize,
    /// `Cost: $20.00 / $25.00`.
    pub(super) used: usize,
    /// `$20/$25`.
    pub(super) used_short: usize,
    /// `$4.25 left`.
    pub(super) left: usize,
    /// The same, rounded if it is long: `25M left`.
    pub(super) left_short: usize,
    /// `$4.25 left of $25.00`.
    pub(super) left_of: usize,
    /// `80%`.
    pub(super) percent: usize,
    /// `full at 16:40`.
    pub(super) full: usize,
    /// `full at 16:40 (15:55–18:10)`.
    pub(super) band: usize,
    /// `resets 00:00`.
    pub(super) resets: usize,
}

impl LimitWidths {
    /// Widens the columns for these numbers. They only become narrower when a limit has been changed or removed, whose
    /// amounts nothing shows any more. Limits at the same index in `before` are already included.
    pub(super) fn with(mut self, before: &[LimitState], summary: &Summary, now: Instant, zone: Zone) -> Self {
        let is_kept = |before: &LimitState| summary.limits.iter().any(|limit| limit.limit == before.limit);
        let has_lost_one = !before.iter().all(is_kept);
        let before = if has_lost_one { &[] } else { before };
        if has_lost_one {
            self = Self::default();
        }
        let limits: Vec<&LimitState> = summary.limits.iter().collect();
        for (place, (limit, name)) in limits.iter().zip(text::row_names(&limits)).enumerate() {
            widen(&mut self.name, &name);
            self.add_amounts(limit);
            if before.get(place).is_none_or(|before| before.limit != limit.limit) {
                // Reserve the width from no usage to full usage, so that a growing amount never moves anything.
                self.add_amounts(&LimitState { used: Amount::default(), percent: 0, ..(*limit).clone() });
                self.add_amounts(&LimitState { used: limit.limit.amount, percent: 100, ..(*limit).clone() });
            }
            self.add_times(limit, now, zone);
        }
        for quota in &summary.quotas {
            self.add_quota(quota);
        }
        self
    }

    fn add_amounts(&mut self, limit: &LimitState) {
        widen(&mut self.used, &text::banner_amounts(limit));
        widen(&mut self.used_short, &text::used_short(limit));
        widen(&mut self.left, &text::left(limit));
        widen(&mut self.left_short, &text::left_short(limit));
        widen(&mut self.left_of, &text::left_of(limit));
        widen(&mut self.percent, &text::percent(limit));
    }

    fn add_times(&mut self, limit: &LimitState, now: Instant, zone: Zone) {
        let is_open = limit.verdict != Verdict::Over;
        for (widest, words) in [
            (&mut self.full, text::full_at(limit, now, zone)),
            (&mut self.band, text::forecast_short(limit, now, zone).filter(|_| is_open)),
            (&mut self.resets, text::resets(limit, now, zone)),
        ] {
            widen(widest, &words.unwrap_or_default());
        }
    }

    fn add_quota(&mut self, quota: &Quota) {
        widen(&mut self.name, &text::quota_name(quota));
        widen(&mut self.percent, &format!("{}%", quota.percent()));
    }
}

fn widen(widest: &mut usize, words: &str) {
    *widest = text::width(words).max(*widest);
}
