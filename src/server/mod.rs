//! Servers for programs that speak HTTP. They pass calls and queries to the engine, and keep no numbers of their own.

mod accepting;
mod content_coding;
pub(crate) mod http;
mod loopback;
mod open_files;
pub(crate) mod proxy;
