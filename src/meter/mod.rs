//! Counts and judges: from changes of the books to one [`Summary`]. It touches neither file, clock nor screen.

mod alert;
mod forecast;
mod judge;
mod limit;
mod live;
mod opening;
mod pace;
mod pages;
mod pot;
mod session;
mod signal;
mod subject;
mod summary;

pub use alert::{Alert, AlertId, Alerts, QuietHours};
pub use limit::{Amount, Asker, Limit, LimitState, Measure, Rules, Scope, Verdict, Window};
pub use live::Meter;
pub use opening::{Opening, states};
pub use session::SHOWN as SESSIONS_SHOWN;
pub use signal::{Expired, SignalWatch, Signals, Uncached, cache_hit, signals};
pub use summary::{CallLine, Follow, ModelLine, SessionId, SessionLine, Summary, TREND};
