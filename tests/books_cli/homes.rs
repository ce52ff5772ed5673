//! Homes besides the user's own, and the variants of cc-mirror.

use std::fs;
use std::path::Path;

use super::home::Home;

fn sample(name: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("samples").join(name)).unwrap()
}

#[test]
fn the_places_of_agents_in_further_homes_are_read_and_nothing_else_there() {
    let home = Home::new();
    let log = sample("codex/re-emitted.jsonl");
    home.write("machines/dev/.codex/sessions/2026/11/10/rollout-2026-11-10T09-00-00-a.jsonl", &log);
    home.write("machines/dev/.claude/projects/-w/s.jsonl", &sample("claude-code/streamed.jsonl"));
    home.write("machines/dev/notes/s.jsonl", &sample("claude-code/thinking.jsonl"));
    assert_eq!(home.fine(&["report", "total", "--json"]).json()["total"]["calls"], 0);
    home.config(&format!("homes = [\"{}\"]\n", home.path("machines/dev").display()));
    for args in [&["report", "total", "--json", "--no-ledger"][..], &["report", "total", "--json"]] {
        assert_eq!(home.fine(args).json()["total"]["calls"], 3, "two of Codex, one of Claude Code");
    }
    let relative = home.config("homes = [\"machines/dev\"]\n");
    assert!(home.run(&["config", "check"]).code == 78, "{}", relative.display());
}

#[test]
fn every_variant_of_cc_mirror_is_a_home_of_claude_code() {
    let home = Home::new();
    home.write(".cc-mirror/zai/config/projects/-w/s.jsonl", &sample("claude-code/streamed.jsonl"));
    home.write(".cc-mirror/mclaude/config/projects/-w/t.jsonl", &sample("claude-code/thinking.jsonl"));
    home.write(".cc-mirror/zai/npm/x.jsonl", &sample("claude-code/fast.jsonl"));
    let rows = home.fine(&["report", "session", "--json"]).json()["rows"].clone();
    assert_eq!(rows.as_array().unwrap().len(), 2, "{rows}");
}
