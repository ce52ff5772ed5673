//! The Models view: cost and rates of each model, and cost on an alternative.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::widgets::Widget;

use super::super::app::App;
use super::super::widgets::{Cell, Column, Grid, pane};
use crate::ledger::Sums;
use crate::text;
use crate::theme::Role;

/// A table of models.
pub(in super::super) struct Models<'a>(pub(in super::super) &'a App);

impl Widget for &Models<'_> {
    fn render(self, area: Rect, buffer: &mut Buffer) {
        const COLUMNS: [Column; 9] = [
            Column::name("model", 12, 32, 0),
            Column::number("calls", 7, 8),
            Column::number("tokens", 13, 3),
            Column::number("cost", 13, 1),
            Column::number("in $/M", 6, 4),
            Column::number("out $/M", 7, 5),
            Column::number("cached $/M", 10, 7),
            Column::number("cache", 5, 2),
            Column::name("cheapest other", 28, 40, 6),
        ];
        let app = self.0;
        let theme = &app.theme;
        let block = pane(theme, "Models · all that was booked, at the rates in force now", true);
        let mut inner = block.inner(area);
        block.render(area, buffer);
        inner.x += 1;
        inner.width = inner.width.saturating_sub(2);
        let models = app.models_shown();
        let rows: Vec<Vec<Cell>> = models
            .iter()
            .map(|view| {
                let name = view.model.as_deref().unwrap_or("unknown model").to_owned();
                let no_price = || ("?".to_owned(), Role::Warning);
                let rate = |rate: Option<crate::domain::Usd>| match (&view.rates, rate) {
                    (None, _) => no_price(),
                    (Some(_), Some(rate)) => (text::rate_per_million(rate), Role::Dim),
                    (Some(_), None) => (String::new(), Role::Dim),
                };
                let rates = view.rates.as_ref();
                let elsewhere = view.elsewhere.as_ref().map(|(other, cost)| {
                    let difference = if *cost < view.sums.cost {
                        format!("{} less", text::usd(view.sums.cost - *cost))
                    } else {
                        format!("{} more", text::usd(*cost - view.sums.cost))
                    };
                    let used = text::fit(text::model_short(other), 14);
                    format!("{used} {}, {difference}", text::usd(*cost))
                });
                vec![
                    (name, Role::Text),
                    (text::count(view.sums.calls), Role::Dim),
                    (text::count(view.sums.tokens.total()), Role::Text),
                    (text::cost_column(&view.sums), Role::Text),
                    rate(rates.map(|rates| rates.input)),
                    rate(rates.map(|rates| rates.output)),
                    rate(rates.and_then(|rates| rates.cache_read)),
                    (cache_hit(&view.sums).unwrap_or_default(), Role::Good),
                    (elsewhere.unwrap_or_default(), Role::Dim),
                ]
            })
            .collect();
        if rows.is_empty() {
            let said = text::fit("nothing booked yet", usize::from(inner.width));
            buffer.set_stringn(inner.x, inner.y, said, usize::from(inner.width), theme.style(Role::Dim));
            return;
        }
        let grid = Grid { theme, columns: &COLUMNS, rows, cursor: Some(app.cursor()), sorted: None, heads: true };
        grid.render(inner, buffer);
    }
}

/// Share of prompt tokens read from a cache; `None` if no cache was used.
fn cache_hit(sums: &Sums) -> Option<String> {
    let tokens = &sums.tokens;
    let used = tokens.cache_read > 0 || tokens.cache_write() > 0;
    text::per_cent(tokens.cache_read, tokens.prompt()).filter(|_| used).map(|per_cent| format!("{per_cent}%"))
}
