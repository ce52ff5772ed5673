//! The price of a call and the computation of its cost, as text.

use super::words::{class_word, factor_word, found_word, guess_sentence};
use crate::domain::{Label, Ratio};
use crate::output::tariff::{decimal, service_word, since_words};
use crate::output::{self};
use crate::pricing::{Bucket, Explanation, Found};
use crate::text;

pub(super) fn write_price(out: &mut dyn std::io::Write, today: &Explanation) -> std::io::Result<()> {
    let Some(price) = &today.price else { return Ok(()) };
    let is_dated = today.since.is_some() || today.known.is_some();
    let since = since_words(today.since, today.known, today.found == Found::Fetched);
    let since = if is_dated { format!(", {since}") } else { String::new() };
    writeln!(out, "Price   {price} ({}{since})", found_word(today.found))?;
    if let Some(day) = today.next {
        writeln!(out, "Next    another price was first listed {day}, and may have begun before this call")?;
    }
    for guess in &today.guesses {
        writeln!(out, "Guess   {}", guess_sentence(*guess))?;
    }
    if today.path.len() > 1 {
        let names: Vec<&str> = today.path.iter().map(Label::as_str).collect();
        writeln!(out, "Found   {}", names.join(" → "))?;
    }
    let tier = match today.above {
        Some(above) => format!("prompt of {} tokens, above {}", text::count(today.prompt), text::count(above)),
        None => format!("prompt of {} tokens, usual rates", text::count(today.prompt)),
    };
    writeln!(out, "Tier    {tier}, {} service", service_word(today.service))
}

/// Writes the amounts of the classes, with the sign of the call's cost.
pub(super) fn write_buckets(out: &mut dyn std::io::Write, today: &Explanation, sign: &str) -> std::io::Result<()> {
    let heads = ["", "tokens", "", "per million", "", "dollars"].map(str::to_owned);
    let part = |bucket: &Bucket| {
        let whole = bucket.part == Ratio::ONE;
        if whole { String::new() } else { format!(" × {}", decimal(bucket.part).0) }
    };
    let mut rows: Vec<Vec<String>> = today
        .buckets
        .iter()
        .map(|bucket| {
            let rate = text::rate_per_million(bucket.rate) + &part(bucket);
            let name = class_word(bucket.class).replace('_', " ");
            vec![name, text::count(bucket.tokens), "×".into(), rate, "=".into(), format!("{sign}${}", bucket.usd)]
        })
        .collect();
    for (factor, ratio) in &today.factors {
        let times = format!("× {}", decimal(*ratio).0);
        rows.push(vec![factor_word(*factor).replace('_', " "), String::new(), String::new(), times]);
    }
    for row in &mut rows {
        row.resize(6, String::new());
    }
    if let Some(last) = rows.last_mut().filter(|_| !today.factors.is_empty()) {
        (last[4], last[5]) = ("=".into(), format!("{sign}${}", today.tokens_usd));
    }
    output::plain(&heads, 1, &rows, out)
}
