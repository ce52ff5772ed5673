//! The expected totals of the samples: one case for each trap, and one for all samples of an agent.

use std::collections::BTreeMap;
use std::io;

use serde::Deserialize;

use super::{Model, Sample};
use crate::domain::sort_by;

/// Samples that are counted together.
pub(super) struct Case {
    /// Agent, or agent and trap.
    pub(super) name: String,
    pub(super) models: Vec<Model>,
    pub(super) quotas: BTreeMap<String, u32>,
}

/// Content of an `expected.json`.
#[derive(Deserialize)]
struct Expected {
    models: Vec<Model>,
    #[serde(default)]
    traps: BTreeMap<String, Vec<Model>>,
    #[serde(default)]
    quotas: BTreeMap<String, BTreeMap<String, u32>>,
}

/// All cases, ordered by agent and trap.
///
/// # Errors
/// When an `expected.json` cannot be read.
pub(super) fn cases(samples: &[Sample]) -> io::Result<Vec<Case>> {
    let mut cases = Vec::new();
    for sample in samples {
        let Some(agent) = sample.name.strip_suffix("/expected.json") else { continue };
        let mut expected: Expected = serde_json::from_slice(&sample.bytes)?;
        let case = |name: String, mut models: Vec<Model>, quotas| {
            sort_by(&mut models, |one, other| one.name.cmp(&other.name));
            Case { name, models, quotas }
        };
        cases.push(case(agent.to_owned(), expected.models, BTreeMap::new()));
        for (trap, models) in expected.traps {
            let quotas = expected.quotas.remove(&trap).unwrap_or_default();
            cases.push(case(format!("{agent}/{trap}"), models, quotas));
        }
    }
    Ok(cases)
}
