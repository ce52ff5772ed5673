//! From files, variables and flags to settings.

mod world;

pub use world::World;
