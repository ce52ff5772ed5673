//! The last filter before the terminal: replaces bidirectional control characters in all output.

use std::io::{self, Write};

/// Replacement for such a character.
const SHOWN: &[u8] = "\u{fffd}".as_bytes();

/// A writer that replaces every bidirectional control character with U+FFFD.
///
/// Names from outside are cleaned when they are read. This covers paths, command-line arguments and anything that was
/// missed.
pub(crate) struct BidiFilter<'a> {
    out: &'a mut dyn Write,
    /// Incomplete bytes of a possible control character, kept until the rest is written.
    begun: Vec<u8>,
}

impl<'a> BidiFilter<'a> {
    pub(crate) fn new(out: &'a mut dyn Write) -> Self {
        Self { out, begun: Vec::new() }
    }

    /// Writes text that starts on a character boundary.
    fn pass(&mut self, text: &[u8]) -> io::Result<()> {
        // Nearly all text is ASCII, and this test checks a word at a time.
        if text.is_ascii() {
            return self.out.write_all(text);
        }
        let (mut written, mut at) = (0, 0);
        while let Some(next) = text[at..].iter().position(|byte| matches!(byte, 0xe2 | 0xd8)) {
            at += next;
            match mark(&text[at..]) {
                Mark::Whole(length) => {
                    self.out.write_all(&text[written..at])?;
                    self.out.write_all(SHOWN)?;
                    at += length;
                    written = at;
                }
                Mark::Cut => {
                    self.out.write_all(&text[written..at])?;
                    self.begun = text[at..].to_vec();
                    return Ok(());
                }
                Mark::None => at += 1,
            }
        }
        self.out.write_all(&text[written..])
    }
}

/// Classifies the bytes at a character boundary.
enum Mark {
    /// A control character of this many bytes.
    Whole(usize),
    /// A possible prefix of a control character.
    Cut,
    /// Anything else.
    None,
}

/// U+061C, U+200E, U+200F, U+202A to U+202E, U+2066 to U+2069.
fn mark(bytes: &[u8]) -> Mark {
    match bytes {
        [0xd8, 0x9c, ..] => Mark::Whole(2),
        [0xe2, 0x80, 0x8e | 0x8f | 0xaa..=0xae, ..] | [0xe2, 0x81, 0xa6..=0xa9, ..] => Mark::Whole(3),
        [0xd8 | 0xe2] | [0xe2, 0x80 | 0x81] => Mark::Cut,
        _ => Mark::None,
    }
}

impl Write for BidiFilter<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.begun.is_empty() {
            self.pass(bytes)?;
        } else {
            let mut whole = std::mem::take(&mut self.begun);
            whole.extend_from_slice(bytes);
            self.pass(&whole)?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        let begun = std::mem::take(&mut self.begun);
        self.out.write_all(&begun)?;
        self.out.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn j19_no_mark_passes_however_the_text_is_cut() {
        let marks = "\u{61c}\u{200e}\u{200f}\u{202a}\u{202e}\u{2066}\u{2069}";
        let text = format!("a{marks}b — … 日本 \u{600}\u{2028}é ≥");
        let expected: String =
            text.chars().map(|letter| if marks.contains(letter) { '\u{fffd}' } else { letter }).collect();
        for step in 1..=text.len() {
            let mut out = Vec::new();
            let mut guard = BidiFilter::new(&mut out);
            for piece in text.as_bytes().chunks(step) {
                guard.write_all(piece).unwrap();
            }
            guard.flush().unwrap();
            assert_eq!(String::from_utf8(out).unwrap(), expected, "in pieces of {step}");
        }
    }
}
