//! The tracking proxy: forwards calls to a model service as they are, counts them, and stops those over a limit.

#![allow(dead_code, reason = "the seam of limits comes before the proxy that asks them")]

pub(crate) mod admission;
mod keys;
mod limited;
mod refusal;
