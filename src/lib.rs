//! A taxi meter for coding agents: it shows, live, what an agent session spends, says so before a
//! limit is reached, and keeps the books after the agent has thrown its logs away.
//!
//! One meter, many faces. Bytes flow downhill and nothing flows back:
//!
//! ```text
//! file · socket · stdin
//!   │ bytes
//! ingest    cuts lines, remembers offsets, survives rotation and truncation
//!   │ line
//! formats   one file per log format: line → calls | nothing | bad line     (pure)
//!   │ call
//! pricing   dated price book: call → cost                                  (pure)
//!   │ priced call
//! ledger    the books: join by key, durable, offsets in the same transaction
//!   │ change
//! meter     totals, trend, sessions, limits, forecast → Summary            (pure)
//!   │ summary
//! faces     tui · output — they compute nothing
//! ```
//!
//! `ARCHITECTURE.md` draws the house and says who may import whom; `tests/house.rs` holds it to that.

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
mod output;
mod pricing;
mod text;
mod theme;
mod tui;

#[doc(hidden)]
pub mod testing;

/// The program: asks the system for its arguments and its world, and runs.
pub fn main() -> std::process::ExitCode {
    engine::process::prepare();
    let args: Vec<std::ffi::OsString> = std::env::args_os().collect();
    // Not locked: the screen's painter writes to the same output from a thread of its own.
    let mut out = std::io::BufWriter::with_capacity(64 * 1024, std::io::stdout());
    let exit = commands::run(&args, config::Env::system(), &mut out, &mut std::io::stderr());
    std::process::ExitCode::from(app::ended(exit).code())
}
