//! Prices worked out by hand.
