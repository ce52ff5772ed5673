//! The `[prices]` table and `gate.unpriced`: dollars per million tokens, parsed as exact decimals.

use toml::de::DeTable;

use super::diagnostic::quoted;
use super::toml_reader::{Node, Section, TomlReader};
use crate::domain::{Usd, sort_by};
use crate::pricing::{CustomPrice, Rates};

/// Upper bound of a price, in dollars per million tokens.
const MOST: Usd = Usd::from_micro(1_000_000_000_000);

/// Parses the table: each model has one price, or a list of dated prices.
pub(crate) fn read(reader: &mut TomlReader<'_>, node: &Node<'_, '_>) -> Vec<CustomPrice> {
    let Some(models) = node.table() else {
        reader.error(
            node.span.clone(),
            format!("'prices' is {}; give a table: [prices.\"my-model\"]", reader.describe_value(node)),
        );
        return Vec::new();
    };
    let mut prices: Vec<CustomPrice> = Vec::new();
    for (model, node) in models {
        let (model, node) = (model.get_ref().as_ref(), Node::new(node));
        let versions = node.list().unwrap_or_else(|| vec![node.clone()]);
        for version in versions {
            let Some(table) = version.table() else {
                let message = format!(
                    "price {}: is {}; give a table with input and output",
                    quoted(model),
                    reader.describe_value(&version)
                );
                reader.error(version.span.clone(), message);
                continue;
            };
            let path = format!("prices.{model}");
            let mut section = Section::new(table, &path, &format!("price {}", quoted(model)));
            let from = section.read(reader, "from", "a day such as 2026-01-01", Node::day);
            let rates = rates(reader, &mut section, &version, model);
            section.finish(reader);
            let Some(rates) = rates else { continue };
            if prices.iter().any(|other| other.model == model && other.from == from) {
                let message = format!(
                    "price {}: there is one from the same day already; give each its own 'from'",
                    quoted(model)
                );
                reader.error(version.span.clone(), message);
                continue;
            }
            let price = CustomPrice { model: model.to_owned(), from, rates };
            reader.came_from(&price_name(&price), version.span.clone());
            prices.push(price);
        }
    }
    sort_by(&mut prices, |one, other| (&one.model, one.from).cmp(&(&other.model, other.from)));
    prices
}

/// Key of a price's origin: one model can have several prices, by day.
pub(crate) fn price_name(price: &CustomPrice) -> String {
    match price.from {
        Some(from) => format!("prices.{}@{from}", price.model),
        None => format!("prices.{}", price.model),
    }
}

/// Parses a table of rates.
pub(crate) fn unpriced(reader: &mut TomlReader<'_>, node: &Node<'_, '_>) -> Option<Rates> {
    let Some(table): Option<&DeTable<'_>> = node.table() else {
        let message =
            format!("gate: 'unpriced' is {}; give {{ input = 15.0, output = 75.0 }}", reader.describe_value(node));
        reader.error(node.span.clone(), message);
        return None;
    };
    let mut section = Section::new(table, "gate.unpriced", "gate.unpriced");
    let rates = rates(reader, &mut section, node, "");
    section.finish(reader);
    rates
}

/// Parses the rates of a section; input and output are both required, because a missing one would mean free.
fn rates(
    reader: &mut TomlReader<'_>,
    section: &mut Section<'_, '_>,
    node: &Node<'_, '_>,
    model: &str,
) -> Option<Rates> {
    let before = reader.problems.len();
    let input = rate(reader, section, "input", false);
    let output = rate(reader, section, "output", false);
    let rates = Rates {
        input: input.unwrap_or_default(),
        output: output.unwrap_or_default(),
        cache_read: rate(reader, section, "cache_read", false),
        cache_write_5m: rate(reader, section, "cache_write_5m", false)
            .or_else(|| rate(reader, section, "cache_write", false)),
        cache_write_1h: rate(reader, section, "cache_write_1h", false),
        web_search: rate(reader, section, "web_search", true),
    };
    if reader.problems[before..].iter().any(|problem| problem.severity == super::Severity::Error) {
        return None;
    }
    let missing = match (input, output) {
        (Some(_), Some(_)) => return Some(rates),
        (None, Some(_)) => "input",
        (Some(_), None) => "output",
        (None, None) => "input and output",
    };
    let of = if model.is_empty() { "gate.unpriced".to_owned() } else { format!("price {}", quoted(model)) };
    reader.error(
        node.span.clone(),
        format!("{of}: no {missing}; give dollars per million tokens such as \"0.50\", or 0"),
    );
    None
}

/// Parses one rate: dollars per million tokens, or dollars each.
fn rate(reader: &mut TomlReader<'_>, section: &mut Section<'_, '_>, key: &'static str, each: bool) -> Option<Usd> {
    let expected =
        if each { "dollars for one search such as 0.01" } else { "dollars per million tokens such as \"0.50\"" };
    let mut exact = true;
    let usd = section.read(reader, key, expected, |node| {
        let text = node.decimal()?.replace('_', "");
        let (whole, _) = Usd::parse(&text).ok()?;
        if whole.is_negative() || whole > MOST {
            return None;
        }
        let (usd, as_written) = Usd::parse(&if each { text } else { millionth(&text)? }).ok()?;
        exact = as_written;
        Some(usd)
    })?;
    if !exact && let Some(node) = section.get(key) {
        reader.warning(
            node.span.clone(),
            format!("'{key}' is {}, more digits than are kept", reader.describe_value(&node)),
        );
    }
    Some(usd)
}

/// Divides a decimal number in text form by a million, so that it is rounded at most once.
fn millionth(text: &str) -> Option<String> {
    let (digits, exponent) = match text.split_once(['e', 'E']) {
        Some((digits, exponent)) => (digits, exponent.parse::<i32>().ok()?),
        None => (text, 0),
    };
    Some(format!("{digits}e{}", exponent.checked_sub(6)?))
}

/// Formats a rate as dollars per million tokens, as in the config.
pub(crate) fn per_million(rate: Usd) -> String {
    rate.times(1_000_000).to_string()
}
