//! Stacked bars: the parts of a sum on top of each other, distinguished by colour or, without colour, by pattern.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::{cells, put};
use crate::text;
use crate::theme::{Role, Theme};

/// Fill patterns that distinguish series without colour.
const FILLS: [&str; 4] = ["█", "▓", "▒", "░"];
const TOPS: [&str; 8] = ["▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"];

/// Bars on one scale.
pub(in super::super) struct Stack<'a> {
    theme: &'a Theme,
    /// True if the series cannot be distinguished by colour.
    is_plain: bool,
    /// The amount at which a bar is full.
    most: u128,
}

impl<'a> Stack<'a> {
    pub(in super::super) fn new(theme: &'a Theme, is_ascii: bool, most: u128) -> Self {
        let is_plain = is_ascii || theme.style(Role::Series(0)).fg == theme.style(Role::Series(1)).fg;
        Self { theme, is_plain, most: most.max(1) }
    }

    /// One stacked bar. Each cell belongs to the series at its centre, and only the top cell may be partial.
    pub(in super::super) fn bar(&self, parts: &[u128], area: Rect, buffer: &mut Buffer) {
        let total: u128 = parts.iter().sum();
        if total == 0 {
            return;
        }
        let height = u128::from(area.height);
        let eighths = (total.saturating_mul(height * 8) / self.most).max(1);
        for cell in 0..area.height {
            let below = u128::from(cell) * 8;
            if below >= eighths {
                break;
            }
            // The middle of this cell, as a share of the bar, determines its series.
            let middle = (below + 4).min(eighths) * total / eighths;
            let mut sum = 0;
            let series = parts
                .iter()
                .position(|part| {
                    sum += part;
                    middle < sum
                })
                .unwrap_or_else(|| parts.iter().rposition(|part| *part > 0).unwrap_or(0));
            let part = usize::try_from((eighths - below).min(8)).unwrap_or(8);
            let fill = if self.is_plain { FILLS[series % FILLS.len()] } else { TOPS[part - 1] };
            let y = area.bottom() - 1 - cell;
            for x in area.left()..area.right() {
                put(buffer, (x, y), fill, 1, self.theme.style(Role::Series(series)));
            }
        }
    }

    /// A line with the names of the series, as many as fit.
    pub(in super::super) fn legend<N: AsRef<str>>(
        &self,
        names: impl Iterator<Item = N>,
        area: Rect,
        buffer: &mut Buffer,
    ) {
        let mut x = area.x;
        for (nth, name) in names.enumerate() {
            let fill = if self.is_plain { FILLS[nth % FILLS.len()] } else { "█" };
            let entry = format!("{} ", text::fit(name.as_ref(), 24));
            let needed = cells(text::width(&entry)) + 3;
            if x + needed > area.right() {
                break;
            }
            x = put(buffer, (x, area.y), &format!("{fill} "), 2, self.theme.style(Role::Series(nth)));
            x = put(buffer, (x, area.y), &entry, 30, self.theme.style(Role::Dim)) + 1;
        }
    }
}
