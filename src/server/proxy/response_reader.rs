//! Reads the copy of a response: collects the parts needed for booking, and detects its end.

use std::collections::VecDeque;

use hyper::HeaderMap;
use hyper::header::CONTENT_TYPE;

use super::events::{Events, Piece};
use super::extractor::{Depth, Extractor};
use super::unpack::Unpack;

/// Number of events with usage that are kept. If every event of a stream has usage, the last ones.
const KEPT: usize = 4;
/// The data of the event that ends a stream.
const DONE: &[u8] = b"[DONE]";

/// The parts of a response that are needed for booking.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Seen {
    /// The first event, which contains the response's id and, for Anthropic, its input.
    pub(super) first: Option<Vec<u8>>,
    /// The last events with usage, and one that reports a failed response; or the whole body.
    pub(super) usage: VecDeque<Vec<u8>>,
    /// Within a message, the last event with usage that usually has none, such as `ping`.
    pub(super) unusual_usage: Option<Vec<u8>>,
    /// True after the first event of a message.
    pub(super) is_message: bool,
    /// Number of bytes of text written by the model.
    pub(super) text: u64,
    /// True if the response ended as its API prescribes.
    pub(super) is_whole: bool,
    /// True if parts of it were left out because there are too many.
    pub(super) is_cut: bool,
    /// True if it reports a failure.
    pub(super) is_failed: bool,
    /// True if it could not be read: an unknown coding, damaged, or too long.
    pub(super) is_unread: bool,
    /// True if any byte of it has arrived.
    pub(super) is_begun: bool,
}

/// Reads a response.
pub(super) struct ResponseReader {
    unpack: Unpack,
    reading: Reading,
    seen: Seen,
    /// Number of bytes received.
    bytes: u64,
    /// Number of events with usage.
    usage: u64,
}

enum Reading {
    /// Nothing was read yet; what the headers say it is.
    Begins(Kind),
    /// One JSON value.
    Body(Extractor),
    /// Server-sent events.
    Stream { events: Events, extractor: Extractor, head: Vec<u8> },
    /// Neither.
    Nothing,
}

/// The kind of a response by its headers.
#[derive(Clone, Copy)]
enum Kind {
    Json,
    Stream,
    Other,
}

impl Reading {
    /// How to read a response with this first byte, which is more reliable than the header: gateways label streams as
    /// JSON and JSON as text.
    fn of(first: u8, kind: Kind) -> Self {
        let kind = match first {
            b'{' | b'[' => Kind::Json,
            // `data:`, `event:`, `id:`, `retry:` and comments.
            b'd' | b'e' | b'i' | b'r' | b':' => Kind::Stream,
            _ => kind,
        };
        let extractor = Extractor::new(Depth::Answer);
        match kind {
            Kind::Json => Self::Body(extractor),
            Kind::Stream => Self::Stream { events: Events::default(), extractor, head: Vec::new() },
            Kind::Other => Self::Nothing,
        }
    }

    /// Skips white space and a byte order mark, and decides by the first byte after them.
    fn begun<'a>(&mut self, bytes: &'a [u8]) -> &'a [u8] {
        let Self::Begins(kind) = self else { return bytes };
        let blank = |byte: &u8| byte.is_ascii_whitespace() || b"\xef\xbb\xbf".contains(byte);
        let start = bytes.iter().position(|byte| !blank(byte)).unwrap_or(bytes.len());
        if let Some(first) = bytes.get(start) {
            *self = Self::of(*first, *kind);
        }
        &bytes[start..]
    }
}

impl ResponseReader {
    /// A meter for a response with these headers.
    pub(super) fn new(headers: &HeaderMap) -> Self {
        let kind = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let kind = kind.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        let kind = match kind.as_str() {
            "text/event-stream" => Kind::Stream,
            "application/json" | "" => Kind::Json,
            kind if kind.ends_with("+json") => Kind::Json,
            _ => Kind::Other,
        };
        let reading = Reading::Begins(kind);
        Self { unpack: Unpack::of_headers(headers), reading, seen: Seen::default(), bytes: 0, usage: 0 }
    }

    /// Processes the next bytes.
    pub(super) fn feed(&mut self, chunk: &[u8]) {
        self.bytes += chunk.len() as u64;
        let Self { unpack, reading, seen, usage, .. } = self;
        seen.is_begun |= !chunk.is_empty();
        unpack.feed(chunk, |bytes| {
            let bytes = reading.begun(bytes);
            match reading {
                Reading::Body(extractor) => {
                    extractor.feed(bytes);
                    seen.is_whole |= extractor.facts().end.is_some();
                }
                Reading::Stream { events, extractor, head } => events.feed(bytes, |piece| match piece {
                    // Some services leave out the blank line between events.
                    Piece::NextLine if is_ended(extractor, head) => *usage += seen.take(extractor, head),
                    Piece::NextLine => extractor.feed(b"\n"),
                    Piece::Data(data) => {
                        head.extend(data.iter().take(DONE.len().saturating_sub(head.len())));
                        extractor.feed(data);
                    }
                    Piece::End => *usage += seen.take(extractor, head),
                }),
                Reading::Begins(_) | Reading::Nothing => {}
            }
        });
    }

    /// Number of bytes received.
    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Number of events with usage received.
    pub(super) fn usage_events(&self) -> u64 {
        self.usage
    }

    /// True once the end of the response has been seen.
    pub(super) fn is_whole(&self) -> bool {
        self.seen.is_whole
    }

    /// The parts needed for booking, once nothing more comes or the end has been seen.
    pub(super) fn seen(&mut self) -> Seen {
        match &mut self.reading {
            Reading::Body(extractor) if extractor.facts().end.is_some() => {
                self.seen.text = extractor.facts().text;
                self.seen.is_failed = extractor.facts().has_error;
                self.seen.is_cut = extractor.facts().is_cut;
                self.seen.first = Some(extractor.document().to_vec());
                self.seen.usage = VecDeque::from([extractor.document().to_vec()]);
            }
            Reading::Body(extractor) => {
                self.seen.text = extractor.facts().text;
                self.seen.is_unread |= extractor.facts().is_given_up;
            }
            Reading::Stream { extractor, head, .. } => {
                // The blank line that ends an event may be missing at the end of a stream.
                if is_ended(extractor, head) {
                    self.usage += self.seen.take(extractor, head);
                }
                // An event that was cut off.
                let text = self.seen.text + if extractor.facts().end.is_none() { extractor.facts().text } else { 0 };
                return Seen { text, is_unread: self.seen.is_unread || self.unpack.is_unknown(), ..self.seen.clone() };
            }
            Reading::Begins(Kind::Json | Kind::Stream) => {}
            Reading::Begins(Kind::Other) | Reading::Nothing => self.seen.is_unread = true,
        }
        self.seen.is_unread |= self.unpack.is_unknown();
        self.seen.clone()
    }
}

/// True once all of an event's data was read.
fn is_ended(extractor: &Extractor, head: &[u8]) -> bool {
    extractor.facts().end.is_some() || head == DONE
}

impl Seen {
    /// Records an event and starts the next one. Returns 1 if it has usage, else 0.
    fn take(&mut self, extractor: &mut Extractor, head: &mut Vec<u8>) -> u64 {
        let usage = if head == DONE {
            self.is_whole = true;
            0
        } else {
            self.event(extractor);
            u64::from(extractor.facts().has_usage)
        };
        head.clear();
        extractor.clear();
        usage
    }

    /// Records an event.
    fn event(&mut self, extractor: &Extractor) {
        let facts = extractor.facts();
        // Responses repeats each text when it is complete, and the request when it starts.
        if !facts.kind.starts_with(b"response.") || facts.kind.ends_with(b".delta") {
            self.text += facts.text;
        }
        self.is_unread |= facts.is_given_up;
        self.is_failed |= facts.has_error || facts.kind == b"error" || facts.kind == b"response.failed";
        self.is_whole |= matches!(
            facts.kind.as_slice(),
            b"message_stop"
                | b"response.completed"
                | b"response.incomplete"
                | b"response.failed"
                | b"response.cancelled"
        );
        if facts.end.is_none() {
            return;
        }
        // A keep-alive event contains no id, and only the start of a message has its input.
        if facts.kind == b"message_start" || (self.first.is_none() && facts.kind != b"ping") {
            self.first = Some(extractor.document().to_vec());
        }
        let is_start = facts.kind == b"message_start";
        self.is_message |= is_start;
        if facts.has_usage && self.is_message && !is_start && facts.kind != b"message_delta" {
            self.unusual_usage = Some(extractor.document().to_vec());
        } else if facts.has_usage || facts.kind == b"response.failed" {
            self.is_cut |= facts.is_cut;
            if self.usage.len() == KEPT {
                self.usage.pop_front();
            }
            self.usage.push_back(extractor.document().to_vec());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn meter(kind: &'static str) -> ResponseReader {
        ResponseReader::new(&HeaderMap::from_iter([(CONTENT_TYPE, kind.parse().unwrap())]))
    }

    #[test]
    fn of_usage_on_every_chunk_the_last_ones_are_kept() {
        let mut meter = meter("text/event-stream; charset=utf-8");
        for count in 0..100 {
            meter.feed(format!("data: {{\"id\":\"a\",\"usage\":{{\"completion_tokens\":{count}}}}}\n\n").as_bytes());
        }
        assert!(!meter.is_whole());
        meter.feed(b"data: [DONE]\n\n");
        let seen = meter.seen();
        assert!(seen.is_whole && seen.usage.len() == KEPT);
        assert_eq!(seen.usage.back().unwrap(), br#"{"id":"a","usage":{"completion_tokens":99}}"#);
        assert_eq!(seen.first.unwrap(), br#"{"id":"a","usage":{"completion_tokens":0}}"#);
    }

    #[test]
    fn a_body_ends_with_its_last_brace_and_what_is_no_json_is_not_read() {
        let mut body = meter("application/json");
        body.feed(b"{\"choices\":[{\"message\":{\"content\":\"hello\"}}]");
        assert!(!body.is_whole() && body.seen().usage.is_empty());
        body.feed(b"}");
        assert!(body.is_whole() && body.seen().usage.len() == 1 && body.seen().text == 5);
        let mut page = meter("text/html");
        page.feed(b"<html>");
        assert!(page.seen().is_unread);
    }

    #[test]
    fn an_answer_is_read_by_what_it_is_whatever_its_header_says() {
        let body = "{\"id\":\"a\",\"usage\":{\"prompt_tokens\":7}}";
        let stream = format!(": hi\n\ndata: {body}\n\ndata: [DONE]\n\n");
        for kind in ["text/plain", "text/html", "application/json", "text/event-stream", "application/octet-stream"] {
            for begin in ["", "\u{feff}", "\r\n "] {
                for text in [body, &stream] {
                    let mut meter = meter(kind);
                    for byte in format!("{begin}{text}").bytes() {
                        meter.feed(&[byte]);
                    }
                    let seen = meter.seen();
                    assert!(seen.is_whole && !seen.is_unread, "{kind}: {begin:?}{text}");
                    assert_eq!(seen.usage, [body.as_bytes()], "{kind}: {begin:?}{text}");
                }
            }
        }
    }

    #[test]
    fn events_need_no_blank_line_between_them_nor_behind_the_last() {
        let body = "{\"id\":\"a\",\"usage\":{\"prompt_tokens\":7}}";
        for (text, is_whole) in [
            (format!("data: {{\"id\":\"a\"}}\ndata: {body}\ndata: [DONE]\n"), true),
            (format!("data: {{\"id\":\"a\"}}\n\ndata: {body}\n\ndata: [DONE]"), true),
            (format!("data: {body}\n"), false),
            (format!("data: {body}"), false),
        ] {
            let mut meter = meter("text/event-stream");
            meter.feed(text.as_bytes());
            let (seen, again) = (meter.seen(), meter.seen());
            assert_eq!(
                (seen.usage.iter().map(Vec::as_slice).collect(), seen.is_whole),
                (vec![body.as_bytes()], is_whole)
            );
            assert_eq!((seen, meter.usage_events()), (again, 1));
        }
    }

    #[test]
    fn an_answer_with_too_many_items_is_known_to_be_cut_streamed_or_not() {
        let items = vec!["{}"; 10_000].join(",");
        let body = format!("{{\"output\":[{items}],\"usage\":{{\"input_tokens\":7}}}}");
        let event = format!("data: {{\"type\":\"response.completed\",\"response\":{body}}}\n\n");
        for (kind, text) in [("application/json", &body), ("text/event-stream", &event)] {
            let mut meter = meter(kind);
            meter.feed(text.as_bytes());
            let seen = meter.seen();
            assert!(seen.is_whole && seen.is_cut && seen.usage.len() == 1, "{kind}");
        }
    }

    #[test]
    fn a_message_begins_with_its_start_whatever_comes_before_and_after() {
        let mut meter = meter("text/event-stream");
        meter.feed(
            b"data: {\"type\":\"hello\"}\n\ndata: {\"type\":\"message_start\",\"message\":{\"usage\":{\"n\":1}}}\n\n",
        );
        for _ in 0..2 * KEPT {
            meter.feed(b"data: {\"type\":\"message_delta\",\"usage\":{\"n\":2}}\n\n");
        }
        let seen = meter.seen();
        assert_eq!(seen.first.unwrap(), br#"{"type":"message_start","message":{"usage":{"n":1}}}"#);
        assert_eq!(seen.usage.len(), KEPT);
    }

    #[test]
    fn a_response_that_failed_is_over() {
        let mut meter = meter("text/event-stream");
        meter.feed(b"event: response.failed\ndata: {\"type\":\"response.failed\",\"response\":{\"id\":\"resp_1\",\"usage\":null}}\n\n");
        let seen = meter.seen();
        assert!(seen.is_whole && seen.is_failed && seen.usage.len() == 1);
        assert_eq!(meter.usage_events(), 0);
    }

    #[test]
    fn what_an_answer_repeats_of_its_request_is_not_its_text_and_escapes_count_as_what_they_stand_for() {
        let response = r#"{"object":"response","instructions":"be brief","input":[{"content":"hi"}],"text":{"format":{"description":"d"}},"tools":[{"type":"function","description":"d","parameters":{"content":"c"}}],"metadata":{"text":"t"},"prompt":{"variables":{"text":"t"}},"output":OUTPUT}"#;
        let output = r#"[{"type":"message","content":[{"type":"output_text","text":"h\u00e9\n\ud83d\ude00"}]},{"type":"custom_tool_call","input":"12345"}]"#;
        for (output, text) in [("[]", 0), (output, 13)] {
            let body = response.replace("OUTPUT", output);
            for whole in [body.clone(), format!("data: {{\"response\":{body}}}\n\n")] {
                let mut meter = meter("application/json");
                meter.feed(whole.as_bytes());
                assert_eq!(meter.seen().text, text, "{whole}");
            }
        }
    }

    #[test]
    fn usage_of_other_events_takes_no_place_of_that_of_a_message() {
        let mut meter = meter("text/event-stream");
        let event = |kind: &str, count: u64| format!(r#"{{"type":"{kind}","usage":{{"output_tokens":{count}}}}}"#);
        let start = r#"{"type":"message_start","message":{"usage":{"output_tokens":1}}}"#.to_owned();
        let delta = event("message_delta", 42);
        let pings = (0..2 * KEPT as u64).map(|count| event("ping", count));
        let events = [start.clone()].into_iter().chain(pings.clone()).chain([delta.clone()]).chain(pings);
        for event in events.chain([event("message_stop", 43)]) {
            meter.feed(format!("data: {event}\n\n").as_bytes());
        }
        let seen = meter.seen();
        assert_eq!(seen.usage, [start.as_bytes(), delta.as_bytes()]);
        assert_eq!(seen.unusual_usage, Some(event("message_stop", 43).into_bytes()));
        assert!(seen.is_whole);
    }
}
