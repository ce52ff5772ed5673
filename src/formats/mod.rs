//! Log formats, one file each: where their logs are, and how calls are read from them. Nothing here opens a file or
//! knows a price.
//!
//! The set is open: a new format is one new file, one line in [`ALL`] with its `mod`, and one folder in `samples/`.

mod aider;
mod amp;
mod answers;
mod anthropic;
mod antigravity;
mod aside;
mod auggie;
mod author;
mod bad_line;
mod branch;
mod buddy;
mod claude_bill;
mod claude_code;
mod claude_content;
mod claude_homes;
mod claude_line;
mod claude_opening;
mod claude_prompt;
mod claude_text;
mod claude_usage;
mod cline;
mod cline_task;
mod codebuff;
mod codewhale;
mod codex;
mod codex_exec;
mod codex_line;
mod codex_stated;
mod codex_thread;
mod codex_usage;
mod command_code;
mod continue_dev;
mod copilot;
mod copilot_chat;
mod copilot_chat_text;
mod copilot_line;
pub(crate) mod count;
mod crush;
mod cursor;
mod cursor_text;
mod decoder;
mod deepseek_harness;
mod details;
mod devin;
mod droid;
mod droid_print;
mod editors;
mod escaped;
mod exactness;
mod fields;
mod file_uri;
mod first_bad;
mod forge;
mod format;
mod fx;
mod gemini_cli;
mod gemini_print;
mod goose;
mod grok_build;
mod helicone;
mod hermes;
mod hindsight;
mod jcode;
pub(crate) mod json;
mod junie;
mod keyed;
pub(crate) mod keys;
mod kimi;
mod kiro_chat_text;
mod kiro_session_text;
mod kiro_text;
mod langfuse;
mod langsmith;
mod line_calls;
mod litellm;
mod llm;
mod lm_studio;
mod location;
mod muse;
mod mux;
mod native;
mod open_code_review;
mod openai;
mod openclaw;
mod opencode;
mod opencode_query;
mod opencode_text;
mod openhands;
mod otel;
mod pi;
mod pi_text;
mod prefilter;
mod prefilters;
mod protobuf;
mod pydantic_ai;
mod qwen_code;
mod qwen_print;
mod reasonix;
mod registry;
mod repair;
mod row_calls;
mod row_totals;
mod rows;
mod running;
mod saved_state;
mod searches;
mod shelley;
mod slots;
mod split;
mod sse;
mod stored_time;
mod texts;
mod tier;
pub(crate) mod time;
mod turns;
mod unsloth;
mod usage;
mod usage_log_line;
mod vibe;
mod zcode;
mod zed;

pub use bad_line::BadLine;
pub use decoder::{Decoder, Outcome};
pub(crate) use exactness::{Exactness, TOKENLESS};
pub(crate) use format::Format;
pub use format::{Origin, Reader, Reading};
pub use location::Framing;
pub(crate) use location::{Env, Location};
pub(crate) use otel::Telemetry;
pub use registry::{FormatId, format_of_name};
pub(crate) use registry::{format_of_place, formats_of_name, indexes, locations};
pub(crate) use repair::{BYTE_ORDER_MARK, bare, whole};
pub use rows::Value;
pub(crate) use rows::{RowQuery, Schema};
pub(crate) use texts::{Spoken, Texts};
pub(crate) use usage_log_line::line as kept_line;

/// Every log format. If a line could belong to two formats, the earlier one gets it.
pub static ALL: &[&dyn Format] = &[
    &claude_code::ClaudeCode,
    &codex::Codex,
    &codex_exec::CodexExec,
    &gemini_cli::GeminiCli,
    &qwen_code::QwenCode,
    &copilot::Copilot,
    &copilot_chat::CopilotChat,
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
    &langfuse::Langfuse,
    &langsmith::LangSmith,
    &helicone::Helicone,
    &pydantic_ai::PydanticAi,
    &anthropic::Anthropic,
    &openai::OpenAi,
    &otel::Otlp,
    &otel::Otel,
    &litellm::LiteLlm,
    &native::Native,
    &opencode::OPENCODE,
    &opencode::KILO,
    &opencode::MIMO,
    &devin::Devin,
    &crush::Crush,
    &goose::Goose,
    &auggie::Auggie,
    &grok_build::GrokBuild,
    &junie::Junie,
    &muse::Muse,
    &reasonix::Reasonix,
    &openhands::OpenHands,
    &continue_dev::Continue,
    &mux::Mux,
    &codebuff::Codebuff,
    &command_code::CommandCode,
    &codewhale::CodeWhale,
    &jcode::Jcode,
    &fx::Fx,
    &buddy::CODE,
    &buddy::WORK,
    &open_code_review::OpenCodeReview,
    &deepseek_harness::DeepSeekHarness,
    &hindsight::Hindsight,
    &aside::Aside,
    &hermes::Hermes,
    &zed::Zed,
    &cursor::Cursor,
    &zcode::ZCode,
    &forge::Forge,
    &unsloth::Unsloth,
    &lm_studio::LmStudio,
    &shelley::Shelley,
    &antigravity::Antigravity,
];

/// Agents whose logs contain texts of answers, some or all of them without counts.
pub(crate) static TEXTS: &[&dyn Texts] = &[
    &claude_text::ClaudeTexts,
    &pi_text::PI,
    &pi_text::OH_MY_PI,
    &pi_text::SENPI,
    &pi_text::GJC,
    &pi_text::KIMCHI,
    &pi_text::PRIME,
    &cursor_text::CursorTexts,
    &opencode_text::OPENCODE,
    &opencode_text::KILO,
    &opencode_text::MIMO,
    &copilot_chat_text::CopilotChatTexts,
    &kiro_text::KIRO,
    &kiro_session_text::KiroSessionTexts,
    &kiro_chat_text::KiroChatTexts,
    &kiro_text::AMAZON_Q,
];

/// Names of all formats, in the order of [`ALL`].
pub fn names() -> Vec<&'static str> {
    ALL.iter().map(|format| format.name()).collect()
}
