//! Start and end of turns, as the lines and rows of a log report them.

use std::collections::BTreeMap;

use crate::domain::{Instant, Label, Record, Status, Turn, TurnStatus};

/// The latest start or end of a turn in each session, until it is reported. Nothing is reported about a prompt that
/// has been answered, because the answer itself says whether the turn goes on.
#[derive(Debug, Default)]
pub(super) struct Turns(BTreeMap<Label, (Instant, Turn)>);

impl Turns {
    /// Takes note that a turn of this session began or ended.
    pub(super) fn note(&mut self, session: &str, turn: Turn, at: Instant) {
        match self.0.get_mut(session) {
            Some(known) if known.0 > at => {}
            Some(known) => *known = (at, turn),
            None => _ = self.0.insert(Label::new(session), (at, turn)),
        }
    }

    /// Like [`Turns::note`], for lines whose order is better known than their times.
    pub(super) fn follow(&mut self, session: &str, turn: Turn, at: Instant) {
        self.0.insert(Label::new(session), (at, turn));
    }

    /// Takes note of an answer in this session.
    pub(super) fn answered(&mut self, session: &str, at: Instant) {
        if self.0.get(session).is_some_and(|(known, _)| *known <= at) {
            self.0.remove(session);
        }
    }

    /// Appends the reports.
    pub(super) fn take(&mut self, source: &Label, out: &mut Vec<Record>) {
        let report = |(session, (seen, turn))| {
            Record::Status(Status::Turn(TurnStatus { source: source.clone(), session, agent: None, turn, seen }))
        };
        out.extend(std::mem::take(&mut self.0).into_iter().map(report));
    }
}
