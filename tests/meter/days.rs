//! Simulated days.
