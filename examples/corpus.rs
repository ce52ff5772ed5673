//! Writes generated agent logs of a given size with their true totals, to measure any reader of such logs.
//!
//! `cargo run --release --example corpus -- 500M FOLDER [SEED]` makes `FOLDER/home/.claude`,
//! `FOLDER/home/.codex` and `FOLDER/truth.json`; with `--all-agents` a fifth of it is the logs of a dozen others.

use std::io::Write;
use std::path::Path;
use std::process::ExitCode;

#[path = "../benches/corpus/mod.rs"]
mod corpus;

const USE: &str = "corpus [--all-agents] SIZE FOLDER [SEED]: SIZE is a number of bytes with K, M or G, e.g. 500M";

fn main() -> ExitCode {
    let (flags, args): (Vec<String>, Vec<String>) = std::env::args().skip(1).partition(|word| word.starts_with("--"));
    let write = match flags.as_slice() {
        [] => corpus::write,
        [flag] if flag == "--all-agents" => corpus::write_all_agents,
        _ => {
            let _ = writeln!(std::io::stderr(), "{USE}");
            return ExitCode::from(64);
        }
    };
    let parsed = match args.as_slice() {
        [size, folder] => bytes(size).map(|bytes| (bytes, folder, 1)),
        [size, folder, seed] => bytes(size).zip(seed.parse().ok()).map(|(bytes, seed)| (bytes, folder, seed)),
        _ => None,
    };
    let Some((bytes, folder, seed)) = parsed else {
        let _ = writeln!(std::io::stderr(), "{USE}");
        return ExitCode::from(64);
    };
    match write(Path::new(folder), bytes, seed) {
        Ok(truth) => {
            let total = truth.total();
            let _ = writeln!(
                std::io::stdout(),
                "{} files, {} bytes, {} calls, {} tokens",
                truth.files,
                truth.bytes,
                total.calls,
                total.tokens[..5].iter().sum::<u64>()
            );
            ExitCode::SUCCESS
        }
        Err(error) => {
            let _ = writeln!(std::io::stderr(), "{folder}: {error}");
            ExitCode::from(74)
        }
    }
}

/// A size as a person writes it.
fn bytes(text: &str) -> Option<u64> {
    let (digits, unit) = match text.to_ascii_uppercase() {
        text if text.ends_with('K') => (text.trim_end_matches('K').to_owned(), 1_000),
        text if text.ends_with('M') => (text.trim_end_matches('M').to_owned(), 1_000_000),
        text if text.ends_with('G') => (text.trim_end_matches('G').to_owned(), 1_000_000_000),
        text => (text, 1),
    };
    digits.parse::<u64>().ok()?.checked_mul(unit)
}
