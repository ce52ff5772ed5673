//! The meter compared with a ledger that recomputes every answer, through every kind of day.

#![allow(
    clippy::unwrap_used,
    clippy::cast_precision_loss,
    missing_docs,
    unreachable_pub,
    reason = "a panic fails the test"
)]

#[path = "meter/books.rs"]
mod books;
#[path = "meter/days.rs"]
mod days;
#[path = "meter/faults.rs"]
mod faults;
#[path = "meter/laws.rs"]
mod laws;
#[path = "meter/ledger.rs"]
mod ledger;
#[path = "meter/limits.rs"]
mod limits;
#[path = "meter/signals.rs"]
mod signals;
