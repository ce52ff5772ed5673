//! The Limits view: every limit with bar, period and forecast.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::Line;
use ratatui::widgets::Widget;

use super::super::Action;
use super::super::app::App;
use super::super::targets::Target;
use super::super::widgets::{Cell, Column, Grid, ink, limit_bar, lines, pane, role_of};
use crate::meter::Verdict;
use crate::text;
use crate::theme::Role;

/// A table of limits.
pub(in super::super) struct Limits<'a>(pub(in super::super) &'a App);

impl Widget for &Limits<'_> {
    fn render(self, area: Rect, buffer: &mut Buffer) {
        let app = self.0;
        // The bar takes what the widest words leave.
        let bar = usize::from(area.width).saturating_sub(130).clamp(10, 60);
        let columns: [Column; 8] = [
            Column::name("limit", 12, 36, 0),
            Column::name("used", 18, 44, 3),
            Column::name("left", 10, 24, 2),
            Column::name("", bar, bar, 4),
            Column::number("", 5, 1),
            Column::name("", 7, 7, 6),
            Column::name("resets", 12, 18, 5),
            Column::name("full at", 12, 40, 7),
        ];
        let theme = &app.theme;
        let limits = app.limits();
        let block = pane(theme, &format!("Limits · {}", limits.len()), true);
        let mut inner = block.inner(area);
        block.render(area, buffer);
        inner.x += 1;
        inner.width = inner.width.saturating_sub(2);
        if limits.is_empty() {
            let add = app.options.keys.first(Action::AddLimit);
            let words = [
                "No limits.".to_owned(),
                String::new(),
                format!("{add} adds one: day 25usd, month 100usd, user:alice:day 500k"),
                "or: tokmeter limits set day 25usd".to_owned(),
            ];
            let room = usize::from(inner.width);
            return lines(buffer, inner, words.map(|line| Line::from(ink(theme, Role::Dim, text::fit(&line, room)))));
        }
        let (now, zone) = (app.now(), app.options.zone);
        let rows: Vec<Vec<Cell>> = limits
            .iter()
            .map(|limit| {
                let role = role_of(limit);
                let verdict = match limit.verdict {
                    _ if limit.lifted => "lifted",
                    _ if limit.has_ended() => "ended",
                    Verdict::Under => "",
                    Verdict::Near => "⚠ near",
                    Verdict::Over => "■ over",
                };
                let resets = text::resets(limit, now, zone).unwrap_or_default();
                let forecast = text::forecast_short(limit, now, zone).unwrap_or_default();
                vec![
                    (limit.name.clone(), Role::Text),
                    (text::banner_amounts(limit), Role::Text),
                    (text::left(limit), Role::Text),
                    (limit_bar(limit, bar, now), role),
                    (format!("{}%", limit.percent), role),
                    (verdict.to_owned(), role),
                    (resets.trim_start_matches("resets ").to_owned(), Role::Dim),
                    (forecast.trim_start_matches("full at ").to_owned(), Role::Dim),
                ]
            })
            .collect();
        let grid = Grid { theme, columns: &columns, rows, cursor: Some(app.cursor()), sorted: None, heads: true };
        grid.draw(inner, buffer, |nth, place| app.targets.add(place, Target::Row(nth)), |_, _| {});
    }
}
