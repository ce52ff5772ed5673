//! From files, variables and flags to settings.

mod amount;
mod document;
pub mod edit;
mod file;
mod limits;
mod load;
mod paths;
mod prices;
mod problem;
pub(crate) mod regular;
mod runtime;
mod scope;
mod settings;
mod show;
mod trust;
mod walk;
mod words;
mod world;

pub use amount::{amount_text, parse_amount};
pub use file::{SAMPLE, Stamp, change, init, open, read, stamp};
pub use load::{ConfigText, Loaded, Origin};
pub use paths::Paths;
pub(crate) use problem::meant;
pub use problem::{Place, Problem, Severity, Where};
pub use runtime::SocketPath;
pub use scope::LimitKey;
pub use settings::{Alerts, Gate, KeyBinding, Notify, OnError, Overrides, Quiet, Settings, Symbols};
pub use world::{Folders, World};
