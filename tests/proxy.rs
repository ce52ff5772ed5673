//! `tokmeter proxy`: the fault matrix against a mock service, identity of bytes, secrets, and what a kill leaves.

#![allow(missing_docs, unreachable_pub, clippy::unwrap_used, reason = "a panic fails the test")]

#[path = "proxy/bench.rs"]
mod bench;
#[path = "proxy/clients.rs"]
mod clients;
mod common;
#[path = "proxy/dialects.rs"]
mod dialects;
#[path = "proxy/early.rs"]
mod early;
#[path = "proxy/heads.rs"]
mod heads;
#[path = "proxy/matrix.rs"]
mod matrix;
#[path = "proxy/mock.rs"]
mod mock;
#[path = "proxy/passing.rs"]
mod passing;
#[cfg(unix)]
#[path = "proxy/recipes.rs"]
mod recipes;
#[path = "proxy/running.rs"]
mod running;
#[path = "proxy/streams.rs"]
mod streams;
#[path = "proxy/upstreams.rs"]
mod upstreams;

/// The next line with this text.
fn line_with(lines: &mut impl std::io::BufRead, text: &str) -> Option<String> {
    std::io::BufRead::lines(std::io::Read::by_ref(lines)).map_while(Result::ok).find(|line| line.contains(text))
}
