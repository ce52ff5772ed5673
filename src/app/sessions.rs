//! Finds sessions by the names that users give.

use std::collections::BTreeSet;

use super::exit::{Exit, Failure};
use crate::domain::{
    Dimension, Filter, Label, Matcher, Zone, is_callers_session, is_project, is_session, may_be_short,
};
use crate::ledger::{Grain, Ledger, LedgerError, Query};

/// The named session that ended last. Calls without a session may be newer.
fn latest_named(books: &dyn Ledger, filter: &Filter) -> Result<Option<Label>, LedgerError> {
    let query = Query { filter: filter.clone(), ..Query::new(Grain::Session, Zone::UTC) };
    let sessions = books.report(&query)?.rows.into_iter().filter_map(|row| row.session);
    let last = sessions.filter(|session| session.session.is_some()).max_by_key(|session| session.ended);
    Ok(last.and_then(|session| session.session.clone()))
}

/// Matches one session: `latest`, a full name, a unique prefix, or the short name as displayed.
///
/// # Errors
/// When no session matches or several do.
pub(crate) fn only_session(books: &dyn Ledger, wanted: &str, filter: &Filter) -> Result<Matcher, Failure> {
    find_session(books, wanted, filter)?.map(|name| Matcher::exact(name.as_str()))
}

/// Like [`only_session`]; the inner failure says why no session matches.
///
/// # Errors
/// When the ledger cannot be read.
pub(crate) fn find_session(
    books: &dyn Ledger,
    wanted: &str,
    filter: &Filter,
) -> Result<Result<Label, Failure>, LedgerError> {
    if wanted == "latest" {
        return latest(books, filter);
    }
    if let Some(exact) = with_exact_name(books, wanted, filter)? {
        return Ok(Ok(exact));
    }
    let fits = named_so(books, filter, wanted, is_session)?;
    let wanted = Label::new(wanted);
    let none =
        || format!("no session is named '{wanted}', or begins or ends with it; `tokmeter report session` lists them");
    Ok(one(&fits, &wanted, none))
}

/// The session that a caller of the gate names: by its full name, by the name as displayed, or by a long prefix. A
/// caller that asks before the session's first call means a new session; the inner failure then says that no call has
/// it, and is `None` if there are no calls at all. With [`Exit::Usage`], several sessions match.
///
/// # Errors
/// When the ledger cannot be read.
pub(crate) fn callers_session(books: &dyn Ledger, wanted: &str) -> Result<Result<Label, Option<Failure>>, LedgerError> {
    let all = Filter::default();
    if let Some(exact) = with_exact_name(books, wanted, &all)? {
        return Ok(Ok(exact));
    }
    let found = if wanted == "latest" {
        latest(books, &all)?
    } else {
        let may_be_short = may_be_short(wanted);
        let fits = if may_be_short { named_so(books, &all, wanted, is_callers_session)? } else { Vec::new() };
        let wanted = Label::new(wanted);
        one(&fits, &wanted, || {
            format!("no call has session '{wanted}'; `tokmeter report session` lists those with calls")
        })
    };
    match found {
        Ok(name) => Ok(Ok(name)),
        Err(failure) if failure.exit == Exit::NoInput && books.calls(&all, 1)?.is_empty() => Ok(Err(None)),
        Err(failure) => Ok(Err(Some(failure))),
    }
}

/// The session of the newest call or, if it has none, the one that ended last.
fn latest(books: &dyn Ledger, filter: &Filter) -> Result<Result<Label, Failure>, LedgerError> {
    let newest = books.calls(filter, 1)?;
    let mut name = newest.first().and_then(|row| row.call.from.session.clone());
    if name.is_none() && !newest.is_empty() {
        name = latest_named(books, filter)?;
    }
    let none = || Failure::new(Exit::NoInput, "no session yet: no logged call names one");
    Ok(name.ok_or_else(none))
}

/// The session of exactly this name, found without reading all other names.
fn with_exact_name(books: &dyn Ledger, wanted: &str, filter: &Filter) -> Result<Option<Label>, LedgerError> {
    let mut filter = filter.clone();
    filter.only.push((Dimension::Session, Matcher::exact(wanted)));
    Ok(books.calls(&filter, 1)?.first().and_then(|row| row.call.from.session.clone()))
}

/// The sessions whose names match or, if none does and the words begin with a project, that are displayed that way:
/// `api 3f2a91c0`.
fn named_so(
    books: &dyn Ledger,
    filter: &Filter,
    wanted: &str,
    fits: impl Fn(&str, &str) -> bool,
) -> Result<Vec<Label>, LedgerError> {
    let query = |by: Vec<Dimension>| Query { by, filter: filter.clone(), ..Query::new(Grain::Total, Zone::UTC) };
    let names = books.report(&query(vec![Dimension::Session]))?.rows.into_iter();
    let names = names.filter_map(|row| row.by.into_iter().next().flatten());
    let named: Vec<Label> = names.filter(|name| fits(name, wanted)).collect();
    let Some((project, id)) = wanted.rsplit_once(' ').filter(|(_, id)| named.is_empty() && !id.is_empty()) else {
        return Ok(named);
    };
    let rows = books.report(&query(vec![Dimension::Session, Dimension::Project]))?.rows;
    let shown = rows.iter().filter_map(|row| match row.by.as_slice() {
        [Some(session), Some(of)] if is_project(of, project) && fits(session, id) => Some(session.clone()),
        _ => None,
    });
    Ok(shown.collect::<BTreeSet<Label>>().into_iter().collect())
}

/// The only one of these sessions, otherwise a failure that says why there is none.
fn one(fits: &[Label], wanted: &Label, none: impl FnOnce() -> String) -> Result<Label, Failure> {
    match fits {
        [one] => Ok(one.clone()),
        [] => Err(Failure::new(Exit::NoInput, none())),
        several => Err(Failure::new(
            Exit::Usage,
            format!("{} sessions match '{wanted}'; give more of the name", several.len()),
        )),
    }
}
