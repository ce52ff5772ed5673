//! Where a setting comes from.

use super::Place;

/// Origin of a setting.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// The config file.
    File(Place),
    /// An environment variable.
    Variable(&'static str),
    /// A flag.
    Flag(&'static str),
}
