//! Names in a filter that no call has, such as a typing error.

use crate::commands::{Context, Failure};
use crate::domain::{Filter, Label, Zone};
use crate::ledger::{Grain, Ledger, Query};
use crate::text::meant;

/// Up to this many known names are listed instead of a suggestion.
pub(crate) const FEW: usize = 8;

/// Warns of names in the filter that no call has, such as a typing error.
pub(crate) fn name_strangers(context: &mut Context<'_>, books: &dyn Ledger, filter: &Filter) -> Result<(), Failure> {
    for (dimension, asked) in filter.only.iter().filter(|(_, asked)| !asked.is_glob()) {
        let all = books.report(&Query { by: vec![*dimension], ..Query::new(Grain::Total, Zone::UTC) })?;
        let names: Vec<Label> = all.rows.into_iter().filter_map(|row| row.by.into_iter().next().flatten()).collect();
        if names.is_empty() || names.iter().any(|name| asked.matches(name)) {
            continue;
        }
        let asked = asked.as_str();
        let known = || names.iter().map(Label::as_str);
        let hint = match known().find(|name| name.starts_with(asked)).or_else(|| meant(asked, known())) {
            Some(meant) => format!("; did you mean '{meant}'?"),
            None if names.len() <= FEW => format!("; there are: {}", known().collect::<Vec<_>>().join(", ")),
            None => String::new(),
        };
        context.note(&format!("no call has {dimension} '{asked}'{hint}"));
    }
    Ok(())
}
