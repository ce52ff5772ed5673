//! State of a Codex thread while its rollout is read, and the meaning of a line in that state.

use serde::{Deserialize, Serialize};

use super::codex_line::{Line, Payload};
use super::codex_usage::Totals;
use crate::domain::{Label, Record};

/// State gathered from the lines read so far.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Thread {
    /// The thread.
    pub(super) own: Option<String>,
    /// The root of the session it belongs to, where that is another thread.
    pub(super) root: Option<String>,
    /// Whether the thread descends from another.
    pub(super) descends: bool,
    /// The sub-agent's name, in a sub-agent's rollout.
    pub(super) agent: Option<String>,
    pub(super) cwd: Option<String>,
    pub(super) model: Option<String>,
    pub(super) service_tier: Option<String>,
    /// The last running totals.
    pub(super) before: Option<Totals>,
    /// Answers were recorded one by one since the running totals grew last.
    pub(super) recorded: bool,
    /// The last answer that was recorded.
    pub(super) response: Option<String>,
    /// A call was made of which no line holds the counts.
    pub(super) unlogged: bool,
    /// A call of this thread has been counted.
    pub(super) begun: bool,
}

impl Thread {
    /// A line describes the thread, describes it again, or, copied along with its history, an ancestor.
    pub(super) fn describe(&mut self, line: &Line<'_>, out: &mut Vec<Record>) {
        let payload = &line.payload;
        let Some(id) = line.thread() else { return };
        if self.own.is_none() {
            self.own = Some(id.to_owned());
            self.root = line.root().map(str::to_owned);
            self.agent = line.agent().map(str::to_owned);
            self.cwd = payload.cwd.get().map(str::to_owned);
            self.model = payload.model.get().map(str::to_owned);
        }
        let own = self.own.as_deref().unwrap_or(id);
        let copied = (own, id);
        let named = line.parents().map(|parent| (id, parent));
        for (child, parent) in std::iter::once(copied).chain(named).filter(|(child, parent)| child != parent) {
            self.descends = true;
            let descends = Record::Descends { child: Label::new(child), parent: Label::new(parent) };
            if !out.contains(&descends) {
                out.push(descends);
            }
        }
    }

    pub(super) fn turn(&mut self, payload: &Payload<'_>) {
        for (now, said) in [(&mut self.model, payload.model.get()), (&mut self.cwd, payload.cwd.get())] {
            if let Some(said) = said.filter(|said| now.as_deref() != Some(said)) {
                *now = Some(said.to_owned());
            }
        }
    }

    /// New settings, all of them: without a tier the usual one holds again.
    pub(super) fn set(&mut self, payload: &Payload<'_>) {
        if payload.thread.get().is_some_and(|thread| self.own.as_deref().is_some_and(|own| own != thread)) {
            return;
        }
        let settings = &payload.settings;
        if let Some(model) = settings.model.get() {
            self.model = Some(model.to_owned());
        }
        self.service_tier = settings.service_tier.get().map(str::to_owned);
    }

    /// The history was compacted. Codex itself writes the summary in clear, and the totals hold its request; what
    /// the service compacted has no clear text, and its request is in the totals of no version (measured on 0.142.5
    /// to 0.171.0, 2026-11-26): only a record holds it.
    pub(super) fn compact(&mut self, payload: &Payload<'_>) {
        let is_recorded = std::mem::take(&mut self.recorded)
            || payload.compacted_by.get().is_some_and(|id| self.response.as_deref() == Some(id));
        self.unlogged |= payload.message.get().is_none() && !is_recorded;
    }

    /// A turn was aborted. Where answers are recorded one by one, the one that was under way is recorded nowhere, and
    /// billed (a sub-agent that its parent's exit ended, measured on 0.156.1 to 0.171.0, 2026-11-26); while tools run,
    /// none is under way. Running totals alone grow by it later (see `interrupted.jsonl` among the samples).
    pub(super) fn abort(&mut self) {
        self.unlogged |= self.response.is_some() && !self.recorded;
    }

    /// True when these totals, the first in this file, go on from those of another file.
    pub(super) fn continues(&self, now: Totals, last: Totals) -> bool {
        self.before.is_none() && self.descends && now.sum() > last.sum() && last.sum() > 0
    }

    /// Difference between these totals and the last ones of this file.
    pub(super) fn added(&mut self, now: Totals, last: Totals) -> Totals {
        let continues = self.continues(now, last);
        match self.before.replace(now) {
            Some(before) => now.since(before),
            None if continues => last,
            None => now,
        }
    }
}
