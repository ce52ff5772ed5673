//! Sessions by the names that a user gives them.

use super::exit::{Exit, Failure};
use crate::domain::{Dimension, Filter, Label, Matcher, Zone, is_session};
use crate::ledger::{BooksError, Grain, Ledger, Query};

/// The named session that ended last. Calls without a session may be newer.
fn latest_named(books: &dyn Ledger, filter: &Filter) -> Result<Option<Label>, BooksError> {
    let query = Query { filter: filter.clone(), ..Query::new(Grain::Session, Zone::UTC) };
    let sessions = books.report(&query)?.rows.into_iter().filter_map(|row| row.session);
    let last = sessions.filter(|session| session.session.is_some()).max_by_key(|session| session.ended);
    Ok(last.and_then(|session| session.session.clone()))
}

/// Matches one session: `latest`, a full name, a unique prefix, or the short name that is shown.
///
/// # Errors
/// When no session matches, or several do.
pub(crate) fn only_session(books: &dyn Ledger, wanted: &str, filter: &Filter) -> Result<Matcher, Failure> {
    find_session(books, wanted, filter)?.map(|name| Matcher::exact(name.as_str()))
}

/// As [`only_session`]; the inner failure says why no session is meant.
///
/// # Errors
/// When the ledger cannot be read.
pub(crate) fn find_session(
    books: &dyn Ledger,
    wanted: &str,
    filter: &Filter,
) -> Result<Result<Label, Failure>, BooksError> {
    if wanted == "latest" {
        let newest = books.calls(filter, 1)?;
        let mut name = newest.first().and_then(|row| row.call.from.session.clone());
        if name.is_none() && !newest.is_empty() {
            name = latest_named(books, filter)?;
        }
        let none = || Failure::new(Exit::NoInput, "no session yet: no call has been logged that names one");
        return Ok(name.ok_or_else(none));
    }
    let query = Query { by: vec![Dimension::Session], filter: filter.clone(), ..Query::new(Grain::Total, Zone::UTC) };
    let names: Vec<Label> =
        books.report(&query)?.rows.into_iter().filter_map(|row| row.by.into_iter().next().flatten()).collect();
    let fits: Vec<&Label> = match names.iter().find(|name| name.as_str() == wanted) {
        Some(exact) => vec![exact],
        None => names.iter().filter(|name| is_session(name, wanted)).collect(),
    };
    let wanted = Label::new(wanted);
    Ok(match fits.as_slice() {
        [one] => Ok((*one).clone()),
        [] => Err(Failure::new(
            Exit::NoInput,
            format!("no session is '{wanted}' or begins so; `tokmeter report session` lists them"),
        )),
        several => Err(Failure::new(
            Exit::Usage,
            format!("{} sessions begin with '{wanted}'; give more of the name", several.len()),
        )),
    })
}
