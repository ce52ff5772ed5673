//! Output that cannot be written: for every command, a closed pipe ends it quietly and a full disk is an error.

use std::fs::OpenOptions;
use std::io::Read;

use super::common::{native, now};
use super::{Home, PATIENCE, USAGE_LOG, ended_within, program};

fn commands() -> Vec<Vec<&'static str>> {
    let all = "--help|--version|help report|completions bash|completions zsh|completions fish|man|report|report --json|report --csv|\
        report call|summary|summary --json|limits|limits --json|prices|prices list|prices show gpt-4o|audit|audit --json|ledger export|\
        ledger verify|signals|signals --json|doctor|doctor --json|agents|agents --json|metrics|config|config show|config path|config check|gate --json|\
        statusline|--once|--once --svg|demo --once|invoice|reconcile --help|setup --help";
    all.split('|').map(|words| words.split(' ').collect()).collect()
}

fn home() -> Home {
    let home = Home::new();
    let at = now();
    let text: String = (0..50).map(|n| native(&format!("c{n}"), &at, "gpt-4o", 100, 10)).collect();
    home.write(USAGE_LOG, &text);
    home
}

#[test]
fn j14_a_full_disk_is_told_by_every_command_that_prints() {
    let Ok(full) = OpenOptions::new().write(true).open("/dev/full") else {
        return eprintln!("skipped: there is no /dev/full here");
    };
    let home = home();
    for words in commands() {
        // A command without output cannot fail to write.
        let usual = program(&home, &words).output().unwrap();
        if usual.stdout.is_empty() {
            continue;
        }
        let out = program(&home, &words).stdout(full.try_clone().unwrap()).output().unwrap();
        let err = String::from_utf8_lossy(&out.stderr);
        assert_eq!(out.status.code(), Some(74), "{words:?}: {err}");
        assert!(err.contains("No space left") && !err.contains("panicked"), "{words:?}: {err}");
    }
}

#[test]
fn j14_a_reader_that_went_away_ends_every_command_quietly() {
    let home = home();
    for words in commands() {
        let usual = program(&home, &words).output().unwrap();
        let mut child = program(&home, &words).spawn().unwrap();
        drop(child.stdout.take());
        let status = ended_within(&mut child, PATIENCE);
        let mut err = String::new();
        child.stderr.take().unwrap().read_to_string(&mut err).unwrap();
        let (code, usual_code) = (status.code().unwrap(), usual.status.code().unwrap());
        assert!(code == 0 || code == usual_code, "{words:?}: {code}: {err}");
        assert_eq!(err, String::from_utf8_lossy(&usual.stderr), "{words:?}");
    }
}
