//! Builds the screen's options from the terminal and the settings.

use std::path::PathBuf;

use crate::app::context::Context;
use crate::app::{Exit, Failure};
use crate::cli::LiveArgs;
use crate::config::{self, Diagnostic, Loaded, Symbols, Where};
use crate::domain::Label;
use crate::ingest::Roots;
use crate::text;
use crate::theme::{Background, Depth, Facts, ThemeError, Themes, utf8};
use crate::tui::{Keys, Options, SavedView};

/// The screen's options.
///
/// # Errors
/// When keys or theme in the config are invalid.
pub(super) fn options(
    context: &Context<'_>,
    loaded: &Loaded,
    args: &LiveArgs,
    roots: &Roots,
) -> Result<Options, Failure> {
    let settings = &context.settings;
    let themes = config::themes(&context.paths);
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
        views: saved(settings),
        only: args.filters.words(context.now(), settings.zone),
        compact: args.compact,
        mouse: settings.mouse,
        frame_rate: settings.frame_rate.most(),
        is_remote: ["SSH_TTY", "SSH_CONNECTION"].into_iter().any(|name| context.env.var(name).is_some()),
        is_in_tmux: context.env.var("TMUX").is_some_and(|socket| !socket.is_empty()),
        looks: looks(context, roots),
        ..Options::new(settings.zone, settings.user.clone())
    })
}

/// Places where calls are expected: each one given by the user, and the agents on one line.
fn looks(context: &Context<'_>, roots: &Roots) -> Vec<Label> {
    let mut agents: Vec<&str> = Vec::new();
    let mut looks = Vec::new();
    for (path, kind) in roots.all() {
        match kind.agent() {
            Some(agent) if agents.contains(&agent) => {}
            Some(agent) => agents.push(agent),
            None => looks.push(path_label(context, &path)),
        }
    }
    if !agents.is_empty() {
        let number = u64::try_from(agents.len()).unwrap_or(u64::MAX);
        looks.insert(0, Label::new(&format!("{}: {}", text::plural(number, "agent"), agents.join(", "))));
    }
    looks
}

/// The saved views. Invalid ones have already been rejected.
fn saved(settings: &config::Settings) -> Vec<SavedView> {
    settings.views.iter().filter_map(|(name, text)| SavedView::parse(name, text).ok()).collect()
}

/// The first problem in a config because of which the screen would reject it, such as conflicting keys.
pub(super) fn problem(loaded: &Loaded, themes: &Themes) -> Option<Diagnostic> {
    check(loaded, themes).1.into_iter().next()
}

/// The keys from these settings, and everything that the screen would reject: conflicting keys, or a theme that cannot
/// be opened.
pub(super) fn check(loaded: &Loaded, themes: &Themes) -> (Keys, Vec<Diagnostic>) {
    let bound = &loaded.settings.keys;
    let (keys, mut problems) = match Keys::from_bindings(bound) {
        Ok(keys) => (keys, Vec::new()),
        Err(wrong) => {
            let place = |message: &String| {
                let names = |action: &str| {
                    message.contains(&format!("'{action}'")) || message.starts_with(&format!("{action}: "))
                };
                let about = bound.iter().find(|binding| names(&binding.action));
                let key = about.map_or_else(|| "keys".to_owned(), |binding| format!("keys.{}", binding.action));
                loaded.problem(&key, message)
            };
            (Keys::default(), wrong.iter().map(place).collect())
        }
    };
    for (name, text) in &loaded.settings.views {
        let wrong = SavedView::parse(name, text).err();
        problems.extend(wrong.map(|wrong| loaded.problem(&format!("views.{name}"), &wrong)));
    }
    let theme = theme_error(themes, &loaded.settings.theme);
    problems.extend(theme.map(|error| loaded.problem("theme", &error.to_string())));
    (keys, problems)
}

/// The user's invalid themes that are not in use. The theme key skips them.
pub(super) fn unused_themes(loaded: &Loaded, themes: &Themes) -> Vec<Diagnostic> {
    let others = themes.broken().filter(|(name, _)| *name != loaded.settings.theme);
    others
        .map(|(name, error)| {
            let message = format!("cannot be used: {error}");
            Diagnostic::warning(Where::Path(Label::new(&format!("theme '{name}'"))), message)
        })
        .collect()
}

/// Why this theme cannot be opened. Checked for a dark terminal; the screen asks for the background later.
fn theme_error(themes: &Themes, name: &str) -> Option<ThemeError> {
    themes.get(name, Background::Dark).err()
}

/// Colour depth of the output.
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

/// True when output is restricted to ASCII.
pub(super) fn ascii(context: &Context<'_>) -> bool {
    let env = &context.env;
    match context.settings.symbols {
        Symbols::Ascii => true,
        Symbols::Unicode => false,
        Symbols::Auto => !utf8(env.var("LC_ALL"), env.var("LC_CTYPE"), env.var("LANG")),
    }
}

/// A path as shown on the waiting screen, with `~` for the home folder.
pub(super) fn path_label(context: &Context<'_>, path: &std::path::Path) -> Label {
    let rest = context.env.home.as_ref().and_then(|home| path.strip_prefix(home).ok());
    let short = rest.map(|rest| PathBuf::from("~").join(rest));
    Label::from_bytes(short.as_deref().unwrap_or(path).as_os_str().as_encoded_bytes())
}
