//! Removes the usage chunk from a stream of chat completions if the client did not request it.

use bytes::{Bytes, BytesMut};
use hyper::HeaderMap;
use hyper::header::{CONTENT_ENCODING, CONTENT_TYPE};
use serde::Deserialize;
use serde::de::IgnoredAny;

/// Size in bytes beyond which an event cannot be the usage chunk.
const LONGEST: usize = 64 * 1024;

/// Holds back an event until it is known not to be that chunk.
#[derive(Debug, Default)]
pub(super) struct UsageChunkFilter {
    what: What,
    /// The event so far.
    held: BytesMut,
    /// True if the event is longer than the chunk can be, so it is passed on as it arrives.
    is_long: bool,
    /// True after the chunk was removed: the line ends that follow are removed, too.
    is_behind_chunk: bool,
    /// True if the current line has any bytes.
    has_line: bool,
    /// The last byte.
    last: u8,
}

/// Kind of answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum What {
    /// A stream by its headers, unless it begins like JSON.
    #[default]
    Stream,
    /// Not a stream according to its headers, which are wrong if it begins like one.
    Unknown,
    /// A stream by its first byte.
    Events,
    /// Anything else, which is passed on as it arrives.
    Other,
}

impl UsageChunkFilter {
    /// For an answer with these headers; `None` if it is compressed although no coding was offered, and passes as it
    /// is.
    pub(super) fn new(headers: &HeaderMap) -> Option<Self> {
        let text = |name| headers.get(name).map_or("", |value| value.to_str().unwrap_or("?")).trim();
        let coding = text(CONTENT_ENCODING);
        let kind = text(CONTENT_TYPE).split(';').next().unwrap_or_default().trim_end();
        let what = if kind.eq_ignore_ascii_case("text/event-stream") { What::Stream } else { What::Unknown };
        let is_plain = coding.is_empty() || coding.eq_ignore_ascii_case("identity");
        is_plain.then(|| Self { what, ..Self::default() })
    }

    /// Decides by the first byte after white space and a byte order mark, as the meter does.
    fn begin(&mut self, chunk: &[u8]) {
        let blank = |byte: &&u8| byte.is_ascii_whitespace() || b"\xef\xbb\xbf".contains(byte);
        self.what = match chunk.iter().find(|byte| !blank(byte)) {
            None => return,
            Some(b'{' | b'[') => What::Other,
            Some(b'd' | b'e' | b'i' | b'r' | b':') => What::Events,
            Some(_) if self.what == What::Stream => What::Events,
            Some(_) => What::Other,
        };
    }

    /// Processes a chunk. Returns the bytes to pass on now.
    pub(super) fn feed(&mut self, chunk: &Bytes) -> Bytes {
        if matches!(self.what, What::Stream | What::Unknown) {
            self.begin(chunk);
        }
        if self.what == What::Other && self.held.is_empty() {
            return chunk.clone();
        }
        let mut out = BytesMut::new();
        let mut begin = 0;
        for (at, byte) in chunk.iter().enumerate() {
            let is_end = matches!(byte, b'\n' | b'\r');
            if self.is_behind_chunk && is_end {
                begin = at + 1;
            } else if is_end {
                self.line_end(&chunk[begin..=at], &mut out);
                begin = at + 1;
            } else {
                self.is_behind_chunk = false;
                self.has_line = true;
            }
            self.last = *byte;
        }
        let rest = &chunk[begin..];
        self.is_long |= self.what == What::Other;
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
        if data_of(&rest) == Data::Usage { Bytes::new() } else { rest }
    }

    /// Handles the end of a line. Complete data is passed on without waiting for the blank line, which some services
    /// omit.
    fn line_end(&mut self, line: &[u8], out: &mut BytesMut) {
        let is_blank = !std::mem::take(&mut self.has_line);
        // The second half of CRLF, inside an event whose data is not complete.
        let is_second_half = is_blank && self.last == b'\r' && line == b"\n" && !self.held.is_empty();
        self.held.extend_from_slice(line);
        if is_second_half && !self.is_long {
            return;
        }
        let data = if is_blank || self.is_long { Data::Other } else { data_of(&self.held) };
        match data {
            Data::Open => return,
            Data::Usage => self.is_behind_chunk = true,
            Data::Other => out.extend_from_slice(&self.held),
        }
        self.held.clear();
        self.is_long = false;
    }
}

/// The data of an event so far.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Data {
    /// None yet, or an incomplete object.
    Open,
    /// The usage and nothing else: `"choices":[]`, or no choices.
    Usage,
    /// Anything else.
    Other,
}

fn data_of(event: &[u8]) -> Data {
    #[derive(Deserialize)]
    struct Chunk {
        choices: Option<Vec<IgnoredAny>>,
        usage: Option<IgnoredAny>,
        error: Option<IgnoredAny>,
    }
    let mut data = Vec::new();
    for line in event.split(|byte| matches!(byte, b'\n' | b'\r')) {
        if let Some(rest) = line.strip_prefix(b"data:") {
            data.extend_from_slice(rest);
        }
    }
    match serde_json::from_slice::<Chunk>(&data) {
        Ok(chunk)
            if chunk.usage.is_some() && chunk.error.is_none() && chunk.choices.as_ref().is_none_or(Vec::is_empty) =>
        {
            Data::Usage
        }
        // A comment belongs to no event.
        Err(_) if data.is_empty() && event.starts_with(b":") => Data::Other,
        Err(error) if error.is_eof() => Data::Open,
        Ok(_) | Err(_) => Data::Other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const KEPT: &str = "data: {\"choices\":[{\"delta\":{\"content\":\"a\"}}],\"usage\":null}\n\ndata: {\"choices\":[],\"prompt_filter_results\":[]}\n\n: ping\n\n";
    const GONE: &str = "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":1}}\n\n";
    const LAST: &str = "data: {\"choices\":[{}],\"usage\":{\"prompt_tokens\":1}}\n\ndata: [DONE]\n\n";

    fn hidden(text: &str, size: usize) -> String {
        let mut hide = UsageChunkFilter::default();
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
    fn a_chunk_without_choices_has_the_usage_alone_and_an_error_has_not() {
        let gone = "data: {\"id\":\"a\",\"usage\":{\"prompt_tokens\":1}}\n\ndata: {\"choices\":null,\"usage\":{}}\n\n";
        let error = "data: {\"error\":{},\"usage\":{}}\n\n";
        assert_eq!(hidden(&format!("{gone}{KEPT}{error}"), 9), format!("{KEPT}{error}"));
    }

    #[test]
    fn an_answer_is_a_stream_by_what_it_is_whatever_its_header_says() {
        let stream = format!("{KEPT}{GONE}{LAST}");
        let json = "{\"choices\":[],\"usage\":{\"prompt_tokens\":1}}";
        for kind in ["text/event-stream", "Text/Event-Stream ; charset=utf-8", "text/plain", "application/json"] {
            let shown = |text: &str, size: usize| {
                let headers = HeaderMap::from_iter([(CONTENT_TYPE, kind.parse().unwrap())]);
                let mut hide = UsageChunkFilter::new(&headers).unwrap();
                let chunks = text.as_bytes().chunks(size).map(Bytes::copy_from_slice).collect::<Vec<_>>();
                let mut out: Vec<u8> = chunks.iter().flat_map(|chunk| hide.feed(chunk)).collect();
                out.extend_from_slice(&hide.end());
                String::from_utf8(out).unwrap()
            };
            for size in [1, 7, 500] {
                for begin in ["", "\u{feff}", "\n"] {
                    assert_eq!(shown(&format!("{begin}{stream}"), size), format!("{begin}{KEPT}{LAST}"), "{kind}");
                    assert_eq!(shown(&format!("{begin}{json}"), size), format!("{begin}{json}"), "{kind}");
                }
            }
        }
        assert!(UsageChunkFilter::new(&HeaderMap::from_iter([(CONTENT_ENCODING, "gzip".parse().unwrap())])).is_none());
    }

    #[test]
    fn without_blank_lines_nothing_is_held_back_and_the_chunk_is_taken_out() {
        let single = |text: &str| text.replace("\n\n", "\n");
        for size in [1, 7, 500] {
            assert_eq!(hidden(&single(&format!("{KEPT}{GONE}{LAST}")), size), single(&format!("{KEPT}{LAST}")));
        }
        let mut hide = UsageChunkFilter::default();
        let line = "data: {\"choices\":[{}]}\n";
        assert_eq!(hide.feed(&Bytes::from_static(line.as_bytes())), line);
    }

    #[test]
    fn an_event_may_have_several_lines_of_data() {
        let lines = "event: x\r\ndata: {\"choices\":[],\r\ndata: \"usage\":{}}\r\n\r\n";
        for size in 1..lines.len() {
            assert_eq!(hidden(&format!("{lines}: ping\r\n\r\n"), size), ": ping\r\n\r\n", "{size}");
        }
    }

    #[test]
    fn a_whole_event_is_passed_on_at_once_and_a_long_one_as_it_comes() {
        let mut hide = UsageChunkFilter::default();
        assert_eq!(hide.feed(&Bytes::from_static(b"data: {\"a\":1}\n\nda")), "data: {\"a\":1}\n\n");
        let long = vec![b'x'; LONGEST];
        assert_eq!(hide.feed(&Bytes::from(long.clone())).len(), LONGEST + 2);
        assert_eq!(hide.feed(&Bytes::from_static(b"y")), "y");
        assert_eq!(hide.feed(&Bytes::from_static(b"\n\ndata: z")), "\n\n");
        assert_eq!(hide.end(), "data: z");
    }
}
