//! Worktrees belong to their repository: in reports, filters, limits, and older ledgers.

use std::fs;

use serde_json::Value;

use super::home::{Home, line};

fn call(id: &str, project: &str, input: u64) -> String {
    let project = serde_json::to_string(project).unwrap();
    line(id, "2026-11-22T09:00:00Z", "claude-opus-5", input, 0, &format!(",\"session\":\"{id}\",\"project\":{project}"))
}

/// Each project and its tokens.
fn projects(home: &Home, args: &[&str]) -> Vec<(String, u64)> {
    let report = home.fine(&[&["report", "total", "--by", "project", "--json"], args].concat()).json();
    let row = |row: &Value| (row["project"].as_str().unwrap_or("-").to_owned(), row["total_tokens"].as_u64().unwrap());
    report["rows"].as_array().unwrap().iter().map(row).collect()
}

#[test]
fn claudes_worktrees_are_counted_with_their_repository_and_folders_within_it_are_not() {
    let home = Home::new();
    let log = [
        call("a", "/home/kim/shop", 1_000),
        call("b", "/home/kim/shop/.claude/worktrees/calm-otter", 2_000),
        call("c", "/home/kim/shop/.claude/worktrees/calm-otter/backend", 4_000),
        call("d", "/home/kim/shop/backend", 8_000),
    ];
    let file = home.log(&log.concat()).display().to_string();
    let expected = [("/home/kim/shop".to_owned(), 7_000), ("/home/kim/shop/backend".to_owned(), 8_000)];
    for args in [&[][..], &["--no-ledger"], &[&file]] {
        assert_eq!(projects(&home, args), expected, "{args:?}");
        let worktree = "/home/kim/shop/.claude/worktrees/calm-otter";
        for name in ["/home/kim/shop", worktree] {
            assert_eq!(projects(&home, &[&["--project", name], args].concat()), expected[..1], "{name} {args:?}");
        }
        let calls = home.fine(&[&["report", "call", "--json"], args].concat()).json();
        let pair = |row: &Value| (row["project"].clone(), row["folder"].clone());
        let pairs: Vec<_> = calls["rows"].as_array().unwrap().iter().map(pair).collect();
        assert!(pairs.contains(&("/home/kim/shop".into(), worktree.into())), "{pairs:?}");
        assert!(pairs.contains(&("/home/kim/shop/backend".into(), "/home/kim/shop/backend".into())), "{pairs:?}");
        let sessions = home.fine(&[&["report", "session", "--json"], args].concat()).json();
        let all = sessions["rows"].as_array().unwrap();
        assert_eq!(all.iter().filter(|row| row["project"] == "/home/kim/shop").count(), 3, "{args:?}");
    }
}

#[test]
fn a_limit_on_a_project_sees_its_worktrees_and_a_gate_in_one_answers_for_the_repository() {
    let home = Home::new();
    home.config("[limits]\nprojects.\"/home/kim/shop\".day = { tokens = 5000 }\n");
    let worktree = "/home/kim/shop/.claude/worktrees/calm-otter";
    home.log(&(call("a", "/home/kim/shop", 1_000) + &call("b", worktree, 4_500)));
    for (project, code) in [("/home/kim/shop", 2), (worktree, 2), ("/home/kim/shop/backend", 0)] {
        let said = home.run(&["gate", "--project", project]);
        assert_eq!(said.code == 0, code == 0, "{project}: {said:?}");
    }
}

#[test]
fn a_linked_worktree_is_looked_up_once_and_known_after_it_is_gone() {
    let home = Home::new();
    let path = |name: &str| home.path(name).display().to_string();
    fs::create_dir_all(home.path("shop/.git/worktrees/fix")).unwrap();
    home.write("fix/.git", &format!("gitdir: {}/.git/worktrees/fix\n", path("shop")));
    home.write("fix/backend/code.rs", "");
    fs::create_dir_all(home.path("shop/.git/modules/lib")).unwrap();
    home.write("shop/lib/.git", "gitdir: ../.git/modules/lib\n");
    let log = [
        call("a", &path("shop"), 1_000),
        call("b", &path("fix"), 2_000),
        call("c", &path("fix/backend"), 4_000),
        call("d", &path("shop/lib"), 8_000),
        call("e", "fix", 16_000),
    ];
    home.log(&log.concat());
    let expected = [(path("shop"), 7_000), (path("shop/lib"), 8_000), ("fix".to_owned(), 16_000)];
    assert_eq!(projects(&home, &["--no-ledger"]), expected);
    assert_eq!(projects(&home, &[]), expected);
    let key = home.fine(&["report", "call", "--json"]).json()["rows"][1]["key"].as_str().unwrap().to_owned();
    let words = home.fine(&["explain", &key]).out;
    assert!(words.contains(&format!("project {}", path("shop"))), "{words}");
    assert!(words.contains(&format!("worktree {}", path("fix"))), "{words}");
    // Worktrees are temporary; booked calls stay with the repository, also on another machine.
    fs::remove_dir_all(home.path("fix")).unwrap();
    assert_eq!(projects(&home, &[]), expected);
    let export = home.fine(&["ledger", "export"]).out;
    let other = Home::new();
    let file = other.write("export.jsonl", &export).display().to_string();
    other.fine(&["ledger", "import", &file]);
    assert_eq!(projects(&other, &[]), expected);
    assert!(other.fine(&["ledger", "verify"]).out.contains("The ledger is whole"));
}
