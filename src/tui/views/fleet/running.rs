//! The sessions table, with each session's sub-agents below it.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::widgets::Widget;

use super::super::super::Pane;
use super::super::super::lists::FleetRow;
use super::super::super::targets::Target;
use super::super::super::widgets::{Cell, Column, Grid, Sparks, lines, pane, styled, top_for};
use super::Fleet;
use crate::domain::{Instant, Usd, day_of};
use crate::ledger::Sums;
use crate::meter::{Activity, FleetLine, LastCall};
use crate::text;
use crate::theme::Role;

const COLUMNS: [Column; 12] = [
    Column::subject("project", 10, 28, 0),
    Column::name("agent", 11, 12, 8),
    Column::name("model", 11, 22, 4),
    Column::number("today", 9, 0),
    Column::number("tokens", 11, 5),
    Column::number("calls", 6, 11),
    Column::number("$/h", 8, 1),
    Column::number("context", 8, 6),
    Column::number("cache to", 8, 9),
    Column::number("last call", 9, 3),
    Column::name("", 9, 9, 2),
    Column::trend(10, 30, 10),
];

impl Fleet<'_> {
    /// Rows of the table: none if a session is pinned, and one if the filter hides all sessions.
    pub(super) fn running_rows(&self) -> usize {
        if self.0.is_pinned() || self.0.summary().fleet.is_empty() { 0 } else { self.0.fleet_rows().len().max(1) }
    }

    /// Rows whose session has not ended.
    pub(super) fn rows_at_work(&self) -> usize {
        let has_ended = |row: &FleetRow<'_>| match row {
            FleetRow::Session(line) | FleetRow::Agent(line, _) => line.activity == Activity::Ended,
        };
        self.0.fleet_rows().iter().filter(|row| !has_ended(row)).count()
    }

    pub(super) fn running(&self, area: Rect, buffer: &mut Buffer) {
        let app = self.0;
        let fleet = app.fleet_rows();
        let works = |line: &FleetLine| line.activity != Activity::Ended;
        let running = app.summary().fleet.iter().filter(|line| works(line)).count();
        let fitting = fleet.iter().filter_map(|row| if let FleetRow::Session(line) = row { Some(*line) } else { None });
        let (fit, fit_ended): (Vec<&FleetLine>, Vec<&FleetLine>) = fitting.partition(|line| works(line));
        let height = area.height.saturating_sub(3);
        let has_keys = self.has_keys(Pane::Running);
        let cursor = has_keys.then(|| app.cursor_of(Pane::Running).min(fleet.len().saturating_sub(1)));
        let above = cursor.map_or(0, |cursor| top_for(cursor, height));
        let below = fleet.len().saturating_sub(above + usize::from(height));
        let ended = app.summary().fleet.len() - running;
        let mut title = vec![format!("{} running", app.counted(fit.len(), running))];
        let waiting = fit.iter().filter(|line| line.activity == Activity::Waiting).count();
        title.extend((waiting > 0 && fit.len() > 1).then(|| format!("{waiting} waiting")));
        title.extend((ended > 0).then(|| format!("{} ended", app.counted(fit_ended.len(), ended))));
        title.extend(app.filtered());
        title.extend((above > 0).then(|| format!("{above} more above")));
        title.extend((below > 0).then(|| format!("{below} more below")));
        let title = text::fit_parts(&title, " · ", usize::from(area.width).saturating_sub(4));
        let block = pane(&app.theme, &title, has_keys);
        let mut inner = block.inner(area);
        block.render(area, buffer);
        inner.x += 1;
        inner.width = inner.width.saturating_sub(2);
        if let Some(notice) = app.nothing_fits("session").filter(|_| fleet.is_empty()) {
            let notice = styled(&app.theme, Role::Dim, text::fit(&notice, usize::from(inner.width)));
            return lines(buffer, inner, [notice.into()]);
        }
        let sparks = Sparks::scaled_to(
            app.summary().fleet.iter().map(|line| &line.trend),
            30,
            (app.summary().trend_until, app.now()),
        );
        let rows = fleet.iter().map(|row| self.row(row, &sparks)).collect();
        let grid = Grid {
            theme: &app.theme,
            columns: &COLUMNS,
            rows,
            cursor,
            sorted: None,
            heads: true,
            least: &app.fleet_widths,
        };
        grid.draw(inner, buffer, |nth, place| app.targets.add(place, Target::PaneRow(Pane::Running, nth)), |_, _| {});
    }

    /// Widths that the columns need for every session, including those hidden by the filter.
    pub(super) fn needed(&self) -> [usize; COLUMNS.len()] {
        let app = self.0;
        let trends = app.summary().fleet.iter().map(|line| &line.trend);
        let sparks = Sparks::scaled_to(trends, 30, (app.summary().trend_until, app.now()));
        let mut needed = [0; COLUMNS.len()];
        for row in app.fleet() {
            for (most, (cell, _)) in needed.iter_mut().zip(self.row(&row, &sparks)) {
                *most = text::width(&cell).max(*most);
            }
        }
        needed
    }

    fn row(&self, row: &FleetRow<'_>, sparks: &Sparks) -> Vec<Cell> {
        match row {
            FleetRow::Session(line) => {
                let main = line.main.as_ref();
                let mut cells = vec![
                    (self.0.name_of(line), Role::Text),
                    (line.id.source.to_string(), Role::Dim),
                    (model(line.model.as_deref()), Role::Text),
                    (text::cost_column(&line.today), Role::Text),
                    (text::count(line.today.tokens.total()), Role::Text),
                    (text::count(line.today.calls), Role::Dim),
                    (rate(line.cost_per_hour, &line.of_rate), Role::Text),
                    main.map_or_else(|| (String::new(), Role::Dim), context),
                    self.cache(main),
                    (self.when(line.last), Role::Dim),
                ];
                cells.push(activity(line.activity));
                cells.push((sparks.draw(&line.trend), Role::Accent));
                cells
            }
            FleetRow::Agent(_, agent) => {
                let last = Some(&agent.last);
                let mut cells = vec![
                    (format!(" └ {}", agent.name), Role::Text),
                    ("sub-agent".to_owned(), Role::Dim),
                    (model(agent.last.model.as_deref()), Role::Text),
                    (text::cost_column(&agent.today), Role::Dim),
                    (text::count(agent.today.tokens.total()), Role::Dim),
                    (text::count(agent.today.calls), Role::Dim),
                    (rate(agent.cost_per_hour, &agent.of_rate), Role::Dim),
                    context(&agent.last),
                    self.cache(last),
                    (self.when(agent.last.at), Role::Dim),
                ];
                cells.push(activity(agent.activity));
                cells.push((String::new(), Role::Dim));
                cells
            }
        }
    }

    /// Until when the provider keeps the cache that the last call wrote. A fixed time, which needs no ticking clock.
    fn cache(&self, last: Option<&LastCall>) -> Cell {
        let until = last.and_then(|last| last.cached_until);
        match until {
            Some(until) if until > self.0.now() => (self.when(until), Role::Good),
            Some(_) => ("cold".to_owned(), Role::Dim),
            None => (String::new(), Role::Dim),
        }
    }

    fn when(&self, at: Instant) -> String {
        let (zone, now) = (self.0.options.zone, self.0.now());
        let today = day_of(at, zone) == day_of(now, zone);
        if today { text::clock_seconds(at, zone) } else { text::moment(at, now, zone) }
    }
}

/// How full the context is: `84k 42%`, without a percentage if its size is unknown; empty if only sums are known.
/// Agents compact it when it is nearly full.
fn context(last: &LastCall) -> Cell {
    let Some(context) = last.context else { return (String::new(), Role::Dim) };
    let tokens = text::compact(context);
    match last.context_size.and_then(|size| text::per_cent(context, size)) {
        Some(percent) => {
            let role = if percent >= 80 { Role::Warning } else { Role::Dim };
            (format!("{tokens} {percent}%"), role)
        }
        None => (tokens, Role::Dim),
    }
}

/// Dollars per hour; empty if nothing was spent recently, `?` if nothing of it has a known price.
fn rate(cost_per_hour: Usd, of: &Sums) -> String {
    let is_nothing = cost_per_hour == Usd::ZERO && (of.calls == 0 || text::mark(of) == text::Mark::Exact);
    if is_nothing { String::new() } else { text::rate(cost_per_hour, of) }
}

fn model(name: Option<&str>) -> String {
    name.map_or_else(String::new, |name| text::model_short(name).to_owned())
}

fn activity(activity: Activity) -> Cell {
    match activity {
        Activity::Working => ("● working".to_owned(), Role::Good),
        Activity::Quiet => ("◌ quiet".to_owned(), Role::Dim),
        Activity::Waiting => ("○ waiting".to_owned(), Role::Text),
        Activity::Ended => ("  ended".to_owned(), Role::Dim),
    }
}
