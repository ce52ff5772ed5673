//! `ledger`: maintenance of the ledger.

mod facts;
mod import;
mod info;
mod reprice;

pub(super) use facts::{LedgerFacts, RepeatsJson};
pub(super) use reprice::{costs, write_changes};

use std::sync::Arc;

use crate::app::catch_up::{self, LogSelection};
use crate::app::{Context, Exit, Failure};
use crate::cli::{LedgerCommand, When};
use crate::domain::Label;
use crate::ledger::{self, ExportError, Options, Sqlite};
use crate::pricing::PriceBook;
use crate::text;

pub(super) fn run(context: &mut Context<'_>, command: Option<LedgerCommand>) -> Result<Exit, Failure> {
    match command.unwrap_or(LedgerCommand::Info { json: false }) {
        LedgerCommand::Info { json } => info::info(context, json),
        LedgerCommand::Verify => verify(context),
        LedgerCommand::Export => export(context),
        LedgerCommand::Import { file } => import::import(context, &file),
        LedgerCommand::Prune { before } => prune(context, before),
        LedgerCommand::Reprice { yes } => reprice::reprice(context, yes),
    }
}

/// Opens the ledger if it exists.
///
/// # Errors
/// When it exists but cannot be opened.
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

/// Exports the ledger, including new calls in the logs.
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

fn prune(context: &mut Context<'_>, before: When) -> Result<Exit, Failure> {
    let prices = context.prices();
    let Some(mut books) = open(context, &prices)? else { return nothing_yet(context) };
    let zone = context.settings.zone;
    let moment = before.start(context.now(), zone, context.settings.week_start);
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
