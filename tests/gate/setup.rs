//! `setup claude`: shown first, written on confirmation, with a backup, undone byte for byte.

use super::{Home, json, run};

const SETTINGS: &str = ".claude/settings.json";
const THEIRS: &str = "{\n    \"model\" :\"opus\",\n    \"hooks\": {\"Stop\": [{\"hooks\": [{\"type\": \"command\", \"command\": \"ding\"}]}]}\n}\n";

#[test]
fn it_shows_what_it_would_write_and_writes_only_when_told() {
    let home = Home::new();
    let path = home.write(SETTINGS, THEIRS);
    let shown = run(&home, &["setup", "claude"], "");
    assert_eq!(shown.code, 64, "there is no terminal to confirm on");
    assert!(shown.out.contains("gate --hook claude") && shown.out.contains("+   \"statusLine\""), "{}", shown.out);
    assert_eq!(std::fs::read_to_string(&path).unwrap(), THEIRS);

    let written = run(&home, &["setup", "claude", "--yes"], "");
    assert_eq!(written.code, 0, "{}", written.err);
    let after = json(&std::fs::read_to_string(&path).unwrap());
    assert_eq!(after["hooks"]["Stop"][0]["hooks"][0]["command"], "ding");
    let command = after["hooks"]["PostToolBatch"][0]["hooks"][0]["command"].as_str().unwrap();
    assert!(command.starts_with('/') && command.ends_with("tokmeter gate --hook claude"), "{command}");

    let once = std::fs::read_to_string(&path).unwrap();
    let again = run(&home, &["setup", "claude", "--yes"], "");
    assert!(again.out.contains("nothing to do"), "{}", again.out);
    assert_eq!(std::fs::read_to_string(&path).unwrap(), once);

    assert_eq!(run(&home, &["setup", "claude", "--undo", "--yes"], "").code, 0);
    assert_eq!(std::fs::read_to_string(&path).unwrap(), THEIRS, "to the letter");
    assert!(run(&home, &["setup", "claude", "--undo", "--yes"], "").out.contains("none of our entries"));
}

#[test]
fn what_was_written_since_stays_and_a_file_that_was_not_there_goes() {
    let home = Home::new();
    let path = home.file(SETTINGS);
    assert_eq!(run(&home, &["setup", "claude", "--yes"], "").code, 0);
    let ours = std::fs::read_to_string(&path).unwrap();
    assert_eq!(run(&home, &["setup", "claude", "--undo", "--yes"], "").code, 0);
    assert!(!path.exists());
    std::fs::write(&path, ours.replacen('{', "{\n  \"model\": \"haiku\",", 1)).unwrap();
    assert_eq!(run(&home, &["setup", "claude", "--undo", "--yes"], "").code, 0);
    assert_eq!(json(&std::fs::read_to_string(&path).unwrap()), serde_json::json!({ "model": "haiku" }));
}

#[test]
fn broken_settings_are_left_alone_and_a_link_stays_one() {
    let home = Home::new();
    let path = home.write(SETTINGS, "{ // mine\n}");
    let told = run(&home, &["setup", "claude", "--yes"], "");
    assert_eq!(told.code, 65);
    assert!(told.err.contains("settings.json") && told.err.contains("nothing was written"), "{}", told.err);
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "{ // mine\n}");
    std::fs::remove_file(&path).unwrap();
    let target = home.write("dots/claude.json", "{}");
    std::os::unix::fs::symlink(&target, &path).unwrap();
    assert_eq!(run(&home, &["setup", "claude", "--yes"], "").code, 0);
    assert!(path.is_symlink() && std::fs::read_to_string(&target).unwrap().contains("statusLine"));
}
