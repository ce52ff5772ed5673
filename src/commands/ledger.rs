//! `ledger`: maintenance of the ledger.

use std::collections::BTreeMap;
use std::io::{self, BufReader, Write};
use std::path::Path;
use std::sync::Arc;

use serde::Serialize;

use crate::app::catch_up::{self, LogSelection};
use crate::app::{Context, Exit, Failure};
use crate::cli::{LedgerCommand, When};
use crate::config::regular_file;
use crate::domain::{Instant, Label, Usd};
use crate::ledger::{self, BooksError, ExportError, ImportError, Info, Options, Repriced, Sqlite};
use crate::output::{self, Decimal};
use crate::pricing::PriceBook;
use crate::text;

pub(super) fn run(context: &mut Context<'_>, command: Option<LedgerCommand>) -> Result<Exit, Failure> {
    match command.unwrap_or(LedgerCommand::Info { json: false }) {
        LedgerCommand::Info { json } => info(context, json),
        LedgerCommand::Verify => verify(context),
        LedgerCommand::Export => export(context),
        LedgerCommand::Import { file } => import(context, &file),
        LedgerCommand::Prune { before } => prune(context, before),
        LedgerCommand::Reprice { yes } => reprice(context, yes),
    }
}

/// Opens the ledger if it exists.
///
/// # Errors
/// When it exists and cannot be opened.
pub(super) fn open(context: &mut Context<'_>, prices: &Arc<PriceBook>) -> Result<Option<Sqlite>, Failure> {
    let Some(path) = context.paths.ledger().filter(|path| path.exists()) else { return Ok(None) };
    let opened = ledger::open(&path, Options::new(context.now()), Arc::clone(prices) as _)?;
    for note in opened.notes {
        context.note(&note.to_string());
    }
    Ok(Some(opened.books))
}

fn nothing_yet(context: &mut Context<'_>) -> Result<Exit, Failure> {
    let place = context
        .paths
        .ledger()
        .map_or_else(|| context.paths.why_no_data(), |path| format!("it will be {}", Label::from_path(&path)));
    writeln!(
        context.out,
        "No ledger yet ({place}). The first `tokmeter` or `tokmeter report` fills it from the logs."
    )?;
    Ok(Exit::Fine)
}

#[derive(Serialize)]
struct InfoJson {
    schema: u8,
    path: Label,
    ledger_schema: i64,
    machine: Label,
    bytes: u64,
    writable: bool,
    calls: u64,
    total_tokens: u64,
    cost_usd: output::Cell,
    unpriced_tokens: u64,
    lower_bound_calls: u64,
    guessed_calls: u64,
    sessions: u64,
    files: u64,
    first: Option<String>,
    last: Option<String>,
    future_calls: u64,
    pruned_before: Option<String>,
    imported: BTreeMap<Label, u64>,
    prices: Vec<PriceJson>,
}

#[derive(Serialize)]
struct PriceJson {
    price: Option<Label>,
    calls: u64,
}

fn info(context: &mut Context<'_>, json: bool) -> Result<Exit, Failure> {
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
            first: info.span.map(|(first, _)| rfc(first)),
            last: info.span.map(|(_, last)| rfc(last)),
            future_calls: info.future_calls,
            pruned_before: info.pruned_before.map(rfc),
            imported: info.imported.into_iter().collect(),
            prices: info.prices.into_iter().map(|(price, calls)| PriceJson { price, calls }).collect(),
        };
        output::to_line(&document, context.out)?;
        return Ok(Exit::Fine);
    }
    write_info(context, &info, &path, books.is_read_only())?;
    Ok(Exit::Fine)
}

fn rfc(at: Instant) -> String {
    at.to_rfc3339_opts(chrono::SecondsFormat::Millis, true)
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
        writeln!(out, "{} booked without a price of ours", text::plural(unpriced, "call"))?;
    }
    Ok(())
}

fn verify(context: &mut Context<'_>) -> Result<Exit, Failure> {
    let prices = context.prices();
    let Some(books) = open(context, &prices)? else { return nothing_yet(context) };
    let findings = books.verify()?;
    for problem in &findings.problems {
        writeln!(context.out, "{}", Label::new(problem))?;
    }
    if findings.problems.is_empty() {
        let calls = text::plural(findings.calls, "call");
        writeln!(context.out, "The ledger is whole: {calls}, and every sum is that of its calls.")?;
        return Ok(Exit::Fine);
    }
    Ok(Exit::Attention)
}

/// Exports the ledger and the new calls in the logs.
fn export(context: &mut Context<'_>) -> Result<Exit, Failure> {
    drop(catch_up::open_and_catch_up(context, &LogSelection::Everything, false)?);
    let prices = context.prices();
    let Some(books) = open(context, &prices)? else {
        return Err(Failure::new(Exit::Unavailable, "there is no ledger to export"));
    };
    books.export(context.out).map_err(|error| match error {
        ExportError::Books(error) => Failure::from(error),
        ExportError::Write(error) => Failure::from(error),
    })?;
    Ok(Exit::Fine)
}

fn import(context: &mut Context<'_>, file: &Path) -> Result<Exit, Failure> {
    let shown = Label::from_path(file);
    let wrong = |error: io::Error| Failure::new(Exit::NoInput, format!("{shown} {}", regular_file::why(&error)));
    let mut source: Box<dyn io::BufRead> = if file.as_os_str() == "-" {
        Box::new(BufReader::new(io::stdin()))
    } else {
        Box::new(BufReader::new(regular_file::open_operand(&context.absolute(file)).map_err(wrong)?))
    };
    let prices = context.prices();
    let path = context.paths.ledger().ok_or_else(|| Failure::new(Exit::Unavailable, context.paths.why_no_data()))?;
    let mut opened = ledger::open(&path, Options::new(context.now()), prices)?;
    for note in &opened.notes {
        context.note(&note.to_string());
    }
    let imported = opened.books.import(&mut *source).map_err(|error| match error {
        ImportError::Books(error) => Failure::from(error),
        ImportError::Line { line, what } => {
            Failure::new(Exit::NoInput, format!("{shown}:{line}: {what}; nothing was imported"))
        }
    })?;
    for (line, what) in &imported.first_refused {
        context.note(&format!("{shown}:{line}: {what}; this line is not imported"));
    }
    let more = imported.refused - u64::try_from(imported.first_refused.len()).unwrap_or(0);
    if more > 0 {
        context.note(&format!("{} more not imported for such reasons", text::plural(more, "line")));
    }
    if imported.refused > 0 && imported.calls == 0 {
        return Err(Failure::new(Exit::NoInput, format!("{shown}: nothing was imported")));
    }
    let refused = match imported.refused {
        0 => String::new(),
        lines => format!(" {} refused: their values are not plausible.", text::plural(lines, "line")),
    };
    writeln!(
        context.out,
        "{} read, {} of them new or with new data.{refused}",
        text::plural(imported.calls, "call"),
        text::count(imported.told)
    )?;
    Ok(if imported.refused > 0 { Exit::Attention } else { Exit::Fine })
}

fn prune(context: &mut Context<'_>, before: When) -> Result<Exit, Failure> {
    let prices = context.prices();
    let Some(mut books) = open(context, &prices)? else { return nothing_yet(context) };
    let zone = context.settings.zone;
    let moment = before.start(context.now(), zone);
    if moment > context.now() {
        return Err(Failure::new(Exit::Usage, "that date is in the future"));
    }
    let gone = books.prune(moment)?;
    writeln!(
        context.out,
        "Removed every call before {}: {}, {} tokens, {}. They are not booked again when their logs are read.",
        text::minute(moment, zone),
        text::plural(gone.calls, "call"),
        text::count(gone.tokens.total()),
        text::cost(&gone)
    )?;
    match books.compact() {
        Ok(()) => {}
        Err(error) => context.note(&format!("{error}; the file keeps its size until the next prune")),
    }
    Ok(Exit::Fine)
}

fn reprice(context: &mut Context<'_>, yes: bool) -> Result<Exit, Failure> {
    let prices = context.prices();
    let Some(mut books) = open(context, &prices)? else { return nothing_yet(context) };
    let changed = if yes { books.reprice(context.now())? } else { books.price_changes(&*prices)? };
    if changed.calls == 0 {
        writeln!(context.out, "Every booked call costs what it would cost today. Nothing to do.")?;
    } else {
        write_changes(&changed, context.out)?;
        let calls = text::plural(changed.calls, "call");
        let (before, after) = (text::usd(changed.before), text::usd(changed.after));
        if yes {
            writeln!(context.out, "{calls} repriced: {before} is now {after}.")?;
        } else {
            writeln!(context.out, "{calls} would change from {before} to {after}. Nothing is written without --yes.")?;
        }
    }
    if let Some(backup) = &changed.backup {
        let kept = Label::from_path(backup);
        writeln!(context.out, "The previous ledger is kept as {kept}")?;
    }
    Ok(Exit::Fine)
}

/// Writes the table of changed prices with their effect on the cost.
pub(super) fn write_changes(changed: &Repriced, out: &mut dyn Write) -> io::Result<()> {
    let heads = ["booked with", "today", "calls", "booked", "would cost"].map(str::to_owned);
    let price =
        |price: &Option<Label>| price.as_ref().map_or_else(|| "no price".to_owned(), |name| text::fit(name, 60));
    let cost = |price: &Option<Label>, usd: Usd| if price.is_none() { "?".to_owned() } else { text::usd(usd) };
    let rows: Vec<Vec<String>> = changed
        .by_price
        .iter()
        .map(|((before, after), change)| {
            let (was, is) = (cost(before, change.before), cost(after, change.after));
            vec![price(before), price(after), text::count(change.calls), was, is]
        })
        .collect();
    output::plain(&heads, 2, &rows, out)
}

/// The ledger's section in `doctor`.
#[derive(Serialize)]
pub(super) struct LedgerFacts {
    pub(super) path: Option<Label>,
    pub(super) state: &'static str,
    pub(super) note: Option<Label>,
    pub(super) bytes: u64,
    pub(super) ledger_schema: Option<i64>,
    pub(super) calls: u64,
    pub(super) future_calls: u64,
    pub(super) cost_usd: Option<Decimal>,
}

impl LedgerFacts {
    /// Inspects the ledger at its usual place.
    pub(super) fn gather(context: &Context<'_>, prices: &Arc<PriceBook>) -> Self {
        let mut facts = Self {
            path: context.paths.ledger().map(|path| Label::from_path(&path)),
            state: "none",
            note: None,
            bytes: 0,
            ledger_schema: None,
            calls: 0,
            future_calls: 0,
            cost_usd: None,
        };
        let Some(path) = context.paths.ledger().filter(|path| path.exists()) else { return facts };
        let told = |error: &BooksError| Some(Label::new(&error.to_string()));
        match ledger::open(&path, Options::new(context.now()), Arc::clone(prices) as _) {
            Err(error) => (facts.state, facts.note) = ("not available", told(&error)),
            Ok(opened) => {
                facts.state = if opened.books.is_read_only() { "read-only" } else { "writable" };
                facts.note = opened.notes.first().map(|note| Label::new(&note.to_string()));
                match opened.books.info(context.now()) {
                    Err(error) => (facts.state, facts.note) = ("not available", told(&error)),
                    Ok(info) => {
                        (facts.bytes, facts.ledger_schema) = (info.bytes, Some(info.schema));
                        (facts.calls, facts.future_calls) = (info.sums.calls, info.future_calls);
                        facts.cost_usd = Some(Decimal(info.sums.cost));
                    }
                }
            }
        }
        facts
    }
}
