//! Totals of the ledger, for comparison with the logs.

use std::collections::BTreeSet;

use serde::Serialize;

use super::PLACES;
use super::read::Read;
use crate::commands::{Context, Failure, ledger};
use crate::domain::{Filter, Label};
use crate::ledger::Ledger;
use crate::meter::overrides::{self, Override};

/// Totals of the ledger, for comparison.
#[derive(Serialize)]
pub(super) struct LedgerTotals {
    pub(crate) calls: u64,
    /// Tokens of calls that were recorded without a price, even if today's list has one.
    pub(crate) unpriced_tokens: u64,
    /// Number of calls in the ledger that are no longer in any log.
    pub(crate) only_in_ledger: u64,
    pub(crate) files_gone: u64,
    pub(crate) first_files_gone: Vec<Label>,
    pub(crate) future_calls: u64,
    pub(crate) limits_lifted: Vec<Override>,
}

impl LedgerTotals {
    pub(super) fn from_ledger(context: &mut Context<'_>) -> Result<Option<Self>, Failure> {
        let prices = context.prices();
        let Some(books) = ledger::open(context, &prices)? else { return Ok(None) };
        let info = books.info(context.now())?;
        let files = books.files()?;
        let gone: BTreeSet<Label> = files
            .iter()
            .filter(|file| file.path.is_absolute() && !file.path.exists())
            .map(|file| Label::from_path(&file.path))
            .collect();
        let limits_lifted = overrides::all(&books)?;
        Ok(Some(Self {
            calls: info.sums.calls,
            unpriced_tokens: info.sums.unpriced_tokens,
            only_in_ledger: 0,
            files_gone: u64::try_from(gone.len()).unwrap_or(u64::MAX),
            first_files_gone: gone.into_iter().take(PLACES).collect(),
            future_calls: info.future_calls,
            limits_lifted,
        }))
    }

    /// Adds the number of calls that are not in the logs, which are read afterwards.
    pub(super) fn compared_with(self, read: &Read) -> Result<Self, Failure> {
        let in_logs = read.books.sums(&Filter::default())?.calls;
        Ok(Self { only_in_ledger: self.calls.saturating_sub(in_logs), ..self })
    }
}
