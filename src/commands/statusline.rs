//! `statusline`: one line for an agent's status bar, tmux or a shell prompt. Always prints a line and exits with 0.

mod facts;
mod quotas;
mod words;

use self::facts::facts;
use super::{Context, Exit, Failure, stdin};
use crate::config::statusline_template::{self, Template, UNKNOWN};
use crate::config::{Loaded, Symbols};
use crate::integrations::claude_code::statusline_input::Agent;
use crate::text;

/// Default format inside an agent.
const WITH_AGENT: &str =
    "{model} · {session_cost} session · {today_cost} today · {limit} · ctx {context} · {quota} · by {forecast}";
/// Default format in tmux or a prompt.
const ALONE: &str = "{today_cost} today · {today_tokens} tokens · {limit} · by {forecast}";
/// Separates a warning from the line.
const GAP: &str = " · ";
const SOURCE: &str = "claude-code";

pub(super) fn run(context: &mut Context<'_>, format: Option<&str>, loaded: &Loaded) -> Result<Exit, Failure> {
    let agent = if context.env.terminal[0] {
        None
    } else {
        Agent::read(&stdin::standard_input(stdin::ReadLimits::STATUS_LINE))
    };
    let line = line(context, agent.as_ref(), format, loaded);
    writeln!(context.out, "{line}")?;
    Ok(Exit::Fine)
}

/// The line, fitted to the terminal's width.
fn line(context: &mut Context<'_>, agent: Option<&Agent>, format: Option<&str>, loaded: &Loaded) -> String {
    let custom = format.unwrap_or(&context.settings.statusline).to_owned();
    let usual = if agent.is_some() { WITH_AGENT } else { ALONE };
    let room = context.env.var("COLUMNS").and_then(|columns| columns.trim().parse().ok()).unwrap_or(usize::MAX);
    let template = match Template::read(if custom.is_empty() { usual } else { &custom }) {
        Ok(template) => template,
        // Show the mistake in place of the line.
        Err(why) => return text::fit(&format!("tokmeter: {}", super::printable(&why)), room),
    };
    let mut facts = facts(context, agent, &template);
    // Limits may be missing.
    if !loaded.is_usable(false) {
        facts.mark = facts.mark.or(Some("config error"));
    }
    let segments = template.fill(&mut |word| facts.word(word));
    // A warning matters more than any number, so it gets room first.
    let mark = facts.mark.map(|mark| text::fit(&format!("▲ {mark}"), room));
    let left = mark.as_ref().map_or(room, |mark| room.saturating_sub(text::width(mark) + GAP.chars().count()));
    let line = statusline_template::fitted(segments, left, custom.is_empty());
    let line = match mark {
        Some(mark) if line.is_empty() => mark,
        Some(mark) => format!("{line}{GAP}{mark}"),
        None if line.is_empty() => text::fit(if custom.is_empty() { "tokmeter" } else { UNKNOWN }, room),
        None => line,
    };
    if is_ascii(context) { text::ascii_text(&line) } else { line }
}

/// Whether to restrict output to ASCII. With `auto`, only in an explicit C or POSIX locale, because agents' status bars
/// show Unicode even without a locale.
fn is_ascii(context: &Context<'_>) -> bool {
    match context.settings.symbols {
        Symbols::Ascii => true,
        Symbols::Unicode => false,
        Symbols::Auto => {
            let locale = ["LC_ALL", "LC_CTYPE", "LANG"].into_iter().find_map(|name| context.env.var(name));
            locale.is_some_and(|locale| ["C", "POSIX"].contains(&locale))
        }
    }
}
