//! Plans compared with a month's usage, in reports and invoices.

use serde::Serialize;

use super::{Context, Failure};
use crate::domain::Filter;
use crate::ledger::Ledger;
use crate::meter::{PlanMonth, plan_months};
use crate::output::{self, PlanJson};

/// Usage of each configured plan in each month within a filter.
pub(super) struct Plans(Vec<PlanMonth>);

/// A document with the plans, if there are any.
#[derive(Serialize)]
pub(super) struct WithPlans<'a, D: Serialize> {
    #[serde(flatten)]
    pub(super) document: D,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) plans: Vec<PlanJson<'a>>,
}

impl Plans {
    /// # Errors
    /// When the ledger cannot be read.
    pub(super) fn load(context: &Context<'_>, books: &dyn Ledger, filter: &Filter) -> Result<Self, Failure> {
        let settings = &context.settings;
        Ok(Self(plan_months(&settings.plans, books, filter, settings.zone)?))
    }

    /// The plans as members of a JSON document.
    pub(super) fn json(&self, context: &Context<'_>) -> Vec<PlanJson<'_>> {
        let (now, zone) = (context.now(), context.settings.zone);
        self.0.iter().map(|plan| PlanJson::new(plan, now, zone)).collect()
    }

    /// One sentence per plan and month.
    pub(super) fn lines(&self, context: &Context<'_>) -> Vec<String> {
        let (now, zone) = (context.now(), context.settings.zone);
        self.0.iter().map(|plan| output::plan_line(plan, now, zone)).collect()
    }

    /// Writes the sentences below a table.
    pub(super) fn write(&self, context: &mut Context<'_>) -> Result<(), Failure> {
        let lines = self.lines(context);
        if !lines.is_empty() {
            writeln!(context.out, "\n{}", lines.join("\n"))?;
        }
        Ok(())
    }
}
