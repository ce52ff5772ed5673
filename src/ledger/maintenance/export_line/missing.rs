//! The usage that was pruned from a session before it was exported.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::domain::{Instant, Label, rfc3339};
use crate::ledger::interner::{Interner, NONE};
use crate::ledger::spending::Part;

/// The JSON form, next to a bill.
#[derive(Clone, Serialize, Deserialize)]
pub(in crate::ledger::maintenance) struct WrittenMissing {
    /// Time before which calls were pruned.
    before: String,
    /// Sums of the pruned calls by model; the name is empty for calls without a model.
    sums: BTreeMap<String, [u64; 8]>,
}

/// The usage that the exporting ledger had pruned from a session. Nothing was pruned if `before` is `None`.
#[derive(Clone, Default)]
pub(in crate::ledger::maintenance) struct Missing {
    /// Time before which calls were pruned.
    pub(in crate::ledger::maintenance) before: Option<Instant>,
    sums: Vec<(Option<Label>, Part)>,
}

impl WrittenMissing {
    /// Converts sums by interned model.
    pub(in crate::ledger::maintenance) fn of(before: Instant, sums: &BTreeMap<u32, Part>, names: &Interner) -> Self {
        let name = |model: u32| names.label(model).map_or_else(String::new, Label::to_string);
        let sums = sums.iter().map(|(model, part)| (name(*model), part.fields())).collect();
        Self { before: rfc3339(before), sums }
    }

    /// # Errors
    /// When it has no time.
    pub(super) fn read(self) -> Result<Missing, String> {
        let before = chrono::DateTime::parse_from_rfc3339(&self.before);
        let before = before.map_err(|error| format!("before '{}': {error}", self.before))?;
        let label = |name: String| (!name.is_empty()).then(|| Label::new(&name));
        let sums = self.sums.into_iter().map(|(model, fields)| (label(model), Part::from_fields(fields)));
        Ok(Missing { before: Some(Instant::from(before)), sums: sums.collect() })
    }
}

impl Missing {
    /// Sums by interned model.
    pub(in crate::ledger::maintenance) fn sums(&self, names: &mut Interner) -> BTreeMap<u32, Part> {
        let mut number = |model: &Option<Label>| model.as_ref().map_or(NONE, |model| names.number(Some(model)));
        self.sums.iter().map(|(model, part)| (number(model), *part)).collect()
    }
}
