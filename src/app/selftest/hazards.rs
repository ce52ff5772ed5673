//! The eight classes of billing faults found by an audit of about 110 usage tools (`AgentMeasure`, September 2026), and
//! the samples that demonstrate each.

/// One class of faults.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Hazard {
    /// Its number in the audit.
    pub(crate) name: &'static str,
    /// The fault.
    pub(crate) title: &'static str,
    /// Names of samples.
    pub(crate) samples: &'static [&'static str],
}

/// All classes, in the audit's order.
pub(crate) const HAZARDS: [Hazard; 8] = [
    Hazard {
        name: "H1",
        title: "lines of one streamed answer are added up",
        samples: &[
            "claude-code/streamed.jsonl",
            "claude-code/zero-then-real.jsonl",
            "claude-code/no-request-id",
            "claude-code/gateway-id.jsonl",
            "gemini-cli/chat.jsonl",
            "qwen-code/chat.jsonl",
            "opencode/opencode.sql",
        ],
    },
    Hazard {
        name: "H2",
        title: "Codex events that are emitted again are new answers",
        samples: &["codex/re-emitted.jsonl", "codex/records", "codex/session", "codex/interrupted.jsonl"],
    },
    Hazard {
        name: "H3",
        title: "running totals are added up",
        samples: &[
            "codex/compaction.jsonl",
            "codex/fork-without-history",
            "codex-exec/turns.jsonl",
            "codex-exec/resumed",
            "copilot/older",
            "goose/sessions.sql",
            "mux/ws1",
            "hermes/state.sql",
            "droid/d0d00001-0000-4000-8000-000000000001.settings.json",
        ],
    },
    Hazard {
        name: "H4",
        title: "the five-hour and the weekly window are mixed up",
        samples: &["codex/quota-windows.jsonl"],
    },
    Hazard {
        name: "H5",
        title: "cached input is counted twice, or at the wrong price",
        samples: &[
            "claude-code/cache-lifetimes.jsonl",
            "claude-code/long-context.jsonl",
            "codex/cache-write.jsonl",
            "codex/writes-unlogged.jsonl",
            "openai/objects.jsonl",
            "openai/dialects.jsonl",
            "litellm/payloads.jsonl",
            "otlp/lifetimes.jsonl",
            "copilot/events.jsonl",
            "codebuddy",
            "native/with-cache-inside.jsonl",
            "langfuse/api.jsonl",
            "langsmith/runs.jsonl",
            "helicone/requests.jsonl",
            "pydantic-ai/history.jsonl",
            "otel/dialects.jsonl",
        ],
    },
    Hazard {
        name: "H6",
        title: "resumed and forked sessions are lost or doubled",
        samples: &[
            "claude-code/fork-copy",
            "claude-code/fork-unmarked",
            "claude-code/fork-of-a-fork",
            "claude-code/fork-without-parent",
            "claude-code/btw-replay",
            "codex/fork-replay",
            "codex/archived",
            "codex/sub-agent",
            "gemini-cli/resumed",
            "qwen-code/fork",
            "opencode",
            "openclaw",
            "pi/fork",
            "kimi-code/fork",
        ],
    },
    Hazard {
        name: "H7",
        title: "calls are charged at the price of another day, or a price is made up",
        samples: &[
            "codex/price-change.jsonl",
            "claude-code/long-context.jsonl",
            "claude-code/unknown-model.jsonl",
            "claude-code/quoted-cost.jsonl",
            "codex/service-tier.jsonl",
        ],
    },
    Hazard {
        name: "H8",
        title: "events of a stream are added up, or its last one is missed",
        samples: &[
            "anthropic/stream.jsonl",
            "anthropic/truncated.jsonl",
            "anthropic/corrected.jsonl",
            "anthropic/streamed-refusal.jsonl",
            "openai/stream.jsonl",
            "openai/wrapped.jsonl",
            "claude-code/headless-cut.jsonl",
        ],
    },
];
