//! Claude Code: the input of its hooks and of its status line, and its settings file. The answers to its hooks are in
//! `commands/gate/claude`.

pub(crate) mod hook_input;
pub(crate) mod json_members;
pub(crate) mod settings_merge;
pub(crate) mod statusline_input;
