//! The Sessions view: every session, sortable.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::widgets::Widget;

use super::super::app::App;
use super::super::rows::SortBy;
use super::super::targets::Target;
use super::super::widgets::{Cell, Column, Grid, pane};
use crate::domain::{Ratio, Usd};
use crate::meter::{SESSIONS_SHOWN, SessionLine};
use crate::text;
use crate::theme::Role;

/// A table of sessions.
pub(in super::super) struct Sessions<'a>(pub(in super::super) &'a App);

impl Widget for &Sessions<'_> {
    fn render(self, area: Rect, buffer: &mut Buffer) {
        const COLUMNS: [Column; 10] = [
            Column::amounts("started", 11, 14, 3),
            Column::number("lasted", 9, 4),
            Column::subject("project", 10, 28, 1),
            Column::subject("session", 8, 12, 1),
            Column::name("agent", 6, 12, 9),
            Column::name("models", 14, 40, 5),
            Column::number("sub-agents", 10, 8),
            Column::number("tokens", 13, 2),
            Column::number("cost", 13, 0),
            Column::number("avg $/h", 9, 6),
        ];
        let app = self.0;
        let theme = &app.theme;
        let sessions = app.sessions();
        let all = app.all_sessions().len();
        // There may be more sessions that are not known here.
        let is_cut = match &app.drill_down {
            Some(down) => down.all.is_some(),
            None => app.summary().sessions.len() >= SESSIONS_SHOWN,
        };
        let newest = if is_cut { "the newest " } else { "" };
        let mut title = match &app.drill_down {
            Some(down) if down.sessions.is_none() => {
                format!("{} › {} · asking the ledger …", down.from.title(), down.words)
            }
            Some(down) => {
                let of = if app.is_filtered() { format!("{} of ", sessions.len()) } else { String::new() };
                let listed = down.all.map_or_else(String::new, |_| format!("{newest}{all} of "));
                let all = text::plural(down.all.or(u64::try_from(all).ok()).unwrap_or(0), "session");
                format!("{} › {} · {of}{listed}{all}", down.from.title(), down.words)
            }
            None if app.is_filtered() => format!("Sessions · {} of {newest}{all}", sessions.len()),
            None => format!("Sessions · {newest}{all}"),
        };
        if let Some(filtered) = app.filtered() {
            title = format!("{title} · {filtered}");
        }
        let block = pane(theme, &title, true);
        let mut inner = block.inner(area);
        block.render(area, buffer);
        inner.x += 1;
        inner.width = inner.width.saturating_sub(2);
        if let Some(notice) = app.nothing_fits("session").filter(|_| sessions.is_empty()) {
            let notice = if is_cut { format!("{notice} among {newest}{all}") } else { notice };
            let notice = text::fit(&notice, usize::from(inner.width));
            buffer.set_stringn(inner.x, inner.y, notice, usize::from(inner.width), theme.style(Role::Dim));
            return;
        }
        let followed = app.summary().session.as_ref().map(SessionLine::id);
        let projects = app.project_names();
        let rows: Vec<Vec<Cell>> = sessions
            .iter()
            .map(|line| {
                let row = &line.row;
                let here = if followed.as_ref() == Some(&line.id()) { "▶ " } else { "  " };
                let models: Vec<&str> =
                    row.models.iter().map(|(model, _)| model.as_deref().map_or("?", text::model_short)).collect();
                let agents = match row.in_agents.calls {
                    0 => String::new(),
                    _ => line.agent_share().to_string(),
                };
                let tone = if line.active { Role::Good } else { Role::Dim };
                vec![
                    (format!("{here}{}", text::moment_full(row.started, app.now(), app.options.zone)), tone),
                    (text::duration_short(line.duration), Role::Text),
                    (
                        row.project.as_deref().and_then(|project| projects.get(project)).cloned().unwrap_or_default(),
                        Role::Text,
                    ),
                    (row.session.as_deref().map_or("no name", text::session_short).to_owned(), Role::Dim),
                    (row.source.to_string(), Role::Dim),
                    (models.join(", "), Role::Text),
                    (agents, Role::Dim),
                    (text::count(row.sums.tokens.total()), Role::Text),
                    (text::cost_column(&row.sums), Role::Text),
                    (average(line), Role::Dim),
                ]
            })
            .collect();
        let column = column_of(app.sort.0);
        let grid = Grid {
            theme,
            columns: &COLUMNS,
            rows,
            cursor: Some(app.cursor()),
            sorted: Some((column, app.sort.0.is_ascending() != app.sort.1)),
            heads: true,
            least: &[],
        };
        let heads = |at: usize, place: Rect| {
            let by = SortBy::ALL.into_iter().find(|by| column_of(*by) == at);
            if let Some(by) = by {
                app.targets.add(place, Target::Head(by));
            }
        };
        grid.draw(inner, buffer, |nth, place| app.targets.add(place, Target::Row(nth)), heads);
    }
}

/// The column that this order sorts by.
const fn column_of(by: SortBy) -> usize {
    match by {
        SortBy::Started => 0,
        SortBy::Duration => 1,
        SortBy::Project => 2,
        SortBy::Tokens => 7,
        SortBy::Cost => 8,
        SortBy::Rate => 9,
    }
}

/// Dollars per hour over the whole session, or unknown without a price.
fn average(line: &SessionLine) -> String {
    match text::mark(&line.row.sums) {
        text::Mark::Unknown => "?".to_owned(),
        text::Mark::Exact | text::Mark::AtLeast | text::Mark::About => {
            per_hour(line).map_or_else(|| "–".to_owned(), |rate| text::usd_as(rate, &line.row.sums))
        }
    }
}

/// Dollars per hour over the whole session; `None` before it has lasted a minute.
pub(in super::super) fn per_hour(line: &SessionLine) -> Option<Usd> {
    let seconds = u32::try_from(line.duration.num_seconds()).ok().filter(|seconds| *seconds >= 60)?;
    Some(line.row.sums.cost.scaled(Ratio { num: 3600, den: seconds }))
}

/// Text of a session for the copy key.
pub(in super::super) fn session_copied(line: &SessionLine) -> String {
    let row = &line.row;
    let name = row.session.as_deref().unwrap_or("no name");
    let project = row.project.as_deref().unwrap_or("no project");
    format!(
        "{name} {project}: {} tokens, {}, {}",
        text::count(row.sums.tokens.total()),
        text::cost(&row.sums),
        text::duration(line.duration)
    )
}
