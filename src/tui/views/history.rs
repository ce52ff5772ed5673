//! The History view: a calendar of days, and stacked bars of days, weeks or months by model.

use chrono::{Datelike, Duration};
use ratatui::buffer::Buffer;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::text::Line;
use ratatui::widgets::Widget;

use super::super::app::App;
use super::super::history::{BARS, Bars, History as State, Step, WEEKS};
use super::super::widgets::{cells, ink, lines, pane};
use crate::domain::{Day, Usd, day_of};
use crate::ledger::Sums;
use crate::text;
use crate::theme::Role;

/// Calendar and bars.
pub(in super::super) struct History<'a>(pub(in super::super) &'a App);

/// Fill patterns that distinguish models without colour.
const FILLS: [&str; 4] = ["█", "▓", "▒", "░"];
const TOPS: [&str; 8] = ["▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"];

impl Widget for &History<'_> {
    fn render(self, area: Rect, buffer: &mut Buffer) {
        let calendar = if area.height >= 22 { 10 } else { 0 };
        let [top, bottom] = Layout::vertical([Constraint::Length(calendar), Constraint::Min(0)]).areas(area);
        if !top.is_empty() {
            self.calendar(top, buffer);
        }
        self.bars(bottom, buffer);
    }
}

impl History<'_> {
    fn calendar(&self, area: Rect, buffer: &mut Buffer) {
        let app = self.0;
        let theme = &app.theme;
        let block = pane(theme, "Half a year, day by day", false);
        let inner = block.inner(area);
        block.render(area, buffer);
        let zone = app.options.zone;
        let today = day_of(app.now(), zone);
        let first = State::calendar_start(app.now(), zone);
        let days: Vec<(Day, u128)> = (0..i64::try_from(WEEKS * 7).unwrap_or(0))
            .filter_map(|day| first.checked_add_signed(Duration::days(day)))
            .filter(|day| *day <= today)
            .map(|day| (day, weight(&app.history.day(day), true)))
            .collect();
        let most = days.iter().map(|(_, weight)| *weight).max().unwrap_or(0);
        let names = ["Mon", "", "Wed", "", "Fri", "", "Sun"];
        for (row, name) in inner.rows().skip(1).zip(names) {
            buffer.set_stringn(
                row.x + 1,
                row.y,
                name,
                usize::from(row.width.saturating_sub(1)),
                theme.style(Role::Dim),
            );
        }
        let (mut month, mut named) = (0, 0);
        for (nth, (day, weight)) in days.iter().enumerate() {
            let (week, weekday) = (nth / 7, nth % 7);
            let (x, y) = (inner.x + 5 + cells(week * 2), inner.y + 1 + cells(weekday));
            if x + 2 > inner.right() || y >= inner.bottom() {
                continue;
            }
            if weekday == 0 && day.month() != month {
                // A month that begins within two weeks of the last name is named a week later.
                let crowded = week > 0 && week < named + 2 || x + 4 >= inner.right();
                if !crowded {
                    (month, named) = (day.month(), week);
                    let style = theme.style(Role::Dim);
                    buffer.set_stringn(x, inner.y, day.format("%b").to_string(), 3, style);
                }
            }
            let fill = match weight.saturating_mul(4).div_ceil(most.max(1)) {
                0 => "·",
                1 => "░",
                2 => "▒",
                3 => "▓",
                _ => "█",
            };
            let role = if *weight == 0 { Role::Dim } else { Role::Good };
            buffer.set_stringn(x, y, fill, 1, theme.style(role));
        }
        let said: Vec<(String, Role)> = vec![
            (format!("today   {}", text::cost(&app.summary().today)), Role::Text),
            (format!("month   {}", text::cost(&app.summary().month)), Role::Text),
            (
                app.summary()
                    .by_month_end
                    .map_or_else(String::new, |end| format!("by its end, at this pace {}", text::usd(end))),
                Role::Dim,
            ),
        ];
        let side = Rect { x: inner.x + 5 + cells(WEEKS * 2) + 3, y: inner.y + 1, ..inner }.intersection(inner);
        let room = usize::from(side.width);
        lines(
            buffer,
            side,
            said.into_iter().map(|(words, role)| Line::from(ink(theme, role, text::fit(&words, room)))),
        );
    }

    fn bars(&self, area: Rect, buffer: &mut Buffer) {
        let app = self.0;
        let theme = &app.theme;
        let step = app.history.step;
        let title = format!("Each {} · models stacked", step.name());
        let block = pane(theme, &title, true);
        let mut inner = block.inner(area);
        block.render(area, buffer);
        inner.x += 1;
        inner.width = inner.width.saturating_sub(2);
        if inner.height < 3 || inner.width < 10 {
            return;
        }
        let page = app.history.page(app.now(), app.options.zone);
        let room = usize::from(inner.width);
        let said = |buffer: &mut Buffer, words: &str| {
            buffer.set_stringn(inner.x, inner.y, text::fit(words, room), room, theme.style(Role::Dim));
        };
        if app.history.is_waiting() {
            return said(buffer, "asking the ledger…");
        }
        let in_dollars = page.bars.iter().any(|bar| bar.sums.cost > Usd::ZERO);
        let most = page.bars.iter().skip(1).map(|bar| weight(&bar.sums, in_dollars)).max().unwrap_or(0);
        if most == 0 {
            return said(buffer, &format!("nothing booked in these {} {}s", BARS, step.name()));
        }
        let legend = u16::from(inner.height >= 6);
        let [chart, marks, detail, names] = Layout::vertical([
            Constraint::Min(1),
            Constraint::Length(1),
            Constraint::Length(1),
            Constraint::Length(legend),
        ])
        .areas(inner);
        let axis = if in_dollars {
            let most = page.bars.iter().skip(1).map(|bar| bar.sums.cost).max().unwrap_or_default();
            text::usd_short(most)
        } else {
            text::compact(u64::try_from(most).unwrap_or(u64::MAX))
        };
        let axis_room = cells(text::width(&axis)) + 1;
        buffer.set_stringn(chart.x, chart.y, &axis, room, theme.style(Role::Dim));
        let plot = Rect { x: chart.x + axis_room, width: chart.width.saturating_sub(axis_room), ..chart };
        let slot = (plot.width / cells(BARS)).clamp(1, 6);
        let shown = usize::from(plot.width / slot).min(BARS);
        let skipped = page.bars.len() - shown;
        for (nth, bar) in page.bars.iter().skip(skipped).enumerate() {
            let x = plot.x + cells(nth) * slot;
            let columns = slot.saturating_sub(1).max(1);
            self.bar(&bar.models, most, in_dollars, Rect { x, width: columns, ..plot }, buffer);
            if shown - 1 - nth == app.history.cursor {
                buffer.set_stringn(x, marks.y, "▲", 1, theme.style(Role::Accent));
            }
        }
        self.detail(&page, step, detail, buffer);
        if legend > 0 {
            self.legend(&page, names, buffer);
        }
    }

    /// One stacked bar: each cell belongs to the model at its centre; only the top one may be partial.
    fn bar(&self, models: &[Sums], most: u128, in_dollars: bool, area: Rect, buffer: &mut Buffer) {
        let theme = &self.0.theme;
        let plain = theme.style(Role::Series(0)).fg == theme.style(Role::Series(1)).fg || self.0.options.ascii;
        let weights: Vec<u128> = models.iter().map(|sums| weight(sums, in_dollars)).collect();
        let total: u128 = weights.iter().sum();
        if total == 0 {
            return;
        }
        let height = u128::from(area.height);
        let eighths = (total.saturating_mul(height * 8) / most).max(1);
        for cell in 0..area.height {
            let below = u128::from(cell) * 8;
            if below >= eighths {
                break;
            }
            // The middle of this cell, as a share of the bar, finds its model.
            let middle = (below + 4).min(eighths) * total / eighths;
            let mut sum = 0;
            let model = weights
                .iter()
                .position(|weight| {
                    sum += weight;
                    middle < sum
                })
                .unwrap_or_else(|| weights.iter().rposition(|weight| *weight > 0).unwrap_or(0));
            let part = usize::try_from((eighths - below).min(8)).unwrap_or(8);
            let fill = match (plain, part) {
                (true, _) => FILLS[model % FILLS.len()],
                (false, part) => TOPS[part - 1],
            };
            let y = area.bottom() - 1 - cell;
            for x in area.left()..area.right() {
                buffer.set_stringn(x, y, fill, 1, theme.style(Role::Series(model)));
            }
        }
    }

    /// Details of the bar under the cursor, compared with the previous bar.
    fn detail(&self, page: &Bars, step: Step, area: Rect, buffer: &mut Buffer) {
        let app = self.0;
        let theme = &app.theme;
        let today = day_of(app.now(), app.options.zone);
        let at = page.bars.len().saturating_sub(1 + app.history.cursor);
        let Some(bar) = page.bars.get(at) else { return };
        let sums = &bar.sums;
        let mut parts = vec![
            step.title(bar.first, today),
            text::cost(sums),
            format!("{} tokens", text::count(sums.tokens.total())),
            text::plural(sums.calls, "call"),
        ];
        if let Some(before) = at.checked_sub(1).and_then(|at| page.bars.get(at)) {
            parts.extend(trend(sums, &before.sums).map(|trend| format!("{trend} the {} before", step.name())));
        }
        parts.extend(text::cache_line(sums).map(|cache| format!("cache {cache}")));
        let room = usize::from(area.width);
        buffer.set_stringn(area.x, area.y, text::fit_parts(&parts, "   ", room), room, theme.style(Role::Text));
    }

    fn legend(&self, page: &Bars, area: Rect, buffer: &mut Buffer) {
        let theme = &self.0.theme;
        let plain = theme.style(Role::Series(0)).fg == theme.style(Role::Series(1)).fg || self.0.options.ascii;
        let mut x = area.x;
        for (nth, model) in page.models.iter().enumerate() {
            let name = model.as_deref().map_or("unknown", text::model_short);
            let fill = if plain { FILLS[nth % FILLS.len()] } else { "█" };
            let entry = format!("{} ", text::fit(name, 24));
            let needed = cells(text::width(&entry)) + 3;
            if x + needed > area.right() {
                break;
            }
            x = buffer.set_stringn(x, area.y, format!("{fill} "), 2, theme.style(Role::Series(nth))).0;
            x = buffer.set_stringn(x, area.y, entry, 30, theme.style(Role::Dim)).0 + 1;
        }
    }
}

/// Height of a bar: dollars if there are any, else tokens.
fn weight(sums: &Sums, in_dollars: bool) -> u128 {
    if in_dollars && sums.cost > Usd::ZERO {
        // Millionths are fine enough for a bar, and leave room to multiply.
        return u128::try_from(sums.cost.rounded(6)).unwrap_or(0);
    }
    if in_dollars { 0 } else { u128::from(sums.tokens.total()) }
}

/// `▲ 35% above`, `▼ 12% below`, `the same as`; `None` without a value to compare with.
fn trend(now: &Sums, before: &Sums) -> Option<String> {
    let in_dollars = now.cost > Usd::ZERO || before.cost > Usd::ZERO;
    let (now, before) = (weight(now, in_dollars), weight(before, in_dollars));
    let percent = now.abs_diff(before).saturating_mul(100).checked_div(before)?;
    Some(match now.cmp(&before) {
        std::cmp::Ordering::Less => format!("▼ {percent}% below"),
        std::cmp::Ordering::Equal => "the same as".to_owned(),
        std::cmp::Ordering::Greater => format!("▲ {percent}% above"),
    })
}
