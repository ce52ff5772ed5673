//! Chooses the session to follow at the start.

use super::{Context, Failure};
use crate::app::catch_up::{self, LogSelection};
use crate::cli::LiveArgs;
use crate::domain::{Dimension, Filter, Matcher};
use crate::engine::AnyLedger;
use crate::ledger::Ledger;
use crate::meter::{Follow, SessionId};

/// The session given by `--session`. Without it, the day, or everything in the given paths or time range.
pub(super) fn follow(ledger: &dyn Ledger, args: &LiveArgs, view: &Filter) -> Result<Follow, Failure> {
    match args.session.as_deref() {
        // A user who gives paths or a time range wants everything in it. Otherwise, follow the day.
        None if !args.paths.is_empty() || view.since.is_some() || view.until.is_some() => Ok(Follow::Everything),
        None => Ok(Follow::Today),
        // Before the first call there is no session to follow.
        Some("latest") => {
            let newest = ledger.calls(view, 1)?;
            Ok(newest.first().map_or(Follow::Today, |row| Follow::Session(SessionId::from_call(&row.call))))
        }
        Some(wanted) => {
            let name = crate::app::sessions::only_session(ledger, wanted, view)?;
            let filter =
                Filter { only: vec![(Dimension::Session, Matcher::exact(name.as_str()))], ..Filter::default() };
            let row = ledger.calls(&filter, 1)?;
            Ok(row.first().map_or(Follow::Today, |row| Follow::Session(SessionId::from_call(&row.call))))
        }
    }
}

/// The ledger with everything logged so far, if a session was given and the logs can be read twice.
pub(super) fn catch_up_to_follow(
    context: &mut Context<'_>,
    args: &LiveArgs,
    selection: &LogSelection,
) -> Result<Option<AnyLedger>, Failure> {
    let reads_stdin =
        matches!(selection, LogSelection::Paths(paths) if paths.iter().any(|path| catch_up::is_stdin(path)));
    if args.session.is_none() || reads_stdin {
        return Ok(None);
    }
    Ok(Some(catch_up::open_and_catch_up(context, selection, args.book)?.ledger))
}
