//! The active sessions in the summary, and amounts with their marks.

use serde::Serialize;

use crate::domain::{Label, rfc3339};
use crate::ledger::Sums;
use crate::meter::{Activity, FleetLine};
use crate::output::{self, Decimal, micro_of};

/// Tokens and cost of a set of calls.
#[derive(Serialize)]
pub(super) struct Amounts {
    calls: u64,
    tokens: u64,
    cost_usd: output::Cell,
    unpriced_tokens: u64,
    lower_bound_calls: u64,
    guessed_calls: u64,
}

impl Amounts {
    /// The amounts in these sums, with their marks.
    pub(super) fn from_sums(sums: &Sums) -> Self {
        Self {
            calls: sums.calls,
            tokens: sums.tokens.total(),
            cost_usd: output::cost_cell(sums),
            unpriced_tokens: sums.unpriced_tokens,
            lower_bound_calls: sums.lower_bound_calls,
            guessed_calls: sums.guessed_calls,
        }
    }
}

/// One of today's sessions.
#[derive(Serialize)]
pub(super) struct Running<'a> {
    session: Option<&'a str>,
    source: &'a str,
    project: Option<&'a str>,
    model: Option<&'a str>,
    state: &'static str,
    started: String,
    last: String,
    today: Amounts,
    cost_per_hour_usd: Option<Decimal>,
    agents: Vec<Agent<'a>>,
}

#[derive(Serialize)]
struct Agent<'a> {
    name: &'a str,
    today: Amounts,
    cost_per_hour_usd: Option<Decimal>,
}

impl<'a> Running<'a> {
    /// Converts a line of the fleet view.
    pub(super) fn from_line(line: &'a FleetLine) -> Self {
        Self {
            session: line.id.session.as_ref().map(Label::as_str),
            source: &line.id.source,
            project: line.project.as_ref().map(Label::as_str),
            model: line.model.as_ref().map(Label::as_str),
            state: match line.activity {
                Activity::Working => "working",
                Activity::Quiet => "quiet",
                Activity::Waiting => "waiting",
                Activity::Ended => "ended",
            },
            started: rfc3339(line.started),
            last: rfc3339(line.last),
            today: Amounts::from_sums(&line.today),
            cost_per_hour_usd: micro_of(line.cost_per_hour, &line.today),
            agents: line
                .agents
                .iter()
                .map(|agent| Agent {
                    name: &agent.name,
                    today: Amounts::from_sums(&agent.today),
                    cost_per_hour_usd: micro_of(agent.cost_per_hour, &agent.today),
                })
                .collect(),
        }
    }
}
