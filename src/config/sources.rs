//! Loads the config and the files that go with it: the price book and the themes.

use std::fs;
use std::io;
use std::path::PathBuf;

use super::statusline_template::Template;
use super::{Env, Loaded, Overrides, Paths, Settings, open, regular_file};
use crate::domain::{Filter, Label};
use crate::meter::{self, Rules};
use crate::pricing::PriceBook;
use crate::theme::{self, Themes, UserTheme};

/// Name of the imported price list in the data folder.
pub(crate) const PRICE_LIST: &str = "prices.txt";

/// File name of the estimates in the data folder.
pub(crate) const ESTIMATES: &str = "estimates.jsonl";

/// Size limit of an imported price list, in bytes; the same as for `prices update`.
const LONGEST_PRICES: u64 = 64 << 20;
/// Size limit of a theme file, in bytes.
const LONGEST_THEME: u64 = 1 << 20;

/// Loads the settings from the config file, the environment and the flags.
pub(crate) fn load(env: &Env, overrides: &Overrides) -> (Paths, Loaded) {
    let own: Vec<String> = theme_files(&Paths::resolve(env, overrides)).into_iter().map(|(name, _)| name).collect();
    let themes = theme::names(own.iter().map(String::as_str));
    let (paths, mut loaded) = open(env, overrides, &themes);
    let template = Template::read(&loaded.settings.statusline).err();
    loaded.problems.extend(template.map(|why| loaded.problem("statusline", &why)));
    (paths, loaded)
}

/// Meter rules for these settings.
pub(crate) fn rules(settings: &Settings, view: Filter) -> Rules {
    Rules {
        zone: settings.zone,
        week_start: settings.week_start,
        limits: settings.limits.clone(),
        fallback: settings.gate.unpriced.clone(),
        view,
    }
}

/// Alerts for these settings; none has been delivered yet.
pub(crate) fn meter_alerts(settings: &Settings) -> meter::Alerts {
    let quiet = settings.alerts.quiet.map(|quiet| (quiet, settings.zone));
    meter::Alerts::new(quiet, settings.alerts.hysteresis)
}

/// The price book for these settings, and the problem with the imported list, if any.
pub(crate) fn price_book(settings: &Settings, paths: &Paths) -> (PriceBook, Option<String>) {
    let book = PriceBook::new(settings.prices.clone(), settings.aliases.clone(), settings.cost);
    let Some(path) = paths.data.as_ref().map(|folder| folder.join(PRICE_LIST)) else { return (book, None) };
    let shown = Label::from_path(&path);
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
pub(crate) fn themes(paths: &Paths) -> Themes {
    Themes::new(theme_files(paths).into_iter().map(|(name, path)| {
        let text = regular_file::read_text(&path, LONGEST_THEME).map_err(|error| regular_file::why(&error));
        UserTheme { name, path: Label::from_path(&path).to_string(), text }
    }))
}

/// Names and paths of the user's themes. The files are not opened.
fn theme_files(paths: &Paths) -> Vec<(String, PathBuf)> {
    let entries = paths.themes().and_then(|folder| fs::read_dir(folder).ok());
    let named = |path: PathBuf| Some((path.file_name()?.to_str()?.strip_suffix(".toml")?.to_owned(), path));
    entries.into_iter().flatten().filter_map(|entry| named(entry.ok()?.path())).collect()
}
