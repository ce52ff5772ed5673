//! What the screen is told of the terminal and of the settings.

use std::path::PathBuf;

use super::aside;
use super::desk::{self, Desk};
use super::{Exit, Failure};
use crate::cli::LiveArgs;
use crate::config::{Loaded, Symbols};
use crate::domain::Label;
use crate::ingest::Roots;
use crate::theme::{Depth, Facts, utf8};
use crate::tui::Options;

/// The screen's options.
///
/// # Errors
/// When keys or the theme in the config are wrong.
pub(super) fn options(desk: &Desk<'_>, loaded: &Loaded, args: &LiveArgs, roots: &Roots) -> Result<Options, Failure> {
    let settings = &desk.settings;
    let keys = aside::keys(loaded).map_err(|message| Failure::new(Exit::Config, message))?;
    Ok(Options {
        theme: settings.theme.clone(),
        themes: desk::themes(&desk.paths),
        depth: depth(desk, desk.world.terminal[1]),
        ascii: ascii(desk),
        keys,
        compact: args.compact,
        mouse: settings.mouse,
        looks: roots.all().into_iter().map(|(path, _)| shown(desk, &path)).collect(),
        ..Options::new(settings.zone, settings.user.clone())
    })
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
