//! Core types and their exact arithmetic. Independent of files, clocks and screens.

mod attribution;
mod bill;
mod call;
mod civil;
mod dimension;
mod fidelity;
mod hex;
mod hold_id;
mod key;
mod label;
pub(crate) mod model_forms;
mod model_name;
mod parts;
mod percent;
mod project;
mod record;
mod rfc3339;
mod short_name;
mod sorting;
mod status;
mod ticket;
mod tier;
mod tokens;
mod usd;
mod zone;

pub use attribution::{Attribution, Claim, Place};
pub use bill::{Bill, Billed, Counter};
pub use call::Call;
pub(crate) use call::SUMS_UP;
pub(crate) use civil::{Day, Week, quarter_of, quarter_start};
pub use civil::{Span, day_of, day_start, month_of, week_of};
pub use dimension::{Dimension, Filter, Matcher};
pub use fidelity::Fidelity;
pub(crate) use hex::hex;
pub use hold_id::HoldId;
pub use key::CallKey;
pub use label::Label;
pub(crate) use label::Labels;
pub(crate) use model_name::undated;
pub use parts::Parts;
pub(crate) use percent::{percent_bytes, percent_decoded};
pub(crate) use project::{project_of, repository_of, without_slash};
pub use record::Record;
pub(crate) use rfc3339::{rfc3339, rfc3339_millis, rfc3339_seconds};
pub(crate) use short_name::{
    is_callers_session, is_project, is_session, may_be_session_id, may_be_short, model_short, project_short,
    session_short,
};
pub(crate) use sorting::{one_by_one, sort_by, sort_by_key};
pub(crate) use status::{OF_SESSIONS, OF_TURNS, STATUS};
pub use status::{Quota, SessionStatus, Status, Turn, TurnStatus};
pub use ticket::TicketPattern;
pub(crate) use tier::Geo;
pub use tier::{Service, Speed, Tier};
pub use tokens::Tokens;
pub(crate) use usd::Ratio;
pub use usd::Usd;
pub use zone::Zone;

/// A point in time.
pub type Instant = chrono::DateTime<chrono::Utc>;
