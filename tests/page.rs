//! The web page of `tokmeter serve` in a real headless Chromium: every view, both themes, three widths, hostile names,
//! keys, and how soon a call is seen. `docs/pictures/page-*.png` are taken here with `TOKMETER_PICTURES=1`.

#![allow(missing_docs, unreachable_pub, dead_code, clippy::unwrap_used, reason = "a panic fails the test")]

#[path = "serve/client.rs"]
mod client;
mod common;
#[path = "page/seed.rs"]
mod seed;

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use client::Served;
use common::Home;

const TOKEN: &str = "0123456789abcdef";

/// A Chromium, and Node with the packages that drive and judge it; else the reason is said and the test skipped.
#[expect(clippy::disallowed_methods, reason = "CI must not skip what it has installed")]
fn browser() -> Option<PathBuf> {
    let has =
        |program: &str, args: &[&str]| Command::new(program).args(args).output().is_ok_and(|out| out.status.success());
    let why = if has("node", &["-e", "require('playwright-core'); require('axe-core')"]) {
        let names = ["chromium", "chromium-browser", "google-chrome"];
        let path = std::env::var_os("PATH").unwrap_or_default();
        let mut places = std::env::split_paths(&path).flat_map(|folder| names.map(|name| folder.join(name)));
        match places.find(|place| place.is_file()) {
            Some(found) => return Some(found),
            None => "Chromium is not installed",
        }
    } else {
        "Node with playwright-core and axe-core is not installed, or NODE_PATH does not name it"
    };
    assert!(std::env::var_os("CI").is_none(), "{why}");
    let _ = writeln!(std::io::stderr(), "skipped: {why}");
    None
}

/// Runs a script of `tests/page/` against this server. What it prints is the failure.
fn run(script: &str, served: &Served, home: &Home, browser: &Path, more: &[(&str, &str)]) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"));
    let ran = Command::new("node")
        .arg(folder.join("tests/page").join(script))
        .env("URL", format!("http://{}", served.client.address))
        .env("BROWSER", browser)
        .env("OUT", Path::new(env!("CARGO_TARGET_TMPDIR")).join("page"))
        .env("LOG", home.file(seed::LOG))
        .envs(more.iter().copied())
        .output()
        .unwrap();
    let said = format!("{}{}", String::from_utf8_lossy(&ran.stdout), String::from_utf8_lossy(&ran.stderr));
    assert!(ran.status.success(), "{said}");
    let _ = writeln!(std::io::stderr(), "{said}");
}

fn served(home: &Home) -> Served {
    let log = home.file(seed::LOG);
    Served::with(home, &["--listen", "127.0.0.1:0", log.to_str().unwrap()])
}

#[test]
fn every_view_is_right_in_both_themes_at_three_widths() {
    let Some(browser) = browser() else { return };
    let home = Home::new();
    seed::months(&home);
    run("views.cjs", &served(&home), &home, &browser, &[]);
}

#[test]
fn names_from_logs_are_shown_as_text_in_every_view() {
    let Some(browser) = browser() else { return };
    let home = Home::new();
    seed::hostile(&home);
    run("hostile.cjs", &served(&home), &home, &browser, &[]);
}

#[test]
fn shares_of_a_cost_that_is_not_known_whole_are_marked() {
    let Some(browser) = browser() else { return };
    let home = Home::new();
    seed::one_without_a_price(&home);
    run("shares.cjs", &served(&home), &home, &browser, &[]);
}

#[test]
fn what_the_page_computes_is_what_the_terminal_shows() {
    let Some(browser) = browser() else { return };
    let home = Home::new();
    seed::months(&home);
    run("values.cjs", &served(&home), &home, &browser, &[]);
}

#[test]
fn the_keyboard_reaches_everything_and_a_call_shows_the_sum_of_explain() {
    let Some(browser) = browser() else { return };
    let home = Home::new();
    seed::months(&home);
    let served = served(&home);
    let calls = served.client.get("/api/v1/calls?limit=1").json();
    let key = calls["rows"][0]["key"].as_str().unwrap().to_owned();
    let explained = home.tokmeter().args(["explain", &key, "--json", seed::LOG]).output().unwrap();
    let document = String::from_utf8(explained.stdout).unwrap();
    assert_eq!(served.client.get(&format!("/api/v1/calls/{key}")).text(), document);
    run("keys.cjs", &served, &home, &browser, &[("CALL", &document)]);
}

#[test]
fn an_appended_call_is_seen_within_150_ms() {
    let Some(browser) = browser() else { return };
    let home = Home::new();
    seed::months(&home);
    run("latency.cjs", &served(&home), &home, &browser, &[]);
}

#[test]
fn an_alert_is_shown_when_it_is_raised() {
    let Some(browser) = browser() else { return };
    let home = Home::new();
    home.config("[limits.users.\"*\"]\nday = { tokens = 1000 }\n[alerts]\nnotify = \"off\"\n");
    home.write(seed::LOG, "");
    run("alerts.cjs", &served(&home), &home, &browser, &[]);
}

#[test]
fn a_token_opens_the_page_and_a_wrong_one_does_not() {
    let Some(browser) = browser() else { return };
    let home = Home::new();
    seed::months(&home);
    let token = home.write("token", TOKEN);
    let log = home.file(seed::LOG);
    let served = Served::with(
        &home,
        &["--listen", "127.0.0.1:0", "--token-file", token.to_str().unwrap(), log.to_str().unwrap()],
    );
    run("token.cjs", &served, &home, &browser, &[("TOKEN", TOKEN)]);
}
