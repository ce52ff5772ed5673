//! From files, variables and flags to settings.

mod settings;
mod world;

pub use settings::{Alerts, ColorChoice, Gate, KeyBinding, Notify, OnError, Overrides, Quiet, Settings, Symbols};
pub use world::{Folders, World};
