//! A reader for logs in which some lines give facts about those that follow.

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::answers::{CallBuilder, load, save};
use super::{BadLine, Origin, Reader, Reading};
use crate::domain::Record;

/// A log, and the facts it has given so far.
pub(super) struct Log<T> {
    pub(super) builder: CallBuilder,
    pub(super) known: T,
    read: ReadLine<T>,
}

/// Reads a line or a whole document.
pub(super) type ReadLine<T> = fn(&mut Log<T>, &[u8], &Origin, &mut Vec<Record>) -> Result<Reading, BadLine>;

/// A reader for the lines of this format.
pub(super) fn reader<T>(format: &'static str, read: ReadLine<T>) -> Box<dyn Reader>
where
    T: Default + PartialEq + Serialize + DeserializeOwned + Send + 'static,
{
    Box::new(Log { builder: CallBuilder::new(format), known: T::default(), read })
}

impl<T: Default + PartialEq + Serialize + DeserializeOwned + Send> Reader for Log<T> {
    fn line(&mut self, line: &[u8], origin: &Origin, out: &mut Vec<Record>) -> Result<Reading, BadLine> {
        (self.read)(self, line, origin, out)
    }

    fn state(&self) -> String {
        save(&self.known)
    }

    fn restore(&mut self, state: &str) {
        self.known = load(state);
    }
}
