//! Rekeys calls that older versions read from Gemini CLI's telemetry to the key that its chats use.
//!
//! Those versions did not read chats and keyed an event by its time, so a call would count again once its chat is read.
//! If that has already happened, the older row is hidden like other telemetry.

use rusqlite::{Connection, Result};

use super::id_map::Ids;
use super::row_codec::damaged;
use super::row_mapping;
use super::schema::COLUMNS;
use crate::domain::{CallKey, Dimension};
use crate::ledger::StoreError;
use crate::ledger::bills::row_keys;
use crate::ledger::compact_row::CompactRow;
use crate::ledger::interner::{Interner, place};
use crate::ledger::spending::part;
use crate::ledger::store::{Delta, Store, Table};

/// Gemini CLI's events: rows with a Gemini model and a session, but without a project, which only spans have.
const EVENTS: &str = "SELECT s.id FROM sessions s JOIN kinds k ON k.id = s.kind JOIN labels f ON f.id = k.source
  JOIN labels m ON m.id = k.model WHERE f.name IN ('otel', 'otlp') AND m.name LIKE 'gemini%' AND k.project = 0
  AND s.session <> 0";

pub(super) fn rekey(conn: &Connection) -> Result<()> {
    let (mut ids, mut names) = (Ids::default(), Interner::default());
    let rows = events(conn, &mut ids, &mut names)?;
    if rows.is_empty() {
        return Ok(());
    }
    move_all(conn, &mut ids, &mut names, &rows).map_err(|error| damaged(&error.to_string()))
}

fn events(conn: &Connection, ids: &mut Ids, names: &mut Interner) -> Result<Vec<CompactRow>> {
    let select =
        format!("SELECT {COLUMNS} FROM calls WHERE alias IS NULL AND lineage IS NULL AND session IN ({EVENTS})");
    let mut select = conn.prepare(&select)?;
    let (mut found, mut rows) = (select.query([])?, Vec::new());
    while let Some(row) = found.next()? {
        rows.push(row_mapping::read(row, conn, ids, names)?);
    }
    Ok(rows)
}

fn move_all(
    conn: &Connection,
    ids: &mut Ids,
    names: &mut Interner,
    rows: &[CompactRow],
) -> std::result::Result<(), StoreError> {
    if !conn.has_aliases()? {
        conn.index_aliases()?;
    }
    for row in rows {
        let set = names.set(row.set);
        let (session, model) = (set[place(Dimension::Session)], set[place(Dimension::Model)]);
        let bills = conn.bills(names, ids, session)?;
        // This row was computed from a bill and has a key of its own.
        if bills.iter().flat_map(row_keys).any(|key| key == row.key) {
            continue;
        }
        let name = |dimension| names.value(row.set, dimension).map(ToString::to_string).unwrap_or_default();
        let key = CallKey::of_gemini(&name(Dimension::Session), &name(Dimension::Model), &row.tokens);
        let moved = CompactRow { key, alias: Some(key), ..row.clone() };
        let mut delta = Delta { rows: vec![(row.key, Some(row), None)], ..Delta::default() };
        let host = conn.keys_by_alias(names, key)?.into_iter().min();
        // Two events with the same counts were stored as two rows for one answer.
        let is_repeated = host.is_some() || conn.row(names, ids, Table::Shown, key)?.is_some();
        if is_repeated && !bills.is_empty() {
            let sums = conn.spent(names, ids, session)?.into_iter().find(|(of, _)| *of == model);
            let mut sums = sums.map(|(_, sums)| sums).unwrap_or_default();
            sums.sub(&part(row));
            delta.spent.push((session, model, sums));
        }
        match host {
            Some(host) => {
                if let Some(own) = conn.row(names, ids, Table::Shown, host)? {
                    delta.unmerged.push((host, Some(own)));
                }
                delta.unmerged.push((key, Some(moved.clone())));
            }
            None if is_repeated => {}
            None => delta.rows.push((key, None, Some(&moved))),
        }
        conn.apply(names, ids, &delta, &|_| {})?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::super::fixture::Free;
    use super::super::{Options, open};
    use super::*;
    use crate::domain::{Attribution, Bill, Billed, Call, Counter, Filter, Instant, Label, Record, Tokens};
    use crate::ledger::{Batch, Ledger};

    fn call(key: &str, source: &str, second: i64, model: &str, input: u64) -> Call {
        let at = Instant::from_timestamp(1_790_000_000 + second, 0).unwrap();
        let from = Attribution { session: Some(Label::new("g-1")), ..Attribution::new(at, Label::new(source)) };
        Call::new(CallKey::from_parts(&[key]), from, Some(Label::new(model)), Tokens { input, ..Tokens::ZERO })
    }

    /// An answer as the chat reader reports it.
    fn chat(key: &str, second: i64, input: u64) -> Call {
        let call = call(key, "gemini-cli", second, "gemini-3.1-pro", input);
        Call { alias: Some(CallKey::of_gemini("g-1", "gemini-3.1-pro", &call.tokens)), ..call }
    }

    /// The tokens of a session as metrics report them.
    fn piece(session: &str, input: u64) -> Record {
        let at = Instant::from_timestamp(1_790_000_005, 0).unwrap();
        let tokens = Tokens { input, ..Tokens::ZERO };
        let model = Label::new("gemini-3.1-pro");
        let from = Attribution { session: Some(Label::new(session)), ..Attribution::new(at, Label::new("otlp")) };
        let id = CallKey::from_parts(&["piece", session]);
        let models = vec![Billed { is_split: true, ..Billed::new(model.as_str(), tokens) }];
        Record::Bill(Bill { id, from, counter: Counter::Piece, models })
    }

    #[test]
    fn a_call_that_an_older_version_read_from_telemetry_is_one_with_its_chats() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ledger.db");
        let opened = || open(&path, Options::new(Instant::default()), Arc::new(Free)).unwrap().books;
        let post_records = |records: Vec<Record>| {
            opened().post(&Batch { records, files: Vec::new() }).unwrap();
        };
        let post = |calls: Vec<Call>| post_records(calls.into_iter().map(Record::Call).collect());
        let counted = || {
            let sums = opened().sums(&Filter::default()).unwrap();
            (sums.calls, sums.tokens.input)
        };
        post(vec![
            call("a", "otlp", 1, "gemini-3.1-pro", 10),
            call("b", "otel", 2, "gemini-3.1-pro", 20),
            call("b-again", "otel", 2, "gemini-3.1-pro", 20),
            call("other", "otlp", 3, "gpt-5", 40),
            chat("chat-a", 1, 10),
        ]);
        // One for a session with calls, which then does not count, and one for a session without calls.
        post_records(vec![piece("g-1", 160), piece("g-2", 5)]);
        assert_eq!(counted(), (6, 105));
        assert_eq!(opened().verify().unwrap().problems, [] as [String; 0]);
        Connection::open(&path).unwrap().pragma_update(None, "user_version", 7).unwrap();
        assert_eq!(counted(), (4, 75));
        assert_eq!(opened().verify().unwrap().problems, [] as [String; 0]);
        post(vec![chat("chat-b", 2, 20), chat("chat-c", 4, 80), chat("chat-a", 1, 10)]);
        assert_eq!(counted(), (5, 155));
        assert_eq!(opened().verify().unwrap().problems, [] as [String; 0]);
    }
}
