//! Alert delivery: bell, terminal or desktop notification, program, web hook, mail.
//!
//! Each alert is delivered once, however many processes notice it, because the ledger records the claim and, once every
//! channel has been tried, the delivery. A claim that is not followed by a delivery expires. Nothing here blocks the
//! caller or makes it fail; errors become notes, and what failed on the network is tried again.

mod channel;
mod email;
mod outside;
mod slack;
mod terminal;
mod under_way;

pub(crate) use channel::{Accepted, Channel, Message};
pub(super) use outside::host;
pub(super) use under_way::{Deliveries, FINISH, Later, RETRIES, try_again};

use std::sync::Arc;

use crate::config::{Env, Notify, Settings};
use crate::domain::{Instant, Zone};
use crate::ledger::{AlertClaim, Ledger, LedgerError, alert_was_delivered};
use crate::meter::{About, Alert};
use crate::text;
use under_way::UnderWay;

/// The parts of a delivery that are left to the caller.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Delivered {
    /// True when this process claimed the alert.
    pub(crate) claimed: bool,
    /// True when another process has claimed it but not delivered it yet. Try again later, because that process may be
    /// gone.
    pub(crate) pending: bool,
    /// True to ring the bell.
    pub(crate) bell: bool,
    /// Escape sequence for the terminal; empty if the terminal supports no notifications.
    pub(crate) terminal: Vec<u8>,
    /// True when it is still being sent. Its end is reported later.
    pub(crate) under_way: bool,
    /// Delivery errors.
    pub(crate) notes: Vec<String>,
}

/// The text of an alert.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct AlertText {
    /// The headline: `80% of daily limit used`.
    pub(crate) title: String,
    /// Amounts, reset time and forecast.
    pub(crate) body: String,
}

impl AlertText {
    /// Builds the text. Names from outside are `Label`s and therefore printable.
    pub(crate) fn from_alert(alert: &Alert, now: Instant, zone: Zone) -> Self {
        let (title, body) = match &alert.about {
            About::Limit(limit) => {
                let mut body = vec![text::banner_amounts(limit)];
                body.extend(text::resets(limit, now, zone));
                body.extend(text::forecast(limit, now, zone));
                (text::banner_title(limit), body)
            }
            About::Quota(quota) => {
                let stated = format!("stated {}", text::quota_age(quota, now));
                (alert.title(), vec![text::quota_resets(quota, now, zone), stated])
            }
        };
        let title = title.trim_start_matches(['⚠', '■', ' ']);
        // The title begins with a name from outside, which must not be mistaken for an option (`-`) or, by curl and the
        // like, for a file to read (`@`).
        let title = if title.starts_with(['-', '@']) { format!("tokmeter: {title}") } else { title.to_owned() };
        let body: Vec<String> = body.into_iter().filter(|part| !part.is_empty()).collect();
        Self { title, body: body.join(" · ") }
    }
}

/// The alert in the web hook's form, for listeners to this process; `None` during quiet hours.
pub(crate) fn document(alert: &Alert, settings: &Settings, now: Instant) -> Option<Arc<str>> {
    if settings.alerts.quiet.is_some_and(|quiet| quiet.hold(now, settings.zone)) {
        return None;
    }
    let words = AlertText::from_alert(alert, now, settings.zone);
    outside::document(alert, &words, now, settings.zone).ok().map(Arc::from)
}

/// Delivers an alert through every configured channel, unless another process has claimed it.
pub(super) fn deliver(
    alert: &Alert,
    settings: &Settings,
    env: &Env,
    books: &mut dyn Ledger,
    now: Instant,
    later: &Later,
) -> Delivered {
    let silent = settings.alerts.quiet.is_some_and(|quiet| quiet.hold(now, settings.zone));
    if silent {
        // It is not claimed either, so that it is delivered when quiet hours end.
        return Delivered::default();
    }
    let mut delivered = Delivered { claimed: true, ..Delivered::default() };
    // A duplicate alert is better than no alert.
    let claimed = alert.claim(books, now);
    match &claimed {
        Ok(AlertClaim::Ours) => {}
        Ok(AlertClaim::Done) => return Delivered::default(),
        Ok(AlertClaim::Pending) => return Delivered { pending: true, ..Delivered::default() },
        Err(error) => delivered.notes.push(unsure(error)),
    }
    let under_way = Arc::new(UnderWay::new(alert.id.to_string(), claimed.is_ok(), later));
    let words = AlertText::from_alert(alert, now, settings.zone);
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
        note(outside::webhook(url, alert, &words, now, settings.zone, &under_way));
    }
    for channel in Channel::all(settings) {
        let (title, body) = (words.title.clone(), words.body.clone());
        let message = Message { title, body, is_table: false, id: alert.id.to_string(), at: now };
        note(outside::send(channel, message, env, &under_way));
    }
    delivered.under_way = !UnderWay::is_over(under_way);
    if claimed.is_ok()
        && !delivered.under_way
        && let Err(error) = alert_was_delivered(books, alert.id.as_str(), now)
    {
        delivered.notes.push(unsure(&error));
    }
    delivered
}

/// A note about an alert whose claim or delivery could not be recorded.
fn unsure(error: &LedgerError) -> String {
    format!("{error}; another process may deliver this alert as well")
}

/// Notification channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    None,
    Osc9,
    Osc777,
    Desktop,
    /// Desktop notification if available. `auto` chooses it, so it is not an error if there is none.
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
