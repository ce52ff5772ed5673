//! (room output)
