//! Converts the difference between two frames to terminal output. Equal frames give no output.

use std::io;

use crossterm::queue;
use crossterm::style::{Attribute, ResetColor, SetAttribute};
use crossterm::terminal::{BeginSynchronizedUpdate, Clear, ClearType, EndSynchronizedUpdate};
use ratatui::backend::{Backend, CrosstermBackend};
use ratatui::buffer::{Buffer, Cell};

use super::basic_colors::basic_colors;
use super::draw::{settle, settle_row};
use super::picture_diff::{changed_cells, changed_rows};

/// Appends the output that turns `before` into `after`. Without `before`, appends everything.
///
/// # Errors
/// Never in practice, because the output goes to memory.
pub fn paint(before: Option<&Buffer>, after: &Buffer, out: &mut Vec<u8>) -> io::Result<()> {
    match before.filter(|before| before.area == after.area) {
        Some(before) => paint_rows(before, after, &changed_rows(before, after), out),
        None => paint_whole(after, out),
    }
}

/// Like [`paint`], for a frame just drawn by [`draw_into`](super::draw::draw_into). Settles only the parts that
/// changed.
pub(super) fn paint_drawn(
    before: Option<&Buffer>,
    after: &mut Buffer,
    ascii: bool,
    out: &mut Vec<u8>,
) -> io::Result<()> {
    let Some(before) = before.filter(|before| before.area == after.area) else {
        settle(after, ascii);
        return paint_whole(after, out);
    };
    let rows = changed_rows(before, after);
    let width = usize::from(after.area.width).max(1);
    for (row, _) in after.content.chunks_mut(width).zip(&rows).filter(|(_, is_changed)| **is_changed) {
        settle_row(row, ascii);
    }
    paint_rows(before, after, &rows, out)
}

fn paint_whole(after: &Buffer, out: &mut Vec<u8>) -> io::Result<()> {
    let before = Buffer::empty(after.area);
    let changed = changed_cells(&before, after, &changed_rows(&before, after));
    queue!(out, BeginSynchronizedUpdate)?;
    queue!(out, SetAttribute(Attribute::Reset), ResetColor, Clear(ClearType::All))?;
    draw_cells(&changed, out)?;
    queue!(out, EndSynchronizedUpdate)
}

fn paint_rows(before: &Buffer, after: &Buffer, rows: &[bool], out: &mut Vec<u8>) -> io::Result<()> {
    let changed = changed_cells(before, after, rows);
    if changed.is_empty() {
        return Ok(());
    }
    queue!(out, BeginSynchronizedUpdate)?;
    draw_cells(&changed, out)?;
    queue!(out, EndSynchronizedUpdate)
}

fn draw_cells(cells: &[(u16, u16, &Cell)], out: &mut Vec<u8>) -> io::Result<()> {
    let from = out.len();
    CrosstermBackend::new(&mut *out).draw(cells.iter().copied())?;
    basic_colors(out, from);
    Ok(())
}
