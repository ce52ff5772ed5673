//! The Live view: current spending.

use ratatui::buffer::Buffer;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::text::Line;
use ratatui::widgets::Widget;

use super::super::app::App;
use super::super::widgets::{Cell, Column, Grid, cells, ink, limit_line, lines, pane, spark, top_for};
use super::super::{Action, Pane};
use crate::domain::{Instant, Ratio, Service, Speed, Usd, day_of};
use crate::ledger::Sums;
use crate::meter::{ModelLine, TREND};
use crate::text;
use crate::theme::Role;

/// The meter, the limits, the models, the session and its calls.
pub(in super::super) struct Live<'a>(pub(in super::super) &'a App);

impl Widget for &Live<'_> {
    fn render(self, area: Rect, buffer: &mut Buffer) {
        if area.width >= 100 { self.wide(area, buffer) } else { self.stacked(area, buffer) }
    }
}

impl Live<'_> {
    fn wide(&self, area: Rect, buffer: &mut Buffer) {
        let summary = self.0.summary();
        let limits = cells(summary.limits.len()).clamp(3, if area.height > 30 { 8 } else { 4 });
        let models = cells(summary.models.len()).clamp(1, if area.height > 30 { 8 } else { 4 });
        let [top, middle, bottom] =
            Layout::vertical([Constraint::Length(limits + 2), Constraint::Length(models + 2), Constraint::Min(3)])
                .areas(area);
        let [meter, limits] =
            Layout::horizontal([Constraint::Length(area.width * 5 / 12), Constraint::Min(10)]).areas(top);
        self.meter(meter, buffer);
        self.limits(limits, buffer);
        self.models(middle, buffer);
        let [session, calls] = Layout::horizontal([Constraint::Length(36), Constraint::Min(10)]).areas(bottom);
        self.session(session, buffer);
        self.calls(calls, buffer);
    }

    /// Stacked panes. The calls shrink first, then the session's extras.
    fn stacked(&self, area: Rect, buffer: &mut Buffer) {
        let summary = self.0.summary();
        let limits = match cells(summary.limits.len()).min(4) {
            0 => 0,
            some => some + 2,
        };
        let models = cells(summary.models.len()).clamp(1, 4) + 2;
        let spare = area.height.saturating_sub(5 + limits + models);
        let session = match spare {
            0..=8 => 0,
            9..=13 => 4,
            _ => 8,
        };
        let [meter, limits, models, session, calls] = Layout::vertical([
            Constraint::Length(5),
            Constraint::Length(limits),
            Constraint::Length(models),
            Constraint::Length(session),
            Constraint::Min(0),
        ])
        .areas(area);
        self.meter(meter, buffer);
        if !limits.is_empty() {
            self.limits(limits, buffer);
        }
        self.models(models, buffer);
        if !session.is_empty() {
            self.session(session, buffer);
        }
        if calls.height >= 3 {
            self.calls(calls, buffer);
        }
    }

    fn has_keys(&self, pane: Pane) -> bool {
        self.0.pane == pane
    }

    fn meter(&self, area: Rect, buffer: &mut Buffer) {
        let app = self.0;
        let (theme, summary) = (&app.theme, app.summary());
        let block = pane(theme, "Meter", false);
        let inner = block.inner(area);
        block.render(area, buffer);
        let room = usize::from(inner.width).saturating_sub(1);
        let mut pace = vec![
            format!("{}/h", text::usd(summary.cost_per_hour)),
            format!("{} tok/min", text::count(summary.tokens_per_min)),
        ];
        let last = summary.calls.first().map(|call| text::cost_fine(&Sums::from_row(&call.row)));
        pace.extend(last.map(|cost| format!("last call {cost}")));
        let mut totals =
            vec![format!("today {}", text::cost(&summary.today)), format!("month {}", text::cost(&summary.month))];
        totals.extend(summary.by_day_end.map(|end| format!("by midnight {}", text::usd(end))));
        let counter = [text::counter(&summary.followed, summary.growing)];
        let all: [(&[String], Role); 4] =
            [(&counter, Role::Accent), (&pace, Role::Text), (&[self.tariff()], Role::Dim), (&totals, Role::Dim)];
        let shown =
            all.map(|(parts, role)| Line::from(ink(theme, role, format!(" {}", text::fit_parts(parts, "   ", room)))));
        lines(buffer, inner, shown);
    }

    /// Tier and cache lifetime charged for the last call.
    fn tariff(&self) -> String {
        let Some(call) = self.0.summary().calls.first() else { return "tariff: no call yet".to_owned() };
        let call = &call.row.call;
        let mut parts = vec![call.model.as_deref().map_or("unknown model", text::model_short).to_owned()];
        if call.tokens.cache_write_1h > 0 {
            parts.push("1h cache".to_owned());
        } else if call.tokens.cache_write_5m > 0 {
            parts.push("5m cache".to_owned());
        }
        parts.push(
            match (call.tier.speed, call.tier.service) {
                (Speed::Fast, _) => "fast",
                (Speed::Standard, Service::Standard) => "standard",
                (Speed::Standard, Service::Priority) => "priority",
                (Speed::Standard, Service::Flex) => "flex",
                (Speed::Standard, Service::Batch) => "batch",
                (Speed::Standard, Service::Ultrafast) => "ultrafast",
                (Speed::Standard, Service::Balanced) => "balanced",
                (Speed::Standard, Service::Unknown) => "unknown tier",
            }
            .to_owned(),
        );
        format!("tariff {}", parts.join(" · "))
    }

    fn limits(&self, area: Rect, buffer: &mut Buffer) {
        let app = self.0;
        let theme = &app.theme;
        let block = pane(theme, "Limits", self.has_keys(Pane::Limits));
        let inner = block.inner(area);
        block.render(area, buffer);
        let limits = app.limits();
        if limits.is_empty() {
            let add = app.options.keys.first(Action::AddLimit);
            let view = app.options.keys.first(Action::ViewLimits);
            let said = format!(" none: press {view} then {add}, or run tokmeter limits set day 25usd");
            let said = text::fit(&said, usize::from(inner.width));
            return lines(buffer, inner, [Line::from(ink(theme, Role::Dim, said))]);
        }
        let names = limits.iter().map(|limit| text::width(&text::scope(limit))).max().unwrap_or(0).clamp(5, 14);
        let used = limits.iter().map(|limit| text::width(&text::used_of(limit))).max().unwrap_or(0);
        let cursor = app.cursors[6 + Pane::Limits.nth()].min(limits.len() - 1);
        let room = usize::from(inner.width).saturating_sub(2);
        let shown = limits.iter().skip(top_for(cursor, inner.height)).map(|limit| {
            let mut line = limit_line(theme, limit, (names, used), room, app.now(), app.options.zone);
            line.spans.insert(0, " ".into());
            line
        });
        lines(buffer, inner, shown);
    }

    fn models(&self, area: Rect, buffer: &mut Buffer) {
        let app = self.0;
        let (theme, summary) = (&app.theme, app.summary());
        let block = pane(theme, &format!("Models · {TREND} min"), self.has_keys(Pane::Models));
        let inner = block.inner(area);
        block.render(area, buffer);
        let most = summary.models.iter().flat_map(|model| model.trend).max().unwrap_or(0);
        let cursor = app.cursors[6 + Pane::Models.nth()].min(summary.models.len().saturating_sub(1));
        let room = usize::from(inner.width);
        let top = top_for(cursor, inner.height);
        let splits = summary.models.iter().map(|model| text::width(&split(model))).max().unwrap_or(0);
        let models = summary.models.iter().enumerate().skip(top);
        let shown = models.map(|(nth, model)| self.model(nth, model, most, room, splits));
        lines(buffer, inner, shown);
    }

    fn model(&self, nth: usize, model: &ModelLine, most: u64, room: usize, splits: usize) -> Line<'static> {
        let theme = &self.0.theme;
        let name = model.model.as_deref().unwrap_or("unknown model");
        let wide = room >= 98;
        let name_room = if wide { 18 } else { 12 };
        let name = if wide { name } else { text::model_short(name) };
        let cost = text::cost(&model.sums);
        let tokens = text::count(model.sums.tokens.total());
        // Name, tokens, cost and share come first; the sparkline takes what is left, up to its minutes.
        let numbers = if room >= 56 {
            format!(" {tokens:>11} tok  {} {:>4}%", text::pad_left(&cost, 10), model.share)
        } else {
            format!(" {} {:>3}%", text::pad_left(&cost, 9), model.share)
        };
        let left = room.saturating_sub(name_room + 3 + text::width(&numbers));
        let trend_room = if wide { left.saturating_sub(splits).clamp(12, TREND) } else { left.min(TREND) };
        let trend = text::pad_left(&spark(&model.trend, most, trend_room), trend_room);
        let mut spans = vec![
            ink(theme, Role::Text, format!(" {} ", text::pad(name, name_room))),
            ink(theme, Role::Series(nth), trend),
            ink(theme, Role::Text, numbers),
        ];
        let left = left.saturating_sub(trend_room);
        if left >= 12 {
            spans.push(ink(theme, Role::Dim, text::fit(&split(model), left)));
        }
        Line::from(spans)
    }

    fn session(&self, area: Rect, buffer: &mut Buffer) {
        let app = self.0;
        let (theme, summary) = (&app.theme, app.summary());
        let title = if summary.session.is_some() { "Session" } else { "Everything" };
        let block = pane(theme, title, false);
        let inner = block.inner(area);
        block.render(area, buffer);
        let sums = &summary.followed;
        let mut rows: Vec<(&str, String)> = Vec::new();
        if let Some(session) = &summary.session {
            rows.push(("Duration", text::duration(session.duration)));
        }
        rows.push(("Operations", text::count(sums.calls)));
        rows.push(("Tokens", text::count(sums.tokens.total())));
        rows.push(("Cost", text::cost(sums)));
        let known = text::mark(sums) != text::Mark::Unknown;
        rows.push(("Per call", if known { text::usd_fine(per_call(sums)) } else { "?".to_owned() }));
        rows.extend(text::cache_line(sums).map(|cache| ("Cache", cache)));
        if let Some(session) = &summary.session {
            if session.row.in_agents.calls > 0 {
                rows.push(("Sub-agents", format!("{}% of cost", session.agent_share())));
            }
            rows.push(("Started", text::moment(session.row.started, app.now(), app.options.zone)));
            rows.extend(session.row.project.as_ref().map(|project| ("Project", project.to_string())));
            rows.extend(session.row.session.as_ref().map(|name| ("Session", name.to_string())));
        }
        // In few rows, two columns: what is not shown twice elsewhere comes first.
        let room = usize::from(inner.width);
        let columns = if room >= 70 { 2 } else { 1 };
        let height = usize::from(inner.height).max(1);
        let cell = (room / columns).saturating_sub(1);
        let shown = (0..height).map(|row| {
            let mut spans = Vec::new();
            for column in 0..columns {
                let Some((name, value)) = rows.get(column * height + row) else { continue };
                let value_room = cell.saturating_sub(13);
                let value =
                    if *name == "Project" { text::fit_end(value, value_room) } else { text::fit(value, value_room) };
                spans.push(ink(theme, Role::Dim, format!(" {} ", text::pad(name, 11))));
                spans.push(ink(theme, Role::Text, text::pad(&value, value_room) + " "));
            }
            Line::from(spans)
        });
        lines(buffer, inner, shown);
    }

    fn calls(&self, area: Rect, buffer: &mut Buffer) {
        const COLUMNS: [Column; 7] = [
            Column::name("time", 8, 11, 2),
            Column::name("model", 10, 20, 1),
            Column::number("in", 9, 6),
            Column::number("cache", 13, 5),
            Column::number("out", 10, 4),
            Column::number("cost", 10, 0),
            Column::name("who", 7, 24, 3),
        ];
        let app = self.0;
        let theme = &app.theme;
        let title = if app.filter.text().is_empty() { "Calls" } else { "Calls · filtered" };
        let block = pane(theme, title, self.has_keys(Pane::Calls));
        let mut inner = block.inner(area);
        block.render(area, buffer);
        inner.x += 1;
        inner.width = inner.width.saturating_sub(2);
        let calls = app.calls();
        let (zone, now) = (app.options.zone, app.now());
        let when = |at: Instant| {
            let today = day_of(at, zone) == day_of(now, zone);
            if today { text::clock_seconds(at, zone) } else { text::moment(at, now, zone) }
        };
        let roomy = inner.width >= 90;
        let rows: Vec<Vec<Cell>> = calls
            .iter()
            .map(|line| {
                let call = &line.row.call;
                let tokens = &call.tokens;
                let who = match &call.from.agent {
                    Some(agent) if roomy => format!("agent {agent}"),
                    Some(agent) => agent.to_string(),
                    None => "main".to_owned(),
                };
                let cost = text::cost_fine(&Sums::from_row(&line.row));
                let cost_role = if cost == "?" { Role::Warning } else { Role::Text };
                vec![
                    (when(call.from.at), Role::Dim),
                    (call.model.as_deref().map_or("?", text::model_short).to_owned(), Role::Text),
                    (format!("in {}", text::count(tokens.input)), Role::Dim),
                    (format!("cache {}", text::compact_above(tokens.cache_read, 7)), Role::Dim),
                    (format!("out {}", text::count(tokens.output)), Role::Text),
                    (cost, cost_role),
                    (who, Role::Dim),
                ]
            })
            .collect();
        let chosen = app.cursors[6 + Pane::Calls.nth()];
        // The newest call needs no cursor; one that was moved to does.
        let cursor = (self.has_keys(Pane::Calls) && chosen > 0).then(|| chosen.min(rows.len().saturating_sub(1)));
        let grid = Grid { theme, columns: &COLUMNS, rows, cursor, sorted: None, heads: false };
        grid.render(inner, buffer);
    }
}

/// Token classes in use by a model.
fn split(model: &ModelLine) -> String {
    let tokens = &model.sums.tokens;
    let classes = [
        ("in", tokens.input),
        ("out", tokens.output),
        ("cache read", tokens.cache_read),
        ("write", tokens.cache_write()),
    ];
    let parts = classes.into_iter().filter(|(_, count)| *count > 0);
    let parts: Vec<String> = parts.map(|(word, count)| format!("{word} {}", text::compact(count))).collect();
    format!("   {} ", parts.join("  "))
}

/// Average cost of a call.
fn per_call(sums: &Sums) -> Usd {
    match u32::try_from(sums.calls) {
        Ok(calls) if calls > 0 => sums.cost.scaled(Ratio { num: 1, den: calls }),
        _ => Usd::ZERO,
    }
}
