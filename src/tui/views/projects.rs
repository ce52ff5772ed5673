//! The Projects view: each project's cost today, this month and in total.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::widgets::Widget;

use super::super::app::App;
use super::super::targets::Target;
use super::super::widgets::{Cell, Column, Grid, pane};
use crate::text;
use crate::theme::Role;

/// A table of projects.
pub(in super::super) struct Projects<'a>(pub(in super::super) &'a App);

impl Widget for &Projects<'_> {
    fn render(self, area: Rect, buffer: &mut Buffer) {
        const COLUMNS: [Column; 7] = [
            Column::subject("project", 12, 32, 0),
            Column::number("today", 13, 1),
            Column::number("this month", 13, 2),
            Column::number("all time", 13, 3),
            Column::number("tokens all time", 15, 4),
            Column::number("calls all time", 14, 6),
            Column::name("folder", 16, 70, 5),
        ];
        let app = self.0;
        let theme = &app.theme;
        let projects = app.projects_shown();
        let title: Vec<String> = ["Projects".to_owned(), app.counted(projects.len(), app.projects.rows().len())]
            .into_iter()
            .chain(app.filtered())
            .collect();
        let block = pane(theme, &title.join(" · "), true);
        let mut inner = block.inner(area);
        block.render(area, buffer);
        inner.x += 1;
        inner.width = inner.width.saturating_sub(2);
        if projects.is_empty() {
            let none = || app.nothing_fits("project").unwrap_or_else(|| "no project yet".to_owned());
            let notice = if app.projects.is_waiting() { "asking the ledger …".to_owned() } else { none() };
            let notice = text::fit(&notice, usize::from(inner.width));
            buffer.set_stringn(inner.x, inner.y, notice, usize::from(inner.width), theme.style(Role::Dim));
            return;
        }
        let folders: Vec<&str> = projects.iter().map(|row| row.project.as_deref().unwrap_or("no project")).collect();
        let rows: Vec<Vec<Cell>> = projects
            .iter()
            .zip(text::short_paths(&folders))
            .map(|(row, short)| {
                let [today, month, all] = row.sums;
                let name = row.project.as_deref();
                vec![
                    (short, Role::Text),
                    (if today.calls > 0 { text::cost_column(&today) } else { String::new() }, Role::Text),
                    (if month.calls > 0 { text::cost_column(&month) } else { String::new() }, Role::Text),
                    (text::cost_column(&all), Role::Text),
                    (text::count(all.tokens.total()), Role::Dim),
                    (text::count(all.calls), Role::Dim),
                    (name.unwrap_or_default().to_owned(), Role::Dim),
                ]
            })
            .collect();
        let grid =
            Grid { theme, columns: &COLUMNS, rows, cursor: Some(app.cursor()), sorted: None, heads: true, least: &[] };
        grid.draw(inner, buffer, |nth, place| app.targets.add(place, Target::Row(nth)), |_, _| {});
    }
}
