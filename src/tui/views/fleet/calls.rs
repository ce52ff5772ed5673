//! The latest calls.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::widgets::Widget;

use super::super::super::targets::Target;
use super::super::super::widgets::{Cell, Column, Grid, lines, pane, styled, top_for};
use super::super::super::{Action, Pane};
use super::Fleet;
use crate::domain::{Call, Instant, day_of};
use crate::ledger::Sums;
use crate::text;
use crate::theme::Role;

impl Fleet<'_> {
    pub(super) fn calls(&self, area: Rect, buffer: &mut Buffer) {
        let app = self.0;
        // If several sessions are shown, the caller's name takes the room of the input count.
        let who = if app.is_pinned() { 7 } else { 18 };
        let columns: [Column; 8] = [
            Column::amounts("time", 8, 12, 2),
            Column::name("model", 10, 20, 1),
            Column::number("in", 9, 6),
            Column::number("cache", 13, 5),
            Column::number("write", 13, 7),
            Column::number("out", 10, 4),
            Column::number("cost", 10, 0),
            Column::name("who", who, 30, 3),
        ];
        let theme = &app.theme;
        let calls = app.calls();
        let chosen = app.cursor_of(Pane::Calls).min(calls.len().saturating_sub(1));
        // The cursor is only shown if it has moved away from the newest call.
        let cursor = (self.has_keys(Pane::Calls) && chosen > 0).then_some(chosen);
        let newer = cursor.map_or(0, |cursor| top_for(cursor, area.height.saturating_sub(2)));
        let mut title = vec!["Calls".to_owned()];
        title.extend(app.of_model.as_deref().map(|model| text::model_short(model).to_owned()));
        title.extend(app.filtered());
        if newer > 0 {
            title.push(format!("{newer} newer above"));
            title.push(format!("{} follows the newest", app.options.keys.first(Action::Close)));
        }
        let title = text::fit_parts(&title, " · ", usize::from(area.width).saturating_sub(4));
        let block = pane(theme, &title, self.has_keys(Pane::Calls));
        let mut inner = block.inner(area);
        block.render(area, buffer);
        inner.x += 1;
        inner.width = inner.width.saturating_sub(2);
        if let Some(notice) = app.nothing_fits("call").filter(|_| calls.is_empty()) {
            let notice = styled(theme, Role::Dim, text::fit(&notice, usize::from(inner.width)));
            return lines(buffer, inner, [notice.into()]);
        }
        let (zone, now) = (app.options.zone, app.now());
        let today = day_of(now, zone);
        let when = |at: Instant| {
            if day_of(at, zone) == today { text::clock_seconds(at, zone) } else { text::moment_full(at, now, zone) }
        };
        let (roomy, pinned) = (inner.width >= 90, app.is_pinned());
        // Do not format rows that lie below the pane.
        let seen = chosen + usize::from(inner.height) + 1;
        let rows: Vec<Vec<Cell>> = calls
            .iter()
            .take(seen)
            .map(|line| {
                let call = &line.row.call;
                let tokens = &call.tokens;
                let agent = call.from.agent.as_deref();
                let who = if pinned { in_session(agent, roomy) } else { of_session(call, agent) };
                let cost = text::cost_column(&Sums::from_row(&line.row));
                let cost_role = if cost == "?" { Role::Warning } else { Role::Text };
                vec![
                    (when(call.from.at), Role::Dim),
                    (call.model.as_deref().map_or("?", text::model_short).to_owned(), Role::Text),
                    (format!("in {}", text::count(tokens.input)), Role::Dim),
                    (format!("cache {}", text::compact_above(tokens.cache_read, 7)), Role::Dim),
                    (written(tokens.cache_write()), Role::Dim),
                    (format!("out {}", text::count(tokens.output)), Role::Text),
                    (cost, cost_role),
                    (who, Role::Dim),
                ]
            })
            .collect();
        let grid = Grid { theme, columns: &columns, rows, cursor, sorted: None, heads: false, least: &[] };
        grid.draw(inner, buffer, |nth, place| app.targets.add(place, Target::PaneRow(Pane::Calls, nth)), |_, _| {});
    }
}

/// Tokens written to the cache, which cost more than the others; empty if there are none.
fn written(tokens: u64) -> String {
    if tokens == 0 { String::new() } else { format!("write {}", text::compact_above(tokens, 7)) }
}

/// The caller within the displayed session.
fn in_session(agent: Option<&str>, roomy: bool) -> String {
    match agent {
        Some(agent) if roomy => format!("sub-agent {agent}"),
        Some(agent) => agent.to_owned(),
        None => "main".to_owned(),
    }
}

/// The caller when several sessions are shown: `api-server`, `api-server/explore`.
fn of_session(call: &Call, agent: Option<&str>) -> String {
    let project = call.from.project.as_deref().map(text::project_short);
    let session = project.or(call.from.session.as_deref().map(text::session_short)).unwrap_or("main");
    agent.map_or_else(|| session.to_owned(), |agent| format!("{session}/{agent}"))
}
