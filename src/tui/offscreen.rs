//! Renders one screen without a terminal: as text or SVG.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::app::App;
use super::{draw, svg};

/// The screen at this size as lines of text, without colours.
pub(crate) fn as_text(app: &App, columns: u16, rows: u16) -> Vec<String> {
    let buffer = drawn(app, columns, rows);
    let width = usize::from(columns.max(1));
    buffer.content().chunks(width).map(|cells| line(cells).trim_end().to_owned()).collect()
}

/// The screen at this size as SVG in its theme's colours.
pub fn as_svg(app: &App, columns: u16, rows: u16) -> String {
    svg::picture(&drawn(app, columns, rows), &app.theme)
}

fn drawn(app: &App, columns: u16, rows: u16) -> Buffer {
    draw(app, Rect::new(0, 0, columns, rows))
}

/// Characters of a row. A wide one takes up two cells.
fn line(cells: &[ratatui::buffer::Cell]) -> String {
    let mut out = String::new();
    let mut covered = 0;
    for cell in cells {
        if covered > 0 {
            covered -= 1;
            continue;
        }
        out.push_str(cell.symbol());
        covered = crate::text::width(cell.symbol()).saturating_sub(1);
    }
    out
}
