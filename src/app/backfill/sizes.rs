//! The answers in single logs, for tests.

use std::io;
use std::path::Path;

use super::read::{Answers, read_log};
use crate::domain::{CallKey, Label};
use crate::formats::TEXTS;

/// The size of an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AnswerSize {
    /// The key of its call.
    pub key: CallKey,
    /// The model.
    pub model: Option<Label>,
    /// Output tokens given in the log.
    pub output: u64,
    /// Characters in all its blocks.
    pub characters: u64,
    /// True if parts of it are not in the log.
    pub hides_parts: bool,
}

/// Names of all agents whose texts can be read.
pub fn agents() -> Vec<&'static str> {
    TEXTS.iter().map(|texts| texts.name()).collect()
}

/// The answers in the given logs of one agent.
///
/// # Errors
/// When a log cannot be read.
pub fn sizes(agent: &str, logs: &[impl AsRef<Path>]) -> io::Result<Vec<AnswerSize>> {
    let mut answers = Answers::new();
    for texts in TEXTS.iter().filter(|texts| texts.name() == agent) {
        for log in logs {
            read_log(*texts, log.as_ref(), &mut answers)?;
        }
    }
    let size_of = |(key, answer): (&[u8; 16], &super::read::Answer)| AnswerSize {
        key: CallKey::from_bytes(*key),
        model: answer.model.clone(),
        output: answer.output,
        characters: answer.characters,
        hides_parts: answer.hides_parts,
    };
    Ok(answers.iter().map(size_of).collect())
}
