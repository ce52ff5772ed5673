//! The part of a terminal that is drawn on.

use ratatui::layout::Rect;

/// Maximum of columns and of rows, of which the largest monitors show half. A terminal can claim 65535 of each.
const MOST: (u16, u16) = (4_000, 2_000);

/// The area of a terminal of this size: all of it, unless that is absurdly large.
pub(super) fn drawable(columns: u16, rows: u16) -> Rect {
    Rect::new(0, 0, columns.min(MOST.0), rows.min(MOST.1))
}
