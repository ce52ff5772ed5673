//! Goose's sessions: `sessions/sessions.db` in its data folder.
//!
//! Based on the agent's source (`session_manager.rs`, schema 17, read 2026-11-26). Since schema 15 the table
//! `usage_ledger` has one row per request, including compactions. Rows are never changed, and their numbers are never
//! reused. Before that, and still today, `sessions.accumulated_*` count a session as a whole. The part of that counter
//! beyond the rows of `usage_ledger` is reported as the session's total, from which our ledger subtracts the requests
//! it knows. With `usage_ledger`, it was used before that table existed, and is dated at the session's creation,
//! because nothing records when. Without, it grows with the session, and is dated by `updated_at`. Rows of
//! `usage_ledger` that only carry the older counter forward (`cost_source` is `carried_forward`) are part of that
//! remainder.
//!
//! `input_tokens` includes cached tokens, both read and written (`get_usage`). If the total exceeds input plus output,
//! the rest is reasoning. A total without input and output is input, as a guess. A counter that falls was reset, and
//! its earlier value is kept. Session ids are unique only within one data folder. A deleted session takes its rows with
//! it, but our ledger keeps the calls.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::answers::{load, save};
use super::count::Count;
use super::exactness::Exactness;
use super::fields::fields;
use super::json::{self, Text};
use super::rows::at;
use super::running::dated;
use super::split::Counts;
use super::{BadLine, Env, Format, Framing, Location, Origin, Reader, Reading, RowQuery, Schema, Value};
use crate::domain::{
    Attribution, Bill, Billed, Call, CallKey, Counter, Fidelity, Label, Labels, Place, Record, Tokens,
};

/// Goose's sessions.
pub(super) struct Goose;

const NAME: &str = "goose";
/// The counts in a row, in the order in which both queries select them.
const COUNTS: [&str; 5] = ["input_tokens", "output_tokens", "total_tokens", "cache_read_tokens", "cache_write_tokens"];
/// Marks rows that repeat an older counter.
const CARRIED: &str = "carried_forward";

impl Format for Goose {
    fn name(&self) -> &'static str {
        NAME
    }
    /// `GOOSE_PATH_ROOT` applies if it is an absolute path, as it does for the agent itself.
    fn fidelity(&self) -> &'static [Exactness] {
        &[Exactness::Calls, Exactness::Totals, Exactness::Cost]
    }
    fn gaps(&self) -> &'static str {
        "single calls before schema 15: a total for each session, dated by when it grew"
    }
    fn locations(&self, env: &Env<'_>) -> Vec<Location> {
        let folders = match env.absolute("GOOSE_PATH_ROOT") {
            Some(root) => vec![root.join("data")],
            None => {
                let mut folders: Vec<_> = env.data_home().map(|data| data.join("goose")).into_iter().collect();
                folders.extend(env.home(".local/share/Block/goose"));
                if env.is_macos() {
                    folders.extend(env.home("Library/Application Support/Block/goose"));
                    folders.extend(env.home("Library/Application Support/goose"));
                }
                if env.is_windows() {
                    folders.extend(env.roaming().map(|data| data.join("Block/goose/data")));
                }
                folders
            }
        };
        folders.into_iter().map(|folder| Location::flat(folder.join("sessions"))).collect()
    }
    fn framing(&self, name: &[u8]) -> Option<Framing> {
        (name == b"sessions.db").then_some(Framing::Sqlite)
    }
    fn queries(&self, schema: &Schema) -> Option<Vec<RowQuery>> {
        if !schema.has("sessions", &["id", "created_at"]) {
            return None;
        }
        let session = |column: &str| schema.column("sessions", column);
        let about = ["created_at", "working_dir", "model_config_json"].map(session).join(", ");
        let counts = COUNTS.map(|count| session(&format!("accumulated_{count}"))).join(", ");
        let has_ledger = schema.has("usage_ledger", &["id", "session_id", "created_timestamp", "input_tokens"]);
        let row = |column: &str| schema.column("usage_ledger", column);
        let (model, source) = (row("model"), row("cost_source"));
        let listed = if has_ledger {
            let sums = COUNTS.map(|count| format!("COALESCE(SUM({}), 0)", row(count))).join(", ");
            format!(
                "(SELECT json_group_array(json(sums)) FROM (SELECT json_array({model}, {sums}) AS sums FROM usage_ledger \
                 WHERE usage_ledger.session_id = sessions.id AND {source} IS NOT '{CARRIED}' GROUP BY {model}))"
            )
        } else {
            "NULL".to_owned()
        };
        let totals = format!(
            "SELECT NULL, NULL, sessions.id, {about}, {counts}, {listed}, {} FROM sessions",
            session("updated_at")
        );
        let mut queries = vec![RowQuery { table: "sessions", sql: totals }];
        if has_ledger {
            let counts = COUNTS.map(row).join(", ");
            let (cost, compaction) = (row("cost"), row("is_compaction"));
            let sql = format!(
                "SELECT usage_ledger.id, NULL, usage_ledger.session_id, {about}, {counts}, {model}, {cost}, {source}, \
                 usage_ledger.created_timestamp, {compaction} FROM usage_ledger \
                 LEFT JOIN sessions ON sessions.id = usage_ledger.session_id WHERE usage_ledger.id > ?1"
            );
            queries.push(RowQuery { table: "usage_ledger", sql });
        }
        Some(queries)
    }
    fn reader(&self) -> Box<dyn Reader> {
        Box::new(Sessions { source: Label::new(NAME), labels: Labels::default(), counters: BTreeMap::new() })
    }
}

fields! {
    /// The column `model_config_json`.
    Config {
        model: Text<'a> = "model_name",
    }
}

/// Input, output, total, cache reads and cache writes, as Goose counts them.
type Raw = [u64; 5];

/// A session's counter when it was last read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Seen {
    /// The counter.
    all: Raw,
    /// The part of it that no row of `usage_ledger` lists.
    rest: Raw,
    /// That part of the counter, summed over earlier resets.
    before: Raw,
}

struct Sessions {
    source: Label,
    labels: Labels,
    /// Counters with a part that `usage_ledger` does not list.
    counters: BTreeMap<String, Seen>,
}

impl Reader for Sessions {
    fn row(
        &mut self,
        query: usize,
        row: &[Value<'_>],
        origin: &Origin,
        out: &mut Vec<Record>,
    ) -> Result<Reading, BadLine> {
        let Some(session) = at(row, 2).text() else { return Ok(Reading::NotMine) };
        let record = match query {
            0 => self.total(session, row, origin)?.map(Record::Bill),
            _ => self.request(session, row, origin)?.map(Record::Call),
        };
        out.extend(record);
        Ok(Reading::Mine)
    }

    fn state(&self) -> String {
        save(&self.counters)
    }

    fn restore(&mut self, state: &str) {
        self.counters = load(state);
    }
}

impl Sessions {
    /// One request from `usage_ledger`.
    fn request(&mut self, session: &str, row: &[Value<'_>], origin: &Origin) -> Result<Option<Call>, BadLine> {
        if at(row, 13).text() == Some(CARRIED) {
            return Ok(None);
        }
        let counts = counts(row, Count::tokens)?;
        let (tokens, is_guessed) = split(counts, is_bare(counts));
        if tokens.is_zero() {
            return Ok(None);
        }
        let config = model_of(at(row, 5));
        let model = self.labels.find(at(row, 11).text().or(config.as_deref()));
        let mut from = self.attribution(session, row, origin);
        from.at = at(row, 14).time().unwrap_or(from.at);
        if at(row, 15).integer().is_some_and(|compacts| compacts != 0) {
            from.feature = Some(Label::new("compaction"));
        }
        let number = at(row, 0).integer().unwrap_or_default().to_string();
        let made = at(row, 3).text().unwrap_or_default();
        let key = CallKey::from_parts(&[NAME, "request", session, made, &number]);
        let is_stated = at(row, 13).text() == Some("provider_reported");
        let fidelity = if is_guessed || model.is_none() { Fidelity::Guessed } else { Fidelity::Final };
        let quoted = at(row, 12).usd().filter(|_| is_stated);
        Ok(Some(Call { quoted, fidelity, ..Call::new(key, from, model, tokens) }))
    }

    /// A session's counter, if `usage_ledger` does not list all of it.
    fn total(&mut self, session: &str, row: &[Value<'_>], origin: &Origin) -> Result<Option<Bill>, BadLine> {
        let all = counts(row, Count::total)?;
        let listed = at(row, 11).text().map_or(Ok(Vec::new()), listed)?;
        let sum = listed.iter().fold([0; 5], |sum, (_, part)| each(sum, *part, u64::saturating_add));
        let rest = each(all, sum, u64::saturating_sub);
        let known = self.counters.get(session).copied();
        let mut seen = known.unwrap_or_default();
        if all[2].max(all[0]) < seen.all[2].max(seen.all[0]) {
            seen.before = each(seen.before, seen.rest, u64::saturating_add);
        }
        (seen.all, seen.rest) = (all, rest);
        let whole = each(seen.before, rest, u64::saturating_add);
        if whole == [0; 5] {
            return Ok(None);
        }
        if known == Some(seen) {
            return Ok(None);
        }
        self.counters.insert(session.to_owned(), seen);
        let config = model_of(at(row, 5)).unwrap_or_else(|| "unknown".to_owned());
        let mut models: BTreeMap<String, (Tokens, bool)> = BTreeMap::new();
        let listed = listed.into_iter().map(|(model, part)| (model, part, is_bare(part)));
        for (model, part, is_bare) in listed.chain([(None, whole, is_bare(all))]) {
            let (tokens, was_guessed) = models.entry(model.unwrap_or_else(|| config.clone())).or_default();
            let (more, is_guessed) = split(part, is_bare);
            (*tokens, *was_guessed) = (tokens.saturating_add(more), *was_guessed || is_guessed);
        }
        let mut from = self.attribution(session, row, origin);
        let began = at(row, 3).time();
        from.at = began.unwrap_or(origin.modified);
        let billed = |(model, (tokens, is_guessed)): (String, _)| Billed { is_guessed, ..Billed::new(&model, tokens) };
        let models = models.into_iter().map(billed).collect();
        if at(row, 11) == Value::Null {
            let saved = at(row, 12).time();
            from.at = saved.max(began).unwrap_or(origin.modified);
            return Ok(dated(NAME, from, began.filter(|_| saved.is_none()), models));
        }
        let made = at(row, 3).text().unwrap_or_default();
        let id = CallKey::from_parts(&[NAME, "total", session, made]);
        Ok(Some(Bill { id, from, counter: Counter::Session { started: None, since: None }, models }))
    }

    fn attribution(&mut self, session: &str, row: &[Value<'_>], origin: &Origin) -> Attribution {
        Attribution {
            session: Some(self.labels.get(session)),
            project: self.labels.find(at(row, 4).text()),
            place: Some(Place { path: origin.path.clone(), offset: origin.offset }),
            ..Attribution::new(origin.modified, self.source.clone())
        }
    }
}

/// The sums of `usage_ledger`, by model.
fn listed(sums: &str) -> Result<Vec<(Option<String>, Raw)>, BadLine> {
    let wrong = |_| BadLine::WrongType { field: "usage_ledger", expected: "counts of tokens" };
    let sums: Vec<(Option<String>, u64, u64, u64, u64, u64)> = serde_json::from_str(sums).map_err(wrong)?;
    Ok(sums.into_iter().map(|(model, a, b, c, d, e)| (model, [a, b, c, d, e])).collect())
}

/// The counts in a row.
fn counts(row: &[Value<'_>], read: fn(&Count, &'static str) -> Result<u64, BadLine>) -> Result<Raw, BadLine> {
    let mut raw = [0; 5];
    for (place, name) in COUNTS.into_iter().enumerate() {
        raw[place] = read(&at(row, 6 + place).count(), name)?;
    }
    Ok(raw)
}

fn each(one: Raw, other: Raw, combine: fn(u64, u64) -> u64) -> Raw {
    std::array::from_fn(|place| combine(one[place], other[place]))
}

/// True for a total without input and output.
fn is_bare([prompt, output, total, ..]: Raw) -> bool {
    prompt == 0 && output == 0 && total > 0
}

/// The counts in disjoint classes, and whether the split is a guess.
fn split([prompt, output, total, cache_read, cache_write_5m]: Raw, is_bare: bool) -> (Tokens, bool) {
    if is_bare {
        return Counts { total: Some(total), cache_read, cache_write_5m, ..Counts::default() }.split();
    }
    let cached = cache_read + cache_write_5m;
    let beyond = total.saturating_sub(prompt + output);
    // If the total leaves room for the cache, the input excludes it.
    let reasoning = if beyond == cached { 0 } else { beyond };
    let counts = Counts {
        prompt: Some(prompt),
        output: Some(output + reasoning),
        total: Some(total).filter(|total| *total > 0),
        cache_read,
        cache_write_5m,
        reasoning,
        ..Counts::default()
    };
    counts.split()
}

/// The model in a session's settings.
fn model_of(config: Value<'_>) -> Option<String> {
    let config: Config<'_> = json::parse(config.text()?.as_bytes()).ok()?;
    config.model.get().map(str::to_owned)
}
