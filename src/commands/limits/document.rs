//! `limits show` as JSON.

use std::io;

use serde::Serialize;

use crate::config::LimitKey;
use crate::domain::{Instant, Zone};
use crate::meter::Summary;
use crate::meter::overrides::Override;
use crate::output::{self, Amounts, Cell, LimitJson, QuotaJson, derived_cell};

/// Writes the limits, the providers' windows, the overrides, the rate and the forecasts as one line.
pub(crate) fn write_json(
    summary: &Summary,
    overrides: Vec<Override>,
    unread_files: u64,
    now: Instant,
    zone: Zone,
    out: &mut dyn io::Write,
) -> io::Result<()> {
    #[derive(Serialize)]
    struct Document {
        schema: u8,
        limits: Vec<LimitJson>,
        /// Omitted if no agent has reported any.
        #[serde(skip_serializing_if = "Vec::is_empty")]
        provider_windows: Vec<QuotaJson>,
        overrides: Vec<Override>,
        /// The calls of the last five minutes. The hourly rate has their marks.
        rate: Amounts,
        /// The first forecast has its marks.
        today: Amounts,
        /// The second forecast has its marks.
        month: Amounts,
        tokens_per_min: u64,
        cost_per_hour_usd: Cell,
        by_day_end_usd: Option<Cell>,
        by_month_end_usd: Option<Cell>,
        /// Number of files that could not be read, so that more may have been used; omitted if zero.
        #[serde(skip_serializing_if = "output::is_zero")]
        unread_files: u64,
    }
    let document = Document {
        schema: 1,
        limits: summary
            .limits
            .iter()
            .map(|state| LimitJson::new(&LimitKey::from_limit(&state.limit), state, zone))
            .collect(),
        provider_windows: QuotaJson::all(&summary.quotas, now, zone),
        overrides,
        rate: Amounts::from_sums(&summary.of_rate),
        today: Amounts::from_sums(&summary.today),
        month: Amounts::from_sums(&summary.month),
        tokens_per_min: summary.tokens_per_min,
        cost_per_hour_usd: derived_cell(summary.cost_per_hour, &summary.of_rate),
        by_day_end_usd: summary.by_day_end.map(|end| derived_cell(end, &summary.today)),
        by_month_end_usd: summary.by_month_end.map(|end| derived_cell(end, &summary.month)),
        unread_files,
    };
    output::to_line(&document, out)
}
