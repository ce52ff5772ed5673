//! Renders the screen as SVG, for the README.

use std::fmt::Write;

use ratatui::buffer::{Buffer, Cell};
use ratatui::style::{Color, Modifier};

use crate::text;
use crate::theme::{Rgb, Theme};

/// Cell width and height, and the baseline's distance from the top.
const CELL: (usize, usize, usize) = (9, 17, 13);
/// Margin around the screen.
const EDGE: usize = 12;

/// Renders a buffer in this theme's colours.
pub fn picture(buffer: &Buffer, theme: &Theme) -> String {
    let own = own_colors(theme);
    let mut out = head(buffer, own);
    for y in 0..buffer.area.height {
        row(buffer, y, own, &mut out);
    }
    out.push_str("</svg>\n");
    out
}

/// Renders frames of the same size one after another, each for this many seconds, in a loop. A row is written only when
/// it changes.
pub fn film(frames: &[Buffer], seconds: u32, theme: &Theme) -> String {
    let Some(first) = frames.first() else { return String::new() };
    let own = own_colors(theme);
    let mut out = head(first, own);
    let whole = seconds.saturating_mul(u32::try_from(frames.len()).unwrap_or(u32::MAX));
    for y in 0..first.area.height {
        let rows: Vec<String> = frames
            .iter()
            .map(|frame| {
                let mut text = String::new();
                row(frame, y, own, &mut text);
                text
            })
            .collect();
        let mut from = 0;
        while from < rows.len() {
            let until = (from..rows.len()).find(|at| rows[*at] != rows[from]).unwrap_or(rows.len());
            animate_row(&rows[from], (from, until, rows.len()), whole, &mut out);
            from = until;
        }
    }
    out.push_str("</svg>\n");
    out
}

/// A row that is visible from one frame until another, out of `count` frames.
fn animate_row(row: &str, (from, until, count): (usize, usize, usize), seconds: u32, out: &mut String) {
    if row.is_empty() {
        return;
    }
    if (from, until) == (0, count) {
        out.push_str(row);
        return;
    }
    // A thousandth is shorter than any frame.
    let time = |frame: usize| format!("0.{:03}", (frame * 1000 / count).min(999));
    let (values, times) = match (from, until == count) {
        (0, _) => ("visible;hidden".to_owned(), format!("0;{}", time(until))),
        (_, true) => ("hidden;visible".to_owned(), format!("0;{}", time(from))),
        (_, false) => ("hidden;visible;hidden".to_owned(), format!("0;{};{}", time(from), time(until))),
    };
    let visibility = if from == 0 { "visible" } else { "hidden" };
    // Writing into a string cannot fail.
    let _ = writeln!(
        out,
        "<g visibility=\"{visibility}\"><animate attributeName=\"visibility\" calcMode=\"discrete\" values=\"{values}\" \
         keyTimes=\"{times}\" dur=\"{seconds}s\" repeatCount=\"indefinite\"/>\n{row}</g>"
    );
}

/// The colours used for cells that have no background or foreground of their own.
fn own_colors(theme: &Theme) -> (Rgb, Rgb) {
    let behind = Rgb::from_color(theme.background).unwrap_or(theme.assumes);
    let front = if behind.luminance() > 0.18 { Rgb(0x1f, 0x1f, 0x1f) } else { Rgb(0xe4, 0xe4, 0xe4) };
    (behind, front)
}

fn head(buffer: &Buffer, (behind, _): (Rgb, Rgb)) -> String {
    let (columns, rows) = (usize::from(buffer.area.width), usize::from(buffer.area.height));
    let (width, height) = (columns * CELL.0 + 2 * EDGE, rows * CELL.1 + 2 * EDGE);
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" viewBox=\"0 0 {width} {height}\" \
         font-family=\"ui-monospace,'DejaVu Sans Mono',Menlo,Consolas,monospace\" font-size=\"15\">\n\
         <rect width=\"100%\" height=\"100%\" rx=\"8\" fill=\"{}\"/>\n",
        hex(behind)
    )
}

/// A run of cells in the same style.
#[derive(PartialEq)]
struct Look {
    front: Rgb,
    behind: Option<Rgb>,
    bold: bool,
    faint: bool,
}

fn row(buffer: &Buffer, y: u16, own: (Rgb, Rgb), out: &mut String) {
    let mut x = 0;
    while x < buffer.area.width {
        let look = look(&buffer[(buffer.area.x + x, buffer.area.y + y)], own);
        let start = x;
        let mut letters = String::new();
        let mut wide = false;
        while x < buffer.area.width {
            let cell = &buffer[(buffer.area.x + x, buffer.area.y + y)];
            if self::look(cell, own) != look || wide {
                break;
            }
            letters.push_str(cell.symbol());
            // A wide character ends its run, so that the text after it starts in the right column.
            let columns = text::width(cell.symbol()).max(1);
            wide = columns > 1;
            x += if wide { 2 } else { 1 };
        }
        let columns = usize::from(x.min(buffer.area.width) - start);
        let (left, top) = (EDGE + usize::from(start) * CELL.0, EDGE + usize::from(y) * CELL.1);
        let length = columns * CELL.0;
        // Writing into a string cannot fail.
        if let Some(behind) = look.behind {
            let (fill, tall) = (hex(behind), CELL.1);
            let _ =
                writeln!(out, "<rect x=\"{left}\" y=\"{top}\" width=\"{length}\" height=\"{tall}\" fill=\"{fill}\"/>");
        }
        let shown = letters.trim_end();
        if shown.trim_start().is_empty() {
            continue;
        }
        let blank = shown.len() - shown.trim_start().len();
        let shown = shown.trim_start();
        let (left, length) = (left + blank * CELL.0, text::width(shown) * CELL.0);
        let weight = if look.bold { " font-weight=\"bold\"" } else { "" };
        let faint = if look.faint { " opacity=\"0.7\"" } else { "" };
        let _ = writeln!(
            out,
            "<text x=\"{left}\" y=\"{}\" fill=\"{}\" textLength=\"{length}\" xml:space=\"preserve\"{weight}{faint}>{}</text>",
            top + CELL.2,
            hex(look.front),
            escaped(shown)
        );
    }
}

fn look(cell: &Cell, (behind, front): (Rgb, Rgb)) -> Look {
    let color = |color: Color, own: Rgb| rgb(color).unwrap_or(own);
    let (mut ahead, mut back) = (color(cell.fg, front), color(cell.bg, behind));
    if cell.modifier.contains(Modifier::REVERSED) {
        std::mem::swap(&mut ahead, &mut back);
    }
    Look {
        front: ahead,
        behind: (back != behind).then_some(back),
        bold: cell.modifier.contains(Modifier::BOLD),
        faint: cell.modifier.contains(Modifier::DIM),
    }
}

/// Usual appearance of a colour; `None` for the terminal's own foreground and background.
fn rgb(color: Color) -> Option<Rgb> {
    Rgb::from_color(color).or_else(|| Rgb::of_ansi(color))
}

fn hex(Rgb(red, green, blue): Rgb) -> String {
    format!("#{red:02x}{green:02x}{blue:02x}")
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}
