//! Names from outside, printable by construction.

use std::borrow::{Borrow, Cow};
use std::fmt;
use std::ops::Deref;
use std::sync::Arc;

use rustc_hash::FxHashSet;

/// Maximum length in bytes. Longer names are truncated and marked.
const LONGEST: usize = 1024;
/// Length in bytes of the suffix added to a changed name: `~` and twelve hex digits.
const SUFFIX: usize = 13;
/// Maximum number of consecutive combining marks.
const MARKS: usize = 4;

/// A name from outside (a model, a project, a path, an error message) that is safe to print.
///
/// This is the only type that may carry foreign text to a terminal. It contains no control characters, bidirectional
/// overrides or invisible characters: each is replaced by `⎋` (escape) or `�`. A changed name ends in `~` and twelve
/// hex digits of its hash, so different names stay different.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Label(Arc<str>);

impl Label {
    /// Cleans a name.
    pub fn new(raw: &str) -> Self {
        Self(Arc::from(clean(raw).as_ref()))
    }

    /// Cleans an optional name; an empty or blank name counts as `None`.
    pub(crate) fn find(raw: &str) -> Option<Self> {
        (!is_blank(raw)).then(|| Self::new(raw))
    }

    /// Cleans a path for display. Paths that are not UTF-8 stay distinct from each other.
    pub fn from_path(path: &std::path::Path) -> Self {
        Self::from_bytes(path.as_os_str().as_encoded_bytes())
    }

    /// Cleans a name that may not be UTF-8.
    pub fn from_bytes(raw: &[u8]) -> Self {
        match std::str::from_utf8(raw) {
            Ok(text) => Self::new(text),
            Err(_) => {
                let lossy = String::from_utf8_lossy(raw);
                Self(Arc::from(marked(&scrub(&lossy), raw)))
            }
        }
    }

    /// True for a character that labels keep: one that is visible and does not affect its neighbours.
    pub fn is_shown(letter: char) -> bool {
        printable_char(letter) == letter
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// True for a name that is empty or only white space.
fn is_blank(raw: &str) -> bool {
    raw.trim_start().is_empty()
}

/// The name in printable form; borrowed when unchanged.
fn clean(raw: &str) -> Cow<'_, str> {
    let plain = raw.len() <= LONGEST && raw.bytes().all(|byte| (0x20..0x7f).contains(&byte));
    if plain {
        return Cow::Borrowed(raw);
    }
    let scrubbed = scrub(raw);
    if scrubbed == raw { Cow::Borrowed(raw) } else { Cow::Owned(marked(&scrubbed, raw.as_bytes())) }
}

fn scrub(raw: &str) -> String {
    let mut out = String::with_capacity(raw.len().min(LONGEST));
    let mut marks = 0;
    for (at, letter) in raw.char_indices() {
        marks = if is_mark(letter) { marks + 1 } else { 0 };
        // A mark without a base character would combine with whatever precedes it on the screen.
        let shown = if marks > MARKS || (marks > 0 && at == 0) { '\u{fffd}' } else { printable_char(letter) };
        if out.len() + shown.len_utf8() > LONGEST {
            break;
        }
        if !(shown == '\u{fffd}' && marks > MARKS && out.ends_with('\u{fffd}')) {
            out.push(shown);
        }
    }
    out
}

/// The cleaned name with a suffix that tells it apart from other names that clean to the same text.
///
/// With 48 bits, 2,000 names that look alike contain two with the same suffix once in 140 million cases. 16 bits would
/// not be enough.
fn marked(scrubbed: &str, raw: &[u8]) -> String {
    let mut cut = scrubbed.len().min(LONGEST - SUFFIX);
    while !scrubbed.is_char_boundary(cut) {
        cut -= 1;
    }
    format!("{}~{:012x}", &scrubbed[..cut], xxhash_rust::xxh3::xxh3_64(raw) & 0xffff_ffff_ffff)
}

fn is_mark(letter: char) -> bool {
    !letter.is_ascii() && unicode_width::UnicodeWidthChar::width(letter) == Some(0)
}

fn printable_char(letter: char) -> char {
    match letter {
        '\u{1b}' | '\u{9b}' => '⎋',
        letter if letter.is_control() => '\u{fffd}',
        // Soft hyphen, combining grapheme joiner, Arabic letter mark, fillers, Mongolian selectors, zero-width
        // characters, bidirectional marks and overrides, separators, invisible operators, variation selectors, byte
        // order mark, interlinear and object marks, tags: all are invisible or can reorder a line.
        '\u{ad}'
        | '\u{34f}'
        | '\u{600}'..='\u{605}'
        | '\u{61c}'
        | '\u{6dd}'
        | '\u{70f}'
        | '\u{8e2}'
        | '\u{115f}'
        | '\u{1160}'
        | '\u{17b4}'
        | '\u{17b5}'
        | '\u{180b}'..='\u{180f}'
        | '\u{200b}'..='\u{200f}'
        | '\u{2028}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}'
        | '\u{3164}'
        | '\u{fe00}'..='\u{fe0f}'
        | '\u{feff}'
        | '\u{ffa0}'
        | '\u{fff0}'..='\u{fffb}'
        | '\u{110bd}'
        | '\u{110cd}'
        | '\u{13430}'..='\u{1343f}'
        | '\u{1bca0}'..='\u{1bca3}'
        | '\u{1d173}'..='\u{1d17a}'
        | '\u{e0000}'..='\u{e0fff}' => '\u{fffd}',
        letter => letter,
    }
}

impl Deref for Label {
    type Target = str;
    fn deref(&self) -> &str {
        &self.0
    }
}
impl Borrow<str> for Label {
    fn borrow(&self) -> &str {
        &self.0
    }
}
impl AsRef<str> for Label {
    fn as_ref(&self) -> &str {
        &self.0
    }
}
impl fmt::Display for Label {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.pad(&self.0)
    }
}
impl fmt::Debug for Label {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&*self.0, out)
    }
}
impl From<&str> for Label {
    fn from(raw: &str) -> Self {
        Self::new(raw)
    }
}
impl serde::Serialize for Label {
    fn serialize<S: serde::Serializer>(&self, out: S) -> Result<S::Ok, S::Error> {
        out.serialize_str(&self.0)
    }
}

/// A set of labels, so that a name repeated on every line of a log is stored only once.
#[derive(Debug, Default)]
pub(crate) struct Labels(FxHashSet<Label>);

impl Labels {
    /// The label for this name, shared with earlier uses.
    pub(crate) fn get(&mut self, raw: &str) -> Label {
        if let Some(label) = self.0.get(raw) {
            return label.clone();
        }
        let label = Label::new(raw);
        // A name that cleaning changes is only found in its cleaned form. Most names do not change.
        if let Some(known) = self.0.get(label.as_str()) {
            return known.clone();
        }
        self.0.insert(label.clone());
        label
    }

    /// The label for an optional name; an empty or blank name counts as `None`.
    pub(crate) fn find(&mut self, raw: Option<&str>) -> Option<Label> {
        raw.filter(|name| !is_blank(name)).map(|name| self.get(name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn i1_no_escape_sequence_survives() {
        let label = Label::new("a\u{1b}]52;c;aGk=\u{7}b\rc\u{9b}1m");
        assert!(label.starts_with("a⎋]52;c;aGk=\u{fffd}b\u{fffd}c⎋1m~"), "{label}");
    }

    #[test]
    fn i2_invisible_and_reordering_characters_are_shown() {
        for bad in [
            '\u{202e}',
            '\u{2066}',
            '\u{200b}',
            '\u{feff}',
            '\u{ad}',
            '\u{e0041}',
            '\u{2028}',
            '\u{115f}',
            '\u{3164}',
            '\u{61c}',
        ] {
            let label = Label::new(&format!("a{bad}b"));
            assert!(label.starts_with("a\u{fffd}b~"), "{bad:?} became {label}");
        }
    }

    #[test]
    fn i3_names_that_clean_alike_stay_apart() {
        let names = ["a", "a\u{200b}", "a\u{200c}"].map(Label::new);
        assert!(names[0] != names[1] && names[1] != names[2] && names[0] != names[2]);
    }

    #[test]
    fn j22_two_thousand_names_that_look_alike_stay_apart() {
        let invisible = ['\u{200b}', '\u{200c}', '\u{200d}', '\u{2060}', '\u{feff}', '\u{ad}', '\u{2062}', '\u{2063}'];
        let names = (0..2_000_usize).map(|number| {
            let marks: String = (0..4).map(|digit| invisible[number >> (3 * digit) & 7]).collect();
            Label::new(&format!("ali{marks}ce"))
        });
        let cut = (0..2_000).map(|number| Label::new(&format!("{}{number}", "x".repeat(5000))));
        let all: std::collections::BTreeSet<Label> = names.chain(cut).collect();
        assert_eq!(all.len(), 4_000);
        assert!(all.iter().all(|name| name.len() <= LONGEST && Label::new(name) == *name));
    }

    #[test]
    fn i4_piles_of_marks_and_endless_names_are_cut() {
        let pile = format!("a{}", "\u{301}".repeat(1000));
        assert!(Label::new(&pile).chars().count() < 24);
        assert!(Label::new(&"x".repeat(5000)).len() <= LONGEST);
    }

    #[test]
    fn i4_a_mark_with_nothing_to_stand_on_is_shown() {
        assert!(Label::new("\u{301}a").starts_with("\u{fffd}a~"), "{}", Label::new("\u{301}a"));
        assert_eq!(Label::new("e\u{301}a").as_str(), "e\u{301}a");
    }

    #[test]
    fn clean_names_are_kept_as_they_are() {
        for name in ["claude-opus-5", "café", "日志解析", "/home/alice/api", "naïve 😀"] {
            assert_eq!(Label::new(name).as_str(), name);
        }
    }

    #[test]
    fn a17_bytes_that_are_no_text_are_shown_escaped() {
        assert!(Label::from_bytes(b"\xff\x1b]0;x").starts_with("\u{fffd}⎋]0;x~"));
    }

    #[test]
    fn a_name_that_nobody_could_see_is_none() {
        let mut labels = Labels::default();
        for blank in ["", " ", "\t \n", "\u{a0}\u{3000}"] {
            assert_eq!((labels.find(Some(blank)), Label::find(blank)), (None, None), "{blank:?}");
        }
        assert_eq!(labels.find(Some(" a")).as_deref(), Some(" a"));
    }

    #[test]
    fn a_name_met_before_is_the_same_allocation() {
        let mut labels = Labels::default();
        let (one, two) = (labels.get("main"), labels.get("main"));
        assert!(Arc::ptr_eq(&one.0, &two.0));
    }

    proptest! {
        #[test]
        fn a_label_is_printable_bounded_and_stable(raw in any::<String>()) {
            let label = Label::new(&raw);
            prop_assert!(label.len() <= LONGEST);
            prop_assert!(!label.chars().any(|letter| letter.is_control() || printable_char(letter) != letter));
            prop_assert_eq!(Label::new(&label), label);
        }
    }
}
