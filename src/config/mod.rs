//! Settings from files, variables and flags.

mod absolute;
mod amount;
mod diagnostic;
mod document;
pub(crate) mod edit;
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
mod sources;
pub(crate) mod statusline_template;
mod toml_reader;
mod trust;
mod values;

pub(crate) use amount::amount_text;
pub use amount::parse_amount;
pub(crate) use diagnostic::meant;
pub(crate) use diagnostic::{Diagnostic, Place};
pub use diagnostic::{Severity, Where};
pub use env::{Env, Folders};
pub use file::{SAMPLE, open, read, stamp};
pub(crate) use file::{change, init};
pub use load::{ConfigText, Loaded, Origin};
pub(crate) use paths::{Paths, journals};
pub use scope::LimitKey;
pub use settings::{Alerts, Gate, KeyBinding, Notify, OnError, Overrides, Settings, Symbols};
pub(crate) use socket_path::SocketPath;
pub(crate) use sources::{PRICE_LIST, load, meter_alerts, price_book, rules, themes};
