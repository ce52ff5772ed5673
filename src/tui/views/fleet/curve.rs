//! The day as a curve: dollars so far, the forecast band until midnight, and the daily limit on exactly these calls.

use ratatui::buffer::Buffer;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::Color;
use ratatui::symbols::Marker;
use ratatui::widgets::Widget;
use ratatui::widgets::canvas::{Canvas, Line, Points};

use super::super::super::widgets::{Scale, cells, dollars, fill, labels, micros, pane, role_of};
use super::Fleet;
use crate::domain::{Instant, Span, Usd, sort_by_key};
use crate::meter::Measure;
use crate::text;
use crate::theme::Role;

/// Maps times and amounts to the dots of a chart.
struct Dots {
    plot: Rect,
    scale: Scale,
    day: Span,
    /// Dots per cell, across and up.
    each: (u32, u32),
}

impl Dots {
    const fn size(&self) -> (u32, u32) {
        (self.plot.width as u32 * self.each.0, self.plot.height as u32 * self.each.1)
    }

    fn x(&self, at: Instant) -> u32 {
        let whole = (self.day.until - self.day.from).num_seconds().max(1);
        let part = (at - self.day.from).num_seconds().clamp(0, whole);
        u32::try_from(i64::from(self.size().0.saturating_sub(1)) * part / whole).unwrap_or(0)
    }

    fn y(&self, amount: Usd) -> u32 {
        let top = u128::from(self.size().1.saturating_sub(1));
        let up = u128::from(micros(amount)).saturating_mul(top) / self.scale.most().max(1);
        u32::try_from(up.min(top)).unwrap_or(0)
    }

    fn point(&self, at: Instant, amount: Usd) -> (f64, f64) {
        (f64::from(self.x(at)), f64::from(self.y(amount)))
    }
}

/// Where a label of this width for the line in row `y` hides the least of the curve and the forecast: on the line,
/// below or above it; at the left, at the right or in the middle. `None` if it is too wide.
fn label_place(buffer: &Buffer, plot: Rect, y: u16, width: u16) -> Option<(u16, u16)> {
    let spare = plot.width.checked_sub(width + 2)?;
    let rows = [Some(y), y.checked_add(1), y.checked_sub(1)];
    let rows = rows.into_iter().flatten().filter(|y| (plot.top()..plot.bottom()).contains(y));
    let places = rows.flat_map(|y| [0, spare, spare / 2].map(|x| (plot.x + 1 + x, y)));
    places.min_by_key(|(x, y)| {
        let covered = (*x..*x + width).filter_map(|x| buffer.cell((x, *y)));
        covered.filter(|cell| !matches!(cell.symbol(), " " | "╌" | "┈")).count()
    })
}

impl Fleet<'_> {
    pub(super) fn curve(&self, area: Rect, buffer: &mut Buffer) {
        let app = self.0;
        let (theme, summary) = (&app.theme, app.summary());
        let total = summary.today.cost;
        let end = summary.curve.ahead.last();
        let mut title = vec![format!("Dollars today {}", text::cost(&summary.today))];
        if let Some(end) = end {
            let [least, likely, most] =
                [end.least, end.likely, end.most].map(|more| text::usd_as(total + more, &summary.today));
            title.push(format!("by midnight {likely}, between {least} and {most}"));
        }
        let block = pane(theme, &text::fit_parts(&title, " · ", usize::from(area.width).saturating_sub(6)), false);
        let mut inner = block.inner(area);
        block.render(area, buffer);
        inner.width = inner.width.saturating_sub(1);
        let [chart, times] = Layout::vertical([Constraint::Min(1), Constraint::Length(1)]).areas(inner);

        let of_day = summary.limit_of_today();
        let allowed = of_day.and_then(|limit| Measure::Usd.amount_of(&limit.limit.amount)).map(Usd::from_pico);
        let reaches = end.map_or(total, |end| total + end.likely);
        let band = end.map_or(total, |end| total + end.most);
        // Show the limit unless that would flatten the curve. The band may extend above the chart.
        let seen = allowed.filter(|allowed| allowed.pico() <= reaches.pico().saturating_mul(4));
        let most = seen.unwrap_or_default().max(reaches).max(band.min(Usd::from_pico(reaches.pico() * 3 / 2)));
        let scale = Scale::of_dollars(u128::from(micros(most)), chart.height);
        let plot = scale.draw(theme, dollars, chart, buffer);
        let (marker, each) = if app.options.ascii { (Marker::Dot, (1, 1)) } else { (Marker::Braille, (2, 4)) };
        let dots = Dots { plot, scale, day: summary.day, each };
        let line = of_day.zip(seen).map(|(limit, allowed)| {
            let style = theme.style(role_of(limit));
            let y = scale.row(u128::from(micros(allowed)), plot);
            fill(buffer, Rect { y, height: 1, ..plot }, '╌', style);
            (y, format!(" limit {} ", text::usd(allowed)), style)
        });
        self.lines(&dots, marker, buffer);
        // Last, so that no dot of the curve falls between its letters.
        if let Some((y, words, style)) = line
            && let Some((x, y)) = label_place(buffer, plot, y, cells(text::width(&words)))
        {
            buffer.set_stringn(x, y, words, usize::from(plot.width), style);
        }

        let hours = if plot.width >= 80 { 2 } else { 4 };
        let hour = |nth: i64| summary.day.from + chrono::Duration::hours(nth);
        let x = |at: Instant| plot.x + u16::try_from(dots.x(at) / dots.each.0).unwrap_or(0);
        let now = app.now().min(summary.day.until);
        let mut marks: Vec<(u16, String)> = (0..24 / hours)
            .map(|nth| (x(hour(nth * hours)), text::clock(hour(nth * hours), app.options.zone)))
            .filter(|(at, _)| at.abs_diff(x(now)) > 5)
            .collect();
        marks.push((x(now), "▲ now".to_owned()));
        sort_by_key(&mut marks, |(at, _)| *at);
        labels(theme, &marks, times, buffer);
    }

    /// Draws past spending as a solid line, the forecast as a dotted line, and its band as sparse dots.
    fn lines(&self, dots: &Dots, marker: Marker, buffer: &mut Buffer) {
        let app = self.0;
        let summary = app.summary();
        let color = |role| app.theme.style(role).fg.unwrap_or(Color::Reset);
        let total = summary.today.cost;
        let now = app.now().min(summary.day.until);
        let spent = summary.curve.spent.iter().copied().chain([(now, total)]);
        let spent: Vec<(f64, f64)> = spent.map(|(at, sum)| dots.point(at, sum)).collect();
        let start = [(now, [total; 3])].into_iter();
        let ahead = summary.curve.ahead.iter().map(|ahead| {
            let sums = [ahead.least, ahead.likely, ahead.most].map(|more| total + more);
            (ahead.at, sums)
        });
        let ahead: Vec<(Instant, [Usd; 3])> = start.chain(ahead).collect();
        // A point every few dot columns, interpolated along the line.
        let dotted = |which: usize, every: u32| {
            let mut points = Vec::new();
            for pair in ahead.windows(2) {
                let (from, until) = ((dots.x(pair[0].0), pair[0].1[which]), (dots.x(pair[1].0), pair[1].1[which]));
                let width = i128::from(until.0.saturating_sub(from.0)).max(1);
                for x in (from.0..until.0).filter(|x| x % every == 0) {
                    let part = (until.1 - from.1).pico().saturating_mul(i128::from(x - from.0)) / width;
                    let amount = from.1 + Usd::from_pico(part);
                    // Do not draw points above the chart at its edge.
                    if u128::from(micros(amount)) <= dots.scale.most() {
                        points.push((f64::from(x), f64::from(dots.y(amount))));
                    }
                }
            }
            points
        };
        let band = [dotted(0, 4), dotted(2, 4)];
        let likely = dotted(1, 2);
        let (width, height) = dots.size();
        let canvas = Canvas::default()
            .marker(marker)
            .x_bounds([0.0, f64::from(width.saturating_sub(1).max(1))])
            .y_bounds([0.0, f64::from(height.saturating_sub(1).max(1))])
            .paint(|context| {
                for coords in &band {
                    context.draw(&Points { coords, color: color(Role::Dim) });
                }
                context.draw(&Points { coords: &likely, color: color(Role::Warning) });
                context.layer();
                for pair in spent.windows(2) {
                    let ((x1, y1), (x2, y2)) = (pair[0], pair[1]);
                    context.draw(&Line { x1, y1, x2, y2, color: color(Role::Accent) });
                }
            });
        canvas.render(dots.plot, buffer);
    }
}
