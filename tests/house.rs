//! Module boundaries: the allowed imports of each room, and the rooms of each outside crate. `ARCHITECTURE.md` has the
//! same table; change both, and the reason, in one commit.

#![allow(clippy::unwrap_used, reason = "a panic fails the test")]

#[path = "house/circles.rs"]
mod circles;
#[path = "house/modules.rs"]
mod modules;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// Allowed imports of each room.
const ROOMS: &[(&str, &[&str])] = &[
    ("domain", &[]),
    ("formats", &["domain"]),
    ("pricing", &["domain"]),
    ("text", &["domain", "pricing", "ledger", "meter"]),
    ("theme", &[]),
    ("otlp", &[]),
    ("ledger", &["domain", "pricing"]),
    ("meter", &["domain", "pricing", "ledger"]),
    ("ingest", &["domain", "formats", "ledger"]),
    ("config", &["domain", "pricing", "meter", "text", "theme"]),
    ("output", &["domain", "pricing", "meter", "ledger", "text", "otlp"]),
    ("integrations", &["domain"]),
    ("engine", &["domain", "pricing", "ledger", "meter", "text", "theme", "ingest", "config", "output"]),
    ("tui", &["domain", "pricing", "meter", "ledger", "text", "theme", "config", "engine"]),
    ("server", &["domain", "formats", "ingest", "config", "engine", "otlp"]),
    ("cli", &["domain"]),
    (
        "app",
        &[
            "domain", "formats", "pricing", "text", "theme", "ledger", "meter", "ingest", "config", "engine", "tui",
            "cli",
        ],
    ),
    (
        "commands",
        &[
            "domain",
            "formats",
            "pricing",
            "text",
            "theme",
            "ledger",
            "meter",
            "ingest",
            "config",
            "output",
            "engine",
            "server",
            "integrations",
            "tui",
            "cli",
            "app",
        ],
    ),
];

/// Outside crates, and the only rooms that may use them.
const HOMES: &[(&str, &[&str])] = &[
    ("rusqlite", &["ledger", "ingest"]),
    ("ring", &["config"]),
    ("ratatui", &["tui", "theme"]),
    ("crossterm", &["tui"]),
    ("notify", &["ingest"]),
    ("ruzstd", &["ingest", "server"]),
    ("flate2", &["server", "app"]),
    ("axum", &["server"]),
    ("hyper", &["server"]),
    ("hyper_util", &["server"]),
    ("hyper_rustls", &["server"]),
    ("rustls", &["server"]),
    ("rustls_native_certs", &["server"]),
    ("brotli_decompressor", &["server"]),
    ("prost", &["otlp", "output", "server"]),
    ("tokio_io_timeout", &["server"]),
    ("listenfd", &["commands"]),
    ("tokio", &["ingest", "engine", "server", "tui", "app", "commands"]),
    ("clap", &["cli"]),
    ("clap_complete", &["cli", "commands"]),
    ("clap_mangen", &["cli", "commands"]),
    ("toml", &["config", "theme", "pricing"]),
    ("toml_edit", &["config"]),
    ("directories", &["config"]),
    ("iana_time_zone", &["config"]),
    ("lettre", &["config", "engine"]),
    ("memchr", &["formats", "ingest", "server"]),
    ("aho_corasick", &["formats"]),
    ("ureq", &["engine", "commands"]),
    ("unicode_width", &["domain", "text", "tui"]),
    ("comfy_table", &["output"]),
    ("csv", &["output", "meter"]),
    ("unicode_segmentation", &["text"]),
    ("tracing", &["ingest", "engine", "app"]),
    ("tracing_subscriber", &["app"]),
    ("signal_hook", &["engine", "tui", "app", "commands"]),
];

#[test]
fn rooms_import_downhill_only() {
    let mut broken = Vec::new();
    for (path, code) in sources() {
        let room = room_of(&path);
        let Some((_, allowed)) = ROOMS.iter().find(|(name, _)| *name == room) else {
            assert!(
                ["lib", "main", "testing"].contains(&room.as_str()),
                "{} is in no room of the plan",
                path.display()
            );
            continue;
        };
        for (number, line) in code.lines().enumerate() {
            for import in line.split("crate::").skip(1) {
                let other: String =
                    import.chars().take_while(|letter| letter.is_alphanumeric() || *letter == '_').collect();
                let is_room = ROOMS.iter().any(|(name, _)| *name == other);
                if is_room && other != room && !allowed.contains(&other.as_str()) {
                    broken.push(format!("{}:{}: {room} may not import {other}", path.display(), number + 1));
                }
            }
        }
    }
    assert!(broken.is_empty(), "\n{}", broken.join("\n"));
}

#[test]
fn outside_crates_stay_in_their_rooms() {
    let mut broken = Vec::new();
    for (path, code) in sources() {
        let room = room_of(&path);
        for (name, homes) in HOMES {
            let used = code.lines().any(|line| {
                let line = line.trim_start();
                !line.starts_with("//")
                    && line.match_indices(&format!("{name}::")).any(|(at, _)| {
                        !line[..at].ends_with(|letter: char| letter.is_alphanumeric() || letter == '_' || letter == ':')
                    })
            });
            if used && !homes.contains(&room.as_str()) && !["lib", "main", "testing"].contains(&room.as_str()) {
                broken.push(format!("{}: {name} lives in {}", path.display(), homes.join(", ")));
            }
        }
    }
    assert!(broken.is_empty(), "\n{}", broken.join("\n"));
}

#[test]
fn no_files_of_a_room_need_each_other() {
    let modules = modules::Modules::read(&sources(), &root());
    let found = circles::circles(&modules, room_of);
    let words: Vec<String> = found.iter().map(|group| format!("{group:#?}")).collect();
    assert!(found.is_empty(), "a type may have to move to a file of its own:\n{}", words.join("\n"));
}

/// Longest file, in lines: of a command, and of any other room.
const LONGEST: [(&str, usize); 2] = [("commands", 150), ("", 400)];

#[test]
fn no_file_is_longer_than_its_room_allows() {
    let mut broken = Vec::new();
    for (path, code) in sources() {
        let room = room_of(&path);
        let (_, most) = LONGEST.iter().find(|(name, _)| *name == room || name.is_empty()).unwrap();
        let lines = code.lines().count();
        if lines > *most {
            broken.push(format!("{}: {lines} lines, {most} at most", path.display()));
        }
    }
    assert!(broken.is_empty(), "split by subject:\n{}", broken.join("\n"));
}

#[test]
fn every_file_says_what_it_is_for() {
    for (path, code) in sources() {
        let first = code.lines().find(|line| !line.starts_with("#!")).unwrap_or_default();
        assert!(first.starts_with("//! "), "{} must open with a sentence that says what it is for", path.display());
    }
}

fn room_of(path: &Path) -> String {
    let inside = path.strip_prefix(root()).unwrap();
    let first = inside.components().next().unwrap().as_os_str().to_string_lossy().into_owned();
    first.trim_end_matches(".rs").to_owned()
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src")
}

fn sources() -> BTreeMap<PathBuf, String> {
    fn walk(folder: &Path, into: &mut BTreeMap<PathBuf, String>) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                walk(&path, into);
            } else if path.extension().is_some_and(|ending| ending == "rs") {
                into.insert(path.clone(), fs::read_to_string(&path).unwrap());
            }
        }
    }
    let mut all = BTreeMap::new();
    walk(&root(), &mut all);
    assert!(all.len() > 10, "the sources were not found");
    all
}
