//! The `tokmeter` program: collects arguments, runs, returns the exit code.

fn main() {}
