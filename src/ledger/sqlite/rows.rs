//! How a row stands in the tables.

use rusqlite::types::{FromSql, FromSqlError, FromSqlResult, ToSqlOutput, Type, Value, ValueRef};
use rusqlite::{Connection, Error, Result, ToSql};

use super::ids::Ids;
use crate::domain::{CallKey, Fidelity, Geo, Instant, Service, Speed, Tier, Tokens, Usd};
use crate::ledger::names::{Names, count, index};
use crate::ledger::slim::{Booked, Rare, Slim};

/// The least id a call of this second may have; one second's ids are [`SLOTS`] in a row.
pub(super) fn first_id(second: i64) -> i64 {
    second.saturating_mul(SLOTS)
}

const SLOTS: i64 = 1 << 20;

/// Where a row is put first, and the next place when that one is taken.
pub(super) fn slots(row: &Slim) -> impl Iterator<Item = i64> {
    let [a, b, c, ..] = row.key.bytes();
    let start = i64::from(u32::from_be_bytes([0, a, b, c])) % SLOTS;
    let base = first_id(row.at.timestamp());
    (0..SLOTS).map(move |step| base + (start + step) % SLOTS)
}

/// The order in which rows lie in the table.
pub(super) fn order(row: &Slim) -> (i64, CallKey) {
    (row.at.timestamp(), row.key)
}

/// The parameters of [`super::schema::OF_KEY`].
pub(super) fn of_key(key: CallKey) -> (i64, [u8; 16]) {
    (hash(key), key.bytes())
}

fn hash(key: CallKey) -> i64 {
    key.bytes().first_chunk().map_or(0, |first| i64::from_be_bytes(*first))
}

/// A row of one of the two tables, whose columns are [`COLUMNS`].
pub(super) fn read(row: &rusqlite::Row<'_>, conn: &Connection, ids: &mut Ids, names: &mut Names) -> Result<Slim> {
    let id: i64 = row.get(0)?;
    let at = Instant::from_timestamp(id.div_euclid(SLOTS), row.get(3)?).ok_or_else(|| damaged("a time"))?;
    let mut fields = [0; 6];
    for (at, field) in fields.iter_mut().enumerate() {
        *field = row.get::<_, i64>(4 + at)?.cast_unsigned();
    }
    let (usd, saved, price): (Option<Wide>, Option<Wide>, Option<i64>) = (row.get(10)?, row.get(11)?, row.get(12)?);
    let cost = match (usd, price) {
        (None, _) => Booked::Unpriced,
        (Some(usd), None) => Booked::Quoted(Usd::from_pico(usd.0)),
        (Some(usd), Some(price)) => Booked::Priced {
            usd: Usd::from_pico(usd.0),
            saved: Usd::from_pico(saved.map_or(0, |saved| saved.0)),
            price: ids.known_price(conn, names, price)?,
        },
    };
    let (tier, fidelity) = uncharge(row.get(13)?).ok_or_else(|| damaged("a charge"))?;
    let (quoted, latency): (Option<Wide>, Option<Wide>) = (row.get(15)?, row.get(16)?);
    let mut label = |at: usize| ids.known_label(conn, names, row.get::<_, Option<i64>>(at)?.unwrap_or(0));
    let (lineage, path, machine) = (label(18)?, label(19)?, label(21)?);
    Ok(Slim {
        key: CallKey::from_bytes(row.get(1)?),
        at,
        set: ids.known_session(conn, names, row.get(2)?)?,
        path,
        offset: row.get::<_, i64>(20)?.cast_unsigned(),
        lineage,
        machine,
        alias: row.get::<_, Option<[u8; 16]>>(17)?.map(CallKey::from_bytes),
        tokens: Tokens::from_fields(fields),
        tier,
        fidelity,
        web_searches: row.get(14)?,
        rare: (quoted.is_some() || latency.is_some()).then(|| {
            Box::new(Rare {
                quoted: quoted.map(|usd| Usd::from_pico(usd.0)),
                latency: latency.map(|nanos| nanos_to_duration(nanos.0)),
            })
        }),
        cost,
    })
}

fn nanos_to_duration(nanos: i128) -> std::time::Duration {
    let nanos = nanos.cast_unsigned();
    let seconds = u64::try_from(nanos / 1_000_000_000).unwrap_or(u64::MAX);
    std::time::Duration::new(seconds, u32::try_from(nanos % 1_000_000_000).unwrap_or(0))
}

/// The table holds what it never should.
pub(super) fn damaged(what: &str) -> Error {
    Error::FromSqlConversionFailure(0, Type::Null, what.into())
}

const FIDELITIES: [Fidelity; 3] = [Fidelity::Final, Fidelity::LowerBound, Fidelity::Guessed];
const SPEEDS: [Speed; 2] = [Speed::Standard, Speed::Fast];
const SERVICES: [Service; 4] = [Service::Standard, Service::Priority, Service::Flex, Service::Batch];
const GEOS: [Geo; 3] = [Geo::Global, Geo::Us, Geo::Eu];

/// How a call was charged and how far it can be trusted, in one small number; 0 is the usual.
pub(super) fn charge(tier: Tier, fidelity: Fidelity) -> u32 {
    fn of<T: PartialEq>(all: &[T], one: &T) -> u32 {
        count(all.iter().position(|other| other == one).unwrap_or(0))
    }
    of(&FIDELITIES, &fidelity) << 12
        | of(&SPEEDS, &tier.speed) << 8
        | of(&SERVICES, &tier.service) << 4
        | of(&GEOS, &tier.geo)
}

fn uncharge(charge: u32) -> Option<(Tier, Fidelity)> {
    let part = |shift: u32| index(charge >> shift & 0xf);
    let tier = Tier { speed: *SPEEDS.get(part(8))?, service: *SERVICES.get(part(4))?, geo: *GEOS.get(part(0))? };
    Some((tier, *FIDELITIES.get(part(12))?))
}

/// A number that usually fits SQLite's integers; one that does not is sixteen bytes, the highest first.
#[derive(Clone, Copy, Debug)]
pub(super) struct Wide(pub(super) i128);

impl ToSql for Wide {
    fn to_sql(&self) -> Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Owned(match i64::try_from(self.0) {
            Ok(number) => Value::Integer(number),
            Err(_) => Value::Blob(self.0.to_be_bytes().to_vec()),
        }))
    }
}

impl FromSql for Wide {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        match value {
            ValueRef::Integer(number) => Ok(Self(number.into())),
            ValueRef::Blob(bytes) => {
                bytes.try_into().map(|bytes| Self(i128::from_be_bytes(bytes))).map_err(|_| FromSqlError::InvalidType)
            }
            ValueRef::Null | ValueRef::Real(_) | ValueRef::Text(_) => Err(FromSqlError::InvalidType),
        }
    }
}
