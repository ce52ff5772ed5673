//! Servers for programs that speak HTTP. They hand calls to the engine and ask it questions, and keep no numbers of
//! their own.

mod accepting;
pub(crate) mod http;
mod loopback;
mod open_files;
pub(crate) mod proxy;
