//! `signals`: insights worth acting on, and the cost of the same tokens on another model.

use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;

use serde::Serialize;

use super::{Context, Exit, Failure, prices};
use crate::app::catch_up::{self, LogSelection};
use crate::cli::Filters;
use crate::domain::{Label, Usd};
use crate::ledger::{Ledger, Order, Row, Sums};
use crate::meter::{SignalWatch, Signals};
use crate::output::{self, Cell, Decimal};
use crate::pricing::{Cost, PriceBook};
use crate::text;

/// Most expensive calls listed.
const DEAREST: usize = 10;
/// Expired caches and growing sessions listed as text.
const SHOWN: usize = 10;

pub(super) fn run(
    context: &mut Context<'_>,
    json: bool,
    against: Option<&str>,
    filters: &Filters,
    paths: &[PathBuf],
) -> Result<Exit, Failure> {
    let filter = filters.filter(context.now(), context.settings.zone);
    let selection = LogSelection::from_args(context, paths, false);
    let books = catch_up::open_and_catch_up(context, &selection, false)?;
    let mut against = against.map(|model| Compared::new(&books.prices, model)).transpose()?;
    let mut watch = SignalWatch::new(DEAREST);
    books.ledger.each(&filter, Order::Ascending, &mut |row| {
        watch.add(row);
        if let Some(against) = &mut against {
            against.add(row);
        }
        true
    })?;
    let against = against.map(Compared::finish);
    let calls = watch.calls();
    let signals = watch.finish();
    if json {
        output::to_line(&document(calls, &signals, against.as_ref()), context.out)?;
    } else if calls == 0 {
        writeln!(context.out, "No calls in this selection.")?;
    } else {
        write_text(context, &signals)?;
        if let Some(against) = &against {
            write_comparison(context.out, against)?;
        }
    }
    Ok(Exit::Fine)
}

/// Cost of the same tokens on another model.
struct Comparison {
    model: Label,
    /// Per model used: its sums, and the cost on the other model.
    rows: Vec<(Option<Label>, Sums, Usd)>,
}

/// Accumulates a comparison.
struct Compared<'a> {
    book: &'a PriceBook,
    model: &'a str,
    by_model: BTreeMap<Option<Label>, (Sums, Usd)>,
}

impl<'a> Compared<'a> {
    /// An empty comparison.
    ///
    /// # Errors
    /// When the model has no known price.
    fn new(book: &'a PriceBook, model: &'a str) -> Result<Self, Failure> {
        if book.history(model).is_none() {
            let (label, near) = (Label::new(model), prices::near_words(book, model));
            return Err(Failure::new(Exit::Usage, format!("no price for '{label}', so nothing can be compared{near}")));
        }
        Ok(Self { book, model, by_model: BTreeMap::new() })
    }

    fn add(&mut self, row: &Row) {
        if row.cost == Cost::Unpriced {
            return;
        }
        // Calls from before the first known price of the model cannot be compared.
        let Some(usd) = self.book.cost_as(&row.call, self.model).usd() else { return };
        let (sums, elsewhere) = self.by_model.entry(row.call.model.clone()).or_default();
        sums.add(&Sums::from_row(row));
        *elsewhere += usd;
    }

    fn finish(self) -> Comparison {
        let mut rows: Vec<_> = self.by_model.into_iter().map(|(model, (sums, usd))| (model, sums, usd)).collect();
        rows.sort_by_key(|(_, sums, usd)| std::cmp::Reverse(sums.cost - *usd));
        Comparison { model: Label::new(self.model), rows }
    }
}

#[derive(Serialize)]
struct Document<'a> {
    schema: u8,
    calls: u64,
    cache_hit_per_cent: Option<u8>,
    cache_saved_usd: Decimal,
    agent_share_per_cent: u8,
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

fn document<'a>(calls: u64, signals: &Signals, against: Option<&'a Comparison>) -> Document<'a> {
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
        let facts = output::call_facts(row).into_iter();
        let mut facts: BTreeMap<&'static str, Cell> = facts.collect();
        facts.insert("total_tokens", Cell::Count(row.call.tokens.total()));
        facts.insert("cost_usd", row.cost.usd().map_or(Cell::Unknown, Cell::Usd));
        facts
    });
    let compared = |comparison: &'a Comparison| Against {
        model: &comparison.model,
        rows: comparison
            .rows
            .iter()
            .map(|(model, sums, usd)| {
                BTreeMap::from([
                    ("model", Cell::from(model.as_ref())),
                    ("calls", Cell::Count(sums.calls)),
                    ("total_tokens", Cell::Count(sums.tokens.total())),
                    ("cost_usd", Cell::Usd(sums.cost)),
                    ("would_cost_usd", Cell::Usd(*usd)),
                    ("difference_usd", Cell::Usd(*usd - sums.cost)),
                ])
            })
            .collect(),
    };
    Document {
        schema: 1,
        calls,
        cache_hit_per_cent: signals.cache_hit,
        cache_saved_usd: Decimal(signals.saved),
        agent_share_per_cent: signals.agent_share,
        expired_caches: expired.collect(),
        growing_without_cache: uncached.collect(),
        dearest: dearest.collect(),
        against: against.map(compared),
    }
}

fn write_text(context: &mut Context<'_>, signals: &Signals) -> io::Result<()> {
    let zone = context.settings.zone;
    let out = &mut *context.out;
    let hit = signals.cache_hit.map_or_else(|| "–".to_owned(), |hit| format!("{hit}%"));
    let verb = if signals.saved.is_negative() { "which cost more than it saved:" } else { "saved" };
    writeln!(out, "Cache: {hit} of the prompts read from it, {verb} {}", text::usd(signals.saved))?;
    writeln!(out, "Sub-agents: {}% of the cost", signals.agent_share)?;
    let count = |number: usize| u64::try_from(number).unwrap_or(u64::MAX);
    let unnamed = || "–".to_owned();
    let name = |label: Option<&Label>| label.map_or_else(unnamed, |label| text::fit(text::session_short(label), 24));
    if !signals.expired.is_empty() {
        let tokens: u64 = signals.expired.iter().map(|expired| expired.rewritten).fold(0, u64::saturating_add);
        let calls = text::plural(count(signals.expired.len()), "call");
        writeln!(out, "\n{calls} found the cache expired and wrote {} tokens again:", text::count(tokens))?;
        let heads = ["call", "session", "at", "idle", "written again"].map(str::to_owned);
        let mut largest: Vec<_> = signals.expired.iter().collect();
        largest.sort_by_key(|expired| std::cmp::Reverse(expired.rewritten));
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
        output::plain(&heads, 3, &rows, out)?;
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
        output::plain(&heads, 1, &rows, out)?;
    }
    if !signals.dearest.is_empty() {
        writeln!(out, "\nDearest calls:")?;
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
        output::plain(&heads, 4, &rows, out)?;
    }
    Ok(())
}

/// A key prefix long enough for `explain`.
fn key(key: crate::domain::CallKey) -> String {
    key.to_string().chars().take(10).collect()
}

fn write_comparison(out: &mut dyn io::Write, comparison: &Comparison) -> io::Result<()> {
    writeln!(out, "\nThe same tokens on {} (arithmetic only, no statement about quality):", comparison.model)?;
    let heads = ["used", "calls", "tokens", "cost", "would cost", "difference"].map(str::to_owned);
    let row = |name: String, sums: &Sums, usd: Usd| {
        let sign = if usd > sums.cost { "+" } else { "" };
        let difference = format!("{sign}{}", text::usd(usd - sums.cost));
        let (calls, tokens) = (text::count(sums.calls), text::count(sums.tokens.total()));
        vec![name, calls, tokens, text::usd(sums.cost), text::usd(usd), difference]
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
    output::plain(&heads, 1, &rows, out)
}
