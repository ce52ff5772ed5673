//! What every command works with: the machine, the settings, and where results and messages go.

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

/// The file, in the data folder, of a price list the user took in.
pub(super) const PRICE_LIST: &str = "prices.txt";

/// The longest list of prices that is read, in bytes: as much as `prices update` takes in.
const LONGEST_PRICES: u64 = 64 << 20;
/// The longest theme that is read, in bytes.
const LONGEST_THEME: u64 = 1 << 20;

/// What every command works with.
pub(super) struct Context<'a> {
    /// The machine.
    pub(super) env: Env,
    /// The settings in force.
    pub(super) settings: Settings,
    /// Where things are kept.
    pub(super) paths: Paths,
    /// What the command line overrides, for loading the settings again.
    pub(super) overrides: Overrides,
    /// Results.
    pub(super) out: &'a mut dyn Write,
    /// Everything else.
    pub(super) err: &'a mut dyn Write,
}

impl<'a> Context<'a> {
    /// Loads the settings; everything wrong with the config is told at once, before anything else happens.
    ///
    /// # Errors
    /// When the config is wrong: exit code 78. A hook and a status line go on with what is right in it, and
    /// `config` itself says what is wrong.
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

    /// The time now.
    pub(super) fn now(&self) -> Instant {
        self.env.now()
    }

    /// The price book of these settings, with the list the user took in, if any.
    pub(super) fn prices(&mut self) -> Arc<PriceBook> {
        let (book, problem) = price_book(&self.settings, &self.paths);
        if let Some(problem) = problem {
            self.note(&problem);
        }
        Arc::new(book)
    }

    /// What the meter counts by and judges with.
    pub(super) fn rules(&self, view: Filter) -> Rules {
        rules(&self.settings, view)
    }

    /// Tells the person something that is not a result. That it cannot be told is no reason to stop.
    pub(super) fn note(&mut self, text: &str) {
        let _ = writeln!(self.err, "tokmeter: {}", super::printable(text));
    }

    /// A path given on the command line, from the working folder.
    pub(super) fn absolute(&self, path: &Path) -> PathBuf {
        self.env.cwd.join(path)
    }
}

/// Removes the drafts of a config or a price list whose writers were killed.
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

/// The settings as the config file, the environment and the flags have them now.
pub(super) fn load(env: &Env, overrides: &Overrides) -> (Paths, Loaded) {
    let own: Vec<String> = theme_files(&Paths::resolve(env, overrides)).into_iter().map(|(name, _)| name).collect();
    let themes = theme::names(own.iter().map(String::as_str));
    let (paths, mut loaded) = config::open(env, overrides, &themes);
    loaded.problems.extend(super::statusline::problem(&loaded));
    (paths, loaded)
}

/// The rules of these settings.
pub(super) fn rules(settings: &Settings, view: Filter) -> Rules {
    Rules {
        zone: settings.zone,
        week_start: settings.week_start,
        limits: settings.limits.clone(),
        fallback: settings.gate.unpriced.clone(),
        view,
    }
}

/// The price book of these settings, and what is wrong with the list the user took in.
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

/// The built-in themes and the user's own.
pub(super) fn themes(paths: &Paths) -> Themes {
    Themes::new(theme_files(paths).into_iter().map(|(name, path)| {
        let text = regular_file::read_text(&path, LONGEST_THEME).map_err(|error| regular_file::why(&error));
        UserTheme { name, path: Label::from_bytes(path.as_os_str().as_encoded_bytes()).to_string(), text }
    }))
}

/// The names of the user's own themes and their files, which are not opened.
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
