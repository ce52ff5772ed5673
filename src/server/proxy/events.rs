//! Splits a stream of server-sent events, whatever its line ends and however its bytes are divided.

/// A piece of a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Piece<'a> {
    /// A part of an event's data.
    Data(&'a [u8]),
    /// Another line of data follows.
    NextLine,
    /// End of the event.
    End,
}

/// The splitter.
#[derive(Debug, Default)]
pub(super) struct Events {
    /// First bytes of the line, up to the colon.
    name: [u8; 5],
    /// Number of bytes in `name`.
    read: usize,
    field: Field,
    /// True if the last byte was a carriage return.
    is_after_return: bool,
    /// True if the event has data.
    has_data: bool,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Field {
    /// Reading the field name.
    #[default]
    Name,
    /// After the colon of a data field. A space may follow.
    Colon,
    /// Reading data.
    Data,
    /// Inside another field or a comment.
    Other,
}

impl Events {
    /// Processes the next bytes, passing each piece to `take`.
    pub(super) fn feed(&mut self, mut bytes: &[u8], mut take: impl FnMut(Piece<'_>)) {
        while let Some(first) = bytes.first() {
            match self.field {
                Field::Data | Field::Other => {
                    let end = memchr::memchr2(b'\n', b'\r', bytes).unwrap_or(bytes.len());
                    if end > 0 && self.field == Field::Data {
                        take(Piece::Data(&bytes[..end]));
                    }
                    bytes = &bytes[end..];
                    if let Some(byte) = bytes.first() {
                        self.line_end(*byte, &mut take);
                        bytes = &bytes[1..];
                    }
                }
                Field::Colon => {
                    self.field = Field::Data;
                    if *first == b' ' {
                        bytes = &bytes[1..];
                    }
                }
                Field::Name => {
                    self.in_name(*first, &mut take);
                    bytes = &bytes[1..];
                }
            }
        }
    }

    fn in_name(&mut self, byte: u8, take: &mut impl FnMut(Piece<'_>)) {
        match byte {
            // The second half of a CR LF line end.
            b'\n' if self.is_after_return => self.is_after_return = false,
            b'\n' | b'\r' => self.line_end(byte, take),
            b':' => {
                self.is_after_return = false;
                let is_data = self.name.get(..self.read) == Some(b"data");
                if is_data && std::mem::replace(&mut self.has_data, true) {
                    take(Piece::NextLine);
                }
                self.field = if is_data { Field::Colon } else { Field::Other };
            }
            byte => {
                self.is_after_return = false;
                if let Some(place) = self.name.get_mut(self.read) {
                    *place = byte;
                    self.read += 1;
                }
            }
        }
    }

    fn line_end(&mut self, byte: u8, take: &mut impl FnMut(Piece<'_>)) {
        let is_blank = self.field == Field::Name && self.read == 0;
        if is_blank && std::mem::take(&mut self.has_data) {
            take(Piece::End);
        }
        self.is_after_return = byte == b'\r';
        self.field = Field::Name;
        self.read = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn split<'a>(pieces: impl Iterator<Item = &'a [u8]>) -> Vec<String> {
        let (mut events, mut all, mut open) = (Events::default(), Vec::new(), String::new());
        for piece in pieces {
            events.feed(piece, |piece| match piece {
                Piece::Data(data) => open.push_str(std::str::from_utf8(data).unwrap()),
                Piece::NextLine => open.push('\n'),
                Piece::End => all.push(std::mem::take(&mut open)),
            });
        }
        all
    }

    const STREAM: &str = ": PROCESSING\n\nevent: a\r\ndata: {\"x\":1}\r\n\r\ndata:one\ndata: two\n\nid: 7\n\ndataset: no\n\rdata: cr\r\rdata: [DONE]\n\n";

    proptest! {
        #[test]
        fn events_are_the_same_however_they_are_cut(size in 1_usize..80) {
            let found = split(STREAM.as_bytes().chunks(size));
            prop_assert_eq!(found, vec!["{\"x\":1}", "one\ntwo", "cr", "[DONE]"]);
        }
    }
}
