//! Counts and judges: from changes of the books to one [`Summary`]. It touches neither file, clock nor screen.

mod limit;
mod summary;

pub use limit::{Amount, Limit, LimitState, Scope, Verdict, Window};
pub use summary::{CallLine, ModelLine, SessionLine, Summary, TREND};
