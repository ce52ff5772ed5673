//! Everything between the command line and the modules below: the context of a command, catching up with the logs, exit
//! codes, signals.

pub(crate) mod ascii_filter;
pub(crate) mod backfill;
pub(crate) mod bidi_filter;
pub(crate) mod catch_up;
pub(crate) mod context;
mod exit;
pub(crate) mod mistyped;
pub(crate) mod names;
pub(crate) mod scratch;
pub(crate) mod selftest;
pub(crate) mod sessions;
mod source_names;
pub(crate) mod stdin;
mod stop_signals;
mod trace_log;

pub(crate) use context::Context;
pub(crate) use exit::{Exit, Failure, ended};
pub(crate) use stop_signals::StopSignals;

use crate::domain::Label;

/// Replaces control characters, line by line.
pub(crate) fn printable(text: &str) -> String {
    let lines: Vec<String> = text.lines().map(|line| Label::new(line).to_string()).collect();
    lines.join("\n")
}
