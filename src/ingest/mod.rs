//! From bytes to records: finds the logs, cuts lines, remembers how far, survives whatever happens to the files.

mod batch;
mod health;
mod roots;
#[cfg(unix)]
pub mod socket;

pub use batch::{BadNote, Batch, Event, Progress, Tallies};
pub use health::{Condition, Health, Kind, Note, PollReason, RootState, RootStatus};
pub use roots::{Naming, Roots};
