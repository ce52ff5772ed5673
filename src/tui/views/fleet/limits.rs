//! The displayed limits, and a line for other limits that are near.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::Line;
use ratatui::widgets::Widget;

use super::super::super::targets::Target;
use super::super::super::widgets::{limit_lines, lines, pane, styled};
use super::super::super::{Action, Pane};
use super::Fleet;
use crate::domain::{Quota, sort_by, sort_by_key};
use crate::meter::{LimitState, Verdict};
use crate::text;
use crate::theme::Role;

impl Fleet<'_> {
    /// Number of rows for the limits.
    pub(super) fn limit_rows(&self) -> usize {
        self.0.limits().len() + self.0.summary().quotas.len() + usize::from(!self.0.limits_elsewhere().is_empty())
    }

    pub(super) fn limits(&self, area: Rect, buffer: &mut Buffer) {
        let app = self.0;
        let theme = &app.theme;
        let limits = app.limits();
        let height = usize::from(area.height.saturating_sub(2));
        let hidden = self.limit_rows().saturating_sub(height);
        let more = if hidden > 0 { format!(" · {hidden} more") } else { String::new() };
        let block = pane(theme, &format!("Limits{more}"), self.has_keys(Pane::Limits));
        let mut inner = block.inner(area);
        block.render(area, buffer);
        let elsewhere = app.limits_elsewhere();
        let is_reached = elsewhere.iter().any(|limit| limit.verdict == Verdict::Over);
        let elsewhere: Vec<String> = (elsewhere.iter().zip(text::row_names(&elsewhere)))
            .map(|(limit, name)| format!("{name} {}", text::percent(limit)))
            .collect();
        let quotas = &app.summary().quotas;
        if limits.is_empty() && elsewhere.is_empty() && quotas.is_empty() {
            let add = app.options.keys.first(Action::AddLimit);
            let view = app.options.keys.first(Action::ViewLimits);
            let notice = [format!(" none: press {view} then {add}"), "or run tokmeter limits set day 25usd".to_owned()];
            let notice = text::fit_parts(&notice, ", ", usize::from(inner.width));
            return lines(buffer, inner, [Line::from(styled(theme, Role::Dim, notice))]);
        }
        let room = usize::from(inner.width).saturating_sub(2);
        if !elsewhere.is_empty() && inner.height > 1 {
            inner.height -= 1;
            let line = Rect { y: inner.bottom(), height: 1, ..inner };
            let (mark, role) = if is_reached { ("■", Role::Danger) } else { ("⚠", Role::Warning) };
            let others = format!(" {mark} elsewhere: {}", text::fit_parts(&elsewhere, " · ", room.saturating_sub(14)));
            lines(buffer, line, [Line::from(styled(theme, role, others))]);
        }
        let shown = self.shown_limits(&limits, usize::from(inner.height));
        for (row, nth) in inner.rows().zip(&shown) {
            app.targets.add(row, Target::PaneRow(Pane::Limits, *nth));
        }
        let own: Vec<&LimitState> = shown.iter().filter_map(|nth| limits.get(*nth).copied()).collect();
        let providers: Vec<&Quota> =
            shown.iter().filter_map(|nth| quotas.get(nth.checked_sub(limits.len())?)).collect();
        let all = limit_lines(theme, &own, &providers, &app.limit_widths, room, app.now(), app.options.zone);
        let cursor = app.cursor_of(Pane::Limits).min(self.0.rows().saturating_sub(1));
        for (row, (mut line, nth)) in inner.rows().zip(all.into_iter().zip(&shown)) {
            line.spans.insert(0, " ".into());
            lines(buffer, row, [line]);
            if self.has_keys(Pane::Limits) && *nth == cursor {
                buffer.set_style(row, theme.style(Role::Selection));
            }
        }
    }

    /// The rows to show if there is no room for all: those that are reached, then those that are near, then the first
    /// of the others. With the focus, the cursor's row replaces the least important of them. Each keeps its position.
    fn shown_limits(&self, limits: &[&LimitState], height: usize) -> Vec<usize> {
        let app = self.0;
        let all = limits.len() + app.summary().quotas.len();
        let verdict = |nth: usize| match limits.get(nth) {
            Some(limit) if limit.warns() => limit.verdict,
            Some(_) => Verdict::Under,
            None => match nth.checked_sub(limits.len()).and_then(|at| app.summary().quotas.get(at)) {
                Some(quota) if quota.is_over(app.now()) => Verdict::Under,
                Some(quota) if quota.percent() >= 100 => Verdict::Over,
                Some(quota) if quota.percent() >= 80 => Verdict::Near,
                Some(_) | None => Verdict::Under,
            },
        };
        let mut shown: Vec<usize> = (0..all).collect();
        let cursor = app.cursor_of(Pane::Limits).min(all.saturating_sub(1));
        let is_first = |nth: usize| self.has_keys(Pane::Limits) && nth == cursor;
        sort_by_key(&mut shown, |nth| (!is_first(*nth), std::cmp::Reverse(verdict(*nth)), *nth));
        shown.truncate(height);
        sort_by(&mut shown, Ord::cmp);
        shown
    }
}
