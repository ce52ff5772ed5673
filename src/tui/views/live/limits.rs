//! The limits of what is shown, and a line for others that are near.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::Line;
use ratatui::widgets::Widget;

use super::super::super::targets::Target;
use super::super::super::widgets::{limit_lines, lines, pane, styled, top_for};
use super::super::super::{Action, Pane};
use super::Live;
use crate::text;
use crate::theme::Role;

impl Live<'_> {
    /// Rows that the limits take.
    pub(super) fn limit_rows(&self) -> usize {
        self.0.limits().len()
            + self.0.summary().quotas.len()
            + usize::from(self.0.summary().limits_elsewhere().next().is_some())
    }

    pub(super) fn limits(&self, area: Rect, buffer: &mut Buffer) {
        let app = self.0;
        let theme = &app.theme;
        let limits = app.limits();
        let cursor = app.cursor_of(Pane::Limits).min(limits.len().saturating_sub(1));
        let height = area.height.saturating_sub(2);
        let below = self.limit_rows().saturating_sub(top_for(cursor, height) + usize::from(height));
        let more = if below > 0 { format!(" · {below} more below") } else { String::new() };
        let block = pane(theme, &format!("Limits{more}"), self.has_keys(Pane::Limits));
        let mut inner = block.inner(area);
        block.render(area, buffer);
        let elsewhere: Vec<String> = (app.summary().limits_elsewhere())
            .map(|limit| format!("{} {}%", text::scope(limit), limit.percent))
            .collect();
        let quotas = &app.summary().quotas;
        if limits.is_empty() && elsewhere.is_empty() && quotas.is_empty() {
            let add = app.options.keys.first(Action::AddLimit);
            let view = app.options.keys.first(Action::ViewLimits);
            let said = [format!(" none: press {view} then {add}"), "or run tokmeter limits set day 25usd".to_owned()];
            let said = text::fit_parts(&said, ", ", usize::from(inner.width));
            return lines(buffer, inner, [Line::from(styled(theme, Role::Dim, said))]);
        }
        let room = usize::from(inner.width).saturating_sub(2);
        if !elsewhere.is_empty() && inner.height > 1 {
            inner.height -= 1;
            let line = Rect { y: inner.bottom(), height: 1, ..inner };
            let others = format!(" ⚠ elsewhere: {}", text::fit_parts(&elsewhere, " · ", room.saturating_sub(14)));
            lines(buffer, line, [Line::from(styled(theme, Role::Warning, others))]);
        }
        for (row, nth) in inner.rows().zip(top_for(cursor, inner.height)..limits.len()) {
            app.targets.add(row, Target::PaneRow(Pane::Limits, nth));
        }
        let all = limit_lines(theme, &limits, quotas, room, app.now(), app.options.zone);
        let shown = all.into_iter().skip(top_for(cursor, inner.height)).map(|mut line| {
            line.spans.insert(0, " ".into());
            line
        });
        lines(buffer, inner, shown);
    }
}
