//! From files, variables and flags to settings.

mod amount;
mod diagnostic;
mod document;
pub mod edit;
mod env;
mod file;
mod limits;
mod load;
mod paths;
mod prices;
pub(crate) mod regular_file;
mod scope;
mod settings;
mod show;
mod socket_path;
mod toml_reader;
mod trust;
mod values;

pub use amount::{amount_text, parse_amount};
pub(crate) use diagnostic::meant;
pub use diagnostic::{Diagnostic, Place, Severity, Where};
pub use env::{Env, Folders};
pub use file::{SAMPLE, Stamp, change, init, open, read, stamp};
pub use load::{ConfigText, Loaded, Origin};
pub use paths::Paths;
pub use scope::LimitKey;
pub use settings::{Alerts, Gate, KeyBinding, Notify, OnError, Overrides, Quiet, Settings, Symbols};
pub use socket_path::SocketPath;
