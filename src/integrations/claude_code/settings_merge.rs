//! Adds, finds and removes our entries in Claude Code's settings.

use serde_json::value::RawValue;
use serde_json::{Value, json};

use super::json_members::Members;

/// Hook events used. `Stop` is not among them: there is nothing to report, and blocking it would make the agent
/// continue.
const MOMENTS: [&str; 5] = ["UserPromptSubmit", "PreToolUse", "PostToolBatch", "SessionStart", "SessionEnd"];
/// Suffix of our hooks' command.
const GATE: &str = " gate --hook claude";
/// Suffix of our status line's command.
const STATUS_LINE: &str = " statusline";
/// Hook timeout in seconds.
const TIMEOUT: u32 = 10;

/// Settings with our entries.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Merged {
    pub(crate) text: String,
    /// Settings that were left alone because they are the user's own.
    pub(crate) kept: Vec<String>,
}

/// Adds the missing entries.
///
/// # Errors
/// When the settings do not have the form that Claude Code documents.
pub(crate) fn add(text: &str, program: &str) -> Result<Merged, String> {
    let mut members = Members::read(text).map_err(|error| error.to_string())?;
    let mut kept = Vec::new();
    let mut changed = false;
    let line = json!({ "type": "command", "command": format!("{program}{STATUS_LINE}") });
    match members.get("statusLine").map(serde_json::from_str::<Value>) {
        None => {
            members.set("statusLine", pretty(&line, 1));
            changed = true;
        }
        Some(Ok(there)) if is_ours(&there, STATUS_LINE) => {
            if there.get("command") != line.get("command") {
                members.set("statusLine", pretty(&line, 1));
                changed = true;
            }
        }
        Some(_) => {
            kept.push(format!("there is another status line, and it is kept; ours would be: {program}{STATUS_LINE}"));
        }
    }
    let mut hooks = hooks_of(&members)?;
    let mut hooks_changed = false;
    let command = format!("{program}{GATE}");
    for moment in MOMENTS {
        let mut groups = groups_of(&hooks, moment)?;
        let ours: Vec<bool> = groups.iter().map(|group| commands(group).any(|existing| existing == command)).collect();
        let stale = groups.iter().any(|group| has_ours(group) && !commands(group).any(|existing| existing == command));
        if ours.contains(&true) && !stale {
            continue;
        }
        groups = groups.iter().filter_map(|group| without(group)).collect();
        let mut group = json!({ "hooks": [{ "type": "command", "command": command, "timeout": TIMEOUT }] });
        if moment == "PreToolUse" {
            group["matcher"] = Value::String("*".to_owned());
        }
        groups.push(pretty(&group, 3));
        hooks.set(moment, list(&groups, 2));
        hooks_changed = true;
    }
    if hooks_changed {
        members.set("hooks", hooks.write(1));
    }
    let text = if changed || hooks_changed { format!("{}\n", members.write(0)) } else { text.to_owned() };
    Ok(Merged { text, kept })
}

/// Removes our entries.
///
/// # Errors
/// The same as for [`add`].
pub(crate) fn remove(text: &str) -> Result<String, String> {
    let mut members = Members::read(text).map_err(|error| error.to_string())?;
    let mut changed = false;
    let line = members.get("statusLine").and_then(|line| serde_json::from_str::<Value>(line).ok());
    if line.is_some_and(|line| is_ours(&line, STATUS_LINE)) {
        members.remove("statusLine");
        changed = true;
    }
    let mut hooks = hooks_of(&members)?;
    let mut hooks_changed = false;
    let moments: Vec<String> = hooks.0.iter().map(|(moment, _)| moment.clone()).collect();
    for moment in moments {
        let groups = groups_of(&hooks, &moment)?;
        if !groups.iter().any(|group| has_ours(group)) {
            continue;
        }
        hooks_changed = true;
        let left: Vec<String> = groups.iter().filter_map(|group| without(group)).collect();
        if left.is_empty() {
            hooks.remove(&moment);
        } else {
            hooks.set(&moment, list(&left, 2));
        }
    }
    if hooks_changed {
        if hooks.0.is_empty() {
            members.remove("hooks");
        } else {
            members.set("hooks", hooks.write(1));
        }
    }
    Ok(if changed || hooks_changed { format!("{}\n", members.write(0)) } else { text.to_owned() })
}

fn hooks_of(members: &Members) -> Result<Members, String> {
    members.get("hooks").map_or_else(
        || Ok(Members::default()),
        |hooks| Members::read(hooks).map_err(|_| "'hooks' is not an object; it is left alone".to_owned()),
    )
}

/// Hook groups of one event, as written.
fn groups_of(hooks: &Members, moment: &str) -> Result<Vec<String>, String> {
    let Some(text) = hooks.get(moment) else { return Ok(Vec::new()) };
    let groups: Vec<Box<RawValue>> =
        serde_json::from_str(text).map_err(|_| format!("'hooks.{moment}' is not a list; it is left alone"))?;
    Ok(groups.into_iter().map(|group| group.get().to_owned()).collect())
}

/// Commands of a hook group.
fn commands(group: &str) -> impl Iterator<Item = String> + use<> {
    let group: Value = serde_json::from_str(group).unwrap_or_default();
    let hooks = group.get("hooks").and_then(Value::as_array).cloned().unwrap_or_default();
    hooks.into_iter().filter_map(|hook| hook.get("command").and_then(Value::as_str).map(str::to_owned))
}

fn has_ours(group: &str) -> bool {
    commands(group).any(|command| is_our_command(&command, GATE))
}

/// The group without our hooks; `None` if it held no others.
fn without(group: &str) -> Option<String> {
    if !has_ours(group) {
        return Some(group.to_owned());
    }
    let mut value: Value = serde_json::from_str(group).ok()?;
    let hooks = value.get_mut("hooks")?.as_array_mut()?;
    hooks.retain(|hook| !is_ours(hook, GATE));
    if hooks.is_empty() { None } else { Some(pretty(&value, 3)) }
}

fn is_ours(hook: &Value, ending: &str) -> bool {
    hook.get("command").and_then(Value::as_str).is_some_and(|command| is_our_command(command, ending))
}

/// True for `…/tokmeter gate --hook claude`, whatever the path of the program.
fn is_our_command(command: &str, ending: &str) -> bool {
    command.strip_suffix(ending).is_some_and(|program| {
        let program = program.trim_matches(['\'', '"']);
        program.rsplit(['/', '\\']).next().is_some_and(|name| name == "tokmeter" || name == "tokmeter.exe")
    })
}

/// Pretty-prints a value, its lines indented for `depth`.
fn pretty(value: &Value, depth: usize) -> String {
    let text = serde_json::to_string_pretty(value).unwrap_or_default();
    text.replace('\n', &format!("\n{}", "  ".repeat(depth)))
}

fn list(items: &[String], depth: usize) -> String {
    let (outer, inner) = ("  ".repeat(depth), "  ".repeat(depth + 1));
    format!("[\n{inner}{}\n{outer}]", items.join(&format!(",\n{inner}")))
}

/// A line diff marked `-` and `+`, with one line of context.
pub(crate) fn difference(before: &str, after: &str) -> Vec<String> {
    let (before, after): (Vec<&str>, Vec<&str>) = (before.lines().collect(), after.lines().collect());
    let same_head = before.iter().zip(&after).take_while(|(one, other)| one == other).count();
    let tails = before[same_head..].iter().rev().zip(after[same_head..].iter().rev());
    let same_tail = tails.take_while(|(one, other)| one == other).count();
    let head = before[..same_head].last().map(|line| format!("  {line}"));
    let gone = before[same_head..before.len() - same_tail].iter().map(|line| format!("- {line}"));
    let new = after[same_head..after.len() - same_tail].iter().map(|line| format!("+ {line}"));
    let tail = before[before.len() - same_tail..].first().map(|line| format!("  {line}"));
    head.into_iter().chain(gone).chain(new).chain(tail).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const THEIRS: &str = r#"{
    "model" : "opus",
    "permissions": {"allow": ["Bash(ls:*)"],   "deny": []},
    "hooks": {
        "PreToolUse": [ {"matcher": "Bash", "hooks": [{"type": "command", "command": "lint"}]} ]
    },
    "zeta": 1.50
}
"#;

    fn value(text: &str) -> Value {
        serde_json::from_str(text).unwrap()
    }

    #[test]
    fn everything_else_is_kept_in_its_order_and_to_the_letter() {
        let merged = add(THEIRS, "/usr/bin/tokmeter").unwrap();
        assert!(merged.kept.is_empty());
        for kept in [r#"{"allow": ["Bash(ls:*)"],   "deny": []}"#, r#""command": "lint""#, "1.50"] {
            assert!(merged.text.contains(kept), "{kept} is not in {}", merged.text);
        }
        let keys: Vec<_> = Members::read(&merged.text).unwrap().0.into_iter().map(|(key, _)| key).collect();
        assert_eq!(keys, ["model", "permissions", "hooks", "zeta", "statusLine"]);
        let after = value(&merged.text);
        assert_eq!(after["hooks"]["PreToolUse"].as_array().unwrap().len(), 2);
        assert_eq!(after["hooks"]["PostToolBatch"][0]["hooks"][0]["command"], "/usr/bin/tokmeter gate --hook claude");
        assert!(after["hooks"].get("Stop").is_none());
        assert_eq!(after["statusLine"]["command"], "/usr/bin/tokmeter statusline");
    }

    #[test]
    fn adding_twice_is_adding_once_and_a_program_that_moved_is_found_again() {
        let once = add(THEIRS, "/usr/bin/tokmeter").unwrap().text;
        assert_eq!(add(&once, "/usr/bin/tokmeter").unwrap().text, once);
        let moved = add(&once, "'/opt/my tools/tokmeter'").unwrap().text;
        assert!(!moved.contains("/usr/bin/"), "{moved}");
        assert_eq!(value(&remove(&moved).unwrap()), value(THEIRS));
    }

    #[test]
    fn taking_out_leaves_what_others_put_in() {
        for theirs in ["{}", THEIRS, r#"{"statusLine":{"type":"command","command":"mine.sh"}}"#] {
            let added = add(theirs, "tokmeter").unwrap().text;
            assert_eq!(value(&remove(&added).unwrap()), value(theirs));
            assert_eq!(remove(theirs).unwrap(), theirs);
        }
        let other = add(r#"{"statusLine":{"type":"command","command":"mine.sh"}}"#, "tokmeter").unwrap();
        assert!(other.kept[0].contains("another status line") && other.text.contains("mine.sh"));
    }

    #[test]
    fn what_is_not_of_the_documented_form_is_refused() {
        for wrong in ["[]", "{", "// x\n{}", r#"{"hooks":[]}"#, r#"{"hooks":{"PreToolUse":{}}}"#] {
            assert!(add(wrong, "tokmeter").is_err(), "{wrong}");
        }
    }

    #[test]
    fn the_difference_shows_what_is_added_and_a_line_around_it() {
        assert_eq!(difference("{\n  a\n}\n", "{\n  a,\n  b\n}\n"), ["  {", "-   a", "+   a,", "+   b", "  }"]);
        assert_eq!(difference("", "{}\n"), ["+ {}"]);
    }
}
