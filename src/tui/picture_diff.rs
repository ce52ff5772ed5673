//! The cells in which two pictures of one size differ.

use ratatui::buffer::{Buffer, Cell};
use ratatui::layout::Rect;

use crate::text;

/// The cells that turn one picture into the other, with their places: those of [`Buffer::diff`].
///
/// That takes each cell's width before it compares the cell, a quarter of the work of a picture. Here only rows that
/// differ and have letters of other widths are left to it.
pub(super) fn changed_cells<'a>(before: &Buffer, after: &'a Buffer) -> Vec<(u16, u16, &'a Cell)> {
    let (area, width) = (after.area, usize::from(after.area.width).max(1));
    let mut changed = Vec::new();
    let rows = before.content.chunks(width).zip(after.content.chunks(width));
    for (y, (old, new)) in (area.y..).zip(rows) {
        let (first, mut is_narrow) = (changed.len(), true);
        for (x, (old, new)) in (area.x..).zip(old.iter().zip(new)) {
            let (letter, next) = (old.symbol(), new.symbol());
            let is_same = match (letter.as_bytes(), next.as_bytes()) {
                ([letter], [next]) => letter == next,
                _ => {
                    let is_same = letter == next;
                    is_narrow &= takes_one_column(next) && (is_same || takes_one_column(letter));
                    is_same
                }
            };
            if !is_same || old.fg != new.fg || old.bg != new.bg || old.modifier != new.modifier {
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

fn takes_one_column(symbol: &str) -> bool {
    let mut letters = symbol.chars();
    symbol.len() == 1 || (letters.next().is_some_and(text::is_plain) && letters.next().is_none())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use ratatui::style::{Color, Modifier, Style};

    use super::*;

    const AREA: Rect = Rect { x: 0, y: 0, width: 7, height: 3 };

    /// Texts in a few styles at any place, some of letters two columns wide, joined or of none.
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
            prop_assert_eq!(changed_cells(&before, &after), before.diff(&after));
            prop_assert_eq!(changed_cells(&after, &after), vec![]);
        }
    }
}
