//! Notifications as bytes for a terminal.

use super::{Way, Words};
use crate::config::World;
use crate::domain::Label;

/// OSC 9: one text.
pub(super) fn osc9(words: &Words) -> Vec<u8> {
    // Some terminals read digits and a semicolon behind the 9 as a progress bar; a name in front prevents that.
    format!("\u{1b}]9;tokmeter: {}\u{7}", plain(&format!("{}. {}", words.title, words.body))).into_bytes()
}

/// OSC 777: a title and a body, parted by a semicolon.
pub(super) fn osc777(words: &Words) -> Vec<u8> {
    let title = plain(&words.title).replace(';', ",");
    format!("\u{1b}]777;notify;tokmeter: {title};{}\u{7}", plain(&words.body).replace(';', ",")).into_bytes()
}

/// Nothing that could end the sequence and begin another.
fn plain(text: &str) -> Label {
    Label::new(text)
}

/// The way this terminal is known to understand, if it is known.
pub(super) fn known(world: &World) -> Option<Way> {
    // A multiplexer swallows both; and without a terminal there is nobody to understand.
    if !world.terminal[1] || world.var("TMUX").is_some() || world.var("STY").is_some() {
        return None;
    }
    let term = world.var("TERM").unwrap_or_default();
    let program = world.var("TERM_PROGRAM").unwrap_or_default();
    if ["iTerm.app", "WezTerm", "ghostty"].contains(&program) || world.var("KITTY_WINDOW_ID").is_some() {
        Some(Way::Osc9)
    } else if ["foot", "rxvt"].iter().any(|name| term.starts_with(name)) {
        Some(Way::Osc777)
    } else {
        None
    }
}
