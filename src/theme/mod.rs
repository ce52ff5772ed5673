//! (room theme)
