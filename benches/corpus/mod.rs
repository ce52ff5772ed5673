//! Generated logs of any size for benches and tests, with their true totals.
//!
//! The same size and seed give the same bytes on every machine. All text is invented; the
//! structure is real: the length of lines, the number of answers, and every way in which an answer is
//! logged twice.

#![allow(dead_code, unused_imports, reason = "each bench uses its part")]

mod claude;
mod codex;
mod draw;
mod others;
mod truth;

use std::fs;
use std::io;
use std::path::Path;

pub(crate) use draw::Draw;
pub(crate) use truth::{Count, Key, Truth};

/// A log file.
pub(crate) struct Log {
    /// Path below the home folder.
    pub(crate) path: String,
    /// Content.
    pub(crate) text: String,
}

/// Of a hundred bytes, how many are Claude Code's; the rest are Codex's.
const CLAUDE_SHARE: u64 = 75;
/// The size of the largest family of sessions.
const LARGEST: u64 = 3_000_000;

/// Makes at least this many bytes of logs, file by file, and gives back what they hold.
///
/// No more than one family of sessions is in memory at once.
///
/// # Errors
/// Whatever `sink` answers.
pub(crate) fn generate(bytes: u64, seed: u64, sink: &mut dyn FnMut(&Log) -> io::Result<()>) -> io::Result<Truth> {
    let mut draw = Draw::new(seed);
    let mut truth = Truth::default();
    let mut claude_bytes = 0;
    let largest = (bytes / 12).clamp(40_000, LARGEST);
    while truth.bytes < bytes {
        let goal = draw.within(largest / 8, largest).min(bytes - truth.bytes).max(20_000);
        let claude = claude_bytes * 100 <= truth.bytes * CLAUDE_SHARE;
        let family = if claude {
            claude::family(&mut draw, &mut truth, goal)
        } else {
            codex::family(&mut draw, &mut truth, goal)
        };
        for log in &family {
            let long = log.text.len() as u64;
            truth.bytes += long;
            truth.files += 1;
            claude_bytes += if claude { long } else { 0 };
            sink(log)?;
        }
    }
    Ok(truth)
}

/// Of a hundred bytes of a home with all agents, how many are those of others than Claude Code and Codex.
const OTHERS_SHARE: u64 = 20;

/// Adds sessions of other agents, one agent after the other, until they are this many bytes.
///
/// # Errors
/// Whatever `sink` answers.
fn generate_others(
    truth: &mut Truth,
    bytes: u64,
    seed: u64,
    sink: &mut dyn FnMut(&Log) -> io::Result<()>,
) -> io::Result<()> {
    let mut draw = Draw::new(seed);
    let (until, mut turn) = (truth.bytes + bytes, 0);
    while truth.bytes < until {
        let goal = draw.within(20_000, 400_000);
        let log = others::session(&mut draw, truth, goal, turn);
        truth.bytes += log.text.len() as u64;
        truth.files += 1;
        turn += 1;
        sink(&log)?;
    }
    Ok(())
}

/// Writes logs of Claude Code and Codex to `folder/home`, and their totals to `folder/truth.json`.
///
/// # Errors
/// When a file cannot be written.
pub(crate) fn write(folder: &Path, bytes: u64, seed: u64) -> io::Result<Truth> {
    let home = folder.join("home");
    let truth = generate(bytes, seed, &mut |log| put(&home, log))?;
    fs::write(folder.join("truth.json"), truth.to_json())?;
    Ok(truth)
}

/// As [`write`], with a part of the logs those of a dozen other agents.
///
/// # Errors
/// When a file cannot be written.
pub(crate) fn write_all_agents(folder: &Path, bytes: u64, seed: u64) -> io::Result<Truth> {
    let home = folder.join("home");
    let others = bytes / 100 * OTHERS_SHARE;
    let mut truth = generate(bytes - others, seed, &mut |log| put(&home, log))?;
    generate_others(&mut truth, others, seed, &mut |log| put(&home, log))?;
    fs::write(folder.join("truth.json"), truth.to_json())?;
    Ok(truth)
}

/// Writes a log; the statements of a database are carried out.
fn put(home: &Path, log: &Log) -> io::Result<()> {
    let path = home.join(&log.path);
    path.parent().map_or(Ok(()), fs::create_dir_all)?;
    if path.extension().is_none_or(|ending| ending != "db") {
        return fs::write(path, &log.text);
    }
    let database = rusqlite::Connection::open(path).map_err(io::Error::other)?;
    let statements = format!("PRAGMA synchronous = OFF; BEGIN; {} COMMIT;", log.text);
    database.execute_batch(&statements).map_err(io::Error::other)
}

/// Makes logs in memory.
pub(crate) fn in_memory(bytes: u64, seed: u64) -> (Vec<Log>, Truth) {
    let mut logs = Vec::new();
    let truth = generate(bytes, seed, &mut |log| {
        logs.push(Log { path: log.path.clone(), text: log.text.clone() });
        Ok(())
    });
    (logs, truth.expect("keeping a log in memory cannot fail"))
}
