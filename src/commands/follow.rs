//! The session followed at start.

use super::Failure;
use crate::cli::LiveArgs;
use crate::domain::{Dimension, Filter, Matcher};
use crate::ledger::Ledger;
use crate::meter::{Follow, SessionId};

/// The session that `--session` names; without it the day, or all of the given paths or the given time.
pub(super) fn follow(ledger: &dyn Ledger, args: &LiveArgs, view: &Filter) -> Result<Follow, Failure> {
    match args.session.as_deref() {
        // Who names paths or a time asks about all that is in them; else it is the day that counts.
        None if !args.paths.is_empty() || view.since.is_some() || view.until.is_some() => Ok(Follow::Everything),
        None => Ok(Follow::Today),
        // Before a first call there is no session to stay with.
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
