//! Parts of sessions whose data points arrive in several exports.
//!
//! Exporters and collectors split what they send by size, so the points of one interval may arrive in several requests
//! or under several resources of one request. All of them belong to one part, which grows with each: the ledger keeps
//! the largest reading of a part. A point that arrives again changes nothing, however the exports are split then.

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
}

/// A data point.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Point {
    pub(super) model: String,
    /// Its token class, as the agent names it.
    pub(super) class: String,
    pub(super) tokens: u64,
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
        for (series, point) in points {
            let home = *self.homes.entry(series).or_insert(id);
            touched.insert(home);
            let piece = self.known.entry(home).or_insert_with(|| {
                self.order.push_back(home);
                Piece { at, points: BTreeMap::new() }
            });
            let known = piece.points.get(&series).map(|known| known.tokens);
            if known.is_none_or(|known| known < point.tokens) {
                piece.points.insert(series, point);
                self.has_changed = true;
            }
        }
        self.order.retain(|id| !touched.contains(id));
        self.order.extend(&touched);
        let pieces = touched.into_iter().filter_map(|id| Some((id, self.known.get(&id)?.clone()))).collect();
        self.trim();
        pieces
    }

    /// Forgets all but the latest parts. A point of a forgotten part that arrives again is a smaller reading of it.
    fn trim(&mut self) {
        while self.order.len() > KEPT || self.homes.len() > MOST {
            let Some(piece) = self.order.pop_front().and_then(|id| self.known.remove(&id)) else { break };
            piece.points.keys().for_each(|series| _ = self.homes.remove(series));
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
            self.homes.extend(piece.points.keys().map(|series| (*series, id)));
            if self.known.insert(id, piece).is_none() {
                self.order.push_back(id);
            }
        }
        self.trim();
    }
}
