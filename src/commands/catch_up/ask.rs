//! Ledger queries shared by several commands.

use std::collections::{BTreeMap, HashSet};

use crate::commands::{Context, Failure, gate};
use crate::domain::{Dimension, Filter, Label, Zone};
use crate::ledger::{BooksError, Grain, Ledger, Query, SessionRow};
use crate::meter::{self, Follow, Limit, LimitState, Meter, Snapshot, Summary};

/// Tokens per model without a price.
pub(in crate::commands) fn unpriced(books: &dyn Ledger) -> Result<BTreeMap<Label, u64>, Failure> {
    let query = Query { by: vec![Dimension::Model], ..Query::new(Grain::Total, Zone::UTC) };
    let rows = books.report(&query)?.rows.into_iter();
    Ok(rows
        .filter(|row| row.sums.unpriced_tokens > 0)
        .map(|row| {
            let model = row.by.into_iter().next().flatten();
            (model.unwrap_or_else(|| Label::new("(no model named)")), row.sums.unpriced_tokens)
        })
        .collect())
}

/// The summary the screen would show now, with forecast, rate and projections.
pub(in crate::commands) fn summary(context: &Context<'_>, books: &dyn Ledger) -> Result<Summary, BooksError> {
    let (rules, now) = (context.rules(Filter::default()), context.now());
    let snapshot = Snapshot::ask(books, &rules, &Follow::Latest, now)?;
    Ok(Meter::open(rules, snapshot).summary(now))
}

/// States of the limits that apply to a session, worst first: by its user, project and each of its models, plus this
/// machine's. For calls without a session: all limits.
pub(in crate::commands) fn limit_states(
    context: &Context<'_>,
    books: &dyn Ledger,
    row: Option<&SessionRow>,
) -> Result<Vec<LimitState>, Failure> {
    let (mut rules, now) = (context.rules(Filter::default()), context.now());
    let Some((row, session)) = row.and_then(|row| Some((row, row.session.as_ref()?))) else {
        return Ok(meter::states(books, &rules, None, now)?);
    };
    let about = |limit: &Limit| limit.scope.only.iter().any(|(dimension, _)| *dimension == Dimension::Model);
    // A call context names one model. Limits that do not depend on the model are evaluated once.
    let (of_models, others): (Vec<Limit>, Vec<Limit>) = std::mem::take(&mut rules.limits).into_iter().partition(about);
    let models = row.models.iter().map(|(model, _)| (&of_models, model.as_ref()));
    let mut all: Vec<LimitState> = Vec::new();
    let mut known: HashSet<(Limit, Option<String>)> = HashSet::new();
    for (limits, model) in std::iter::once((&others, None)).chain(models.filter(|_| !of_models.is_empty())) {
        rules.limits.clone_from(limits);
        let names = [
            (Dimension::Source, Some(&row.source)),
            (Dimension::Session, Some(session)),
            (Dimension::User, row.user.as_ref()),
            (Dimension::Project, row.project.as_ref()),
            (Dimension::Model, model),
        ];
        let names: Vec<_> = names.into_iter().filter_map(|(of, name)| Some((of, name?.as_str()))).collect();
        for state in meter::states(books, &rules, Some(&gate::caller(&context.settings, &names)), now)? {
            if known.insert((state.limit.clone(), state.subject.clone())) {
                all.push(state);
            }
        }
    }
    all.sort_by_key(|state| std::cmp::Reverse((state.verdict, state.percent)));
    Ok(all)
}
