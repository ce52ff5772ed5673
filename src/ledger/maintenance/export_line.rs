//! The lines of an export: their fields and their meaning.

mod fields;
mod missing;
mod plausible;

use std::time::Duration;

use serde::{Deserialize, Serialize};

use self::fields::{GEOS, SERVICES, SPEEDS, is_none, is_zero, meaning, word};
pub(super) use self::missing::{Missing, WrittenMissing};
pub(super) use self::plausible::Wrong;
use self::plausible::{impossible_count, possible};
use crate::domain::{
    Attribution, Bill, Call, CallKey, Claim, Instant, Label, Parts, Place, Record, Tier, Tokens, Usd, rfc3339,
};
use crate::ledger::StoreError;
use crate::ledger::bill_json::Written;
use crate::ledger::compact_row::{CompactRow, RowCost};
use crate::ledger::interner::NONE;
use crate::ledger::merge_state::MergeState;
use crate::ledger::store::Store;
use crate::ledger::working_set::WorkingSet;

#[derive(Serialize)]
#[serde(untagged)]
pub(super) enum Line {
    Descent(DescentLine),
    Bill(BillLine),
    Call(Box<CallLine>),
}

/// A session that descends from another.
#[derive(Serialize, Deserialize)]
pub(super) struct DescentLine {
    pub(super) child: String,
    pub(super) parent: String,
}

/// A session's total as its agent reported it.
#[derive(Serialize, Deserialize)]
pub(super) struct BillLine {
    pub(super) bill: Box<Written>,
    /// The usage that was pruned from the session.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) missing: Option<WrittenMissing>,
}

/// One call. The counts have the same names as in the usage log.
#[derive(Serialize, Deserialize)]
pub(super) struct CallLine {
    key: String,
    at: String,
    source: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    model: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    session: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    agent: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    project: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    folder: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    branch: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    user: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    team: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    feature: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    org: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    lineage: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    price: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    path: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    offset: Option<u64>,
    input_tokens: u64,
    cache_read_tokens: u64,
    cache_write_5m_tokens: u64,
    cache_write_1h_tokens: u64,
    output_tokens: u64,
    reasoning_tokens: u64,
    #[serde(default, skip_serializing_if = "is_none")]
    audio_input_tokens: u64,
    #[serde(default, skip_serializing_if = "is_none")]
    audio_cache_read_tokens: u64,
    #[serde(default, skip_serializing_if = "is_none")]
    audio_output_tokens: u64,
    #[serde(default, skip_serializing_if = "is_none")]
    cache_write_unstated_lifetime_tokens: u64,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    speed: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    service: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    geo: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    fidelity: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    claim: String,
    #[serde(default, skip_serializing_if = "is_zero")]
    web_searches: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    quoted_usd: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    latency_s: Option<String>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    ends_turn: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    alias: Option<String>,
    /// Booked cost, savings, and the price used.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    booked_usd: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    saved_usd: Option<String>,
    /// True when the price involved a guessed rate or tier.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    is_price_guessed: bool,
    machine: String,
}

/// Converts a row to a line. `here` is the machine of this ledger.
pub(super) fn call_line(row: &CompactRow, state: &MergeState, here: &str) -> CallLine {
    let names = &state.names;
    let call = row.call(names);
    let text = |label: &Option<Label>| label.as_ref().map(ToString::to_string);
    let (booked, saved, price) = match row.cost {
        RowCost::Pending | RowCost::Unpriced => (None, None, None),
        RowCost::Quoted(usd) => (Some(usd), None, None),
        RowCost::Priced { usd, saved, price, .. } => {
            (Some(usd), Some(saved), names.label(price).map(ToString::to_string))
        }
    };
    // The root under which a call is stored matters only to this ledger, so export the key from the log.
    let key = if row.lineage == NONE { row.key } else { state.rooted(row.key, row.lineage) };
    CallLine {
        key: key.to_string(),
        at: rfc3339(call.at()),
        source: call.from.source.to_string(),
        model: text(&call.model),
        session: text(&call.from.session),
        agent: text(&call.from.agent),
        project: text(&call.from.project),
        folder: text(&call.from.folder),
        branch: text(&call.from.branch),
        user: text(&call.from.user),
        team: text(&call.from.team),
        feature: text(&call.from.feature),
        org: text(&call.from.org),
        lineage: text(&call.lineage),
        price,
        path: call.from.place.as_ref().map(|place| place.path.to_string()),
        offset: call.from.place.as_ref().map(|place| place.offset),
        input_tokens: call.tokens.input,
        cache_read_tokens: call.tokens.cache_read,
        cache_write_5m_tokens: call.tokens.cache_write_5m,
        cache_write_1h_tokens: call.tokens.cache_write_1h,
        output_tokens: call.tokens.output,
        reasoning_tokens: call.tokens.reasoning,
        audio_input_tokens: call.parts.audio_input,
        audio_cache_read_tokens: call.parts.audio_cache_read,
        audio_output_tokens: call.parts.audio_output,
        cache_write_unstated_lifetime_tokens: call.parts.write_of_unstated_lifetime,
        speed: word(&SPEEDS, &call.tier.speed),
        service: word(&SERVICES, &call.tier.service),
        geo: word(&GEOS, &call.tier.geo),
        fidelity: call.fidelity.stored_word().to_owned(),
        claim: call.from.claim.word().to_owned(),
        web_searches: call.web_searches,
        quoted_usd: call.quoted.map(|usd| usd.to_string()),
        latency_s: call.latency.map(|latency| format!("{}.{:09}", latency.as_secs(), latency.subsec_nanos())),
        ends_turn: call.ends_turn,
        alias: call.alias.map(|alias| alias.to_string()),
        booked_usd: booked.map(|usd| usd.to_string()),
        saved_usd: saved.map(|usd| usd.to_string()),
        is_price_guessed: matches!(row.cost, RowCost::Priced { is_guessed: true, .. }),
        machine: names.label(row.machine).map_or(here, Label::as_str).to_owned(),
    }
}

/// A parsed line of an export.
pub(super) enum Parsed {
    Descent(Record),
    Bill(Box<Bill>, Missing),
    Call { call: Box<Call>, cost: BookedCost, is_price_guessed: bool, machine: String },
}

/// Parses a line.
///
/// # Errors
/// [`Wrong`] if the line cannot be imported.
pub(super) fn parse(text: &str) -> Result<Parsed, Wrong> {
    match line(text) {
        Ok(Line::Descent(DescentLine { child, parent })) => {
            Ok(Parsed::Descent(Record::Descends { child: Label::new(&child), parent: Label::new(&parent) }))
        }
        Ok(Line::Call(line)) => {
            let (call, cost) = call(&line).map_err(Wrong::Foreign)?;
            possible(&call, &cost).map_err(Wrong::Impossible)?;
            let is_price_guessed = line.is_price_guessed;
            Ok(Parsed::Call { call: Box::new(call), cost, is_price_guessed, machine: line.machine })
        }
        Ok(Line::Bill(BillLine { bill, missing })) => {
            let missing = missing.map_or_else(|| Ok(Missing::default()), WrittenMissing::read);
            let bill = missing.and_then(|missing| Ok(Parsed::Bill(Box::new(bill.bill()?), missing)));
            bill.map_err(Wrong::Foreign)
        }
        Err(error) => Err(impossible_count(text).map_or_else(|| foreign(&error), Wrong::Impossible)),
    }
}

/// Serde's type errors quote the value, which in a foreign file could be anything. Report them without it.
fn foreign(error: &serde_json::Error) -> Wrong {
    let what = if error.is_data() { "a field is missing or of the wrong type".to_owned() } else { error.to_string() };
    Wrong::Foreign(format!("not a line of an export: {what}"))
}

/// Nearly all lines are calls. They are not parsed as an untagged enum, which would first build a tree of every line.
fn line(text: &str) -> serde_json::Result<Line> {
    let no_call = match serde_json::from_str(text) {
        Ok(call) => return Ok(Line::Call(Box::new(call))),
        Err(error) => error,
    };
    let descent = serde_json::from_str(text).map(Line::Descent);
    descent.or_else(|_| serde_json::from_str(text).map(Line::Bill)).map_err(|_| no_call)
}

/// Merges one line. For a call, returns whether it is new or has new data.
pub(super) fn take<S: Store>(
    store: &S,
    working_set: &mut WorkingSet<S::Ids>,
    parsed: Parsed,
    here: &str,
) -> Result<Option<bool>, StoreError> {
    match parsed {
        Parsed::Descent(record) => {
            working_set.descend(store, &record)?;
            Ok(None)
        }
        Parsed::Bill(bill, _) => {
            working_set.bill(store, &bill)?;
            Ok(None)
        }
        Parsed::Call { call, cost, is_price_guessed, machine } => {
            working_set.read_families(store, call.lineage.is_some())?;
            let mut compact = working_set.state.compact_row(&call);
            compact.cost = match cost {
                Some((usd, Some((saved, price)))) => {
                    let price = working_set.state.names.number(Some(&price));
                    RowCost::Priced { usd, saved, price, is_guessed: is_price_guessed }
                }
                Some((usd, None)) => RowCost::Quoted(usd),
                None => RowCost::Unpriced,
            };
            if machine != here {
                compact.machine = working_set.state.names.number(Some(&Label::new(&machine)));
            }
            working_set.take(store, compact).map(Some)
        }
    }
}

pub(super) type BookedCost = Option<(Usd, Option<(Usd, Label)>)>;

fn call(line: &CallLine) -> Result<(Call, BookedCost), String> {
    let label = |text: &Option<String>| text.as_deref().map(Label::new);
    let usd = |text: &Option<String>| {
        let parsed = text.as_deref().map(|text| Usd::parse(text).map_err(|error| format!("'{text}' is {error}")));
        parsed.transpose().map(|usd| usd.map(|(usd, _)| usd))
    };
    let key = |text: &str| text.parse::<CallKey>().map_err(|_| format!("'{text}' is not a key"));
    let at = chrono::DateTime::parse_from_rfc3339(&line.at).map_err(|error| format!("at '{}': {error}", line.at))?;
    let cost = usd(&line.booked_usd)?;
    let saved = usd(&line.saved_usd)?.unwrap_or_default();
    let call = Call {
        key: key(&line.key)?,
        from: Attribution {
            session: label(&line.session),
            agent: label(&line.agent),
            project: label(&line.project),
            folder: label(&line.folder),
            branch: label(&line.branch),
            user: label(&line.user),
            team: label(&line.team),
            feature: label(&line.feature),
            org: label(&line.org),
            claim: Claim::of_word(&line.claim).ok_or_else(|| format!("claim '{}' is not known", line.claim))?,
            place: line.path.as_deref().map(|path| Place { path: Label::new(path), offset: line.offset.unwrap_or(0) }),
            ..Attribution::new(Instant::from(at), Label::new(&line.source))
        },
        model: label(&line.model),
        tokens: Tokens {
            input: line.input_tokens,
            cache_read: line.cache_read_tokens,
            cache_write_5m: line.cache_write_5m_tokens,
            cache_write_1h: line.cache_write_1h_tokens,
            output: line.output_tokens,
            reasoning: line.reasoning_tokens,
        },
        parts: Parts {
            audio_input: line.audio_input_tokens,
            audio_cache_read: line.audio_cache_read_tokens,
            audio_output: line.audio_output_tokens,
            write_of_unstated_lifetime: line.cache_write_unstated_lifetime_tokens,
        },
        tier: Tier {
            speed: meaning(&SPEEDS, &line.speed, "speed")?,
            service: meaning(&SERVICES, &line.service, "service")?,
            geo: meaning(&GEOS, &line.geo, "geo")?,
        },
        web_searches: line.web_searches,
        quoted: usd(&line.quoted_usd)?,
        latency: line.latency_s.as_deref().map(seconds).transpose()?,
        fidelity: meaning(&crate::domain::Fidelity::STORED, &line.fidelity, "fidelity")?.as_read(),
        alias: line.alias.as_deref().map(key).transpose()?,
        lineage: label(&line.lineage),
        ends_turn: line.ends_turn,
    };
    Ok((call, cost.map(|usd| (usd, label(&line.price).map(|price| (saved, price))))))
}

fn seconds(text: &str) -> Result<Duration, String> {
    let wrong = || format!("latency_s '{text}' is not a number of seconds");
    let (whole, nanos) = text.split_once('.').ok_or_else(wrong)?;
    let (whole, nanos): (u64, u32) = (whole.parse().map_err(|_| wrong())?, nanos.parse().map_err(|_| wrong())?);
    if nanos >= 1_000_000_000 {
        return Err(wrong());
    }
    Ok(Duration::new(whole, nanos))
}
