//! Finds the few lines that may contain usage, at memory speed.

use std::sync::OnceLock;

use aho_corasick::packed::Searcher;
use aho_corasick::{AhoCorasick, Anchored, Input, MatchKind};
use memchr::memmem::Finder;

use super::Format;

/// Length of the part searched for tail needles.
const END: usize = 2048;

/// A set of formats, with one bit for each index in the registry.
pub(super) type Set = u128;

/// Searches for the needles of many formats at once.
///
/// A needle that contains another is found through the shorter one, which is slightly less specific but saves a needle.
pub(super) struct Prefilter {
    search: Search,
    /// Formats of each needle.
    sets: Vec<Set>,
    /// Strings to look for in files that have only one format, by its index in the registry.
    own_needles: Vec<OwnNeedles>,
    /// Length of the longest needle.
    longest: usize,
}

/// Strings to look for in the lines of one format.
struct OwnNeedles {
    anywhere: &'static [&'static str],
    at_the_end: &'static [&'static str],
    /// Built on demand, because a file has lines of only one or two formats.
    finders: OnceLock<[Vec<Finder<'static>>; 2]>,
}

impl OwnNeedles {
    fn from_format(format: &dyn Format) -> Self {
        Self { anywhere: format.own_needles(), at_the_end: format.tail_needles(), finders: OnceLock::new() }
    }

    fn finders(&self) -> &[Vec<Finder<'static>>; 2] {
        let build = |needles: &[&'static str]| needles.iter().map(|needle| Finder::new(*needle)).collect();
        self.finders.get_or_init(|| [build(self.anywhere), build(self.at_the_end)])
    }
}

impl Prefilter {
    /// A prefilter for lines of the formats in this set.
    pub(super) fn new(formats: &[&dyn Format], wanted: Set) -> Self {
        let wanted =
            formats.iter().enumerate().map(|(at, format)| (format, 1 << at)).filter(|(_, bit)| wanted & bit != 0);
        let mut candidates: Vec<(&'static str, Set)> =
            wanted.flat_map(|(format, bit)| format.needles().iter().map(move |needle| (*needle, bit))).collect();
        candidates.sort_unstable_by_key(|(candidate, _)| (candidate.len(), *candidate));
        let longest = candidates.last().map_or(0, |(candidate, _)| candidate.len());
        let (mut needles, mut sets): (Vec<&str>, Vec<Set>) = (Vec::new(), Vec::new());
        // The shortest candidates come first. Each one either adds its format to a needle that it contains, or becomes
        // a new needle.
        for (candidate, bit) in candidates {
            let mut is_found = false;
            for (_, set) in needles.iter().zip(&mut sets).filter(|(needle, _)| holds(candidate, needle)) {
                *set |= bit;
                is_found = true;
            }
            if !is_found {
                needles.push(candidate);
                sets.push(bit);
            }
        }
        Self {
            search: Search::new(&needles),
            sets,
            own_needles: formats.iter().map(|format| OwnNeedles::from_format(*format)).collect(),
            longest,
        }
    }

    /// Formats that need this line because of its first needle; `None` if it has no needle.
    ///
    /// In a file that has only one format, only that format's lines matter. `alone` is its index in the registry.
    pub(super) fn first(&self, line: &[u8], alone: Option<usize>) -> Option<Set> {
        let from = alone.map_or(Some(0), |format| self.hinted(line, format))?;
        self.at(line, from).map(|(set, _)| set)
    }

    /// Offset from which to search a line for a format's needles; `None` if it cannot contain one.
    fn hinted(&self, line: &[u8], format: usize) -> Option<usize> {
        let [anywhere, at_the_end] = self.own_needles[format].finders();
        if anywhere.is_empty() {
            return Some(0);
        }
        let first = anywhere.iter().filter_map(|needle| needle.find(line)).min();
        let from = line.len().saturating_sub(END);
        let at_the_end = || at_the_end.iter().filter_map(|needle| Some(from + needle.find(&line[from..])?)).min();
        first.or_else(at_the_end).map(|first| first.saturating_sub(self.longest))
    }

    /// All formats that need this line.
    pub(super) fn all(&self, line: &[u8]) -> Set {
        let mut all = 0;
        for part in 0..self.search.parts() {
            let mut from = 0;
            // Needles may overlap, so the search continues one byte after the start of the last match.
            while let Some((needle, at)) = self.search.find(part, line, from) {
                all |= self.sets[needle];
                from = at + 1;
            }
        }
        all
    }

    /// The formats of the first needle from here on, and its position.
    fn at(&self, line: &[u8], from: usize) -> Option<(Set, usize)> {
        let found = (0..self.search.parts()).filter_map(|part| self.search.find(part, line, from));
        found.min_by_key(|(_, at)| *at).map(|(needle, at)| (self.sets[needle], at))
    }
}

/// True when `needle` contains `part`. Both are short, so preparing a search would take longer.
fn holds(needle: &str, part: &str) -> bool {
    let (needle, part) = (needle.as_bytes(), part.as_bytes());
    let Some(first) = part.first() else { return true };
    needle.windows(part.len()).any(|window| window[0] == *first && window == part)
}

/// Number of needles that the processor's vector instructions can search for at once.
const AT_ONCE: usize = 64;

/// Multi-needle search.
enum Search {
    /// Uses the processor's vector instructions, with up to [`AT_ONCE`] needles each. Even two passes over a line are
    /// faster than an automaton, and so is building the searchers.
    Vector(Vec<Searcher>),
    /// Works on any processor. Building it takes longer than reading a small log, so it is built on demand.
    Automaton(AhoCorasick),
}

impl Search {
    fn new(needles: &[&str]) -> Self {
        let searchers = needles.chunks(AT_ONCE).map(Searcher::new).collect();
        Option::map_or_else(searchers, || Self::automaton(needles), Self::Vector)
    }

    fn automaton(needles: &[&str]) -> Self {
        let automaton = AhoCorasick::builder().match_kind(MatchKind::LeftmostFirst).build(needles);
        Self::Automaton(automaton.expect("short needles fit any automaton"))
    }

    /// Number of searches needed to find all needles.
    fn parts(&self) -> usize {
        match self {
            Self::Vector(searchers) => searchers.len(),
            Self::Automaton(_) => 1,
        }
    }

    /// The first needle found by one of the searches, and its position.
    fn find(&self, part: usize, line: &[u8], from: usize) -> Option<(usize, usize)> {
        let (before, found) = match self {
            Self::Vector(searchers) => (part * AT_ONCE, searchers[part].find_in(line, (from..line.len()).into())?),
            Self::Automaton(automaton) => {
                (0, automaton.find(Input::new(line).span(from..line.len()).anchored(Anchored::No))?)
            }
        };
        Some((before + found.pattern().as_usize(), found.start()))
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
        fn needles(&self) -> &'static [&'static str] {
            self.0
        }
        fn own_needles(&self) -> &'static [&'static str] {
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
        let prefilter = Prefilter::new(&[&one, &two, &three], Set::MAX);
        assert_eq!(prefilter.all(br#"{"usage":{"output_tokens":1}}"#), 0b111);
        assert_eq!(prefilter.all(br#"{"usage":{}}"#), 0b001);
        assert_eq!(prefilter.first(br#"{"x_tokens":2,"usage":1}"#, None), Some(0b110));
        assert_eq!(prefilter.first(br#"{"text":"\"usage\": 7"}"#, None), None);
        assert_eq!(prefilter.all(br#"{"b":1,"x":{"tokens":1}}"#), 0b101, "needles that overlap are all found");
    }

    #[test]
    fn both_kinds_of_search_find_the_same_needle() {
        let needles = ["\"usage\"", "_tokens\"", "\"rare\""];
        let mut prefilter = Prefilter::new(&[&Marked(&["\"usage\"", "_tokens\"", "\"rare\""], &[])], Set::MAX);
        let lines: [&[u8]; 4] = [br#"{"usage":1,"rare":2}"#, br#"{"x_tokens":1,"usage":2}"#, b"{}", b""];
        let by_vector = lines.map(|line| prefilter.at(line, 0));
        prefilter.search = Search::automaton(&needles);
        assert_eq!(lines.map(|line| prefilter.at(line, 0)), by_vector);
    }

    #[test]
    fn more_needles_than_fit_one_search_are_all_found_the_first_first() {
        let needles: Vec<&'static str> = (100..300).map(|number| &*format!("\"m{number}\"").leak()).collect();
        let formats: Vec<Marked> = needles.chunks(5).map(|part| Marked(part.to_vec().leak(), &[])).collect();
        let formats: Vec<&dyn Format> = formats.iter().map(|format| format as &dyn Format).collect();
        let mut prefilter = Prefilter::new(&formats, Set::MAX);
        for is_automaton in [false, true] {
            if is_automaton {
                prefilter.search = Search::automaton(&needles);
            }
            for (at, needle) in needles.iter().enumerate() {
                let (one, other) = (1 << (at / 5), 1 << ((at + 77) % 200 / 5));
                let line = format!("{{{needle}:1,{}:2}}", needles[(at + 77) % 200]);
                assert_eq!(prefilter.first(line.as_bytes(), None), Some(one), "{line}");
                assert_eq!(prefilter.all(line.as_bytes()), one | other, "{line}");
            }
        }
    }

    #[test]
    fn only_the_formats_that_are_wanted_are_looked_for() {
        let prefilter = Prefilter::new(&[&Marked(&["\"one\""], &[]), &Marked(&["\"two\""], &[])], 0b10);
        assert_eq!(prefilter.all(br#"{"one":1,"two":2}"#), 0b10);
        assert_eq!(Prefilter::new(&[&Marked(&[], &[])], Set::MAX).first(br#"{"one":1}"#, None), None);
    }

    #[test]
    fn the_end_of_a_line_is_searched_for_what_rarely_stands_in_one() {
        struct Ended;
        impl Format for Ended {
            fn name(&self) -> &'static str {
                "ended"
            }
            fn needles(&self) -> &'static [&'static str] {
                &["\"tokens\"", "\"rare\""]
            }
            fn own_needles(&self) -> &'static [&'static str] {
                &["okens\""]
            }
            fn tail_needles(&self) -> &'static [&'static str] {
                &["\"rare\""]
            }
            fn reader(&self) -> Box<dyn Reader> {
                Box::new(Never)
            }
        }
        let prefilter = Prefilter::new(&[&Ended], Set::MAX);
        let padded = |before: usize, after: usize| {
            format!("{{\"x\":\"{}\",\"rare\":1,\"y\":\"{}\"}}", "x".repeat(before), "y".repeat(after))
        };
        assert_eq!(prefilter.first(padded(9_000, 1_000).as_bytes(), Some(0)), Some(1));
        assert_eq!(prefilter.first(padded(0, 0).as_bytes(), Some(0)), Some(1));
        assert_eq!(prefilter.first(padded(0, 9_000).as_bytes(), Some(0)), None);
    }

    #[test]
    fn a_format_that_is_alone_is_found_by_its_own_needles_and_others_as_far_as_they_stand_behind_them() {
        let one = Marked(&["\"count_a\"", "\"count_b\"", "\"meta\""], &["t_", "\"meta\""]);
        let two = Marked(&["\"else\""], &[]);
        let prefilter = Prefilter::new(&[&one, &two], Set::MAX);
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
        assert_eq!(prefilter.first(far.as_bytes(), Some(1)), Some(0b10), "without needles of its own all is searched");
    }
}
