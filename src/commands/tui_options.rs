//! What the screen is told of the terminal and of the settings.

use std::path::PathBuf;

use super::context::{self, Context};
use super::{Exit, Failure};
use crate::cli::LiveArgs;
use crate::config::{Diagnostic, Loaded, Symbols, Where};
use crate::domain::Label;
use crate::ingest::Roots;
use crate::theme::{Background, Depth, Facts, ThemeError, Themes, utf8};
use crate::tui::{Keys, Options};

/// The screen's options.
///
/// # Errors
/// When keys or the theme in the config are wrong.
pub(super) fn options(
    context: &Context<'_>,
    loaded: &Loaded,
    args: &LiveArgs,
    roots: &Roots,
) -> Result<Options, Failure> {
    let settings = &context.settings;
    let themes = context::themes(&context.paths);
    let (keys, problems) = check(loaded, &themes);
    if !problems.is_empty() {
        let problems: Vec<String> = problems.iter().map(ToString::to_string).collect();
        return Err(Failure::new(Exit::Config, problems.join("\n")));
    }
    Ok(Options {
        theme: settings.theme.clone(),
        themes,
        depth: depth(context, context.env.terminal[1]),
        ascii: ascii(context),
        keys,
        compact: args.compact,
        mouse: settings.mouse,
        is_in_tmux: context.env.var("TMUX").is_some_and(|socket| !socket.is_empty()),
        looks: roots.all().into_iter().map(|(path, _)| path_label(context, &path)).collect(),
        ..Options::new(settings.zone, settings.user.clone())
    })
}

/// The keys of these settings, and all that the screen would refuse: keys that clash, a theme that cannot be opened.
pub(super) fn check(loaded: &Loaded, themes: &Themes) -> (Keys, Vec<Diagnostic>) {
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
pub(super) fn unused_themes(loaded: &Loaded, themes: &Themes) -> Vec<Diagnostic> {
    let others = themes.broken().filter(|(name, _)| *name != loaded.settings.theme);
    others
        .map(|(name, error)| {
            let message = format!("cannot be used: {error}");
            Diagnostic::warning(Where::Path(Label::new(&format!("theme '{name}'"))), message)
        })
        .collect()
}

/// Why the screen cannot open with this theme. It opens as on a dark terminal, and asks for the background later.
pub(super) fn theme_error(themes: &Themes, name: &str) -> Option<ThemeError> {
    themes.get(name, Background::Dark).err()
}

/// How many colours may be sent.
pub(super) fn depth(context: &Context<'_>, is_terminal: bool) -> Depth {
    let env = &context.env;
    Depth::detect(&Facts {
        when: context.settings.color,
        is_terminal,
        no_color: env.var("NO_COLOR"),
        clicolor_force: env.var("CLICOLOR_FORCE"),
        clicolor: env.var("CLICOLOR"),
        colorterm: env.var("COLORTERM"),
        term: env.var("TERM"),
    })
}

/// True when nothing but ASCII may be sent.
pub(super) fn ascii(context: &Context<'_>) -> bool {
    let env = &context.env;
    match context.settings.symbols {
        Symbols::Ascii => true,
        Symbols::Unicode => false,
        Symbols::Auto => !utf8(env.var("LC_ALL"), env.var("LC_CTYPE"), env.var("LANG")),
    }
}

/// A place as the waiting screen names it: with `~` for the home folder.
fn path_label(context: &Context<'_>, path: &std::path::Path) -> Label {
    let short = context
        .env
        .home
        .as_ref()
        .and_then(|home| path.strip_prefix(home).ok())
        .map(|rest| PathBuf::from("~").join(rest));
    Label::from_bytes(short.as_deref().unwrap_or(path).as_os_str().as_encoded_bytes())
}
