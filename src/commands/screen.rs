//! What the screen is told of the terminal and of the settings.

use std::path::PathBuf;

use super::desk::{self, Desk};
use super::{Exit, Failure};
use crate::cli::LiveArgs;
use crate::config::{Loaded, Problem, Symbols, Where};
use crate::domain::Label;
use crate::ingest::Roots;
use crate::theme::{Background, Depth, Facts, ThemeError, Themes, utf8};
use crate::tui::{Keys, Options};

/// The screen's options.
///
/// # Errors
/// When keys or the theme in the config are wrong.
pub(super) fn options(desk: &Desk<'_>, loaded: &Loaded, args: &LiveArgs, roots: &Roots) -> Result<Options, Failure> {
    let settings = &desk.settings;
    let themes = desk::themes(&desk.paths);
    let (keys, problems) = check(loaded, &themes);
    if !problems.is_empty() {
        let problems: Vec<String> = problems.iter().map(ToString::to_string).collect();
        return Err(Failure::new(Exit::Config, problems.join("\n")));
    }
    Ok(Options {
        theme: settings.theme.clone(),
        themes,
        depth: depth(desk, desk.world.terminal[1]),
        ascii: ascii(desk),
        keys,
        compact: args.compact,
        mouse: settings.mouse,
        looks: roots.all().into_iter().map(|(path, _)| shown(desk, &path)).collect(),
        ..Options::new(settings.zone, settings.user.clone())
    })
}

/// The keys of these settings, and all that the screen would refuse: keys that clash, a theme that cannot be opened.
pub(super) fn check(loaded: &Loaded, themes: &Themes) -> (Keys, Vec<Problem>) {
    let bound = &loaded.settings.keys;
    let changes =
        bound.iter().map(|binding| (binding.action.as_str(), binding.keys.iter().map(String::as_str).collect()));
    let (keys, mut problems) = match Keys::rebound(changes) {
        Ok(keys) => (keys, Vec::new()),
        Err(wrong) => {
            let place = |message: &String| {
                let about = bound.iter().find(|binding| message.contains(&format!("'{}'", binding.action)));
                let key = about.map_or_else(|| "keys".to_owned(), |binding| format!("keys.{}", binding.action));
                loaded.problem(&key, message)
            };
            (Keys::default(), wrong.iter().map(place).collect())
        }
    };
    let theme = theme_error(themes, &loaded.settings.theme);
    problems.extend(theme.map(|error| loaded.problem("theme", &error.to_string())));
    (keys, problems)
}

/// The user's own themes that cannot be opened and are not chosen: the theme key passes over them.
pub(super) fn unused_themes(loaded: &Loaded, themes: &Themes) -> Vec<Problem> {
    let others = themes.broken().filter(|(name, _)| *name != loaded.settings.theme);
    others
        .map(|(name, error)| {
            let message = format!("cannot be used: {error}");
            Problem::warning(Where::Path(Label::new(&format!("theme '{name}'"))), message)
        })
        .collect()
}

/// Why the screen cannot open with this theme. It opens as on a dark terminal, and asks for the background later.
pub(super) fn theme_error(themes: &Themes, name: &str) -> Option<ThemeError> {
    themes.get(name, Background::Dark).err()
}

/// How many colours may be sent.
pub(super) fn depth(desk: &Desk<'_>, is_terminal: bool) -> Depth {
    let world = &desk.world;
    Depth::of(&Facts {
        when: desk.settings.color,
        is_terminal,
        no_color: world.var("NO_COLOR"),
        clicolor_force: world.var("CLICOLOR_FORCE"),
        clicolor: world.var("CLICOLOR"),
        colorterm: world.var("COLORTERM"),
        term: world.var("TERM"),
    })
}

/// True when nothing but ASCII may be sent.
pub(super) fn ascii(desk: &Desk<'_>) -> bool {
    let world = &desk.world;
    match desk.settings.symbols {
        Symbols::Ascii => true,
        Symbols::Unicode => false,
        Symbols::Auto => !utf8(world.var("LC_ALL"), world.var("LC_CTYPE"), world.var("LANG")),
    }
}

/// A place as the waiting screen names it: with `~` for the home folder.
fn shown(desk: &Desk<'_>, path: &std::path::Path) -> Label {
    let short = desk
        .world
        .home
        .as_ref()
        .and_then(|home| path.strip_prefix(home).ok())
        .map(|rest| PathBuf::from("~").join(rest));
    Label::from_bytes(short.as_deref().unwrap_or(path).as_os_str().as_encoded_bytes())
}
