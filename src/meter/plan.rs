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

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::domain::{Attribution, Call, CallKey, Record, Tokens};
    use crate::ledger::{Batch, Memory};
    use crate::pricing::{Cost, Pricer};

    /// A token of input costs a dollar; a call without a model has no price.
    struct Dollar;

    impl Pricer for Dollar {
        fn cost(&self, call: &Call) -> Cost {
            let usd = Usd::from_micro(1_000_000).times(call.tokens.input);
            if call.model.is_some() { Cost::Quoted(usd) } else { Cost::Unpriced }
        }
    }

    fn plan(name: &str, dollars: i64, from: Option<&str>, sources: &[&str]) -> Plan {
        let (name, usd) = (Label::new(name), Usd::from_micro(dollars * 1_000_000));
        let from = from.map(|day| day.parse().unwrap());
        Plan { name, usd, from, sources: sources.iter().map(|source| Label::new(source)).collect() }
    }

    fn books() -> Memory {
        let call = |source: &str, at: &str, input: u64, model: Option<&str>| {
            let from = Attribution::new(at.parse().unwrap(), Label::new(source));
            let tokens = Tokens { input, ..Tokens::ZERO };
            Record::Call(Call::new(CallKey::from_parts(&[source, at]), from, model.map(Label::new), tokens))
        };
        let mut books = Memory::new(Arc::new(Dollar));
        let records = vec![
            call("claude-code", "2026-10-31T12:00:00Z", 15, Some("m")),
            call("claude-code", "2026-11-09T12:00:00Z", 10, Some("m")),
            call("claude-code", "2026-11-20T12:00:00Z", 49, Some("m")),
            call("codex", "2026-11-10T12:00:00Z", 5, Some("m")),
            call("codex", "2026-12-01T12:00:00Z", 7, None),
        ];
        books.post(&Batch { records, files: Vec::new() }).unwrap();
        books
    }

    /// Month, plan, its price and the usage in whole dollars, and how often the price was used, in tenths.
    fn of(plans: &[Plan], filter: &Filter) -> Vec<(String, String, i128, i128, Option<u64>)> {
        let months = plan_months(plans, &books(), filter, Zone::UTC).unwrap();
        let whole = |usd: Usd| usd.pico() / 1_000_000_000_000;
        let known = |month: &PlanMonth| {
            let (name, price, usage) = (month.name.to_string(), whole(month.price), whole(month.sums.cost));
            (month.month.format("%Y-%m").to_string(), name, price, usage, month.tenths())
        };
        months.iter().map(known).collect()
    }

    fn month(
        month: &str,
        plan: &str,
        price: i128,
        usage: i128,
        tenths: Option<u64>,
    ) -> (String, String, i128, i128, Option<u64>) {
        (month.to_owned(), plan.to_owned(), price, usage, tenths)
    }

    #[test]
    fn each_plan_has_the_usage_of_what_it_covers_in_each_month() {
        let plans = [plan("max", 20, None, &["claude-code"]), plan("all", 8, None, &[])];
        let expected = [
            month("2026-10", "all", 8, 15, Some(18)),
            month("2026-10", "max", 20, 15, Some(7)),
            month("2026-11", "all", 8, 64, Some(80)),
            month("2026-11", "max", 20, 59, Some(29)),
            // Nothing of it has a price.
            month("2026-12", "all", 8, 0, None),
        ];
        assert_eq!(of(&plans, &Filter::default()), expected);
    }

    #[test]
    fn a_price_applies_from_its_day_on_and_a_month_has_that_of_its_last() {
        let plans = [
            plan("max", 20, Some("2026-11-01"), &["claude-code"]),
            plan("max", 50, Some("2026-11-15"), &["claude-code"]),
        ];
        // What came before the plan is not covered.
        assert_eq!(of(&plans, &Filter::default()), [month("2026-11", "max", 50, 59, Some(11))]);
        let until = |until: &str| Filter { until: Some(until.parse().unwrap()), ..Filter::default() };
        assert_eq!(of(&plans, &until("2026-11-15T00:00:00Z")), [month("2026-11", "max", 20, 10, Some(5))]);
    }

    #[test]
    fn a_free_plan_was_used_no_number_of_times() {
        let plans = [plan("free", 0, None, &["codex"])];
        let expected = [month("2026-11", "free", 0, 5, None), month("2026-12", "free", 0, 0, None)];
        assert_eq!(of(&plans, &Filter::default()), expected);
    }
}
