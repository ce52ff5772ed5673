//! Records with several parts: an implausible count spoils only its own part.

use super::{BadLine, Reading};

/// The error of the first bad part of a record.
#[derive(Debug, Default)]
pub(super) struct FirstBad(Option<BadLine>);

impl FirstBad {
    /// The value of a part; `None` if the part is bad.
    pub(super) fn good<T>(&mut self, part: Result<T, BadLine>) -> Option<T> {
        match part {
            Ok(value) => Some(value),
            Err(why) => {
                self.0.get_or_insert(why);
                None
            }
        }
    }

    /// The result for the whole record.
    pub(super) fn result(self) -> Result<Reading, BadLine> {
        self.0.map_or(Ok(Reading::Mine), Err)
    }
}
