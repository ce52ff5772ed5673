//! Log formats: one file each, from the places of its logs to the calls in them. Nothing here opens a file or knows a
//! price.
//!
//! The set is open: a format is one new file, one line in [`ALL`] with its `mod`, and one folder under `samples/`.

mod aider;
mod amp;
mod anthropic;
mod author;
mod claude_bill;
mod claude_code;
mod claude_content;
mod claude_line;
mod claude_opening;
mod claude_usage;
mod cline;
mod codex;
mod codex_exec;
mod codex_line;
mod codex_thread;
mod codex_usage;
mod copilot;
mod copilot_line;
pub(crate) mod count;
mod decoder;
mod details;
mod droid;
mod editors;
mod escaped;
mod fields;
mod format;
mod gemini_cli;
mod goose;
pub(crate) mod json;
pub(crate) mod keys;
mod kimi;
mod litellm;
mod llm;
mod location;
mod native;
mod openai;
mod openclaw;
mod opencode;
mod otel;
mod pi;
mod prefilter;
mod qwen_code;
mod registry;
mod repair;
mod rows;
mod running;
mod searches;
mod split;
mod sse;
mod tier;
pub(crate) mod time;
mod usage;
mod usage_log_line;
mod vibe;

pub use decoder::{Decoder, Outcome};
pub(crate) use format::Format;
pub use format::{BadLine, Origin, Reader, Reading};
pub use location::Framing;
pub(crate) use location::{Env, Location};
pub(crate) use registry::locations;
pub use registry::{FormatId, format_of_name};
pub(crate) use repair::whole;
pub(crate) use rows::{RowQuery, Schema, Value};
pub(crate) use usage_log_line::line as kept_line;

/// Every log format. Where a line could belong to two formats, the earlier one gets it.
pub static ALL: &[&dyn Format] = &[
    &claude_code::ClaudeCode,
    &codex::Codex,
    &codex_exec::CodexExec,
    &gemini_cli::GeminiCli,
    &qwen_code::QwenCode,
    &copilot::Copilot,
    &pi::PI,
    &pi::OH_MY_PI,
    &pi::SENPI,
    &pi::GJC,
    &pi::KIMCHI,
    &pi::PRIME,
    &openclaw::OpenClaw,
    &kimi::Kimi,
    &cline::CLINE,
    &cline::ROO,
    &cline::KILO,
    &droid::Droid,
    &vibe::Vibe,
    &aider::Aider,
    &llm::Llm,
    &amp::Amp,
    &anthropic::Anthropic,
    &openai::OpenAi,
    &otel::Otlp,
    &otel::Otel,
    &litellm::LiteLlm,
    &native::Native,
    &opencode::OPENCODE,
    &opencode::KILO,
    &opencode::MIMO,
    &goose::Goose,
];

/// Names of all formats, in the order of [`ALL`].
pub fn names() -> Vec<&'static str> {
    ALL.iter().map(|format| format.name()).collect()
}
