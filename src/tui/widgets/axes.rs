//! The vertical axis of a chart, with grid lines at round numbers.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::{cells, fill, put};
use crate::domain::Usd;
use crate::text;
use crate::theme::{Role, Theme};

/// Width of the widest label and the line next to it.
const LABEL: u16 = 7;

/// A scale from zero to a round number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) struct Scale {
    /// Amount between two grid lines.
    step: u128,
    /// Number of steps.
    steps: u16,
}

impl Scale {
    /// A scale up to at least `most`, for a chart with this many rows: at most one grid line every three rows.
    pub(in super::super) fn reaching(most: u128, rows: u16) -> Self {
        let most = most.max(1);
        let scale = |lines: u16| {
            let step = round_up(most.div_ceil(u128::from(lines)));
            Self { step, steps: u16::try_from(most.div_ceil(step)).unwrap_or(lines) }
        };
        // The one that wastes the least room at the top, with the fewest lines.
        (1..=(rows / 3).clamp(1, 6)).map(scale).min_by_key(|scale| (scale.most(), scale.steps)).unwrap_or(scale(1))
    }

    /// A scale of millionths of a dollar, up to at least a cent: labels have no room for smaller amounts.
    pub(in super::super) fn of_dollars(most: u128, rows: u16) -> Self {
        Self::reaching(most.max(10_000), rows)
    }

    /// The area of the chart, without the labels.
    pub(in super::super) fn plot(area: Rect) -> Rect {
        if area.width <= LABEL + 4 {
            return area;
        }
        Rect { x: area.x + LABEL, width: area.width - LABEL, ..area }
    }

    /// The amount at the top of the scale.
    pub(in super::super) const fn most(self) -> u128 {
        self.step.saturating_mul(self.steps as u128)
    }

    /// Draws the labels and the grid. Returns the area of the chart.
    pub(in super::super) fn draw(
        self,
        theme: &Theme,
        label: impl Fn(u128) -> String,
        area: Rect,
        buffer: &mut Buffer,
    ) -> Rect {
        let plot = Self::plot(area);
        if plot == area || area.height == 0 {
            return area;
        }
        for nth in 0..=self.steps {
            let y = self.row(u128::from(nth) * self.step, plot);
            let words = text::fit(&label(u128::from(nth) * self.step), usize::from(LABEL) - 1);
            let words = text::pad_left(&words, usize::from(LABEL) - 1);
            put(buffer, (area.x, y), &words, usize::from(LABEL) - 1, theme.style(Role::Dim));
            if nth > 0 {
                fill(buffer, Rect { y, height: 1, ..plot }, '┈', theme.style(Role::Border));
            }
        }
        plot
    }

    /// The row of the chart that corresponds to an amount.
    pub(in super::super) fn row(self, amount: u128, plot: Rect) -> u16 {
        let rows = u128::from(plot.height.saturating_sub(1));
        let up = (amount.saturating_mul(rows) + self.most() / 2) / self.most().max(1);
        plot.bottom().saturating_sub(1).saturating_sub(u16::try_from(up.min(rows)).unwrap_or(0))
    }
}

/// Rounds up to 1, 2, 2.5 or 5 times a power of ten.
fn round_up(least: u128) -> u128 {
    let mut unit = 1_u128;
    while unit.saturating_mul(10) <= least {
        unit = unit.saturating_mul(10);
    }
    let rounds = [(1, 1), (2, 1), (5, 2), (5, 1), (10, 1)];
    let rounds = rounds.into_iter().map(|(times, part)| unit.saturating_mul(times) / part);
    rounds.filter(|step| *step >= least).min().unwrap_or(least).max(1)
}

/// An axis label for an amount in millionths of a dollar.
pub(in super::super) fn dollars(micros: u128) -> String {
    if micros == 0 {
        return "$0".to_owned();
    }
    text::usd_short(Usd::from_micro(i64::try_from(micros).unwrap_or(i64::MAX)))
}

/// Labels below a chart, each centred on its column. A label that would touch the previous one is left out.
pub(in super::super) fn labels(theme: &Theme, at: &[(u16, String)], row: Rect, buffer: &mut Buffer) {
    let mut free = row.x;
    for (x, label) in at {
        let width = cells(text::width(label));
        let start = x.saturating_sub(width / 2).max(row.x).min(row.right().saturating_sub(width));
        if start < free || start + width > row.right() {
            continue;
        }
        put(buffer, (start, row.y), label, usize::from(width), theme.style(Role::Dim));
        free = start + width + 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scale_ends_at_a_round_number_above_what_it_shows() {
        let top = |most, rows| Scale::reaching(most, rows).most();
        assert_eq!(top(25_000_000, 16), 25_000_000);
        assert_eq!(top(44_590_000, 16), 50_000_000);
        assert_eq!(top(12_110_000, 12), 15_000_000);
        assert_eq!(top(99, 8), 100);
        assert_eq!(top(0, 8), 1);
        for most in [1, 7, 19, 1_000, 123_456_789, u128::MAX / 1_000] {
            for rows in 0..40 {
                assert!(top(most, rows) >= most, "{most} in {rows}");
            }
        }
    }
}
