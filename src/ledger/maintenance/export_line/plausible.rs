//! Rejects values that no log could contain.

use super::BookedCost;
use crate::domain::{Call, Instant, Tokens, Usd};

/// Upper bound for the cost of one call.
const DEAREST: Usd = Usd::from_micro(1_000_000_000_000);

/// Why a line is rejected.
pub(in crate::ledger::maintenance) enum Wrong {
    /// The line does not belong to an export; the whole file is rejected.
    Foreign(String),
    /// A count, cost or time that no log could contain.
    Impossible(String),
}

/// Checks that a call's values are plausible.
///
/// # Errors
/// Names the implausible value.
pub(super) fn possible(call: &Call, cost: &BookedCost) -> Result<(), String> {
    let names = ["input", "cache_read", "cache_write_5m", "cache_write_1h", "output", "reasoning"];
    for (name, count) in names.into_iter().zip(call.tokens.fields()) {
        if count > Tokens::MOST {
            return Err(format!("{name}_tokens is {count}, more than one call can use"));
        }
    }
    if call.web_searches > Call::MOST_SEARCHES_OF_SESSION {
        return Err(format!("web_searches is {}, more than one call can make", call.web_searches));
    }
    let at: Instant = call.at();
    if !(0..253_402_300_800).contains(&at.timestamp()) {
        return Err(format!("at is {}, a time before 1970 or after 9999", at.format("%Y-%m-%d")));
    }
    if let Some(quoted) = call.quoted.filter(|usd| usd.is_negative() || *usd > DEAREST) {
        return Err(format!("quoted_usd is {quoted}, which no call costs"));
    }
    match cost {
        Some((usd, _)) if usd.is_negative() || *usd > DEAREST => {
            Err(format!("booked_usd is {usd}, which no call costs"))
        }
        Some((_, Some((saved, _)))) if *saved > DEAREST || *saved < Usd::ZERO - DEAREST => {
            Err(format!("saved_usd is {saved}, which no call saves"))
        }
        Some(_) | None => Ok(()),
    }
}

/// The invalid count in a line, if that is all that is wrong with it: negative, fractional, or out of range.
pub(super) fn impossible_count(text: &str) -> Option<String> {
    let serde_json::Value::Object(line) = serde_json::from_str(text).ok()? else { return None };
    let is_call =
        ["key", "at", "source", "machine"].iter().all(|name| line.get(*name).is_some_and(serde_json::Value::is_string));
    let mut numbers = line.iter().filter(|(_, value)| value.is_number());
    let (name, value) = numbers.find(|(_, value)| !value.is_u64())?;
    is_call.then(|| format!("{name} is {value}, which is not a count"))
}
