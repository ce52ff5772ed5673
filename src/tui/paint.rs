//! Converts the difference between two pictures to terminal output; nothing if they are equal.

use std::io;

use crossterm::queue;
use crossterm::style::{Attribute, ResetColor, SetAttribute};
use crossterm::terminal::{BeginSynchronizedUpdate, Clear, ClearType, EndSynchronizedUpdate};
use ratatui::backend::{Backend, CrosstermBackend};
use ratatui::buffer::Buffer;

use super::picture_diff::changed_cells;

/// Appends the output that turns `before` into `after`; everything without `before`.
///
/// # Errors
/// Never in practice: the bytes go to memory.
pub fn paint(before: Option<&Buffer>, after: &Buffer, out: &mut Vec<u8>) -> io::Result<()> {
    let blank;
    let (before, whole) = match before.filter(|before| before.area == after.area) {
        Some(before) => (before, false),
        None => {
            blank = Buffer::empty(after.area);
            (&blank, true)
        }
    };
    let changed = changed_cells(before, after);
    if changed.is_empty() && !whole {
        return Ok(());
    }
    queue!(out, BeginSynchronizedUpdate)?;
    if whole {
        queue!(out, SetAttribute(Attribute::Reset), ResetColor, Clear(ClearType::All))?;
    }
    CrosstermBackend::new(&mut *out).draw(changed.into_iter())?;
    queue!(out, EndSynchronizedUpdate)
}
