//! Errors of lines that cannot be counted.

use crate::domain::Label;

/// Why a line cannot be counted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadLine {
    /// Not JSON, or truncated.
    #[error("not JSON: {0}")]
    NotJson(String),
    /// A field has the wrong type.
    #[error("{field}: expected {expected}")]
    WrongType {
        /// Name of the field.
        field: &'static str,
        /// The expected type.
        expected: &'static str,
    },
    /// A required field is missing.
    #[error("{0} is missing")]
    Missing(&'static str),
    /// An implausible count: negative, fractional, or above a billion. The line is reported as bad and not counted.
    #[error("{field} is {value}: quarantined, not counted")]
    Absurd {
        /// Name of the field.
        field: &'static str,
        /// Its value.
        value: Label,
    },
    /// Has token counts but matches no known format.
    #[error("looks like usage, of no known format")]
    Unknown,
    /// Not a line: a compressed file that cannot be fully decompressed.
    #[error("the compressed file is {0}; the rest of it is not counted")]
    Packed(&'static str),
    /// Longer than the maximum line length.
    #[error("longer than {0} bytes")]
    TooLong(u64),
}
