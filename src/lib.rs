//! A taxi meter for coding agents: it shows live how much an agent session spends, warns before a limit is reached, and
//! keeps the history after the agent has deleted its logs.
//!
//! Data flows in one direction:
//!
//! ```text
//! file · socket · stdin
//!   │ bytes
//! ingest    splits lines, keeps offsets, survives rotation and truncation
//!   │ line
//! formats   one file per log format: line → calls | nothing | bad line     (pure)
//!   │ call
//! pricing   dated price book: call → cost                                  (pure)
//!   │ priced call
//! ledger    one row per call: merged by key, durable, offsets in the same transaction
//!   │ change
//! meter     totals, trend, sessions, limits, forecast → Summary            (pure)
//!   │ summary
//! faces     tui · output: display only
//! ```
//!
//! `ARCHITECTURE.md` describes the modules and their allowed imports; `tests/house.rs` enforces them.

mod app;
mod cli;
mod commands;
mod config;
mod domain;
mod engine;
mod formats;
mod ingest;
mod integrations;
mod ledger;
mod meter;
mod otlp;
mod output;
mod pricing;
mod server;
mod text;
mod theme;
mod tui;

#[doc(hidden)]
pub mod testing;

/// Runs the program with the process's arguments and environment.
pub fn main() -> std::process::ExitCode {
    engine::process::prepare();
    let args: Vec<std::ffi::OsString> = std::env::args_os().collect();
    // Not locked, because the screen's painter writes to the same output from its own thread.
    let mut out = std::io::BufWriter::with_capacity(64 * 1024, std::io::stdout());
    let exit = commands::run(&args, config::Env::system(), &mut out, &mut std::io::stderr());
    std::process::ExitCode::from(app::ended(exit).code())
}
