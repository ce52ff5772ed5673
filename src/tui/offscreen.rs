//! Renders one screen without a terminal: as text or SVG.

use std::io::Write;

use crossterm::style::{ContentStyle, force_color_output};
use ratatui::backend::IntoCrossterm;
use ratatui::buffer::{Buffer, Cell};
use ratatui::style::{Color, Modifier, Style};

use super::app::App;
use super::area::drawable;
use super::basic_colors::basic_colors;
use super::{draw, svg};

/// The screen at this size as lines of text, with terminal colours if `colored`.
pub(crate) fn as_text(app: &App, columns: u16, rows: u16, colored: bool) -> Vec<String> {
    let buffer = drawn(app, columns, rows);
    let rows = buffer.content().chunks(usize::from(columns.max(1)));
    let line = |cells: &[Cell]| if colored { colored_line(cells) } else { line(cells).trim_end().to_owned() };
    rows.map(line).collect()
}

/// The screen at this size as SVG in its theme's colours.
pub fn as_svg(app: &App, columns: u16, rows: u16) -> String {
    svg::picture(&drawn(app, columns, rows), &app.theme)
}

fn drawn(app: &App, columns: u16, rows: u16) -> Buffer {
    draw(app, drawable(columns, rows))
}

/// Characters of a row. A wide one takes up two cells.
fn line(cells: &[Cell]) -> String {
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

/// A row with a colour sequence around each run of cells of one style.
fn colored_line(cells: &[Cell]) -> String {
    let is_blank = |cell: &&Cell| {
        cell.symbol() == " "
            && cell.bg == Color::Reset
            && !cell.modifier.intersects(Modifier::REVERSED | Modifier::UNDERLINED)
    };
    let blank = cells.iter().rev().take_while(is_blank).count();
    // The depth has been chosen from the same variables already.
    force_color_output(true);
    let seen = |color: Color| Some(color).filter(|color| *color != Color::Reset);
    let mut out = Vec::new();
    for run in cells[..cells.len() - blank].chunk_by(|one, next| one.style() == next.style()) {
        let Some(Cell { fg, bg, modifier, .. }) = run.first() else { continue };
        let style = Style { fg: seen(*fg), bg: seen(*bg), add_modifier: *modifier, ..Style::new() };
        let style: ContentStyle = style.into_crossterm();
        // Writing to memory never fails.
        let _ = write!(out, "{}", style.apply(line(run)));
    }
    basic_colors(&mut out, 0);
    String::from_utf8_lossy(&out).into_owned()
}
