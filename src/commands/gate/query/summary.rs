//! Answers `{"query":"summary"}`.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::value::RawValue;

use crate::app::Exit;
use crate::app::names::complete;
use crate::app::sessions::find_session;
use crate::commands::Failure;
use crate::domain::{Dimension, Filter, Instant, Label, Matcher, Span};
use crate::engine::Caveats;
use crate::ledger::Ledger;
use crate::meter::closing::session_row;
use crate::meter::{Rules, SessionLine};
use crate::output::{self, session_json as write_json};

/// The answer: a session's totals and the day's.
#[derive(Serialize)]
pub(super) struct Summary {
    ok: bool,
    schema: u8,
    session: Option<Box<RawValue>>,
    today: BTreeMap<&'static str, output::Cell>,
    /// Warning about the ledger.
    #[serde(skip_serializing_if = "Option::is_none")]
    warning: Option<String>,
}

/// The summary of the session that is named, or of the latest.
///
/// # Errors
/// When the ledger cannot be read, or a name could mean several sessions.
pub(super) fn summary(
    books: &dyn Ledger,
    rules: &Rules,
    names: &[(Dimension, String)],
    caveats: Caveats<'_>,
    now: Instant,
) -> Result<Summary, Failure> {
    let (sessions, others): (Vec<_>, Vec<_>) = names.iter().partition(|(of, _)| *of == Dimension::Session);
    let only = others.into_iter().map(|(of, name)| (*of, Matcher::exact(Label::new(name).as_str()))).collect();
    let mut filter = Filter { only, ..Filter::default() };
    complete(books, &mut filter)?;
    // Before the session's first call there is no summary, which is not an error.
    match sessions.first() {
        Some((_, wanted)) => {
            let wanted = Label::new(wanted);
            let found = match find_session(books, &wanted, &filter)? {
                Err(failure) if failure.exit == Exit::NoInput => wanted,
                found => found?,
            };
            filter.only.push((Dimension::Session, Matcher::exact(found.as_str())));
        }
        None => {
            let newest = books.calls(&filter, 1)?;
            let latest = newest.first().and_then(|row| row.call.from.session.clone());
            filter.only.extend(latest.map(|session| (Dimension::Session, Matcher::exact(session.as_str()))));
        }
    }
    let session = match session_row(books, &filter)? {
        Some(row) => {
            let mut text = Vec::new();
            write_json(&SessionLine::from_row(row, now), caveats.unread_files, &mut text)?;
            let text = String::from_utf8_lossy(&text).trim_end().to_owned();
            Some(RawValue::from_string(text).expect("what was written as JSON is JSON"))
        }
        None => None,
    };
    let day = Span::day(now, rules.zone);
    let today = books.sums(&Filter { since: Some(day.from), until: Some(day.until), ..Filter::default() })?;
    let today = output::measures(&today.marked(caveats.unread_files)).into_iter().collect();
    Ok(Summary { ok: true, schema: 1, session, today, warning: caveats.warning.map(str::to_owned) })
}
