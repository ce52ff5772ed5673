//! The explanation of a call as text.

use std::io;

use super::call::{Explained, is_feed};
use super::price::{write_buckets, write_price};
use super::words::price_of;
use crate::domain::{Fidelity, Zone};
use crate::ledger::Row;
use crate::pricing::{Cost, PriceBook};
use crate::text;

/// The explanation, as shown on the screen.
pub(in crate::commands) fn text_of(row: &Row, prices: &PriceBook, zone: Zone) -> String {
    let mut out = Vec::new();
    // Writing to memory cannot fail.
    drop(write_text(&Explained::from_row(row, prices), zone, &mut out));
    String::from_utf8_lossy(&out).into_owned()
}

pub(crate) fn write_text(explained: &Explained<'_>, zone: Zone, out: &mut dyn io::Write) -> io::Result<()> {
    let Explained { row, today, line } = explained;
    let call = &row.call;
    let at = call.at().with_timezone(&zone).format("%Y-%m-%d %H:%M:%S %Z");
    let unnamed = || "no model named".to_owned();
    writeln!(out, "{}  {}", call.key, call.model.as_ref().map_or_else(unnamed, ToString::to_string))?;
    let mut who = vec![at.to_string(), call.from.source.to_string()];
    for (name, value) in [
        ("session", &call.from.session),
        ("agent", &call.from.agent),
        ("user", &call.from.user),
        ("project", &call.from.project),
        ("worktree", &call.from.folder),
    ] {
        who.extend(value.as_ref().map(|value| format!("{name} {value}")));
    }
    writeln!(out, "{}", who.join(" · "))?;
    if let Some(place) = &call.from.place {
        match line {
            Some(line) => writeln!(out, "{}:{line} (byte {})", place.path, place.offset)?,
            None if is_feed(place) => writeln!(out, "{}, byte {} of what was sent", place.path, place.offset)?,
            None => writeln!(out, "{}, byte {} (the file is gone, or has changed)", place.path, place.offset)?,
        }
    }
    match call.fidelity {
        Fidelity::Final | Fidelity::Settled => {}
        Fidelity::Unlisted => writeln!(
            out,
            "its session uses more than its log lists call by call: the session's real numbers are higher"
        )?,
        Fidelity::Summed | Fidelity::SumGuessed => {
            writeln!(out, "usage in the session's own total that no log lists as individual calls, shown as one call")?;
            if call.fidelity == Fidelity::SumGuessed {
                writeln!(
                    out,
                    "the model, or for how long its cache writes are kept, is a guess: the log does not say"
                )?;
            }
        }
        Fidelity::LowerBound => writeln!(out, "the agent logs less than it used: the real numbers are higher")?,
        Fidelity::Guessed => {
            writeln!(
                out,
                "the model, the counts, the split into classes, or the service tier is a guess: the log does not say"
            )?;
        }
        Fidelity::Solved => writeln!(out, "the lifetimes of cache writes follow from the cost the log states")?,
        Fidelity::WritesUnlogged => {
            writeln!(out, "the split is a guess: the log does not tell cache writes from plain input")?;
        }
        Fidelity::Refused => writeln!(out, "refused before anything was written, which is free")?,
    }
    writeln!(out)?;
    let sign = explained.sign();
    write_price(out, today)?;
    if !today.buckets.is_empty() {
        write_buckets(out, today, sign)?;
    }
    if let Some(searches) = &today.searches {
        let noun = if searches.count == 1 { "web search" } else { "web searches" };
        let count = text::count(searches.count.into());
        match searches.rate {
            Some(rate) => writeln!(out, "{count} {noun} × {} = {sign}${}", text::usd(rate), searches.usd)?,
            None => writeln!(out, "{count} {noun} without a known price, not in the cost")?,
        }
    }
    let says =
        |cost: &Cost| cost.usd().map_or_else(|| "?".to_owned(), |usd| format!("{}${usd}", explained.sign_of(cost)));
    let whose = match &today.cost {
        Cost::Priced { .. } => "",
        Cost::Quoted(_) => "  (stated by the log)",
        Cost::Unpriced => "  (no price known: give one under [prices] in the config)",
    };
    writeln!(out, "Cost    {}{whose}", says(&today.cost))?;
    if let Some(quoted) = today.quoted.filter(|_| !matches!(today.cost, Cost::Quoted(_))) {
        writeln!(out, "Quoted  ${quoted}  (stated by the log; not used)")?;
    }
    if let Some(booked) = explained.booked() {
        let price = price_of(booked).map_or_else(String::new, |price| format!("  ({price})"));
        writeln!(out, "Booked  {}{price}; booked costs are kept (`tokmeter ledger reprice`)", says(booked))?;
    }
    Ok(())
}
