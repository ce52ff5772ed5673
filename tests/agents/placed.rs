//! Agents that only their place tells apart: found in a home, and in any home within a folder that the user names.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use ruzstd::encoding::{CompressionLevel, compress_to_vec};
use tokmeter::testing::domain::{CallKey, Tokens};
use tokmeter::testing::ingest::Roots;

use super::tail_common::{Meter, append, folder};
use super::{home, sample, write};

/// The place in a home whose files each folder of samples has.
const PLACES: &[(&str, &str)] = &[
    ("aside", ".aside/u"),
    ("auggie", ".augment/sessions"),
    ("codebuddy", ".codebuddy/projects"),
    ("codebuff", ".config/manicode/projects"),
    ("codewhale", ".codewhale/sessions"),
    ("command-code", ".commandcode/projects"),
    ("continue", ".continue/dev_data"),
    ("deepseek-harness", ".dsh/sessions"),
    ("fx", ".fx/sessions"),
    ("grok-build", ".grok/sessions"),
    ("hindsight", ".hindsight/usage"),
    ("jcode", ".jcode/sessions"),
    ("junie", ".junie/sessions"),
    ("lm-studio", ".lmstudio/server-logs"),
    ("muse", ".local/share/muse/sessions"),
    ("mux", ".mux/sessions"),
    ("open-code-review", ".opencodereview/sessions"),
    ("openhands", ".openhands/conversations"),
    ("reasonix", ".reasonix/stats"),
    ("workbuddy", ".workbuddy/projects"),
];

/// A transcript of Cowork, and the record of the same session next to it.
const COWORK: &str = ".config/Claude/local-agent-mode-sessions/a/w/local_1/.claude/projects/-sessions-1/a.jsonl";
const AUDIT: &str = ".config/Claude/local-agent-mode-sessions/a/w/local_1/audit.jsonl";

/// The calls that are booked, and their models.
fn calls(meter: &Meter) -> BTreeMap<CallKey, (Option<String>, Tokens)> {
    let of = |call: &tokmeter::testing::domain::Call| (call.model.as_deref().map(str::to_owned), call.tokens);
    meter.books.calls.iter().map(|(key, call)| (*key, of(call))).collect()
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let (from, name) = entry.map(|entry| (entry.path(), entry.file_name())).unwrap();
        if from.is_dir() {
            copy(&from, &to.join(name));
        } else if name != "README.md" && name != "expected.json" {
            fs::copy(&from, to.join(name)).unwrap();
        }
    }
}

#[test]
fn each_of_them_is_read_in_its_usual_place_and_in_any_home_that_is_named() {
    for (name, place) in PLACES {
        let (_keep, root) = folder();
        let own = root.join("homes/kim");
        copy(&Path::new(env!("CARGO_MANIFEST_DIR")).join("samples").join(name), &own.join(place));
        let mut told = Meter::on(Roots::of_agent(name, [own.join(place)]));
        told.rescan();
        assert_eq!(told.books.tallies.bad, 0, "{name}: {:?}", told.books.bad);
        assert!(!told.books.calls.is_empty() || !told.books.bills.is_empty(), "{name}");
        let files = told.health().files;
        let mut found = Meter::on(Roots::discover(Some(&own), |_| None));
        let mut named = Meter::over(&root);
        for meter in [&mut found, &mut named] {
            meter.rescan();
            assert_eq!((calls(meter), meter.health().files), (calls(&told), files), "{name}");
            assert!(meter.books.calls.values().all(|call| call.from.source.as_str() == *name), "{name}");
            meter.restart().rescan();
            assert_eq!(calls(meter), calls(&told), "{name}, after a restart");
        }
    }
}

#[test]
fn outside_of_those_places_none_of_their_files_counts() {
    for (name, _) in PLACES {
        let (_keep, root) = folder();
        copy(&Path::new(env!("CARGO_MANIFEST_DIR")).join("samples").join(name), &root.join("elsewhere"));
        let mut meter = Meter::over(&root);
        meter.rescan();
        let sources: Vec<_> = meter.books.calls.values().map(|call| call.from.source.as_str().to_owned()).collect();
        assert!(!sources.iter().any(|source| PLACES.iter().any(|(name, _)| name == source)), "{name}: {sources:?}");
    }
}

#[test]
fn deepseek_harness_appends_a_frame_with_each_flush() {
    let (_keep, path, roots) = home();
    let text = sample("deepseek-harness/--home-kim-shop--/session-5e550051/session.jsonl");
    let log: PathBuf = path.join(".dsh/sessions/--home-kim-shop--/session-5e550051/session.jsonl.zstd");
    let plain = path.join("plain");
    write(&plain.join("session.jsonl"), &text);
    let mut whole = Meter::on(Roots::of_agent("deepseek-harness", [plain]));
    whole.rescan();
    assert_eq!(whole.books.calls.len(), 4);

    write(&log, "");
    let mut meter = Meter::on(roots);
    for line in text.lines() {
        append(&log, compress_to_vec(format!("{line}\n").as_bytes(), CompressionLevel::Fastest));
        meter.later(60).rescan();
    }
    assert_eq!(calls(&meter), calls(&whole));
    let later = compress_to_vec(&b"{\"type\":\"step/start\",\"data\":{}}\n"[..], CompressionLevel::Fastest);
    append(&log, &later[..later.len() - 5]);
    meter.restart().later(60).rescan();
    assert_eq!(calls(&meter), calls(&whole), "a frame that is still being written");
    assert_eq!(meter.says(&log).len(), 1, "and is told");
}

#[test]
fn what_writes_as_claude_code_and_codex_do_is_found_in_homes_of_its_own() {
    let mut homes = vec![
        ("claude-code/headless/transcript.jsonl", ".openclaude/projects/-home-kim-shop/a.jsonl"),
        ("codex/model-switch.jsonl", ".trae/cli/sessions/2026/11/10/rollout-a.jsonl"),
    ];
    if cfg!(not(target_os = "macos")) {
        homes.extend([
            ("claude-code/headless/transcript.jsonl", ".config/CherryStudio/Data/Agents/.claude/projects/-x/a.jsonl"),
            ("claude-code/headless/transcript.jsonl", ".config/CherryStudio/.claude/projects/-x/a.jsonl"),
            ("claude-code/headless/transcript.jsonl", COWORK),
        ]);
    }
    for (name, place) in homes {
        let (_keep, path, roots) = home();
        write(&path.join("told/a.jsonl"), &sample(name));
        let mut told = Meter::over(&path.join("told"));
        told.rescan();
        assert!(told.books.calls.len() > 1, "{name}");
        write(&path.join(place), &sample(name));
        if place == COWORK {
            write(&path.join(AUDIT), &sample("claude-code/headless/stream.jsonl"));
        }
        let mut meter = Meter::on(roots);
        meter.rescan();
        assert_eq!(calls(&meter), calls(&told), "{place}");
    }
}
