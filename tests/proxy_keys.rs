//! The keys of the proxy on the command line.

#![cfg(unix)]
#![allow(missing_docs, clippy::unwrap_used, reason = "a panic fails the test")]

mod common;

use std::process::{Command, Output, Stdio};

use common::Home;
use serde_json::Value;

fn run(home: &Home, args: &[&str]) -> Output {
    let mut command = Command::new(assert_cmd::cargo::cargo_bin("tokmeter"));
    command.env_clear().envs(home.vars()).current_dir(home.path()).stdin(Stdio::null());
    command.args(["proxy", "key"]).args(args).output().unwrap()
}

fn keys(home: &Home) -> Value {
    let listed = run(home, &["list", "--json"]);
    assert!(listed.status.success());
    serde_json::from_slice::<Value>(&listed.stdout).unwrap()["keys"].clone()
}

#[test]
fn a_key_is_printed_once_and_alone_and_then_listed_without_its_secret() {
    let home = Home::new();
    let made = run(&home, &["add", "--user", "alice", "--team", "web"]);
    assert!(made.status.success(), "{made:?}");
    let secret = String::from_utf8(made.stdout).unwrap();
    let secret = secret.strip_suffix('\n').unwrap();
    assert!(secret.starts_with("tm-") && secret.len() > 40 && !secret.contains(char::is_whitespace));
    let said = String::from_utf8(made.stderr).unwrap();
    assert!(said.contains("key 'alice' for alice of team web") && !said.contains(secret), "{said}");
    let table = String::from_utf8(run(&home, &["list"]).stdout).unwrap();
    assert!(table.lines().nth(1).is_some_and(|line| line.starts_with("alice  alice  web")), "{table}");
    for list in [&["list"][..], &["list", "--json"]] {
        assert!(!String::from_utf8(run(&home, list).stdout).unwrap().contains(&secret[3..]));
    }
    let key = &keys(&home)[0];
    assert_eq!(
        [&key["key"], &key["user"], &key["team"], &key["revoked_at"]],
        ["alice", "alice", "web", ""]
            .map(|name| { if name.is_empty() { Value::Null } else { Value::from(name) } })
            .each_ref()
    );
}

#[test]
fn a_key_is_revoked_by_its_name_once() {
    let home = Home::new();
    for name in ["ci", "bench"] {
        assert!(run(&home, &["add", "--user", "robot", "--name", name]).status.success());
    }
    assert_eq!(run(&home, &["add", "--user", "robot", "--name", "ci"]).status.code(), Some(64));
    let first = run(&home, &["revoke", "ci"]);
    assert!(first.status.success() && !String::from_utf8_lossy(&first.stderr).contains("the last one"), "{first:?}");
    let again = run(&home, &["revoke", "ci"]);
    assert_eq!(again.status.code(), Some(65));
    assert!(String::from_utf8_lossy(&again.stderr).contains("there is no key 'ci'"));
    let revoked: Vec<bool> = keys(&home).as_array().unwrap().iter().map(|key| !key["revoked_at"].is_null()).collect();
    assert_eq!(revoked, [true, false]);
    let last = String::from_utf8(run(&home, &["revoke", "bench"]).stderr).unwrap();
    assert!(last.contains("it was the last one, and calls still need a key"), "{last}");
}

#[test]
fn a_key_needs_a_user_and_hostile_names_are_cleaned() {
    let home = Home::new();
    assert_eq!(run(&home, &["add"]).status.code(), Some(64));
    assert_eq!(run(&home, &["add", "--user", "  "]).status.code(), Some(64));
    assert_eq!(keys(&home).as_array().unwrap().len(), 0);
    assert!(run(&home, &["add", "--user", "a\u{1b}[2Jb\nc"]).status.success());
    let table = String::from_utf8(run(&home, &["list"]).stdout).unwrap();
    assert!(!table.contains('\u{1b}') && table.lines().count() == 2, "{table:?}");
}
