//! The Fleet view: everything counted today and the active sessions, or one pinned session.

mod calls;
mod charts;
mod curve;
mod detail;
mod head;
mod limits;
mod models;
mod running;

use ratatui::buffer::Buffer;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::widgets::Widget;

use super::super::Pane;
use super::super::app::App;
use super::super::widgets::cells;

/// The head, the limits, the active sessions, the models, details of the day or the session, and the calls.
pub(in super::super) struct Fleet<'a>(pub(in super::super) &'a App);

/// Column widths of the sessions table: as much as it needs now, or has needed before.
pub(in super::super) fn fleet_widths(app: &App) -> Vec<usize> {
    let before = app.fleet_widths.iter().copied().chain(std::iter::repeat(0));
    Fleet(app).needed().into_iter().zip(before).map(|(needed, before)| needed.max(before)).collect()
}

impl Widget for &Fleet<'_> {
    fn render(self, area: Rect, buffer: &mut Buffer) {
        if area.width >= 100 { self.wide(area, buffer) } else { self.stacked(area, buffer) }
    }
}

impl Fleet<'_> {
    fn wide(&self, area: Rect, buffer: &mut Buffer) {
        let roomy = area.height > 30;
        let mut limits = cells(self.limit_rows()).clamp(4, if roomy { 8 } else { 4 });
        let mut models = cells(self.0.summary().models.len()).clamp(1, if roomy { 8 } else { 3 });
        let mut running = match self.running_rows() {
            0 => 0,
            rows => cells(rows).min(area.height / 4) + 3,
        };
        let chart = |limits: u16, models: u16, running: u16| {
            self.chart_rows(area, area.height.saturating_sub(limits + 2 + running + models + 2))
        };
        // Show fewer limits, then fewer models, then fewer ended sessions, rather than no chart of the day.
        let (least_models, at_work) = (models.min(3), (cells(self.rows_at_work()).max(1) + 3).min(running));
        let mut shorter = (3..=limits)
            .rev()
            .map(|limits| (limits, models, running))
            .chain((3..models).rev().map(|models| (3, models, running)))
            .chain((at_work..running).rev().map(|running| (3, least_models, running)));
        if let Some(fitting) = shorter.find(|(limits, models, running)| chart(*limits, *models, *running) > 0) {
            (limits, models, running) = fitting;
        }
        let chart = chart(limits, models, running);
        // If there is too little room for all, the calls go first, then the models, then sessions.
        let mut rest = area.height.saturating_sub(limits + 2 + chart);
        let mut part = |wanted: u16, least: u16| {
            let part = if wanted.min(rest) < least { 0 } else { wanted.min(rest) };
            rest -= part;
            part
        };
        let (running, models, bottom) = (part(running, 4), part(models + 2, 3), part(u16::MAX, 3));
        let [top, chart, fleet, middle, bottom] =
            Layout::vertical([limits + 2, chart, running + rest, models, bottom].map(Constraint::Length)).areas(area);
        let [head, limits] =
            Layout::horizontal([Constraint::Length(area.width * 9 / 20), Constraint::Min(10)]).areas(top);
        self.head(head, buffer);
        self.limits(limits, buffer);
        if !chart.is_empty() {
            self.charts(chart, buffer);
        }
        if !fleet.is_empty() {
            self.running(fleet, buffer);
        }
        if !middle.is_empty() {
            self.models(middle, buffer);
        }
        if !bottom.is_empty() {
            let [detail, calls] = Layout::horizontal([Constraint::Length(36), Constraint::Min(10)]).areas(bottom);
            self.detail(detail, buffer);
            self.calls(calls, buffer);
        }
    }

    /// Panes stacked vertically. The calls shrink first, then the detail, then the models.
    fn stacked(&self, area: Rect, buffer: &mut Buffer) {
        let limits = match cells(self.limit_rows()).min(4) {
            0 => 0,
            some => some + 2,
        };
        let spare = area.height.saturating_sub(5 + limits);
        let running = match self.running_rows() {
            0 => 0,
            rows => (cells(rows) + 3).min(spare.max(4)),
        };
        let spare = spare.saturating_sub(running);
        let models = (cells(self.0.summary().models.len()).clamp(1, 4) + 2).min(spare);
        let models = if models < 3 { 0 } else { models };
        let detail = match spare.saturating_sub(models) {
            0..=8 => 0,
            9..=13 => 4,
            _ => 8,
        };
        let [head, limits, fleet, models, detail, calls] = Layout::vertical([
            Constraint::Length(5),
            Constraint::Length(limits),
            Constraint::Length(running),
            Constraint::Length(models),
            Constraint::Length(detail),
            Constraint::Min(0),
        ])
        .areas(area);
        self.head(head, buffer);
        if !limits.is_empty() {
            self.limits(limits, buffer);
        }
        if !fleet.is_empty() {
            self.running(fleet, buffer);
        }
        if !models.is_empty() {
            self.models(models, buffer);
        }
        if !detail.is_empty() {
            self.detail(detail, buffer);
        }
        if calls.height >= 3 {
            self.calls(calls, buffer);
        }
    }

    fn has_keys(&self, pane: Pane) -> bool {
        self.0.pane() == pane
    }
}
