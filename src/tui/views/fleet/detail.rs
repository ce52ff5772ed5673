//! Details of the day or of the pinned session.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::Line;
use ratatui::widgets::Widget;

use super::super::super::widgets::{lines, pane, styled};
use super::Fleet;
use crate::domain::{Ratio, Usd};
use crate::ledger::Sums;
use crate::meter::Follow;
use crate::text;
use crate::theme::Role;

impl Fleet<'_> {
    pub(super) fn detail(&self, area: Rect, buffer: &mut Buffer) {
        let app = self.0;
        let (theme, summary) = (&app.theme, app.summary());
        let title = match (&summary.session, &summary.follow) {
            (Some(_), _) => "Session",
            (None, Follow::Everything) => "Everything",
            (None, Follow::Today | Follow::Latest | Follow::Session(_)) => "Today",
        };
        let block = pane(theme, title, false);
        let inner = block.inner(area);
        block.render(area, buffer);
        let sums = &summary.followed;
        let mut rows: Vec<(&str, String)> = Vec::new();
        match &summary.session {
            Some(session) => rows.push(("Duration", text::duration(session.duration))),
            None if summary.follow == Follow::Today => {
                rows.extend(summary.session_count.map(|count| ("Sessions", text::count(count))));
            }
            None => {}
        }
        rows.push(("Operations", text::count(sums.calls)));
        rows.push(("Tokens", text::count(sums.tokens.total())));
        rows.push(("Cost", text::cost(sums)));
        rows.push(("Per call", text::usd_as_in_column(per_call(sums), sums)));
        let room = usize::from(inner.width);
        let columns = if room >= 70 { 2 } else { 1 };
        let value_room = (room / columns).saturating_sub(14);
        if let Some(cache) = text::cache_line(sums) {
            match cache.split_once(", ") {
                Some((hit, saved)) if text::width(&cache) > value_room => {
                    rows.push(("Cache", hit.to_owned()));
                    rows.push(("", saved.to_owned()));
                }
                Some(_) | None => rows.push(("Cache", cache)),
            }
        }
        if let Some(session) = &summary.session {
            if session.row.in_agents.calls > 0 {
                rows.push(("Sub-agents", format!("{} of cost", session.agent_share())));
            }
            rows.push(("Started", text::moment_full(session.row.started, app.now(), app.options.zone)));
            rows.extend(session.row.project.as_ref().map(|project| ("Project", project.to_string())));
            // The whole id, or what is shown of it everywhere: its beginning would be another name.
            let whole = |name: &&str| text::width(name) <= value_room;
            let name = session.row.session.as_deref();
            let name = name.filter(whole).or(name.map(text::session_short));
            rows.extend(name.map(|name| ("Session", name.to_owned())));
        } else {
            rows.extend(summary.by_day_end.map(|end| ("By midnight", text::usd_as(end, &summary.today))));
            rows.push(("This week", text::cost(&summary.week)));
            rows.push(("This month", text::cost(&summary.month)));
        }
        // If there are few rows, use two columns, starting with items that are not shown elsewhere.
        let height = usize::from(inner.height).max(1);
        let shown = (0..height).map(|row| {
            let mut spans = Vec::new();
            for column in 0..columns {
                let Some((name, value)) = rows.get(column * height + row) else { continue };
                let value =
                    if *name == "Project" { text::fit_end(value, value_room) } else { text::fit(value, value_room) };
                spans.push(styled(theme, Role::Dim, format!(" {} ", text::pad(name, 11))));
                spans.push(styled(theme, Role::Text, text::pad(&value, value_room) + " "));
            }
            Line::from(spans)
        });
        lines(buffer, inner, shown);
    }
}

/// Average cost of a call.
fn per_call(sums: &Sums) -> Usd {
    match u32::try_from(sums.calls) {
        Ok(calls) if calls > 0 => sums.cost.scaled(Ratio { num: 1, den: calls }),
        _ => Usd::ZERO,
    }
}
