//! Compares the pages under `docs/` with the program and its tests.

#![allow(missing_docs, clippy::unwrap_used, reason = "a panic fails the test")]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn page(name: &str) -> String {
    fs::read_to_string(root().join("docs").join(name)).unwrap()
}

/// The part of a page below a heading of the second level.
fn section(text: &str, heading: &str) -> String {
    let begin = text.find(&format!("\n## {heading}\n")).unwrap_or_else(|| panic!("no section '{heading}'"));
    let rest = &text[begin + 4..];
    rest[..rest.find("\n## ").unwrap_or(rest.len())].to_owned()
}

/// The first cells of the rows of a Markdown table, without backticks.
fn first_cells(text: &str) -> Vec<String> {
    let rows = text.lines().filter(|line| line.starts_with("| ") && !line.starts_with("|---"));
    rows.filter_map(|line| line.split('|').nth(1)).map(|cell| cell.trim().replace('`', "")).collect()
}

fn tokmeter(args: &[&str]) -> String {
    let home = tempfile::tempdir().unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_tokmeter"))
        .args(args)
        .current_dir(root())
        .env_clear()
        .env("HOME", home.path())
        .output()
        .unwrap();
    assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

fn sources(folder: &Path, into: &mut String) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, into);
        } else if path.extension().is_some_and(|ending| ending == "rs") {
            into.push_str(&fs::read_to_string(&path).unwrap());
        }
    }
}

/// The rows that the names of tests begin with: `a6_…`, `b5_b8_…`.
fn rows_of_tests() -> BTreeSet<String> {
    let mut code = String::new();
    for folder in ["src", "tests"] {
        sources(&root().join(folder), &mut code);
    }
    let is_row = |part: &str| {
        let (letter, number) = part.split_at(1.min(part.len()));
        ("a"..="k").contains(&letter) && number.parse::<u8>().is_ok()
    };
    let names = code.lines().filter_map(|line| line.trim_start().strip_prefix("fn ")?.split('(').next());
    names.flat_map(|name| name.split('_').take_while(|part| is_row(part))).map(str::to_uppercase).collect()
}

#[test]
fn every_fault_row_has_a_test_and_every_test_a_row() {
    let is_row = |cell: &String| cell.len() > 1 && cell[1..].parse::<u8>().is_ok();
    let rows: Vec<String> = first_cells(&page("faults.md")).into_iter().filter(is_row).collect();
    let written: BTreeSet<String> = rows.iter().cloned().collect();
    assert_eq!(rows.len(), written.len(), "a row is listed twice");
    let tested = rows_of_tests();
    let missing: Vec<_> = written.difference(&tested).collect();
    let unknown: Vec<_> = tested.difference(&written).collect();
    assert!(missing.is_empty() && unknown.is_empty(), "rows without a test: {missing:?}; unknown rows: {unknown:?}");
    assert!(rows.len() > 120, "{}", rows.len());
}

#[test]
fn the_contract_names_every_command_and_every_option_of_the_live_screen() {
    let contract = page("contract.md");
    let commands = section(&contract, "Commands");
    let help = tokmeter(&["--help"]);
    let listed = help.lines().skip_while(|line| *line != "Commands:").skip(1);
    let of_program: BTreeSet<String> = listed
        .take_while(|line| !line.is_empty())
        .filter(|line| line.starts_with("  ") && !line.starts_with("   "))
        .filter_map(|line| line.split_whitespace().next())
        .filter(|name| *name != "help")
        .map(str::to_owned)
        .collect();
    let of_page: BTreeSet<String> =
        first_cells(&commands).into_iter().filter(|cell| !cell.contains(' ') && cell != "command").collect();
    assert_eq!(of_program, of_page);
    let options = help.lines().filter_map(|line| line.trim_start().strip_prefix("--")).filter_map(|rest| {
        let end = rest.find(|letter: char| !letter.is_ascii_alphanumeric() && letter != '-').unwrap_or(rest.len());
        (end > 0).then(|| format!("--{}", &rest[..end]))
    });
    for option in options {
        assert!(commands.contains(&option), "{option} is not in the contract");
    }
}

#[test]
fn the_readme_has_a_row_for_every_format_and_names_every_agent_without_tokens() {
    let readme = fs::read_to_string(root().join("README.md")).unwrap();
    let formats = section(&readme, "Formats");
    let cells = first_cells(&formats);
    let named: BTreeSet<&str> =
        cells.iter().flat_map(|cell| cell.split(", ")).filter(|name| *name != "format").collect();
    let known: BTreeSet<&str> = tokmeter::testing::formats::names().into_iter().collect();
    assert_eq!(named, known);
    let agents: serde_json::Value = serde_json::from_str(&tokmeter(&["agents", "--json"])).unwrap();
    let tokenless = agents["agents"].as_array().unwrap().iter().filter(|agent| agent["readable"] == false);
    let letters = |text: &str| text.to_lowercase().replace([' ', '-', '\n'], "");
    for agent in tokenless {
        let name = agent["agent"].as_str().unwrap();
        assert!(letters(&formats).contains(&letters(name)), "{name} is not in the README");
    }
}

/// The commands that a help text lists, with their descriptions, joined to one line each.
fn listed_commands(help: &str) -> Vec<(String, String)> {
    let mut listed: Vec<(String, String)> = Vec::new();
    for line in help.lines().skip_while(|line| *line != "Commands:").skip(1).take_while(|line| !line.is_empty()) {
        match line.strip_prefix("  ") {
            Some(entry) if !entry.starts_with(' ') => {
                let (name, about) = entry.split_once(' ').unwrap_or((entry, ""));
                listed.push((name.to_owned(), about.trim().to_owned()));
            }
            _ => {
                let about = &mut listed.last_mut().unwrap().1;
                format!("{about} {}", line.trim()).trim_start().clone_into(about);
            }
        }
    }
    listed.retain(|(name, _)| name != "help");
    listed
}

#[test]
fn the_help_of_a_command_begins_with_its_line_in_the_list_of_commands_and_ends_with_examples() {
    let mut path_count = 0;
    let mut open = vec![Vec::new()];
    while let Some(path) = open.pop() {
        let args: Vec<&str> = path.iter().map(String::as_str).collect();
        for (name, about) in listed_commands(&tokmeter(&[&["help"], &args[..]].concat())) {
            let help = tokmeter(&[&args[..], &[&name, "--help"]].concat());
            let first: Vec<&str> = help.lines().take_while(|line| !line.is_empty()).map(str::trim).collect();
            assert_eq!(first.join(" "), about, "{args:?} {name}");
            assert!(help.contains("\nExample"), "{args:?} {name} has no example");
            path_count += 1;
            open.push([&path[..], &[name]].concat());
        }
    }
    assert!(path_count > 35, "{path_count}");
}

#[test]
fn the_completions_know_every_command_and_its_help() {
    let script = tokmeter(&["completions", "bash"]);
    let man = tokmeter(&["man"]);
    for (command, about) in listed_commands(&tokmeter(&["help"])) {
        assert!(man.contains(&about.replace('-', "\\-").replace('\'', "\\*(Aq")), "{command}: {about}");
        for (name, _) in listed_commands(&tokmeter(&["help", &command])) {
            for path in ["tokmeter__subcmd__", "tokmeter__subcmd__help__subcmd__"] {
                let state = format!("{path}{command}__subcmd__{name})");
                assert!(script.contains(&state), "no {state}");
            }
        }
    }
    for shell in ["zsh", "fish", "elvish", "powershell"] {
        assert!(
            tokmeter(&["completions", shell]).contains("Check the file, and that the sums equal the rows"),
            "{shell}"
        );
    }
}

#[test]
fn every_manual_page_that_a_page_refers_to_can_be_printed() {
    let mut open: Vec<Vec<String>> = vec![Vec::new()];
    let mut count = 0;
    while let Some(path) = open.pop() {
        let words: Vec<&str> = std::iter::once("man").chain(path.iter().map(String::as_str)).collect();
        let page = tokmeter(&words).replace("\\-", "-");
        let name = [&["tokmeter".to_owned()], &path[..]].concat().join("-");
        assert!(page.contains(&format!(".TH {name} 1")), "{words:?}: {page}");
        count += 1;
        for line in page.lines() {
            // A command is named by its whole path and the section, such as tokmeter-ledger-export(1).
            let Some(below) = line.strip_suffix("(1)").and_then(|line| line.strip_prefix(&format!("{name}-"))) else {
                continue;
            };
            if below != "help" && path.first().is_none_or(|first| first != "help") {
                open.push([&path[..], &[below.to_owned()]].concat());
            }
        }
    }
    assert!(count > 35, "{count}");
}

#[test]
fn the_contract_names_the_measures_of_every_report() {
    let contract = page("contract.md");
    let of_page: Vec<String> =
        first_cells(&section(&contract, "Report JSON, schema 1")).into_iter().filter(|cell| cell != "key").collect();
    let json = tokmeter(&["report", "total", "--json", "samples/native"]);
    let report: serde_json::Value = serde_json::from_str(&json).unwrap();
    let total: BTreeSet<String> = report["total"].as_object().unwrap().keys().cloned().collect();
    assert_eq!(total, of_page.iter().cloned().collect());
    let csv = tokmeter(&["report", "total", "--csv", "samples/native"]);
    assert_eq!(csv.lines().next().unwrap().split(',').collect::<Vec<_>>(), of_page);
}

#[test]
fn the_contract_names_the_fields_of_the_usage_log_and_the_tables_of_the_config() {
    let contract = page("contract.md");
    let schema: serde_json::Value =
        serde_json::from_str(&fs::read_to_string(root().join("samples/native/schema.json")).unwrap()).unwrap();
    let known = schema["properties"].as_object().unwrap();
    let fields = section(&contract, "The usage log");
    let named = fields.lines().filter(|line| line.starts_with("| `")).flat_map(|line| {
        line.split('|').skip(1).take(2).flat_map(|cell| cell.split('`').skip(1).step_by(2)).map(str::to_owned)
    });
    let mut count = 0;
    for field in named {
        assert!(known.contains_key(&field), "{field} is not in the schema");
        count += 1;
    }
    assert!(count > 40, "{count}");
    let sample = fs::read_to_string(root().join("samples/config.toml")).unwrap();
    let config = section(&contract, "The config");
    for line in sample.lines() {
        let Some(table) = line.trim_start_matches('#').strip_prefix('[').and_then(|rest| rest.split(']').next()) else {
            continue;
        };
        let table = table.split('.').next().unwrap();
        assert!(config.contains(&format!("`{table}`")), "[{table}] is not in the contract");
    }
}

/// The Markdown pages of a folder, and of its subfolders if `deep`.
fn markdown(folder: &Path, deep: bool, into: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if deep && path.is_dir() {
            markdown(&path, true, into);
        } else if path.extension().is_some_and(|ending| ending == "md") {
            into.push(path);
        }
    }
}

#[test]
fn links_between_the_pages_lead_somewhere() {
    let mut pages = Vec::new();
    for folder in ["", "docs", "benches", "prices", "samples", "tests/real"] {
        markdown(&root().join(folder), folder == "samples", &mut pages);
    }
    assert!(pages.len() > 20, "{pages:?}");
    for path in pages {
        let name = path.display();
        let text = fs::read_to_string(&path).unwrap();
        for link in text.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            let target = link.split(['#', ' ']).next().unwrap();
            if target.is_empty() || target.contains("://") {
                continue;
            }
            assert!(path.parent().unwrap().join(target).exists(), "{name}: {target} does not exist");
        }
    }
}
