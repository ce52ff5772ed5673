//! Counts calls and evaluates limits: from ledger changes to a [`Summary`]. Uses neither files, clock nor screen.

mod alert;
pub(crate) mod closing;
mod comparison;
mod evaluate;
mod fleet;
mod forecast;
pub(crate) mod gate;
mod insights;
mod limit;
mod limit_usage;
mod live;
pub(crate) mod overrides;
mod pages;
mod quiet_hours;
mod rate;
pub(crate) mod reconcile;
mod session;
mod snapshot;
mod subject;
mod summary;

pub use alert::Alerts;
pub(crate) use alert::{Alert, AlertId};
pub(crate) use comparison::{Compared, Comparison};
pub use fleet::{Activity, AgentLine, FleetLine, LastCall};
pub(crate) use insights::{SignalWatch, Signals};
pub use insights::{cache_hit, signals};
pub use limit::{Amount, CallContext, Limit, LimitState, LimitedSession, Measure, Rules, Scope, Verdict, Window};
pub use live::Meter;
pub use quiet_hours::QuietHours;
pub(crate) use session::SHOWN as SESSIONS_SHOWN;
pub use snapshot::{Snapshot, states};
pub(crate) use summary::TREND;
pub use summary::{CallLine, Follow, ModelLine, SessionId, SessionLine, Summary};
