//! Estimates of output that a log does not count, from the length of the answer's text.
//!
//! Claude Code 2.1.9 to 2.1.49 counted only the beginning of an answer, answers of pi and OpenCode that were aborted,
//! those of Cursor 3 and of older Copilot chats count nothing, and Kiro writes no counts at all. How many characters a
//! token has is measured on the same machine's answers where both are known, for each model; so is the error, on the
//! half of them that the measure was not taken from. Estimates are kept in a file of their own, never in the ledger,
//! and in no total.

mod estimate;
mod kept;
mod read;
mod sizes;

pub(crate) use self::estimate::{Estimates, Kind, ModelEstimate, estimate};
pub(crate) use self::kept::{Kept, forget, keep, kept};
pub(crate) use self::read::read;
pub use self::sizes::{AnswerSize, agents, sizes};
