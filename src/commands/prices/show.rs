//! `prices show`: a model's dated price history, and the names that led to it.

use serde::Serialize;

use super::near;
use crate::commands::{Context, Exit, Failure};
use crate::domain::{Label, Ratio};
use crate::output;
use crate::output::tariff::{CLASSES, TariffJson, UNIT, columns, decimal, service_word, since_words};
use crate::pricing::{Found, Tariff};
use crate::text;

#[derive(Serialize)]
struct Document<'a> {
    schema: u8,
    model: Label,
    found_as: &'a [Label],
    as_of: String,
    unit: &'static str,
    in_force: Option<Label>,
    history: Vec<TariffJson>,
}

pub(super) fn run(context: &mut Context<'_>, model: &str, json: bool) -> Result<Exit, Failure> {
    let (book, now) = (context.prices(), context.now());
    let label = Label::new(model);
    let Some((path, history)) = book.history(model) else {
        let near = near(&book, model);
        context.note(&format!("no price for '{label}' in the list of {}", book.as_of()));
        for name in &near {
            writeln!(context.err, "  {name}")?;
        }
        context.note("give it one in the config under [prices], or name the model it means under [aliases]");
        return Ok(Exit::Attention);
    };
    let in_force = book.rates(model, now).map(|tariff| tariff.price);
    if json {
        let document = Document {
            schema: 1,
            model: label,
            found_as: &path,
            as_of: book.as_of().to_string(),
            unit: UNIT,
            in_force,
            history: history.iter().map(TariffJson::from_tariff).collect(),
        };
        output::to_line(&document, context.out)?;
        return Ok(Exit::Fine);
    }
    writeln!(context.out, "{label}")?;
    if path.len() > 1 {
        let names: Vec<&str> = path.iter().map(Label::as_str).collect();
        writeln!(context.out, "found as {}", names.join(" → "))?;
    }
    for tariff in &history {
        writeln!(context.out)?;
        write_tariff(context, tariff, in_force.as_ref() == Some(&tariff.price))?;
    }
    writeln!(context.out, "\ndollars per million tokens; list of {}", book.as_of())?;
    Ok(Exit::Fine)
}

fn write_tariff(context: &mut Context<'_>, tariff: &Tariff, in_force: bool) -> Result<(), Failure> {
    let since = since_words(tariff.since, tariff.known, tariff.found == Found::Fetched);
    let now = if in_force { " · in use now" } else { "" };
    writeln!(context.out, "{since}{now}  ({})", tariff.price)?;
    let mut heads = vec![String::new()];
    heads.extend(CLASSES.map(str::to_owned));
    let mut rows = vec![row("standard".to_owned(), &tariff.rates)];
    rows.extend(tariff.hours.iter().map(|(hours, _, rates)| row(format!("{hours} UTC"), rates)));
    rows.extend(tariff.long.iter().map(|(above, rates)| row(format!("prompt above {}", text::count(*above)), rates)));
    rows.extend(tariff.services.iter().map(|(service, rates)| row(service_word(*service).to_owned(), rates)));
    output::plain(&heads, 1, &rows, context.out)?;
    let mut others: Vec<String> = Vec::new();
    for (name, rate) in ["audio input", "audio from the cache", "audio output"].into_iter().zip(tariff.audio) {
        others.extend(rate.map(|rate| format!("{name} {}", text::rate_per_million(rate))));
    }
    others.extend(tariff.rates.web_search.map(|each| format!("web search {} each", text::usd(each))));
    let times = |name: &str, ratio: Option<Ratio>| ratio.map(|ratio| format!("{name} × {}", decimal(ratio).0));
    others.extend(times("fast mode", tariff.fast));
    others.extend(times("US only", tariff.us));
    others.extend(times("EU only", tariff.eu));
    if !others.is_empty() {
        writeln!(context.out, "{}", others.join(" · "))?;
    }
    Ok(())
}

fn row(name: String, rates: &crate::pricing::Rates) -> Vec<String> {
    std::iter::once(name).chain(columns(rates)).collect()
}
