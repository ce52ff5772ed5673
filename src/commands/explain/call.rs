//! A call, its cost at today's prices, and the line from which it was read.

use std::io::{BufRead as _, BufReader};
use std::path::Path;

use crate::config::regular_file;
use crate::domain::Place;
use crate::ledger::{Row, Sums};
use crate::pricing::{Cost, Explanation, PriceBook};
use crate::text;

/// A call, its cost at today's prices, and its source.
pub(crate) struct Explained<'a> {
    pub(crate) row: &'a Row,
    pub(crate) today: Explanation,
    pub(crate) line: Option<u64>,
}

impl<'a> Explained<'a> {
    pub(crate) fn from_row(row: &'a Row, prices: &PriceBook) -> Self {
        let line = row.call.from.place.as_ref().and_then(line_of);
        Self { row, today: prices.explain(&row.call), line }
    }

    /// The sign before amounts at today's prices, as in reports: `~ ` for a guess, `≥ ` for less than was used.
    pub(crate) fn sign(&self) -> &'static str {
        self.sign_of(&self.today.cost)
    }

    /// The sign before this cost of the call.
    pub(crate) fn sign_of(&self, cost: &Cost) -> &'static str {
        text::mark(&self.sums(cost)).sign()
    }

    /// The sums of a report with this call alone, at this cost.
    pub(crate) fn sums(&self, cost: &Cost) -> Sums {
        Sums::from_row(&Row { cost: cost.clone(), ..self.row.clone() })
    }

    /// The booked cost, if it differs from today's.
    pub(crate) fn booked(&self) -> Option<&Cost> {
        Some(&self.row.cost).filter(|booked| **booked != self.today.cost)
    }
}

/// True for calls that were read from standard input or the socket, not from a file.
pub(super) fn is_feed(place: &Place) -> bool {
    !std::path::Path::new(place.path.as_str()).is_absolute()
}

/// The line number for this offset, if the file still exists and is long enough.
pub(crate) fn line_of(place: &Place) -> Option<u64> {
    let file = regular_file::open_operand(Path::new(place.path.as_str())).ok()?;
    if !file.metadata().is_ok_and(|facts| facts.is_file() && facts.len() > place.offset) {
        return None;
    }
    let mut reader = BufReader::with_capacity(64 * 1024, file);
    let (mut at, mut line) = (0_u64, 1_u64);
    while at < place.offset {
        let skipped = reader.skip_until(b'\n').ok().filter(|bytes| *bytes > 0)?;
        at += u64::try_from(skipped).ok()?;
        line += 1;
    }
    (at == place.offset).then_some(line)
}
