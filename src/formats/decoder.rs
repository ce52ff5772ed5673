//! Decodes one file or feed, whatever the formats of its lines.

mod only;
mod outcome;

use serde::de::IgnoredAny;
use serde_json::value::RawValue;

pub use self::outcome::Outcome;
use super::prefilter::{Prefilter, Set};
use super::repair::Cut;
use super::{
    ALL, BadLine, Format, FormatId, Origin, Reader, Reading, Value, escaped, json, prefilters, repair, saved_state, sse,
};
use crate::domain::Record;

/// Decoder for one file in any mix of formats.
///
/// Each line is offered to the formats whose needles it contains, starting with the format of the previous line. A
/// broken line is repaired where possible: padding and control bytes are removed, two objects on one line are both
/// read, and so is a complete object after a truncated one. If a line is a list, which no format reads as a whole, each
/// item is read as if it were a line.
pub struct Decoder {
    /// The readers created so far, each with its format's index in the registry. There are dozens of formats, but a
    /// file has one or two.
    readers: Vec<(usize, Box<dyn Reader>)>,
    /// Index of the format in the registry, if one agent writes all lines.
    own: Option<usize>,
    /// Search for the needles, created when a line is first searched.
    prefilter: Option<&'static Prefilter>,
    /// Formats that may be tried.
    allowed: Set,
    /// Format of the last decoded line.
    current: Option<usize>,
    /// True if the first format that is recognised applies to all lines.
    one_format: bool,
    nul_bytes: u64,
    /// Number of further lines that may belong to the file's opening, see [`Format::opening`]. [`UNREAD`] before the
    /// first line.
    opening: u16,
}

/// No line has been read yet.
const UNREAD: u16 = OPENING + 1;
/// Maximum length of an opening in lines, while no format has decoded one. The fork of a long session opens with one
/// snapshot per prompt.
const OPENING: u16 = 10_000;

impl Decoder {
    /// A decoder for these formats only, by name; all formats if empty.
    pub fn new(only: &[&str]) -> Self {
        let allowed = |format: &dyn Format| only.is_empty() || only.contains(&format.name());
        let bits = ALL.iter().enumerate().filter(|(_, format)| allowed(**format)).map(|(at, _)| 1 << at);
        Self {
            allowed: bits.fold(0, |all, bit: Set| all | bit),
            readers: Vec::new(),
            own: None,
            prefilter: None,
            current: None,
            one_format: false,
            nul_bytes: 0,
            opening: UNREAD,
        }
    }

    /// A decoder for files that only one agent writes, in its own place. The format is known before any line is read.
    pub fn of_format(format: FormatId, only: &[&str]) -> Self {
        let mut decoder = Self::new(only).of_one_program();
        let place = format.place();
        decoder.own = Some(place);
        decoder.current = Some(place).filter(|place| decoder.allowed & (1 << place) != 0);
        decoder
    }

    /// Declares that one program writes all lines. Once its format is known, other formats' needles are not searched
    /// for.
    #[must_use]
    pub fn of_one_program(mut self) -> Self {
        self.one_format = true;
        self
    }

    /// Decodes one line, with or without a line end, and appends its records to `out`.
    pub fn line(&mut self, line: &[u8], origin: &Origin, out: &mut Vec<Record>) -> Outcome {
        if self.opening == UNREAD {
            // A decoder that starts inside a file has missed the opening.
            self.opening = if origin.offset == 0 { OPENING } else { 0 };
        }
        let line = self.trimmed(line);
        if let Some(own) = self.own.filter(|own| ALL[*own].is_text()) {
            return self.text(own, line, origin, out);
        }
        let Some(line) = sse::payload(line).filter(|line| !line.is_empty()) else { return Outcome::Passed };
        let offer = match self.offer(line, origin, out) {
            Ok(offer) => offer,
            Err(BadLine::NotJson(_)) => return self.mended(line, origin, out),
            Err(bad) => return Outcome::Bad(bad),
        };
        // Skipped values are not validated, so invalid characters in them go unnoticed.
        let is_sound = |json| json::parse::<IgnoredAny>(json).is_ok() && repair::cleaned(json).is_none();
        match (offer, sse::payload(line)) {
            (Offer::Taken, _) => Outcome::Read,
            // Framing around the events of a stream.
            (_, None) => Outcome::Passed,
            (Offer::Unmarked, Some(json)) => repair::torn(json).map_or(Outcome::Passed, Outcome::Bad),
            (Offer::Refused, Some(json)) if is_sound(json) => self.items(json, origin, out),
            (Offer::Refused, Some(_)) => self.mended(line, origin, out),
        }
    }

    /// Decodes plain text, which is not JSON and so cannot be truncated JSON. An object over several lines is as many
    /// lines of text.
    fn text(&mut self, own: usize, text: &[u8], origin: &Origin, out: &mut Vec<Record>) -> Outcome {
        let (mut outcome, mut at) = (Outcome::Passed, origin.clone());
        for line in text.split_inclusive(|byte| *byte == b'\n') {
            outcome = outcome.or(self.text_line(own, line.trim_ascii_end(), &at, out));
            at.offset += line.len() as u64;
        }
        outcome
    }

    fn text_line(&mut self, own: usize, line: &[u8], origin: &Origin, out: &mut Vec<Record>) -> Outcome {
        if self.current != Some(own) || self.prefilter().first(line, Some(own)).is_none() {
            return Outcome::Passed;
        }
        self.read_with(|reader| reader.line(line, origin, out))
    }

    /// Reads a whole document in the known format, and appends its records to `out`.
    pub fn document(&mut self, text: &[u8], origin: &Origin, out: &mut Vec<Record>) -> Outcome {
        let text = self.trimmed(text);
        self.read_with(|reader| reader.line(text, origin, out))
    }

    /// Reads one row returned by query number `query` of the known format.
    pub fn row(&mut self, query: usize, row: &[Value<'_>], origin: &Origin, out: &mut Vec<Record>) -> Outcome {
        self.read_with(|reader| reader.row(query, row, origin, out))
    }

    /// Passes on a file that describes the whole log. Returns what the reader has learned so far.
    pub fn describe(&mut self, text: &[u8]) -> String {
        let Some(reader) = self.current.map(|at| self.reader(at)) else { return String::new() };
        reader.describe(text);
        reader.facts()
    }

    fn read_with(&mut self, read: impl FnOnce(&mut dyn Reader) -> Result<Reading, BadLine>) -> Outcome {
        let Some(at) = self.current else { return Outcome::Passed };
        match read(self.reader(at)) {
            Ok(Reading::Mine) => Outcome::Read,
            Ok(Reading::NotMine) => Outcome::Other,
            Err(bad) => Outcome::Bad(bad),
        }
    }

    /// Appends the status reports in the lines so far, each one once.
    pub fn statuses(&mut self, out: &mut Vec<Record>) {
        self.readers.iter_mut().for_each(|(_, reader)| reader.statuses(out));
    }

    /// Format of the last decoded line.
    pub fn format(&self) -> Option<&'static str> {
        self.current.map(|at| ALL[at].name())
    }

    /// Number of NUL bytes removed from lines so far. Writers of truncated files leave them behind.
    pub fn nul_bytes(&self) -> u64 {
        self.nul_bytes
    }

    /// State to resume after a restart; empty if there is none.
    pub fn state(&self) -> String {
        let mut formats: Vec<(&str, String)> = self
            .readers
            .iter()
            .map(|(at, reader)| (ALL[*at].name(), reader.state()))
            .filter(|(_, state)| !state.is_empty())
            .collect();
        formats.sort_unstable();
        let opening = if self.opening == UNREAD { 0 } else { self.opening };
        if formats.is_empty() && self.current.is_none() && opening == 0 {
            return String::new();
        }
        saved_state::write(self.format(), &formats, opening)
    }

    /// Restores the output of [`Decoder::state`]. Invalid state is ignored.
    pub fn restore(&mut self, state: &str) {
        let Some(saved) = saved_state::read(state) else { return };
        self.opening = saved.opening;
        let place = |name: &str| ALL.iter().position(|format| format.name() == name);
        self.current = saved.on.and_then(|name| place(&name));
        for (at, state) in saved.formats.iter().filter_map(|(name, state)| Some((place(name)?, state))) {
            self.reader(at).restore(state);
        }
    }

    /// The reader of the format at this index.
    fn reader(&mut self, at: usize) -> &mut dyn Reader {
        let made = self.readers.iter().position(|(place, _)| *place == at).unwrap_or_else(|| {
            self.readers.push((at, ALL[at].reader()));
            self.readers.len() - 1
        });
        &mut *self.readers[made].1
    }

    /// Strips the line end, white space, a byte order mark, and NUL padding.
    fn trimmed<'line>(&mut self, line: &'line [u8]) -> &'line [u8] {
        if let [b'{', .., b'}'] = line {
            return line;
        }
        let edge = |byte: &u8| *byte == 0 || byte.is_ascii_whitespace();
        let Some(first) = line.iter().position(|byte| !edge(byte)) else {
            self.count_nuls(line);
            return &[];
        };
        let last = line.iter().rposition(|byte| !edge(byte)).unwrap_or(first);
        self.count_nuls(&line[..first]);
        self.count_nuls(&line[last + 1..]);
        let inner = &line[first..=last];
        inner.strip_prefix(repair::BYTE_ORDER_MARK).map_or(inner, <[u8]>::trim_ascii_start)
    }

    fn count_nuls(&mut self, bytes: &[u8]) {
        self.nul_bytes += bytes.iter().filter(|byte| **byte == 0).map(|_| 1).sum::<u64>();
    }

    /// The search for needles. It is only built for the first line, because databases and documents do not need one.
    fn prefilter(&mut self) -> &'static Prefilter {
        let own = self.own;
        self.prefilter.get_or_insert_with(|| prefilters::prefilter_for(own))
    }

    /// Offers a line to the formats whose needles it contains.
    fn offer(&mut self, line: &[u8], origin: &Origin, out: &mut Vec<Record>) -> Result<Offer, BadLine> {
        let alone = self.current.filter(|_| self.one_format);
        if alone.is_some_and(|at| ALL[at].is_idle(line)) {
            return Ok(Offer::Unmarked);
        }
        let turn = || alone.filter(|at| ALL[*at].marks_turn(line)).map(|at| 1 << at);
        let Some(first) = self.prefilter().first(line, alone).or_else(turn) else {
            if self.opening > 0 {
                self.open(line);
            }
            return self.offer_escaped(line, 0, alone.is_some(), origin, out);
        };
        let tried = match self.current {
            Some(at) if first & self.allowed & (1 << at) != 0 => {
                if self.reader(at).line(line, origin, out)? == Reading::Mine {
                    return Ok(Offer::Taken);
                }
                1 << at
            }
            _ => 0,
        };
        let wanted = self.prefilter().all(line) & self.allowed & !tried;
        match self.try_all(wanted, line, origin, out)? {
            Offer::Taken => Ok(Offer::Taken),
            Offer::Unmarked if tried == 0 => Ok(Offer::Unmarked),
            Offer::Unmarked | Offer::Refused => self.offer_escaped(line, wanted | tried, false, origin, out),
        }
    }

    /// Offers a line that the formats in `tried` rejected to formats whose needles it contains in escaped form.
    fn offer_escaped(
        &mut self,
        line: &[u8],
        tried: Set,
        alone: bool,
        origin: &Origin,
        out: &mut Vec<Record>,
    ) -> Result<Offer, BadLine> {
        let nobody = if tried == 0 { Offer::Unmarked } else { Offer::Refused };
        let Some(plain) = escaped::written_out(line, alone) else { return Ok(nobody) };
        let wanted = self.prefilter().all(&plain) & self.allowed & !tried;
        match self.try_all(wanted, line, origin, out)? {
            Offer::Unmarked => Ok(nobody),
            offer @ (Offer::Refused | Offer::Taken) => Ok(offer),
        }
    }

    /// Offers a line to these formats, starting with the one that decoded the previous line.
    fn try_all(&mut self, wanted: Set, line: &[u8], origin: &Origin, out: &mut Vec<Record>) -> Result<Offer, BadLine> {
        let order = self.current.into_iter().chain(0..ALL.len());
        let mut done: Set = 0;
        for at in order {
            let bit = 1 << at;
            if wanted & bit == 0 || done & bit != 0 {
                continue;
            }
            done |= bit;
            if self.reader(at).line(line, origin, out)? == Reading::Mine {
                (self.current, self.opening) = (Some(at), 0);
                return Ok(Offer::Taken);
            }
        }
        Ok(if wanted == 0 { Offer::Unmarked } else { Offer::Refused })
    }

    /// Passes an opening line without needles to the formats that read openings.
    #[cold]
    fn open(&mut self, line: &[u8]) {
        self.opening -= 1;
        let allowed = self.allowed;
        for (at, format) in ALL.iter().enumerate().filter(|(at, _)| allowed & (1 << at) != 0) {
            let wanted = format.opening().is_some_and(|mark| memchr::memmem::find(line, mark.as_bytes()).is_some());
            if wanted && self.current.is_none_or(|current| current == at) && self.reader(at).open(line) {
                self.opening = 0;
            }
        }
    }

    /// Offers one of several objects on a line.
    fn part(&mut self, object: &[u8], origin: &Origin, out: &mut Vec<Record>) -> Outcome {
        match self.offer(object, origin, out) {
            Ok(Offer::Unmarked) => Outcome::Passed,
            Ok(Offer::Refused) => Outcome::Other,
            Ok(Offer::Taken) => Outcome::Read,
            Err(bad) => Outcome::Bad(bad),
        }
    }

    /// Reads the items of a line that is a list, such as the output of `claude -p --output-format json --verbose`.
    fn items(&mut self, line: &[u8], origin: &Origin, out: &mut Vec<Record>) -> Outcome {
        if !line.starts_with(b"[") {
            return Outcome::Other;
        }
        let items = json::parse::<Vec<&RawValue>>(line).unwrap_or_default();
        let objects = items.into_iter().map(|item| item.get().as_bytes()).filter(|item| item.starts_with(b"{"));
        objects.fold(Outcome::Other, |so_far, object| so_far.or(self.part(object, origin, out)))
    }

    /// Recovers parts of a line that is not a single JSON value.
    fn mended(&mut self, line: &[u8], origin: &Origin, out: &mut Vec<Record>) -> Outcome {
        let cleaned = repair::cleaned(line);
        let line = cleaned.as_deref().map_or(line, |cleaned| {
            self.nul_bytes += repair::nuls(line);
            cleaned
        });
        let Cut { objects, torn } = repair::cut(line);
        let mut outcome = Outcome::Passed;
        for object in objects {
            let mut next = self.part(object, origin, out);
            if next == Outcome::Other {
                next = self.items(object, origin, out);
            }
            outcome = outcome.or(next);
        }
        let Some((mut torn, why)) = torn else { return outcome };
        if let Some(list) = torn.strip_prefix(b"[") {
            // A list with one item per line begins or ends here.
            let items = repair::cut(list);
            items.objects.into_iter().for_each(|object| _ = self.part(object, origin, out));
            torn = items.torn.map_or(&[], |(rest, _)| rest);
        }
        // The line counts as bad either way.
        match (self.current, repair::behind(torn)) {
            // Only the file's current format may decode it, because a fragment could look like another format's line.
            (Some(at), Some(whole)) => {
                if self.prefilter().all(whole) & self.allowed & (1 << at) != 0 {
                    let _ = self.reader(at).line(whole, origin, out);
                }
            }
            // Before the first whole line no format is known.
            (None, Some(whole)) if !repair::may_be_inside(&torn[..torn.len() - whole.len()]) => {
                self.part(whole, origin, out);
            }
            (None, Some(_)) | (_, None) => {}
        }
        Outcome::Bad(why)
    }
}

/// How the formats responded to a line.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Offer {
    /// No needle found.
    Unmarked,
    /// Rejected by all.
    Refused,
    /// Decoded by one.
    Taken,
}
