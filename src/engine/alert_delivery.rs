//! How an alert reaches a person: bell, the terminal's or the desktop's notification, a program, a web hook.
//!
//! Each is said once, whatever number of processes has noticed it: the books remember. Nothing here
//! blocks its caller or fails it; what goes wrong becomes a note.

mod outside;
mod terminal;

use std::sync::Arc;

use crate::config::{Env, Notify, Settings};
use crate::domain::{Instant, Zone};
use crate::ledger::Ledger;
use crate::meter::Alert;
use crate::text;

/// Takes the notes that come later, from whatever thread: a web hook that did not answer, a program that failed.
pub(crate) type Later = Arc<dyn Fn(String) + Send + Sync>;

/// What is left to do after an alert was delivered.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Delivered {
    /// True when this process was the one to say it.
    pub(crate) said: bool,
    /// Ring the bell.
    pub(crate) bell: bool,
    /// Bytes for whoever owns the terminal to write; none without a terminal that understands them.
    pub(crate) terminal: Vec<u8>,
    /// What went wrong.
    pub(crate) notes: Vec<String>,
}

/// What an alert says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Words {
    /// The fact: `80% of daily limit used`.
    pub(crate) title: String,
    /// Spent, allowed, when it resets, when it will be reached.
    pub(crate) body: String,
}

impl Words {
    /// An alert in words. They hold names from outside, all of them printable.
    pub(crate) fn from_alert(alert: &Alert, now: Instant, zone: Zone) -> Self {
        let title = text::banner_title(&alert.limit);
        let title = title.trim_start_matches(['⚠', '■', ' ']);
        // A title begins with a name from outside. It must be no option of the program that shows it (`-`), and no
        // file that the program reads (`@`, as curl has it).
        let title = if title.starts_with(['-', '@']) { format!("tokmeter: {title}") } else { title.to_owned() };
        let mut body = vec![text::banner_amounts(&alert.limit)];
        body.extend(text::resets(&alert.limit, now, zone));
        body.extend(text::forecast(&alert.limit, now, zone));
        Self { title, body: body.join(" · ") }
    }
}

/// Says an alert in every way the settings ask for, if no other process has said it yet.
pub(crate) fn deliver(
    alert: &Alert,
    settings: &Settings,
    env: &Env,
    books: &mut dyn Ledger,
    now: Instant,
    later: &Later,
) -> Delivered {
    let silent = settings.alerts.quiet.is_some_and(|quiet| quiet.holds(now.with_timezone(&settings.zone).time()));
    if silent {
        // It is not claimed either, so that it can be said when the silent hours are over.
        return Delivered::default();
    }
    let mut delivered = Delivered { said: true, ..Delivered::default() };
    match books.claim_alert(alert.id.as_str(), now) {
        Ok(true) => {}
        Ok(false) => return Delivered::default(),
        // Better said twice than not at all.
        Err(error) => delivered.notes.push(format!("{error}; another process may say this alert too")),
    }
    let words = Words::from_alert(alert, now, settings.zone);
    let alerts = &settings.alerts;
    delivered.bell = alerts.bell;
    let mut note = |outcome: Result<(), String>| delivered.notes.extend(outcome.err());
    match way(alerts.notify, env) {
        Way::None => {}
        Way::Osc9 => delivered.terminal = terminal::osc9(&words),
        Way::Osc777 => delivered.terminal = terminal::osc777(&words),
        Way::Desktop => note(outside::desktop(&words, alert.threshold, env, later)),
        Way::DesktopIfAny => {
            if outside::has_desktop(env) {
                note(outside::desktop(&words, alert.threshold, env, later));
            }
        }
    }
    if let Some((program, arguments)) = alerts.command.split_first() {
        note(outside::command(program, arguments, &words, later));
    }
    if let Some(url) = &alerts.webhook {
        note(outside::webhook(url, alert, &words, settings.zone, later));
    }
    delivered
}

/// By which way a notification is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    None,
    Osc9,
    Osc777,
    Desktop,
    /// The desktop's, if there is one: nobody asked for it by name.
    DesktopIfAny,
}

fn way(chosen: Notify, env: &Env) -> Way {
    match chosen {
        Notify::Off => Way::None,
        Notify::Osc9 => Way::Osc9,
        Notify::Osc777 => Way::Osc777,
        Notify::Desktop => Way::Desktop,
        Notify::Auto => terminal::notification_way(env).unwrap_or(Way::DesktopIfAny),
    }
}

#[cfg(unix)]
#[cfg(test)]
mod tests;
