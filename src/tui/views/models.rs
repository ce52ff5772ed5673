//! The Models view: cost and rates of each model, and cost on an alternative.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::widgets::Widget;

use super::super::ModelView;
use super::super::app::App;
use super::super::model_days::DAYS;
use super::super::targets::Target;
use super::super::widgets::{Cell, Column, Grid, gauge, micros, pane, spark};
use crate::domain::Usd;
use crate::ledger::Sums;
use crate::meter::{Share, shares};
use crate::text;
use crate::theme::Role;

/// A table of models.
pub(in super::super) struct Models<'a>(pub(in super::super) &'a App);

impl Widget for &Models<'_> {
    fn render(self, area: Rect, buffer: &mut Buffer) {
        let app = self.0;
        let theme = &app.theme;
        let title = ["Models", "all time"].map(str::to_owned).into_iter().chain(app.filtered());
        let title: Vec<String> = title.chain(["at the rates in force now".to_owned()]).collect();
        let title = text::fit_parts(&title, " · ", usize::from(area.width).saturating_sub(4));
        let block = pane(theme, &title, true);
        let mut inner = block.inner(area);
        block.render(area, buffer);
        inner.x += 1;
        inner.width = inner.width.saturating_sub(2);
        let days = if area.width >= 150 { DAYS } else { 14 };
        // Without room for a bar, only the number is shown.
        let bar = if area.width >= 50 { 9 } else { 0 };
        let share_width = if bar == 0 { 5 } else { bar + 6 };
        let columns: [Column; 13] = [
            Column::subject("model", 12, 32, 0),
            Column::name("share", share_width, share_width, 2),
            Column::name(if days == DAYS { "$ a day, 30 days" } else { "$ a day, 2 wk" }, days, days, 5),
            Column::number("calls", 7, 10),
            Column::number("tokens", 13, 4),
            Column::number("cost", 13, 1),
            Column::number("in $/M", 6, 8),
            Column::number("out $/M", 7, 9),
            Column::number("cached $/M", 10, 12),
            Column::number("cache", 5, 3),
            Column::name("cheapest other", 14, 20, 6),
            Column::number("costs there", 11, 11),
            Column::number("difference", 11, 7),
        ];
        let models = app.models_shown();
        let whole = app.models.iter().fold(Sums::default(), |mut whole, view| {
            whole.add(&view.sums);
            whole
        });
        let shares = shares(app.models.iter().map(|view| &view.sums), &whole);
        let share_of = |view: &ModelView| {
            let nth = app.models.iter().position(|other| std::ptr::eq(other, view))?;
            shares.get(nth).copied()
        };
        let daily = |view: &ModelView| -> Vec<u64> {
            let all = app.model_days.costs_of(view.model.as_ref());
            all[all.len().saturating_sub(days)..].iter().map(|usd| micros(*usd)).collect()
        };
        let most = models.iter().flat_map(|view| daily(view)).max().unwrap_or(0);
        let rows: Vec<Vec<Cell>> = models
            .iter()
            .enumerate()
            .map(|(nth, view)| {
                let name = view.model.as_deref().unwrap_or("unknown model").to_owned();
                let no_price = || ("?".to_owned(), Role::Warning);
                let rate = |rate: Option<Usd>| match (&view.rates, rate) {
                    (None, _) => no_price(),
                    (Some(_), Some(rate)) => (text::rate_per_million(rate), Role::Dim),
                    (Some(_), None) => (String::new(), Role::Dim),
                };
                let rates = view.rates.as_ref();
                let (other, costs_there, less) = match &view.elsewhere {
                    Some((other, cost)) => {
                        (text::model_short(other).to_owned(), there(*cost, &view.sums), difference(*cost, &view.sums))
                    }
                    None => Default::default(),
                };
                let tone = if less.contains('-') { Role::Good } else { Role::Dim };
                vec![
                    (name, Role::Text),
                    (share_of(view).map_or_else(String::new, |of| share(of, bar)), Role::Series(nth)),
                    (spark(&daily(view), most, days), Role::Accent),
                    (text::count(view.sums.calls), Role::Dim),
                    (text::count(view.sums.tokens.total()), Role::Text),
                    (text::cost_column(&view.sums), Role::Text),
                    rate(rates.map(|rates| rates.input)),
                    rate(rates.map(|rates| rates.output)),
                    rate(rates.and_then(|rates| rates.cache_read)),
                    (cache_hit(&view.sums).unwrap_or_default(), Role::Good),
                    (other, Role::Dim),
                    (costs_there, Role::Dim),
                    (less, tone),
                ]
            })
            .collect();
        if rows.is_empty() {
            let notice = app.nothing_fits("model").filter(|_| !app.models.is_empty());
            let notice = notice.unwrap_or_else(|| "nothing booked yet".to_owned());
            let notice = text::fit(&notice, usize::from(inner.width));
            buffer.set_stringn(inner.x, inner.y, notice, usize::from(inner.width), theme.style(Role::Dim));
            return;
        }
        let grid =
            Grid { theme, columns: &columns, rows, cursor: Some(app.cursor()), sorted: None, heads: true, least: &[] };
        grid.draw(inner, buffer, |nth, place| app.targets.add(place, Target::Row(nth)), |_, _| {});
    }
}

/// The cost that all tokens of a model would have on another one, also those without a price on their own.
fn there(cost: Usd, sums: &Sums) -> String {
    text::usd_as(cost, &Sums { unpriced_tokens: 0, ..*sums })
}

/// How much more that is than they cost. Where some of them have no price, they cost more than is known, so the
/// difference is at most this; where their counts are uncertain too, it is an estimate.
fn difference(cost: Usd, sums: &Sums) -> String {
    let priced = Sums { unpriced_tokens: 0, ..*sums };
    let words = text::difference(cost - sums.cost, &priced);
    let is_exact = sums.lower_bound_calls == 0 && sums.guessed_calls == 0;
    if sums.unpriced_tokens > 0 && is_exact { format!("≤ {words}") } else { words }
}

/// A bar with this many cells, and the share.
fn share(of: Share, bar: usize) -> String {
    format!("{} {of:>5}", gauge(of.percent().unwrap_or(0).into(), bar)).trim_start_matches(' ').to_owned()
}

/// Share of prompt tokens read from a cache; `None` if no cache was used.
fn cache_hit(sums: &Sums) -> Option<String> {
    let tokens = &sums.tokens;
    let used = tokens.cache_read > 0 || tokens.cache_write() > 0;
    text::per_cent(tokens.cache_read, tokens.prompt()).filter(|_| used).map(|per_cent| format!("{per_cent}%"))
}
