//! The Limits view: every limit with bar, period and forecast, followed by the providers' own windows.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::Line;
use ratatui::widgets::Widget;

use super::super::Action;
use super::super::app::App;
use super::super::targets::Target;
use super::super::widgets::{Grid, cells, limit_bar, lines, mark_of, pane, quota_bar, role_of, role_of_quota, styled};
use super::limit_columns::{LimitColumns, LimitRow};
use crate::domain::{Instant, Quota, Zone};
use crate::meter::LimitState;
use crate::text;
use crate::theme::Role;

/// A table of limits and providers' windows.
pub(in super::super) struct Limits<'a>(pub(in super::super) &'a App);

impl Widget for &Limits<'_> {
    fn render(self, area: Rect, buffer: &mut Buffer) {
        let app = self.0;
        let (limits, quotas) = (app.limits(), app.quotas());
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
        let names = text::row_names(&limits);
        let names = text::short_names(&limits, &names).into_iter().zip(names);
        let of_limits = limits.iter().zip(names).map(|(limit, names)| of_limit(limit, names, now, zone));
        let of_quotas = quotas.iter().map(|quota| of_quota(quota, now, zone));
        let rows: Vec<LimitRow> = of_limits.chain(of_quotas).collect();
        let plan = LimitColumns::fit(&rows, &app.limit_widths, usize::from(inner.width));
        let bars = (limits.iter().map(|limit| limit_bar(limit, plan.bar, now)))
            .chain(quotas.iter().map(|quota| quota_bar(quota, plan.bar, now)));
        let names = plan.names(&rows);
        let rows = rows.into_iter().zip(names).zip(bars).map(|((row, name), bar)| plan.cells(row, name, bar)).collect();
        let (columns, least) = plan.columns();
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

fn of_limit(limit: &LimitState, (short_name, name): (String, String), now: Instant, zone: Zone) -> LimitRow {
    let out_of_force = if limit.lifted {
        "lifted"
    } else if limit.has_ended() {
        "ended"
    } else {
        ""
    };
    let verdict = match mark_of(limit) {
        "■" => "■ over",
        "⚠" => "⚠ near",
        _ => "",
    };
    let after = |words: Option<String>, word: &str| {
        words.map(|words| words.trim_start_matches(word).to_owned()).unwrap_or_default()
    };
    LimitRow {
        short_name,
        name,
        used: text::banner_amounts(limit),
        used_short: text::used_short(limit),
        left: text::left(limit),
        left_short: text::left_short(limit),
        per_cent: text::percent(limit),
        verdict,
        out_of_force,
        resets: after(text::resets(limit, now, zone), "resets "),
        full: after(text::full_at(limit, now, zone), "full at "),
        band: after(text::forecast_short(limit, now, zone), "full at "),
        role: role_of(limit),
    }
}

/// A provider's window, as the provider reported it. Its usage is unknown once it has reset.
fn of_quota(quota: &Quota, now: Instant, zone: Zone) -> LimitRow {
    let over = quota.is_over(now);
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
    LimitRow {
        name: text::quota_name(quota),
        short_name: text::quota_name(quota),
        // A fixed time, which needs no ticking clock.
        used: format!("stated {}", text::moment(quota.seen, now, zone)),
        used_short: String::new(),
        left_short: left.clone(),
        left,
        per_cent: used,
        verdict,
        out_of_force: "",
        resets,
        full: String::new(),
        band: String::new(),
        role: role_of_quota(quota, now),
    }
}
