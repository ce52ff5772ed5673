//! What every command works with: the machine, the settings, and where results and messages go.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::{Exit, Failure, printable};
use crate::cli::{Cli, Color, Command};
use crate::config::{self, Env, Loaded, Overrides, PRICE_LIST, Paths, Settings};
use crate::domain::{Filter, Instant};
use crate::ledger;
use crate::meter::Rules;
use crate::pricing::PriceBook;
use crate::theme::ColorWhen;

/// What every command works with.
pub(crate) struct Context<'a> {
    /// The machine.
    pub(crate) env: Env,
    /// The settings in force.
    pub(crate) settings: Settings,
    /// Where things are kept.
    pub(crate) paths: Paths,
    /// What the command line overrides, for loading the settings again.
    pub(crate) overrides: Overrides,
    /// Results.
    pub(crate) out: &'a mut dyn Write,
    /// Everything else.
    pub(crate) err: &'a mut dyn Write,
}

impl<'a> Context<'a> {
    /// Loads the settings; everything wrong with the config is told at once, before anything else happens.
    ///
    /// # Errors
    /// When the config is wrong: exit code 78. A hook and a status line go on with what is right in it, and
    /// `config` itself says what is wrong.
    pub(crate) fn open(
        cli: &Cli,
        env: Env,
        out: &'a mut dyn Write,
        err: &'a mut dyn Write,
    ) -> Result<(Self, Loaded), Failure> {
        let overrides = overrides(cli);
        let (paths, loaded) = config::load(&env, &overrides);
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
    pub(crate) fn now(&self) -> Instant {
        self.env.now()
    }

    /// The price book of these settings, with the list the user took in, if any.
    pub(crate) fn prices(&mut self) -> Arc<PriceBook> {
        let (book, problem) = config::price_book(&self.settings, &self.paths);
        if let Some(problem) = problem {
            self.note(&problem);
        }
        Arc::new(book)
    }

    /// What the meter counts by and judges with.
    pub(crate) fn rules(&self, view: Filter) -> Rules {
        config::rules(&self.settings, view)
    }

    /// Tells the person something that is not a result. That it cannot be told is no reason to stop.
    pub(crate) fn note(&mut self, text: &str) {
        let _ = writeln!(self.err, "tokmeter: {}", printable(text));
    }

    /// A path given on the command line, from the working folder.
    pub(crate) fn absolute(&self, path: &Path) -> PathBuf {
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
