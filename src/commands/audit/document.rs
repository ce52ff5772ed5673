//! The audit as a document: lines by outcome, calls by format, marks and places.

use super::PLACES;
use super::bad::{Bad, Note, is_worth_a_word};
use super::ledger_totals::LedgerTotals;
use super::marked::Marked;
use super::read::Read;
use crate::commands::Failure;
use crate::domain::{Dimension, Label};
use crate::formats::{Exactness, FormatId};
use crate::ledger::Sums;
use crate::output::{self, Cell};
use serde::Serialize;

#[derive(Serialize)]
pub(crate) struct Audit {
    pub(crate) schema: u8,
    pub(crate) files: u64,
    pub(crate) bytes: u64,
    pub(crate) lines: u64,
    pub(crate) recognised_lines: u64,
    pub(crate) unknown_lines: u64,
    pub(crate) sightings: u64,
    pub(crate) calls: u64,
    pub(crate) duplicates: u64,
    pub(crate) total_tokens: u64,
    pub(crate) cost_usd: Cell,
    pub(crate) sources: Vec<ByFormat>,
    pub(crate) lower_bound_calls: u64,
    pub(crate) guessed_calls: u64,
    pub(crate) unpriced: Vec<Unpriced>,
    pub(crate) unpriced_tokens: u64,
    pub(crate) first_marked_calls: Vec<Marked>,
    pub(crate) first_unknown_lines: Vec<Bad>,
    pub(crate) bad_lines: u64,
    pub(crate) first_bad_lines: Vec<Bad>,
    pub(crate) over_long_lines: u64,
    pub(crate) nul_bytes: u64,
    pub(crate) unread_bytes: u64,
    pub(crate) unread_files: u64,
    pub(crate) notes: Vec<Note>,
    pub(crate) ledger: Option<LedgerTotals>,
    #[serde(skip)]
    pub(crate) total: Sums,
}

#[derive(Serialize)]
pub(crate) struct ByFormat {
    pub(crate) source: Label,
    pub(crate) fidelity: String,
    pub(crate) sightings: u64,
    pub(crate) calls: u64,
    pub(crate) duplicates: u64,
    pub(crate) lower_bound_calls: u64,
    pub(crate) guessed_calls: u64,
    pub(crate) total_tokens: u64,
    pub(crate) cost_usd: Cell,
}

#[derive(Serialize)]
pub(crate) struct Unpriced {
    pub(crate) model: Option<Label>,
    pub(crate) calls: u64,
    pub(crate) tokens: u64,
}

/// How exact a source's logs are, such as `E$`; empty for a source from another version.
fn fidelity(source: &str) -> String {
    FormatId::of_name(source).map(|id| Exactness::label(id.format().fidelity())).unwrap_or_default()
}

impl Audit {
    pub(super) fn from_read(read: &Read, ledger: Option<LedgerTotals>) -> Result<Self, Failure> {
        let sources = read.report_by(Dimension::Source)?;
        let of_source = |source: &Label| -> Sums {
            let row = sources.rows.iter().find(|row| row.by.first().is_some_and(|name| name.as_ref() == Some(source)));
            row.map(|row| row.sums).unwrap_or_default()
        };
        let models = read.report_by(Dimension::Model)?;
        let total = models.total;
        let sightings: u64 = read.sightings.values().sum();
        let notes = read.health.notes.iter().filter(|note| is_worth_a_word(&note.what));
        Ok(Self {
            schema: 1,
            files: read.health.files,
            bytes: read.tallies.bytes,
            lines: read.tallies.lines,
            recognised_lines: read.tallies.read,
            unknown_lines: read.tallies.other,
            sightings,
            calls: total.calls,
            duplicates: sightings.saturating_sub(total.calls),
            total_tokens: total.tokens.total(),
            cost_usd: output::cost_cell(&total),
            sources: read
                .sightings
                .iter()
                .map(|(source, sightings)| {
                    let sums = of_source(source);
                    ByFormat {
                        source: source.clone(),
                        fidelity: fidelity(source),
                        sightings: *sightings,
                        calls: sums.calls,
                        duplicates: sightings.saturating_sub(sums.calls),
                        lower_bound_calls: sums.lower_bound_calls,
                        guessed_calls: sums.guessed_calls,
                        total_tokens: sums.tokens.total(),
                        cost_usd: output::cost_cell(&sums),
                    }
                })
                .collect(),
            lower_bound_calls: total.lower_bound_calls,
            guessed_calls: total.guessed_calls,
            unpriced: models
                .rows
                .iter()
                .filter(|row| row.sums.unpriced_tokens > 0)
                .map(|row| Unpriced {
                    model: row.by.first().cloned().flatten(),
                    calls: row.sums.calls,
                    tokens: row.sums.unpriced_tokens,
                })
                .collect(),
            unpriced_tokens: total.unpriced_tokens,
            first_marked_calls: Marked::first(&read.books, &total)?,
            first_unknown_lines: read.unknown.iter().map(Bad::from_note).collect(),
            bad_lines: read.tallies.bad,
            first_bad_lines: read.bad.iter().map(Bad::from_note).collect(),
            over_long_lines: read.tallies.over_long,
            nul_bytes: read.tallies.nuls,
            unread_bytes: read.health.lag,
            unread_files: read.health.unread_files(),
            notes: notes
                .take(PLACES)
                .map(|note| Note {
                    path: note.path.clone(),
                    what: Label::new(&crate::engine::health::condition_words(&note.what)),
                })
                .collect(),
            ledger,
            total,
        })
    }
}
