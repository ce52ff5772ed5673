//! Insights and a comparison with another model, as JSON and as text.

use std::collections::BTreeMap;
use std::io;

use serde::Serialize;

use super::amounts::Marks;
use super::cells::{cost_cell, priced_cell};
use super::{Cell, call_facts, plain};
use crate::domain::{Label, Usd, Zone, one_by_one, sort_by_key};
use crate::ledger::{Row, Sums};
use crate::meter::{Comparison, Signals};
use crate::text;

/// Maximum number of expired caches and growing sessions listed as text.
const SHOWN: usize = 10;

/// The signals as JSON.
#[derive(Serialize)]
pub(crate) struct SignalsJson<'a> {
    schema: u8,
    calls: u64,
    /// Those of all calls, and so of the amount and the share that follow.
    #[serde(flatten)]
    marks: Marks,
    cache_hit_per_cent: Option<u8>,
    cache_saved_usd: Cell,
    agent_share_per_cent: Option<u8>,
    expired_caches: Vec<BTreeMap<&'static str, Cell>>,
    growing_without_cache: Vec<BTreeMap<&'static str, Cell>>,
    dearest: Vec<BTreeMap<&'static str, Cell>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    against: Option<Against<'a>>,
}

#[derive(Serialize)]
struct Against<'a> {
    model: &'a Label,
    rows: Vec<BTreeMap<&'static str, Cell>>,
}

pub(crate) fn signals_document<'a>(calls: u64, signals: &Signals, against: Option<&'a Comparison>) -> SignalsJson<'a> {
    let count = |number: usize| Cell::Count(u64::try_from(number).unwrap_or(u64::MAX));
    let key = |row: &Row| Cell::Text(row.call.key.to_string());
    let expired = signals.expired.iter().map(|expired| {
        BTreeMap::from([
            ("key", key(&expired.row)),
            ("session", Cell::from(expired.row.call.from.session.as_ref())),
            ("model", Cell::from(expired.row.call.model.as_ref())),
            ("idle_s", Cell::Seconds(expired.idle.num_seconds())),
            ("rewritten_tokens", Cell::Count(expired.rewritten)),
        ])
    });
    let uncached = signals.uncached.iter().map(|uncached| {
        BTreeMap::from([
            ("source", Cell::Name(uncached.session.source.clone())),
            ("session", Cell::from(uncached.session.session.as_ref())),
            ("calls", count(uncached.calls)),
            ("prompt_tokens", Cell::Count(uncached.prompt)),
        ])
    });
    let dearest = signals.dearest.iter().map(|row| {
        let facts = call_facts(row).into_iter();
        let mut facts: BTreeMap<&'static str, Cell> = one_by_one(facts);
        facts.insert("total_tokens", Cell::Count(row.call.tokens.total()));
        facts.insert("cost_usd", row.cost.usd().map_or(Cell::Unknown, Cell::Usd));
        facts.extend(Marks::cells(&Sums::from_row(row)));
        facts
    });
    let compared = |comparison: &'a Comparison| Against {
        model: &comparison.model,
        rows: comparison
            .rows
            .iter()
            .map(|(model, sums, usd)| {
                let mut cells = BTreeMap::from([
                    ("model", Cell::from(model.as_ref())),
                    ("calls", Cell::Count(sums.calls)),
                    ("total_tokens", Cell::Count(sums.tokens.total())),
                    ("cost_usd", cost_cell(sums)),
                    ("would_cost_usd", Cell::Usd(*usd)),
                    ("difference_usd", priced_cell(sums, *usd - sums.cost)),
                ]);
                cells.extend(Marks::cells(sums));
                cells
            })
            .collect(),
    };
    SignalsJson {
        schema: 1,
        calls,
        marks: Marks::from_sums(&signals.all),
        cache_hit_per_cent: signals.cache_hit,
        cache_saved_usd: priced_cell(&signals.all, signals.all.saved),
        agent_share_per_cent: signals.agent_share.percent(),
        expired_caches: expired.collect(),
        growing_without_cache: uncached.collect(),
        dearest: dearest.collect(),
        against: against.map(compared),
    }
}

pub(crate) fn signals_text(signals: &Signals, zone: Zone, out: &mut dyn io::Write) -> io::Result<()> {
    let hit = signals.cache_hit.map_or_else(|| "–".to_owned(), |hit| format!("{hit}%"));
    let verb = if signals.all.saved.is_negative() { "which cost more than it saved:" } else { "saved" };
    let saved = text::saved(&signals.all);
    writeln!(out, "Cache: {hit} of the prompt tokens were read from it, {verb} {saved}")?;
    writeln!(out, "Sub-agents: {} of the cost", signals.agent_share)?;
    let count = |number: usize| u64::try_from(number).unwrap_or(u64::MAX);
    let unnamed = || "–".to_owned();
    let name = |label: Option<&Label>| label.map_or_else(unnamed, |label| text::fit(text::session_short(label), 24));
    if !signals.expired.is_empty() {
        let tokens: u64 = signals.expired.iter().map(|expired| expired.rewritten).fold(0, u64::saturating_add);
        let calls = text::plural(count(signals.expired.len()), "call");
        writeln!(out, "\n{calls} found the cache expired and wrote {} tokens again:", text::count(tokens))?;
        let heads = ["call", "session", "at", "idle", "written again"].map(str::to_owned);
        let mut largest: Vec<_> = signals.expired.iter().collect();
        sort_by_key(&mut largest, |expired| std::cmp::Reverse(expired.rewritten));
        let rows: Vec<Vec<String>> = largest
            .into_iter()
            .take(SHOWN)
            .map(|expired| {
                let call = &expired.row.call;
                vec![
                    key(call.key),
                    name(call.from.session.as_ref()),
                    call.at().with_timezone(&zone).format("%m-%d %H:%M").to_string(),
                    text::duration_short(expired.idle),
                    text::count(expired.rewritten),
                ]
            })
            .collect();
        plain(&heads, 3, &rows, out)?;
    }
    if !signals.uncached.is_empty() {
        let sessions = text::plural(count(signals.uncached.len()), "session");
        writeln!(out, "\n{sessions} with prompts that grow and nothing read from a cache:")?;
        let heads = ["session", "calls so far", "prompt now"].map(str::to_owned);
        let shown = signals.uncached.iter().take(SHOWN);
        let rows: Vec<Vec<String>> = shown
            .map(|one| {
                let session = one.session.session.as_ref();
                vec![name(session), text::count(count(one.calls)), text::count(one.prompt)]
            })
            .collect();
        plain(&heads, 1, &rows, out)?;
    }
    if !signals.dearest.is_empty() {
        writeln!(out, "\nMost expensive calls:")?;
        let heads = ["call", "at", "model", "session", "tokens", "cost"].map(str::to_owned);
        let rows: Vec<Vec<String>> = signals
            .dearest
            .iter()
            .map(|row| {
                let call = &row.call;
                vec![
                    key(call.key),
                    call.at().with_timezone(&zone).format("%m-%d %H:%M").to_string(),
                    call.model.as_ref().map_or_else(unnamed, |model| text::fit(text::model_short(model), 30)),
                    name(call.from.session.as_ref()),
                    text::count(call.tokens.total()),
                    text::cost_fine(&Sums::from_row(row)),
                ]
            })
            .collect();
        plain(&heads, 4, &rows, out)?;
    }
    Ok(())
}

/// A key prefix that is long enough for `explain`.
fn key(key: crate::domain::CallKey) -> String {
    key.to_string().chars().take(10).collect()
}

pub(crate) fn comparison_text(out: &mut dyn io::Write, comparison: &Comparison) -> io::Result<()> {
    writeln!(out, "\nThe same tokens on {} (arithmetic only, no statement about quality):", comparison.model)?;
    let heads = ["used", "calls", "tokens", "cost", "would cost", "difference"].map(str::to_owned);
    let row = |name: String, sums: &Sums, usd: Usd| {
        let difference = text::difference(usd - sums.cost, sums);
        let (calls, tokens) = (text::count(sums.calls), text::count(sums.tokens.total()));
        vec![name, calls, tokens, text::cost(sums), text::usd_as(usd, sums), difference]
    };
    let mut rows = Vec::new();
    let (mut total, mut elsewhere) = (Sums::default(), Usd::ZERO);
    for (model, sums, usd) in &comparison.rows {
        let name = model.as_ref().map_or_else(|| "(no model named)".to_owned(), |model| text::fit(model, 40));
        rows.push(row(name, sums, *usd));
        total.add(sums);
        elsewhere += *usd;
    }
    rows.push(row("total".to_owned(), &total, elsewhere));
    plain(&heads, 1, &rows, out)
}
