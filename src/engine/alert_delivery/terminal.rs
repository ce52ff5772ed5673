//! Notifications as terminal escape sequences.

use super::{AlertText, Way};
use crate::config::Env;
use crate::domain::Label;

/// OSC 9: a single text.
pub(super) fn osc9(words: &AlertText) -> Vec<u8> {
    // Some terminals interpret digits and a semicolon after the 9 as a progress bar. A name in front prevents that.
    format!("\u{1b}]9;tokmeter: {}\u{7}", plain(&format!("{}. {}", words.title, words.body))).into_bytes()
}

/// OSC 777: title and body, separated by a semicolon.
pub(super) fn osc777(words: &AlertText) -> Vec<u8> {
    let title = plain(&words.title).replace(';', ",");
    format!("\u{1b}]777;notify;tokmeter: {title};{}\u{7}", plain(&words.body).replace(';', ",")).into_bytes()
}

/// Strips characters that could end the sequence or start another.
fn plain(text: &str) -> Label {
    Label::new(text)
}

/// The notification sequence that this terminal supports, if known.
pub(super) fn notification_way(env: &Env) -> Option<Way> {
    // Multiplexers swallow both sequences.
    if !env.terminal[1] || env.var("TMUX").is_some() || env.var("STY").is_some() {
        return None;
    }
    let term = env.var("TERM").unwrap_or_default();
    let program = env.var("TERM_PROGRAM").unwrap_or_default();
    if ["iTerm.app", "WezTerm", "ghostty"].contains(&program) || env.var("KITTY_WINDOW_ID").is_some() {
        Some(Way::Osc9)
    } else if ["foot", "rxvt"].iter().any(|name| term.starts_with(name)) {
        Some(Way::Osc777)
    } else {
        None
    }
}
