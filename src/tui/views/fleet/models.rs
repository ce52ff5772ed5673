//! The displayed models, with the trend of the last minutes.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::Line;
use ratatui::widgets::Widget;

use super::super::super::Pane;
use super::super::super::targets::Target;
use super::super::super::widgets::{Sparks, lines, pane, styled, top_for};
use super::Fleet;
use crate::meter::{ModelLine, TREND};
use crate::text;
use crate::theme::Role;

/// The columns of a model's line.
struct Columns {
    wide: bool,
    name: usize,
    trend: usize,
    room: usize,
}

impl Fleet<'_> {
    pub(super) fn models(&self, area: Rect, buffer: &mut Buffer) {
        let app = self.0;
        let (theme, summary) = (&app.theme, app.summary());
        let room = usize::from(area.width.saturating_sub(2));
        let columns = Columns::fit(&summary.models, room);
        let sparks = Sparks::scaled_to(
            summary.models.iter().map(|model| &model.trend),
            columns.trend,
            (summary.trend_until, app.now()),
        );
        let unit = if sparks.is_in_dollars { "$" } else { "tokens" };
        let until = summary.trend_until;
        let is_old = (app.now() - until).num_minutes() > 1;
        let until = text::moment(until, app.now(), app.options.zone);
        let minutes = columns.trend;
        let span = if is_old { format!("{minutes} min until {until}") } else { format!("last {minutes} min") };
        let cursor = app.cursor_of(Pane::Models).min(summary.models.len().saturating_sub(1));
        let height = area.height.saturating_sub(2);
        let top = top_for(cursor, height);
        let below = summary.models.len().saturating_sub(top + usize::from(height));
        let more = if below > 0 { format!(" · {below} more below") } else { String::new() };
        let all = if app.is_filtered() { " · all of them, not filtered" } else { "" };
        let title = format!("Models · {unit} per minute, {span}{more}{all}");
        let block = pane(theme, &title, self.has_keys(Pane::Models));
        let inner = block.inner(area);
        block.render(area, buffer);
        for (row, nth) in inner.rows().zip(top..summary.models.len()) {
            app.targets.add(row, Target::PaneRow(Pane::Models, nth));
        }
        let models = summary.models.iter().enumerate().skip(top);
        lines(buffer, inner, models.map(|(nth, model)| self.model(nth, model, &sparks, &columns)));
    }

    fn model(&self, nth: usize, model: &ModelLine, sparks: &Sparks, columns: &Columns) -> Line<'static> {
        let theme = &self.0.theme;
        let name = model.model.as_deref().unwrap_or("unknown model");
        let name = if columns.wide { name } else { text::model_short(name) };
        let trend = text::pad_left(&sparks.draw(&model.trend), columns.trend);
        let numbers = numbers(model, columns.room);
        let left = columns.room.saturating_sub(columns.name + 3 + columns.trend + text::width(&numbers));
        let mut spans = vec![
            styled(theme, Role::Text, format!(" {} ", text::pad(name, columns.name))),
            styled(theme, Role::Series(nth), trend),
            styled(theme, Role::Text, numbers),
        ];
        if left >= 12 {
            // Drop classes from the end only: a class missing in the middle would seem not to exist.
            let mut classes = classes(model);
            while text::width(&classes.join("  ")) > left.saturating_sub(4) {
                classes.pop();
            }
            let split = classes.join("  ");
            spans.push(styled(theme, Role::Dim, format!("   {split} ")));
        }
        Line::from(spans)
    }
}

impl Columns {
    /// Name, tokens, cost and share come first. The sparkline takes the rest, up to the minutes it has.
    fn fit(models: &[ModelLine], room: usize) -> Self {
        let wide = room >= 98;
        let names = models.iter().map(|model| {
            let name = model.model.as_deref().unwrap_or("unknown model");
            text::width(if wide { name } else { text::model_short(name) })
        });
        // Shrink the trend before truncating a name.
        let name = names.max().unwrap_or(0).clamp(if wide { 18 } else { 12 }, (room / 4).max(12));
        let numbers = models.iter().map(|model| text::width(&numbers(model, room))).max().unwrap_or(0);
        let splits = models.iter().map(|model| text::width(&classes(model).join("  ")) + 4).max().unwrap_or(0);
        let left = room.saturating_sub(name + 3 + numbers);
        let trend = if wide { left.saturating_sub(splits).clamp(12, TREND) } else { left.min(TREND) };
        // In steps, so that the layout does not change when a number gains a digit.
        let trend = if trend >= 10 { trend / 5 * 5 } else { trend };
        Self { wide, name, trend, room }
    }
}

/// Tokens, cost and share.
fn numbers(model: &ModelLine, room: usize) -> String {
    let tokens = text::count(model.sums.tokens.total());
    if room >= 56 {
        let cost = text::pad_left(&text::cost_column(&model.sums), 11);
        format!(" {tokens:>11} tok  {cost} {:>5}", model.share)
    } else {
        format!(" {} {:>5}", text::pad_left(&text::cost(&model.sums), 9), model.share)
    }
}

/// The token classes that a model has used.
fn classes(model: &ModelLine) -> Vec<String> {
    let tokens = &model.sums.tokens;
    let classes = [
        ("in", tokens.input),
        ("out", tokens.output),
        ("cache read", tokens.cache_read),
        ("write", tokens.cache_write()),
    ];
    let parts = classes.into_iter().filter(|(_, count)| *count > 0);
    parts.map(|(word, count)| format!("{word} {}", text::compact(count))).collect()
}
