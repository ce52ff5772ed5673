//! The books from outside: the laws of joining, the same answers from every kind of books, and what must
//! happen when the disk, another process or the file itself fails.

#![allow(
    clippy::unwrap_used,
    missing_docs,
    unreachable_pub,
    reason = "a test that fails here has found what it was looking for"
)]

#[path = "ledger/bills.rs"]
mod bills;
#[path = "ledger/birth.rs"]
mod birth;
#[path = "ledger/claims.rs"]
mod claims;
#[path = "ledger/common.rs"]
mod common;
#[path = "ledger/durable.rs"]
mod durable;
#[path = "ledger/faults.rs"]
mod faults;
#[path = "ledger/held.rs"]
mod held;
#[path = "ledger/laws.rs"]
mod laws;
#[path = "ledger/speed.rs"]
mod speed;
