//! Bills in tables and exports, and the sums of calls that they are compared with.

use chrono::SecondsFormat;
use rusqlite::{Connection, Result, params};
use rustc_hash::{FxHashMap, FxHashSet};
use serde::{Deserialize, Serialize};

use super::id_map::Ids;
use super::rollup::{self, QUARTERS};
use super::rollup_delta::moment;
use super::row_codec::damaged;
use super::row_mapping;
use crate::domain::{
    Attribution, Bill, Billed, CallKey, Counter, Dimension, Instant, Label, Place, Tokens, quarter_of,
};
use crate::ledger::account::started;
use crate::ledger::bills::{MOST, row_keys};
use crate::ledger::compact_row::CompactRow;
use crate::ledger::interner::{Interner, NONE, place};
use crate::ledger::spending::{self, Part};

/// A bill's JSON form, in the column `body` and in exports.
#[derive(Serialize, Deserialize)]
pub(super) struct Written {
    id: String,
    at: String,
    source: String,
    session: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    project: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    user: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    team: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    org: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    path: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    offset: Option<u64>,
    /// Start of the session's counter, and start of the session.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    started: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    since: Option<String>,
    /// Present if a single run is counted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    own: Option<[u64; 6]>,
    models: Vec<WrittenModel>,
}

/// Running total of one model.
#[derive(Serialize, Deserialize)]
struct WrittenModel {
    model: String,
    /// Input, cache reads, five-minute and one-hour cache writes, output, reasoning.
    tokens: [u64; 6],
    #[serde(default)]
    searches: u32,
    split: bool,
}

impl Written {
    /// Converts a bill; `None` without a session.
    pub(super) fn from_bill(bill: &Bill) -> Option<Self> {
        let text = |label: &Option<Label>| label.as_ref().map(ToString::to_string);
        let time = |at: Instant| at.to_rfc3339_opts(SecondsFormat::AutoSi, true);
        let (started, since, own) = match bill.counter {
            Counter::Session { started, since } => (started, since, None),
            Counter::Run { own } => (None, None, Some(own.fields())),
        };
        let models = bill.models.iter().map(|billed| WrittenModel {
            model: billed.model.to_string(),
            tokens: billed.tokens.fields(),
            searches: billed.web_searches,
            split: billed.is_split,
        });
        Some(Self {
            id: bill.id.to_string(),
            at: time(bill.from.at),
            source: bill.from.source.to_string(),
            session: text(&bill.from.session)?,
            project: text(&bill.from.project),
            user: text(&bill.from.user),
            team: text(&bill.from.team),
            org: text(&bill.from.org),
            path: bill.from.place.as_ref().map(|place| place.path.to_string()),
            offset: bill.from.place.as_ref().map(|place| place.offset),
            started,
            since: since.map(time),
            own,
            models: models.collect(),
        })
    }

    /// Converts back.
    ///
    /// # Errors
    /// Names the invalid field.
    pub(super) fn bill(&self) -> std::result::Result<Bill, String> {
        let label = |text: &Option<String>| text.as_deref().map(Label::new);
        let time = |text: &str| {
            chrono::DateTime::parse_from_rfc3339(text).map(Instant::from).map_err(|error| format!("'{text}': {error}"))
        };
        let path = self.path.as_deref().map(Label::new);
        let mut models: Vec<Billed> = Vec::with_capacity(self.models.len());
        for written in &self.models {
            let tokens = Tokens::from_fields(written.tokens);
            models.push(Billed {
                model: Label::new(&written.model),
                tokens,
                is_split: written.split,
                web_searches: written.searches,
            });
        }
        models.sort_by(|one, other| one.model.cmp(&other.model));
        if models.windows(2).any(|pair| pair[0].model == pair[1].model) {
            return Err("a model appears twice in a bill".to_owned());
        }
        let most = MOST;
        if models.iter().any(|billed| billed.tokens.fields().iter().any(|count| *count > most)) {
            return Err(format!("a bill has more than {most} tokens"));
        }
        Ok(Bill {
            id: self.id.parse().map_err(|_| format!("'{}' is not a key", self.id))?,
            from: Attribution {
                session: Some(Label::new(&self.session)),
                project: label(&self.project),
                user: label(&self.user),
                team: label(&self.team),
                org: label(&self.org),
                place: path.map(|path| Place { path, offset: self.offset.unwrap_or(0) }),
                ..Attribution::new(time(&self.at)?, Label::new(&self.source))
            },
            counter: match self.own {
                Some(own) => Counter::Run { own: Tokens::from_fields(own) },
                None => {
                    let since = self.since.as_deref().map(time).transpose()?;
                    Counter::Session { started: self.started, since }
                }
            },
            models,
        })
    }
}

/// A session's bills.
pub(super) fn of_session(conn: &Connection, names: &Interner, ids: &mut Ids, session: u32) -> Result<Vec<Bill>> {
    let Some(id) = ids.stored_label(conn, names, session)? else { return Ok(Vec::new()) };
    let mut select = conn.prepare_cached("SELECT body FROM bills WHERE session = ?")?;
    let bodies = select.query_map([id], |row| row.get::<_, String>(0))?;
    bodies.map(|body| parsed(&body?)).collect()
}

/// The stored sums of a session by model: of its calls, if it has a bill, else of those that were pruned.
pub(super) fn spent(conn: &Connection, names: &mut Interner, ids: &mut Ids, session: u32) -> Result<Vec<(u32, Part)>> {
    let Some(id) = ids.stored_label(conn, names, session)? else { return Ok(Vec::new()) };
    let mut select = conn.prepare_cached("SELECT model, sums FROM spent WHERE session = ?")?;
    let found: Vec<(i64, String)> =
        select.query_map([id], |row| Ok((row.get(0)?, row.get(1)?)))?.collect::<Result<_>>()?;
    let mut part = |(model, fields): (i64, String)| Ok((ids.known_label(conn, names, model)?, sums_of(&fields)?));
    found.into_iter().map(&mut part).collect()
}

/// Keys of a session's rows, located through its sums.
pub(super) fn keys_of_session(
    conn: &Connection,
    names: &Interner,
    ids: &mut Ids,
    session: u32,
) -> Result<Vec<CallKey>> {
    let mut keys = Vec::new();
    let Some(label) = ids.stored_label(conn, names, session)? else { return Ok(keys) };
    let mut select = conn.prepare_cached(
        "SELECT id, first, first_ns, last, last_ns FROM sessions WHERE session = ? AND first IS NOT NULL",
    )?;
    let runs: Vec<(i64, Option<Instant>, Option<Instant>)> = select
        .query_map([label], |row| {
            Ok((row.get(0)?, moment(row.get(1)?, row.get(2)?), moment(row.get(3)?, row.get(4)?)))
        })?
        .collect::<Result<_>>()?;
    let mut sums = conn.prepare_cached("SELECT day, sums FROM rollup WHERE day >= ? AND day <= ? AND of = ?")?;
    let mut find = conn.prepare_cached("SELECT hash, rest FROM calls WHERE id >= ? AND id < ? AND session = ?")?;
    for (id, first, last) in runs {
        let (Some(first), Some(last)) = (first, last) else { continue };
        let day = |at: Instant| quarter_of(at).div_euclid(QUARTERS);
        let mut found = sums.query([day(first), day(last), id])?;
        while let Some(row) = found.next()? {
            let day: i64 = row.get(0)?;
            for entry in rollup::entries(row.get_ref(1)?.as_blob()?) {
                let quarter = day * QUARTERS + i64::from(entry?.0);
                let span = [row_mapping::first_id(quarter * 900), row_mapping::first_id((quarter + 1) * 900), id];
                for key in find.query_map(span, |row| Ok(row_mapping::key([row.get(0)?, row.get(1)?])))? {
                    keys.push(key?);
                }
            }
        }
    }
    Ok(keys)
}

/// Every bill.
pub(super) fn all(conn: &Connection) -> Result<Vec<Bill>> {
    let mut select = conn.prepare("SELECT body FROM bills ORDER BY session, id")?;
    let bodies = select.query_map([], |row| row.get::<_, String>(0))?;
    bodies.map(|body| parsed(&body?)).collect()
}

/// Keys of rows that may be computed from bills.
pub(super) fn computed(conn: &Connection) -> Result<FxHashSet<CallKey>> {
    Ok(all(conn)?.iter().flat_map(row_keys).collect())
}

/// Writes bills, and sums by the numbers of session and model.
pub(super) fn write(
    conn: &Connection,
    names: &Interner,
    ids: &mut Ids,
    bills: &[(u32, Bill)],
    spent: &[(u32, u32, Part)],
) -> Result<()> {
    let put = "INSERT OR REPLACE INTO bills(session, id, counter, body) VALUES(?, ?, ?, ?)";
    for (session, bill) in bills {
        let Some(written) = Written::from_bill(bill) else { continue };
        let body = serde_json::to_string(&written).map_err(|_| damaged("a bill"))?;
        let session = ids.label(conn, names, *session)?;
        conn.prepare_cached(put)?.execute(params![session, bill.id.bytes(), started(bill), body])?;
    }
    for (session, model, part) in spent {
        let (session, model) = (ids.label(conn, names, *session)?, ids.label(conn, names, *model)?);
        put_sums(conn, session, model, part)?;
    }
    Ok(())
}

fn put_sums(conn: &Connection, session: i64, model: i64, part: &Part) -> Result<()> {
    let sums = serde_json::to_string(&part.fields()).map_err(|_| damaged("the sums of a session"))?;
    let put = "INSERT OR REPLACE INTO spent(session, model, sums) VALUES(?, ?, ?)";
    conn.prepare_cached(put)?.execute(params![session, model, sums]).map(drop)
}

/// Sums of pruned rows by session and model number.
#[derive(Default)]
pub(super) struct Pruned(FxHashMap<(u32, u32, bool), Part>);

impl Pruned {
    /// Takes in a row; computed ones stand for what a bill has beyond the calls.
    pub(super) fn take(&mut self, row: &CompactRow, is_computed: bool, names: &Interner) {
        let set = names.set(row.set);
        let session = set[place(Dimension::Session)];
        if session != NONE {
            let of = (session, set[place(Dimension::Model)], is_computed);
            self.0.entry(of).or_default().add(&spending::part(row));
        }
    }

    /// Adds to the stored sums what they lack: of a session with a bill the computed rows, which must not be computed
    /// again; of any other all rows, since a bill that is learnt later covers them, too.
    pub(super) fn write(self, conn: &Connection, ids: &mut Ids, names: &Interner) -> Result<()> {
        for ((session, model, is_computed), part) in self.0 {
            let (session, model) = (ids.label(conn, names, session)?, ids.label(conn, names, model)?);
            let has_bill = conn.prepare_cached("SELECT 1 FROM bills WHERE session = ? LIMIT 1")?.exists([session])?;
            if has_bill && !is_computed {
                continue;
            }
            let mut select = conn.prepare_cached("SELECT sums FROM spent WHERE session = ? AND model = ?")?;
            let found: Vec<String> = select.query_map([session, model], |row| row.get(0))?.collect::<Result<_>>()?;
            let mut sums = found.first().map(|fields| sums_of(fields)).transpose()?.unwrap_or_default();
            sums.add(&part);
            put_sums(conn, session, model, &sums)?;
        }
        Ok(())
    }
}

/// The stored sums by the numbers that sessions and models have in the database.
pub(super) fn all_spent(conn: &Connection) -> Result<FxHashMap<(i64, i64), Part>> {
    let mut select = conn.prepare("SELECT session, model, sums FROM spent")?;
    let mut found = select.query([])?;
    let mut sums = FxHashMap::default();
    while let Some(row) = found.next()? {
        sums.insert((row.get(0)?, row.get(1)?), sums_of(row.get_ref(2)?.as_str()?)?);
    }
    Ok(sums)
}

fn parsed(body: &str) -> Result<Bill> {
    let written: Written = serde_json::from_str(body).map_err(|_| damaged("a bill"))?;
    written.bill().map_err(|_| damaged("a bill"))
}

fn sums_of(fields: &str) -> Result<Part> {
    serde_json::from_str(fields).map(Part::from_fields).map_err(|_| damaged("the sums of a session"))
}
