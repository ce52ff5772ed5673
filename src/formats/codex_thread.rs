//! State of a Codex thread while its rollout is read, and how lines change it.

use serde::{Deserialize, Serialize};

use super::branch::branch_name;
use super::codex_line::{Line, Payload};
use super::codex_usage::Totals;
use crate::domain::{Label, Record, Turn};

/// Name under which `codex exec` writes its rollouts.
const EXEC: &str = "codex_exec";

/// State collected from the lines read so far.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Thread {
    /// Thread id.
    pub(super) own: Option<String>,
    /// The root of its session, if that is another thread.
    pub(super) root: Option<String>,
    /// True if the thread descends from another one.
    pub(super) descends: bool,
    /// Name of the sub-agent, in a sub-agent's rollout.
    pub(super) agent: Option<String>,
    pub(super) cwd: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) branch: Option<String>,
    pub(super) model: Option<String>,
    pub(super) service_tier: Option<String>,
    /// Context size of the model, in tokens.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) context_size: Option<u64>,
    /// Latest running totals.
    pub(super) before: Option<Totals>,
    /// True if answers were recorded individually since the running totals last grew.
    pub(super) recorded: bool,
    /// Id of the last answer recorded.
    pub(super) response: Option<String>,
    /// True if a call was made whose counts are in no line.
    pub(super) unlogged: bool,
    /// True if a call of this thread has been counted.
    pub(super) begun: bool,
    /// True if `codex exec` made it, whose process ends with its turn.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    is_exec: bool,
    /// True if it has begun a turn.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    has_turned: bool,
}

impl Thread {
    /// Handles a line that describes the thread, repeats its description or, if it was copied with the history,
    /// describes an ancestor.
    pub(super) fn describe(&mut self, line: &Line<'_>, out: &mut Vec<Record>) {
        let payload = &line.payload;
        let Some(id) = line.thread() else { return };
        if self.own.is_none() {
            self.own = Some(id.to_owned());
            self.root = line.root().map(str::to_owned);
            self.agent = line.agent().map(str::to_owned);
            self.cwd = payload.cwd.get().map(str::to_owned);
            self.branch = branch_name(payload.git.branch.get()).map(str::to_owned);
            self.model = payload.model.get().map(str::to_owned);
            self.is_exec = payload.originator.get() == Some(EXEC);
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

    /// Reads the context size in a `token_count`.
    pub(super) fn size(&mut self, payload: &Payload<'_>) {
        let size = payload.info.context.total("model_context_window").ok().filter(|size| *size > 0);
        self.context_size = size.or(self.context_size);
    }

    pub(super) fn turn(&mut self, payload: &Payload<'_>) {
        for (now, named) in [(&mut self.model, payload.model.get()), (&mut self.cwd, payload.cwd.get())] {
            if let Some(named) = named.filter(|named| now.as_deref() != Some(named)) {
                *now = Some(named.to_owned());
            }
        }
    }

    /// Replaces all settings. Without a tier, the standard tier applies.
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

    /// Handles a compaction of the history. If Codex writes the summary itself, it is in plain text, and the totals
    /// include its request. A summary by the service has no plain text, and in no version do the totals include its
    /// request (measured on 0.142.5 to 0.171.0, 2026-11-26): only a record has it.
    pub(super) fn compact(&mut self, payload: &Payload<'_>) {
        let is_recorded = std::mem::take(&mut self.recorded)
            || payload.compacted_by.get().is_some_and(|id| self.response.as_deref() == Some(id));
        self.unlogged |= payload.message.get().is_none() && !is_recorded;
    }

    /// Called when a turn begins. If it is not the first turn of a thread that `codex exec` made, the thread has been
    /// resumed, and nothing says by which program.
    pub(super) fn begin_turn(&mut self) {
        self.is_exec &= !self.has_turned;
        self.has_turned = true;
    }

    /// What the end of a turn means for the thread.
    pub(super) fn turn_end(&self) -> Turn {
        if self.is_exec { Turn::Closed } else { Turn::Ended }
    }

    /// Handles an aborted turn. Where answers are recorded individually, the one in progress is billed but not recorded
    /// (a sub-agent ended by its parent's exit, measured on 0.156.1 to 0.171.0, 2026-11-26). While tools run, no answer
    /// is in progress. If there are only running totals, they include it later (see `interrupted.jsonl` in the
    /// samples).
    pub(super) fn abort(&mut self) {
        self.unlogged |= self.response.is_some() && !self.recorded;
    }

    /// True when these totals, the first in this file, continue those in another file.
    pub(super) fn continues(&self, now: Totals, last: Totals) -> bool {
        self.before.is_none() && self.descends && now.sum() > last.sum() && last.sum() > 0
    }

    /// Difference between these totals and the previous ones in this file.
    pub(super) fn added(&mut self, now: Totals, last: Totals) -> Totals {
        let continues = self.continues(now, last);
        match self.before.replace(now) {
            Some(before) => now.since(before),
            None if continues => last,
            None => now,
        }
    }
}
