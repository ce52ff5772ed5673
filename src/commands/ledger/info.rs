//! `ledger info`: size, calls and age of the ledger.

use std::collections::BTreeMap;
use std::io;

use serde::Serialize;

use super::{nothing_yet, open};
use crate::commands::{Context, Exit, Failure};
use crate::domain::{Instant, Label, rfc3339_millis};
use crate::ledger::Info;
use crate::output::{self};
use crate::text;

#[derive(Serialize)]
pub(crate) struct InfoJson {
    pub(crate) schema: u8,
    pub(crate) path: Label,
    pub(crate) ledger_schema: i64,
    pub(crate) machine: Label,
    pub(crate) bytes: u64,
    pub(crate) writable: bool,
    pub(crate) calls: u64,
    pub(crate) total_tokens: u64,
    pub(crate) cost_usd: output::Cell,
    pub(crate) unpriced_tokens: u64,
    pub(crate) lower_bound_calls: u64,
    pub(crate) guessed_calls: u64,
    pub(crate) sessions: u64,
    pub(crate) files: u64,
    pub(crate) first: Option<String>,
    pub(crate) last: Option<String>,
    pub(crate) future_calls: u64,
    pub(crate) pruned_before: Option<String>,
    pub(crate) imported: BTreeMap<Label, u64>,
    pub(crate) prices: Vec<PriceJson>,
}

#[derive(Serialize)]
pub(crate) struct PriceJson {
    pub(crate) price: Option<Label>,
    pub(crate) calls: u64,
}

pub(crate) fn info(context: &mut Context<'_>, json: bool) -> Result<Exit, Failure> {
    let prices = context.prices();
    let Some(books) = open(context, &prices)? else {
        if json {
            writeln!(context.out, "{{\"schema\":1,\"path\":null,\"calls\":0}}")?;
            return Ok(Exit::Fine);
        }
        return nothing_yet(context);
    };
    let info = books.info(context.now())?;
    let path = Label::from_path(&info.path);
    if json {
        let document = InfoJson {
            schema: 1,
            path,
            ledger_schema: info.schema,
            machine: Label::new(&info.machine),
            bytes: info.bytes,
            writable: !books.is_read_only(),
            calls: info.sums.calls,
            total_tokens: info.sums.tokens.total(),
            cost_usd: output::cost_cell(&info.sums),
            unpriced_tokens: info.sums.unpriced_tokens,
            lower_bound_calls: info.sums.lower_bound_calls,
            guessed_calls: info.sums.guessed_calls,
            sessions: info.sessions,
            files: info.files,
            first: info.span.map(|(first, _)| rfc3339_millis(first)),
            last: info.span.map(|(_, last)| rfc3339_millis(last)),
            future_calls: info.future_calls,
            pruned_before: info.pruned_before.map(rfc3339_millis),
            imported: info.imported.into_iter().collect(),
            prices: info.prices.into_iter().map(|(price, calls)| PriceJson { price, calls }).collect(),
        };
        output::to_line(&document, context.out)?;
        return Ok(Exit::Fine);
    }
    write_info(context, &info, &path, books.is_read_only())?;
    Ok(Exit::Fine)
}

fn write_info(context: &mut Context<'_>, info: &Info, path: &Label, read_only: bool) -> io::Result<()> {
    let zone = context.settings.zone;
    let day = |at: Instant| text::minute(at, zone);
    let out = &mut *context.out;
    let only = if read_only { ", read-only" } else { "" };
    writeln!(out, "{path}  ({}, schema {}{only})", text::bytes(info.bytes), info.schema)?;
    writeln!(
        out,
        "{}, {} tokens, {}",
        text::plural(info.sums.calls, "call"),
        text::count(info.sums.tokens.total()),
        text::cost(&info.sums)
    )?;
    if let Some((first, last)) = info.span {
        writeln!(out, "from {} to {}", day(first), day(last))?;
    }
    writeln!(out, "{} from {}", text::plural(info.sessions, "session"), text::plural(info.files, "log"))?;
    if info.future_calls > 0 {
        let calls = text::plural(info.future_calls, "call");
        writeln!(out, "{calls} dated in the future: a clock is wrong, here or where they were made")?;
    }
    if let Some(before) = info.pruned_before {
        writeln!(out, "calls before {} were pruned", day(before))?;
    }
    for (machine, calls) in &info.imported {
        writeln!(out, "{} from machine {machine}", text::plural(*calls, "call"))?;
    }
    let unpriced: u64 = info.prices.iter().filter(|(price, _)| price.is_none()).map(|(_, calls)| calls).sum();
    if unpriced > 0 {
        writeln!(out, "{} with the agent's own cost, or without a price", text::plural(unpriced, "call"))?;
    }
    Ok(())
}
