//! Where each agent's logs are looked for, and how environment variables change that.

use super::*;

fn found(vars: &[(&str, &str)]) -> Roots {
    Roots::discover(Some(Path::new("/home/alice")), |name| {
        vars.iter().find(|(key, _)| *key == name).map(|(_, value)| OsString::from(value))
    })
}

fn paths(list: &[&str]) -> Vec<PathBuf> {
    list.iter().map(PathBuf::from).collect()
}

fn of(roots: &Roots, format: &str) -> Vec<PathBuf> {
    let id = FormatId::of_name(format).unwrap();
    roots.agents.iter().filter(|(other, _)| *other == id).map(|(_, location)| location.path.clone()).collect()
}

#[test]
fn without_variables_the_usual_folders_are_looked_at() {
    let roots = found(&[]);
    let own = ["/home/alice/.claude/projects", "/home/alice/.config/claude/projects"];
    assert!(of(&roots, "claude-code").starts_with(&paths(&own)));
    let own = ["/home/alice/.codex/sessions", "/home/alice/.codex/archived_sessions"];
    assert!(of(&roots, "codex").starts_with(&paths(&own)));
    assert_eq!(of(&roots, "gemini-cli"), paths(&["/home/alice/.gemini/tmp"]));
    let data = "/home/alice/.local/share/opencode";
    assert_eq!(of(&roots, "opencode"), paths(&[data, &format!("{data}/storage/message")]));
    assert!(of(&roots, "goose").contains(&"/home/alice/.local/share/goose/sessions".into()));
    for (format, first) in [
        ("qwen-code", "/home/alice/.qwen/projects"),
        ("copilot", "/home/alice/.copilot/session-state"),
        ("pi", "/home/alice/.pi/agent/sessions"),
        ("oh-my-pi", "/home/alice/.omp/agent/sessions"),
        ("openclaw", "/home/alice/.openclaw/agents"),
        ("kimi-code", "/home/alice/.kimi-code/sessions"),
        ("cline", "/home/alice/.cline/data/sessions"),
        ("kilo", "/home/alice/.local/share/kilo"),
        ("mimo", "/home/alice/.local/share/mimocode"),
        ("droid", "/home/alice/.factory/sessions"),
        ("vibe", "/home/alice/.vibe/logs/session"),
        ("amp", "/home/alice/.local/share/amp/threads"),
    ] {
        assert_eq!(of(&roots, format)[0], Path::new(first), "{format}");
    }
}

#[test]
fn extensions_are_looked_for_in_every_editor() {
    let roots = found(&[("XDG_CONFIG_HOME", "/x"), ("APPDATA", "/x")]);
    let below = |editor: &str, id: &str| format!("{editor}/User/globalStorage/{id}/tasks");
    for (format, id) in [
        ("cline", "saoudrizwan.claude-dev"),
        ("roo-code", "rooveterinaryinc.roo-cline"),
        ("kilo-code", "kilocode.kilo-code"),
    ] {
        let places = of(&roots, format);
        let own = if cfg!(target_os = "macos") { "/home/alice/Library/Application Support" } else { "/x" };
        assert!(places.contains(&PathBuf::from(below(&format!("{own}/Code - Insiders"), id))), "{places:?}");
        assert!(places.contains(&PathBuf::from(below("/home/alice/.vscode-server/data", id))), "{places:?}");
    }
}

#[test]
fn a_variable_stands_instead_of_the_usual_folder() {
    let roots = found(&[("CLAUDE_CONFIG_DIR", "/a, /b,,/a"), ("CODEX_HOME", "/c"), ("XDG_CONFIG_HOME", "/x")]);
    assert!(of(&roots, "claude-code").starts_with(&paths(&["/a/projects", "/b/projects"])));
    assert!(of(&roots, "codex").starts_with(&paths(&["/c/sessions", "/c/archived_sessions"])));
    for usual in ["/home/alice/.claude/projects", "/x/claude/projects", "/home/alice/.codex/sessions"] {
        assert!(roots.agents.iter().all(|(_, place)| place.path != Path::new(usual)), "{usual}");
    }
    let roots = found(&[("GEMINI_CLI_HOME", "/g"), ("XDG_DATA_HOME", "/d"), ("GOOSE_PATH_ROOT", "/r")]);
    assert_eq!(of(&roots, "gemini-cli"), paths(&["/g/.gemini/tmp"]));
    assert_eq!(of(&roots, "opencode"), paths(&["/d/opencode", "/d/opencode/storage/message"]));
    assert_eq!(of(&roots, "goose"), paths(&["/r/data/sessions"]));
    let named = |name: &str| of(&found(&[("XDG_DATA_HOME", "/d"), ("OPENCODE_DB", name)]), "opencode")[0].clone();
    assert_eq!((named("/o/x.db"), named("x.db")), ("/o/x.db".into(), "/d/opencode/x.db".into()));
    assert_eq!(named(":memory:"), Path::new("/d/opencode"));
    for (variable, value, format, first) in [
        ("QWEN_HOME", "/q", "qwen-code", "/q/projects"),
        ("QWEN_RUNTIME_DIR", "/q", "qwen-code", "/q/projects"),
        ("COPILOT_HOME", "/c", "copilot", "/c/session-state"),
        ("PI_CODING_AGENT_DIR", "/p", "pi", "/p/sessions"),
        ("PI_CODING_AGENT_SESSION_DIR", "/p", "pi", "/p"),
        ("OPENCLAW_STATE_DIR", "/o", "openclaw", "/o/agents"),
        ("KIMI_CODE_HOME", "/k", "kimi-code", "/k/sessions"),
        ("CLINE_DIR", "/c", "cline", "/c/data/sessions"),
        ("CLINE_DATA_DIR", "/c", "cline", "/c/sessions"),
        ("CLINE_SESSION_DATA_DIR", "/c", "cline", "/c"),
        ("KILO_DB", "/k.db", "kilo", "/k.db"),
        ("FACTORY_HOME_OVERRIDE", "/f", "droid", "/f/.factory/sessions"),
        ("VIBE_HOME", "/v", "vibe", "/v/logs/session"),
        ("AIDER_ANALYTICS_LOG", "/a.jsonl", "aider", "/a.jsonl"),
        ("LLM_USER_PATH", "/l", "llm", "/l"),
        ("AMP_DATA_DIR", "/a", "amp", "/a/threads"),
    ] {
        assert_eq!(of(&found(&[(variable, value)]), format)[0], Path::new(first), "{variable}");
    }
    let relative = found(&[("GOOSE_PATH_ROOT", "r"), ("XDG_DATA_HOME", "d")]);
    assert_eq!(of(&relative, "goose")[0], Path::new("/home/alice/.local/share/goose/sessions"));
}

#[test]
fn what_writes_as_an_agent_does_has_a_home_of_its_own_besides() {
    let vars = [("CLAUDE_CONFIG_DIR", "/a"), ("CODEX_HOME", "/c"), ("XDG_CONFIG_HOME", "/x")];
    let (usual, named) = (found(&[]), found(&vars));
    for roots in [&usual, &named] {
        assert!(of(roots, "claude-code").contains(&"/home/alice/.openclaude/projects".into()));
        assert!(of(roots, "codex").contains(&"/home/alice/.trae/cli/sessions".into()));
    }
    if cfg!(not(any(windows, target_os = "macos"))) {
        for below in ["CherryStudio/Data/Agents/.claude/projects", "Claude/local-agent-mode-sessions"] {
            assert!(of(&usual, "claude-code").contains(&Path::new("/home/alice/.config").join(below)), "{below}");
            assert!(of(&named, "claude-code").contains(&Path::new("/x").join(below)), "{below}");
        }
    }
    assert_eq!(
        of(&found(&[("TRAE_HOME", "/t")]), "codex")[2..],
        paths(&["/t/cli/sessions", "/t/cli/archived_sessions"])
    );
    let both = found(&[("TRAE_HOME", "/t"), ("TRAECLI_HOME", "/i")]);
    assert_eq!(of(&both, "codex")[2..], paths(&["/i/sessions", "/i/archived_sessions"]));
}

#[test]
fn an_agents_variable_moves_its_place() {
    let usual = |format: &str| of(&found(&[]), format);
    for (format, variable, below) in [
        ("grok-build", "GROK_HOME", "sessions"),
        ("reasonix", "REASONIX_STATE_HOME", "stats"),
        ("reasonix", "REASONIX_HOME", "stats"),
        ("openhands", "OPENHANDS_CONVERSATIONS_DIR", ""),
        ("openhands", "OPENHANDS_PERSISTENCE_DIR", "conversations"),
        ("continue", "CONTINUE_GLOBAL_DIR", "dev_data"),
        ("mux", "MUX_ROOT", "sessions"),
        ("codebuff", "CODEBUFF_DATA_DIR", "projects"),
        ("jcode", "JCODE_HOME", "sessions"),
        ("deepseek-harness", "DSH_HOME", "sessions"),
        ("hindsight", "HINDSIGHT_HOME", "usage"),
        ("muse", "XDG_DATA_HOME", "muse/sessions"),
    ] {
        let named = of(&found(&[(variable, "/v")]), format);
        assert_eq!(named[0], Path::new("/v").join(below), "{variable}");
        assert!(usual(format)[0].starts_with("/home/alice"), "{format}");
    }
    let both = found(&[("REASONIX_HOME", "/h"), ("REASONIX_STATE_HOME", "/s")]);
    assert_eq!(of(&both, "reasonix"), paths(&["/s/stats"]));
}

#[test]
#[cfg(target_os = "linux")]
fn desktop_programs_and_lists_of_places_follow_their_variables() {
    let usual = found(&[]);
    assert_eq!(of(&usual, "zed")[0], Path::new("/home/alice/.local/share/zed/threads"));
    assert_eq!(of(&usual, "cursor"), paths(&["/home/alice/.config/Cursor/User/globalStorage"]));
    assert_eq!(of(&usual, "hermes"), paths(&["/home/alice/.hermes"]));
    assert_eq!(of(&usual, "forge"), paths(&["/home/alice/.forge", "/home/alice/forge"]));
    let indexes = |roots: &Roots, format: &str| -> Vec<PathBuf> {
        let id = FormatId::of_name(format).unwrap();
        roots.indexes.iter().filter(|(other, _)| *other == id).map(|(_, path)| path.clone()).collect()
    };
    assert_eq!(indexes(&usual, "crush"), paths(&["/home/alice/.local/share/crush/projects.json"]));
    assert_eq!(indexes(&usual, "hermes"), paths(&["/home/alice/.hermes/profiles"]));
    let moved = found(&[
        ("XDG_DATA_HOME", "/d"),
        ("XDG_CONFIG_HOME", "/x"),
        ("CRUSH_GLOBAL_DATA", "/c"),
        ("HERMES_HOME", "/h"),
        ("FORGE_CONFIG", "/f"),
        ("UNSLOTH_STUDIO_HOME", "/u"),
    ]);
    assert_eq!(of(&moved, "zed")[0], Path::new("/d/zed/threads"));
    assert_eq!(of(&moved, "devin"), paths(&["/d/devin/cli"]));
    assert_eq!(of(&moved, "cursor"), paths(&["/x/Cursor/User/globalStorage"]));
    assert_eq!(of(&moved, "forge")[0], Path::new("/f"));
    assert_eq!((of(&moved, "hermes"), of(&moved, "unsloth")), (paths(&["/h"]), paths(&["/u"])));
    assert_eq!(
        (indexes(&moved, "crush"), indexes(&moved, "hermes")),
        (paths(&["/c/projects.json"]), paths(&["/h/profiles"]))
    );
}

#[test]
fn the_config_folder_is_the_one_the_desktop_names_if_it_is_absolute() {
    let claude = |config: &str| of(&found(&[("XDG_CONFIG_HOME", config)]), "claude-code")[1].clone();
    assert_eq!(claude("/x"), Path::new("/x/claude/projects"));
    assert_eq!(claude("x"), Path::new("/home/alice/.config/claude/projects"));
    assert_eq!(claude(""), Path::new("/home/alice/.config/claude/projects"));
}

#[test]
fn without_a_home_only_variables_name_places() {
    let roots = Roots::discover(None, |name| (name == "CODEX_HOME").then(|| OsString::from("/c")));
    assert_eq!(roots.all().len(), 2);
    assert_eq!(of(&roots, "codex").len(), 2);
}

#[test]
fn a_session_is_its_transcript_and_its_sub_agents() {
    let roots = Roots::session(Path::new("/p/76a2.jsonl"));
    assert_eq!(of(&roots, "claude-code"), paths(&["/p/76a2.jsonl", "/p/76a2/subagents"]));
}

#[test]
fn a_files_format_is_known_by_its_place_or_else_by_a_name_that_only_one_agent_gives() {
    let kind = |format: &str| RootKind::Agent(FormatId::of_name(format).unwrap());
    let framing = |kind: RootKind, name: &str| {
        let (id, framing) = kind.framing(OsStr::new(name));
        (id.map(|id| id.format().name()), framing)
    };
    assert_eq!(framing(kind("codex"), "rollout-1.jsonl"), (Some("codex"), Framing::Lines));
    assert_eq!(framing(kind("gemini-cli"), "session-1.json"), (Some("gemini-cli"), Framing::Document));
    assert_eq!(framing(kind("opencode"), "other.db"), (Some("opencode"), Framing::Sqlite));
    assert_eq!(framing(RootKind::Named, "session-1.json"), (Some("gemini-cli"), Framing::Document));
    assert_eq!(framing(RootKind::Named, "state.vscdb"), (Some("cursor"), Framing::Sqlite));
    // Two agents use this name. The tables decide which agent it is when they are read.
    assert_eq!(framing(RootKind::Named, "sessions.db"), (Some("devin"), Framing::Sqlite));
    assert_eq!(framing(kind("goose"), "sessions.db"), (Some("goose"), Framing::Sqlite));
    assert_eq!(framing(RootKind::Named, "rollout-1.jsonl"), (None, Framing::Lines));
    assert_eq!(framing(RootKind::Own, "session-1.json"), (None, Framing::Lines));
}

#[test]
fn a_home_that_the_user_names_has_the_places_of_agents_in_it() {
    let of = |kind: RootKind, path: &str| match kind.of_path(Path::new(path)) {
        Some((RootKind::Agent(id), is_flat)) => Some((id.format().name(), is_flat)),
        Some(_) | None => None,
    };
    for path in ["/mnt/kim/.augment/sessions", "/mnt/kim/.augment/sessions/1.json"] {
        assert_eq!(of(RootKind::Named, path), Some(("auggie", true)), "{path}");
        assert_eq!(of(RootKind::Own, path), None);
    }
    assert_eq!(of(RootKind::Named, "/mnt/augment/sessions/1.json"), None);
    assert_eq!(of(RootKind::Named, "/mnt/kim/.claude/projects"), None, "known by content");
}

#[test]
#[cfg(unix)]
fn wsl_shows_the_homes_of_windows_users_whose_programs_keep_to_the_customs_of_windows() {
    let keep = tempfile::tempdir().unwrap();
    let users = keep.path().join("c/Users");
    for home in ["kim/AppData/Roaming", "lee/AppData", "Public/AppData", "Default/AppData", "tools"] {
        std::fs::create_dir_all(users.join(home)).unwrap();
    }
    std::os::unix::fs::symlink(users.join("kim"), users.join("All of us")).unwrap();
    let mut roots = Roots::default();
    roots.add_windows_users(&users);
    let kim = |below: &str| users.join("kim").join(below);
    let sessions = ["kim", "lee"].map(|name| users.join(name).join(".qwen/projects"));
    assert!(of(&roots, "qwen-code").iter().filter(|path| path.ends_with("projects")).eq(&sessions));
    assert!(of(&roots, "cursor").contains(&kim("AppData/Roaming/Cursor/User/globalStorage")));
    assert!(of(&roots, "zed").contains(&kim("AppData/Local/Zed/threads")));
    assert!(of(&roots, "llm").contains(&kim("AppData/Roaming/io.datasette.llm")));
    assert!(of(&roots, "goose").contains(&kim("AppData/Roaming/Block/goose/data/sessions")));
    let tasks = kim("AppData/Roaming/Code/User/globalStorage/saoudrizwan.claude-dev/tasks");
    assert!(of(&roots, "cline").contains(&tasks));
    assert!(roots.indexes.iter().any(|(_, path)| *path == kim("AppData/Local/crush/projects.json")));
    assert!(roots.all().iter().all(|(path, _)| path.starts_with(kim("")) || path.starts_with(users.join("lee"))));
    roots.add_windows_users(&keep.path().join("d"));
}

#[test]
fn a_path_lies_in_a_folder_by_whole_names() {
    let lies = |path: &str, folder: &str| lies_in(Path::new(path), Path::new(folder));
    for (path, folder) in [("/a/b", "/a"), ("/a", "/a"), ("/a/b/c", "/"), ("a/b", "a")] {
        assert!(lies(path, folder), "{path} {folder}");
    }
    for (path, folder) in [("/ab", "/a"), ("/a", "/a/b"), ("/b/a", "/a"), ("a", "/a")] {
        assert!(!lies(path, folder), "{path} {folder}");
    }
}

#[test]
fn a_place_named_twice_is_looked_at_once() {
    let roots = Roots { native: paths(&["/u"]), extra: paths(&["/u", "/v"]), ..Roots::default() };
    let all = roots.all();
    assert_eq!(all, [(PathBuf::from("/u"), RootKind::Named), (PathBuf::from("/v"), RootKind::Named)]);
}
