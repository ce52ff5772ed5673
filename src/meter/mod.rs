//! Counts and judges: from changes of the books to one [`Summary`]. It touches neither file, clock nor screen.

mod alert;
mod judge;
mod limit;
mod summary;

pub use alert::{Alert, AlertId, Alerts, QuietHours};
pub use limit::{Amount, Asker, Limit, LimitState, Measure, Rules, Scope, Verdict, Window};
pub use summary::{CallLine, Follow, ModelLine, SessionId, SessionLine, Summary, TREND};
