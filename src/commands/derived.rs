//! Names for dimensions that group another dimension's values: a source's fidelity, a project's repository, a branch's
//! ticket.

use std::collections::BTreeMap;
use std::path::Path;

use crate::domain::{Dimension, Label, TicketPattern, Zone, project_of};
use crate::formats::{self, Exactness};
use crate::ledger::{Grain, Ledger, LedgerError, Query};

/// The names needed for a query by these dimensions.
///
/// # Errors
/// When the ledger cannot be read.
pub(super) fn names(
    books: &dyn Ledger,
    by: &[Dimension],
    tickets: &TicketPattern,
) -> Result<BTreeMap<(Dimension, Label), Label>, LedgerError> {
    let mut names = BTreeMap::new();
    if by.contains(&Dimension::Fidelity) {
        names.extend(formats::ALL.iter().map(|format| {
            let marks = Label::new(&Exactness::label(format.fidelity()));
            ((Dimension::Fidelity, Label::new(format.name())), marks)
        }));
    }
    if by.contains(&Dimension::Repo) {
        names.extend(values(books, Dimension::Project)?.map(|project| {
            let repository = repository(&project);
            ((Dimension::Repo, project), repository)
        }));
    }
    if by.contains(&Dimension::Ticket) {
        names.extend(values(books, Dimension::Branch)?.filter_map(|branch| {
            let ticket = Label::new(tickets.find(&branch)?);
            Some(((Dimension::Ticket, branch), ticket))
        }));
    }
    Ok(names)
}

/// Every value of a dimension.
fn values(books: &dyn Ledger, by: Dimension) -> Result<impl Iterator<Item = Label>, LedgerError> {
    let rows = books.report(&Query { by: vec![by], ..Query::new(Grain::Total, Zone::UTC) })?.rows.into_iter();
    Ok(rows.filter_map(|row| row.by.into_iter().next().flatten()))
}

/// The innermost folder above a project that contains a repository, if the project still exists on disk.
fn repository(project: &Label) -> Label {
    let folder = Path::new(project_of(project));
    let root = folder.ancestors().filter(|folder| folder.is_absolute()).find(|folder| folder.join(".git").exists());
    root.map_or_else(|| project.clone(), Label::from_path)
}
