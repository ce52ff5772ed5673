//! The columns of the Limits view: which are shown, how wide they are, and in which words.

use super::super::limit_widths::LimitWidths;
use super::super::widgets::{Cell, Column};
use crate::text;
use crate::theme::Role;

/// Width of a verdict (`■ over`), and of its mark alone.
const VERDICT: (usize, usize) = (7, 1);

/// Maximum width of a bar.
const BAR: usize = 100;

/// Columns between two columns.
const GAP: usize = 2;

/// The texts of one row.
pub(super) struct LimitRow {
    pub(super) name: String,
    /// The name without the word `session`, if that is clear.
    pub(super) short_name: String,
    pub(super) used: String,
    /// Used and allowed, rounded.
    pub(super) used_short: String,
    pub(super) left: String,
    /// The remaining amount rounded, if it is long.
    pub(super) left_short: String,
    pub(super) per_cent: String,
    /// `■ over`, `⚠ near`, or empty.
    pub(super) verdict: &'static str,
    /// `lifted` or `ended` if it is not in force, otherwise empty.
    pub(super) out_of_force: &'static str,
    pub(super) resets: String,
    /// When it will be full.
    pub(super) full: String,
    /// The same with the band around it.
    pub(super) band: String,
    /// Role of the bar.
    pub(super) role: Role,
}

/// Widths of the columns that are shown; zero for the others.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct LimitColumns {
    name: usize,
    used: usize,
    has_exact_used: bool,
    left: usize,
    has_exact_left: bool,
    pub(super) bar: usize,
    per_cent: usize,
    verdict: usize,
    resets: usize,
    full: usize,
    has_band: bool,
}

impl LimitColumns {
    /// Gives the names what they need, and the bar the rest. Where there is too little room, names are truncated as far
    /// as they still differ, and what other columns also say is left out: first the range of a forecast and the used
    /// amounts. Then long amounts are rounded, and marks lose their words. Then times go, and what is left of an amount
    /// and the bar make room for the amount itself.
    pub(super) fn fit(rows: &[LimitRow], reserved: &LimitWidths, room: usize) -> Self {
        let widest = |least: usize, of: fn(&LimitRow) -> &String| {
            rows.iter().map(|row| text::width(of(row))).max().unwrap_or(0).max(least)
        };
        let without = |width: usize, word: &str| width.saturating_sub(text::width(word));
        let name = widest(reserved.name.max(5), |row| &row.name);
        let (used, left) = (widest(reserved.used, |row| &row.used), widest(reserved.left, |row| &row.left));
        let used_short = widest(reserved.used_short, |row| &row.used_short);
        let left_short = widest(reserved.left_short, |row| &row.left_short);
        let per_cent = widest(reserved.percent.max(5), |row| &row.per_cent);
        let resets = match widest(without(reserved.resets, "resets "), |row| &row.resets) {
            0 => 0,
            needed => needed.max(text::width("resets")),
        };
        // Room for a time is reserved before any limit has one.
        let full = widest(without(reserved.full, "full at ").max(9), |row| &row.full);
        let band = widest(without(reserved.band, "full at ").max(full), |row| &row.band);
        // In these widths, names truncated in the middle still differ.
        let (cut, cut_more) = (name.min((room * 2 / 5).max(12)), name.min((room / 5).max(24)));
        let cut_short = widest(5, |row| &row.short_name).min(cut);
        let all =
            Self { left, has_exact_left: true, bar: 6, per_cent, verdict: VERDICT.0, resets, full, ..Self::default() };
        let short = Self { left: left_short, has_exact_left: false, ..all };
        let marks = Self { verdict: VERDICT.1, ..short };
        let few = Self { full: 0, ..marks };
        let amounts = Self { resets: 0, left: 0, used: used_short, bar: 0, ..few };
        // A name of which this much is left still says what it limits.
        let least = cut_short.min(8);
        let steps = [
            Self { name, used, has_exact_used: true, full: band, has_band: true, bar: 10, ..all },
            Self { name: cut_more, used, has_exact_used: true, ..all },
            Self { name: cut, ..all },
            Self { name: cut, ..short },
            Self { name: cut, ..marks },
            Self { name: cut_short, ..marks },
            Self { name: cut_short, ..few },
            Self { name: cut_short, resets: 0, ..few },
            Self { name: cut_short, bar: 6, ..amounts },
            Self { name: cut_short, ..amounts },
            Self { name: least, ..amounts },
            Self { name: cut_short, resets: 0, left: 0, ..few },
        ];
        let fitting = steps.into_iter().find(|columns| columns.width() <= room);
        let mut columns =
            fitting.unwrap_or(Self { name: room.saturating_sub(per_cent + GAP), per_cent, ..Self::default() });
        let spare = room.saturating_sub(columns.width());
        let more = spare.min(name.saturating_sub(columns.name));
        columns.name += more;
        if columns.bar > 0 {
            columns.bar = (columns.bar + spare - more).min(BAR);
        }
        columns
    }

    fn widths(&self) -> [usize; 8] {
        [self.name, self.used, self.left, self.bar, self.per_cent, self.verdict, self.resets, self.full]
    }

    /// Width of all columns with the gaps between them.
    fn width(&self) -> usize {
        self.widths().iter().filter(|width| **width > 0).map(|width| width + GAP).sum::<usize>().saturating_sub(GAP)
    }

    /// The columns with their widths.
    pub(super) fn columns(&self) -> (Vec<Column>, Vec<usize>) {
        let shown = |(width, column): (usize, fn(usize) -> Column)| (width > 0).then(|| (column(width), width));
        let columns: [fn(usize) -> Column; 8] = [
            |width| Column::subject("limit", width, width, 0),
            |width| Column::name("used", width, width, 0),
            |width| Column::name("left", width, width, 0),
            |width| Column::name("", width, width, 0),
            |width| Column::number("", width, 0),
            |width| Column::name("", width, width, 0),
            |width| Column::name("resets", width, width, 0),
            |width| Column::name("full at", width, width, 0),
        ];
        self.widths().into_iter().zip(columns).filter_map(shown).unzip()
    }

    /// The names in the room that they have.
    pub(super) fn names(&self, rows: &[LimitRow]) -> Vec<String> {
        let is_whole = |row: &LimitRow| text::width(&row.name) <= self.name;
        let name = |row: &LimitRow| if is_whole(row) { row.name.clone() } else { row.short_name.clone() };
        text::fit_apart(&rows.iter().map(name).collect::<Vec<String>>(), self.name)
    }

    /// The cells of a row, with this name and this bar.
    pub(super) fn cells(&self, row: LimitRow, name: String, bar: String) -> Vec<Cell> {
        let left = if self.has_exact_left { row.left } else { row.left_short };
        let used = if self.has_exact_used { row.used } else { row.used_short };
        let has_words = self.verdict == VERDICT.0;
        let mark: String = row.verdict.chars().take(1).collect();
        let verdict = match (has_words, row.out_of_force) {
            (true, "") => row.verdict.to_owned(),
            (true, word) if mark.is_empty() => word.to_owned(),
            (true, word) => format!("{mark} {word}"),
            (false, _) => mark,
        };
        let full = match row.out_of_force {
            "" if self.has_band => row.band,
            word if !has_words && !word.is_empty() => word.to_owned(),
            _ => row.full,
        };
        let cells = [
            (name, Role::Text),
            (used, Role::Text),
            (left, Role::Text),
            (bar, row.role),
            (row.per_cent, row.role),
            (verdict, row.role),
            (row.resets, Role::Dim),
            (full, Role::Dim),
        ];
        self.widths().into_iter().zip(cells).filter_map(|(width, cell)| (width > 0).then_some(cell)).collect()
    }
}
