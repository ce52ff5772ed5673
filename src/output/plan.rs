//! Subscriptions, and the value of their usage.

use serde::Serialize;

use super::{Cell, Decimal, cost_cell};
use crate::domain::{Instant, Label, Zone};
use crate::meter::{PlanMonth, is_running};
use crate::text;

/// One plan in one month.
#[derive(Serialize)]
pub(crate) struct PlanJson<'a> {
    month: String,
    month_is_over: bool,
    plan: &'a Label,
    price_usd: Decimal,
    /// Unknown if nothing has a price, as are the `times`.
    usage_usd: Cell,
    /// Usage as a multiple of the plan's price, rounded down to a tenth.
    times: Option<Decimal>,
    unpriced_tokens: u64,
    lower_bound_calls: u64,
    guessed_calls: u64,
}

impl<'a> PlanJson<'a> {
    pub(crate) fn new(plan: &'a PlanMonth, now: Instant, zone: Zone) -> Self {
        Self {
            month: plan.month.format("%Y-%m").to_string(),
            month_is_over: !is_running(plan.month, now, zone),
            plan: &plan.name,
            price_usd: Decimal(plan.price),
            usage_usd: cost_cell(&plan.sums),
            times: plan.tenths().map(|tenths| Decimal(crate::domain::Usd::from_micro(100_000).times(tenths))),
            unpriced_tokens: plan.sums.unpriced_tokens,
            lower_bound_calls: plan.sums.lower_bound_calls,
            guessed_calls: plan.sums.guessed_calls,
        }
    }
}

/// A sentence about one plan in one month.
pub(crate) fn plan_line(plan: &PlanMonth, now: Instant, zone: Zone) -> String {
    let month = plan.month.format("%Y-%m");
    let so_far = if is_running(plan.month, now, zone) { " so far" } else { "" };
    let times = match plan.tenths() {
        Some(tenths) => format!(", {}× {}.{} of the plan", text::mark(&plan.sums).sign(), tenths / 10, tenths % 10),
        None => ", of the plan".to_owned(),
    };
    let price = text::usd(plan.price);
    format!("{month}: usage worth {}{so_far}{times} {} ({price} a month)", text::cost(&plan.sums), plan.name)
}
