//! Sessions that an import restored after they were pruned, and the usage that a session still lacks.

use std::collections::BTreeMap;

use rustc_hash::FxHashSet;

use super::bills::row_keys;
use super::interner::{Interner, place};
use super::key_value::{Fact, FactKind};
use super::spending::{Part, part, session_of};
use super::store::{Store, Stored, Table};
use crate::domain::{CallKey, Dimension, Instant, rfc3339};

/// The time before which calls of a session were pruned and not restored.
pub(super) fn horizon_of(store: &impl Store, names: &Interner, session: u32) -> Stored<Option<Instant>> {
    let Some(horizon) = store.horizon()? else { return Ok(None) };
    let Some(label) = names.label(session) else { return Ok(Some(horizon)) };
    Ok(store.fact(FactKind::RestoredSession, label)?.map_or(Some(horizon), |fact| time(&fact)))
}

/// Stores the time of [`horizon_of`].
pub(super) fn set_horizon_of(
    store: &impl Store,
    names: &Interner,
    session: u32,
    horizon: Option<Instant>,
) -> Stored<()> {
    let Some(label) = names.label(session) else { return Ok(()) };
    store.put_fact(FactKind::RestoredSession, label, Some(&fact(horizon)))
}

/// Called after a prune: restored calls before this time are gone again. `horizon` is the new one of all sessions.
pub(super) fn prune(store: &impl Store, before: Instant, horizon: Instant) -> Stored<()> {
    for (session, known) in store.facts(FactKind::RestoredSession, "")? {
        let own = time(&known).map_or(before, |own| own.max(before));
        store.put_fact(FactKind::RestoredSession, &session, (own < horizon).then(|| fact(Some(own))).as_ref())?;
    }
    Ok(())
}

fn fact(horizon: Option<Instant>) -> Fact {
    Fact { at: Instant::default(), value: horizon.map(rfc3339).unwrap_or_default() }
}

/// The time in a fact; `None` when everything was restored.
fn time(fact: &Fact) -> Option<Instant> {
    chrono::DateTime::parse_from_rfc3339(&fact.value).ok().map(Instant::from)
}

/// The sums of a session's pruned calls by model, as stored: what its sums have beyond its rows.
pub(super) fn missing<S: Store>(
    store: &S,
    names: &mut Interner,
    ids: &mut S::Ids,
    session: u32,
) -> Stored<BTreeMap<u32, Part>> {
    let mut missing: BTreeMap<u32, Part> = store.spent(names, ids, session)?.into_iter().collect();
    let bills = store.bills(names, ids, session)?;
    if !bills.is_empty() && missing.values().any(|part| *part != Part::default()) {
        let computed: FxHashSet<CallKey> = bills.iter().flat_map(row_keys).collect();
        for key in store.keys_by_session(names, ids, session)? {
            let row = store.row(names, ids, Table::Shown, key)?;
            let Some(row) = row.filter(|row| !computed.contains(&row.key)) else { continue };
            if session_of(&row, names) == session {
                missing.entry(names.set(row.set)[place(Dimension::Model)]).or_default().sub(&part(&row));
            }
        }
    }
    missing.retain(|_, part| *part != Part::default());
    Ok(missing)
}
