//! A session's summary as JSON.

use std::io::{self, Write};

use serde::Serialize;

use super::amounts::Marks;
use super::{Cell, cost_cell, derived_cell, measures, session_facts, to_line};
use crate::domain::{Label, Usd, one_by_one};
use crate::meter::SessionLine;

#[derive(Serialize)]
struct Document<'a> {
    schema: u8,
    #[serde(flatten)]
    facts: std::collections::BTreeMap<&'static str, Cell>,
    operations: u64,
    tokens_per_min: Option<u64>,
    cost_per_hour_usd: Option<Cell>,
    models: Vec<Share<'a>>,
    agents: Agents,
    /// Number of files that could not be read. Because of them every number may be higher. Omitted if zero.
    #[serde(skip_serializing_if = "super::is_zero")]
    unread_files: u64,
}

#[derive(Serialize)]
struct Share<'a> {
    #[serde(rename = "model")]
    name: Option<&'a Label>,
    calls: u64,
    total_tokens: u64,
    cost_usd: Cell,
    #[serde(flatten)]
    marks: Marks,
}

/// The sub-agents' share of the session.
#[derive(Serialize)]
struct Agents {
    calls: u64,
    total_tokens: u64,
    cost_usd: Cell,
    #[serde(flatten)]
    marks: Marks,
}

/// Writes the summary as one line of JSON.
pub(crate) fn session_json(line: &SessionLine, unread_files: u64, out: &mut dyn Write) -> io::Result<()> {
    let sums = &line.row.sums;
    let mut facts: std::collections::BTreeMap<_, _> = one_by_one(session_facts(&line.row));
    facts.remove("models");
    facts.extend(measures(sums));
    let seconds = u64::try_from(line.duration.num_seconds()).unwrap_or(0);
    let document = Document {
        schema: 1,
        facts,
        operations: sums.calls,
        tokens_per_min: per(sums.tokens.total(), 60, seconds),
        // No hourly rate can be derived from less than a minute.
        cost_per_hour_usd: (seconds >= 60).then(|| derived_cell(hourly(sums.cost, seconds), sums)),
        models: line
            .row
            .models
            .iter()
            .map(|(model, sums)| Share {
                name: model.as_ref(),
                calls: sums.calls,
                total_tokens: sums.tokens.total(),
                cost_usd: cost_cell(sums),
                marks: Marks::from_sums(sums),
            })
            .collect(),
        agents: Agents {
            calls: line.row.in_agents.calls,
            total_tokens: line.row.in_agents.tokens.total(),
            cost_usd: cost_cell(&line.row.in_agents),
            marks: Marks::from_sums(&line.row.in_agents),
        },
        unread_files,
    };
    to_line(&document, out)
}

fn per(count: u64, unit: u64, seconds: u64) -> Option<u64> {
    let exact = u128::from(count) * u128::from(unit);
    exact.checked_div(u128::from(seconds)).map(|rate| u64::try_from(rate).unwrap_or(u64::MAX))
}

/// Dollars per hour.
fn hourly(cost: Usd, seconds: u64) -> Usd {
    Usd::from_pico(cost.pico().saturating_mul(3600) / i128::from(seconds.max(1)))
}
