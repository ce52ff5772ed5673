//! The head of the Fleet view: spending, rate, and the limit's remaining amount.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::Line;
use ratatui::widgets::Widget;

use super::super::super::Pane;
use super::super::super::targets::Target;
use super::super::super::widgets::{lines, pane, styled};
use super::Fleet;
use crate::domain::{Service, Speed};
use crate::ledger::Sums;
use crate::meter::{Follow, RATE, Verdict};
use crate::text;
use crate::theme::Role;

impl Fleet<'_> {
    pub(super) fn head(&self, area: Rect, buffer: &mut Buffer) {
        let app = self.0;
        let (theme, summary) = (&app.theme, app.summary());
        let title = match (&summary.session, &summary.follow) {
            (Some(_), _) => "Session",
            (None, Follow::Everything) => "Everything",
            (None, Follow::Today | Follow::Latest | Follow::Session(_)) if app.is_filtered() => {
                "Today · all of it, not filtered"
            }
            (None, Follow::Today | Follow::Latest | Follow::Session(_)) => "Today",
        };
        let has_keys = self.has_keys(Pane::Head);
        let played = app.options.played.map(|played| format!("{played}: nothing is booked"));
        let title: Vec<String> =
            std::iter::once(title.to_owned()).chain(played).chain([format!("$/h of the last {RATE} min")]).collect();
        let title = text::fit_parts(&title, " · ", usize::from(area.width).saturating_sub(4));
        let block = pane(theme, &title, has_keys);
        let mut inner = block.inner(area);
        block.render(area, buffer);
        inner.x += 1;
        inner.width = inner.width.saturating_sub(2);
        let room = usize::from(inner.width);
        let (now, zone) = (app.now(), app.options.zone);
        let limit = app.leading_limit();
        // If the pane covers only part of the day, its rate does not apply to the day's limit.
        let is_part = summary.session.is_some() || !app.options.only.is_empty();
        let midnight = summary.by_day_end.map(|end| text::usd_as(end, &summary.today));
        let forecasts = if is_part { Vec::new() } else { text::as_usual(limit, midnight.clone(), now, zone) };
        let forecast = forecasts.iter().find(|words| text::width(words) <= room).cloned();
        // If there is less room, the two forecasts go next to the rate and the sums.
        let has_own_line = inner.height >= 4 && forecast.is_some();
        let counter = [text::counter(&summary.followed, summary.growing)];
        let mut pace = vec![format!("{}/h", text::rate(summary.cost_per_hour, &summary.of_rate))];
        if let Some(limit) = limit {
            let whose = if is_part { format!("{}: ", limit.name) } else { String::new() };
            pace.push(format!("{whose}{}", text::left_of(limit)));
            let taken = text::width(&pace.join("   "));
            let wordings = [text::forecast_short(limit, now, zone), text::full_between(limit, now, zone)];
            let fitting = wordings.into_iter().flatten().find(|words| taken + 3 + text::width(words) <= room);
            pace.extend(fitting.filter(|_| !is_part && !has_own_line && limit.verdict != Verdict::Over));
        }
        pace.push(format!("{} tok/min", text::count(summary.tokens_per_min)));
        let last = summary.calls.first().map(|call| text::cost_as_in_column(&Sums::from_row(&call.row)));
        pace.extend(last.map(|cost| format!("last call {cost}")));
        let mut totals = Vec::new();
        if summary.session.is_some() || summary.follow == Follow::Everything {
            totals.push(format!("today {}", text::cost(&summary.today)));
        }
        totals.push(format!("week {}", text::cost(&summary.week)));
        totals.push(format!("month {}", text::cost(&summary.month)));
        totals.extend(midnight.filter(|_| !has_own_line).map(|end| format!("by midnight {end}")));
        // With several models, it would change with each call.
        let is_one = summary.session.is_some() || summary.models.len() == 1;
        let mut tariff: Vec<String> = is_one.then(|| self.tariff()).into_iter().collect();
        if has_own_line {
            totals.append(&mut tariff);
            tariff.extend(forecast);
        }
        let (third, fourth) = if summary.session.is_some() { (tariff, totals) } else { (totals, tariff) };
        let all: [(&[String], Role); 4] =
            [(&counter, Role::Accent), (&pace, Role::Text), (&third, Role::Dim), (&fourth, Role::Dim)];
        let shown = all.map(|(parts, role)| Line::from(styled(theme, role, text::fit_parts(parts, "   ", room))));
        lines(buffer, inner, shown);
        for (nth, row) in inner.rows().enumerate() {
            app.targets.add(row, Target::PaneRow(Pane::Head, nth));
            if has_keys && nth == app.cursor_of(Pane::Head).min(usize::from(inner.height).saturating_sub(1)) {
                buffer.set_style(row, theme.style(Role::Selection));
            }
        }
    }

    /// Rates of the last call.
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
}
