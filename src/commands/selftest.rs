//! `selftest`: counts the samples that come with the program on this machine, or writes them out for other programs.

mod export;
mod show;

use std::path::Path;

use serde::Serialize;

use super::{Context, Exit, Failure};
use crate::app::selftest::{self, Checked, HAZARDS, Model};
use crate::output;

pub(super) fn run(context: &mut Context<'_>, json: bool, export: Option<&Path>) -> Result<Exit, Failure> {
    if let Some(folder) = export {
        return export::write(context, folder);
    }
    let begun = std::time::Instant::now();
    let checked = selftest::run()?;
    let document = Document::new(&checked, begun.elapsed().as_millis());
    if json {
        output::to_line(&document, context.out)?;
    } else {
        document.write(context)?;
    }
    Ok(if document.wrong == 0 { Exit::Fine } else { Exit::Attention })
}

#[derive(Serialize)]
struct Document<'a> {
    schema: u8,
    hazards: Vec<HazardResult>,
    samples: Vec<SampleResult<'a>>,
    right: usize,
    wrong: usize,
    duration_ms: u128,
}

/// One class of faults, over all its samples.
#[derive(Serialize)]
struct HazardResult {
    hazard: &'static str,
    title: &'static str,
    samples: &'static [&'static str],
    right: bool,
    expected: Model,
    counted: Model,
}

/// One sample.
#[derive(Serialize)]
struct SampleResult<'a> {
    sample: &'a str,
    right: bool,
    expected: &'a [Model],
    counted: &'a [Model],
    /// Read in reverse, with every file twice.
    repeated: &'a [Model],
    #[serde(skip_serializing_if = "std::collections::BTreeMap::is_empty")]
    expected_quotas: &'a std::collections::BTreeMap<String, u32>,
    #[serde(skip_serializing_if = "std::collections::BTreeMap::is_empty")]
    quotas: &'a std::collections::BTreeMap<String, u32>,
}

impl<'a> Document<'a> {
    fn new(checked: &'a [Checked], duration_ms: u128) -> Self {
        let hazards = HAZARDS.iter().map(|hazard| {
            let shown: Vec<&Checked> =
                checked.iter().filter(|sample| hazard.samples.contains(&sample.name.as_str())).collect();
            let (expected, counted): (Vec<Model>, Vec<Model>) = shown.iter().map(|sample| sample.sums()).unzip();
            HazardResult {
                hazard: hazard.name,
                title: hazard.title,
                samples: hazard.samples,
                // A missing sample proves nothing.
                right: shown.len() == hazard.samples.len() && shown.iter().all(|sample| sample.is_right()),
                expected: Model::sum(&expected),
                counted: Model::sum(&counted),
            }
        });
        let hazards: Vec<HazardResult> = hazards.collect();
        let samples = checked.iter().map(|sample| SampleResult {
            sample: &sample.name,
            right: sample.is_right(),
            expected: &sample.expected,
            counted: &sample.counted,
            repeated: &sample.repeated,
            expected_quotas: &sample.expected_quotas,
            quotas: &sample.quotas,
        });
        let wrong = checked.iter().filter(|sample| !sample.is_right()).count()
            + hazards.iter().filter(|hazard| !hazard.right).count();
        let right = checked.len() + hazards.len() - wrong;
        Self { schema: 1, hazards, samples: samples.collect(), right, wrong, duration_ms }
    }
}
