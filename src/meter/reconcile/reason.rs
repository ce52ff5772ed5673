//! Likely reasons for differences between a bill and the ledger on a day, limited to those that arithmetic supports.

use super::compared::{Cell, Compared};
use crate::domain::{Day, Usd};

/// The likely reason for a difference.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reason {
    /// The bill rounds each row to cents.
    Rounding,
    /// The ledger has no calls on that day.
    EmptyDay,
    /// The ledger has no calls on that model on that day.
    NotInLogs,
    /// The bill does not list the model.
    NotOnBill,
    /// An adjacent day has the opposite difference.
    OtherDay(Day),
    /// Some of the ledger's tokens have no price.
    Unpriced(u64),
    /// Some calls were only partly logged.
    LowerBound(u64),
    /// The model, the split or the rate of some calls is a guess.
    Guessed(u64),
    /// The bill is half the cost in the ledger.
    Half,
    /// No reason was found.
    Unknown,
}

impl Reason {
    pub(crate) fn find(compared: &Compared, day: Day, model: &str, cell: &Cell) -> Self {
        let (difference, books) = (cell.difference(), &cell.books);
        if books.calls > 0 && size(difference) <= rounding(cell) {
            return Self::Rounding;
        }
        if let Some(other) = other_day(compared, day, model, difference) {
            return Self::OtherDay(other);
        }
        if books.calls == 0 {
            let any = compared.cells.iter().any(|((other, _), cell)| *other == day && cell.books.calls > 0);
            return if any { Self::NotInLogs } else { Self::EmptyDay };
        }
        if cell.lines == 0 {
            return Self::NotOnBill;
        }
        if difference > Usd::ZERO && books.unpriced_tokens > 0 {
            return Self::Unpriced(books.unpriced_tokens);
        }
        if difference > Usd::ZERO && books.lower_bound_calls > 0 {
            return Self::LowerBound(books.lower_bound_calls);
        }
        let twice = cell.bill + cell.bill;
        if cell.bill > Usd::ZERO && size(twice - books.cost).saturating_mul(100) <= size(books.cost) {
            return Self::Half;
        }
        if books.guessed_calls > 0 {
            return Self::Guessed(books.guessed_calls);
        }
        Self::Unknown
    }

    /// Name of the reason in JSON and text.
    pub(crate) const fn word(self) -> &'static str {
        match self {
            Self::Rounding => "rounding",
            Self::EmptyDay => "missing day",
            Self::NotInLogs => "not in logs",
            Self::NotOnBill => "not on the bill",
            Self::OtherDay(_) => "another day",
            Self::Unpriced(_) => "unpriced",
            Self::LowerBound(_) => "logged in part",
            Self::Guessed(_) => "guessed",
            Self::Half => "half price",
            Self::Unknown => "unexplained",
        }
    }
}

/// Largest possible rounding error of the cell's rows, in pico-dollars.
fn rounding(cell: &Cell) -> i128 {
    Usd::from_micro(5_000).times(cell.lines.into()).pico()
}

fn size(usd: Usd) -> i128 {
    usd.pico().saturating_abs()
}

/// An adjacent day with the opposite difference, within 5 %.
fn other_day(compared: &Compared, day: Day, model: &str, difference: Usd) -> Option<Day> {
    [day.pred_opt(), day.succ_opt()].into_iter().flatten().find(|other| {
        let Some(cell) = compared.cells.get(&(*other, model.to_owned())) else { return false };
        let there = cell.difference();
        there.is_negative() != difference.is_negative()
            && size(there + difference).saturating_mul(20) <= size(there).max(size(difference))
    })
}
