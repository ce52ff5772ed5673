//! Interfaces to other programs, beyond their logs.

pub(crate) mod claude_code;
pub(crate) mod telemetry;
