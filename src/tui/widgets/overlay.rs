//! Overlays: help, and the choice of a session.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::Line;
use ratatui::widgets::{Clear, Widget};

use super::super::app::App;
use super::super::explain::FORECAST_BASIS;
use super::super::key_groups::Group;
use super::super::palette::Entry;
use super::super::targets::Target;
use super::super::{Action, Explanation, Input, Keys, Mode};
use super::{cells, lines, pane, styled, top_for};
use crate::domain::Label;
use crate::meter::Follow;
use crate::text;
use crate::theme::Role;

/// The open overlay, if any.
pub(in super::super) struct Overlay<'a>(pub(in super::super) &'a App);

impl Widget for &Overlay<'_> {
    fn render(self, area: Rect, buffer: &mut Buffer) {
        let app = self.0;
        match &app.mode {
            Mode::Browse | Mode::Filter(_) | Mode::EditLimit { .. } | Mode::AddLimit(_) | Mode::SaveView(_) => {}
            Mode::Help { top, search } => help(app, *top, search, area, buffer),
            Mode::Explain(explanation) => explain(app, explanation, area, buffer),
            Mode::Choose { cursor, search } => choose(app, *cursor, search, area, buffer),
            Mode::Palette { cursor, search } => palette(app, *cursor, search, area, buffer),
            Mode::Themes { cursor, .. } => themes(app, *cursor, area, buffer),
        }
    }
}

/// Shown for a search without results.
const NOTHING: &str = "nothing contains this";

/// Meaning of the marks next to numbers.
const MARKS: [(&str, &str); 13] = [
    ("↑", "the counter is growing"),
    ("≥", "at least: some tokens are unpriced, or logged only in part"),
    ("~", "about: the model, the tokens or their split is a guess"),
    ("?", "no price is known"),
    ("⚠ ■", "a limit is near; a limit is reached"),
    (
        "● ◌ ○",
        "of a session: a call or your prompt within the last minute; within five, a long answer or an agent that has \
         stopped; waiting for you, since its turn ended or for five minutes",
    ),
    ("● ◐ ◼", "following file events; polling; frozen"),
    ("▲", "something needs attention: see the Health view"),
    ("╷", "in a limit's bar: how much of its period has passed"),
    ("full at", FORECAST_BASIS),
    ("by midnight", "what today will cost by the same forecast"),
    (
        "( – )",
        "the earliest and the latest forecast, including one at the displayed rate; beyond today, each day is expected \
         to cost the average of this month's whole days",
    ),
    ("E Σ $ cr ~", "of an agent: exact, sums only, costs stated by it, credits, estimates"),
];

/// A line of the help: its keys or mark, and its text. A heading has no keys.
pub(in super::super) type HelpLine = (String, String);

/// Lines of the help that match the search: the marks, then the actions by group. Headings appear only without a
/// search.
pub(in super::super) fn help_lines(keys: &Keys, search: &Input) -> Vec<HelpLine> {
    let all = search.text().is_empty();
    let fits = |(keys, words): &HelpLine| search.fits(&format!("{keys} {words}"));
    let heading = |title: &str| all.then(|| (String::new(), title.to_owned()));
    let mut lines: Vec<HelpLine> = heading("What the marks mean").into_iter().collect();
    lines.extend(MARKS.iter().map(|(mark, words)| ((*mark).to_owned(), (*words).to_owned())).filter(fits));
    for group in Group::ALL {
        lines.extend(heading(group.title()));
        let actions = Action::ALL.iter().filter(|action| action.group() == group);
        lines.extend(actions.map(|action| (keys.chords_of(*action), action.help().to_owned())).filter(fits));
    }
    lines
}

fn help(app: &App, top: usize, search: &Input, area: Rect, buffer: &mut Buffer) {
    let theme = &app.theme;
    let all = help_lines(&app.options.keys, search);
    let title = if search.text().is_empty() {
        "Help · type to search, Esc closes".to_owned()
    } else {
        format!("Help · {}", Label::new(search.text()))
    };
    let inner = open(app, &title, 84, all.len().max(1), area, buffer);
    let room = usize::from(inner.width);
    if all.is_empty() {
        lines(buffer, inner, [Line::from(styled(theme, Role::Dim, NOTHING))]);
    }
    let keys = all.iter().map(|(keys, _)| text::width(keys)).max().unwrap_or(0).min(16);
    let rows: Vec<Line<'static>> = all
        .iter()
        .flat_map(|(key, words)| {
            if key.is_empty() {
                return vec![Line::from(styled(theme, Role::Dim, text::fit(&format!("── {words} ──"), room)))];
            }
            let pieces = text::wrapped(words, room.saturating_sub(keys + 1).max(1)).into_iter().enumerate();
            let row = |(nth, piece): (usize, String)| {
                let key = if nth == 0 { key.as_str() } else { "" };
                let key = styled(theme, Role::Accent, text::pad(key, keys) + " ");
                Line::from(vec![key, styled(theme, Role::Text, piece)])
            };
            pieces.map(row).collect()
        })
        .collect();
    let last_top = rows.len().saturating_sub(usize::from(inner.height));
    lines(buffer, inner, rows.into_iter().skip(top.min(last_top)));
}

fn explain(app: &App, explanation: &Explanation, area: Rect, buffer: &mut Buffer) {
    let title = format!("{} · Esc closes", Label::new(&explanation.title));
    let widest =
        explanation.lines.iter().map(|line| text::width(line)).max().unwrap_or(0).max(40).max(text::width(&title) + 2);
    let room = widest.min(usize::from(area.width).saturating_sub(4)).max(1);
    let all: Vec<String> = explanation.lines.iter().flat_map(|line| text::wrapped(line, room)).collect();
    let inner = open(app, &title, cells(widest + 4), all.len(), area, buffer);
    let last_top = all.len().saturating_sub(usize::from(inner.height));
    let shown = all.into_iter().skip(explanation.top.min(last_top));
    lines(buffer, inner, shown.map(|line| Line::from(styled(&app.theme, Role::Text, format!(" {line}")))));
}

fn palette(app: &App, cursor: usize, search: &Input, area: Rect, buffer: &mut Buffer) {
    let entries = app.palette(search);
    let title = if search.text().is_empty() {
        "Actions · type to search, Enter runs one".to_owned()
    } else {
        format!("Actions · {}", Label::new(search.text()))
    };
    let words = |entry: &Entry, room: usize| match entry {
        Entry::Act(action) => {
            let keys = app.options.keys.chords_of(*action);
            let named = if room < 50 {
                action.name().to_owned()
            } else {
                format!("{}  {}", text::pad(action.name(), 16), action.help())
            };
            let gap = room.saturating_sub(text::width(&keys) + 2);
            format!("{}  {keys}", text::pad(&text::fit(&named, gap), gap))
        }
        Entry::Saved(saved) => {
            let filter = if saved.filter.is_empty() { String::new() } else { format!(" filtered by {}", saved.filter) };
            format!("saved view  {}: {}{filter}", Label::new(&saved.name), saved.view.title())
        }
    };
    let found = entries.len();
    choices(app, &title, (100, found), cursor, area, buffer, |nth, room| words(&entries[nth], room));
}

fn themes(app: &App, cursor: usize, area: Rect, buffer: &mut Buffer) {
    let names = app.theme_names();
    let title = "Theme · Enter keeps it, Esc brings the old one back";
    choices(app, title, (60, names.len()), cursor, area, buffer, |nth, _| names[nth].clone());
}

/// A framed list with a cursor, in which every row can be clicked.
fn choices(
    app: &App,
    title: &str,
    (columns, count): (u16, usize),
    cursor: usize,
    area: Rect,
    buffer: &mut Buffer,
    words: impl Fn(usize, usize) -> String,
) {
    let inner = open(app, title, columns, count.max(1), area, buffer);
    let cursor = cursor.min(count.saturating_sub(1));
    let room = usize::from(inner.width);
    if count == 0 {
        lines(buffer, inner, [Line::from(styled(&app.theme, Role::Dim, NOTHING))]);
    }
    for (row, nth) in inner.rows().zip(top_for(cursor, inner.height)..count) {
        let role = if nth == cursor { Role::Selection } else { Role::Text };
        let line = text::pad(&text::fit(&words(nth, room), room), room);
        buffer.set_stringn(row.x, row.y, line, room, app.theme.style(role));
        app.targets.add(row, Target::Choice(nth));
    }
}

fn choose(app: &App, cursor: usize, search: &Input, area: Rect, buffer: &mut Buffer) {
    let follows = app.choices(search);
    let title = if search.text().is_empty() {
        "Follow which session? · type to search".to_owned()
    } else {
        format!("Follow · {}", Label::new(search.text()))
    };
    let words = |follow: &Follow| match follow {
        Follow::Latest => "latest: whichever is active".to_owned(),
        Follow::Today => "today: every session together".to_owned(),
        Follow::Everything => "everything ever counted, together".to_owned(),
        Follow::Session(id) => {
            let line = app.summary().sessions.iter().find(|line| line.id() == *id);
            line.map_or_else(String::new, |line| {
                let row = &line.row;
                let name = row.session.as_deref().unwrap_or("no name");
                let project = row.project.as_deref().map_or("", text::project_short);
                format!(
                    "{}  {}  {}  {}  {}",
                    text::pad(&text::moment(row.ended, app.now(), app.options.zone), 9),
                    text::pad(text::session_short(name), 12),
                    text::pad(project, 20),
                    text::pad(&row.source, 12),
                    text::cost(&row.sums)
                )
            })
        }
    };
    choices(app, &title, (100, follows.len()), cursor, area, buffer, |nth, _| words(&follows[nth]));
}

/// Clears a centred frame and returns its inner area.
fn open(app: &App, title: &str, columns: u16, rows: usize, area: Rect, buffer: &mut Buffer) -> Rect {
    let theme = &app.theme;
    let width = columns.min(area.width);
    let height = cells(rows).saturating_add(2).min(area.height);
    let frame = Rect { x: area.x + (area.width - width) / 2, y: area.y + (area.height - height) / 2, width, height };
    // A wide character that the frame's edge would cut is cleared as well.
    for y in frame.top()..frame.bottom() {
        let before = frame.x.checked_sub(1).and_then(|x| buffer.cell_mut((x, y)));
        if let Some(cell) = before.filter(|cell| text::width(cell.symbol()) > 1) {
            cell.set_symbol(" ");
        }
        let is_cut = frame.width > 0 && text::width(buffer[(frame.right() - 1, y)].symbol()) > 1;
        let behind = buffer.cell_mut((frame.right(), y)).filter(|_| is_cut);
        if let Some(cell) = behind {
            cell.set_symbol(" ").set_style(theme.base());
        }
    }
    app.targets.add(frame, Target::Cover);
    Clear.render(frame, buffer);
    buffer.set_style(frame, theme.base());
    let block = pane(theme, &text::fit(title, usize::from(width).saturating_sub(6)), true);
    let inner = block.inner(frame);
    block.render(frame, buffer);
    inner
}
