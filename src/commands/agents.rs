//! `agents`: lists the agents that can and cannot be read, where each one's logs are looked for, and how exact they
//! are.

mod show;

use std::collections::BTreeMap;
use std::path::Path;

use serde::Serialize;

use super::{Context, Exit, Failure};
use crate::app::catch_up::{self, Books, LogSelection};
use crate::domain::{Dimension, Filter, Instant, Label, Matcher, Zone, one_by_one};
use crate::engine::health::state_name;
use crate::formats::{self, Env, Exactness};
use crate::ingest::{RootState, RootStatus};
use crate::ledger::{Grain, Ledger, Query};
use crate::output;

pub(super) fn run(context: &mut Context<'_>, json: bool) -> Result<Exit, Failure> {
    let books = catch_up::open_and_catch_up(context, &LogSelection::Everything, false)?;
    let document = Document { schema: 1, agents: listed(context, &books)? };
    if json {
        output::to_line(&document, context.out)?;
    } else {
        document.write(context)?;
    }
    Ok(Exit::Fine)
}

#[derive(Serialize)]
struct Document {
    schema: u8,
    agents: Vec<Agent>,
}

#[derive(Serialize)]
struct Agent {
    #[serde(rename = "agent")]
    name: &'static str,
    found: bool,
    /// False for an agent whose files contain no tokens.
    readable: bool,
    /// How exact its logs are, such as `E$`; empty if nothing can be read.
    fidelity: String,
    places: Vec<Place>,
    files: u64,
    calls: u64,
    last: Option<Instant>,
    /// Information that its logs leave out.
    gaps: &'static str,
}

#[derive(Serialize)]
struct Place {
    path: Label,
    state: &'static str,
    files: u64,
}

/// Agents in the registry, followed by those that write no tokens to disk.
fn listed(context: &Context<'_>, books: &Books) -> Result<Vec<Agent>, Failure> {
    let vars = &context.env.vars;
    let var = |name: &str| vars.get(std::ffi::OsStr::new(name)).cloned();
    let env = Env::new(context.env.home.as_deref(), &var);
    let calls = calls_by_source(&books.ledger)?;
    let mut agents = Vec::new();
    for format in formats::ALL {
        let name = format.name();
        let roots: Vec<&RootStatus> = books.health.roots.iter().filter(|root| root.agent == Some(name)).collect();
        if roots.is_empty() {
            continue;
        }
        let calls = calls.get(name).copied().unwrap_or_default();
        agents.push(Agent {
            name,
            found: roots.iter().any(|root| root.state != RootState::Waiting),
            readable: true,
            fidelity: Exactness::label(format.fidelity()),
            files: roots.iter().map(|root| root.files).sum(),
            places: roots.into_iter().map(Place::from_status).collect(),
            calls,
            last: if calls > 0 { last_call(&books.ledger, name)? } else { None },
            gaps: format.gaps(),
        });
    }
    agents.extend(formats::TOKENLESS.iter().map(|agent| {
        let places = agent.places(&env);
        Agent {
            name: agent.name,
            found: places.iter().any(|place| place.exists()),
            readable: false,
            fidelity: String::new(),
            files: 0,
            places: places.iter().map(|place| Place::unread(place)).collect(),
            calls: 0,
            last: None,
            gaps: agent.gaps,
        }
    }));
    Ok(agents)
}

impl Place {
    fn from_status(root: &RootStatus) -> Self {
        Self { path: root.path(), state: state_name(&root.state), files: root.files }
    }

    fn unread(path: &Path) -> Self {
        let state = if path.exists() { "found" } else { "waiting" };
        Self { path: Label::from_path(path), state, files: 0 }
    }
}

fn calls_by_source(ledger: &dyn Ledger) -> Result<BTreeMap<String, u64>, Failure> {
    let query = Query { by: vec![Dimension::Source], ..Query::new(Grain::Total, Zone::UTC) };
    let rows = ledger.report(&query)?.rows.into_iter();
    Ok(one_by_one(rows.filter_map(|row| Some((row.by.first()?.as_ref()?.to_string(), row.sums.calls)))))
}

fn last_call(ledger: &dyn Ledger, source: &str) -> Result<Option<Instant>, Failure> {
    let only = vec![(Dimension::Source, Matcher::exact(source))];
    let newest = ledger.calls(&Filter { only, ..Filter::default() }, 1)?;
    Ok(newest.first().map(|row| row.call.at()))
}
