//! A table that drops its least important columns when narrow.

use std::borrow::Cow;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::{cells, put, top_for};
use crate::text;
use crate::theme::{Role, Theme};

/// A column of a [`Grid`].
#[derive(Clone, Copy, Debug)]
pub(in super::super) struct Column {
    title: &'static str,
    width: usize,
    /// Maximum width.
    most: usize,
    right: bool,
    /// True for numbers, which are as wide as the widest of them, because a truncated number would be a different
    /// number.
    whole: bool,
    /// The part of a cell to keep if it does not fit.
    kept: Kept,
    /// Columns with higher values are dropped first.
    drop: u8,
}

/// The part of a cell to keep if its column is too narrow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kept {
    Begin,
    /// The beginning and the end, for names that are often alike at one of the two.
    Ends,
    /// The end, for a row of bars, oldest first.
    End,
}

/// Minimum and maximum width that a subject gets before any other column is shown.
const SUBJECT: (usize, usize) = (13, 20);

/// Maximum width of a number.
const NUMBER: usize = 24;

impl Column {
    /// A column of names, at least `width` wide and at most `most`.
    pub(in super::super) const fn name(title: &'static str, width: usize, most: usize, drop: u8) -> Self {
        Self { title, width, most, right: false, whole: false, kept: Kept::Begin, drop }
    }

    /// A column with the names that tell rows apart. It is shown in full before less important columns, as long as it
    /// takes no more than a sixth of the table, and truncated in the middle.
    pub(in super::super) const fn subject(title: &'static str, width: usize, most: usize, drop: u8) -> Self {
        Self { title, width, most, right: false, whole: false, kept: Kept::Ends, drop }
    }

    /// A column of numbers, at least `width` wide and as wide as the widest number.
    pub(in super::super) const fn number(title: &'static str, width: usize, drop: u8) -> Self {
        Self { title, width, most: NUMBER, right: true, whole: true, kept: Kept::Begin, drop }
    }

    /// A column of text with amounts, as wide as the widest of them, up to `most`.
    pub(in super::super) const fn amounts(title: &'static str, width: usize, most: usize, drop: u8) -> Self {
        Self { title, width, most, right: false, whole: true, kept: Kept::Begin, drop }
    }

    /// A column of small bars, one per minute. If there is little room, only the last minutes.
    pub(in super::super) const fn trend(width: usize, most: usize, drop: u8) -> Self {
        Self { title: "", width, most, right: false, whole: false, kept: Kept::End, drop }
    }
}

/// A cell's text and colour role.
pub(in super::super) type Cell = (String, Role);

/// A table.
pub(in super::super) struct Grid<'a> {
    pub(in super::super) theme: &'a Theme,
    pub(in super::super) columns: &'a [Column],
    pub(in super::super) rows: Vec<Vec<Cell>>,
    /// Cursor row.
    pub(in super::super) cursor: Option<usize>,
    /// Sort column, and whether the smallest is at the top.
    pub(in super::super) sorted: Option<(usize, bool)>,
    /// True to show headings.
    pub(in super::super) heads: bool,
    /// Minimum widths of the columns, so that none moves when rows come and go. May be empty.
    pub(in super::super) least: &'a [usize],
}

impl Grid<'_> {
    /// Indexes of the columns that fit, with their widths.
    fn widths(&self, room: usize) -> Vec<(usize, usize)> {
        // An empty column is not shown.
        let reserved = |at: usize| self.least.get(at).copied().unwrap_or(0);
        let empty = |at: usize| {
            reserved(at) == 0 && self.rows.iter().all(|row| row.get(at).is_none_or(|(cell, _)| cell.is_empty()))
        };
        let sorted = self.sorted.map(|(by, _)| by);
        let mut kept: Vec<usize> =
            (0..self.columns.len()).filter(|at| self.rows.is_empty() || Some(*at) == sorted || !empty(*at)).collect();
        let widest = |at: usize| {
            let rows = self.rows.iter().filter_map(|row| row.get(at));
            rows.map(|(cell, _)| text::width(cell)).max().unwrap_or(0).max(reserved(at))
        };
        let needed: Vec<usize> =
            (self.columns.iter().enumerate()).map(|(at, column)| widest(at).clamp(column.width, column.most)).collect();
        let least = |at: usize| match self.columns[at] {
            Column { whole: true, .. } => needed[at],
            Column { kept: Kept::Ends, width, .. } => {
                needed[at].min((room / 6).clamp(SUBJECT.0.min(room / 4), SUBJECT.1).max(width))
            }
            Column { width, .. } => width,
        };
        let taken = |kept: &[usize]| kept.iter().map(|&at| least(at) + 2).sum::<usize>().saturating_sub(2);
        while taken(&kept) > room && kept.len() > 1 {
            let worst = kept.iter().copied().max_by_key(|&at| (self.columns[at].drop, at));
            kept.retain(|at| Some(*at) != worst);
        }
        let mut spare = room.saturating_sub(taken(&kept));
        let mut widths: Vec<(usize, usize)> = kept.iter().map(|&at| (at, least(at))).collect();
        for (at, width) in &mut widths {
            let more = (needed[*at] - *width).min(spare);
            *width += more;
            spare -= more;
        }
        // Do not truncate a name next to empty space.
        for (at, width) in
            widths.iter_mut().filter(|(at, _)| !self.columns[*at].whole && self.columns[*at].kept != Kept::End)
        {
            let more = widest(*at).saturating_sub(*width).min(spare);
            *width += more;
            spare -= more;
        }
        widths
    }
}

impl Grid<'_> {
    /// Draws the table. Calls `row` with the number and area of each row, and `head` with those of each column.
    pub(in super::super) fn draw(
        &self,
        area: Rect,
        buffer: &mut Buffer,
        row: impl Fn(usize, Rect),
        head: impl Fn(usize, Rect),
    ) {
        if area.is_empty() {
            return;
        }
        let widths = self.widths(usize::from(area.width));
        self.cells(&widths, area, buffer);
        let heads = u16::from(self.heads);
        let mut x = area.x;
        for (at, width) in widths.into_iter().filter(|_| self.heads) {
            head(at, Rect { x, y: area.y, width: cells(width), height: 1 }.intersection(area));
            x = x.saturating_add(cells(width + 2));
        }
        let body = Rect { y: area.y + heads.min(area.height), height: area.height.saturating_sub(heads), ..area };
        let top = top_for(self.cursor.unwrap_or(0), body.height);
        body.rows().zip(top..self.rows.len()).for_each(|(place, nth)| row(nth, place));
    }
}

impl Grid<'_> {
    fn cells(&self, widths: &[(usize, usize)], area: Rect, buffer: &mut Buffer) {
        let place = |text: &str, width: usize, right: bool| {
            if right { text::pad_left(text, width) } else { text::pad(text, width) }
        };
        let mut body = area;
        if self.heads {
            let mut x = area.x;
            for (at, width) in widths {
                let column = &self.columns[*at];
                let mark = match self.sorted {
                    Some((by, is_ascending)) if by == *at => {
                        if is_ascending {
                            " ▲"
                        } else {
                            " ▼"
                        }
                    }
                    _ => "",
                };
                let title = place(&format!("{}{mark}", column.title), *width, column.right);
                put(buffer, (x, area.y), &title, room(area, x), self.theme.style(Role::Dim));
                x = x.saturating_add(cells(width + 2));
            }
            body.y = body.y.saturating_add(1);
            body.height = body.height.saturating_sub(1);
        }
        let top = top_for(self.cursor.unwrap_or(0), body.height);
        for (y, (nth, row)) in body.rows().zip(self.rows.iter().enumerate().skip(top)) {
            let mut x = y.x;
            for (at, width) in widths {
                if let Some((cell, role)) = row.get(*at).filter(|_| x < y.right()) {
                    let skipped = text::width(cell).saturating_sub(*width);
                    let begin = cell.char_indices().nth(skipped).map_or(cell.len(), |(at, _)| at);
                    let kept = match self.columns[*at].kept {
                        Kept::Begin => Cow::Borrowed(cell.as_str()),
                        Kept::Ends => Cow::Owned(text::fit_name(cell, *width)),
                        Kept::End => Cow::Borrowed(&cell[begin..]),
                    };
                    let cell = place(&kept, *width, self.columns[*at].right);
                    put(buffer, (x, y.y), &cell, room(area, x), self.theme.style(*role));
                }
                x = x.saturating_add(cells(width + 2));
            }
            if self.cursor == Some(nth) {
                buffer.set_style(y, self.theme.style(Role::Selection));
            }
        }
    }
}

fn room(area: Rect, x: u16) -> usize {
    usize::from(area.right().saturating_sub(x))
}
