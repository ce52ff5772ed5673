//! The `tokmeter` program: collects arguments and the world, runs, returns the exit code.

fn main() {}
