//! `backfill`: estimates the output that logs do not count. The estimates are kept separate from the ledger.

use serde::Serialize;

use super::{Context, Exit, Failure};
use crate::app::backfill::{self, Estimates, Kind, ModelEstimate};
use crate::domain::Label;
use crate::output::{self, Decimal};
use crate::text;

pub(super) fn run(context: &mut Context<'_>, dry_run: bool, undo: bool, json: bool) -> Result<Exit, Failure> {
    let failed = |why: String| Failure::new(Exit::Io, why);
    if undo {
        let is_done = backfill::forget(context).map_err(failed)?;
        let words = if is_done { "The estimates are removed." } else { "There are no estimates." };
        writeln!(context.out, "{words}")?;
        return Ok(Exit::Fine);
    }
    let prices = context.prices();
    let answers = backfill::read(context)?;
    let estimates = backfill::estimate(&answers, &prices);
    let (kept, older) = if dry_run { (None, 0) } else { backfill::keep(context, &estimates).map_err(failed)? };
    let kept = kept.as_deref().map(Label::from_path);
    if json {
        output::to_line(&Document::new(&estimates, kept), context.out)?;
        return Ok(Exit::Fine);
    }
    write(context, &estimates)?;
    if older > 0 {
        let answers = text::plural(older, "answer");
        writeln!(context.out, "\nThe earlier estimates of {answers} that no log has any more stay.")?;
    }
    if let Some(path) = kept {
        writeln!(context.out, "\nKept in {path}, and in no total; `tokmeter backfill --undo` removes them.")?;
    } else if dry_run && !estimates.calls.is_empty() {
        writeln!(context.out, "\nNothing was written.")?;
    }
    Ok(Exit::Fine)
}

fn write(context: &mut Context<'_>, estimates: &Estimates) -> Result<(), Failure> {
    if estimates.models.is_empty() && estimates.unmeasured.is_empty() {
        writeln!(context.out, "No answer in the logs has more text than its count says.")?;
        return Ok(());
    }
    let heads =
        ["agent", "model", "calls", "logged", "estimated", "more", "cost", "one call ±", "all ±", "measured on"];
    let rows: Vec<Vec<String>> = estimates.models.iter().map(row).collect();
    if !rows.is_empty() {
        output::plain(&heads.map(str::to_owned), 2, &rows, context.out)?;
        writeln!(
            context.out,
            "\nOutput tokens are estimated from the number of characters. For half of the calls the error is at most \
             'one call ±'."
        )?;
        if estimates.models.iter().any(|model| !model.is_own_measure) {
            writeln!(context.out, "* measured on the answers of all models: too few of its own have text and count.")?;
        }
    }
    if !estimates.unmeasured.is_empty() {
        let name = |(agent, model): &Kind| format!("{} of {agent}", model.as_deref().unwrap_or("?"));
        let names = estimates.unmeasured.iter().map(name).collect::<Vec<_>>().join(", ");
        writeln!(context.out, "Not estimated, since too few answers have both text and count: {names}")?;
    }
    Ok(())
}

fn row(model: &ModelEstimate) -> Vec<String> {
    let about = |words: String| format!("~ {words}");
    let own = if model.is_own_measure { "" } else { " *" };
    vec![
        model.agent.to_string(),
        model.model.as_deref().unwrap_or("?").to_owned(),
        text::count(model.calls),
        text::count(model.logged),
        about(text::count(model.estimated)),
        about(text::count(model.estimated - model.logged)),
        model.cost.map_or_else(|| "?".to_owned(), |cost| about(text::usd(cost))),
        format!("{} %", model.error_of_one),
        format!("{} %", model.error_of_all),
        text::plural(model.measured_on, "answer") + own,
    ]
}

#[derive(Serialize)]
struct Document {
    schema: u8,
    models: Vec<ModelJson>,
    unmeasured: Vec<Unmeasured>,
    /// The file with the estimates; null if nothing was written.
    kept: Option<Label>,
}

#[derive(Serialize)]
struct Unmeasured {
    agent: Label,
    model: Option<Label>,
}

#[derive(Serialize)]
struct ModelJson {
    agent: Label,
    model: Option<Label>,
    calls: u64,
    logged_output_tokens: u64,
    estimated_output_tokens: u64,
    cost_usd: Option<Decimal>,
    measured_on_answers: u64,
    is_own_measure: bool,
    error_of_one_percent: u64,
    error_of_all_percent: u64,
}

impl Document {
    fn new(estimates: &Estimates, kept: Option<Label>) -> Self {
        let models = estimates.models.iter().map(|model| ModelJson {
            agent: model.agent.clone(),
            model: model.model.clone(),
            calls: model.calls,
            logged_output_tokens: model.logged,
            estimated_output_tokens: model.estimated,
            cost_usd: model.cost.map(Decimal),
            measured_on_answers: model.measured_on,
            is_own_measure: model.is_own_measure,
            error_of_one_percent: model.error_of_one,
            error_of_all_percent: model.error_of_all,
        });
        let unmeasured =
            estimates.unmeasured.iter().map(|(agent, model)| Unmeasured { agent: agent.clone(), model: model.clone() });
        Self { schema: 1, models: models.collect(), unmeasured: unmeasured.collect(), kept }
    }
}
