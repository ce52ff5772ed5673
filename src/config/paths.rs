//! Locations of the config, ledger and socket.

use std::path::{Path, PathBuf};

use super::absolute::absolute;
use super::{Diagnostic, Env, Overrides, Where, trust};
use crate::domain::Label;

/// Name of our folder in the system's standard folders.
const NAME: &str = "tokmeter";

/// Locations, with flags taking precedence over the environment and the system's folders.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Paths {
    /// Path of the config file, whether it exists or not; `None` without a home.
    pub config: Option<PathBuf>,
    /// True when a flag or a variable named it, so it must exist.
    pub config_given: bool,
    /// Folder of the ledger and the usage log; `None` without a home.
    pub data: Option<PathBuf>,
    /// Cache folder.
    pub cache: Option<PathBuf>,
    /// File for the program's own log; `None` if it is off.
    pub log: Option<PathBuf>,
    /// Why the named data folder is not used: its content cannot be trusted.
    pub data_refusal: Option<String>,
    /// Problems found.
    pub problems: Vec<Diagnostic>,
}

impl Paths {
    /// Determines the locations without opening or creating anything.
    ///
    /// A variable that points into the working directory is ignored: a repository that ships a file of variables must
    /// not change limits or move the ledger. Flags are trusted.
    pub fn resolve(env: &Env, overrides: &Overrides) -> Self {
        let mut problems = Vec::new();
        let config = config(env, overrides, &mut problems);
        let data = data(env, overrides, &mut problems);
        let cache = env.path_var("XDG_CACHE_HOME").or_else(|| env.folders.cache.clone());
        let log = overrides.log.as_deref().map(|path| absolute(env, path)).or_else(|| {
            let path = trust::given_path(env, "TOKMETER_LOG")?;
            trust::variable_path(env, "TOKMETER_LOG", path, None, LOG, &mut problems)
        });
        // `SocketPath` uses its value; its problem is reported here, once per command.
        socket_given(env, &mut problems);
        if data.is_none() {
            let why = if env.var("HOME").is_some() { "is not an absolute path" } else { "is not set" };
            let what = "there is no data folder: nothing is booked (set HOME or TOKMETER_DATA_DIR)";
            problems.push(Diagnostic::warning(Where::Variable("HOME"), format!("{why}, so {what}")));
        }
        let mut paths = Self {
            config_given: config.1,
            config: config.0,
            data,
            cache: cache.map(|folder| folder.join(NAME)),
            log,
            data_refusal: None,
            problems,
        };
        paths.distrust(env.uid);
        paths
    }

    /// Rejects the data folder if other users can modify its content, or may have done so.
    fn distrust(&mut self, uid: u32) {
        let Some(folder) = &self.data else { return };
        let Some(why) = trust::open_to_others(folder, uid) else { return };
        if let Some(refusal) = trust::planted(folder, uid, JOURNALS, &journals(folder)) {
            self.problems.push(Diagnostic::warning(Where::Path(Label::new("data folder")), &refusal));
            self.data_refusal = Some(refusal);
            self.data = None;
            return;
        }
        let at = Where::Path(Label::from_path(folder));
        self.problems.push(Diagnostic::warning(at, format!("the data folder {why}")));
    }

    /// Explains why there is no data folder.
    pub fn why_no_data(&self) -> String {
        let refusal = self.data_refusal.clone();
        refusal.unwrap_or_else(|| "there is no data folder: set HOME or TOKMETER_DATA_DIR".to_owned())
    }

    /// Path of the ledger.
    pub fn ledger(&self) -> Option<PathBuf> {
        self.data.as_ref().map(|folder| folder.join("ledger.db"))
    }

    /// The default usage log.
    pub fn usage_log(&self) -> Option<PathBuf> {
        self.data.as_ref().map(|folder| folder.join("usage.jsonl"))
    }

    /// File of calls that no meter has accepted yet.
    pub fn spool(&self) -> Option<PathBuf> {
        self.data.as_ref().map(|folder| folder.join("spool.jsonl"))
    }

    /// File of the proxy's keys.
    pub fn proxy_keys(&self) -> Option<PathBuf> {
        self.data.as_ref().map(|folder| folder.join("keys.jsonl"))
    }

    /// Proxy journals in the data folder: their calls may not be in the ledger yet.
    pub fn journals(&self) -> Vec<PathBuf> {
        self.data.as_deref().map(journals).unwrap_or_default()
    }

    /// Folder of the user's themes, next to the config.
    pub fn themes(&self) -> Option<PathBuf> {
        self.config.as_ref().and_then(|file| file.parent()).map(|folder| folder.join("themes"))
    }

    /// Creates the data folder with mode 0700, unless it exists.
    ///
    /// # Errors
    /// A sentence that names the folder, gives the reason, and says what to do.
    pub fn make_data_folder(&self) -> Result<PathBuf, String> {
        let folder = self.data.clone().ok_or_else(|| self.why_no_data())?;
        make_private_folder(&folder).map_err(|error| {
            let shown = Label::new(&folder.to_string_lossy());
            format!("{shown} cannot be made: {error}; name a folder you can write with --data-dir or TOKMETER_DATA_DIR")
        })?;
        Ok(folder)
    }
}

/// Folder of the proxies' journals, within the data folder. A journal is written on every call; directly in the data
/// folder, each write would wake every process watching it.
pub(crate) const JOURNALS: &str = "proxy";

/// Proxy journals in a data folder. Earlier versions kept them in the data folder itself, as `proxy-PID-N.jsonl`.
pub(crate) fn journals(folder: &Path) -> Vec<PathBuf> {
    let lines = |folder: &Path, beginning: &str| -> Vec<PathBuf> {
        let Ok(entries) = std::fs::read_dir(folder) else { return Vec::new() };
        let journals = entries.filter_map(Result::ok).filter(|entry| {
            let name = entry.file_name();
            let stem = name.to_str().and_then(|name| name.strip_suffix(".jsonl"));
            stem.is_some_and(|stem| stem.starts_with(beginning))
        });
        journals.map(|entry| entry.path()).collect()
    };
    let mut all = lines(&folder.join(JOURNALS), "");
    all.extend(lines(folder, "proxy-"));
    all
}

/// For each location: the reason it is ignored in the working directory, and the flag that can name it.
const CONFIG: (&str, &str) = ("change limits", "--config");
const DATA: (&str, &str) = ("decide where the ledger is", "--data-dir");
const LOG: (&str, &str) = ("be written", "--log");
const SOCKET: (&str, &str) = ("stand in for the meter", "--socket");

/// The config file, and whether it was given explicitly.
fn config(env: &Env, overrides: &Overrides, problems: &mut Vec<Diagnostic>) -> (Option<PathBuf>, bool) {
    let home = home_of(env, "XDG_CONFIG_HOME", ".config", env.folders.config.as_ref(), CONFIG, problems);
    let usual = home.map(|folder| folder.join(NAME).join("config.toml"));
    let given = overrides.config.as_deref().map(|path| absolute(env, path)).or_else(|| {
        let path = trust::given_path(env, "TOKMETER_CONFIG")?;
        trust::variable_path(env, "TOKMETER_CONFIG", path, usual.as_deref(), CONFIG, problems)
    });
    (given.clone().or(usual), given.is_some())
}

/// The data folder.
fn data(env: &Env, overrides: &Overrides, problems: &mut Vec<Diagnostic>) -> Option<PathBuf> {
    if let Some(path) = &overrides.data_dir {
        return Some(absolute(env, path));
    }
    let home = home_of(env, "XDG_DATA_HOME", ".local/share", env.folders.data.as_ref(), DATA, problems);
    let usual = home.map(|folder| folder.join(NAME));
    let given = trust::given_path(env, "TOKMETER_DATA_DIR")
        .and_then(|path| trust::variable_path(env, "TOKMETER_DATA_DIR", path, usual.as_deref(), DATA, problems));
    given.or(usual)
}

/// The folder named by a system variable, otherwise the system's own.
fn home_of(
    env: &Env,
    name: &'static str,
    below_home: &str,
    systems: Option<&PathBuf>,
    about: (&str, &str),
    problems: &mut Vec<Diagnostic>,
) -> Option<PathBuf> {
    let own = || env.home.as_ref().map(|home| home.join(below_home));
    let Some(path) = env.path_var(name) else { return systems.cloned() };
    let given =
        trust::variable_path(env, name, path.join(NAME), own().map(|own| own.join(NAME)).as_deref(), about, problems);
    match given {
        Some(_) => Some(path),
        // The system's own folder may come from the same variable.
        None => systems.filter(|folder| **folder != path).cloned().or_else(own),
    }
}

/// The socket named by `TOKMETER_SOCKET`.
pub(crate) fn socket_given(env: &Env, problems: &mut Vec<Diagnostic>) -> Option<PathBuf> {
    let path = trust::given_path(env, "TOKMETER_SOCKET")?;
    trust::variable_path(env, "TOKMETER_SOCKET", path, None, SOCKET, problems)
}

/// Creates a folder and its parents with mode 0700.
pub(crate) fn make_private_folder(folder: &Path) -> std::io::Result<()> {
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Folders;
    use crate::domain::Instant;

    fn env(vars: &[(&str, &str)]) -> Env {
        let home = PathBuf::from("/home/alice");
        Env {
            vars: vars.iter().map(|(name, value)| (name.into(), value.into())).collect(),
            folders: Folders {
                config: Some(home.join(".config")),
                data: Some(home.join(".local/share")),
                cache: Some(home.join(".cache")),
            },
            home: Some(home),
            cwd: PathBuf::from("/src/repo"),
            ..Env::empty(Instant::UNIX_EPOCH)
        }
    }

    fn to_text(path: Option<PathBuf>) -> String {
        path.map(|path| path.to_string_lossy().into_owned()).unwrap_or_default()
    }

    #[test]
    fn flags_go_before_variables_and_variables_before_the_systems_folders() {
        let paths = Paths::resolve(&env(&[]), &Overrides::default());
        assert_eq!(to_text(paths.config.clone()), "/home/alice/.config/tokmeter/config.toml");
        assert_eq!(to_text(paths.ledger()), "/home/alice/.local/share/tokmeter/ledger.db");
        assert_eq!(to_text(paths.themes()), "/home/alice/.config/tokmeter/themes");
        assert!(!paths.config_given);

        let xdg = env(&[("XDG_CONFIG_HOME", "/etc/alice"), ("XDG_DATA_HOME", "relative")]);
        let paths = Paths::resolve(&xdg, &Overrides::default());
        assert_eq!(to_text(paths.config), "/etc/alice/tokmeter/config.toml");
        assert_eq!(to_text(paths.data), "/home/alice/.local/share/tokmeter");

        let own = env(&[("TOKMETER_CONFIG", "~/c.toml"), ("TOKMETER_DATA_DIR", "/data")]);
        let paths = Paths::resolve(&own, &Overrides::default());
        assert_eq!((to_text(paths.config.clone()), paths.config_given), ("/home/alice/c.toml".to_owned(), true));
        assert_eq!(to_text(paths.usage_log()), "/data/usage.jsonl");

        let flags = Overrides { config: Some("../c.toml".into()), data_dir: Some("d".into()), ..Overrides::default() };
        let paths = Paths::resolve(&own, &flags);
        assert_eq!(
            (to_text(paths.config.clone()), to_text(paths.spool())),
            ("/src/c.toml".into(), "/src/repo/d/spool.jsonl".into())
        );
    }

    #[test]
    fn g6_without_a_home_nothing_is_guessed_and_it_is_said() {
        let paths = Paths::resolve(&Env::empty(Instant::UNIX_EPOCH), &Overrides::default());
        assert_eq!((&paths.config, &paths.data), (&None, &None));
        assert!(paths.problems[0].to_string().starts_with("HOME: warning: is not set"), "{:?}", paths.problems);
        assert!(paths.make_data_folder().is_err_and(|text| text.contains("TOKMETER_DATA_DIR")));
    }

    #[test]
    fn g6_a_home_that_cannot_be_written_names_the_path_that_was_tried() {
        let base = tempfile::tempdir().unwrap();
        // A file where a folder is needed stops even root.
        let file = base.path().join("home");
        std::fs::write(&file, "").unwrap();
        let paths = Paths { data: Some(file.join("tokmeter")), ..Paths::default() };
        let why = paths.make_data_folder().unwrap_err();
        assert!(why.starts_with(&*file.join("tokmeter").to_string_lossy()) && why.contains("--data-dir"), "{why}");
    }

    #[cfg(unix)]
    #[test]
    fn i6_the_data_folder_is_made_for_its_owner_only() {
        use std::os::unix::fs::PermissionsExt as _;
        let base = tempfile::tempdir().unwrap();
        let paths = Paths { data: Some(base.path().join("a/b")), ..Paths::default() };
        let made = paths.make_data_folder().unwrap();
        assert_eq!(std::fs::metadata(&made).unwrap().permissions().mode() & 0o777, 0o700);
        assert_eq!(paths.make_data_folder(), Ok(made));
    }

    #[test]
    fn j15_no_variable_moves_config_books_socket_or_log_into_the_working_folder() {
        let all = [
            ("XDG_CONFIG_HOME", "/src/repo"),
            ("XDG_DATA_HOME", "/src/repo/x"),
            ("TOKMETER_CONFIG", "/src/repo/c.toml"),
            ("TOKMETER_DATA_DIR", "d"),
            ("TOKMETER_SOCKET", "./s.sock"),
            ("TOKMETER_LOG", "t.log"),
        ];
        for given in all {
            let hostile = env(&[given]);
            let paths = Paths::resolve(&hostile, &Overrides::default());
            let usual = Paths::resolve(&env(&[]), &Overrides::default());
            assert_eq!((&paths.config, &paths.data, &paths.log), (&usual.config, &usual.data, &None));
            let problems: Vec<String> = paths.problems.iter().map(ToString::to_string).collect();
            assert!(
                problems.len() == 1 && problems[0].starts_with(&format!("{}: warning: names /src/repo", given.0)),
                "{problems:?}"
            );
            assert!(problems[0].contains("ignored"));
        }
        // The config's folder may be above the working directory with the config still inside it.
        let inside = Env { cwd: "/src/repo/tokmeter".into(), ..env(&[("XDG_CONFIG_HOME", "/src/repo")]) };
        assert_eq!(
            to_text(Paths::resolve(&inside, &Overrides::default()).config),
            "/home/alice/.config/tokmeter/config.toml"
        );
        // A variable that names the default location changes nothing, whatever the working directory.
        let dots = Env { cwd: "/home/alice/.config".into(), ..env(&[("XDG_CONFIG_HOME", "/home/alice/.config")]) };
        let paths = Paths::resolve(&dots, &Overrides::default());
        assert_eq!(
            (to_text(paths.config), paths.problems.len()),
            ("/home/alice/.config/tokmeter/config.toml".into(), 0)
        );
        // The system's own folder may come from the same variable.
        let mut same = env(&[("XDG_CONFIG_HOME", "/src/repo")]);
        same.folders.config = Some("/src/repo".into());
        assert_eq!(
            to_text(Paths::resolve(&same, &Overrides::default()).config),
            "/home/alice/.config/tokmeter/config.toml"
        );
        let flag = Overrides { data_dir: Some("/src/repo/d".into()), ..Overrides::default() };
        assert_eq!(to_text(Paths::resolve(&env(&[]), &flag).data), "/src/repo/d");
        let flag = Overrides { log: Some("t.log".into()), ..Overrides::default() };
        assert_eq!(to_text(Paths::resolve(&env(&[("TOKMETER_LOG", "/l")]), &flag).log), "/src/repo/t.log");
        assert_eq!(to_text(Paths::resolve(&env(&[("TOKMETER_LOG", "/l")]), &Overrides::default()).log), "/l");
    }

    #[test]
    fn i11_a_variable_cannot_make_a_file_of_the_working_folder_the_config() {
        for hostile in ["/src/repo/evil.toml", "evil.toml", "sub/evil.toml", "/src/repo/../repo/evil.toml"] {
            let paths = Paths::resolve(&env(&[("TOKMETER_CONFIG", hostile)]), &Overrides::default());
            assert_eq!(to_text(paths.config), "/home/alice/.config/tokmeter/config.toml", "{hostile}");
            assert!(!paths.config_given && paths.problems.len() == 1);
        }
        // The home folder and its parents do not count as a repository.
        let at_home = Env { cwd: "/home/alice".into(), ..env(&[("TOKMETER_CONFIG", "/home/alice/dot/c.toml")]) };
        assert_eq!(to_text(Paths::resolve(&at_home, &Overrides::default()).config), "/home/alice/dot/c.toml");
    }
}
