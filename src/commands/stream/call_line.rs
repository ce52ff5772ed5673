//! The line of a call.

use crate::domain::{Call, Label, Zone};
use crate::ledger::{Row, Sums};
use crate::text;

/// The session of a call: `api-server 3f2a91c0`.
fn session_name(call: &Call) -> String {
    let project = call.from.project.as_deref().map(text::project_short);
    let session = call.from.session.as_deref().map(text::session_short);
    let words: Vec<&str> = project.into_iter().chain(session).collect();
    if words.is_empty() { "no session".to_owned() } else { words.join(" ") }
}

/// Formats one call.
pub(super) fn call_line(row: &Row, zone: Zone) -> String {
    let (call, tokens) = (&row.call, &row.call.tokens);
    format!(
        "{}  {}  {}  in {} cache {} out {}  {}{}",
        text::clock_seconds(call.at(), zone),
        session_name(call),
        call.model.as_ref().map_or("?", Label::as_str),
        text::count(tokens.input),
        text::count(tokens.cache_read.saturating_add(tokens.cache_write())),
        text::count(tokens.output),
        text::cost_fine(&Sums::from_row(row)),
        call.from.agent.as_ref().map(|agent| format!("  agent {agent}")).unwrap_or_default(),
    )
}
