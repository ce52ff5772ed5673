//! Formats of the programs that tokmeter is connected to, beyond their logs.

pub(crate) mod claude_code;
pub(crate) mod telemetry;
