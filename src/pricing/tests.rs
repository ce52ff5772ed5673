//! Prices worked out by hand, properties of every price, and a comparison with the public lists.

pub(super) mod golden;

mod extras;
mod laws;
mod published;
