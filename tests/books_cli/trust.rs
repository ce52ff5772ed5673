//! Untrusted input: implausible imports, locations chosen by others, files of the wrong kind, hostile names.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;

use crate::home::{Home, line};

/// One exported call, as its own line.
fn exported() -> String {
    let home = Home::new();
    home.log(&line("a", "2026-11-22T09:00:00Z", "gpt-4o", 500, 300, ",\"session\":\"s-1\""));
    home.fine(&["ledger", "export"]).out
}

#[test]
fn j12_counts_and_costs_that_no_log_could_hold_are_refused_by_line_and_the_rest_is_imported() {
    let good = exported();
    let odd = |from: &str, to: &str| {
        assert!(good.contains(from), "{from} in {good}");
        good.replace(from, to)
    };
    let (from, until) = (good.find("\"booked_usd\":\"").unwrap() + 14, good.find("\",\"saved_usd").unwrap());
    let cost = good[from..until].to_owned();
    let lines = [
        odd("\"input_tokens\":500", "\"input_tokens\":18446744073709551615"),
        odd("\"input_tokens\":500", "\"input_tokens\":1000000001"),
        odd("\"output_tokens\":300", "\"output_tokens\":-300"),
        odd("\"output_tokens\":300", "\"output_tokens\":1.5"),
        odd(&format!("\"booked_usd\":\"{cost}\""), "\"booked_usd\":\"-500\""),
        odd(&format!("\"booked_usd\":\"{cost}\""), "\"booked_usd\":\"1e15\""),
        odd("\"at\":\"2026", "\"at\":\"1626"),
    ];
    let other = Home::new();
    other.write("mixed.jsonl", &format!("{}{good}", lines.concat()));
    let said = other.run(&["ledger", "import", "mixed.jsonl"]);
    assert_eq!(said.code, 1, "{said:?}");
    assert!(said.out.starts_with("1 call read, 1 of them") && said.out.contains("7 lines refused"), "{said:?}");
    let reasons = [
        "input_tokens is 18446744073709551615",
        "more than one call",
        "is -300",
        "is 1.5",
        "-500",
        "no call costs",
        "before 1970",
    ];
    for (at, reason) in reasons.iter().enumerate() {
        let place = format!("mixed.jsonl:{}: ", at + 1);
        assert!(
            said.err.lines().any(|line| line.contains(&place) && line.contains(reason)),
            "{place}{reason} in {said:?}"
        );
    }
    let total = other.fine(&["report", "total", "--json"]).json();
    assert_eq!((&total["total"]["calls"], &total["total"]["input_tokens"]), (&1.into(), &500.into()));

    other.write("bad.jsonl", &lines.concat());
    let said = other.run(&["ledger", "import", "bad.jsonl"]);
    assert!(said.code == 65 && said.err.contains("nothing was imported"), "{said:?}");
    other.fine(&["ledger", "verify"]);
}

#[test]
fn j12_a_file_that_is_no_export_imports_nothing_and_an_import_in_many_turns_is_whole() {
    let home = Home::new();
    let mut log = String::new();
    for number in 0..4_500 {
        log += &line(&format!("c{number}"), "2026-11-22T09:00:00Z", "gpt-4o", 10, 1, ",\"session\":\"s-1\"");
    }
    home.log(&log);
    let export = home.fine(&["ledger", "export"]).out;
    let other = Home::new();
    other.write("cut.jsonl", &format!("{export}{{\"key\":"));
    let said = other.run(&["ledger", "import", "cut.jsonl"]);
    assert!(said.code == 65 && said.err.contains("cut.jsonl:4501") && said.err.contains("nothing was imported"));
    other.write("whole.jsonl", &export);
    assert!(other.fine(&["ledger", "import", "whole.jsonl"]).out.starts_with("4,500 calls read, 4,500 of them"));
    let words = ["report", "session", "--by", "model", "--json"];
    assert_eq!(other.fine(&words).out, home.fine(&words).out);
    other.fine(&["ledger", "verify"]);
}

#[test]
fn j12_descents_child_first_give_one_family() {
    let home = Home::new();
    let mut chain = String::new();
    for number in 0..300 {
        let _ = writeln!(chain, "{{\"child\":\"c{number}\",\"parent\":\"c{}\"}}", number + 1);
    }
    home.write("chain.jsonl", &chain);
    home.fine(&["ledger", "import", "chain.jsonl"]);
    assert_eq!(home.fine(&["ledger", "export"]).out.lines().count(), 300);
}

#[test]
fn j9_the_check_of_a_config_finds_all_that_the_screen_would_refuse() {
    let circle = [("mine", "inherits = \"mine\""), ("a", "inherits = \"b\""), ("b", "inherits = \"a\"")];
    let cases = [
        ("[keys]\nquit = \"x\"\nhelp = \"x\"\n", "key x is bound to both 'help' and 'quit'"),
        ("theme = \"mine\"\n", "theme 'mine' inherits from itself"),
        ("theme = \"a\"\n", "theme 'a' inherits from itself through 'b'"),
        ("theme = \"broken\"\n", "'#12' is not a colour"),
        ("theme = \"folder\"\n", "is a folder, not a file"),
    ];
    for (config, expected) in cases {
        let home = Home::new();
        for (name, text) in circle {
            home.write(&format!("config/tokmeter/themes/{name}.toml"), text);
        }
        home.write("config/tokmeter/themes/broken.toml", "[roles]\ntext = \"#12\"\n");
        fs::create_dir(home.path("config/tokmeter/themes/folder.toml")).unwrap();
        home.config(config);
        let check = home.run(&["config", "check"]);
        assert!(check.code == 78 && check.err.contains(expected), "{check:?}");
        let screen = home.run(&["--once"]);
        assert!(screen.code == 78 && screen.err.contains(expected), "{screen:?}");
        let doctor = home.run(&["doctor"]);
        assert!(doctor.code == 1 && doctor.out.contains(expected), "{doctor:?}");
        // Commands without a screen go on.
        assert_eq!(home.run(&["report"]).code, 0);
    }
    // A broken theme that is not selected gives a warning; the theme key skips it.
    let home = Home::new();
    home.write("config/tokmeter/themes/mine.toml", "inherits = \"mine\"");
    home.config("theme = \"dark\"\n");
    let check = home.run(&["config", "check"]);
    assert!(check.code == 1 && check.err.contains("theme 'mine': warning: cannot be used"), "{check:?}");
    assert_eq!(home.run(&["--once"]).code, 0);
}

#[test]
fn j10_a_star_in_a_name_is_a_letter_for_the_gate_and_a_pattern_for_a_filter() {
    let home = Home::new();
    home.config("[limits.users.\"*\"]\nday = \"1usd\"\n");
    let call = |id, user| line(id, "2026-11-22T09:00:00Z", "gpt-4o", 800_000, 1, &format!(",\"user\":\"{user}\""));
    home.log(&format!(
        "{}{}",
        call("a", "alice"),
        line("b", "2026-11-22T09:00:00Z", "gpt-4o", 1, 1, ",\"user\":\"al*\"")
    ));
    for (user, code) in [("alice", 2), ("al*", 0), ("*", 0), ("bob", 0)] {
        assert_eq!(home.run(&["gate", "--user", user]).code, code, "{user}");
    }
    let calls = |user: &str| home.fine(&["report", "total", "--user", user, "--json"]).json()["total"]["calls"].clone();
    assert_eq!((calls("al*"), calls("alice"), calls("bob")), (2.into(), 1.into(), 0.into()));
}

#[test]
fn j10_a_session_named_with_a_star_is_that_session_alone() {
    let home = Home::new();
    let call = |id, session| line(id, "2026-11-22T09:00:00Z", "gpt-4o", 100, 1, &format!(",\"session\":\"{session}\""));
    home.log(&[call("a", "s*"), call("b", "s1"), call("c", "s2")].concat());
    let said = home.fine(&["summary", "s*", "--json"]).json();
    assert_eq!((&said["session"], &said["calls"]), (&"s*".into(), &1.into()), "{said}");
}

#[test]
fn j22_two_thousand_names_that_look_alike_are_two_thousand_users() {
    let home = Home::new();
    let invisible = ["\u{200b}", "\u{200c}", "\u{200d}", "\u{2060}", "\u{feff}", "\u{ad}", "\u{2062}", "\u{2063}"];
    let mut log = String::new();
    for number in 0..2_000_usize {
        let marks: String = (0..4).map(|digit| invisible[number >> (3 * digit) & 7]).collect();
        log +=
            &line(&number.to_string(), "2026-11-22T09:00:00Z", "gpt-4o", 1, 1, &format!(",\"user\":\"ali{marks}ce\""));
    }
    home.log(&log);
    let report = home.fine(&["report", "total", "--by", "user", "--json"]).json();
    let users: BTreeSet<&str> =
        report["rows"].as_array().unwrap().iter().filter_map(|row| row["user"].as_str()).collect();
    assert_eq!(users.len(), 2_000);
}

/// U+061C, U+200E, U+200F, U+202A to U+202E, U+2066 to U+2069.
fn has_marks(text: &str) -> bool {
    text.chars().any(|letter| {
        matches!(letter, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    })
}

#[test]
fn j19_no_command_prints_a_mark_that_reorders_text() {
    let (home, mark) = (Home::new(), "\u{202e}");
    let odd = format!("l{mark}x");
    home.write(&format!("{odd}/log.jsonl"), &line("z", "2026-11-22T09:00:00Z", "gpt-4o", 1, 1, ""));
    let names = ["user", "session", "project", "agent", "team", "feature", "org"];
    let names = names.map(|name| format!(",\"{name}\":\"{name}{mark}x\"")).concat();
    home.log(&line("a", "2026-11-22T09:00:00Z", &format!("gpt{mark}-4o"), 10, 1, &names));
    let folder = home.path(&odd);
    let path = folder.to_str().unwrap();
    home.config(&format!(
        "logs = [\"{path}\"]\nteam = \"t{mark}\"\n[limits.users.\"u{mark}\"]\nday = \"1usd\"\n\
         [aliases]\n\"a{mark}\" = \"b{mark}\"\n[prices.\"p{mark}\"]\ninput = 1\noutput = 1\n"
    ));
    let missing = format!("{path}/none{mark}");
    let commands: Vec<Vec<&str>> = vec![
        vec!["config", "show"],
        vec!["config", "show", "--origin"],
        vec!["config", "check"],
        vec!["--config", &missing, "config", "check"],
        vec!["--config", &missing, "config", "path"],
        vec!["report", "call", "--by", "user,session,project,agent,team,feature,org,model"],
        vec!["report", "call", "--json"],
        vec!["report", "call", "--csv"],
        vec!["report", "session", "--markdown"],
        vec!["report", path],
        vec!["report", &missing],
        vec!["report", "--user", &odd],
        vec!["report", "--by", &odd],
        vec![&odd],
        vec!["--", &odd],
        vec!["--sourse", &odd],
        vec!["summary"],
        vec!["summary", &odd],
        vec!["limits"],
        vec!["limits", "set", &odd, "1usd"],
        vec!["limits", "set", "day", &odd],
        vec!["gate", "--user", &odd],
        vec!["statusline"],
        vec!["--once"],
        vec!["audit"],
        vec!["audit", path],
        vec!["doctor"],
        vec!["doctor", "--json"],
        vec!["explain", &odd],
        vec!["invoice"],
        vec!["prices", "show", &odd],
        vec!["prices", "update", &missing],
        vec!["reconcile", &missing],
        vec!["ledger"],
        vec!["ledger", "verify"],
        vec!["ledger", "export"],
        vec!["ledger", "import", &missing],
        vec!["--data-dir", &missing, "ledger"],
        vec!["--data-dir", &missing, "doctor"],
        vec!["--tz", &odd, "report"],
        vec!["signals"],
        vec!["metrics"],
        vec!["record", "--model", &odd, "--input", "1"],
        vec!["replay", &missing],
    ];
    for words in commands {
        let said = home.run(&words);
        assert!(!has_marks(&said.out) && !has_marks(&said.err), "{words:?}: {said:?}");
    }
    // The config as shown is still equivalent.
    let shown = home.fine(&["config", "show"]).out;
    assert!(shown.contains("\\U0000202E"), "{shown}");
    home.config(&shown);
    assert_eq!(home.fine(&["config", "show"]).out, shown);
}

#[cfg(unix)]
#[test]
fn j16_a_data_folder_that_others_can_write_is_said_and_its_links_are_not_followed() {
    use std::os::unix::fs::{PermissionsExt as _, symlink};
    let home = Home::new();
    let data = home.path("data/tokmeter");
    fs::create_dir_all(&data).unwrap();
    fs::set_permissions(&data, fs::Permissions::from_mode(0o777)).unwrap();
    home.config("");
    let said = home.run(&["report"]);
    assert!(said.code == 0 && said.err.contains("has mode 777") && said.err.contains("chmod 700"), "{said:?}");
    assert!(data.join("ledger.db").exists());
    for name in ["usage.jsonl", "ledger.db", "keys.jsonl", "proxy"] {
        let _ = fs::remove_file(data.join(name));
        let precious = home.write(&format!("precious-{name}"), "");
        symlink(&precious, data.join(name)).unwrap();
        let recorded = home.run(&["record", "--model", "x", "--input", "1"]);
        assert!(recorded.code == 74 && recorded.err.contains("is a link"), "{recorded:?}");
        let reported = home.run(&["report"]);
        assert!(reported.err.contains(name) && reported.err.contains("is not followed"), "{reported:?}");
        assert_eq!(fs::read_to_string(&precious).unwrap(), "");
        let doctor = home.run(&["doctor"]);
        assert!(doctor.code == 1 && doctor.out.contains("! data"), "{doctor:?}");
        fs::remove_file(data.join(name)).unwrap();
    }
    // A link in one's own folder is fine.
    fs::set_permissions(&data, fs::Permissions::from_mode(0o700)).unwrap();
    let elsewhere = home.write("elsewhere.jsonl", &line("a", "2026-11-22T09:00:00Z", "gpt-4o", 1, 1, ""));
    symlink(&elsewhere, data.join("usage.jsonl")).unwrap();
    let said = home.fine(&["report", "total", "--json"]);
    assert!(said.err.is_empty() && said.json()["total"]["calls"] == 1, "{said:?}");
}

#[cfg(unix)]
#[test]
fn j17_a_pipe_among_themes_prices_and_configs_is_a_sentence_and_no_hang() {
    let home = Home::new();
    let pipe = |name: &str| {
        let path = home.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::process::Command::new("mkfifo").arg(path).status().is_ok_and(|status| status.success())
    };
    if !["config/tokmeter/themes/p.toml", "data/tokmeter/prices.txt", "config/tokmeter/pipe.toml"]
        .iter()
        .all(|name| pipe(name))
    {
        eprintln!("skipped: no mkfifo");
        return;
    }
    home.config("");
    let gate = home.run(&["gate"]);
    assert!(gate.code == 0 && gate.err.contains("prices.txt is a named pipe"), "{gate:?}");
    let check = home.run(&["config", "check"]);
    assert!(check.code == 1 && check.err.contains("p.toml: is a named pipe, not a regular file"), "{check:?}");
    home.config("theme = \"p\"\n");
    assert_eq!(home.run(&["config", "check"]).code, 78);
    let given = home.run(&["--config", home.path("config/tokmeter/pipe.toml").to_str().unwrap(), "report"]);
    assert!(given.code == 78 && given.err.contains("is a named pipe"), "{given:?}");
    for words in [&["prices", "update"][..], &["ledger", "import"], &["reconcile"]] {
        for file in [home.path("config/tokmeter/pipe.toml"), "/dev/zero".into()] {
            let said = home.run(&[words, &[file.to_str().unwrap()]].concat());
            assert!(said.code == 65 && said.err.contains("not a regular file"), "{words:?}: {said:?}");
        }
    }
}

#[cfg(unix)]
#[test]
fn j17_a_log_that_is_a_link_a_device_or_a_folder_is_refused_and_no_hook_fails_for_it() {
    use std::os::unix::fs::symlink;
    let home = Home::new();
    let link = home.path("link.log");
    let target = home.write("target.log", "");
    symlink(&target, &link).unwrap();
    let folder = home.config("").parent().unwrap().to_owned();
    let refused = [
        (link, "is a link, which is not followed"),
        (folder, "cannot be written"),
        ("/dev/null".into(), "is a device, not a regular file"),
        (home.path("none/t.log"), "cannot be written"),
    ];
    for (path, why) in refused {
        let path = path.to_str().unwrap();
        let said = home.run(&["--log", path, "report"]);
        assert!(said.code == 74 && said.err.contains(&format!("the log {path} {why}")), "{said:?}");
        let hook = home.run(&["--log", path, "gate", "--hook", "claude"]);
        assert!(hook.code == 0 && hook.err.contains(why), "{hook:?}");
    }
    assert_eq!(fs::read_to_string(target).unwrap(), "");
}

#[cfg(target_os = "linux")]
#[test]
fn j17_a_pipe_in_the_data_folder_is_a_sentence_and_no_hang() {
    for (name, commands) in [
        ("ledger.db", &[&["report"][..], &["gate"], &["doctor"], &["ledger", "verify"]][..]),
        ("ledger.db-journal", &[&["report"], &["gate"], &["statusline"]]),
        ("ledger.db-wal", &[&["report"]]),
        ("estimates.jsonl", &[&["report"]]),
        ("usage.jsonl", &[&["record", "--model", "gpt-4o", "--input", "5"]]),
    ] {
        let home = Home::new();
        let path = home.path(&format!("data/tokmeter/{name}"));
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        if name != "ledger.db" {
            assert_eq!(home.run(&["report"]).code, 0);
        }
        let _ = fs::remove_file(&path);
        rustix::fs::mknodat(rustix::fs::CWD, &path, rustix::fs::FileType::Fifo, rustix::fs::Mode::RWXU, 0).unwrap();
        for words in commands {
            let said = home.run(words);
            let all = said.out.clone() + &said.err;
            let is_named =
                all.contains(name) && ["not a regular file", "named pipe"].iter().any(|why| all.contains(why));
            assert!(is_named || words == &["statusline"], "{name} {words:?}: {said:?}");
        }
    }
}

#[cfg(unix)]
#[test]
fn j18_drafts_of_killed_writers_go_with_the_next_command() {
    let home = Home::new();
    home.log(&line("a", "2026-11-22T09:00:00Z", "gpt-4o", 1, 1, ""));
    home.config("");
    home.fine(&["report"]);
    let mut child = std::process::Command::new("/bin/sh").args(["-c", ":"]).spawn().unwrap();
    child.wait().unwrap();
    let (gone, here) = (child.id(), std::process::id());
    let strays = [
        format!("data/tokmeter/ledger.db.new-{gone}"),
        format!("data/tokmeter/ledger.db.new-{gone}-wal"),
        format!("data/tokmeter/prices.txt.{gone}"),
        format!("data/tokmeter/.prices.txt.{gone}.tmp"),
        format!("data/tokmeter/.estimates.jsonl.{gone}.tmp"),
        format!("config/tokmeter/.config.toml.{gone}.tmp"),
    ];
    let kept = [
        format!("config/tokmeter/.config.toml.{here}.tmp"),
        format!("data/tokmeter/ledger.db.new-{here}"),
        format!("data/tokmeter/.estimates.jsonl.{here}.tmp"),
        format!("data/tokmeter/.other.{gone}.tmp"),
        format!("data/tokmeter/.prices.txt.{gone}x.tmp"),
    ];
    for name in strays.iter().chain(&kept) {
        home.write(name, "half");
    }
    home.fine(&["report"]);
    assert!(strays.iter().all(|name| !home.path(name).exists()), "{:?}", home.files());
    assert!(kept.iter().all(|name| home.path(name).exists()), "{:?}", home.files());
}

#[cfg(unix)]
#[test]
fn j18_drafts_next_to_the_target_of_a_link_and_to_an_agents_settings_go_too() {
    let home = Home::new();
    let mut child = std::process::Command::new("/bin/sh").args(["-c", ":"]).spawn().unwrap();
    child.wait().unwrap();
    // The program runs in this process, which would replace a draft of its own.
    let (gone, here) = (child.id(), std::os::unix::process::parent_id());
    let target = home.write("dotfiles/meter.toml", "");
    let link = home.path("linked.toml");
    std::os::unix::fs::symlink(target, &link).unwrap();
    home.write(".claude/settings.json", "{}");
    let [strays, kept] = [gone, here].map(|process| {
        [format!("dotfiles/.meter.toml.{process}.tmp"), format!(".claude/.settings.json.{process}.tmp")]
    });
    for name in strays.iter().chain(&kept) {
        home.write(name, "half");
    }
    home.fine(&["report", "--config", link.to_str().unwrap()]);
    home.fine(&["setup", "claude", "--yes"]);
    assert!(strays.iter().all(|name| !home.path(name).exists()), "{:?}", home.files());
    assert!(kept.iter().all(|name| home.path(name).exists()), "{:?}", home.files());
}

#[test]
fn j18_how_far_logs_were_read_that_are_long_gone_is_forgotten_and_their_calls_are_not() {
    let mut home = Home::new();
    let log = home.write("logs/old.jsonl", &line("a", "2026-11-22T09:00:00Z", "gpt-4o", 1, 1, ""));
    home.write("logs/kept.jsonl", &line("b", "2026-11-22T09:00:00Z", "gpt-4o", 1, 1, ""));
    home.config(&format!("logs = [\"{}\"]\n", home.path("logs").display()));
    home.fine(&["report"]);
    fs::remove_file(log).unwrap();
    let files = |home: &Home| home.fine(&["ledger", "info", "--json"]).json()["files"].clone();
    home.fine(&["report"]);
    assert_eq!(files(&home), 2, "it may come back");
    // A century later, independent of this machine's clock.
    home = home.at("2126-11-22T12:00:00Z");
    home.fine(&["report"]);
    assert_eq!(files(&home), 1);
    assert_eq!(home.fine(&["report", "total", "--json"]).json()["total"]["calls"], 2);
}

#[cfg(unix)]
#[test]
fn a_log_that_may_not_be_read_is_said_by_a_report() {
    use std::os::unix::fs::PermissionsExt as _;
    let home = Home::new();
    home.log(&line("a", "2026-11-22T09:00:00Z", "gpt-4o", 1, 1, ""));
    let locked = home.write("logs/locked.jsonl", &line("b", "2026-11-22T09:00:00Z", "gpt-4o", 1, 1, ""));
    home.config(&format!("logs = [\"{}\"]\n", home.path("logs").display()));
    fs::set_permissions(&locked, fs::Permissions::from_mode(0o000)).unwrap();
    if fs::File::open(&locked).is_ok() {
        eprintln!("skipped: the superuser may read everything");
        return;
    }
    let said = home.fine(&["report", "total"]);
    assert!(said.err.contains("locked.jsonl is not read: permission denied") && said.err.contains('≥'), "{said:?}");
}
