//! A decoder for documents whose format is known beforehand.

use super::{Decoder, FormatId};

impl Decoder {
    /// A decoder for lines of this format only, from any program.
    pub(crate) fn only(format: FormatId) -> Self {
        Self { allowed: 1 << format.place(), ..Self::new(&[]) }
    }
}
