//! The nouns of the trade and their exact arithmetic. This room knows nothing of files, clocks or screens.

mod bill;
mod call;
mod civil;
mod dimension;
mod key;
mod label;
mod project;
mod tokens;
mod usd;
mod zone;

pub use bill::{Bill, Billed, Counter};
pub(crate) use call::SUMS_UP;
pub use call::{Attribution, Call, Claim, Fidelity, Geo, Parts, Place, Record, Service, Speed, Tier};
pub use civil::{Day, Span, Week, day_of, day_start, month_of, quarter_of, week_of};
pub use dimension::{Dimension, Filter, Matcher};
pub use key::CallKey;
pub use label::{Label, Labels};
pub use project::{project_of, repository_of};
pub use tokens::Tokens;
pub use usd::{ParseUsdError, Ratio, Usd};
pub use zone::{NoSuchZone, Zone, ZoneOffset};

/// A point in time.
pub type Instant = chrono::DateTime<chrono::Utc>;
