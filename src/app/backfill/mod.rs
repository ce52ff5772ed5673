//! Estimates output that a log does not count from the length of the answer's text.
//!
//! Claude Code 2.1.9 to 2.1.49 counted only the beginning of an answer. pi and OpenCode do not count aborted answers,
//! Cursor 3 and older Copilot chats count nothing, and Kiro writes no counts at all. The number of characters per token
//! is measured for each model on answers from the same machine where both are known. The error is measured on the half
//! of those answers that the ratio was not taken from. Estimates are kept in a file of their own, never in the ledger,
//! and are not part of any total.

mod estimate;
mod kept;
mod read;
mod sizes;

pub(crate) use self::estimate::{Estimates, Kind, ModelEstimate, estimate};
pub(crate) use self::kept::{Kept, forget, keep, kept};
pub(crate) use self::read::read;
pub use self::sizes::{AnswerSize, agents, sizes};
