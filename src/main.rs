//! The `tokmeter` program: collects arguments and the world, runs, returns the exit code.

use std::process::ExitCode;

fn main() -> ExitCode {
    tokmeter::main()
}
