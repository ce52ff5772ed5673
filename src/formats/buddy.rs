//! Tencent's CodeBuddy and WorkBuddy: `~/.codebuddy/projects/<project>/<session>.jsonl`, and the same in
//! `~/.workbuddy/projects/…`.
//!
//! There is no public source. Based on tokscale 4.17 (`sessions/tencent_buddy.rs` and its issue #1022) and agentsview's
//! inventory (WorkBuddy), read 2026-11-26: assistant messages and tool calls have counts in `message.usage`,
//! `providerData.usage` or `providerData.rawUsage`, under the names of several vendors. Whatever the names, input
//! includes the cache and output includes reasoning; `cachedMissTokens` is the rest. Several lines may belong to one
//! answer, whose id is `providerData.messageId`; the greatest of them counts. WorkBuddy's database has sums of the same
//! calls. The international edition uses `~/.workbuddy-ai` (from an account switcher that found both on one machine).

use super::answers::{CallBuilder, Where};
use super::count::Count;
use super::fields::{Slot, fields};
use super::json::{self, Text};
use super::split::Counts;
use super::time::Stamp;
use super::usage::given;
use super::{BadLine, Env, Format, Location, Origin, Reader, Reading};
use crate::domain::{Record, Tokens};

/// Sessions of one of the two programs.
pub(super) struct Buddy {
    name: &'static str,
    places: &'static [&'static str],
}

/// CodeBuddy's.
pub(super) const CODE: Buddy = Buddy { name: "codebuddy", places: &[".codebuddy/projects"] };
/// WorkBuddy's.
pub(super) const WORK: Buddy = Buddy { name: "workbuddy", places: &[".workbuddy/projects", ".workbuddy-ai/projects"] };

impl Format for Buddy {
    fn name(&self) -> &'static str {
        self.name
    }
    fn locations(&self, env: &Env<'_>) -> Vec<Location> {
        self.places.iter().filter_map(|place| env.home(place)).map(Location::tree).collect()
    }
    fn is_known_by_place(&self) -> bool {
        true
    }
    fn needles(&self) -> &'static [&'static str] {
        &["sage\":"]
    }
    fn reader(&self) -> Box<dyn Reader> {
        Box::new(Sessions(CallBuilder::new(self.name)))
    }
}

fields! {
    /// A message or a tool call.
    Line {
        id: Text<'a> = "id",
        at: Stamp = "timestamp",
        kind: Text<'a> = "type",
        role: Text<'a> = "role",
        session: Text<'a> = "sessionId",
        folder: Text<'a> = "cwd",
        message: Message<'a> = "message",
        provider: Provider<'a> = "providerData",
    }
}

fields! {
    Message {
        model: Text<'a> = "model",
        usage: Usage<'a> = "usage",
    }
}

fields! {
    /// The provider's data in a line.
    Provider {
        model: Text<'a> = "model" | "requestModelId",
        message: Text<'a> = "messageId",
        trace: Text<'a> = "traceId",
        usage: Usage<'a> = "usage",
        raw: Usage<'a> = "rawUsage",
    }
}

fields! {
    /// Counts, with the field names of several vendors.
    Usage {
        miss: Count = "cachedMissTokens" | "cacheMissTokens",
        prompt: Count = "input_tokens" | "inputTokens" | "prompt_tokens",
        output: Count = "output_tokens" | "outputTokens" | "completion_tokens",
        total: Count = "total_tokens" | "totalTokens",
        read: Count = "cache_read_input_tokens" | "cacheReadInputTokens" | "cacheTokens",
        hit: Count = "prompt_cache_hit_tokens" | "cached_tokens",
        write: Count = "cache_creation_input_tokens" | "cacheCreationInputTokens",
        raw_write: Count = "prompt_cache_write_tokens" | "cachedWriteTokens",
        reasoning: Count = "completion_thinking_tokens" | "completionThinkingTokens" | "reasoningTokens",
    }
}

struct Sessions(CallBuilder);

impl Reader for Sessions {
    fn line(&mut self, line: &[u8], origin: &Origin, out: &mut Vec<Record>) -> Result<Reading, BadLine> {
        let read: Line<'_> = json::parse(line)?;
        match (read.kind.get(), read.role.get()) {
            (Some("message"), Some("assistant")) | (Some("function_call"), _) => {}
            (Some(_), _) => return Ok(Reading::Mine),
            (None, _) => return Ok(Reading::NotMine),
        }
        let provider = &read.provider;
        let counts = read.message.usage.or(provider.usage.or(&provider.raw)).split()?;
        let session = read.session.get().unwrap_or_else(|| origin.stem());
        let place = Where { session: Some(session), project: read.folder.get(), agent: None };
        let from = self.0.from(read.at.0, place, origin);
        let model = provider.model.get().or_else(|| read.message.model.get());
        let id = provider.message.get().or_else(|| provider.trace.get()).or_else(|| read.id.get());
        let call = match id {
            Some(id) => self.0.call(&[session, id], from, model, counts),
            None => self.0.call_of_line(line, from, model, counts),
        };
        out.extend(call.map(Record::Call));
        Ok(Reading::Mine)
    }
}

impl Usage<'_> {
    fn split(&self) -> Result<(Tokens, bool), BadLine> {
        let count = |one: &Count, other: &Count| Ok(one.tokens("cache")?.max(other.tokens("cache")?));
        let (cache_read, cache_write_5m) = (count(&self.read, &self.hit)?, count(&self.write, &self.raw_write)?);
        let miss = given(&self.miss, "cachedMissTokens")?;
        let counts = Counts {
            prompt: given(&self.prompt, "input_tokens")?.or(miss.map(|miss| miss + cache_read + cache_write_5m)),
            output: Some(self.output.tokens("output_tokens")?),
            total: given(&self.total, "total_tokens")?,
            cache_read,
            cache_write_5m,
            reasoning: self.reasoning.tokens("completion_thinking_tokens")?,
            ..Counts::default()
        };
        Ok(counts.split())
    }
}
