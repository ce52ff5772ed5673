//! Answers of the HTTP server: the same numbers in the same form as those printed by the commands.

mod call;
mod document;
mod health;
pub(super) mod measured;
mod running;
mod trouble;
mod usage;

use self::trouble::Trouble;
use crate::commands::{gate, limits};
use crate::engine::{Caveats, QueryContext};
use crate::ledger::{Grain, LedgerError};
use crate::meter::{Follow, Meter, Snapshot, Summary, overrides};
use crate::output;
use crate::server::http::{Answer, Kind, Params, Refusal, Topic};

/// Answers a request.
pub(super) fn answer(topic: Topic, params: &Params, books: &QueryContext<'_>) -> Result<Answer, Refusal> {
    match topic {
        Topic::Usage => usage::usage(None, params, books),
        Topic::Sessions => usage::usage(Some(Grain::Session), params, books),
        Topic::Calls => usage::usage(Some(Grain::Call), params, books),
        Topic::Call => call::call(params, books),
        Topic::Summary => json(|out| document::write(&summary(books)?, books, out)),
        Topic::Limits => json(|out| {
            let mut lifted = overrides::all(books.ledger)?;
            lifted.retain(|lifted| lifted.until.is_none());
            let unread = books.unread_files;
            Ok(limits::document::write_json(&summary(books)?, lifted, unread, books.now, books.settings.zone, out)?)
        }),
        Topic::Health => json(|out| Ok(output::to_line(&health::document(&books.health), out)?)),
        Topic::Gate => {
            let names: serde_json::Map<_, _> = std::iter::once(("query".to_owned(), "gate".into()))
                .chain(params.iter().map(|(name, value)| (name.clone(), value.as_str().into())))
                .collect();
            let question = serde_json::Value::Object(names).to_string();
            let caveats = Caveats { warning: books.warning.as_deref(), unread_files: books.unread_files };
            let body =
                gate::query::query_with(&question, books.ledger, books.rules, books.settings, caveats, books.now);
            Ok(Answer { kind: Kind::Json, body: body.into_bytes() })
        }
        Topic::Metrics(form) => measured::text(form, books),
    }
}

fn json(write: impl FnOnce(&mut Vec<u8>) -> Result<(), Trouble>) -> Result<Answer, Refusal> {
    let mut body = Vec::new();
    write(&mut body)?;
    Ok(Answer { kind: Kind::Json, body })
}

/// The numbers on the live screen.
fn summary(books: &QueryContext<'_>) -> Result<Summary, LedgerError> {
    let recent = &mut books.recent.borrow_mut();
    let snapshot = Snapshot::ask_again(books.ledger, books.rules, &Follow::Today, books.now, recent)?;
    let mut meter = Meter::open(books.rules.clone(), snapshot);
    meter.set_unread_files(books.unread_files);
    meter.follow(Follow::Today);
    Ok(meter.summary(books.now))
}
