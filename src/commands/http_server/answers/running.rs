//! The active sessions in the summary.

use serde::Serialize;

use crate::domain::{Label, rfc3339};
use crate::meter::{Activity, FleetLine};
use crate::output::{Amounts, Cell, derived_cell};

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
    /// The calls of the last five minutes. The hourly rate has their marks.
    rate: Amounts,
    cost_per_hour_usd: Cell,
    agents: Vec<Agent<'a>>,
}

#[derive(Serialize)]
struct Agent<'a> {
    name: &'a str,
    today: Amounts,
    /// The calls of the last five minutes. The hourly rate has their marks.
    rate: Amounts,
    cost_per_hour_usd: Cell,
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
            rate: Amounts::from_sums(&line.of_rate),
            cost_per_hour_usd: derived_cell(line.cost_per_hour, &line.of_rate),
            agents: line
                .agents
                .iter()
                .map(|agent| Agent {
                    name: &agent.name,
                    today: Amounts::from_sums(&agent.today),
                    rate: Amounts::from_sums(&agent.of_rate),
                    cost_per_hour_usd: derived_cell(agent.cost_per_hour, &agent.of_rate),
                })
                .collect(),
        }
    }
}
