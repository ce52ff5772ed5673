//! The mouse: tabs, rows, column heads, and keys in the footer.

use crossterm::event::{MouseButton, MouseEvent, MouseEventKind};
use ratatui::layout::Rect;

use super::app::App;
use super::targets::Target;
use super::{Mode, Next, Pane, View};

impl App {
    pub(super) fn mouse(&mut self, mouse: MouseEvent, area: Rect) -> Next {
        match mouse.kind {
            MouseEventKind::ScrollUp => self.scroll_at(mouse, -3),
            MouseEventKind::ScrollDown => self.scroll_at(mouse, 3),
            MouseEventKind::Down(MouseButton::Left) if mouse.row == area.y && self.mode == Mode::Browse => {
                return self.click_tab(mouse.column, area);
            }
            MouseEventKind::Down(MouseButton::Left) => {
                let target = self.targets.at(mouse.column, mouse.row);
                // The footer's keys, too, are those of the view below.
                if self.mode.is_overlay() && !matches!(target, Some(Target::Cover | Target::Choice(_))) {
                    self.leave();
                    return Next::Redraw;
                }
                return target.map_or(Next::Stay, |target| self.click(target));
            }
            MouseEventKind::Down(_)
            | MouseEventKind::Up(_)
            | MouseEventKind::Drag(_)
            | MouseEventKind::Moved
            | MouseEventKind::ScrollLeft
            | MouseEventKind::ScrollRight => return Next::Stay,
        }
        Next::Redraw
    }

    /// The wheel scrolls the pane under the pointer, which becomes the pane with the cursor.
    fn scroll_at(&mut self, mouse: MouseEvent, by: isize) {
        let target = self.targets.at(mouse.column, mouse.row).filter(|_| self.mode == Mode::Browse);
        if let Some(Target::PaneRow(pane, _)) = target {
            self.pane = pane;
        }
        self.scroll(by);
    }

    /// A click moves the cursor to a row. A click on the cursor's row opens it.
    fn click(&mut self, target: Target) -> Next {
        match target {
            Target::Cover => Next::Stay,
            Target::Choice(nth) => {
                if let Some(cursor) = self.mode.cursor() {
                    *cursor = nth;
                }
                self.look_at_theme();
                self.confirm()
            }
            Target::Key(action) => self.perform(action),
            Target::Head(by) => {
                self.sort = (by, self.sort.0 == by && !self.sort.1);
                Next::Redraw
            }
            Target::Row(nth) => self.click_row(nth, None),
            Target::PaneRow(pane, nth) => self.click_row(nth, Some(pane)),
        }
    }

    fn click_row(&mut self, nth: usize, pane: Option<Pane>) -> Next {
        let was_here = pane.is_none_or(|pane| pane == self.pane());
        self.pane = pane.unwrap_or(self.pane);
        // In History, the cursor counts bars from the last one.
        let cursor = if self.view == View::History {
            &mut self.history.cursor
        } else {
            let slot = self.cursor_slot();
            &mut self.cursors[slot]
        };
        if was_here && *cursor == nth {
            return self.enter();
        }
        *cursor = nth;
        Next::Redraw
    }
}
