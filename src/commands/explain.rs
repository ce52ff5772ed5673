//! `explain`: the arithmetic of one call's cost, and the log line it was read from.

mod find;

use std::fs::File;
use std::io::{self, BufRead as _, BufReader};
use std::path::PathBuf;

use serde::Serialize;

use super::prices::{decimal, known_word, service_word, since_words};
use crate::app::catch_up::{self, LogSelection};
use crate::app::{Context, Exit, Failure};
use crate::domain::{Fidelity, Label, Place, Ratio, Zone};
use crate::ledger::Row;
use crate::output::{self, Decimal};
use crate::pricing::{Bucket, Class, Cost, Explanation, Factor, Found, Guess, PriceBook};
use crate::text;

pub(super) fn run(context: &mut Context<'_>, key: &str, json: bool, paths: &[PathBuf]) -> Result<Exit, Failure> {
    let wanted = key.trim_end_matches('…').to_ascii_lowercase();
    if wanted.is_empty() || wanted.len() > 32 || !wanted.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        let key = Label::new(key);
        return Err(Failure::new(
            Exit::Usage,
            format!("'{key}' is not a call key: up to 32 hex digits, as `tokmeter report call` shows them"),
        ));
    }
    let selection = LogSelection::from_args(context, paths, false);
    let books = catch_up::open_and_catch_up(context, &selection, false)?;
    let row = find::find(&books.ledger, &wanted, find::AT_A_TIME)?;
    let explained = Explained::from_row(&row, &books.prices);
    if json {
        output::to_line(&document(&explained), context.out)?;
    } else {
        write_text(&explained, context.settings.zone, context.out)?;
    }
    Ok(Exit::Fine)
}

/// The same as text, for the screen.
pub(super) fn text_of(row: &Row, prices: &PriceBook, zone: Zone) -> String {
    let mut out = Vec::new();
    // Writing into memory cannot fail.
    drop(write_text(&Explained::from_row(row, prices), zone, &mut out));
    String::from_utf8_lossy(&out).into_owned()
}

/// A call, its cost at today's prices, and its source.
struct Explained<'a> {
    row: &'a Row,
    today: Explanation,
    line: Option<u64>,
}

impl<'a> Explained<'a> {
    fn from_row(row: &'a Row, prices: &PriceBook) -> Self {
        let line = row.call.from.place.as_ref().and_then(line_of);
        Self { row, today: prices.explain(&row.call), line }
    }

    /// The booked cost, if it differs from today's.
    fn booked(&self) -> Option<&Cost> {
        Some(&self.row.cost).filter(|booked| **booked != self.today.cost)
    }
}

/// True for calls that were not read from a file but from standard input or the socket.
fn is_feed(place: &Place) -> bool {
    !std::path::Path::new(place.path.as_str()).is_absolute()
}

/// Line number of this offset, if the file still exists and is long enough.
fn line_of(place: &Place) -> Option<u64> {
    let file = File::open(place.path.as_str()).ok()?;
    if !file.metadata().is_ok_and(|facts| facts.is_file() && facts.len() > place.offset) {
        return None;
    }
    let mut reader = BufReader::with_capacity(64 * 1024, file);
    let (mut at, mut line) = (0_u64, 1_u64);
    while at < place.offset {
        let skipped = reader.skip_until(b'\n').ok().filter(|bytes| *bytes > 0)?;
        at += u64::try_from(skipped).ok()?;
        line += 1;
    }
    (at == place.offset).then_some(line)
}

#[derive(Serialize)]
struct Document {
    schema: u8,
    #[serde(flatten)]
    facts: std::collections::BTreeMap<&'static str, output::Cell>,
    found: &'static str,
    path: Vec<Label>,
    price: Option<Label>,
    since: Option<String>,
    since_is: Option<&'static str>,
    next_listed: Option<String>,
    guesses: Vec<&'static str>,
    prompt_tokens: u64,
    above: Option<u64>,
    service: &'static str,
    buckets: Vec<BucketJson>,
    factors: Vec<FactorJson>,
    tokens_usd: Decimal,
    web_searches: u32,
    web_searches_usd: Option<Decimal>,
    cost_usd: Option<Decimal>,
    cost_is: &'static str,
    quoted_usd: Option<Decimal>,
    booked_usd: Option<Decimal>,
    booked_price: Option<Label>,
    place: Option<PlaceJson>,
}

#[derive(Serialize)]
struct BucketJson {
    class: &'static str,
    tokens: u64,
    usd_per_million: Decimal,
    part: Decimal,
    usd: Decimal,
}

#[derive(Serialize)]
struct FactorJson {
    factor: &'static str,
    times: Decimal,
}

#[derive(Serialize)]
struct PlaceJson {
    file: Label,
    byte: u64,
    line: Option<u64>,
}

fn document(explained: &Explained<'_>) -> Document {
    let Explained { row, today, line } = explained;
    let place = row.call.from.place.as_ref();
    Document {
        schema: 1,
        facts: output::call_facts(row).into_iter().collect(),
        found: found_word(today.found),
        path: today.path.clone(),
        price: today.price.clone(),
        since: today.since.map(|day| day.to_string()),
        since_is: today.known.map(known_word),
        next_listed: today.next.map(|day| day.to_string()),
        guesses: today.guesses.iter().map(|guess| guess_word(*guess)).collect(),
        prompt_tokens: today.prompt,
        above: today.above,
        service: service_word(today.service),
        buckets: today
            .buckets
            .iter()
            .map(|bucket| BucketJson {
                class: class_word(bucket.class),
                tokens: bucket.tokens,
                usd_per_million: Decimal(bucket.rate.times(1_000_000)),
                part: decimal(bucket.part),
                usd: Decimal(bucket.usd),
            })
            .collect(),
        factors: today
            .factors
            .iter()
            .map(|(factor, ratio)| FactorJson { factor: factor_word(*factor), times: decimal(*ratio) })
            .collect(),
        tokens_usd: Decimal(today.tokens_usd),
        web_searches: row.call.web_searches,
        web_searches_usd: today
            .searches
            .filter(|searches| searches.rate.is_some())
            .map(|searches| Decimal(searches.usd)),
        cost_usd: today.cost.usd().map(Decimal),
        cost_is: cost_word(&today.cost),
        quoted_usd: today.quoted.map(Decimal),
        booked_usd: row.cost.usd().map(Decimal),
        booked_price: price_of(&row.cost).cloned(),
        place: place.map(|place| PlaceJson { file: place.path.clone(), byte: place.offset, line: *line }),
    }
}

fn write_text(explained: &Explained<'_>, zone: Zone, out: &mut dyn io::Write) -> io::Result<()> {
    let Explained { row, today, line } = explained;
    let call = &row.call;
    let at = call.at().with_timezone(&zone).format("%Y-%m-%d %H:%M:%S %Z");
    let unnamed = || "no model named".to_owned();
    writeln!(out, "{}  {}", call.key, call.model.as_ref().map_or_else(unnamed, ToString::to_string))?;
    let mut who = vec![at.to_string(), call.from.source.to_string()];
    for (name, value) in [
        ("session", &call.from.session),
        ("agent", &call.from.agent),
        ("user", &call.from.user),
        ("project", &call.from.project),
        ("worktree", &call.from.folder),
    ] {
        who.extend(value.as_ref().map(|value| format!("{name} {value}")));
    }
    writeln!(out, "{}", who.join(" · "))?;
    if let Some(place) = &call.from.place {
        match line {
            Some(line) => writeln!(out, "{}:{line} (byte {})", place.path, place.offset)?,
            None if is_feed(place) => writeln!(out, "{}, byte {} of what was sent", place.path, place.offset)?,
            None => writeln!(out, "{}, byte {} (the file is gone, or has changed)", place.path, place.offset)?,
        }
    }
    match call.fidelity {
        Fidelity::Final | Fidelity::Settled => {}
        Fidelity::Unlisted => writeln!(
            out,
            "its session uses more than its log lists call by call: the session's real numbers are higher"
        )?,
        Fidelity::Summed => writeln!(
            out,
            "calls that no log lists one by one: what the session's own bill has beyond the calls that are listed, as one"
        )?,
        Fidelity::LowerBound => writeln!(out, "the agent logs less than it used: the real numbers are higher")?,
        Fidelity::Guessed => {
            writeln!(out, "the model, the split into classes, or the service tier is a guess: the log does not say")?;
        }
        Fidelity::Solved => writeln!(out, "the lifetimes of cache writes follow from the cost the log states")?,
        Fidelity::WritesUnlogged => {
            writeln!(out, "the split is a guess: the log does not tell cache writes from plain input")?;
        }
        Fidelity::Refused => writeln!(out, "refused before anything was written, which is free")?,
    }
    writeln!(out)?;
    write_price(out, today)?;
    if !today.buckets.is_empty() {
        write_buckets(out, today)?;
    }
    if let Some(searches) = &today.searches {
        let noun = if searches.count == 1 { "web search" } else { "web searches" };
        let count = text::count(searches.count.into());
        match searches.rate {
            Some(rate) => writeln!(out, "{count} {noun} × {} = ${}", text::usd(rate), searches.usd)?,
            None => writeln!(out, "{count} {noun} without a known price, not in the cost")?,
        }
    }
    let says = |cost: &Cost| cost.usd().map_or_else(|| "?".to_owned(), |usd| format!("${usd}"));
    let whose = match &today.cost {
        Cost::Priced { .. } => "",
        Cost::Quoted(_) => "  (stated by the log)",
        Cost::Unpriced => "  (no price known: give one under [prices] in the config)",
    };
    writeln!(out, "Cost    {}{whose}", says(&today.cost))?;
    if let Some(quoted) = today.quoted.filter(|_| !matches!(today.cost, Cost::Quoted(_))) {
        writeln!(out, "Quoted  ${quoted}  (stated by the log; not used)")?;
    }
    if let Some(booked) = explained.booked() {
        let price = price_of(booked).map_or_else(String::new, |price| format!("  ({price})"));
        writeln!(out, "Booked  {}{price}; booked costs are kept (`tokmeter ledger reprice`)", says(booked))?;
    }
    Ok(())
}

fn write_price(out: &mut dyn std::io::Write, today: &Explanation) -> std::io::Result<()> {
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

fn write_buckets(out: &mut dyn std::io::Write, today: &Explanation) -> std::io::Result<()> {
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
            vec![name, text::count(bucket.tokens), "×".into(), rate, "=".into(), format!("${}", bucket.usd)]
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
        (last[4], last[5]) = ("=".into(), format!("${}", today.tokens_usd));
    }
    output::plain(&heads, 1, &rows, out)
}

fn price_of(cost: &Cost) -> Option<&Label> {
    match cost {
        Cost::Priced { price, .. } => Some(price),
        Cost::Quoted(_) | Cost::Unpriced => None,
    }
}

const fn cost_word(cost: &Cost) -> &'static str {
    match cost {
        Cost::Priced { .. } => "priced",
        Cost::Quoted(_) => "quoted",
        Cost::Unpriced => "unpriced",
    }
}

const fn found_word(found: Found) -> &'static str {
    match found {
        Found::Config => "config",
        Found::Fetched => "fetched list",
        Found::List => "built-in list",
        Found::Nowhere => "nowhere",
    }
}

const fn class_word(class: Class) -> &'static str {
    match class {
        Class::Input => "input",
        Class::CacheRead => "cache_read",
        Class::CacheWrite5m => "cache_write_5m",
        Class::CacheWrite1h => "cache_write_1h",
        Class::Output => "output",
        Class::Reasoning => "reasoning",
        Class::AudioInput => "audio_input",
        Class::AudioCacheRead => "audio_cache_read",
        Class::AudioOutput => "audio_output",
    }
}

/// Name of a guess in JSON.
const fn guess_word(guess: Guess) -> &'static str {
    match guess {
        Guess::Model => "model",
        Guess::Tier => "tier",
        Guess::Lifetime => "cache_write_lifetime",
        Guess::Audio => "audio_rate",
        Guess::Search => "web_search_rate",
    }
}

const fn guess_sentence(guess: Guess) -> &'static str {
    match guess {
        Guess::Model => "it is not certain which model this name refers to",
        Guess::Tier => "the list has no rates for its service tier or speed: the standard ones are used",
        Guess::Lifetime => "the log does not say how long its cache writes live: the cheaper rate is used",
        Guess::Audio => "the list has no rate for its audio: that of text is used",
        Guess::Search => "the list has no price for a web search: its searches are not in the cost",
    }
}

const fn factor_word(factor: Factor) -> &'static str {
    match factor {
        Factor::Fast => "fast_mode",
        Factor::Us => "us_only",
        Factor::Eu => "eu_only",
    }
}
