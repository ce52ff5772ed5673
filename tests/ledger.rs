//! The ledger through its interface: the laws of merging, equal answers from every store, and failures of the disk,
//! other processes and the file.

#![allow(clippy::unwrap_used, missing_docs, unreachable_pub, reason = "a panic fails the test")]

#[path = "ledger/bills.rs"]
mod bills;
#[path = "ledger/claims.rs"]
mod claims;
#[path = "ledger/common.rs"]
mod common;
#[path = "ledger/durable.rs"]
mod durable;
#[path = "ledger/exclusive.rs"]
mod exclusive;
#[path = "ledger/faults.rs"]
mod faults;
#[path = "ledger/first_fill.rs"]
mod first_fill;
#[path = "ledger/held.rs"]
mod held;
#[path = "ledger/laws.rs"]
mod laws;
#[path = "ledger/restored.rs"]
mod restored;
#[path = "ledger/seam.rs"]
mod seam;
#[path = "ledger/shaky.rs"]
mod shaky;
#[path = "ledger/shaky_data.rs"]
mod shaky_data;
#[path = "ledger/speed.rs"]
mod speed;
#[path = "ledger/stores.rs"]
mod stores;
