//! Finds the few lines that can contain usage, at memory speed.

use std::path::Path;

use aho_corasick::packed::Searcher;
use aho_corasick::{AhoCorasick, Anchored, Input, MatchKind};
use memchr::memmem::Finder;

use super::{Env, Format};

/// Length of the part searched for end hints.
const END: usize = 2048;

/// A set of formats, one bit each, by position in the table.
pub(super) type Set = u128;

/// Searches for the markers of many formats at once.
///
/// A marker that contains another is found by the shorter: slightly less specific, but one needle fewer.
pub(super) struct Sieve {
    search: Search,
    /// Formats per needle.
    sets: Vec<Set>,
    /// Needles of each format in files of that format alone.
    hints: Vec<Vec<Finder<'static>>>,
    /// Needles for the ends of lines there.
    end_hints: Vec<Vec<Finder<'static>>>,
    /// Length of the longest marker.
    longest: usize,
}

impl Sieve {
    /// For the lines of all these formats; or of one of them, by its place, in its own files: there, agents that have a
    /// place of their own need not be looked for.
    pub(super) fn new(formats: &[&dyn Format], own: Option<usize>) -> Self {
        let wanted: Vec<(&dyn Format, Set)> = formats
            .iter()
            .enumerate()
            .filter(|(at, format)| own.is_none_or(|own| own == *at || !has_a_place(**format)))
            .map(|(at, format)| (*format, 1 << at))
            .collect();
        let markers =
            || wanted.iter().flat_map(|(format, set)| format.markers().iter().map(move |marker| (*marker, *set)));
        let mut needles: Vec<&str> = markers().map(|(marker, _)| marker).collect();
        needles.sort_by_key(|needle| (needle.len(), *needle));
        needles.dedup();
        let needles: Vec<&str> = needles
            .iter()
            .enumerate()
            .filter(|(at, needle)| !needles[..*at].iter().any(|shorter| needle.contains(shorter)))
            .map(|(_, needle)| *needle)
            .collect();
        let sets = needles
            .iter()
            .map(|needle| markers().filter(|(marker, _)| marker.contains(needle)).fold(0, |all, (_, set)| all | set))
            .collect();
        let finders = |hints: &'static [&'static str]| hints.iter().map(|hint| Finder::new(*hint)).collect();
        Self {
            search: Search::new(&needles),
            sets,
            hints: formats.iter().map(|format| finders(format.hints())).collect(),
            end_hints: formats.iter().map(|format| finders(format.end_hints())).collect(),
            longest: markers().map(|(marker, _)| marker.len()).max().unwrap_or_default(),
        }
    }

    /// Formats that need this line because of its first marker; `None` without one.
    ///
    /// In a file of one format only its lines matter; `alone` is its position in the table.
    pub(super) fn first(&self, line: &[u8], alone: Option<usize>) -> Option<Set> {
        let from = alone.map_or(Some(0), |format| self.hinted(line, format))?;
        self.at(line, from).map(|(set, _)| set)
    }

    /// Offset from which to search a line for a format's markers; `None` without a hint.
    fn hinted(&self, line: &[u8], format: usize) -> Option<usize> {
        let hints = &self.hints[format];
        let first = hints.iter().filter_map(|hint| hint.find(line)).min();
        if hints.is_empty() {
            return Some(0);
        }
        let from = line.len().saturating_sub(END);
        let at_the_end =
            || self.end_hints[format].iter().filter_map(|hint| Some(from + hint.find(&line[from..])?)).min();
        first.or_else(at_the_end).map(|first| first.saturating_sub(self.longest))
    }

    /// All formats that need this line.
    pub(super) fn all(&self, line: &[u8]) -> Set {
        let (mut all, mut from) = (0, 0);
        // Needles may overlap, so that the search continues one byte after the start of the last match.
        while let Some((set, at)) = self.at(line, from) {
            all |= set;
            from = at + 1;
        }
        all
    }

    fn at(&self, line: &[u8], from: usize) -> Option<(Set, usize)> {
        let found = match &self.search {
            Search::Vector(searcher) => searcher.find_in(line, (from..line.len()).into()),
            Search::Automaton(automaton) => {
                automaton.find(Input::new(line).span(from..line.len()).anchored(Anchored::No))
            }
        }?;
        Some((self.sets[found.pattern().as_usize()], found.start()))
    }
}

/// True for the format of an agent that keeps its logs in a place of its own.
fn has_a_place(format: &dyn Format) -> bool {
    !format.locations(&Env::new(Some(Path::new("/")), &|_| None)).is_empty()
}

/// Multi-needle search.
enum Search {
    /// With this processor's vector instructions.
    Vector(Searcher),
    /// On any processor. Building it takes longer than reading a small log, so that it is built on demand.
    Automaton(AhoCorasick),
}

impl Search {
    fn new(needles: &[&str]) -> Self {
        Searcher::new(needles).map_or_else(|| Self::automaton(needles), Self::Vector)
    }

    fn automaton(needles: &[&str]) -> Self {
        let automaton = AhoCorasick::builder().match_kind(MatchKind::LeftmostFirst).build(needles);
        Self::Automaton(automaton.expect("a few short markers fit any automaton"))
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Reader, Reading};
    use super::*;

    struct Marked(&'static [&'static str], &'static [&'static str]);
    impl Format for Marked {
        fn name(&self) -> &'static str {
            "marked"
        }
        fn markers(&self) -> &'static [&'static str] {
            self.0
        }
        fn hints(&self) -> &'static [&'static str] {
            self.1
        }
        fn reader(&self) -> Box<dyn Reader> {
            Box::new(Never)
        }
    }
    struct Never;
    impl Reader for Never {
        fn line(
            &mut self,
            _: &[u8],
            _: &super::super::Origin,
            _: &mut Vec<crate::domain::Record>,
        ) -> Result<Reading, super::super::BadLine> {
            Ok(Reading::NotMine)
        }
    }

    #[test]
    fn every_format_with_a_marker_in_the_line_is_named() {
        let one = Marked(&["\"usage\"", "\"b\""], &[]);
        let two = Marked(&["_tokens\""], &[]);
        let three = Marked(&["input_tokens\"", "ns\":1"], &[]);
        let prefilter = Sieve::new(&[&one, &two, &three], None);
        assert_eq!(prefilter.all(br#"{"usage":{"output_tokens":1}}"#), 0b111);
        assert_eq!(prefilter.all(br#"{"usage":{}}"#), 0b001);
        assert_eq!(prefilter.first(br#"{"x_tokens":2,"usage":1}"#, None), Some(0b110));
        assert_eq!(prefilter.first(br#"{"text":"\"usage\": 7"}"#, None), None);
        assert_eq!(prefilter.all(br#"{"b":1,"x":{"tokens":1}}"#), 0b101, "needles that overlap are all found");
    }

    #[test]
    fn both_kinds_of_search_find_the_same_needle() {
        let needles = ["\"usage\"", "_tokens\"", "\"rare\""];
        let mut prefilter = Sieve::new(&[&Marked(&["\"usage\"", "_tokens\"", "\"rare\""], &[])], None);
        let lines: [&[u8]; 4] = [br#"{"usage":1,"rare":2}"#, br#"{"x_tokens":1,"usage":2}"#, b"{}", b""];
        let by_vector = lines.map(|line| prefilter.at(line, 0));
        prefilter.search = Search::automaton(&needles);
        assert_eq!(lines.map(|line| prefilter.at(line, 0)), by_vector);
    }

    #[test]
    fn the_end_of_a_line_is_searched_for_what_rarely_stands_in_one() {
        struct Ended;
        impl Format for Ended {
            fn name(&self) -> &'static str {
                "ended"
            }
            fn markers(&self) -> &'static [&'static str] {
                &["\"tokens\"", "\"rare\""]
            }
            fn hints(&self) -> &'static [&'static str] {
                &["okens\""]
            }
            fn end_hints(&self) -> &'static [&'static str] {
                &["\"rare\""]
            }
            fn reader(&self) -> Box<dyn Reader> {
                Box::new(Never)
            }
        }
        let prefilter = Sieve::new(&[&Ended], None);
        let padded = |before: usize, after: usize| {
            format!("{{\"x\":\"{}\",\"rare\":1,\"y\":\"{}\"}}", "x".repeat(before), "y".repeat(after))
        };
        assert_eq!(prefilter.first(padded(9_000, 1_000).as_bytes(), Some(0)), Some(1));
        assert_eq!(prefilter.first(padded(0, 0).as_bytes(), Some(0)), Some(1));
        assert_eq!(prefilter.first(padded(0, 9_000).as_bytes(), Some(0)), None);
    }

    #[test]
    fn a_format_that_is_alone_is_found_by_its_hints_and_others_as_far_as_they_stand_behind_them() {
        let one = Marked(&["\"count_a\"", "\"count_b\"", "\"meta\""], &["t_", "\"meta\""]);
        let two = Marked(&["\"else\""], &[]);
        let prefilter = Sieve::new(&[&one, &two], None);
        for line in [&br#"{"count_a":1}"#[..], br#"{"count_b":1}"#, br#"{"meta":"count_a"}"#, br#"{"t_":1,"meta":1}"#] {
            assert_eq!(prefilter.first(line, Some(0)), Some(0b01), "{}", line.escape_ascii());
        }
        let far = format!(r#"{{"else":1,"text":"{}","meta":1}}"#, "x".repeat(100));
        assert_eq!(
            (prefilter.first(far.as_bytes(), Some(0)), prefilter.first(far.as_bytes(), None)),
            (Some(0b01), Some(0b10))
        );
        assert_eq!(prefilter.first(br#"{"text":"t_","else":1}"#, Some(0)), Some(0b10));
        assert_eq!(prefilter.first(br#"{"else":1}"#, Some(0)), None);
        assert_eq!(prefilter.first(far.as_bytes(), Some(1)), Some(0b10), "without hints all is searched");
    }
}
