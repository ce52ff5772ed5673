//! `GET /api/v1/calls/KEY`: the document of `tokmeter explain --json`.

use super::json;
use crate::app::Failure;
use crate::commands::explain;
use crate::engine::QueryContext;
use crate::server::http::{Answer, Params, Refusal};

/// The explanation of the call whose key starts with the parameter `key`.
pub(super) fn call(params: &Params, books: &QueryContext<'_>) -> Result<Answer, Refusal> {
    let key = params.iter().find(|(name, _)| name == "key").map_or("", |(_, key)| key);
    let wanted = explain::key(key).map_err(question)?;
    let row = explain::find(books.ledger, &wanted).map_err(|failure| Refusal::Nothing(failure.message))?;
    json(|out| Ok(explain::write_document(&row, books.prices, out)?))
}

fn question(failure: Failure) -> Refusal {
    Refusal::Question(failure.message)
}
