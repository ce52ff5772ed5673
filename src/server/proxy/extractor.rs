//! Copies streaming JSON without long texts, long lists and deeply nested values. The result is a document of a few
//! hundred bytes that log formats can read, from a body of any size, in bounded memory.

mod escape;
mod key;

use self::escape::Escape;
use self::key::{Key, Thought};

/// Maximum length of a text that is kept, in bytes of UTF-8. Of longer ones, an answer keeps an empty text, and a
/// request an empty list, so that a name that was left out is not taken for an empty one.
const TEXT: usize = 512;
/// Maximum number of items kept of a list, and of a list of numbers.
const ITEMS: (u32, u32) = (4096, 4);
/// Typical size of the copy in bytes.
const ROOM: usize = 256;
/// Number of bytes of a key that are examined.
const NAME: usize = 24;
/// Size at which nested containers are emptied, except for usage.
const ENOUGH: usize = 256 * 1024;
/// Size at which a document is given up.
const MOST: usize = 1024 * 1024;
/// Depth at which a document is given up.
const DEEPEST: usize = 128;
/// How much of a document is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Depth {
    /// For a response: everything except long values.
    Answer,
    /// For a request: the outermost object, its metadata and its stream options.
    Request,
}

#[derive(Clone, Copy, Debug)]
struct Container {
    is_object: bool,
    /// Number of items that have started.
    items: u32,
    /// True if the first item of a list is a number or a word.
    has_scalars: bool,
    /// True if the texts in this list are a model's.
    is_text: bool,
    /// True inside a part of the request that the answer repeats.
    is_repeated: bool,
    /// True inside a usage object.
    is_usage: bool,
    /// True for the request's stream options.
    is_options: bool,
    /// Where the thoughts in it are written.
    thought: Option<Thought>,
}

/// The copier.
#[derive(Debug)]
pub(super) struct Extractor {
    depth: Depth,
    out: Vec<u8>,
    open: Vec<Container>,
    /// Where the current text starts in `out`.
    text: Option<usize>,
    /// Length of that text in bytes of UTF-8, without its escapes.
    length: usize,
    escape: Escape,
    is_key: bool,
    /// Beginning of the current key.
    name: Vec<u8>,
    key: Key,
    /// Depth of the container whose content is left out.
    muted: Option<usize>,
    /// Where the current number or word starts in `out`.
    scalar: Option<usize>,
    facts: Facts,
}

/// Facts collected during extraction.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Facts {
    /// The outermost `type`.
    pub(super) kind: Vec<u8>,
    /// True if a `usage` is an object.
    pub(super) has_usage: bool,
    /// True if the outermost `error`, or that of a response, is an object or a text.
    pub(super) has_error: bool,
    /// Number of bytes of UTF-8 in the model's texts. Of the places where its thoughts are written, one counts.
    pub(super) text: u64,
    /// Number of bytes in each of those places.
    thoughts: [u64; 3],
    /// Number of input bytes at which the document ended, once it has.
    pub(super) end: Option<u64>,
    /// Number of input bytes before the last brace of the outermost `stream_options`, if it is an object.
    pub(super) options_end: Option<u64>,
    /// True if objects were left out because there are too many of them.
    pub(super) is_cut: bool,
    /// True if the document is too long or too deep to keep.
    pub(super) is_given_up: bool,
    /// Number of bytes read.
    bytes: u64,
}

impl Facts {
    fn add_text(&mut self, length: u64, thought: Option<Thought>) {
        let Some(place) = thought else {
            self.text += length;
            return;
        };
        let most = |thoughts: &[u64; 3]| thoughts.iter().copied().max().unwrap_or_default();
        let before = most(&self.thoughts);
        self.thoughts[place as usize] += length;
        self.text += most(&self.thoughts) - before;
    }
}

impl Extractor {
    pub(super) fn new(depth: Depth) -> Self {
        let (out, open, name) = (Vec::with_capacity(ROOM), Vec::with_capacity(8), Vec::with_capacity(NAME));
        Self { out, open, name, ..Self::empty(depth) }
    }

    /// An extractor that has read nothing and reserved no memory.
    fn empty(depth: Depth) -> Self {
        Self {
            depth,
            out: Vec::new(),
            open: Vec::new(),
            text: None,
            length: 0,
            escape: Escape::None,
            is_key: false,
            name: Vec::new(),
            key: Key::default(),
            muted: None,
            scalar: None,
            facts: Facts::default(),
        }
    }

    /// Facts about the document so far.
    pub(super) fn facts(&self) -> &Facts {
        &self.facts
    }

    /// The copy so far. It is complete once [`Facts::end`] is known.
    pub(super) fn document(&self) -> &[u8] {
        &self.out
    }

    /// Starts the next document.
    pub(super) fn clear(&mut self) {
        let Self { mut out, mut open, mut name, depth, .. } = std::mem::replace(self, Self::empty(self.depth));
        out.clear();
        open.clear();
        name.clear();
        *self = Self { out, open, name, ..Self::empty(depth) };
    }

    /// Processes the next bytes.
    pub(super) fn feed(&mut self, bytes: &[u8]) {
        let before = self.facts.bytes;
        let mut at = 0;
        while at < bytes.len() && self.facts.end.is_none() && !self.facts.is_given_up {
            if self.text.is_some() {
                at += self.in_text(&bytes[at..]);
            } else {
                self.facts.bytes = before + at as u64;
                self.outside(bytes[at]);
                at += 1;
            }
            self.facts.is_given_up |= self.out.len() > MOST || self.open.len() > DEEPEST;
        }
        self.facts.bytes = before + bytes.len() as u64;
    }

    /// Processes part of a text. Returns the number of bytes processed.
    fn in_text(&mut self, bytes: &[u8]) -> usize {
        if self.escape != Escape::None {
            let (read, length) = self.escape.read(bytes);
            self.push_text(&bytes[..read], length);
            return read;
        }
        let end = memchr::memchr2(b'"', b'\\', bytes).unwrap_or(bytes.len());
        match bytes.get(end) {
            None => {
                self.push_text(bytes, end);
                end
            }
            Some(b'\\') => {
                self.escape = Escape::Begun;
                let (read, length) = self.escape.read(&bytes[end + 1..]);
                self.push_text(&bytes[..=end + read], end + length);
                end + 1 + read
            }
            Some(_) => {
                self.push_text(&bytes[..end], end);
                self.close_text();
                end + 1
            }
        }
    }

    /// Copies part of a text that stands for this many bytes of UTF-8.
    fn push_text(&mut self, bytes: &[u8], length: usize) {
        self.length += length;
        if self.is_key {
            let most = NAME.saturating_sub(self.name.len()).min(bytes.len());
            self.name.extend_from_slice(&bytes[..most]);
        }
        if self.muted.is_none() && self.length <= TEXT {
            self.out.extend_from_slice(bytes);
        }
    }

    fn close_text(&mut self) {
        let Some(begin) = self.text.take() else { return };
        let is_short = self.length <= TEXT;
        if self.is_key {
            self.key = Key::new(&self.name, self.open.len(), self.depth);
            self.name.clear();
        } else {
            let (is_text, is_repeated, thought) =
                self.open.last().map_or((false, false, None), |open| (open.is_text, open.is_repeated, open.thought));
            if (self.key.is_text || is_text) && !self.key.is_repeated && !is_repeated {
                self.facts.add_text(self.length as u64, self.key.thought.or(thought));
            }
            if self.key.is_kind && is_short && self.muted.is_none() {
                self.facts.kind = self.out.get(begin..).unwrap_or_default().to_vec();
            }
            self.facts.has_error |= self.key.is_error;
            self.key = Key::default();
        }
        let is_key = std::mem::take(&mut self.is_key);
        if self.muted.is_none() {
            if !is_short {
                self.out.truncate(begin);
            }
            if !is_short && !is_key && self.depth == Depth::Request {
                self.out.pop();
                self.out.extend_from_slice(b"[]");
            } else {
                self.out.push(b'"');
            }
        }
    }

    fn outside(&mut self, byte: u8) {
        match byte {
            b'"' => {
                self.scalar = None;
                self.begin_item(false);
                self.is_key = self.key_is_next();
                self.push(b'"');
                self.text = Some(self.out.len());
                self.length = 0;
            }
            b'{' | b'[' => self.begin(byte == b'{', byte),
            b'}' | b']' => self.end(byte),
            b',' => {
                self.end_scalar();
                self.key = Key::default();
                self.next_item();
                self.push(b',');
            }
            b':' => {
                self.scalar = None;
                self.push(b':');
                if let Some(object) = self.open.last_mut().filter(|open| open.is_object) {
                    // A value follows. While the number of items is even, a key is next.
                    object.items |= 1;
                }
            }
            // A byte order mark.
            0xef | 0xbb | 0xbf if self.out.is_empty() => {}
            byte if byte.is_ascii_whitespace() => self.end_scalar(),
            byte => {
                if self.scalar.is_none() {
                    self.scalar = Some(self.out.len());
                    self.begin_item(true);
                }
                self.push(byte);
            }
        }
    }

    /// Ends a number or a word. `NaN` and the infinities, which some services write, are no JSON and become null.
    fn end_scalar(&mut self) {
        let Some(begin) = self.scalar.take().filter(|_| self.muted.is_none()) else { return };
        if matches!(self.out.get(begin..), Some(b"NaN" | b"Infinity" | b"-Infinity")) {
            self.out.truncate(begin);
            self.out.extend_from_slice(b"null");
        }
    }

    /// True when the next text is a key.
    fn key_is_next(&self) -> bool {
        self.open.last().is_some_and(|open| open.is_object && open.items & 1 == 0)
    }

    fn begin_item(&mut self, is_scalar: bool) {
        if let Some(list) = self.open.last_mut().filter(|open| !open.is_object && open.items == 0) {
            list.has_scalars = is_scalar;
        }
    }

    fn begin(&mut self, is_object: bool, byte: u8) {
        self.scalar = None;
        self.begin_item(false);
        let above = self.open.last().copied();
        let is_usage = self.key.is_usage || above.is_some_and(|above| above.is_usage);
        self.facts.has_usage |= self.key.is_usage && is_object;
        self.facts.has_error |= self.key.is_error;
        let is_text = !is_object && (self.key.is_text || above.is_some_and(|above| above.is_text));
        let is_repeated = self.key.is_repeated || above.is_some_and(|above| above.is_repeated);
        let is_options = self.key.is_options && is_object;
        let thought = self.key.thought.or_else(|| above?.thought);
        self.push(byte);
        let (items, has_scalars) = (0, false);
        let open = Container { is_object, items, has_scalars, is_text, is_repeated, is_usage, is_options, thought };
        self.open.push(open);
        let is_out = match self.depth {
            Depth::Request => self.open.len() > 1 && !self.key.is_kept,
            Depth::Answer => self.open.len() > 2 && !is_usage && self.out.len() > ENOUGH,
        };
        if is_out && self.muted.is_none() {
            self.facts.is_cut = true;
            self.muted = Some(self.open.len());
        }
        self.key = Key::default();
    }

    fn end(&mut self, byte: u8) {
        self.end_scalar();
        if self.muted == Some(self.open.len()) {
            self.muted = None;
        }
        if self.open.pop().is_some_and(|open| open.is_options) {
            self.facts.options_end = Some(self.facts.bytes);
        }
        self.push(byte);
        self.key = Key::default();
        if self.open.is_empty() {
            self.facts.end = Some(self.facts.bytes + 1);
        }
    }

    /// Handles a comma: the next key of an object or the next item of a list.
    fn next_item(&mut self) {
        let depth = self.open.len();
        let Some(open) = self.open.last_mut() else { return };
        if open.is_object {
            open.items &= !1;
            return;
        }
        open.items = open.items.saturating_add(1);
        let most = if open.has_scalars { ITEMS.1 } else { ITEMS.0 };
        if open.items >= most && self.muted.is_none() {
            self.facts.is_cut |= !open.has_scalars;
            self.muted = Some(depth);
        }
    }

    fn push(&mut self, byte: u8) {
        if self.muted.is_none() {
            self.out.push(byte);
        }
    }
}

#[cfg(test)]
mod tests;
