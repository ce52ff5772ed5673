//! `GET /api/v1/summary` and the events: the numbers on the live screen, as JSON.

use std::io::Write;

use serde::Serialize;

use super::running::Running;
use super::trouble::Trouble;
use crate::config::LimitKey;
use crate::domain::{Label, rfc3339};
use crate::engine::QueryContext;
use crate::ledger::Sums;
use crate::meter::Summary;
use crate::output::{self, Amounts, Cell, LimitJson, QuotaJson, derived_cell};

/// Number of calls in a summary.
const CALLS: usize = 20;

#[derive(Serialize)]
struct Document<'a> {
    schema: u8,
    at: String,
    zone: String,
    user: &'a str,
    today: Amounts,
    week: Amounts,
    month: Amounts,
    /// The calls of the last five minutes. The hourly rate has their marks.
    rate: Amounts,
    cost_per_hour_usd: Cell,
    tokens_per_min: u64,
    by_day_end_usd: Option<Cell>,
    by_month_end_usd: Option<Cell>,
    limits: Vec<LimitJson>,
    provider_windows: Vec<QuotaJson>,
    running: Vec<Running<'a>>,
    models: Vec<Model<'a>>,
    calls: Vec<Call<'a>>,
    /// Why the numbers may be wrong.
    warning: Option<&'a str>,
    is_reading: bool,
    #[serde(skip_serializing_if = "output::is_zero")]
    unread_files: u64,
}

#[derive(Serialize)]
struct Model<'a> {
    #[serde(rename = "model")]
    name: Option<&'a str>,
    share: Option<u8>,
    today: Amounts,
}

#[derive(Serialize)]
struct Call<'a> {
    key: String,
    at: String,
    model: Option<&'a str>,
    project: Option<&'a str>,
    agent: Option<&'a str>,
    #[serde(flatten)]
    amounts: Amounts,
}

/// Writes the summary as one line.
pub(super) fn write(summary: &Summary, books: &QueryContext<'_>, out: &mut dyn Write) -> Result<(), Trouble> {
    let zone = books.settings.zone;
    let document = Document {
        schema: 1,
        at: rfc3339(summary.now),
        zone: zone.name().to_owned(),
        user: &books.settings.user,
        today: Amounts::from_sums(&summary.today),
        week: Amounts::from_sums(&summary.week),
        month: Amounts::from_sums(&summary.month),
        rate: Amounts::from_sums(&summary.of_rate),
        cost_per_hour_usd: derived_cell(summary.cost_per_hour, &summary.of_rate),
        tokens_per_min: summary.tokens_per_min,
        by_day_end_usd: summary.by_day_end.map(|end| derived_cell(end, &summary.today)),
        by_month_end_usd: summary.by_month_end.map(|end| derived_cell(end, &summary.month)),
        limits: summary
            .limits
            .iter()
            .map(|state| LimitJson::new(&LimitKey::from_limit(&state.limit), state, zone))
            .collect(),
        provider_windows: QuotaJson::all(&summary.quotas, summary.now, zone),
        running: summary.fleet.iter().map(Running::from_line).collect(),
        models: summary
            .models
            .iter()
            .map(|line| Model {
                name: line.model.as_ref().map(Label::as_str),
                share: line.share.percent(),
                today: Amounts::from_sums(&line.sums),
            })
            .collect(),
        calls: summary
            .calls
            .iter()
            .take(CALLS)
            .map(|line| Call {
                key: line.row.call.key.to_string(),
                at: rfc3339(line.row.call.at()),
                model: line.row.call.model.as_ref().map(Label::as_str),
                project: line.row.call.from.project.as_ref().map(Label::as_str),
                agent: line.row.call.from.agent.as_ref().map(Label::as_str),
                amounts: Amounts::from_sums(&Sums::from_row(&line.row)),
            })
            .collect(),
        warning: books.warning.as_deref(),
        is_reading: !books.is_caught_up,
        unread_files: books.unread_files,
    };
    Ok(output::to_line(&document, out)?)
}
