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
