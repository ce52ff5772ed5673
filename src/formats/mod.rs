//! Log formats: one file each, from the places of its logs to the calls in them. Nothing here opens a file or knows a
//! price.
//!
//! The set is open: a format is one new file, one line in [`ALL`] with its `mod`, and one folder under `samples/`.

mod anthropic;
mod claude_bill;
mod claude_code;
mod claude_content;
mod claude_line;
mod claude_opening;
mod claude_usage;
mod codex;
mod codex_exec;
mod codex_line;
mod codex_thread;
mod codex_usage;
pub(crate) mod count;
mod decoder;
mod details;
mod escaped;
mod fields;
mod format;
mod gemini_cli;
mod goose;
pub(crate) mod json;
pub(crate) mod keys;
mod litellm;
mod location;
mod native;
mod openai;
mod opencode;
mod otel;
mod prefilter;
mod registry;
mod repair;
mod rows;
mod searches;
mod split;
mod sse;
mod tier;
pub(crate) mod time;
mod usage;
mod usage_log_line;

pub use decoder::{Decoder, Outcome};
pub(crate) use format::Format;
pub use format::{BadLine, Origin, Reader, Reading};
pub use location::Framing;
pub(crate) use location::{Env, Location};
pub(crate) use otel::{Refused, Telemetry};
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
    &anthropic::Anthropic,
    &openai::OpenAi,
    &otel::Otlp,
    &otel::Otel,
    &litellm::LiteLlm,
    &native::Native,
    &gemini_cli::GeminiCli,
    &opencode::OpenCode,
    &goose::Goose,
];

/// Names of all formats, in the order of [`ALL`].
pub fn names() -> Vec<&'static str> {
    ALL.iter().map(|format| format.name()).collect()
}
