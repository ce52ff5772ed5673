//! Answers the socket's queries `{"query":"gate"}` and `{"query":"summary"}`.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::named::named_answer;
use crate::app::Exit;
use crate::app::names::complete;
use crate::app::sessions::find_session;
use crate::commands::Failure;
use crate::config::Settings;
use crate::domain::{Dimension, Filter, Instant, Label, Matcher, Span};
use crate::engine::Doubt;
use crate::ledger::Ledger;
use crate::meter::Rules;
use crate::meter::SessionLine;
use crate::meter::closing::session_row;
use crate::output;
use crate::output::session_json as write_json;

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
    query_with(question, books, rules, settings, Doubt::default(), now)
}

/// Like [`query`], with what makes the answer doubtful.
pub(in crate::commands) fn query_with(
    question: &str,
    books: &dyn Ledger,
    rules: &Rules,
    settings: &Settings,
    doubt: Doubt<'_>,
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
            doubt.warning.inspect(|warning| answer.warn(warning));
            answer.unread_files = doubt.unread_files;
            serde_json::to_string(&answer)
        }
        "summary" => match summary(books, rules, &names, doubt.unread_files, now) {
            Ok(answer) => serde_json::to_string(&Summary { warning: doubt.warning.map(str::to_owned), ..answer }),
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

#[derive(Serialize)]
struct Summary {
    ok: bool,
    schema: u8,
    session: Option<Box<RawValue>>,
    today: BTreeMap<&'static str, output::Cell>,
    /// Warning about the ledger.
    #[serde(skip_serializing_if = "Option::is_none")]
    warning: Option<String>,
}

type Names = [(Dimension, String)];

fn summary(books: &dyn Ledger, rules: &Rules, names: &Names, unread: u64, now: Instant) -> Result<Summary, Failure> {
    let (sessions, others): (Vec<_>, Vec<_>) = names.iter().partition(|(of, _)| *of == Dimension::Session);
    let only = others.into_iter().map(|(of, name)| (*of, Matcher::exact(Label::new(name).as_str()))).collect();
    let mut filter = Filter { only, ..Filter::default() };
    complete(books, &mut filter)?;
    // Before the session's first call there is no summary, which is not an error.
    match sessions.first() {
        Some((_, wanted)) => {
            let wanted = Label::new(wanted);
            let found = match find_session(books, &wanted, &filter)? {
                Err(failure) if failure.exit == Exit::NoInput => wanted,
                found => found?,
            };
            filter.only.push((Dimension::Session, Matcher::exact(found.as_str())));
        }
        None => {
            let newest = books.calls(&filter, 1)?;
            let latest = newest.first().and_then(|row| row.call.from.session.clone());
            filter.only.extend(latest.map(|session| (Dimension::Session, Matcher::exact(session.as_str()))));
        }
    }
    let session = match session_row(books, &filter)? {
        Some(row) => {
            let mut text = Vec::new();
            write_json(&SessionLine::from_row(row, now), unread, &mut text)?;
            let text = String::from_utf8_lossy(&text).trim_end().to_owned();
            Some(RawValue::from_string(text).expect("what was written as JSON is JSON"))
        }
        None => None,
    };
    let day = Span::day(now, rules.zone);
    let today = books.sums(&Filter { since: Some(day.from), until: Some(day.until), ..Filter::default() })?;
    let today = output::measures(&today.marked(unread)).into_iter().collect();
    Ok(Summary { ok: true, schema: 1, session, today, warning: None })
}

fn refusal(why: &str) -> String {
    let why = serde_json::to_string(&Label::new(why)).unwrap_or_else(|_| "\"\"".to_owned());
    format!(r#"{{"ok":false,"error":{why}}}"#)
}

#[cfg(test)]
mod tests;
