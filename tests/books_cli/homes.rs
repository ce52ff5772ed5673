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

#[test]
fn a_log_format_that_does_not_exist_is_a_warning_with_its_line_and_the_name_that_was_meant() {
    let home = Home::new();
    home.config(
        "[plans.Max]\nusd = 20\nsources = [\"claude-code\", \"claude-cod\"]\n\n[[plans.Pro]]\nusd = 20\nfrom = 2026-01-01\n\
         sources = [\"proxy\", \"zzz\"]\n\n[[plans.Pro]]\nusd = 25\nfrom = 2026-06-01\nsources = [\"codex\"]\n\n\
         [limits.sources.codx]\nday = \"1usd\"\n[limits.sources.\"claude-*\"]\nday = \"1usd\"\n[limits.sources.\"*\"]\nday = \"9usd\"\n",
    );
    let check = home.run(&["config", "check"]);
    assert_eq!(check.code, 1, "{check:?}");
    for expected in [
        ":3:11: warning: plan 'Max': no log format has the name 'claude-cod'; did you mean 'claude-code'?\n 3 | sources",
        ":8:11: warning: plan 'Pro': no log format has the name 'zzz'; `tokmeter agents` lists them",
        ":16:7: warning: limit 'source:codx:day': no log format has the name 'codx'; did you mean 'codex'?",
    ] {
        assert!(check.err.contains(expected), "{expected} in {}", check.err);
    }
    assert_eq!(check.err.matches("warning: ").count(), 3, "{}", check.err);
    // Every command says so, and goes on.
    let report = home.run(&["report"]);
    assert!(report.code == 0 && report.err.matches("did you mean").count() == 2, "{report:?}");
    home.config("[plans.Max]\nusd = 20\nsources = [\"claude-code\"]\n");
    assert_eq!(home.run(&["config", "check"]).code, 0);
}
