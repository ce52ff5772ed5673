//! Widgets shared by several views.

mod axes;
mod bars;
mod chrome;
mod frame;
mod header;
mod limit_rows;
mod overlay;
mod stack;
mod table;

use std::borrow::Cow;

use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};
use ratatui::style::Style;
use ratatui::text::{Line, Span};

use crate::theme::{Role, Theme};

pub(super) use axes::{Scale, dollars, labels};
pub(super) use bars::{Sparks, gauge, limit_bar, mark_of, micros, quota_bar, role_of, role_of_quota, spark};
pub(super) use chrome::{Banner, Footer, Reading, Toast};
pub(super) use frame::pane;
pub(super) use header::Header;
pub(super) use limit_rows::limit_lines;
pub(super) use overlay::{Overlay, help_lines};
pub(super) use stack::Stack;
pub(super) use table::{Cell, Column, Grid};

/// Text in a role's style.
pub(super) fn styled(theme: &Theme, role: Role, text: impl Into<Cow<'static, str>>) -> Span<'static> {
    Span::styled(text, theme.style(role))
}

/// Draws lines from the top of an area, as many as fit.
pub(super) fn lines(buffer: &mut Buffer, area: Rect, all: impl IntoIterator<Item = Line<'static>>) {
    for (row, line) in area.rows().zip(all) {
        let mut x = row.x;
        for span in line.spans {
            x = put(buffer, (x, row.y), &span.content, usize::from(row.right().saturating_sub(x)), span.style);
        }
    }
}

/// Draws a text in at most `room` columns. Returns the column after it.
///
/// Most texts are plain, and plain characters need no grapheme segmentation, which [`Buffer::set_stringn`] does.
pub(super) fn put(buffer: &mut Buffer, (x, y): (u16, u16), text: &str, room: usize, style: Style) -> u16 {
    let area = buffer.area;
    if !area.contains(Position { x, y }) {
        return x;
    }
    if !text.chars().all(crate::text::is_plain) {
        return buffer.set_stringn(x, y, text, room, style).0;
    }
    let room = room.min(usize::from(area.right() - x));
    let start = buffer.index_of(x, y);
    let mut drawn = 0;
    for (cell, letter) in buffer.content.iter_mut().skip(start).take(room).zip(text.chars()) {
        cell.set_char(letter).set_style(style);
        drawn += 1;
    }
    x + drawn
}

/// Draws the same character in each column of a row.
pub(super) fn fill(buffer: &mut Buffer, row: Rect, letter: char, style: Style) {
    let row = row.intersection(buffer.area);
    if row.is_empty() {
        return;
    }
    let start = buffer.index_of(row.x, row.y);
    for cell in buffer.content.iter_mut().skip(start).take(usize::from(row.width)) {
        cell.set_char(letter).set_style(style);
    }
}

/// Display width of a line.
pub(super) fn width(spans: &[Span<'_>]) -> usize {
    spans.iter().map(|span| crate::text::width(&span.content)).sum()
}

/// First row to show if the cursor's row is to be visible.
pub(super) fn top_for(cursor: usize, height: u16) -> usize {
    (cursor + 1).saturating_sub(usize::from(height))
}

/// Converts a length to the layout's type, saturating.
pub(super) fn cells(count: usize) -> u16 {
    u16::try_from(count).unwrap_or(u16::MAX)
}
