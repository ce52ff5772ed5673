//! The History view: a calendar of days, and stacked bars of days, weeks or months by model.

use chrono::{Datelike, Duration};
use ratatui::buffer::Buffer;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::widgets::Widget;

use super::super::Action;
use super::super::app::App;
use super::super::history::{BARS, Bars, History as State, PATTERN, Step, WEEKS};
use super::super::targets::Target;
use super::super::widgets::{Scale, Stack, cells, dollars, labels, micros, pane};
use crate::domain::{Day, Usd, day_of};
use crate::ledger::Sums;
use crate::text;
use crate::theme::Role;

/// The calendar and the bars.
pub(in super::super) struct History<'a>(pub(in super::super) &'a App);

impl Widget for &History<'_> {
    fn render(self, area: Rect, buffer: &mut Buffer) {
        let calendar = if area.height >= 22 { 10 } else { 0 };
        let [top, bottom] = Layout::vertical([Constraint::Length(calendar), Constraint::Min(0)]).areas(area);
        if !top.is_empty() {
            let pattern = if top.width >= 116 { 57 } else { 0 };
            let [days, hours] = Layout::horizontal([Constraint::Min(0), Constraint::Length(pattern)]).areas(top);
            self.calendar(days, buffer);
            if !hours.is_empty() {
                self.pattern(hours, buffer);
            }
        }
        self.bars(bottom, buffer);
    }
}

impl History<'_> {
    fn calendar(&self, area: Rect, buffer: &mut Buffer) {
        let app = self.0;
        let theme = &app.theme;
        let summary = app.summary();
        let mut parts = vec!["Half a year, day by day".to_owned()];
        parts.push(format!("today {}", text::cost(&summary.today)));
        parts.push(format!("month {}", text::cost(&summary.month)));
        parts.extend(summary.by_month_end.map(|end| format!("{} by its end", text::usd_as(end, &summary.month))));
        let title = text::fit_parts(&parts, " · ", usize::from(area.width).saturating_sub(6));
        let block = pane(theme, &title, false);
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
                // A month that starts within two weeks of the last label is labelled a week later.
                let crowded = week > 0 && week < named + 2 || x + 4 >= inner.right();
                if !crowded {
                    (month, named) = (day.month(), week);
                    let style = theme.style(Role::Dim);
                    buffer.set_stringn(x, inner.y, day.format("%b").to_string(), 3, style);
                }
            }
            let (fill, role) = shade(*weight, most);
            buffer.set_stringn(x, y, fill, 1, theme.style(role));
        }
    }

    /// Spending at each hour of each weekday.
    fn pattern(&self, area: Rect, buffer: &mut Buffer) {
        let app = self.0;
        let theme = &app.theme;
        let block = pane(theme, &format!("Weekdays by hour, {PATTERN} weeks"), false);
        let inner = block.inner(area);
        block.render(area, buffer);
        let pattern = app.history.pattern();
        let most = pattern.iter().flatten().map(|usd| u128::from(micros(*usd))).max().unwrap_or(0);
        let left = inner.x + 5;
        let hours: Vec<(u16, String)> =
            (0..24).step_by(4).map(|hour| (left + hour * 2, format!("{hour:02}"))).collect();
        labels(theme, &hours, Rect { height: 1, ..inner }, buffer);
        let names = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];
        for (row, (name, hours)) in inner.rows().skip(1).zip(names.into_iter().zip(pattern)) {
            buffer.set_stringn(row.x + 1, row.y, name, 3, theme.style(Role::Dim));
            for (hour, usd) in hours.iter().enumerate() {
                let x = left + cells(hour) * 2;
                if x + 1 < row.right() {
                    let (fill, role) = shade(u128::from(micros(*usd)), most);
                    buffer.set_stringn(x, row.y, fill, 1, theme.style(role));
                }
            }
        }
    }

    fn bars(&self, area: Rect, buffer: &mut Buffer) {
        let app = self.0;
        let theme = &app.theme;
        let step = app.history.step;
        let mut title = vec![format!("Each {}", step.name())];
        if app.history.back > 0 {
            let back = u64::try_from(app.history.back).unwrap_or(u64::MAX);
            title.push(format!("{} back", text::plural(back, step.name())));
            title.push(format!("{}: today", app.options.keys.first(Action::Last)));
        }
        title.extend(app.is_filtered().then(|| "all of it, not filtered".to_owned()));
        title.push("models stacked".to_owned());
        let title = text::fit_parts(&title, " · ", usize::from(area.width).saturating_sub(4));
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
        let notice = |buffer: &mut Buffer, words: &str| {
            buffer.set_stringn(inner.x, inner.y, text::fit(words, room), room, theme.style(Role::Dim));
        };
        if app.history.is_waiting() {
            return notice(buffer, "asking the ledger …");
        }
        let in_dollars = page.bars.iter().any(|bar| bar.sums.cost > Usd::ZERO);
        let most = page.bars.iter().skip(1).map(|bar| weight(&bar.sums, in_dollars)).max().unwrap_or(0);
        if most == 0 {
            return notice(buffer, &format!("nothing booked in these {} {}s", BARS, step.name()));
        }
        let (day_labels, legend) = (u16::from(inner.height >= 8), u16::from(inner.height >= 6));
        let [chart, marks, days, detail, names] = Layout::vertical([
            Constraint::Min(1),
            Constraint::Length(1),
            Constraint::Length(day_labels),
            Constraint::Length(1),
            Constraint::Length(legend),
        ])
        .areas(inner);
        let scale =
            if in_dollars { Scale::of_dollars(most, chart.height) } else { Scale::reaching(most, chart.height) };
        let label = |amount: u128| {
            if in_dollars { dollars(amount) } else { text::compact(u64::try_from(amount).unwrap_or(u64::MAX)) }
        };
        let plot = scale.draw(theme, label, chart, buffer);
        let stack = Stack::new(theme, app.options.ascii, scale.most());
        let slot = (plot.width / cells(BARS)).clamp(1, 6);
        let shown = usize::from(plot.width / slot).min(BARS);
        let skipped = page.bars.len() - shown;
        let columns = slot.saturating_sub(1).max(1);
        let mut labelled = Vec::new();
        for (nth, bar) in page.bars.iter().skip(skipped).enumerate() {
            let x = plot.x + cells(nth) * slot;
            let parts: Vec<u128> = bar.models.iter().map(|sums| weight(sums, in_dollars)).collect();
            stack.bar(&parts, Rect { x, width: columns, ..plot }, buffer);
            app.targets.add(Rect { x, width: columns, ..plot }, Target::Row(shown - 1 - nth));
            if shown - 1 - nth == app.history.cursor {
                buffer.set_stringn(x + columns / 2, marks.y, "▲", 1, theme.style(Role::Accent));
            }
            labelled.extend(step.label(bar.first, slot >= 4).map(|label| (x + columns / 2, label)));
        }
        if !days.is_empty() {
            labels(theme, &labelled, days, buffer);
        }
        self.detail(&page, step, detail, buffer);
        if !names.is_empty() {
            let models = page.models.iter().map(|model| model.as_deref().map_or("unknown", text::model_short));
            stack.legend(models, names, buffer);
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
        // The current period is compared with the same part of the previous one.
        if app.history.back + app.history.cursor == 0 {
            let until = step.point(app.now(), app.options.zone);
            let before = app.history.before().and_then(|before| trend(sums, before));
            parts.extend(before.map(|trend| format!("{trend} the {} before, up to {until}", step.name())));
        } else if let Some(before) = at.checked_sub(1).and_then(|at| page.bars.get(at)) {
            parts.extend(trend(sums, &before.sums).map(|trend| format!("{trend} the {} before", step.name())));
        }
        parts.extend(text::cache_line(sums).map(|cache| format!("cache {cache}")));
        let room = usize::from(area.width);
        buffer.set_stringn(area.x, area.y, text::fit_parts(&parts, "   ", room), room, theme.style(Role::Text));
    }
}

/// The shade for an amount, relative to the largest amount.
fn shade(weight: u128, most: u128) -> (&'static str, Role) {
    match weight.saturating_mul(4).div_ceil(most.max(1)) {
        0 => ("·", Role::Dim),
        1 => ("░", Role::Good),
        2 => ("▒", Role::Good),
        3 => ("▓", Role::Good),
        _ => ("█", Role::Good),
    }
}

/// Height of a bar: dollars if there are any, otherwise tokens.
fn weight(sums: &Sums, in_dollars: bool) -> u128 {
    if in_dollars && sums.cost > Usd::ZERO {
        return u128::from(micros(sums.cost));
    }
    if in_dollars { 0 } else { u128::from(sums.tokens.total()) }
}

/// `▲ 35% above`, `▼ 12% below`, `the same as`; `None` without a value to compare with.
fn trend(now: &Sums, before: &Sums) -> Option<String> {
    let in_dollars = now.cost > Usd::ZERO || before.cost > Usd::ZERO;
    let (now, before) = (weight(now, in_dollars), weight(before, in_dollars));
    let percent = now.abs_diff(before).saturating_mul(100).checked_div(before)?;
    let percent = text::percentage(u64::try_from(percent).unwrap_or(u64::MAX));
    Some(match now.cmp(&before) {
        std::cmp::Ordering::Less => format!("▼ {percent} below"),
        std::cmp::Ordering::Equal => "the same as".to_owned(),
        std::cmp::Ordering::Greater => format!("▲ {percent} above"),
    })
}
