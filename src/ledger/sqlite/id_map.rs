//! Maps interned label and set ids to database ids.

use rusqlite::{Connection, OptionalExtension, Params, Result, Row};
use rustc_hash::FxHashMap;

use crate::domain::{Dimension, Label};
use crate::ledger::interner::{AttributeSet, DIMENSIONS, Interner, KIND, NONE, place};

/// Database ids of our interned ids. Their rows are never deleted from the database, so the cache stays valid.
#[derive(Debug, Default)]
pub struct Ids {
    labels: TwoWay,
    prices: TwoWay,
    kinds: TwoWay,
    sessions: TwoWay,
    /// Maps a set to its kind, both as interned ids.
    kind_of: FxHashMap<u32, u32>,
    /// True if the cache is complete because the database is new: anything missing needs no lookup.
    all: bool,
}

#[derive(Debug, Default)]
struct TwoWay {
    to: FxHashMap<u32, i64>,
    from: FxHashMap<i64, u32>,
}

impl TwoWay {
    fn learn(&mut self, ours: u32, theirs: i64) {
        self.to.insert(ours, theirs);
        self.from.insert(theirs, ours);
    }
}

/// The set without the dimensions that are stored per session.
fn without_session(mut set: AttributeSet) -> AttributeSet {
    set[place(Dimension::Session)] = NONE;
    set[place(Dimension::Agent)] = NONE;
    set[place(Dimension::Branch)] = NONE;
    set
}

impl Ids {
    /// For a new database.
    pub(super) fn of_new_books() -> Self {
        Self { all: true, ..Self::default() }
    }

    /// The database id of a label, inserted if missing.
    pub(super) fn label(&mut self, conn: &Connection, names: &Interner, ours: u32) -> Result<i64> {
        let statements = ["SELECT id FROM labels WHERE name = ?", "INSERT INTO labels(name) VALUES(?)"];
        name_id(&mut self.labels, conn, names, ours, statements, self.all)
    }

    /// The database id of a label, if it is stored.
    pub(super) fn stored_label(&mut self, conn: &Connection, names: &Interner, ours: u32) -> Result<Option<i64>> {
        if let Some(id) = self.labels.to.get(&ours) {
            return Ok(Some(*id));
        }
        let name = names.label(ours).map_or("", Label::as_str);
        let id: Option<i64> = find_id(self.all, conn, "SELECT id FROM labels WHERE name = ?", [name])?;
        if let Some(id) = id {
            self.labels.learn(ours, id);
        }
        Ok(id)
    }

    /// The database id of a price, inserted if missing.
    pub(super) fn price(&mut self, conn: &Connection, names: &Interner, ours: u32) -> Result<i64> {
        let statements = ["SELECT id FROM prices WHERE name = ?", "INSERT INTO prices(name) VALUES(?)"];
        name_id(&mut self.prices, conn, names, ours, statements, self.all)
    }

    /// The kind of a set, as an interned id.
    pub(super) fn kind_of(&mut self, names: &mut Interner, set: u32) -> u32 {
        *self.kind_of.entry(set).or_insert_with(|| names.set_number(without_session(*names.set(set))))
    }

    /// The database id of a kind, inserted if missing.
    pub(super) fn kind(&mut self, conn: &Connection, names: &mut Interner, kind: u32) -> Result<i64> {
        if let Some(id) = self.kinds.to.get(&kind) {
            return Ok(*id);
        }
        let set = *names.set(kind);
        let mut ids = [0; KIND.len()];
        for (id, dimension) in ids.iter_mut().zip(KIND) {
            *id = self.label(conn, names, set[place(dimension)])?;
        }
        let find = "SELECT id FROM kinds WHERE model = ? AND source = ? AND user = ? AND project = ? AND team = ? \
                    AND feature = ? AND org = ?";
        let id = match find_id(self.all, conn, find, ids)? {
            Some(id) => id,
            None => {
                conn.prepare_cached(
                    "INSERT INTO kinds(model, source, user, project, team, feature, org) VALUES(?, ?, ?, ?, ?, ?, ?)",
                )?
                .execute(ids)?;
                conn.last_insert_rowid()
            }
        };
        self.kinds.learn(kind, id);
        Ok(id)
    }

    /// The database id of a set, inserted if missing.
    pub(super) fn session(&mut self, conn: &Connection, names: &mut Interner, set: u32) -> Result<i64> {
        if let Some(id) = self.sessions.to.get(&set) {
            return Ok(*id);
        }
        let kind = self.kind_of(names, set);
        let kind = self.kind(conn, names, kind)?;
        let labels = *names.set(set);
        let session = self.label(conn, names, labels[place(Dimension::Session)])?;
        let agent = self.label(conn, names, labels[place(Dimension::Agent)])?;
        let branch = self.label(conn, names, labels[place(Dimension::Branch)])?;
        let find = "SELECT id FROM sessions WHERE session = ? AND agent = ? AND kind = ? AND branch = ?";
        let id = match find_id(self.all, conn, find, [session, agent, kind, branch])? {
            Some(id) => id,
            None => {
                conn.prepare_cached("INSERT INTO sessions(session, agent, kind, branch) VALUES(?, ?, ?, ?)")?
                    .execute([session, agent, kind, branch])?;
                conn.last_insert_rowid()
            }
        };
        self.sessions.learn(set, id);
        Ok(id)
    }

    /// The interned id of a label's database id.
    pub(super) fn known_label(&mut self, conn: &Connection, names: &mut Interner, id: i64) -> Result<u32> {
        known_name(&mut self.labels, conn, names, id, "SELECT name FROM labels WHERE id = ?")
    }

    /// The interned id of a price's database id.
    pub(super) fn known_price(&mut self, conn: &Connection, names: &mut Interner, id: i64) -> Result<u32> {
        known_name(&mut self.prices, conn, names, id, "SELECT name FROM prices WHERE id = ?")
    }

    /// The interned id of a kind's database id.
    pub(super) fn known_kind(&mut self, conn: &Connection, names: &mut Interner, id: i64) -> Result<u32> {
        if let Some(kind) = self.kinds.from.get(&id) {
            return Ok(*kind);
        }
        let mut find =
            conn.prepare_cached("SELECT id, model, source, user, project, team, feature, org FROM kinds WHERE id = ?")?;
        find.query_row([id], |row| self.learn_kind(conn, names, row))
    }

    /// Interns a kind from its row in `kinds`: id, then the dimensions in order.
    pub(super) fn learn_kind(&mut self, conn: &Connection, names: &mut Interner, row: &Row<'_>) -> Result<u32> {
        let id = row.get(0)?;
        if let Some(kind) = self.kinds.from.get(&id) {
            return Ok(*kind);
        }
        let mut ids = [0_i64; KIND.len()];
        for (at, id) in ids.iter_mut().enumerate() {
            *id = row.get(at + 1)?;
        }
        let mut set = [NONE; DIMENSIONS];
        for (id, dimension) in ids.into_iter().zip(KIND) {
            set[place(dimension)] = self.known_label(conn, names, id)?;
        }
        let kind = names.set_number(set);
        self.kinds.learn(kind, id);
        Ok(kind)
    }

    /// The interned id of a kind's database id, if cached.
    pub(super) fn cached_kind(&self, id: i64) -> Option<u32> {
        self.kinds.from.get(&id).copied()
    }

    /// The interned id of a set's database id, if cached.
    pub(super) fn cached_session(&self, id: i64) -> Option<u32> {
        self.sessions.from.get(&id).copied()
    }

    /// The interned id of a set's database id.
    pub(super) fn known_session(&mut self, conn: &Connection, names: &mut Interner, id: i64) -> Result<u32> {
        if let Some(set) = self.cached_session(id) {
            return Ok(set);
        }
        let mut find = conn.prepare_cached("SELECT kind, session, agent, branch FROM sessions WHERE id = ?")?;
        let row = find.query_row([id], |row| Ok([id, row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?]))?;
        self.learn_session(conn, names, row)
    }

    /// Interns a set from its row in `sessions`: id, kind, session, agent, branch.
    pub(super) fn learn_session(&mut self, conn: &Connection, names: &mut Interner, row: [i64; 5]) -> Result<u32> {
        let [id, kind, session, agent, branch] = row;
        if let Some(set) = self.cached_session(id) {
            return Ok(set);
        }
        let kind = self.known_kind(conn, names, kind)?;
        let mut set = *names.set(kind);
        set[place(Dimension::Session)] = self.known_label(conn, names, session)?;
        set[place(Dimension::Agent)] = self.known_label(conn, names, agent)?;
        set[place(Dimension::Branch)] = self.known_label(conn, names, branch)?;
        let set = names.set_number(set);
        self.kind_of.insert(set, kind);
        self.sessions.learn(set, id);
        Ok(set)
    }

    /// The database id of an optional label.
    pub(super) fn optional(&mut self, conn: &Connection, names: &Interner, ours: u32) -> Result<Option<i64>> {
        if ours == NONE { Ok(None) } else { self.label(conn, names, ours).map(Some) }
    }
}

/// Looks up a database id. Returns `None` without a query if the cache is complete.
fn find_id(all: bool, conn: &Connection, find: &str, what: impl Params) -> Result<Option<i64>> {
    if all {
        return Ok(None);
    }
    conn.prepare_cached(find)?.query_row(what, |row| row.get(0)).optional()
}

fn name_id(
    ids: &mut TwoWay,
    conn: &Connection,
    names: &Interner,
    ours: u32,
    [find, add]: [&str; 2],
    all: bool,
) -> Result<i64> {
    if ours == NONE {
        return Ok(0);
    }
    if let Some(id) = ids.to.get(&ours) {
        return Ok(*id);
    }
    let name = names.label(ours).map_or("", Label::as_str);
    let id = match find_id(all, conn, find, [name])? {
        Some(id) => id,
        None => {
            conn.prepare_cached(add)?.execute([name])?;
            conn.last_insert_rowid()
        }
    };
    ids.learn(ours, id);
    Ok(id)
}

fn known_name(ids: &mut TwoWay, conn: &Connection, names: &mut Interner, id: i64, find: &str) -> Result<u32> {
    if id == 0 {
        return Ok(NONE);
    }
    if let Some(ours) = ids.from.get(&id) {
        return Ok(*ours);
    }
    let name = conn.prepare_cached(find)?.query_row([id], |row| Ok(Label::new(row.get_ref(0)?.as_str()?)))?;
    let ours = names.number(Some(&name));
    ids.learn(ours, id);
    Ok(ours)
}
