//! CodeWhale's sessions (formerly DeepSeek TUI): `~/.codewhale/sessions/<session>.json`, one document each, rewritten
//! in place. Older ones are in `~/.deepseek/sessions`.
//!
//! Based on the agent's source (`Hmbown/CodeWhale`, `session_manager.rs`, read 2026-11-26): `metadata.total_tokens` is
//! the sum of all tokens of a session, and no document splits it. `metadata.cost` has the agent's own estimate in
//! dollars, with that of sub-agents separate. So a session is a running total whose tokens all count as input and are
//! a guess; its logged cost is better than any that could be computed from its tokens. It is dated by
//! `metadata.updated_at`, which the agent sets with each save. A forked session starts with its parent's total, which
//! is not subtracted, because the parent's document may have grown since. The agent keeps only the 50 newest sessions;
//! the ledger keeps the others.

use super::answers::{CallBuilder, Where};
use super::count::Count;
use super::exactness::Exactness;
use super::fields::{Slot, fields};
use super::json::{self, Money, Text};
use super::running::dated;
use super::time::Stamp;
use super::{BadLine, Env, Format, Framing, Location, Origin, Reader, Reading};
use crate::domain::{Billed, Record, Tokens, Usd};

/// CodeWhale's sessions.
pub(super) struct CodeWhale;

const NAME: &str = "codewhale";

impl Format for CodeWhale {
    fn name(&self) -> &'static str {
        NAME
    }
    fn fidelity(&self) -> &'static [Exactness] {
        &[Exactness::Totals, Exactness::Cost, Exactness::Estimates]
    }
    fn gaps(&self) -> &'static str {
        "the split of a session's tokens, and single calls: one total, dated by when it grew"
    }
    fn locations(&self, env: &Env<'_>) -> Vec<Location> {
        [".codewhale/sessions", ".deepseek/sessions"]
            .into_iter()
            .filter_map(|home| env.home(home))
            .map(Location::flat)
            .collect()
    }
    fn framing(&self, name: &[u8]) -> Option<Framing> {
        name.ends_with(b".json").then_some(Framing::Document)
    }
    fn is_known_by_place(&self) -> bool {
        true
    }
    fn reader(&self) -> Box<dyn Reader> {
        Box::new(Sessions(CallBuilder::new(NAME)))
    }
}

fields! {
    Session {
        about: About<'a> = "metadata",
    }
}

fields! {
    /// Metadata of a session.
    About {
        id: Text<'a> = "id",
        made: Stamp = "created_at",
        saved: Stamp = "updated_at",
        total: Count = "total_tokens",
        model: Text<'a> = "model",
        folder: Text<'a> = "workspace",
        cost: Costs<'a> = "cost",
    }
}

fields! {
    /// Costs of a session.
    Costs {
        own: Money = "session_cost_usd",
        agents: Money = "subagent_cost_usd",
    }
}

struct Sessions(CallBuilder);

impl Reader for Sessions {
    fn line(&mut self, line: &[u8], origin: &Origin, out: &mut Vec<Record>) -> Result<Reading, BadLine> {
        let read: Session<'_> = json::parse(line)?;
        let about = &read.about;
        if about.total.is_absent() {
            return Ok(Reading::NotMine);
        }
        let input = about.total.total("total_tokens")?;
        let session = about.id.get().unwrap_or_else(|| origin.stem());
        let place = Where { session: Some(session), project: about.folder.get(), agent: None };
        let from = self.0.from(about.saved.0.max(about.made.0), place, origin);
        let costs = [about.cost.own.0, about.cost.agents.0];
        let quoted = costs.into_iter().flatten().reduce(|one: Usd, other| one + other).filter(|usd| *usd > Usd::ZERO);
        let model = about.model.get().unwrap_or(Billed::UNNAMED);
        let tokens = Tokens { input, ..Tokens::ZERO };
        let billed = Billed { quoted, is_guessed: true, ..Billed::new(model, tokens) };
        let since = about.made.0.filter(|_| about.saved.0.is_none());
        out.extend(dated(NAME, from, since, vec![billed]).map(Record::Bill));
        Ok(Reading::Mine)
    }
}
