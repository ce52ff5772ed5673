//! The whole program in a terminal: how soon an appended call is shown, and what watching costs.
//!
//! `cargo bench --bench screen` measures, `cargo test --benches` only tries each part briefly.

#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "a bench that fails has found something"
)]

#[cfg(target_os = "linux")]
#[path = "../tests/common/mod.rs"]
mod common;

#[cfg(target_os = "linux")]
mod terminal;

fn main() {
    #[cfg(target_os = "linux")]
    terminal::measure(std::env::args().any(|arg| arg == "--bench"));
}
