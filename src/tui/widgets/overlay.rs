//! Overlays: help, and the choice of a session.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::Line;
use ratatui::widgets::{Clear, Widget};

use super::super::app::App;
use super::super::{Action, Input, Keys, Mode};
use super::{cells, ink, lines, pane, top_for};
use crate::domain::Label;
use crate::meter::Follow;
use crate::text;
use crate::theme::{Role, Theme};

/// The open overlay, if any.
pub(in super::super) struct Overlay<'a>(pub(in super::super) &'a App);

impl Widget for &Overlay<'_> {
    fn render(self, area: Rect, buffer: &mut Buffer) {
        let app = self.0;
        match &app.mode {
            Mode::Browse | Mode::Filter(_) | Mode::EditLimit { .. } | Mode::AddLimit(_) => {}
            Mode::Help { top, search } => help(app, *top, search, area, buffer),
            Mode::Choose { cursor, search } => choose(app, *cursor, search, area, buffer),
        }
    }
}

/// Meaning of the marks next to numbers.
const MARKS: [(&str, &str); 7] = [
    ("↑", "the counter is growing"),
    ("≥", "at least: some tokens are unpriced, or logged only in part"),
    ("~", "about: the model, or how its tokens split, is a guess"),
    ("?", "no price is known"),
    ("⚠ ■", "a limit is near; a limit is reached"),
    ("● ◐ ◼", "how new data is noticed: at once, by looking; the picture is frozen"),
    ("▲", "something needs attention: see the Health view"),
];

/// Lines of the help that match the search: actions with their keys, then marks.
pub(in super::super) fn help_lines(keys: &Keys, search: &Input) -> Vec<(String, String)> {
    let actions = Action::ALL.iter().map(|action| (keys.chords_of(*action), action.help().to_owned()));
    let marks = MARKS.iter().map(|(mark, words)| ((*mark).to_owned(), (*words).to_owned()));
    actions.chain(marks).filter(|(keys, words)| search.fits(&format!("{keys} {words}"))).collect()
}

fn help(app: &App, top: usize, search: &Input, area: Rect, buffer: &mut Buffer) {
    let theme = &app.theme;
    let all = help_lines(&app.options.keys, search);
    let title = if search.text().is_empty() {
        "Help · type to search, Esc closes".to_owned()
    } else {
        format!("Help · {}", Label::new(search.text()))
    };
    let inner = open(theme, &title, 76, all.len(), area, buffer);
    let last_top = all.len().saturating_sub(usize::from(inner.height));
    let shown = all.into_iter().skip(top.min(last_top)).map(|(keys, words)| {
        Line::from(vec![
            ink(theme, Role::Accent, text::pad(&keys, 16) + " "),
            ink(theme, Role::Text, text::fit(&words, usize::from(inner.width).saturating_sub(17))),
        ])
    });
    lines(buffer, inner, shown);
}

fn choose(app: &App, cursor: usize, search: &Input, area: Rect, buffer: &mut Buffer) {
    let theme = &app.theme;
    let choices = app.choices(search);
    let title = if search.text().is_empty() {
        "Follow which session? · type to search".to_owned()
    } else {
        format!("Follow · {}", Label::new(search.text()))
    };
    let inner = open(theme, &title, 100, choices.len().max(1), area, buffer);
    let cursor = cursor.min(choices.len().saturating_sub(1));
    let room = usize::from(inner.width);
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
    let top = top_for(cursor, inner.height);
    for (row, (nth, follow)) in inner.rows().zip(choices.iter().enumerate().skip(top)) {
        let role = if nth == cursor { Role::Selection } else { Role::Text };
        buffer.set_stringn(row.x, row.y, text::pad(&words(follow), room), room, theme.style(role));
    }
    if choices.is_empty() {
        lines(buffer, inner, [Line::from(ink(theme, Role::Dim, "no session contains this"))]);
    }
}

/// Clears a centred frame and returns its inner area.
fn open(theme: &Theme, title: &str, columns: u16, rows: usize, area: Rect, buffer: &mut Buffer) -> Rect {
    let width = columns.min(area.width);
    let height = cells(rows).saturating_add(2).min(area.height);
    let frame = Rect { x: area.x + (area.width - width) / 2, y: area.y + (area.height - height) / 2, width, height };
    // A wide letter that the frame's edge would cut is cleared with it.
    for y in frame.top()..frame.bottom() {
        let before = frame.x.checked_sub(1).and_then(|x| buffer.cell_mut((x, y)));
        if let Some(cell) = before.filter(|cell| text::width(cell.symbol()) > 1) {
            cell.set_symbol(" ");
        }
    }
    Clear.render(frame, buffer);
    buffer.set_style(frame, theme.base());
    let block = pane(theme, &text::fit(title, usize::from(width).saturating_sub(6)), true);
    let inner = block.inner(frame);
    block.render(frame, buffer);
    inner
}
