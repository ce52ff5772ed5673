//! `limits override`: lifts the limits of one session, or restores them.

use crate::app::catch_up::{self, LogSelection};
use crate::app::sessions::find_session;
use crate::app::{Context, Exit, Failure};
use crate::domain::{Filter, Label, is_session, may_be_session_id};
use crate::ledger::Ledger;
use crate::meter::overrides;

/// Overrides the limits of a session. Without a reason, revokes the override.
pub(super) fn lift(context: &mut Context<'_>, session: &str, reason: Option<&str>) -> Result<Exit, Failure> {
    let reason = reason.map(|reason| Label::new(reason.trim()));
    if reason.as_ref().is_some_and(|reason| reason.is_empty()) {
        return Err(Failure::new(Exit::Usage, "give a reason: --reason 'release tonight'"));
    }
    let mut books = catch_up::open_and_catch_up(context, &LogSelection::Everything, false)?;
    if let Some(trouble) = books.trouble {
        return Err(Failure::new(Exit::Unavailable, format!("nothing was changed: {trouble}")));
    }
    match reason {
        Some(reason) => {
            let (session, is_new) = to_lift(&books.ledger, session)?;
            overrides::lift(&mut books.ledger, &session, &reason, context.now())?;
            writeln!(context.out, "Limits no longer stop session {session}: {reason}")?;
            if is_new {
                context.note(&format!("no call has session '{session}' yet; the override waits for its first"));
            }
        }
        None => {
            let session = match lifted_so(&books.ledger, session)? {
                Some(lifted) => lifted,
                None => find_session(&books.ledger, session, &Filter::default())??,
            };
            if !overrides::revoke(&mut books.ledger, &session, context.now())? {
                let message = format!("session {session} has no override; `tokmeter limits` lists all");
                return Err(Failure::new(Exit::Usage, message));
            }
            writeln!(context.out, "Limits stop session {session} again")?;
        }
    }
    Ok(Exit::Fine)
}

/// The session whose limits are to be lifted; the flag is true if no call has it. A session that was blocked before its
/// first call is not in the ledger yet, so a whole id is taken as it is. Any other text would never be found.
fn to_lift(books: &dyn Ledger, session: &str) -> Result<(Label, bool), Failure> {
    match find_session(books, session, &Filter::default())? {
        Ok(known) => Ok((known, false)),
        Err(failure) if failure.exit == Exit::NoInput && may_be_session_id(session) => Ok((Label::new(session), true)),
        Err(failure) if failure.exit == Exit::NoInput && session != "latest" => {
            let message = format!("{}; one that has made no call yet is named by its whole id", failure.message);
            Err(Failure::new(Exit::NoInput, message))
        }
        Err(failure) => Err(failure),
    }
}

/// The session with an override that has this name or, if it is the only one, starts with it. It may have no call.
fn lifted_so(books: &dyn Ledger, session: &str) -> Result<Option<Label>, Failure> {
    let lifted = overrides::in_force(books)?;
    if let Some(exact) = lifted.iter().find(|lifted| lifted.as_str() == session) {
        return Ok(Some(exact.clone()));
    }
    let mut fits = lifted.into_iter().filter(|lifted| is_session(lifted, session));
    Ok(fits.next().filter(|_| fits.next().is_none()))
}
