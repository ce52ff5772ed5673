//! The answers of single logs, for tests.

use std::io;
use std::path::Path;

use super::read::{Answers, read_log};
use crate::domain::{CallKey, Label};
use crate::formats::TEXTS;

/// How much of an answer there is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AnswerSize {
    /// The key of its call.
    pub key: CallKey,
    /// The model.
    pub model: Option<Label>,
    /// The output that the log states.
    pub output: u64,
    /// Characters of all its blocks.
    pub characters: u64,
    /// Parts of it are not in the log.
    pub hides_parts: bool,
}

/// Names of all agents whose texts are read.
pub fn agents() -> Vec<&'static str> {
    TEXTS.iter().map(|texts| texts.name()).collect()
}

/// The answers in these logs of one agent.
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
