//! Removes the usage chunk from a stream of chat completions if the client did not request it.

use bytes::{Bytes, BytesMut};
use serde::Deserialize;
use serde::de::IgnoredAny;

/// Size in bytes beyond which an event cannot be the usage chunk.
const LONGEST: usize = 64 * 1024;

/// Holds back an event until it is known not to be that chunk.
#[derive(Debug, Default)]
pub(super) struct Hide {
    /// The event so far.
    held: BytesMut,
    /// True if the event is longer than the chunk can be, so it is passed on as it arrives.
    is_long: bool,
    /// Line ends at the end of the data already passed on.
    ends: Ends,
}

/// Line ends since the last other byte: two of them end an event.
#[derive(Debug, Default)]
struct Ends {
    count: u8,
    last: u8,
}

impl Ends {
    /// True when this byte ends an event.
    fn is_over(&mut self, byte: u8) -> bool {
        let is_pair = byte == b'\n' && self.last == b'\r';
        self.last = byte;
        match byte {
            b'\n' if is_pair => self.count >= 2,
            b'\n' | b'\r' => {
                self.count += 1;
                // The second half of the last line end may follow.
                byte == b'\n' && self.count >= 2
            }
            _ => {
                self.count = 0;
                false
            }
        }
    }
}

impl Hide {
    /// Processes a chunk. Returns the bytes to pass on now.
    pub(super) fn feed(&mut self, chunk: &Bytes) -> Bytes {
        let mut out = BytesMut::new();
        let mut begin = 0;
        for (at, byte) in chunk.iter().enumerate() {
            if self.ends.is_over(*byte) {
                self.ends = Ends::default();
                self.take(&chunk[begin..=at], &mut out);
                begin = at + 1;
            }
        }
        let rest = &chunk[begin..];
        if self.is_long || self.held.len() + rest.len() > LONGEST {
            self.is_long = true;
            out.extend_from_slice(&std::mem::take(&mut self.held));
            out.extend_from_slice(rest);
        } else {
            self.held.extend_from_slice(rest);
        }
        out.freeze()
    }

    /// The remaining bytes at the end of the stream.
    pub(super) fn end(&mut self) -> Bytes {
        let rest = std::mem::take(&mut self.held).freeze();
        if is_usage_alone(&rest) { Bytes::new() } else { rest }
    }

    /// Handles the end of an event, which consists of the held bytes and these.
    fn take(&mut self, last: &[u8], out: &mut BytesMut) {
        if std::mem::take(&mut self.is_long) {
            out.extend_from_slice(last);
            return;
        }
        self.held.extend_from_slice(last);
        let event = std::mem::take(&mut self.held);
        if !is_usage_alone(&event) {
            out.extend_from_slice(&event);
        }
    }
}

/// True for the chunk that contains the usage and nothing else: `"choices":[]`.
fn is_usage_alone(event: &[u8]) -> bool {
    #[derive(Deserialize)]
    struct Chunk {
        choices: Option<Vec<IgnoredAny>>,
        usage: Option<IgnoredAny>,
    }
    if memchr::memmem::find(event, b"\"usage\"").is_none() {
        return false;
    }
    let mut data = Vec::new();
    for line in event.split(|byte| matches!(byte, b'\n' | b'\r')) {
        if let Some(rest) = line.strip_prefix(b"data:") {
            data.extend_from_slice(rest);
        }
    }
    let Ok(chunk) = serde_json::from_slice::<Chunk>(&data) else { return false };
    chunk.usage.is_some() && chunk.choices.is_some_and(|choices| choices.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const KEPT: &str = "data: {\"choices\":[{\"delta\":{\"content\":\"a\"}}],\"usage\":null}\n\ndata: {\"choices\":[],\"prompt_filter_results\":[]}\n\n: ping\n\n";
    const GONE: &str = "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":1}}\n\n";
    const LAST: &str = "data: {\"choices\":[{}],\"usage\":{\"prompt_tokens\":1}}\n\ndata: [DONE]\n\n";

    fn hidden(text: &str, size: usize) -> String {
        let mut hide = Hide::default();
        let mut out = Vec::new();
        for piece in text.as_bytes().chunks(size) {
            out.extend_from_slice(&hide.feed(&Bytes::copy_from_slice(piece)));
        }
        out.extend_from_slice(&hide.end());
        String::from_utf8(out).unwrap()
    }

    proptest! {
        #[test]
        fn only_the_chunk_with_usage_alone_is_taken_out(size in 1_usize..200) {
            prop_assert_eq!(hidden(&format!("{KEPT}{GONE}{LAST}"), size), format!("{KEPT}{LAST}"));
            let crlf = |text: &str| text.replace('\n', "\r\n");
            prop_assert_eq!(hidden(&crlf(&format!("{KEPT}{GONE}{LAST}")), size), crlf(&format!("{KEPT}{LAST}")));
        }
    }

    #[test]
    fn a_whole_event_is_passed_on_at_once_and_a_long_one_as_it_comes() {
        let mut hide = Hide::default();
        assert_eq!(hide.feed(&Bytes::from_static(b"data: {\"a\":1}\n\nda")), "data: {\"a\":1}\n\n");
        let long = vec![b'x'; LONGEST];
        assert_eq!(hide.feed(&Bytes::from(long.clone())).len(), LONGEST + 2);
        assert_eq!(hide.feed(&Bytes::from_static(b"y")), "y");
        assert_eq!(hide.feed(&Bytes::from_static(b"\n\ndata: z")), "\n\n");
        assert_eq!(hide.end(), "data: z");
    }
}
