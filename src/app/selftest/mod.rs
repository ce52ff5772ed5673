//! Counts the samples packed into the program, on the machine it runs on.
//!
//! The samples go through the same readers, merging and pricing as real logs: files in a temporary folder, and
//! databases created with the same SQLite that reads them. Each sample is counted twice: as it is, and in reverse with
//! every file repeated.

mod cases;
mod hazards;
mod materials;
mod model;

use std::collections::BTreeMap;
use std::sync::Arc;

pub(crate) use self::hazards::HAZARDS;
pub(crate) use self::materials::{Sample, samples};
pub use self::model::{Model, of_ledger};

use self::cases::Case;
use self::materials::Reading;
use crate::app::exit::{Exit, Failure};
use crate::domain::{Record, Status};
use crate::ledger::{Batch, Ledger, Memory};
use crate::pricing::{CostMode, PriceBook};

/// One sample with its expected and actual sums.
#[derive(Clone, Debug)]
pub(crate) struct Checked {
    /// Agent and trap, such as `codex/re-emitted.jsonl`; just the agent for all its samples together.
    pub(crate) name: String,
    pub(crate) expected: Vec<Model>,
    pub(crate) counted: Vec<Model>,
    /// In reverse, with every file twice.
    pub(crate) repeated: Vec<Model>,
    /// The provider's windows by length, in hundredths of a per cent.
    pub(crate) expected_quotas: BTreeMap<String, u32>,
    pub(crate) quotas: BTreeMap<String, u32>,
}

impl Checked {
    /// True when all numbers are as expected.
    pub(crate) fn is_right(&self) -> bool {
        self.counted == self.expected && self.repeated == self.expected && self.quotas == self.expected_quotas
    }

    /// Expected and counted sums of all models. The counted sums are those of the plain count if it is wrong, otherwise
    /// those of the reversed count.
    pub(crate) fn sums(&self) -> (Model, Model) {
        let counted = if self.counted == self.expected { &self.repeated } else { &self.counted };
        (Model::sum(&self.expected), Model::sum(counted))
    }
}

/// Counts every sample.
///
/// # Errors
/// When the samples cannot be written to a temporary folder, or the archive is damaged.
pub(crate) fn run() -> Result<Vec<Checked>, Failure> {
    let failed = |error: std::io::Error| Failure::new(Exit::Unavailable, format!("the samples: {error}"));
    let samples = samples().map_err(failed)?;
    let cases = cases::cases(&samples).map_err(failed)?;
    let reading = Reading::read(&samples).map_err(failed)?;
    let prices = Arc::new(PriceBook::new(Vec::new(), Vec::new(), CostMode::Auto));
    cases.into_iter().map(|case| check(case, &reading, &prices)).collect()
}

fn check(case: Case, reading: &Reading, prices: &Arc<PriceBook>) -> Result<Checked, Failure> {
    let name = case.name.clone();
    let files: Vec<&[Record]> = reading.records(&name).collect();
    let mut checked = Checked {
        counted: models(files.iter().copied(), prices)?,
        repeated: models(files.iter().rev().flat_map(|file| [*file, *file]), prices)?,
        quotas: BTreeMap::new(),
        name: case.name,
        expected: case.models,
        expected_quotas: case.quotas,
    };
    if !checked.expected_quotas.is_empty() {
        let records = files.into_iter().flatten();
        checked.quotas.extend(records.filter_map(|record| match record {
            Record::Status(Status::Quota(quota)) => Some((quota.window(), quota.used)),
            Record::Call(_)
            | Record::Descends { .. }
            | Record::Bill(_)
            | Record::Rekeyed { .. }
            | Record::Settled(_)
            | Record::Status(Status::Session(_) | Status::Turn(_)) => None,
        }));
    }
    for counted in [&mut checked.counted, &mut checked.repeated] {
        for (counted, expected) in counted.iter_mut().zip(&checked.expected) {
            counted.drop_unstated(expected);
        }
    }
    Ok(checked)
}

fn models<'a>(files: impl Iterator<Item = &'a [Record]>, prices: &Arc<PriceBook>) -> Result<Vec<Model>, Failure> {
    let mut books = Memory::new(Arc::clone(prices) as _);
    books.post(&Batch { records: files.flatten().cloned().collect(), files: Vec::new() })?;
    Ok(of_ledger(&books)?)
}
