//! The self-test as tables: classes of faults, agents, and every number that differs.

use std::collections::BTreeMap;

use super::{Document, Model, SampleResult};
use crate::commands::{Context, Failure};
use crate::output;
use crate::text;

impl Document<'_> {
    pub(super) fn write(&self, context: &mut Context<'_>) -> Result<(), Failure> {
        let heads = ["", "class of faults", "samples", "expected", "counted", "cost expected", "counted", ""];
        let rows: Vec<Vec<String>> = self
            .hazards
            .iter()
            .map(|hazard| {
                let mut row = vec![hazard.hazard.to_owned(), hazard.title.to_owned(), hazard.samples.len().to_string()];
                row.extend(numbers(&hazard.expected, &hazard.counted));
                row.push(verdict(hazard.right));
                row
            })
            .collect();
        output::plain(&heads.map(str::to_owned), 2, &rows, context.out)?;
        writeln!(context.out)?;
        let heads = ["agent", "samples", "expected", "counted", "cost expected", "counted", ""];
        output::plain(&heads.map(str::to_owned), 1, &self.agents(), context.out)?;
        writeln!(context.out)?;
        for sample in self.samples.iter().filter(|sample| !sample.right) {
            sample.write_differences(context)?;
        }
        let samples = text::plural(u64::try_from(self.samples.len()).unwrap_or(u64::MAX), "sample");
        let outcome = match self.wrong {
            0 => "every number is as expected, in order and in reverse with every file twice".to_owned(),
            wrong => format!("{wrong} wrong"),
        };
        writeln!(context.out, "{samples} in {} ms: {outcome}", self.duration_ms)?;
        Ok(())
    }

    /// One row per agent, with all its samples combined.
    fn agents(&self) -> Vec<Vec<String>> {
        let mut of_agent: BTreeMap<&str, Vec<&SampleResult<'_>>> = BTreeMap::new();
        for sample in &self.samples {
            of_agent.entry(sample.sample.split('/').next().unwrap_or_default()).or_default().push(sample);
        }
        let row = |(agent, samples): (&str, Vec<&SampleResult<'_>>)| {
            let whole = samples.iter().find(|sample| sample.sample == agent);
            let (expected, counted) =
                whole.map_or_else(Default::default, |whole| (Model::sum(whole.expected), Model::sum(whole.counted)));
            let mut row = vec![agent.to_owned(), samples.len().to_string()];
            row.extend(numbers(&expected, &counted));
            row.push(verdict(samples.iter().all(|sample| sample.right)));
            row
        };
        of_agent.into_iter().map(row).collect()
    }
}

/// Number of calls, their tokens, and their cost.
fn numbers(expected: &Model, counted: &Model) -> [String; 4] {
    let size = |model: &Model| format!("{} / {}", text::count(model.calls), text::count(model.tokens()));
    let cost = |model: &Model| match &model.cost_usd {
        Some(Some(usd)) => format!("${usd}"),
        Some(None) => "?".to_owned(),
        None => String::new(),
    };
    [size(expected), size(counted), cost(expected), cost(counted)]
}

fn verdict(right: bool) -> String {
    if right { "right" } else { "WRONG" }.to_owned()
}

impl SampleResult<'_> {
    fn write_differences(&self, context: &mut Context<'_>) -> Result<(), Failure> {
        writeln!(context.out, "{}", self.sample)?;
        for (heading, models) in
            [("expected", self.expected), ("counted", self.counted), ("in reverse, twice", self.repeated)]
        {
            writeln!(context.out, "  {heading}")?;
            for model in models {
                writeln!(context.out, "    {}", serde_json::to_string(model).unwrap_or_default())?;
            }
        }
        if self.quotas != self.expected_quotas {
            writeln!(context.out, "  windows: expected {:?}, counted {:?}", self.expected_quotas, self.quotas)?;
        }
        Ok(())
    }
}
