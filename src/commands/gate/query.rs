//! Answers the socket's queries `{"query":"gate"}` and `{"query":"summary"}`.

mod summary;

use std::collections::BTreeMap;

use serde::Deserialize;

use super::named::named_answer;
use crate::config::Settings;
use crate::domain::{Dimension, Instant, Label};
use crate::engine::Caveats;
use crate::ledger::Ledger;
use crate::meter::Rules;

/// A query.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Question {
    query: String,
    #[serde(flatten)]
    names: BTreeMap<String, serde_json::Value>,
}

/// Answers a query from the socket with one line of JSON, without a line end.
///
/// `gate` takes the dimensions of the coming call (`user`, `model`, `project`, `team`, `agent`, `feature`, `org`,
/// `source`, `session`). `summary` takes the same ones; `session` defaults to the latest. Names may be given in full or
/// as shown on the screens. Failures give `{"ok":false,"error":…}`, except for a gate that the config allows to fail
/// open.
pub fn query(question: &str, books: &dyn Ledger, rules: &Rules, settings: &Settings, now: Instant) -> String {
    query_with(question, books, rules, settings, Caveats::default(), now)
}

/// Like [`query`], with the reasons why the numbers may be too low.
pub(in crate::commands) fn query_with(
    question: &str,
    books: &dyn Ledger,
    rules: &Rules,
    settings: &Settings,
    caveats: Caveats<'_>,
    now: Instant,
) -> String {
    let question: Question = match serde_json::from_str(question) {
        Ok(question) => question,
        Err(error) => return refusal(&format!("not a question: {error}")),
    };
    let names = match names(&question.names) {
        Ok(names) => names,
        Err(why) => return refusal(&why),
    };
    let answer = match question.query.as_str() {
        "gate" => {
            let names: Vec<(Dimension, &str)> = names.iter().map(|(of, name)| (*of, name.as_str())).collect();
            let mut answer = named_answer(books, rules, settings, &names, false, now)
                .unwrap_or_else(|error| super::GateAnswer::unknown(&error.to_string(), settings));
            if let Some(warning) = caveats.warning {
                answer.warn(warning);
            }
            answer.unread_files = caveats.unread_files;
            serde_json::to_string(&answer)
        }
        "summary" => match summary::summary(books, rules, &names, caveats, now) {
            Ok(answer) => serde_json::to_string(&answer),
            Err(failure) => return refusal(&failure.message),
        },
        other => return refusal(&format!("'{other}' is not a query; there are: gate, summary")),
    };
    answer.unwrap_or_else(|error| refusal(&error.to_string()))
}

/// The dimensions given in a query. Numbers are accepted as names.
fn names(fields: &BTreeMap<String, serde_json::Value>) -> Result<Vec<(Dimension, String)>, String> {
    let mut names = Vec::new();
    for (key, value) in fields {
        let Ok(dimension) = key.parse::<Dimension>() else { continue };
        let name = match value {
            serde_json::Value::Null => continue,
            serde_json::Value::String(name) => name.clone(),
            serde_json::Value::Number(number) => number.to_string(),
            serde_json::Value::Bool(_) | serde_json::Value::Array(_) | serde_json::Value::Object(_) => {
                return Err(format!("'{dimension}' must be a name"));
            }
        };
        names.push((dimension, name));
    }
    Ok(names)
}

fn refusal(why: &str) -> String {
    let why = serde_json::to_string(&Label::new(why)).unwrap_or_else(|_| "\"\"".to_owned());
    format!(r#"{{"ok":false,"error":{why}}}"#)
}

#[cfg(test)]
mod tests;
