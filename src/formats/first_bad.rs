//! Records of several parts: one count that cannot be true spoils its own part and no other.

use super::{BadLine, Reading};

/// Why the first bad part of a record cannot be counted.
#[derive(Debug, Default)]
pub(super) struct FirstBad(Option<BadLine>);

impl FirstBad {
    /// The value of a part; none of a bad one.
    pub(super) fn good<T>(&mut self, part: Result<T, BadLine>) -> Option<T> {
        match part {
            Ok(value) => Some(value),
            Err(why) => {
                self.0.get_or_insert(why);
                None
            }
        }
    }

    /// The result for the record.
    pub(super) fn result(self) -> Result<Reading, BadLine> {
        self.0.map_or(Ok(Reading::Mine), Err)
    }
}
