//! `prices`: shows models' rates with their history, and the effect of a newer list.

mod show;
mod update;

use std::collections::BTreeSet;

use serde::Serialize;

use crate::app::{Context, Exit, Failure};
use crate::cli::PricesCommand;
use crate::domain::{Label, one_by_one};
use crate::output::tariff::{CLASSES, TariffJson, UNIT, columns, since_short};
use crate::output::{self};
use crate::pricing::{PriceBook, Tariff};
use crate::text;

/// Maximum number of similar names suggested for an unknown one.
const NEAR: usize = 5;

pub(super) fn run(context: &mut Context<'_>, command: Option<PricesCommand>) -> Result<Exit, Failure> {
    match command.unwrap_or(PricesCommand::List { pattern: None, json: false }) {
        PricesCommand::List { pattern, json } => list(context, pattern.as_deref(), json),
        PricesCommand::Show { model, json } => show::run(context, &model, json),
        PricesCommand::Update { from } => update::update(context, &from),
        PricesCommand::Check => update::check(context),
    }
}

fn list(context: &mut Context<'_>, pattern: Option<&str>, json: bool) -> Result<Exit, Failure> {
    #[derive(Serialize)]
    struct Document {
        schema: u8,
        as_of: String,
        unit: &'static str,
        models: Vec<Model>,
    }
    #[derive(Serialize)]
    struct Model {
        model: Label,
        #[serde(flatten)]
        tariff: TariffJson,
    }
    let (book, now) = (context.prices(), context.now());
    let names: BTreeSet<&str> = one_by_one(book.find(pattern.unwrap_or_default()));
    let found: Vec<(Label, Tariff)> =
        names.into_iter().filter_map(|name| Some((Label::new(name), book.rates(name, now)?))).collect();
    if found.is_empty() {
        let pattern = pattern.unwrap_or_default();
        context.note(&format!("no model with a price has '{pattern}' in its name{}", near_words(&book, pattern)));
        return Ok(Exit::Attention);
    }
    if json {
        let models =
            found.iter().map(|(model, tariff)| Model { model: model.clone(), tariff: TariffJson::from_tariff(tariff) });
        let as_of = book.as_of().to_string();
        let document = Document { schema: 1, as_of, unit: UNIT, models: models.collect() };
        output::to_line(&document, context.out)?;
        return Ok(Exit::Fine);
    }
    let mut heads = vec!["model".to_owned()];
    heads.extend(CLASSES.map(str::to_owned));
    heads.push("since".to_owned());
    let rows: Vec<Vec<String>> = found
        .iter()
        .map(|(model, tariff)| {
            let mut row = vec![text::fit(model, 60)];
            row.extend(columns(&tariff.rates));
            row.push(since_short(tariff));
            row
        })
        .collect();
    output::plain(&heads, 1, &rows, context.out)?;
    let models = u64::try_from(found.len()).unwrap_or(u64::MAX);
    writeln!(
        context.out,
        "\n{}, dollars per million tokens, list of {}; ~ marks a first day known only to within half a month; \
         long prompts, hours and service tiers: tokmeter prices show MODEL",
        text::plural(models, "model"),
        book.as_of()
    )?;
    Ok(Exit::Fine)
}

/// Similar names as the end of a sentence; empty if there are none.
pub(super) fn near_words(book: &PriceBook, model: &str) -> String {
    let near = near(book, model);
    if near.is_empty() { String::new() } else { format!("; similar names: {}", near.join(", ")) }
}

/// Up to five similar names, best match first.
fn near(book: &PriceBook, model: &str) -> Vec<String> {
    let mut names: Vec<&str> = Vec::new();
    let mut beginning = model.trim();
    // Shorten the name, part by part, until something matches.
    while names.is_empty() && !beginning.is_empty() {
        names = book.find(beginning).collect();
        let cut = beginning.rfind(['-', '/', '.', '@', ':', '_', ' ']).unwrap_or(0);
        beginning = &beginning[..cut];
    }
    let mut names =
        if names.is_empty() { text::similar(model, book.names()) } else { text::most_similar_first(model, names) };
    names.dedup();
    names.into_iter().take(NEAR).map(|name| Label::new(name).to_string()).collect()
}
