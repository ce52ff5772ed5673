//! Calls reported both by telemetry and by another log, and booked once.

use std::collections::BTreeMap;

use rusqlite::{OptionalExtension as _, Result};
use rustc_hash::FxHashMap;

use super::Sqlite;
use super::row_mapping::{OWN_ALIAS, key};
use crate::domain::{CallKey, Label};
use crate::ledger::LedgerError;

/// Calls that two sources reported.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Repeats {
    /// The source whose log lists the call itself.
    pub(crate) counted: Label,
    /// The source that reported it as well.
    pub(crate) repeated: Label,
    /// Number of calls.
    pub(crate) calls: u64,
}

impl Sqlite {
    /// The calls that both telemetry and another log reported, by pair of sources.
    ///
    /// # Errors
    /// When the ledger cannot be read.
    pub(crate) fn repeats(&self) -> std::result::Result<Vec<Repeats>, LedgerError> {
        self.count_repeats().map_err(|error| self.because(&error))
    }

    fn count_repeats(&self) -> Result<Vec<Repeats>> {
        let conn = &self.backing.conn;
        let mut sources: FxHashMap<i64, Label> = FxHashMap::default();
        let mut select = conn.prepare(
            "SELECT s.id, l.name FROM sessions s JOIN kinds k ON k.id = s.kind JOIN labels l ON l.id = k.source",
        )?;
        let mut found = select.query([])?;
        while let Some(row) = found.next()? {
            sources.insert(row.get(0)?, Label::new(row.get_ref(1)?.as_str()?));
        }
        let mut counts: BTreeMap<(i64, i64), u64> = BTreeMap::new();
        // The shown row may have the time and source of either. The other log's own sighting is unmerged, too.
        let mut host = conn.prepare(
            "SELECT a.session FROM calls c JOIN apart a ON a.hash = c.hash AND a.rest = c.rest WHERE c.alias = ?",
        )?;
        let mut is_shown = conn.prepare("SELECT 1 FROM calls WHERE hash = ?1 AND rest = ?2")?;
        let mut select = conn.prepare("SELECT hash, rest, session, body ->> 9, alias FROM apart")?;
        let mut found = select.query([])?;
        while let Some(row) = found.next()? {
            let halves = [row.get(0)?, row.get(1)?];
            let (key, session, charge): (CallKey, i64, u32) = (key(halves), row.get(2)?, row.get(3)?);
            let alias = row.get::<_, Option<[u8; 16]>>(4)?.map(CallKey::from_bytes);
            let alias = alias.or((charge & OWN_ALIAS != 0).then_some(key)).filter(|alias| key.is_named(*alias));
            // A telemetry row may itself show one that cannot tell its calls apart.
            if let Some(alias) = alias
                && !is_shown.exists(halves)?
                && let Some(shown) = host.query_row([alias.bytes()], |row| row.get(0)).optional()?
            {
                *counts.entry((shown, session)).or_default() += 1;
            }
        }
        let name = |session: i64| sources.get(&session).cloned().unwrap_or_else(|| Label::new("?"));
        let mut all: BTreeMap<(Label, Label), u64> = BTreeMap::new();
        for ((shown, repeated), calls) in counts {
            *all.entry((name(shown), name(repeated))).or_default() += calls;
        }
        Ok(all.into_iter().map(|((counted, repeated), calls)| Repeats { counted, repeated, calls }).collect())
    }
}
