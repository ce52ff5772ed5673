//! Sums by model.

use std::collections::BTreeMap;

use super::freshness::Freshness;
use crate::domain::Label;
use crate::ledger::Sums;

/// Subtracts a call from the sums of its model. Stale if the sums did not contain it.
pub(crate) fn take_model(models: &mut BTreeMap<Option<Label>, Sums>, name: Option<&Label>, sums: &Sums) -> Freshness {
    let name = name.cloned();
    let Some(model) = models.get_mut(&name) else { return Freshness::Stale };
    model.sub(sums);
    if model.calls == 0 {
        models.remove(&name);
    }
    Freshness::Exact
}
