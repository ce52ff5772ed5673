//! `prices show`: one model's whole dated history, and by which names it was found.

use serde::Serialize;

use super::{CLASSES, TariffJson, UNIT, columns, decimal, near, service_word, since_words};
use crate::commands::{Desk, Exit, Failure};
use crate::domain::{Label, Ratio};
use crate::output;
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

pub(super) fn run(desk: &mut Desk<'_>, model: &str, json: bool) -> Result<Exit, Failure> {
    let (book, now) = (desk.prices(), desk.now());
    let label = Label::new(model);
    let Some((path, history)) = book.history(model) else {
        let near = near(&book, model);
        desk.note(&format!("no price for '{label}' in the list of {}", book.as_of()));
        for name in &near {
            writeln!(desk.err, "  {name}")?;
        }
        desk.note("give it one in the config under [prices], or name the model it means under [aliases]");
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
            history: history.iter().map(TariffJson::of).collect(),
        };
        output::to_line(&document, desk.out)?;
        return Ok(Exit::Fine);
    }
    writeln!(desk.out, "{label}")?;
    if path.len() > 1 {
        let names: Vec<&str> = path.iter().map(Label::as_str).collect();
        writeln!(desk.out, "found as {}", names.join(" → "))?;
    }
    for tariff in &history {
        writeln!(desk.out)?;
        write_tariff(desk, tariff, in_force.as_ref() == Some(&tariff.price))?;
    }
    writeln!(desk.out, "\ndollars per million tokens; list of {}", book.as_of())?;
    Ok(Exit::Fine)
}

fn write_tariff(desk: &mut Desk<'_>, tariff: &Tariff, in_force: bool) -> Result<(), Failure> {
    let since = since_words(tariff.since, tariff.known, tariff.found == Found::Fetched);
    let now = if in_force { ", in force" } else { "" };
    writeln!(desk.out, "{since}{now}  ({})", tariff.price)?;
    let mut heads = vec![String::new()];
    heads.extend(CLASSES.map(str::to_owned));
    let mut rows = vec![row("standard".to_owned(), &tariff.rates)];
    rows.extend(tariff.hours.iter().map(|(hours, _, rates)| row(format!("{hours} UTC"), rates)));
    rows.extend(tariff.long.iter().map(|(above, rates)| row(format!("prompt above {}", text::count(*above)), rates)));
    rows.extend(tariff.services.iter().map(|(service, rates)| row(service_word(*service).to_owned(), rates)));
    output::plain(&heads, 1, &rows, desk.out)?;
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
        writeln!(desk.out, "{}", others.join(" · "))?;
    }
    Ok(())
}

fn row(name: String, rates: &crate::pricing::Rates) -> Vec<String> {
    std::iter::once(name).chain(columns(rates)).collect()
}
