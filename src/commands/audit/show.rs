//! The audit as text: outcomes of lines, then warnings, then the ledger.

use std::io;

use super::document::Audit;
use super::ledger_totals::LedgerTotals;
use crate::commands::{Context, Exit, Failure};
use crate::domain::{Instant, Label, Zone};
use crate::ledger::Sums;
use crate::output;
use crate::text;

pub(super) fn write(context: &mut Context<'_>, audit: &Audit, json: bool) -> Result<Exit, Failure> {
    if json {
        output::to_line(audit, context.out)?;
        return Ok(Exit::Fine);
    }
    let zone = context.settings.zone;
    let out = &mut *context.out;
    writeln!(
        out,
        "{} in {}, {}: {} of known formats",
        text::plural(audit.lines, "line"),
        text::plural(audit.files, "file"),
        text::bytes(audit.bytes),
        text::count(audit.recognised_lines)
    )?;
    writeln!(
        out,
        "{} report a call; {}, {} dropped\n",
        text::count(audit.sightings),
        text::plural(audit.calls, "call"),
        text::plural(audit.duplicates, "repetition")
    )?;
    if !audit.sources.is_empty() {
        let heads =
            ["source", "counts", "reported", "calls", "repeated", "partial", "guessed", "tokens"].map(str::to_owned);
        let rows: Vec<Vec<String>> = audit
            .sources
            .iter()
            .map(|row| {
                let counts = [row.sightings, row.calls, row.duplicates, row.lower_bound_calls, row.guessed_calls];
                let counts = counts.into_iter().chain([row.total_tokens]);
                [row.source.to_string(), row.fidelity.clone()].into_iter().chain(counts.map(text::count)).collect()
            })
            .collect();
        output::plain(&heads, 2, &rows, out)?;
        writeln!(out)?;
    }
    // Files that could not be read may contain more calls.
    let unread = u64::from(audit.unread_files > 0);
    let lower_bound_calls = audit.total.lower_bound_calls.max(unread);
    let cost = text::cost(&Sums { lower_bound_calls, ..audit.total });
    writeln!(out, "All of it: {}, {cost}", text::plural(audit.total_tokens, "token"))?;
    let mut troubles = Vec::new();
    write_troubles(&mut troubles, audit)?;
    if !troubles.is_empty() {
        writeln!(out)?;
        out.write_all(&troubles)?;
    }
    if let Some(totals) = &audit.ledger {
        write_ledger_totals(out, totals, audit.unpriced_tokens, zone)?;
    }
    Ok(Exit::Fine)
}

fn write_troubles(out: &mut dyn io::Write, audit: &Audit) -> io::Result<()> {
    let facts = [
        (audit.lower_bound_calls, ["call", "calls"], "logged only in part (≥: the real numbers are higher)"),
        (audit.guessed_calls, ["call", "calls"], "with a guessed model, count, split, tier or rate (~)"),
        (audit.unpriced_tokens, ["token", "tokens"], "of models without a price"),
        (audit.bad_lines, ["line", "lines"], "quarantined, not counted"),
        (audit.over_long_lines, ["of them", "of them"], "longer than any line that is read"),
        (audit.unknown_lines, ["line", "lines"], "with usage in no known format"),
        (audit.nul_bytes, ["NUL byte", "NUL bytes"], "skipped"),
        (
            audit.unread_files,
            ["file", "files"],
            "not read, or only in part (≥): compressed in an unknown way, or damaged",
        ),
        (audit.unread_bytes, ["byte", "bytes"], "not read: a last line that is not complete"),
    ];
    for (count, nouns, what) in facts {
        fact(out, count, nouns, what)?;
    }
    // The logs are read at today's prices. What calls are recorded with is the ledger's.
    if facts.iter().all(|(count, ..)| *count == 0) && audit.notes.is_empty() && audit.calls > 0 {
        writeln!(out, "Every line was counted in full, and every call has a price today.")?;
    }
    for model in &audit.unpriced {
        let name = model.model.as_ref().map_or("(no model named)", Label::as_str);
        let (calls, tokens) = (text::plural(model.calls, "call"), text::plural(model.tokens, "token"));
        writeln!(out, "  no price: {name}, {calls}, {tokens}")?;
    }
    for marked in &audit.first_marked_calls {
        writeln!(out, "  {marked}")?;
    }
    for line in audit.first_bad_lines.iter().chain(&audit.first_unknown_lines) {
        writeln!(out, "  {line}")?;
    }
    let named = u64::try_from(audit.first_bad_lines.len()).unwrap_or(u64::MAX);
    if audit.bad_lines > named {
        writeln!(out, "  and {} more", text::count(audit.bad_lines - named))?;
    }
    for note in &audit.notes {
        writeln!(out, "  {}: {}", note.path, note.what)?;
    }
    Ok(())
}

/// A number in its column, followed by its noun in the singular or plural. Writes nothing for zero.
fn fact(out: &mut dyn io::Write, count: u64, [one, several]: [&str; 2], what: &str) -> io::Result<()> {
    if count == 0 {
        return Ok(());
    }
    let noun = if count == 1 { one } else { several };
    writeln!(out, "{:>12}  {noun} {what}", text::count(count))
}

/// Writes the ledger's totals. `unpriced_today` is the number of tokens in the logs without a price today.
fn write_ledger_totals(
    out: &mut dyn io::Write,
    totals: &LedgerTotals,
    unpriced_today: u64,
    zone: Zone,
) -> io::Result<()> {
    writeln!(out, "\nLedger: {}", text::plural(totals.calls, "call"))?;
    let elsewhere = "more than the logs hold: they came by proxy, socket or telemetry, or their logs are gone";
    fact(out, totals.only_in_ledger, ["call", "calls"], elsewhere)?;
    let can_reprice = totals.unpriced_tokens > unpriced_today;
    let hint = if can_reprice { "; they may have one now: tokmeter ledger reprice" } else { "" };
    fact(out, totals.unpriced_tokens, ["token", "tokens"], &format!("recorded without a price{hint}"))?;
    fact(out, totals.files_gone, ["log", "logs"], "read once and gone since")?;
    for path in &totals.first_files_gone {
        writeln!(out, "  {path}")?;
    }
    fact(out, totals.future_calls, ["call", "calls"], "dated in the future")?;
    for lifted in &totals.limits_lifted {
        let at = |at: Instant| text::minute(at, zone);
        let until = lifted.until.map(|until| format!(" until {}", at(until))).unwrap_or_default();
        writeln!(out, "  limits lifted for {} at {}{until}: {}", lifted.session, at(lifted.at), lifted.reason)?;
    }
    Ok(())
}
