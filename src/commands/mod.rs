//! One file per command: each wires settings, ingest, ledger and meter to a face.

mod exit;

pub use exit::{Exit, Failure};
