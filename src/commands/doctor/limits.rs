//! Checks whether calls count under the limits for models.

use super::{Report, State};
use crate::app::catch_up::Books;
use crate::commands::{Context, Failure};
use crate::domain::{Dimension, Filter, Label};
use crate::ledger::{Grain, Ledger, Query};

impl Report {
    /// Names each limit for a model that no call has. It may be that of a model to come, but a gateway's alias is never
    /// the model of a call.
    pub(super) fn limits(&mut self, context: &mut Context<'_>, books: &Books) -> Result<(), Failure> {
        let rules = context.rules(Filter::default());
        let limits = rules.limits.iter().filter(|limit| !limit.amount.allows_nothing());
        let mut limits = limits.filter_map(|limit| Some((limit, limit.scope.models()?))).peekable();
        if limits.peek().is_none() {
            return Ok(());
        }
        let query = Query { by: vec![Dimension::Model], ..Query::new(Grain::Total, rules.zone) };
        let rows = books.ledger.report(&query)?.rows;
        let known: Vec<Label> = rows.into_iter().filter_map(|row| row.by.into_iter().next().flatten()).collect();
        for (limit, models) in limits {
            if known.is_empty() || known.iter().any(|model| models.matches(model)) {
                continue;
            }
            let key = limit.scope.key(limit.window);
            let words = "no call has this model; calls for an alias count under the model that answers, so limit that";
            self.say("limits", State::Note, format!("{key}: {words}"));
        }
        Ok(())
    }
}
