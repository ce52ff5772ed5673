//! Context of a command: environment, settings, output streams.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::{Exit, Failure};
use crate::cli::{Cli, Color, Command};
use crate::config::{self, Env, Loaded, Overrides, Paths, Settings, regular_file};
use crate::domain::{Filter, Instant, Label};
use crate::ledger;
use crate::meter::Rules;
use crate::pricing::PriceBook;
use crate::theme::{self, ColorWhen, Themes, UserTheme};

/// Name of the imported price list in the data folder.
pub(super) const PRICE_LIST: &str = "prices.txt";

/// Size limit of an imported price list, in bytes, the same as for `prices update`.
const LONGEST_PRICES: u64 = 64 << 20;
/// Size limit of a theme file, in bytes.
const LONGEST_THEME: u64 = 1 << 20;

/// Environment, settings and output streams of a command.
pub(super) struct Context<'a> {
    pub(super) env: Env,
    /// Settings in force.
    pub(super) settings: Settings,
    /// Locations of the config and data.
    pub(super) paths: Paths,
    /// Command-line overrides, needed to reload the settings.
    pub(super) overrides: Overrides,
    /// Standard output: results.
    pub(super) out: &'a mut dyn Write,
    /// Standard error: everything else.
    pub(super) err: &'a mut dyn Write,
}

impl<'a> Context<'a> {
    /// Loads the settings and reports every problem of the config at once.
    ///
    /// # Errors
    /// When the config is invalid: exit code 78. A hook and the status line go on with the valid part; `config` reports
    /// the problems itself.
    pub(super) fn open(
        cli: &Cli,
        env: Env,
        out: &'a mut dyn Write,
        err: &'a mut dyn Write,
    ) -> Result<(Self, Loaded), Failure> {
        let overrides = overrides(cli);
        let (paths, loaded) = load(&env, &overrides);
        let lenient = match &cli.command {
            Some(Command::Statusline { .. }) => true,
            Some(Command::Gate(args)) => args.hook.is_some(),
            _ => false,
        };
        if !lenient && !matches!(cli.command, Some(Command::Config { .. })) {
            loaded.report(err)?;
            if !loaded.is_usable(cli.strict) {
                return Err(Failure::new(Exit::Config, ""));
            }
        }
        if !lenient {
            remove_strays(&paths);
        }
        let settings = loaded.settings.clone();
        Ok((Self { env, settings, paths, overrides, out, err }, loaded))
    }

    pub(super) fn now(&self) -> Instant {
        self.env.now()
    }

    /// The price book of these settings, with the imported list if there is one.
    pub(super) fn prices(&mut self) -> Arc<PriceBook> {
        let (book, problem) = price_book(&self.settings, &self.paths);
        if let Some(problem) = problem {
            self.note(&problem);
        }
        Arc::new(book)
    }

    /// Rules for the meter: limits, zone, filter.
    pub(super) fn rules(&self, view: Filter) -> Rules {
        rules(&self.settings, view)
    }

    /// Prints a message to standard error. Failure to write it is ignored.
    pub(super) fn note(&mut self, text: &str) {
        let _ = writeln!(self.err, "tokmeter: {}", super::printable(text));
    }

    /// Resolves a path given on the command line against the working directory.
    pub(super) fn absolute(&self, path: &Path) -> PathBuf {
        self.env.cwd.join(path)
    }
}

/// Removes temporary files left by killed writers of the config or the price list.
fn remove_strays(paths: &Paths) {
    if let Some((folder, name)) =
        paths.config.as_deref().and_then(|path| Some((path.parent()?, path.file_name()?.to_str()?)))
    {
        let begins = format!(".{name}.");
        ledger::remove_strays(folder, |found| found.strip_prefix(begins.as_str())?.strip_suffix(".tmp"));
    }
    if let Some(folder) = &paths.data {
        ledger::remove_strays(folder, |found| found.strip_prefix(PRICE_LIST)?.strip_prefix('.'));
    }
}

/// Loads the settings from config file, environment and flags.
pub(super) fn load(env: &Env, overrides: &Overrides) -> (Paths, Loaded) {
    let own: Vec<String> = theme_files(&Paths::resolve(env, overrides)).into_iter().map(|(name, _)| name).collect();
    let themes = theme::names(own.iter().map(String::as_str));
    let (paths, mut loaded) = config::open(env, overrides, &themes);
    loaded.problems.extend(super::statusline::problem(&loaded));
    (paths, loaded)
}

/// Meter rules of these settings.
pub(super) fn rules(settings: &Settings, view: Filter) -> Rules {
    Rules {
        zone: settings.zone,
        week_start: settings.week_start,
        limits: settings.limits.clone(),
        fallback: settings.gate.unpriced.clone(),
        view,
    }
}

/// The price book of these settings, and the problem with the imported list if there is one.
pub(super) fn price_book(settings: &Settings, paths: &Paths) -> (PriceBook, Option<String>) {
    let book = PriceBook::new(settings.prices.clone(), settings.aliases.clone(), settings.cost);
    let Some(path) = paths.data.as_ref().map(|folder| folder.join(PRICE_LIST)) else { return (book, None) };
    let shown = Label::from_bytes(path.as_os_str().as_encoded_bytes());
    match regular_file::read_text(&path, LONGEST_PRICES) {
        Ok(text) => {
            let (book, problem) = book.with_update(text);
            (book, problem.map(|problem| format!("{shown}: {problem}; the built-in prices are used")))
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => (book, None),
        Err(error) => (book, Some(format!("{shown} {}; the built-in prices are used", regular_file::why(&error)))),
    }
}

/// Built-in and user themes.
pub(super) fn themes(paths: &Paths) -> Themes {
    Themes::new(theme_files(paths).into_iter().map(|(name, path)| {
        let text = regular_file::read_text(&path, LONGEST_THEME).map_err(|error| regular_file::why(&error));
        UserTheme { name, path: Label::from_bytes(path.as_os_str().as_encoded_bytes()).to_string(), text }
    }))
}

/// Names and paths of the user's themes. The files are not opened.
fn theme_files(paths: &Paths) -> Vec<(String, PathBuf)> {
    let entries = paths.themes().and_then(|folder| fs::read_dir(folder).ok());
    let named = |path: PathBuf| Some((path.file_name()?.to_str()?.strip_suffix(".toml")?.to_owned(), path));
    entries.into_iter().flatten().filter_map(|entry| named(entry.ok()?.path())).collect()
}

fn overrides(cli: &Cli) -> Overrides {
    Overrides {
        config: cli.config.clone(),
        data_dir: cli.data_dir.clone(),
        socket: cli.live.socket.clone().filter(|path| !path.is_empty()).map(PathBuf::from),
        tz: cli.tz.clone(),
        color: match cli.color {
            Color::Auto => None,
            Color::Always => Some(ColorWhen::Always),
            Color::Never => Some(ColorWhen::Never),
        },
    }
}
