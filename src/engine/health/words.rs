//! Text for the states of price lists, places and files.

use crate::domain::{Instant, Label};
use crate::ingest::{Condition, Kind, RootState};
use crate::pricing::PriceBook;
use crate::text;

/// Age in days at which a price list is reported as old.
pub(crate) const OLD_PRICES: i64 = 60;

/// Describes the price list in force and its age.
pub(crate) fn prices_words(prices: &PriceBook, now: Instant) -> String {
    let age = (now.date_naive() - prices.as_of()).num_days();
    let old = if age > OLD_PRICES { "; `tokmeter prices update FILE` takes in a newer list" } else { "" };
    format!("list of {}{old}", prices.as_of())
}

/// A root's state in JSON.
pub(crate) const fn state_name(state: &RootState) -> &'static str {
    match state {
        RootState::Found | RootState::Live | RootState::Polling(_) => "found",
        RootState::Waiting => "waiting",
        RootState::Gone => "gone",
        RootState::PermissionDenied => "permission denied",
        RootState::Failing(_) => "failing",
    }
}

/// A state that needs attention. A place that is polled, as network folders must be, is read like any other: the screen
/// shows that it is polled, and there is nothing to be done about it.
pub(super) fn trouble(state: &RootState) -> Option<Label> {
    let is_usual = matches!(state, RootState::Polling(reason) if reason.advice().is_none());
    state_words(state).filter(|_| !is_usual).map(|words| Label::new(&words))
}

/// Describes a root's state; `None` when there is nothing to report.
pub(crate) fn state_words(state: &RootState) -> Option<String> {
    match state {
        RootState::Found | RootState::Live => None,
        RootState::Waiting => Some("not there yet; read as soon as it is".into()),
        RootState::Gone => Some("gone; its calls are kept".into()),
        RootState::PermissionDenied => Some("permission denied; tried again".into()),
        RootState::Failing(why) => Some(format!("{why}; tried again")),
        RootState::Polling(reason) => Some(match reason.advice() {
            Some(advice) => format!("live by polling; {advice}"),
            None => "live by polling".into(),
        }),
    }
}

/// Describes a file's condition.
pub(crate) fn condition_words(what: &Condition) -> String {
    match what {
        Condition::Replaced => "replaced; following the new file".into(),
        Condition::Rewritten => "truncated or rewritten; read again".into(),
        Condition::Gone => "gone; its calls are kept".into(),
        Condition::PermissionDenied => "permission denied; tried again".into(),
        Condition::Failing(why) => format!("{why}; tried again"),
        Condition::Unsupported(what) => format!("{what} is not read"),
        Condition::Skipped(kind) => match kind {
            Kind::Fifo => "a named pipe; skipped".into(),
            Kind::Socket => "a socket; skipped".into(),
            Kind::Device => "a device; skipped".into(),
            Kind::Folder => "a folder; skipped".into(),
            Kind::Unknown => "not a regular file; skipped".into(),
        },
        Condition::SymlinkLoop => "a link that leads in a circle; skipped".into(),
        Condition::DanglingLink => "a link that leads nowhere".into(),
        Condition::Partial { offset } => format!("1 partial line at byte {offset}"),
        Condition::NotRecognised => "format not recognised".into(),
        Condition::OverLong { lines, offset } => {
            format!("{} over-long, the last at byte {offset}", text::plural(*lines, "line"))
        }
        Condition::NulsSkipped { bytes } => format!("{bytes} NULs skipped"),
        Condition::LostCalls { .. } => {
            format!("{}; remove the file to accept that", what.unread().unwrap_or_default())
        }
    }
}
