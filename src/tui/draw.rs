//! Renders the screen: a pure function of state and size.

use ratatui::buffer::{Buffer, Cell};
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::widgets::Widget;
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

use super::app::App;
use super::views::{Compact, Fleet, Health, History, Limits, Models, Projects, Sessions, Waiting};
use super::widgets::{Banner, Footer, Header, Overlay, Reading, Toast};
use super::{Mode, View};
use crate::text;
use crate::theme::Role;

/// Smallest size at which a view has a header, panes and a footer.
const WHOLE: (u16, u16) = (60, 14);
/// Smallest size for overlays and for views other than Fleet.
const SMALL: (u16, u16) = (40, 10);

/// Renders the screen at this size.
pub fn draw(app: &App, area: Rect) -> Buffer {
    let mut buffer = Buffer::default();
    draw_into(app, area, &mut buffer);
    settle(&mut buffer, app.options.ascii);
    buffer
}

/// Renders the screen at this size into a reused buffer. Its cells are not yet [settled](settle).
pub(super) fn draw_into(app: &App, area: Rect, buffer: &mut Buffer) {
    app.targets.clear();
    let mut blank = Cell::EMPTY;
    blank.set_style(app.theme.base());
    buffer.area = area;
    // In one pass over the cells, because they fill half a megabyte.
    buffer.content.fill(blank.clone());
    buffer.content.resize(usize::from(area.width) * usize::from(area.height), blank);
    if !area.is_empty() {
        screen(app, area, buffer);
        Overlay(app).render(area, buffer);
        let above = Rect { y: area.bottom().saturating_sub(2).max(area.y), height: 1, ..area };
        Toast(app).render(above.intersection(area), buffer);
    }
}

/// True when the Fleet view is drawn in one to four lines, without its header.
pub(super) fn is_compact(app: &App, area: Rect) -> bool {
    app.view == View::Fleet && (app.options.compact || area.width < WHOLE.0 || area.height < WHOLE.1)
}

fn screen(app: &App, area: Rect, buffer: &mut Buffer) {
    let at_least = |(width, height): (u16, u16)| area.width >= width && area.height >= height;
    let reads_over = app.view != View::Fleet || app.mode != Mode::Browse;
    if reads_over && !at_least(SMALL) {
        let wordings = ["too small (need 40×10)", "need 40×10", "40×10", "…"];
        let room = usize::from(area.width);
        let fitting = wordings.iter().find(|wording| text::width(wording) <= room).unwrap_or(&wordings[3]);
        buffer.set_stringn(area.x, area.y, fitting, room, app.theme.style(Role::Warning));
        return;
    }
    if is_compact(app, area) {
        let typing = app.mode != Mode::Browse;
        let [body, foot] =
            Layout::vertical([Constraint::Min(0), Constraint::Length(u16::from(typing || area.height > 8))])
                .areas(area);
        Compact(app).render(body, buffer);
        if !foot.is_empty() {
            Footer { app, has_header: false }.render(foot, buffer);
        }
        return;
    }
    let banner = Banner(app);
    let [head, warning, reading, body, foot] = Layout::vertical([
        Constraint::Length(1),
        Constraint::Length(banner.height()),
        Constraint::Length(u16::from(app.progress.is_some())),
        Constraint::Min(0),
        Constraint::Length(1),
    ])
    .areas(area);
    Header(app).render(head, buffer);
    banner.render(warning, buffer);
    if let Some(progress) = &app.progress {
        Reading { theme: &app.theme, progress }.render(reading, buffer);
    }
    match app.view {
        View::Fleet if app.is_waiting() => Waiting(app).render(body, buffer),
        View::Fleet => Fleet(app).render(body, buffer),
        View::Sessions => Sessions(app).render(body, buffer),
        View::Projects => Projects(app).render(body, buffer),
        View::History => History(app).render(body, buffer),
        View::Models => Models(app).render(body, buffer),
        View::Limits => Limits(app).render(body, buffer),
        View::Health => Health(app).render(body, buffer),
    }
    Footer { app, has_header: true }.render(foot, buffer);
}

/// True for a single character that every terminal draws in one column.
fn is_one_plain(symbol: &str) -> bool {
    let mut letters = symbol.chars();
    letters.next().is_some_and(text::is_plain) && letters.next().is_none()
}

/// Replaces cells that some terminals would render with a different width.
///
/// Terminals disagree on the width of joined characters, so only the first character is kept. In ASCII mode each symbol
/// has a substitute, so that no widget needs a second way of drawing.
pub(super) fn settle(buffer: &mut Buffer, ascii: bool) {
    let width = usize::from(buffer.area.width).max(1);
    buffer.content.chunks_mut(width).for_each(|row| settle_row(row, ascii));
}

/// [Settles](settle) one row.
pub(super) fn settle_row(cells: &mut [Cell], ascii: bool) {
    let mut wide_before = false;
    for at in 0..cells.len() {
        if ascii && matches!(cells[at].symbol(), "≥" | "≤") {
            settle_bound(cells, at);
            continue;
        }
        let cell = &mut cells[at];
        let symbol = cell.symbol();
        if wide_before {
            wide_before = false;
            continue;
        }
        if symbol.len() == 1 || (!ascii && is_one_plain(symbol)) {
            continue;
        }
        let columns = symbol.width();
        let apart: usize = symbol.chars().map(|letter| letter.width().unwrap_or(0)).sum();
        wide_before = columns > 1;
        if ascii {
            let mut letters = symbol.chars();
            match (letters.next(), columns) {
                (Some(letter), 1) => cell.set_char(text::ascii(letter)),
                _ => cell.set_symbol("?"),
            };
            // The second column of a wide character is a cell of its own, which is blank as it should be.
            wide_before = false;
        } else if columns != apart || columns > 2 {
            let first = symbol.chars().next().unwrap_or(' ');
            let kept = if first.width() == Some(columns.min(2)) { first } else { '\u{fffd}' };
            wide_before = kept.width() == Some(2);
            cell.set_char(kept);
        }
    }
}

/// Replaces `≥` and `≤` by `>=` and `<=`, the second character in the blank column next to them.
fn settle_bound(cells: &mut [Cell], at: usize) {
    let style = cells[at].style();
    let letter = if cells[at].symbol() == "≥" { '>' } else { '<' };
    let is_blank = |cell: Option<&Cell>| cell.is_some_and(|cell| cell.symbol() == " ");
    let first = match at.checked_sub(1) {
        _ if is_blank(cells.get(at + 1)) => at,
        Some(before) if is_blank(cells.get(before)) => before,
        Some(_) | None => {
            cells[at].set_char(letter);
            return;
        }
    };
    cells[first].set_char(letter).set_style(style);
    cells[first + 1].set_char('=').set_style(style);
}
