//! One file per command.

mod exit;

pub use exit::{Exit, Failure};
