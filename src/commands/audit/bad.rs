//! Lines that were not counted, and files that were not read.

use serde::Serialize;

use crate::domain::Label;
use crate::ingest::{BadNote, Condition};

/// A line that was not counted: its place and the reason, without its content.
#[derive(Serialize)]
pub(crate) struct Bad {
    pub(crate) file: Label,
    pub(crate) line: u64,
    pub(crate) byte: u64,
    pub(crate) why: Label,
}

impl Bad {
    pub(crate) fn from_note(note: &BadNote) -> Self {
        Self { file: note.path.clone(), line: note.line, byte: note.offset, why: Label::new(&note.why.to_string()) }
    }
}

/// `FILE:LINE: why`.
impl std::fmt::Display for Bad {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "{}:{}: {}", self.file, self.line, self.why)
    }
}

#[derive(Serialize)]
pub(crate) struct Note {
    pub(crate) path: Label,
    pub(crate) what: Label,
}

/// True for conditions that are not covered by another count of the audit.
pub(super) fn is_worth_a_word(what: &Condition) -> bool {
    match what {
        Condition::PermissionDenied
        | Condition::Failing(_)
        | Condition::Unsupported(_)
        | Condition::SymlinkLoop
        | Condition::DanglingLink
        | Condition::Partial { .. }
        | Condition::NotRecognised
        | Condition::OverLong { .. }
        | Condition::NulsSkipped { .. }
        | Condition::LostCalls { .. } => true,
        Condition::Replaced | Condition::Rewritten | Condition::Gone | Condition::Skipped(_) => false,
    }
}
