//! Reads escapes in the texts of JSON, to know how long a text is without them.

/// How much of an escape has been read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Escape {
    /// Outside an escape.
    None,
    /// Its backslash.
    Begun,
    /// `\u` and this many hexadecimal digits, with this value.
    Digits { count: usize, value: u32 },
}

impl Escape {
    /// Reads more of an escape, and nothing behind it. Returns the number of bytes read, and the number of bytes of
    /// UTF-8 that the escape stands for, once it ends.
    #[inline]
    pub(super) fn read(&mut self, bytes: &[u8]) -> (usize, usize) {
        let (mut read, mut count, mut value) = match (*self, bytes.first()) {
            (Self::None, _) | (_, None) => return (0, 0),
            (Self::Begun, Some(b'u')) => (1, 0, 0),
            (Self::Begun, Some(_)) => {
                *self = Self::None;
                return (1, 1);
            }
            (Self::Digits { count, value }, Some(_)) => (0, count, value),
        };
        while count < 4 {
            let Some(byte) = bytes.get(read) else {
                *self = Self::Digits { count, value };
                return (read, 0);
            };
            let Some(digit) = char::from(*byte).to_digit(16) else { break };
            (read, count, value) = (read + 1, count + 1, value << 4 | digit);
        }
        *self = Self::None;
        (read, if count < 4 { 1 } else { length(value) })
    }
}

/// Number of bytes in UTF-8 of a unit of UTF-16, of which a surrogate is half a letter.
fn length(unit: u32) -> usize {
    match unit {
        ..0x80 => 1,
        ..0x800 | 0xd800..0xe000 => 2,
        _ => 3,
    }
}
