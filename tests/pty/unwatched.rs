//! The screen where the system allows no watches.

use std::fs;
use std::process::Command;

use portable_pty::CommandBuilder;

use crate::OWN;
use crate::common::pty::Pty;
use crate::common::{Home, append, native, now};

/// Runs the screen where a file of `/proc/sys/user` says that nothing can be watched; `None` if that cannot be set here.
fn unwatched(home: &Home, limit: &str) -> Option<Pty> {
    let set = format!("echo 0 > /proc/sys/user/{limit}");
    let probe = Command::new("unshare").args(["-Ur", "sh", "-c", &set]).output();
    if !probe.is_ok_and(|probe| probe.status.success()) {
        return None;
    }
    let program = assert_cmd::cargo::cargo_bin("tokmeter");
    let mut command = CommandBuilder::new("unshare");
    command.args(["-Ur", "sh", "-c", &format!("{set} && exec \"$0\"")]);
    command.arg(program);
    command.env_clear();
    command.cwd(home.path());
    for (name, value) in home.vars() {
        command.env(name, value);
    }
    Some(Pty::spawn(command, 120, 36))
}

#[test]
fn h1_h2_without_watches_the_config_and_what_others_record_are_noticed_too() {
    for limit in ["max_inotify_instances", "max_inotify_watches"] {
        let home = Home::new();
        home.config("[limits]\nday = { tokens = 2_000 }\n");
        home.write(OWN, &native("one", &now(), "claude-opus-5", 1_000, 0));
        // A call that only another ledger has.
        let elsewhere = home.write("elsewhere/usage.jsonl", &native("two", &now(), "claude-opus-5", 500, 0));
        let export = home.path().join("export.jsonl");
        let other = elsewhere.parent().unwrap().to_str().unwrap().to_owned();
        let exported = home.tokmeter().args(["--data-dir", &other, "ledger", "export"]).output().unwrap();
        fs::write(&export, exported.stdout).unwrap();
        let Some(mut pty) = unwatched(&home, limit) else {
            println!("skipped: this system makes no user namespaces for us");
            return;
        };
        pty.wait_for("1,000 left of 2,000");
        pty.wait_for("polling");
        home.config("[limits]\nday = { tokens = 9_000 }\n");
        pty.wait_for("8,000 left of 9,000");
        home.tokmeter().args(["ledger", "import", "export.jsonl"]).assert().success();
        pty.wait_for("7,500 left of 9,000");
        append(&mut home.append(OWN), &native("three", &now(), "claude-opus-5", 200, 0));
        pty.wait_for("7,300 left of 9,000");
        pty.send("q");
        assert_eq!(pty.ended(), 0);
    }
}
