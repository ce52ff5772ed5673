//! The cells in which two frames of the same size differ.

use ratatui::buffer::{Buffer, Cell};
use ratatui::layout::Rect;

use crate::text;

/// Which rows differ between two frames of the same size.
pub(super) fn changed_rows(before: &Buffer, after: &Buffer) -> Vec<bool> {
    let width = usize::from(after.area.width).max(1);
    let rows = before.content.chunks(width).zip(after.content.chunks(width));
    rows.map(|(old, new)| old.iter().zip(new).any(|(old, new)| !is_same(old, new))).collect()
}

/// The cells that turn one frame into the other, with their positions, as given by [`Buffer::diff`]. Only the given
/// rows are compared.
///
/// [`Buffer::diff`] computes the width of each cell before comparing it, which takes a quarter of the time of a frame.
/// So it is used only for rows that differ and contain characters that are not one column wide.
pub(super) fn changed_cells<'a>(before: &Buffer, after: &'a Buffer, rows: &[bool]) -> Vec<(u16, u16, &'a Cell)> {
    let (area, width) = (after.area, usize::from(after.area.width).max(1));
    let mut changed = Vec::new();
    let cells = before.content.chunks(width).zip(after.content.chunks(width));
    for (y, (_, (old, new))) in (area.y..).zip(rows.iter().zip(cells)).filter(|(_, (is_changed, _))| **is_changed) {
        let (first, mut is_narrow) = (changed.len(), true);
        for (x, (old, new)) in (area.x..).zip(old.iter().zip(new)) {
            let is_changed = !is_same(old, new);
            is_narrow &= takes_one_column(new.symbol()) && (!is_changed || takes_one_column(old.symbol()));
            if is_changed {
                changed.push((x, y, new));
            }
        }
        if !is_narrow && changed.len() > first {
            changed.truncate(first);
            let row = |cells: &[Cell]| Buffer { area: Rect { y, height: 1, ..area }, content: cells.to_vec() };
            let (old, next) = (row(old), row(new));
            let places = old.diff(&next).into_iter().map(|(x, ..)| x);
            changed.extend(places.filter_map(|x| Some((x, y, new.get(usize::from(x - area.x))?))));
        }
    }
    changed
}

fn is_same(old: &Cell, new: &Cell) -> bool {
    let is_same = match (old.symbol().as_bytes(), new.symbol().as_bytes()) {
        ([letter], [next]) => letter == next,
        (letter, next) => letter == next,
    };
    is_same && old.fg == new.fg && old.bg == new.bg && old.modifier == new.modifier
}

fn takes_one_column(symbol: &str) -> bool {
    let mut letters = symbol.chars();
    symbol.len() == 1 || (letters.next().is_some_and(text::is_plain) && letters.next().is_none())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use ratatui::style::{Color, Modifier, Style};

    use super::*;
    use crate::tui::draw::settle;
    use crate::tui::paint::{paint, paint_drawn};

    const AREA: Rect = Rect { x: 0, y: 0, width: 7, height: 3 };

    /// Texts in a few styles at random positions, some with characters that are wide, joined or of zero width.
    fn pictures() -> impl Strategy<Value = Buffer> {
        let texts =
            prop::sample::select(vec!["a", "abc", " ", "│─", "日本", "a日", "é", "e\u{301}", "👍\u{fe0f}", "\u{200b}"]);
        let styles = prop::sample::select(vec![
            Style::new(),
            Style::new().fg(Color::Red),
            Style::new().bg(Color::Rgb(1, 2, 3)),
            Style::new().add_modifier(Modifier::REVERSED),
        ]);
        prop::collection::vec((0..AREA.width, 0..AREA.height, texts, styles), 0..6).prop_map(|all| {
            let mut picture = Buffer::empty(AREA);
            for (x, y, text, style) in all {
                picture.set_string(x, y, text, style);
            }
            picture
        })
    }

    proptest! {
        #[test]
        fn the_cells_are_those_of_a_comparison_of_everything(before in pictures(), after in pictures()) {
            let rows = changed_rows(&before, &after);
            prop_assert_eq!(changed_cells(&before, &after, &rows), before.diff(&after));
            prop_assert_eq!(changed_rows(&after, &after), vec![false; usize::from(AREA.height)]);
        }

        #[test]
        fn a_picture_of_which_only_changed_rows_are_settled_is_painted_as_the_settled_one(
            before in pictures(), after in pictures(), ascii in any::<bool>(),
        ) {
            let settled = |picture: &Buffer| {
                let mut picture = picture.clone();
                settle(&mut picture, ascii);
                picture
            };
            let (before, expected, mut drawn) = (settled(&before), settled(&after), after);
            let [mut bytes, mut wanted] = [vec![], vec![]];
            paint_drawn(Some(&before), &mut drawn, ascii, &mut bytes).unwrap();
            paint(Some(&before), &expected, &mut wanted).unwrap();
            prop_assert_eq!((bytes, drawn), (wanted, expected));
        }
    }
}
