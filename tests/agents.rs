//! Agents that keep documents and databases: found by themselves, followed live while they are written, exact over
//! restarts and kills.

#![cfg(unix)]
#![allow(dead_code, missing_docs, clippy::unwrap_used, reason = "a panic fails the test")]

#[path = "agents/beside.rs"]
mod beside;
#[path = "agents/described.rs"]
mod described;
#[path = "agents/editors.rs"]
mod editors;
#[path = "agents/followed.rs"]
mod followed;
#[path = "agents/full_speed.rs"]
mod full_speed;
#[path = "agents/gemini.rs"]
mod gemini;
#[path = "agents/goose.rs"]
mod goose;
#[path = "agents/growth.rs"]
mod growth;
#[path = "agents/homes.rs"]
mod homes;
#[path = "agents/listing.rs"]
mod listing;
#[path = "agents/opencode.rs"]
mod opencode;
#[path = "agents/placed.rs"]
mod placed;
#[path = "agents/places.rs"]
mod places;
#[path = "agents/program.rs"]
mod program;
#[path = "tail_common/mod.rs"]
mod tail_common;
#[path = "agents/vibe.rs"]
mod vibe;
#[path = "agents/writer.rs"]
mod writer;

mod common;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use tokmeter::testing::ingest::Roots;

/// A home folder and the places in it, as they are found without any variable.
fn home() -> (tempfile::TempDir, PathBuf, Roots) {
    let (keep, path) = tail_common::folder();
    let roots = Roots::discover(Some(&path), |_| None);
    (keep, path, roots)
}

fn write(path: &Path, text: &str) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
}

/// The names and bytes of all files in a folder, but those that only help a writer find its way.
fn bytes(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let files = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    files.map(|path| (path.clone(), fs::read(&path).unwrap())).collect()
}

fn sample(name: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("samples").join(name)).unwrap()
}
