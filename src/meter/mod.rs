//! Counts calls and evaluates limits: from ledger changes to a [`Summary`]. Uses neither files, clock nor screen.

mod alert;
mod block_usage;
mod blocks;
mod curve;
mod evaluate;
mod fleet;
mod forecast;
mod insights;
mod limit;
mod limit_usage;
mod live;
pub(crate) mod overrides;
mod pages;
mod rate;
mod session;
mod snapshot;
mod statuses;
mod subject;
mod summary;

pub(crate) use alert::{About, Alert, AlertId};
pub use alert::{Alerts, QuietHours};
pub use curve::{Ahead, DayCurve};
pub(crate) use evaluate::budget;
pub use fleet::{Activity, AgentLine, FleetLine, LastCall};
pub(crate) use insights::{SignalWatch, Signals};
pub use insights::{cache_hit, signals};
pub use limit::{Amount, CallContext, Limit, LimitState, LimitedSession, Measure, Rules, Scope, Verdict, Window};
pub use live::Meter;
pub(crate) use rate::TREND;
pub use rate::Trend;
pub(crate) use session::SHOWN as SESSIONS_SHOWN;
pub use snapshot::{Snapshot, states};
pub use summary::{CallLine, Follow, ModelLine, SessionId, SessionLine, Summary};
