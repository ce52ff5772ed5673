//! The areas of the screen that react to a click, as they were last drawn.

use std::cell::RefCell;

use ratatui::layout::{Position, Rect};

use super::rows::SortBy;
use super::{Action, Pane};

/// Reaction to a click.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Target {
    /// A row of the view's table.
    Row(usize),
    /// A row of a pane of the Fleet view.
    PaneRow(Pane, usize),
    /// The head of a column to sort by.
    Head(SortBy),
    /// A key of the footer.
    Key(Action),
    /// A row in the overlay.
    Choice(usize),
    /// An overlay, which covers what is below.
    Cover,
}

/// The areas on the current screen. Later ones lie on top of earlier ones.
///
/// Recorded during drawing, because only then is it known where things are. Drawing changes nothing else.
#[derive(Debug, Default)]
pub(super) struct Targets(RefCell<Vec<(Rect, Target)>>);

impl Targets {
    pub(super) fn clear(&self) {
        self.0.borrow_mut().clear();
    }

    pub(super) fn add(&self, area: Rect, target: Target) {
        self.0.borrow_mut().push((area, target));
    }

    /// The frame of the open overlay.
    pub(super) fn cover(&self) -> Option<Rect> {
        self.0.borrow().iter().rev().find(|(_, target)| *target == Target::Cover).map(|(area, _)| *area)
    }

    /// The target at this position.
    pub(super) fn at(&self, column: u16, row: u16) -> Option<Target> {
        let all = self.0.borrow();
        all.iter().rev().find(|(area, _)| area.contains(Position { x: column, y: row })).map(|(_, target)| *target)
    }
}
