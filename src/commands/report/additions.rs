//! Additions to a report that do not change its numbers: plans, and estimates of output that logs do not count.

use serde::Serialize;

use crate::app::backfill::{self, Kept};
use crate::commands::plans::{Plans, WithPlans};
use crate::commands::{Context, Failure};
use crate::ledger::{Grain, Ledger, Report};
use crate::output::{self, Decimal};
use crate::pricing::PriceBook;
use crate::text;

/// The additions to a report.
pub(super) struct Additions {
    plans: Option<Plans>,
    estimated: Option<Kept>,
}

/// Estimates stored by `backfill`.
#[derive(Serialize)]
struct Estimated {
    calls: u64,
    output_tokens: u64,
    cost_usd: Option<Decimal>,
}

/// A report's document, with its additions.
#[derive(Serialize)]
struct WithEstimates<D: Serialize> {
    #[serde(flatten)]
    document: D,
    #[serde(skip_serializing_if = "Option::is_none")]
    estimated: Option<Estimated>,
}

impl Additions {
    /// The plans for a report by month, and the estimates within its filter.
    pub(super) fn load(
        context: &mut Context<'_>,
        report: &Report,
        books: &dyn Ledger,
        prices: &PriceBook,
    ) -> Result<Self, Failure> {
        let filter = &report.query.filter;
        let is_monthly = report.query.grain == Grain::Month;
        let plans = if is_monthly { Some(Plans::load(context, books, filter)?) } else { None };
        Ok(Self { plans, estimated: backfill::kept(context, filter, prices) })
    }

    /// True if there is nothing to add.
    pub(super) fn is_empty(&self) -> bool {
        self.plans.is_none() && self.estimated.is_none()
    }

    /// Writes the report as JSON with its additions.
    pub(super) fn write_json(&self, context: &mut Context<'_>, report: &Report) -> Result<(), Failure> {
        let grid = output::report_grid(report);
        let plans = self.plans.as_ref().map(|plans| plans.json(context)).unwrap_or_default();
        let document = WithPlans { document: output::report_document(report, &grid), plans };
        let estimated = self.estimated.map(|kept| Estimated {
            calls: kept.calls,
            output_tokens: kept.output_tokens,
            cost_usd: kept.cost.map(Decimal),
        });
        Ok(output::to_line(&WithEstimates { document, estimated }, context.out)?)
    }

    /// Writes sentences below a table.
    pub(super) fn write_lines(&self, context: &mut Context<'_>) -> Result<(), Failure> {
        if let Some(plans) = &self.plans {
            plans.write(context)?;
        }
        if let Some(kept) = &self.estimated {
            writeln!(context.out, "\n{}", words(kept))?;
        }
        Ok(())
    }
}

fn words(kept: &Kept) -> String {
    let cost = kept.cost.map_or_else(|| "?".to_owned(), |cost| format!("~ {}", text::usd(cost)));
    let (tokens, calls) = (text::count(kept.output_tokens), text::plural(kept.calls, "call"));
    format!("Not in these numbers: ~ {tokens} tokens ({cost}) of {calls}, estimated from texts (`tokmeter backfill`)")
}
