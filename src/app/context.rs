//! Context of a command: environment, settings, output streams.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::source_names::unknown_sources;
use super::{Exit, Failure, printable, trace_log};
use crate::cli::{Cli, Color, Command};
use crate::config::replace_file::{drafting_process, folder_of};
use crate::config::{self, ESTIMATES, Env, Loaded, Overrides, PRICE_LIST, Paths, Settings};
use crate::domain::{Filter, Instant};
use crate::ledger;
use crate::meter::Rules;
use crate::pricing::PriceBook;
use crate::theme::ColorWhen;

/// Environment, settings and output streams of a command.
pub(crate) struct Context<'a> {
    /// The machine.
    pub(crate) env: Env,
    /// Settings in force.
    pub(crate) settings: Settings,
    /// Locations of the config and data.
    pub(crate) paths: Paths,
    /// Command-line overrides, needed to reload the settings.
    pub(crate) overrides: Overrides,
    /// Standard output: results.
    pub(crate) out: &'a mut dyn Write,
    /// Standard error: everything else.
    pub(crate) err: &'a mut dyn Write,
}

impl<'a> Context<'a> {
    /// Loads the settings and reports every problem of the config at once.
    ///
    /// # Errors
    /// When the config is invalid (exit code 78) or the program's log cannot be opened (exit code 74). A hook and the
    /// status line continue with the valid part; `config` reports the problems itself.
    pub(crate) fn open(
        cli: &Cli,
        env: Env,
        out: &'a mut dyn Write,
        err: &'a mut dyn Write,
    ) -> Result<(Self, Loaded), Failure> {
        let overrides = overrides(cli);
        let (paths, mut loaded) = config::load(&env, &overrides);
        loaded.problems.extend(unknown_sources(&loaded));
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
        let log = paths.log.clone();
        let mut context = Self { env, settings, paths, overrides, out, err };
        if let Some(path) = log
            && let Err(why) = trace_log::start(&path, Arc::clone(&context.env.clock))
        {
            if !lenient {
                return Err(Failure::new(Exit::Io, why));
            }
            context.note(&why);
        }
        Ok((context, loaded))
    }

    /// Runs something without output: another command has given its warnings, or will.
    pub(crate) fn silently<T>(&self, run: impl FnOnce(&mut Context<'_>) -> T) -> T {
        let (mut out, mut err) = (std::io::sink(), std::io::sink());
        run(&mut Context {
            env: self.env.clone(),
            settings: self.settings.clone(),
            paths: self.paths.clone(),
            overrides: self.overrides.clone(),
            out: &mut out,
            err: &mut err,
        })
    }

    /// The current time.
    pub(crate) fn now(&self) -> Instant {
        self.env.now()
    }

    /// The price book of these settings, including the imported list, if any.
    pub(crate) fn prices(&mut self) -> Arc<PriceBook> {
        let (book, problem) = config::price_book(&self.settings, &self.paths);
        if let Some(problem) = problem {
            self.note(&problem);
        }
        Arc::new(book)
    }

    /// Rules for the meter: limits, zone, filter.
    pub(crate) fn rules(&self, view: Filter) -> Rules {
        config::rules(&self.settings, view)
    }

    /// Prints a message to standard error, ignoring write errors.
    pub(crate) fn note(&mut self, text: &str) {
        let _ = writeln!(self.err, "tokmeter: {}", printable(text));
    }

    /// Resolves a path given on the command line against the working directory.
    pub(crate) fn absolute(&self, path: &Path) -> PathBuf {
        self.env.cwd.join(path)
    }
}

/// Removes drafts that killed processes left behind, of every file of ours that is replaced as a whole.
fn remove_strays(paths: &Paths) {
    if let Some(config) = &paths.config {
        remove_drafts(config);
        // The target of a link is replaced, not the link.
        if let Some(target) = std::fs::canonicalize(config).ok().filter(|target| target != config) {
            remove_drafts(&target);
        }
    }
    if let Some(folder) = &paths.data {
        ledger::remove_strays(folder, |found| {
            let of_older_version = || found.strip_prefix(PRICE_LIST)?.strip_prefix('.');
            let draft = [PRICE_LIST, ESTIMATES].into_iter().find_map(|name| drafting_process(found, name));
            draft.or_else(of_older_version)
        });
    }
}

/// Removes drafts of a file that killed processes left next to it.
pub(crate) fn remove_drafts(target: &Path) {
    let Some(name) = target.file_name().and_then(|name| name.to_str()) else { return };
    ledger::remove_strays(folder_of(target), |found| drafting_process(found, name));
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
        log: cli.log.clone(),
    }
}
