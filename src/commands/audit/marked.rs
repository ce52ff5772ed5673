//! Calls whose numbers may be wrong, with their places.

use serde::Serialize;

use crate::domain::{Filter, Label};
use crate::ledger::{Ledger, LedgerError, Order, Row, Sums};

/// A call whose counts are partial or guessed: its place and the reason.
#[derive(Serialize)]
pub(super) struct Marked {
    file: Option<Label>,
    byte: u64,
    key: String,
    why: &'static str,
}

/// Number of places listed for each mark.
const MARKED: usize = 5;

/// The name of a mark, and a test for it on a call's sums.
type Mark = (&'static str, fn(&Sums) -> bool);

const MARKS: [Mark; 3] = [
    ("guessed", |sums| sums.guessed_calls > 0),
    ("logged in part", |sums| sums.lower_bound_calls > 0),
    ("no price", |sums| sums.unpriced_tokens > 0),
];

impl Marked {
    /// The first calls with each mark, ordered by file and offset. `total` is the sum over all calls.
    pub(super) fn first(books: &dyn Ledger, total: &Sums) -> Result<Vec<Self>, LedgerError> {
        let mut first: [Vec<Self>; MARKS.len()] = Default::default();
        if MARKS.iter().any(|(_, is_marked)| is_marked(total)) {
            books.each(&Filter::default(), Order::Ascending, &mut |row| {
                let sums = Sums::from_row(row);
                for ((why, is_marked), first) in MARKS.iter().zip(&mut first) {
                    if is_marked(&sums) {
                        Self::from_row(row, why).insert_into(first);
                    }
                }
                true
            })?;
        }
        Ok(first.into_iter().flatten().collect())
    }

    fn from_row(row: &Row, why: &'static str) -> Self {
        let place = row.call.from.place.as_ref();
        Self {
            file: place.map(|place| place.path.clone()),
            byte: place.map_or(0, |place| place.offset),
            key: row.call.key.to_string(),
            why,
        }
    }

    fn insert_into(self, first: &mut Vec<Self>) {
        let at = first.partition_point(|other| (&other.file, other.byte) <= (&self.file, self.byte));
        if at < MARKED {
            first.truncate(MARKED - 1);
            first.insert(at, self);
        }
    }
}

/// `FILE, byte N: why`.
impl std::fmt::Display for Marked {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let file = self.file.as_ref().map_or("(no place)", Label::as_str);
        write!(out, "{file}, byte {}: {}", self.byte, self.why)
    }
}
