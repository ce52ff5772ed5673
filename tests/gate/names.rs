//! Names that a caller of the gate, a limit or an override gives, and what is not checked without them.

use super::common::Home;
use super::{PRICE, USAGE_LOG, call, json, run};

/// A call of session `s1` with 2,000 output tokens, in this project.
fn in_project(project: &str) -> String {
    call("alice", "dollar", 2_000).replace("\"user\"", &format!("\"project\":\"{project}\",\"user\""))
}

#[test]
fn a_project_is_taken_by_as_many_of_its_last_folders_as_tell_it_from_others() {
    let home = Home::new();
    home.config("[limits.projects.\"/srv/api\"]\nday = \"1k tokens\"\n");
    home.write(USAGE_LOG, &["/srv/api", "/home/kim/api", "/srv/web"].map(in_project).concat());
    for (name, code) in [("/srv/api", 2), ("srv/api", 2), ("srv/api/", 2), ("kim/api", 0), ("web", 0)] {
        let said = run(&home, &["gate", "--project", name, "--json"], "");
        assert_eq!((said.code, &json(&said.out)["notes"]), (code, &serde_json::Value::Null), "{name}: {}", said.out);
    }
    let said = run(&home, &["report", "total", "--project", "srv/api", "--json"], "");
    assert_eq!(json(&said.out)["total"]["calls"], 1, "{} {}", said.out, said.err);
    let said = run(&home, &["limits", "set", "project:kim/api:day", "5k"], "");
    assert_eq!((said.out.as_str(), said.err.as_str()), ("project:/home/kim/api:day: 5k tokens\n", ""));
}

#[test]
fn a_name_that_several_share_is_held_to_the_limits_of_each() {
    let home = Home::new();
    let dated = |model: &str| in_project("/srv/web").replace("dollar", model);
    home.write(
        USAGE_LOG,
        &[in_project("/srv/api"), in_project("/home/kim/api"), dated("claude-opus-5"), dated("vendor/claude-opus-5")]
            .concat(),
    );
    let note = "tokmeter: project 'api' may be /home/kim/api or /srv/api; the limits of each are checked\n";
    for (limit, code) in [
        ("[limits.projects.\"/srv/api\"]\nday = \"1k tokens\"\n", 2),
        ("[limits.projects.\"/home/kim/api\"]\nday = \"1k tokens\"\n", 2),
        ("[limits.projects.\"*\"]\nday = \"1k tokens\"\n", 2),
        ("[limits.projects.\"/srv/web\"]\nday = \"1k tokens\"\n", 0),
        ("[limits]\nday = \"1M tokens\"\n", 0),
    ] {
        home.config(limit);
        let said = run(&home, &["gate", "--project", "api"], "");
        assert_eq!(said.code, code, "{limit}: {}", said.err);
        assert!(said.err.starts_with(note), "{limit}: {}", said.err);
    }
    let said = run(&home, &["gate", "--project", "api", "--json"], "");
    assert_eq!(json(&said.out)["limits"].as_array().unwrap().len(), 1, "what is common to both is named once");
    home.config("[limits.models.\"vendor/claude-opus-5\"]\nday = \"1k tokens\"\n");
    let said = run(&home, &["gate", "--model", "opus-5"], "");
    assert_eq!(said.code, 2, "{}", said.err);
    assert!(said.err.contains("model 'opus-5' may be claude-opus-5 or vendor/claude-opus-5"), "{}", said.err);
}

#[test]
fn an_override_is_for_a_session_that_is_known_by_the_name_given() {
    let home = Home::new();
    home.config("[limits]\ntotal = \"10 tokens\"\n");
    let id = "efb625ee-1111-4222-8333-444455556666";
    let in_folder = |session: &str, project: &str| in_project(project).replace("\"s1\"", &format!("\"{session}\""));
    home.write(USAGE_LOG, &(in_folder(id, "/srv/api") + &in_folder("other", "/srv/web")));
    for name in ["api efb625ee", "srv/api efb625ee", "efb625ee", "efb6", id] {
        let said = run(&home, &["limits", "override", name, "--reason", "release"], "");
        assert_eq!((said.code, said.err.as_str()), (0, ""), "{name}");
        assert_eq!(said.out, format!("Limits no longer stop session {id}: release\n"), "{name}");
        assert_eq!(run(&home, &["gate", "--session", id], "").code, 0, "{name}");
        assert_eq!(run(&home, &["limits", "override", name, "--revoke"], "").code, 0, "{name}");
        assert_eq!(run(&home, &["gate", "--session", id], "").code, 2, "{name}");
    }
    for (name, command) in [("api efb625ee", "gate"), ("api efb625ee", "summary")] {
        let words = if command == "gate" { vec![command, "--session", name] } else { vec![command, name] };
        let said = run(&home, &words, "");
        assert!(!said.err.contains("no call has") && said.code != 65, "{command}: {}", said.err);
    }
    for name in ["nosuchsession", "web efb625ee", "api nosuchsession-1234567", "e x"] {
        let said = run(&home, &["limits", "override", name, "--reason", "release"], "");
        assert_eq!((said.code, said.out.as_str()), (65, ""), "{name}");
        assert!(
            said.err.contains(&format!("no session is named '{name}'")) && said.err.contains("whole id"),
            "{}",
            said.err
        );
        assert_ne!(run(&home, &["limits", "override", name, "--revoke"], "").code, 0, "{name}");
    }
    let help = run(&home, &["limits", "override", "--help"], "").out;
    assert!(help.contains("<--reason <TEXT>|--revoke> <SESSION>"), "{help}");
}

#[test]
fn a_limit_of_whatever_the_caller_does_not_name_is_said_to_be_unchecked() {
    let home = Home::new();
    let tables = [("team", "web"), ("org", "acme"), ("feature", "search"), ("agent", "explore")];
    for (dimension, name) in tables {
        home.config(&format!("[limits.{dimension}s.{name}]\nday = \"1k tokens\"\n"));
        home.write(
            USAGE_LOG,
            &call("alice", "dollar", 2_000).replace("\"user\"", &format!("\"{dimension}\":\"{name}\",\"user\"")),
        );
        let said = run(&home, &["gate"], "");
        let note = format!("tokmeter: limits not checked: {dimension}:{name}:day (give --{dimension})\n");
        assert_eq!((said.code, said.err), (0, note));
        assert_eq!(run(&home, &["gate", &format!("--{dimension}"), name], "").code, 2, "{dimension}");
        let other = run(&home, &["gate", &format!("--{dimension}"), "other", "--json"], "");
        assert_eq!((other.code, &json(&other.out)["not_checked"]), (0, &serde_json::Value::Null), "{dimension}");
        // The session tells whose it is, but not which of its agents comes next.
        let said = run(&home, &["gate", "--session", "s1"], "");
        let is_told = matches!(dimension, "team" | "org");
        assert_eq!(said.code, if is_told { 2 } else { 0 }, "{dimension}: {}", said.err);
        assert_eq!(said.err.contains("not checked"), !is_told, "{dimension}: {}", said.err);
    }
    home.config("[limits.users.bob]\nday = \"1k tokens\"\n");
    home.write(USAGE_LOG, &call("bob", "dollar", 2_000));
    assert_eq!(run(&home, &["gate"], "").code, 0);
    assert_eq!(run(&home, &["gate", "--session", "s1"], "").code, 2);
    assert_eq!(run(&home, &["gate", "--session", "s1", "--user", "alice"], "").code, 0);
    home.config("[limits]\nrun = \"1k tokens\"\n");
    let said = run(&home, &["gate"], "").err;
    assert_eq!(said, "tokmeter: limits not checked: run (give --session, --agent)\n");
    let said = run(&home, &["gate", "--session", "s1", "--json"], "");
    assert_eq!((said.code, &json(&said.out)["not_checked"][0]), (0, &"run".into()));
    assert_eq!(run(&home, &["gate", "--session", "s1", "--agent", "explore"], "").code, 2);
}

#[test]
fn a_call_over_a_call_limit_is_said_and_refuses_nothing() {
    let home = Home::new();
    home.config(&format!("[limits]\ncall = \"1usd\"\n{PRICE}"));
    home.write(USAGE_LOG, &call("alice", "dollar", 2_000_000));
    let said = run(&home, &["gate"], "");
    let words = "A call is over the call limit: $2.00 of $1.00 used, measured on the largest call of the day; no call is refused for that";
    assert_eq!((said.code, said.err.trim_end()), (0, words));
    let answer = json(&run(&home, &["gate", "--json"], "").out);
    assert_eq!(
        (&answer["allowed"], &answer["verdict"], &answer["reason"]),
        (&true.into(), &"over".into(), &words.into())
    );
    home.config(&format!("[limits]\ncall = \"0usd\"\n{PRICE}"));
    let said = run(&home, &["gate"], "");
    assert!(said.code == 2 && said.err.starts_with("Call limit reached: "), "{}", said.err);
}

#[test]
fn a_model_is_known_by_any_spelling_of_one_that_calls_a_limit_or_a_price_name() {
    let home = Home::new();
    let dated = call("alice", "gpt-4o-2024-08-06", 2_000);
    home.write(USAGE_LOG, &(dated + &call("alice", "vendor/o9", 5)));
    home.config("[limits.models.gpt-4o-2024-08-06]\nday = \"1k tokens\"\n[aliases]\n\"Internal-Large\" = \"gpt-4o\"\n");
    for (name, code) in [
        ("GPT-4o", 2),
        ("GPT-4o-2024-08-06", 2),
        ("openai/gpt-4o-2024-08-06", 2),
        ("VENDOR/o9", 0),
        ("internal-large", 0),
    ] {
        let said = run(&home, &["gate", "--model", name, "--json"], "");
        assert_eq!((said.code, &json(&said.out)["notes"]), (code, &serde_json::Value::Null), "{name}: {}", said.out);
    }
    // A limit for every model names none, and a similar model is another one.
    home.config("[limits.models.\"*\"]\nday = \"1M tokens\"\n");
    for name in ["gpt-4o-mini", "gpt-9"] {
        let said = run(&home, &["gate", "--model", name], "");
        assert!(said.err.contains(&format!("no call has model '{name}'")), "{name}: {}", said.err);
    }
    // Before its first call a model is known only by its limit.
    home.config("[limits.models.\"claude-*\"]\nday = \"0 tokens\"\n");
    let said = run(&home, &["gate", "--model", "Claude-Opus-5"], "");
    assert_eq!((said.code, said.err.lines().count()), (2, 1), "{}", said.err);
    let said = run(&home, &["report", "total", "--model", "GPT-4o", "--json"], "");
    assert_eq!((json(&said.out)["total"]["calls"].as_u64(), said.err.as_str()), (Some(1), ""));
}
