//! Claude Code: the input of its hooks and of its status line, and its settings file.

pub(crate) mod hook_input;
pub(crate) mod json_members;
pub(crate) mod settings_merge;
pub(crate) mod statusline_input;
