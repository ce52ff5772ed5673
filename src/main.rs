//! The `tokmeter` program: collects arguments and environment, runs, and returns the exit code.

use std::process::ExitCode;

fn main() -> ExitCode {
    tokmeter::main()
}
