//! Maps rows to table columns.

use rusqlite::{Connection, Result};

use super::id_map::Ids;
use super::row_codec::{Body, RareFields, damaged};
use crate::domain::{CallKey, Claim, Fidelity, Geo, Instant, Service, Speed, Tier, Usd};
use crate::ledger::compact_row::{CompactRow, Rare, RowCost};
use crate::ledger::interner::{Interner, count, index};

/// The smallest row id for this second. Each second has [`SLOTS`] ids.
pub(super) fn first_id(second: i64) -> i64 {
    second.saturating_mul(SLOTS)
}

const SLOTS: i64 = 1 << 20;

/// The possible ids of a row, in order of preference.
pub(super) fn slots(row: &CompactRow) -> impl Iterator<Item = i64> {
    let [a, b, c, ..] = row.key.bytes();
    let start = i64::from(u32::from_be_bytes([0, a, b, c])) % SLOTS;
    let base = first_id(row.at.timestamp());
    (0..SLOTS).map(move |step| base + (start + step) % SLOTS)
}

/// Sort key of rows in the table.
pub(super) fn order(row: &CompactRow) -> (i64, CallKey) {
    (row.at.timestamp(), row.key)
}

/// A key as two integers, the parameters of [`super::schema::OF_KEY`]. An integer index is built in half the time.
pub(super) fn of_key(key: CallKey) -> [i64; 2] {
    let bytes = key.bytes();
    let (halves, _) = bytes.as_chunks::<8>();
    [i64::from_be_bytes(halves[0]), i64::from_be_bytes(halves[1])]
}

/// Converts two integers back to a key.
pub(super) fn key([hash, rest]: [i64; 2]) -> CallKey {
    let whole = u128::from(hash.cast_unsigned()) << 64 | u128::from(rest.cast_unsigned());
    CallKey::from_bytes(whole.to_be_bytes())
}

/// Reads a row of `calls` or `apart`, selected with [`super::schema::COLUMNS`].
pub(super) fn read(
    row: &rusqlite::Row<'_>,
    conn: &Connection,
    ids: &mut Ids,
    names: &mut Interner,
) -> Result<CompactRow> {
    let body = Body::read(row.get_ref(6)?.as_bytes()?)?;
    let tail = row.get_ref(8)?.as_bytes_or_null()?.map(RareFields::read).transpose()?.unwrap_or_default();
    let second = row.get::<_, i64>(0)?.div_euclid(SLOTS);
    let cost = match (body.usd, row.get(4)?) {
        (None, _) => RowCost::Unpriced,
        (Some(usd), None) => RowCost::Quoted(Usd::from_pico(usd)),
        (Some(usd), Some(price)) => RowCost::Priced {
            usd: Usd::from_pico(usd),
            saved: Usd::from_pico(body.saved.unwrap_or_default()),
            price: ids.known_price(conn, names, price)?,
            is_guessed: has_guessed_price(body.charge),
        },
    };
    let (tier, fidelity, claim) = uncharge(body.charge).ok_or_else(|| damaged("a charge"))?;
    let key = key([row.get(1)?, row.get(2)?]);
    let alias = row.get::<_, Option<[u8; 16]>>(7)?.map(CallKey::from_bytes);
    Ok(CompactRow {
        key,
        at: Instant::from_timestamp(second, body.ns).ok_or_else(|| damaged("a time"))?,
        set: ids.known_session(conn, names, row.get(3)?)?,
        path: ids.known_label(conn, names, body.path)?,
        folder: ids.known_label(conn, names, tail.folder)?,
        offset: body.offset,
        lineage: ids.known_label(conn, names, row.get::<_, Option<i64>>(5)?.unwrap_or(0))?,
        machine: ids.known_label(conn, names, tail.machine)?,
        alias: alias.or((body.charge & OWN_ALIAS != 0).then_some(key)),
        tokens: body.tokens,
        tier,
        fidelity,
        claim,
        booked: true,
        ends_turn: body.charge & ENDS_TURN != 0,
        web_searches: tail.web_searches,
        rare: Rare::from_parts(tail.quoted.map(Usd::from_pico), tail.latency.map(nanos_to_duration), tail.parts),
        cost,
    })
}

/// A row's time, from its id and its body.
pub(super) fn moment(row: &rusqlite::Row<'_>) -> Result<Instant> {
    let (second, body) = (row.get::<_, i64>(0)?.div_euclid(SLOTS), Body::read(row.get_ref(1)?.as_bytes()?)?);
    Instant::from_timestamp(second, body.ns).ok_or_else(|| damaged("a time"))
}

fn nanos_to_duration(nanos: i128) -> std::time::Duration {
    let nanos = nanos.cast_unsigned();
    let seconds = u64::try_from(nanos / 1_000_000_000).unwrap_or(u64::MAX);
    std::time::Duration::new(seconds, u32::try_from(nanos % 1_000_000_000).unwrap_or(0))
}

const SPEEDS: [Speed; 2] = [Speed::Standard, Speed::Fast];
/// Append only: rows store an index into this list.
const SERVICES: [Service; 7] = [
    Service::Standard,
    Service::Priority,
    Service::Flex,
    Service::Batch,
    Service::Ultrafast,
    Service::Balanced,
    Service::Unknown,
];
const GEOS: [Geo; 3] = [Geo::Global, Geo::Us, Geo::Eu];
const CLAIMS: [Claim; 5] = [Claim::Own, Claim::Copy, Claim::Parent, Claim::Maker, Claim::Unchecked];

/// Bit set when a row's price is a guess.
const GUESSED_PRICE: u32 = 1 << 20;
/// Bit set when a row's alias is its own key. Nobody searches for it by that alias, so the index does not need it.
pub(super) const OWN_ALIAS: u32 = 1 << 21;
/// Bit set when the call ends its turn.
pub(super) const ENDS_TURN: u32 = 1 << 22;

/// Packs tier, fidelity, claim and price guess into one integer, which is 0 in the most common case.
pub(super) fn charge(tier: Tier, fidelity: Fidelity, claim: Claim, is_price_guessed: bool) -> u32 {
    fn position_of<T: PartialEq>(all: &[T], one: &T) -> u32 {
        count(all.iter().position(|other| other == one).unwrap_or(0))
    }
    (if is_price_guessed { GUESSED_PRICE } else { 0 })
        | position_of(&CLAIMS, &claim) << 16
        | place_of(fidelity) << 12
        | position_of(&SPEEDS, &tier.speed) << 8
        | position_of(&SERVICES, &tier.service) << 4
        | position_of(&GEOS, &tier.geo)
}

fn place_of(fidelity: Fidelity) -> u32 {
    count(Fidelity::STORED.iter().position(|(stored, _)| *stored == fidelity).unwrap_or(0))
}

fn has_guessed_price(charge: u32) -> bool {
    charge & GUESSED_PRICE != 0
}

fn uncharge(charge: u32) -> Option<(Tier, Fidelity, Claim)> {
    let part = |shift: u32| index(charge >> shift & 0xf);
    let tier = Tier { speed: *SPEEDS.get(part(8))?, service: *SERVICES.get(part(4))?, geo: *GEOS.get(part(0))? };
    Some((tier, Fidelity::STORED.get(part(12))?.0, *CLAIMS.get(part(16))?))
}
