//! Filter before the output: replaces everything that is not ASCII, where the locale or the config asks for that.

use std::cell::Cell;
use std::io::{self, Write};

use crate::text;

/// A writer that replaces text that is not ASCII, column by column, while it is on.
pub(crate) struct AsciiFilter<'a> {
    out: &'a mut dyn Write,
    is_on: &'a Cell<bool>,
    /// Incomplete bytes of a character, or one that takes the blank that follows; held until the rest is written.
    begun: Vec<u8>,
}

impl<'a> AsciiFilter<'a> {
    pub(crate) fn new(out: &'a mut dyn Write, is_on: &'a Cell<bool>) -> Self {
        Self { out, is_on, begun: Vec::new() }
    }
}

impl Write for AsciiFilter<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if !self.is_on.get() || (self.begun.is_empty() && bytes.is_ascii()) {
            self.out.write_all(bytes)?;
            return Ok(bytes.len());
        }
        let mut whole = std::mem::take(&mut self.begun);
        whole.extend_from_slice(bytes);
        let end = match std::str::from_utf8(&whole) {
            Err(error) if error.error_len().is_none() => error.valid_up_to(),
            Ok(text) => text.trim_end_matches(['≥', '≤']).len(),
            Err(_) => whole.len(),
        };
        self.out.write_all(text::ascii_text(&String::from_utf8_lossy(&whole[..end])).as_bytes())?;
        self.begun = whole.split_off(end);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        let begun = std::mem::take(&mut self.begun);
        match std::str::from_utf8(&begun) {
            Ok(whole) => self.out.write_all(text::ascii_text(whole).as_bytes())?,
            Err(_) => self.out.write_all(b"?")?,
        }
        self.out.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn f20_only_ascii_passes_however_the_text_is_cut() {
        let text = "╭─ ≥ $1 · Σ ± 3 … 日 é\r\n\x07\tend\n";
        for is_on in [false, true] {
            let expected = if is_on { "+- >=$1 . S ~ 3 . ?? ?\r\n\x07\tend\n" } else { text };
            for step in 1..=text.len() {
                let (mut out, is_on) = (Vec::new(), Cell::new(is_on));
                let mut filter = AsciiFilter::new(&mut out, &is_on);
                for piece in text.as_bytes().chunks(step) {
                    filter.write_all(piece).unwrap();
                }
                filter.flush().unwrap();
                assert_eq!(String::from_utf8(out).unwrap(), expected, "in pieces of {step}");
            }
        }
    }
}
