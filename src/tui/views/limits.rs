//! The Limits view: every limit with bar, period and forecast, followed by the providers' own windows.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::Line;
use ratatui::widgets::Widget;

use super::super::Action;
use super::super::app::App;
use super::super::targets::Target;
use super::super::widgets::{
    Cell, Column, Grid, cells, limit_bar, lines, pane, quota_bar, role_of, role_of_quota, styled,
};
use crate::domain::{Instant, Quota, Zone};
use crate::meter::{LimitState, Verdict};
use crate::text;
use crate::theme::Role;

/// A table of limits and providers' windows.
pub(in super::super) struct Limits<'a>(pub(in super::super) &'a App);

impl Widget for &Limits<'_> {
    fn render(self, area: Rect, buffer: &mut Buffer) {
        let app = self.0;
        let (limits, quotas) = (app.limits(), app.quotas());
        let mut names = text::row_names(&limits);
        // On a narrow screen, the room goes to long names.
        let longest = names.iter().map(|name| text::width(name)).max().unwrap_or(0);
        if area.width < 100 && longest > 13 {
            names = limits.iter().zip(&names).map(|(limit, name)| text::short_name(limit, name)).collect();
        }
        // The bar uses the room that the widest texts leave.
        let bar = match area.width {
            60..100 => 6,
            100..130 if longest > 20 => 6,
            width => usize::from(width).saturating_sub(130).clamp(10, 60),
        };
        // If there is no room for words, the mark shows which limits are near or over.
        let verdict = if area.width < 100 { 1 } else { 7 };
        let columns: [Column; 8] = [
            Column::subject("limit", 12, 36, 0),
            Column::amounts("used", 18, 44, 8),
            Column::amounts("left", 12, 24, 3),
            Column::name("", bar, bar, 2),
            Column::number("", 5, 1),
            Column::name("", verdict, verdict, 5),
            Column::name("resets", 12, 18, 4),
            Column::name("full at", 12, 40, 6),
        ];
        let theme = &app.theme;
        let mut title = vec![format!("Limits · {}", app.counted(limits.len(), app.summary().limits.len()))];
        if !quotas.is_empty() {
            title.push(text::plural(u64::try_from(quotas.len()).unwrap_or(u64::MAX), "provider window"));
        }
        title.extend(app.filtered());
        let title = text::fit_parts(&title, " · ", usize::from(area.width).saturating_sub(4));
        let block = pane(theme, &title, true);
        let mut inner = block.inner(area);
        block.render(area, buffer);
        inner.x += 1;
        inner.width = inner.width.saturating_sub(2);
        let is_hidden = limits.is_empty() && quotas.is_empty() && !app.summary().limits.is_empty();
        if let Some(notice) = app.nothing_fits("limit").filter(|_| is_hidden) {
            let notice = styled(theme, Role::Dim, text::fit(&notice, usize::from(inner.width)));
            return lines(buffer, inner, [notice.into()]);
        }
        if limits.is_empty() && app.summary().limits.is_empty() {
            inner = self.none(inner, buffer);
        }
        if inner.is_empty() || (limits.is_empty() && quotas.is_empty()) {
            return;
        }
        let (now, zone) = (app.now(), app.options.zone);
        let of_limits = limits.iter().zip(names).map(|(limit, name)| of_limit(limit, name, bar, area.width, now, zone));
        let of_quotas = quotas.iter().map(|quota| of_quota(quota, bar, now, zone));
        let mut rows: Vec<Vec<Cell>> = of_limits.chain(of_quotas).collect();
        if verdict == 1 {
            for (words, _) in rows.iter_mut().filter_map(|row| row.get_mut(5)) {
                *words = words.chars().take(1).collect();
            }
        }
        let widths = &app.limit_widths;
        let resets = widths.resets.saturating_sub(text::width("resets "));
        let full = if area.width >= 140 { widths.band } else { widths.full }.saturating_sub(text::width("full at "));
        // Reserve columns for the verdict and the full time even before any limit has one.
        let least = [widths.name, widths.used, widths.left, bar, widths.percent, verdict, resets, full.max(12)];
        let grid = Grid {
            theme,
            columns: &columns,
            rows,
            cursor: Some(app.cursor()),
            sorted: None,
            heads: true,
            least: &least,
        };
        grid.draw(inner, buffer, |nth, place| app.targets.add(place, Target::Row(nth)), |_, _| {});
    }
}

impl Limits<'_> {
    /// Explains how to set a limit. Returns the area below.
    fn none(&self, area: Rect, buffer: &mut Buffer) -> Rect {
        let app = self.0;
        let room = usize::from(area.width);
        let add = app.options.keys.first(Action::AddLimit);
        let examples =
            [format!("{add} adds one: day 25usd"), "month 100usd".to_owned(), "user:alice:day 500k".to_owned()];
        let mut words = vec!["No limits.".to_owned(), String::new(), text::fit_parts(&examples, ", ", room)];
        words.push("or: tokmeter limits set day 25usd".to_owned());
        if !app.quotas().is_empty() {
            // The providers' windows deserve the room more than an example does.
            words = vec![format!("No limits of your own. {add} adds one.")];
        }
        let taken = cells(words.len() + 1).min(area.height);
        let words = words.into_iter().map(|line| Line::from(styled(&app.theme, Role::Dim, text::fit(&line, room))));
        lines(buffer, area, words);
        Rect { y: area.y + taken, height: area.height - taken, ..area }
    }
}

fn of_limit(limit: &LimitState, name: String, bar: usize, width: u16, now: Instant, zone: Zone) -> Vec<Cell> {
    let role = role_of(limit);
    let out_of_force = if limit.lifted {
        "lifted"
    } else if limit.has_ended() {
        "ended"
    } else {
        ""
    };
    let verdict = match limit.verdict {
        _ if !out_of_force.is_empty() && width >= 100 => out_of_force,
        _ if limit.is_quiet() => "",
        Verdict::Under => "",
        Verdict::Near => "⚠ near",
        Verdict::Over => "■ over",
    };
    let resets = text::resets(limit, now, zone).unwrap_or_default();
    let forecast = if width >= 140 { text::forecast_short(limit, now, zone) } else { text::full_at(limit, now, zone) }
        .unwrap_or_default();
    let forecast = if width < 100 && !out_of_force.is_empty() { out_of_force.to_owned() } else { forecast };
    vec![
        (name, Role::Text),
        (text::banner_amounts(limit), Role::Text),
        (text::left(limit), Role::Text),
        (limit_bar(limit, bar, now), role),
        (text::percentage(limit.percent), role),
        (verdict.to_owned(), role),
        (resets.trim_start_matches("resets ").to_owned(), Role::Dim),
        (forecast.trim_start_matches("full at ").to_owned(), Role::Dim),
    ]
}

/// A provider's window, as the provider reported it. Its usage is unknown once it has reset.
fn of_quota(quota: &Quota, bar: usize, now: Instant, zone: Zone) -> Vec<Cell> {
    let (role, over) = (role_of_quota(quota, now), quota.is_over(now));
    let (left, used) = if over {
        (String::new(), "?".to_owned())
    } else {
        (format!("{}% left", 100_u32.saturating_sub(quota.percent())), format!("{}%", quota.percent()))
    };
    let verdict = match quota.percent() {
        _ if over => "",
        100.. => "■ over",
        80.. => "⚠ near",
        _ => "",
    };
    let resets = match quota.resets_at {
        Some(at) if over => format!("was {}", text::moment(at, now, zone)),
        Some(at) => text::moment(at, now, zone),
        None => String::new(),
    };
    vec![
        (text::quota_name(quota), Role::Text),
        // A fixed time, which needs no ticking clock.
        (format!("stated {}", text::moment(quota.seen, now, zone)), Role::Dim),
        (left, Role::Text),
        (quota_bar(quota, bar, now), role),
        (used, role),
        (verdict.to_owned(), role),
        (resets, Role::Dim),
        (String::new(), Role::Dim),
    ]
}
