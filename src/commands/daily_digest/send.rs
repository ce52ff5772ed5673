//! `report --yesterday`, printed or sent, and the digest that is sent automatically every day.

use std::time::Duration;

use super::{Asked, Sums, compose};
use crate::app::catch_up::Books;
use crate::app::{Context, Exit, Failure};
use crate::commands::derived;
use crate::commands::report_query::answer;
use crate::config::Settings;
use crate::domain::{Day, Dimension, Filter, Instant, day_of, day_start};
use crate::engine::{Accepted, Channel, Message, daily};
use crate::ledger::{
    AlertClaim, CLAIM_LASTS, FactKind, KeyValue as _, Ledger, Report, alert_was_delivered, claim_alert,
};

/// How often to look whether another process has sent a digest that it has claimed.
const LOOK: Duration = Duration::from_millis(100);

/// Prints the digest of the day selected by the filter, split by model unless other dimensions are given, or sends it
/// through every configured channel.
///
/// `is_whole` means that it counts every call. That day's automatic digest is then not sent again.
pub(in crate::commands) fn run(
    context: &mut Context<'_>,
    books: &mut Books,
    (filter, by, reprice): (&Filter, &[Dimension], bool),
    (sends, is_whole): (bool, bool),
) -> Result<Exit, Failure> {
    let now = context.now();
    let asked = Asked { filter, by, renamed: derived::names(&books.ledger, by, &context.settings.ticket)? };
    let sums = Sums::ask(&asked, &context.settings, &mut |query| answer(books, query, reprice))?;
    let room = context.env.columns.filter(|_| !sends);
    let (title, body) = compose(&books.ledger, &context.settings, (&sums, filter), room, now)?;
    if !sends {
        write!(context.out, "{title}\n\n{body}")?;
        return Ok(Exit::Fine);
    }
    let channels = Channel::of_digest(&context.settings);
    if channels.is_empty() {
        let why = "there is nobody to send to: give [alerts.email], or 'slack', 'webhook' or 'command' under [alerts] in the config";
        return Err(Failure::new(Exit::Config, why));
    }
    let today = day_of(now, context.settings.zone);
    let yesterday = today.pred_opt().unwrap_or(today);
    let mut failed = Vec::new();
    for channel in channels {
        let id = daily::id(yesterday, &channel);
        let claim = if is_whole { claimed(context, books, (&id, &channel)) } else { Claim::None };
        if matches!(claim, Claim::Sent) {
            let (name, recipient) = (channel.name(), channel.recipient());
            writeln!(context.out, "another process has just sent it by {name} to {recipient}")?;
            continue;
        }
        let message = Message { title: subject(&title), body: body.clone(), is_table: true, id: id.clone(), at: now };
        match channel.send(&message, &context.env) {
            Ok(Accepted { note, rest }) => {
                failed.extend(note.into_iter().chain(rest.map(|(_, why)| why)));
                writeln!(context.out, "sent by {} to {}", channel.name(), channel.recipient())?;
                if is_whole && let Err(error) = alert_was_delivered(&mut books.ledger, &id, now) {
                    context.note(&format!("{error}; it may be sent again"));
                }
            }
            Err(why) => {
                failed.push(why);
                // The next attempt need not wait until the claim expires.
                if matches!(claim, Claim::Ours) {
                    let _ = books.ledger.remove(FactKind::Alert, &id);
                }
            }
        }
    }
    let Some(last) = failed.pop() else { return Ok(Exit::Fine) };
    for why in &failed {
        context.note(why);
    }
    Err(Failure::new(Exit::Unavailable, last))
}

/// Who may send a digest now.
enum Claim {
    /// No other process, until it has been sent.
    Ours,
    /// Anybody: it has been sent before, or is none that the clock sends.
    None,
    /// Nobody: another process was sending it and has done so.
    Sent,
}

/// Claims a digest over all processes. While another one is sending it, waits for the end of that.
fn claimed(context: &mut Context<'_>, books: &mut Books, (id, channel): (&str, &Channel)) -> Claim {
    let began = std::time::Instant::now();
    let mut has_waited = false;
    loop {
        match claim_alert(&mut books.ledger, id, context.now()) {
            Ok(AlertClaim::Ours) => return Claim::Ours,
            Ok(AlertClaim::Done) if has_waited => return Claim::Sent,
            Ok(AlertClaim::Pending) if began.elapsed() <= CLAIM_LASTS => {
                if !has_waited {
                    context.note(&format!("another process is sending it by {}; waiting for that", channel.name()));
                }
                has_waited = true;
                std::thread::sleep(LOOK);
            }
            Ok(AlertClaim::Done | AlertClaim::Pending) => return Claim::None,
            Err(error) => {
                context.note(&format!("{error}; another process may send it as well"));
                return Claim::None;
            }
        }
    }
}

/// The title and text of a day's digest, for the automatic message.
pub(in crate::commands) fn of_day(
    books: &dyn Ledger,
    settings: &Settings,
    day: Day,
    unread_files: u64,
    now: Instant,
) -> Result<(String, String), String> {
    let zone = settings.zone;
    let until = day.succ_opt().map(|next| day_start(next, zone));
    let filter = Filter { since: Some(day_start(day, zone)), until, ..Filter::default() };
    let asked = Asked { filter: &filter, by: &[], renamed: std::collections::BTreeMap::new() };
    let sums = Sums::ask(&asked, settings, &mut |query| Ok(Report { unread_files, ..books.report(query)? }));
    let composed = sums.and_then(|sums| compose(books, settings, (&sums, &filter), None, now));
    let (title, body) = composed.map_err(|failure| failure.message)?;
    Ok((subject(&title), body))
}

/// The subject of a message. It names the program, because other programs send messages too.
fn subject(title: &str) -> String {
    format!("tokmeter: {title}")
}
