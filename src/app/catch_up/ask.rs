//! Ledger queries shared by several commands.

use std::collections::HashSet;

use super::Books;
use crate::app::context::Context;
use crate::app::exit::Failure;
use crate::config::Settings;
use crate::domain::{Dimension, Filter, Label};
use crate::ingest::Projects;
use crate::ledger::{Ledger, LedgerError, SessionRow};
use crate::meter::{self, CallContext, Follow, Limit, LimitState, Meter, Snapshot, Summary};

/// The summary that the screen would show now, with forecast, rate and projections.
pub(crate) fn summary(context: &Context<'_>, books: &Books) -> Result<Summary, LedgerError> {
    let (rules, now) = (context.rules(Filter::default()), context.now());
    let mut meter = Meter::open(rules.clone(), Snapshot::ask(&books.ledger, &rules, &Follow::Today, now)?);
    meter.set_unread_files(books.health.unread_files());
    Ok(meter.summary(now))
}

/// States of the limits that apply to a session, worst first: limits on its user, its project and each of its models,
/// plus those of this machine. For calls without a session: all limits.
pub(crate) fn limit_states(
    context: &Context<'_>,
    books: &Books,
    row: Option<&SessionRow>,
) -> Result<Vec<LimitState>, Failure> {
    let mut all = states(context, &books.ledger, row)?;
    let unread = books.health.unread_files() > 0;
    for state in &mut all {
        state.unread = unread;
    }
    Ok(all)
}

fn states(context: &Context<'_>, books: &dyn Ledger, row: Option<&SessionRow>) -> Result<Vec<LimitState>, Failure> {
    let (mut rules, now) = (context.rules(Filter::default()), context.now());
    let Some((row, session)) = row.and_then(|row| Some((row, row.session.as_ref()?))) else {
        return Ok(meter::states(books, &rules, None, now)?);
    };
    let about = |limit: &Limit| limit.scope.only.iter().any(|(dimension, _)| *dimension == Dimension::Model);
    // A call context names only one model. Limits that do not depend on the model are evaluated once.
    let (of_models, others): (Vec<Limit>, Vec<Limit>) = std::mem::take(&mut rules.limits).into_iter().partition(about);
    let models = row.models.iter().map(|(model, _)| (&of_models, model.as_ref()));
    let mut all: Vec<LimitState> = Vec::new();
    #[allow(clippy::mutable_key_type, reason = "a pattern's cache does not take part in comparisons")]
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
        for state in meter::states(books, &rules, Some(&caller(&context.settings, &names)), now)? {
            if known.insert((state.limit.clone(), state.subject.clone())) {
                all.push(state);
            }
        }
    }
    meter::worst_first(&mut all);
    Ok(all)
}

/// Call context from the given names, with the config's defaults for the rest.
pub(crate) fn caller(settings: &Settings, names: &[(Dimension, &str)]) -> CallContext {
    let mut all: Vec<(Dimension, Label)> = Vec::new();
    let projects = Projects::default();
    let given = names.iter().filter(|(_, name)| !name.is_empty()).map(|(of, name)| {
        let name = Label::new(name);
        (*of, if *of == Dimension::Project { projects.project(&name) } else { name })
    });
    let usual = [
        (Dimension::User, Some(&settings.user)),
        (Dimension::Team, settings.team.as_ref()),
        (Dimension::Org, settings.org.as_ref()),
    ];
    let usual = usual.into_iter().filter_map(|(of, name)| Some((of, name?.clone())));
    for (dimension, name) in given.chain(usual) {
        if all.iter().all(|(known, _)| *known != dimension) {
            all.push((dimension, name));
        }
    }
    CallContext { names: all }
}
