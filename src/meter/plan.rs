//! Compares the price of a subscription with the value of its usage.

use crate::domain::{Day, Dimension, Filter, Label, Usd, Zone, day_of, day_start, month_of, sort_by};
use crate::ledger::{Grain, Ledger, LedgerError, PeriodKey, Query, Sums};

/// A subscription.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// Its name.
    pub name: Label,
    /// Its price per month.
    pub usd: Usd,
    /// The first day on which this price applies.
    pub from: Option<Day>,
    /// The log formats that it covers; empty for all.
    pub sources: Vec<Label>,
}

/// Usage that a plan covered in one month.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PlanMonth {
    /// First day of the month.
    pub(crate) month: Day,
    /// The plan.
    pub(crate) name: Label,
    /// Its price per month.
    pub(crate) price: Usd,
    /// The usage, at list prices.
    pub(crate) sums: Sums,
}

impl PlanMonth {
    /// How many times over the price was used, in tenths, rounded down; `None` for a free plan, and
    /// where nothing has a price.
    pub(crate) fn tenths(&self) -> Option<u64> {
        let (worth, price) = (self.sums.cost.pico(), self.price.pico());
        if price <= 0 || self.sums.is_unpriced() {
            return None;
        }
        u64::try_from(worth.max(0).checked_mul(10)? / price).ok()
    }
}

/// Usage of each plan per month, for months with any usage, within a filter.
///
/// # Errors
/// When the ledger cannot be read.
pub(crate) fn plan_months(
    plans: &[Plan],
    books: &dyn Ledger,
    filter: &Filter,
    zone: Zone,
) -> Result<Vec<PlanMonth>, LedgerError> {
    let mut months: Vec<PlanMonth> = Vec::new();
    for plan in plans {
        // Applies until the next price of the same plan.
        let later = plans.iter().filter(|other| other.name == plan.name && other.from > plan.from);
        let until = later.filter_map(|other| other.from).min().map(|day| day_start(day, zone));
        let since = plan.from.map(|day| day_start(day, zone));
        let filter = Filter {
            since: filter.since.max(since),
            until: match (filter.until, until) {
                (Some(one), Some(other)) => Some(one.min(other)),
                (one, other) => one.or(other),
            },
            only: filter.only.clone(),
        };
        let query = Query { by: vec![Dimension::Source], filter, ..Query::new(Grain::Month, zone) };
        for row in books.report(&query)?.rows {
            let source = row.by.first().and_then(Option::as_ref);
            let is_covered = plan.sources.is_empty() || source.is_some_and(|source| plan.sources.contains(source));
            let PeriodKey::Month(month) = row.period else { continue };
            if !is_covered {
                continue;
            }
            match months.iter_mut().find(|known| known.month == month && known.name == plan.name) {
                Some(known) => {
                    known.sums.add(&row.sums);
                    // If the price changed within the month, use the one of the last day.
                    known.price = plan.usd;
                }
                None => months.push(PlanMonth { month, name: plan.name.clone(), price: plan.usd, sums: row.sums }),
            }
        }
    }
    sort_by(&mut months, |one, other| (one.month, &one.name).cmp(&(other.month, &other.name)));
    Ok(months)
}

/// True when the month is not over yet.
pub(crate) fn is_running(month: Day, now: crate::domain::Instant, zone: Zone) -> bool {
    month >= month_of(day_of(now, zone))
}
