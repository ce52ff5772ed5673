//! Parts of sessions whose data points arrive in several exports.
//!
//! Exporters and collectors split what they send by size, so the points of one interval may arrive in several requests
//! or under several resources of one request. All of them belong to one part, which grows with each: the ledger keeps
//! the largest reading of a part. A point that arrives again changes nothing, however the exports are split then.
//!
//! A sum whose start is unknown, or stays the same, falls when its process restarts. Whatever is later than that
//! belongs to a new part. An old point that arrives again is earlier than the one that is known.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use rustc_hash::FxHashMap;
use serde::{Deserialize, Serialize};

use crate::domain::{CallKey, Instant};

/// Number of parts remembered. The exports of one interval follow each other closely.
const KEPT: usize = 64;
/// Number of points remembered in all of them.
const MOST: usize = 1024;

/// The last parts of sessions, with their points.
#[derive(Debug, Default)]
pub(super) struct Pieces {
    known: FxHashMap<CallKey, Piece>,
    /// The part of each point.
    homes: FxHashMap<u64, CallKey>,
    /// The least recently changed part first.
    order: VecDeque<CallKey>,
    has_changed: bool,
}

/// A part of a session.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Piece {
    /// Time of its first reading.
    pub(super) at: Option<Instant>,
    /// Its points by their series and interval.
    pub(super) points: BTreeMap<u64, Point>,
    /// Where the sums fell: the time in nanoseconds since 1970 at which this part begins, and the part before it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    before: Option<(i64, [u8; 16])>,
    /// The part that begins where these sums fell.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    next: Option<[u8; 16]>,
}

/// A data point.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Point {
    pub(super) model: String,
    /// Its token class, as the agent names it.
    pub(super) class: String,
    pub(super) tokens: u64,
    /// Its latest time in nanoseconds since 1970; 0 if unknown.
    #[serde(default)]
    pub(super) time: i64,
}

impl Point {
    /// True for a later reading of a sum that is smaller than before.
    fn has_fallen_from(&self, known: &Self) -> bool {
        known.time != 0 && self.time > known.time && self.tokens < known.tokens
    }
}

impl Pieces {
    /// Adds an export's points to the parts that have them, and new points to the part `id`. Returns the parts.
    pub(super) fn add(
        &mut self,
        id: CallKey,
        at: Option<Instant>,
        points: BTreeMap<u64, Point>,
    ) -> Vec<(CallKey, Piece)> {
        let mut touched = BTreeSet::new();
        // A process that restarts resets all its sums. Some may already be larger than before.
        for (series, point) in &points {
            if let Some(home) = self.home(*series, id, point.time)
                && let Some(known) = self.known.get(&home).and_then(|piece| piece.points.get(series))
                && point.has_fallen_from(known)
            {
                self.start_part(home, point.time);
            }
        }
        for (series, point) in points {
            let Some(home) = self.home(series, id, point.time) else { continue };
            touched.insert(home);
            let piece = self.known.entry(home).or_insert_with(|| {
                self.order.push_back(home);
                Piece { at, ..Piece::default() }
            });
            let is_latest = piece.next.is_none();
            match piece.points.get_mut(&series) {
                Some(known) if known.tokens < point.tokens => {
                    *known = Point { time: known.time.max(point.time), ..point };
                    self.has_changed = true;
                }
                // Not worth writing the state for.
                Some(known) => known.time = known.time.max(point.time),
                None => {
                    piece.points.insert(series, point);
                    self.has_changed = true;
                }
            }
            if is_latest || !self.homes.contains_key(&series) {
                self.homes.insert(series, home);
            }
        }
        self.order.retain(|id| !touched.contains(id));
        self.order.extend(&touched);
        let pieces = touched.into_iter().filter_map(|id| Some((id, self.known.get(&id)?.clone()))).collect();
        self.trim();
        pieces
    }

    /// The part to which a point of this series and time belongs: that of the series, or else the one given, or one of
    /// those before and after it. `None` for a point of a part that is forgotten.
    fn home(&self, series: u64, id: CallKey, time: i64) -> Option<CallKey> {
        let mut home = *self.homes.get(&series).unwrap_or(&id);
        for _ in 0..=KEPT {
            let Some(piece) = self.known.get(&home) else { return Some(home) };
            let next = piece.next.map(CallKey::from_bytes);
            let begins = |id: &CallKey| self.known.get(id)?.before.map(|(begins, _)| begins);
            match (piece.before, next) {
                (Some((begins, before)), _) if time < begins => {
                    home = Some(CallKey::from_bytes(before)).filter(|before| self.known.contains_key(before))?;
                }
                (_, Some(next)) if begins(&next).is_some_and(|begins| time >= begins) => home = next,
                (_, _) => return Some(home),
            }
        }
        None
    }

    /// Begins the part after this one, or moves its beginning to this earlier time.
    fn start_part(&mut self, home: CallKey, time: i64) {
        let Some(piece) = self.known.get_mut(&home) else { return };
        self.has_changed = true;
        let own = CallKey::from_parts(&[b"metric again".as_slice(), &home.bytes(), &time.to_le_bytes()]);
        let next = CallKey::from_bytes(*piece.next.get_or_insert(own.bytes()));
        let (order, at) = (&mut self.order, Some(Instant::from_timestamp_nanos(time)));
        let next = self.known.entry(next).or_insert_with(|| {
            order.push_back(next);
            Piece { at, before: Some((time, home.bytes())), ..Piece::default() }
        });
        next.before = next.before.map(|(begins, before)| (begins.min(time), before));
    }

    /// Forgets all but the latest parts. A point of a forgotten part that arrives again is a smaller reading of it.
    fn trim(&mut self) {
        while self.order.len() > KEPT || self.homes.len() > MOST {
            let Some(id) = self.order.pop_front() else { break };
            let Some(piece) = self.known.remove(&id) else { continue };
            for series in piece.points.keys() {
                // It may go on in a later part.
                if self.homes.get(series) == Some(&id) {
                    self.homes.remove(series);
                }
            }
        }
    }

    /// True if something has changed since the last call.
    pub(super) fn changed(&mut self) -> bool {
        std::mem::take(&mut self.has_changed)
    }

    /// The state for [`Pieces::restore`].
    pub(super) fn state(&self) -> Vec<([u8; 16], &Piece)> {
        self.order.iter().filter_map(|id| Some((id.bytes(), self.known.get(id)?))).collect()
    }

    /// Restores the output of [`Pieces::state`].
    pub(super) fn restore(&mut self, state: Vec<([u8; 16], Piece)>) {
        *self = Self::default();
        for (id, piece) in state {
            let id = CallKey::from_bytes(id);
            // The later part comes later: it was changed last.
            let is_latest = piece.next.is_none();
            for series in piece.points.keys() {
                if is_latest || !self.homes.contains_key(series) {
                    self.homes.insert(*series, id);
                }
            }
            if self.known.insert(id, piece).is_none() {
                self.order.push_back(id);
            }
        }
        self.trim();
    }
}
