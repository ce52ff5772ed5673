//! Lines of Copilot CLI's events, and the counts in them and in its database.

use super::BadLine;
use super::count::Count;
use super::fields::{Named, Seen, Within, fields};
use super::json::Text;
use super::split::Counts;
use super::time::Stamp;
use crate::domain::Tokens;

fields! {
    /// A line of `events.jsonl`.
    Line {
        kind: Text<'a> = "type",
        id: Text<'a> = "id",
        at: Stamp = "timestamp",
        agent: Text<'a> = "agentId",
        data: Data<'a> = "data",
    }
}

fields! {
    /// Content of an event.
    Data {
        session: Text<'a> = "sessionId",
        context: Context<'a> = "context",
        usage: Usage<'a> = "usage",
        compacted: Usage<'a> = "compactionTokensUsed",
        metrics: Within<'a> = "modelMetrics",
        snapshot: Snapshot<'a> = "accountingSnapshot",
        model: Text<'a> = "model",
        chosen: Text<'a> = "selectedModel" | "newModel",
        parent: Seen = "parentToolCallId",
        output: Count = "outputTokens",
        call: Text<'a> = "apiCallId" | "messageId",
    }
}

fields! {
    /// Where the agent works.
    Context {
        cwd: Text<'a> = "cwd" | "gitRoot",
        branch: Text<'a> = "branch",
    }
}

fields! {
    /// The totals, as newer versions write them.
    Snapshot {
        metrics: Within<'a> = "modelMetrics",
    }
}

fields! {
    /// The total of one model.
    Metric {
        usage: Usage<'a> = "usage",
    }
}

fields! {
    /// Counts of a request or a session.
    Usage {
        model: Text<'a> = "model",
        input: Count = "inputTokens",
        output: Count = "outputTokens",
        cache_read: Count = "cacheReadTokens" | "cachedInput",
        cache_write: Count = "cacheWriteTokens",
        reasoning: Count = "reasoningTokens",
        duration: Named<'a> = "duration",
        call: Text<'a> = "apiCallId",
        initiator: Text<'a> = "initiator",
        requests: Count = "requestCount",
    }
}

impl Usage<'_> {
    /// The counts of a request.
    pub(super) fn tokens(&self) -> Result<Tokens, BadLine> {
        self.split(Count::tokens)
    }

    /// The counts of a session.
    pub(super) fn totals(&self) -> Result<Tokens, BadLine> {
        self.split(Count::total)
    }

    fn split(&self, read: fn(&Count, &'static str) -> Result<u64, BadLine>) -> Result<Tokens, BadLine> {
        Ok(split([
            read(&self.input, "inputTokens")?,
            read(&self.output, "outputTokens")?,
            read(&self.cache_read, "cacheReadTokens")?,
            read(&self.cache_write, "cacheWriteTokens")?,
            read(&self.reasoning, "reasoningTokens")?,
        ]))
    }
}

/// Input, output, cache reads, cache writes and reasoning in disjoint classes.
pub(super) fn split([prompt, output, cache_read, cache_write_5m, reasoning]: [u64; 5]) -> Tokens {
    let counts = Counts {
        prompt: Some(prompt),
        output: Some(output),
        total: Some(prompt + output),
        cache_read,
        cache_write_5m,
        reasoning,
        ..Counts::default()
    };
    counts.split().0
}
