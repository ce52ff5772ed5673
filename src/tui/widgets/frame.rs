//! The frame of a pane, with its title.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::widgets::Widget;

use super::{fill, put};
use crate::theme::{Role, Theme};

/// A rounded frame with a title in its upper edge.
///
/// It draws only the edge. A [`Block`](ratatui::widgets::Block) also styles every cell inside, and joins borders, which
/// takes a seventh of the time of a frame at 200×60.
pub(in super::super) struct Frame {
    title: String,
    edge: Style,
    words: Style,
}

/// A framed pane, highlighted when it has the keyboard focus.
pub(in super::super) fn pane(theme: &Theme, title: &str, has_keys: bool) -> Frame {
    let (edge, words) = if has_keys { (Role::Accent, Role::Accent) } else { (Role::Border, Role::Dim) };
    Frame { title: format!(" {title} "), edge: theme.style(edge), words: theme.style(words) }
}

impl Frame {
    /// The area inside the frame.
    #[expect(clippy::unused_self, reason = "the room inside belongs to the frame, however it is drawn")]
    pub(in super::super) fn inner(&self, area: Rect) -> Rect {
        Rect {
            x: area.x.saturating_add(1).min(area.right()),
            y: area.y.saturating_add(1).min(area.bottom()),
            width: area.width.saturating_sub(2),
            height: area.height.saturating_sub(2),
        }
    }
}

impl Widget for Frame {
    fn render(self, area: Rect, buffer: &mut Buffer) {
        let area = area.intersection(buffer.area);
        if area.is_empty() {
            return;
        }
        let (right, bottom) = (area.right() - 1, area.bottom() - 1);
        for y in area.top()..area.bottom() {
            for x in [area.x, right] {
                fill(buffer, Rect { x, y, width: 1, height: 1 }, '│', self.edge);
            }
        }
        for (y, corners) in [(area.y, ['╭', '╮']), (bottom, ['╰', '╯'])] {
            fill(buffer, Rect { y, height: 1, ..area }, '─', self.edge);
            for (x, corner) in [area.x, right].into_iter().zip(corners) {
                fill(buffer, Rect { x, y, width: 1, height: 1 }, corner, self.edge);
            }
        }
        let room = usize::from(area.width.saturating_sub(2));
        put(buffer, (area.x + 1, area.y), &self.title, room, self.words);
    }
}

#[cfg(test)]
mod tests {
    use ratatui::text::Span;
    use ratatui::widgets::{Block, BorderType};

    use super::*;

    #[test]
    fn a_frame_is_drawn_as_a_rounded_block_with_a_title_is() {
        let whole = Rect::new(0, 0, 12, 6);
        let (edge, words) = (Style::new().red(), Style::new().dim());
        for title in ["", "Calls", "Calls · 日本 of a long name"] {
            for (width, height) in [(0, 0), (2, 2), (3, 2), (2, 5), (8, 4), (12, 6), (30, 30)] {
                for (x, y) in [(0, 0), (1, 2)] {
                    let area = Rect { x, y, width, height };
                    let block = Block::bordered()
                        .border_type(BorderType::Rounded)
                        .border_style(edge)
                        .title(Span::styled(format!(" {title} "), words));
                    let frame = Frame { title: format!(" {title} "), edge, words };
                    assert_eq!(frame.inner(area), block.inner(area), "{area:?}");
                    let [mut drawn, mut wanted] = [Buffer::empty(whole), Buffer::empty(whole)];
                    frame.render(area, &mut drawn);
                    block.render(area, &mut wanted);
                    assert_eq!(drawn, wanted, "{title} in {area:?}");
                }
            }
        }
    }
}
