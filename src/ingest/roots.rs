//! Locations of logs.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// Folders and files with logs, whether they exist yet or not.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Roots {
    /// Folders of Claude Code's transcripts.
    pub claude: Vec<PathBuf>,
    /// Folders of Codex's rollouts.
    pub codex: Vec<PathBuf>,
    /// Logs in the native format: the default usage log and the spool.
    pub native: Vec<PathBuf>,
    /// Files and folders named by the user.
    pub extra: Vec<PathBuf>,
}

/// Owner of a root, which decides the file names read in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RootKind {
    /// An agent's own folder: only that agent writes there.
    Agent,
    /// Our own log, to which any program may write.
    Own,
    /// Named by the user.
    Named,
}

impl Roots {
    /// All standard locations of agents' logs on this machine.
    ///
    /// `var` looks up environment variables. One that names an agent's folder (`CLAUDE_CONFIG_DIR`, several separated
    /// by commas; `CODEX_HOME`) replaces the standard locations, as it does for the agent.
    pub fn discover(home: Option<&Path>, var: impl Fn(&str) -> Option<OsString>) -> Self {
        let var = |name: &str| var(name).filter(|value| !value.is_empty());
        let claude: Vec<PathBuf> = match var("CLAUDE_CONFIG_DIR") {
            Some(list) => split(&list),
            None => {
                let config = var("XDG_CONFIG_HOME")
                    .map(PathBuf::from)
                    .filter(|path| path.is_absolute())
                    .or_else(|| home.map(|home| home.join(".config")));
                let usual = home.map(|home| home.join(".claude"));
                usual.into_iter().chain(config.map(|config| config.join("claude"))).collect()
            }
        };
        let codex = var("CODEX_HOME").map(PathBuf::from).or_else(|| home.map(|home| home.join(".codex")));
        Self {
            claude: distinct(claude.into_iter().map(|folder| folder.join("projects"))),
            codex: codex
                .into_iter()
                .flat_map(|folder| ["sessions", "archived_sessions"].map(|name| folder.join(name)))
                .collect(),
            ..Self::default()
        }
    }

    /// These paths only.
    pub fn only(paths: impl IntoIterator<Item = PathBuf>) -> Self {
        Self { extra: distinct(paths), ..Self::default() }
    }

    /// One session: its transcript and its sub-agents' folder.
    ///
    /// Read by status lines and hooks before they answer.
    pub fn session(transcript: &Path) -> Self {
        Self { claude: vec![transcript.to_owned(), transcript.with_extension("").join("subagents")], ..Self::default() }
    }

    /// All roots without duplicates, with their kinds.
    pub fn all(&self) -> Vec<(PathBuf, RootKind)> {
        let agents = self.claude.iter().chain(&self.codex).map(|path| (path, RootKind::Agent));
        let own = self.native.iter().map(|path| (path, RootKind::Own));
        let named = self.extra.iter().map(|path| (path, RootKind::Named));
        let mut all: Vec<(PathBuf, RootKind)> = Vec::new();
        for (path, layout) in agents.chain(own).chain(named) {
            match all.iter_mut().find(|(earlier, _)| earlier == path) {
                // Roots named by the user accept more file names.
                Some((_, earlier)) if layout == RootKind::Named => *earlier = layout,
                Some(_) => {}
                None => all.push((path.clone(), layout)),
            }
        }
        all
    }
}

/// True when a path equals a folder or is inside it. Both must be normalised, without doubled separators and the like.
///
/// `Path::starts_with` parses both paths, which is noticeable with a thousand files under several roots.
pub(super) fn lies_in(path: &Path, folder: &Path) -> bool {
    if cfg!(not(unix)) {
        return path.starts_with(folder);
    }
    let folder = folder.as_os_str().as_encoded_bytes();
    let rest = path.as_os_str().as_encoded_bytes().strip_prefix(folder);
    rest.is_some_and(|rest| rest.is_empty() || rest[0] == b'/' || folder.ends_with(b"/"))
}

/// Splits a comma-separated list of folders. Text that is not UTF-8 is one folder.
fn split(list: &OsString) -> Vec<PathBuf> {
    match list.to_str() {
        Some(text) => text.split(',').map(str::trim).filter(|part| !part.is_empty()).map(PathBuf::from).collect(),
        None => vec![PathBuf::from(list)],
    }
}

fn distinct(paths: impl IntoIterator<Item = PathBuf>) -> Vec<PathBuf> {
    let mut all = Vec::new();
    for path in paths {
        if !all.contains(&path) {
            all.push(path);
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(vars: &[(&str, &str)]) -> Roots {
        Roots::discover(Some(Path::new("/home/alice")), |name| {
            vars.iter().find(|(key, _)| *key == name).map(|(_, value)| OsString::from(value))
        })
    }

    fn paths(list: &[&str]) -> Vec<PathBuf> {
        list.iter().map(PathBuf::from).collect()
    }

    #[test]
    fn without_variables_the_usual_folders_are_looked_at() {
        let roots = found(&[]);
        assert_eq!(roots.claude, paths(&["/home/alice/.claude/projects", "/home/alice/.config/claude/projects"]));
        assert_eq!(roots.codex, paths(&["/home/alice/.codex/sessions", "/home/alice/.codex/archived_sessions"]));
    }

    #[test]
    fn a_variable_stands_instead_of_the_usual_folder() {
        let roots = found(&[("CLAUDE_CONFIG_DIR", "/a, /b,,/a"), ("CODEX_HOME", "/c"), ("XDG_CONFIG_HOME", "/x")]);
        assert_eq!(roots.claude, paths(&["/a/projects", "/b/projects"]));
        assert_eq!(roots.codex, paths(&["/c/sessions", "/c/archived_sessions"]));
    }

    #[test]
    fn the_config_folder_is_the_one_the_desktop_names_if_it_is_absolute() {
        let claude = |config: &str| found(&[("XDG_CONFIG_HOME", config)]).claude[1].clone();
        assert_eq!(claude("/x"), Path::new("/x/claude/projects"));
        assert_eq!(claude("x"), Path::new("/home/alice/.config/claude/projects"));
        assert_eq!(claude(""), Path::new("/home/alice/.config/claude/projects"));
    }

    #[test]
    fn without_a_home_only_variables_name_places() {
        let roots = Roots::discover(None, |name| (name == "CODEX_HOME").then(|| OsString::from("/c")));
        assert_eq!((roots.claude.len(), roots.codex.len()), (0, 2));
    }

    #[test]
    fn a_session_is_its_transcript_and_its_sub_agents() {
        let roots = Roots::session(Path::new("/p/76a2.jsonl"));
        assert_eq!(roots.claude, paths(&["/p/76a2.jsonl", "/p/76a2/subagents"]));
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
}
