//! Diagnostics for settings: position, what was found, what is expected, and the source line.

use std::fmt;
use std::io::{self, Write};
use std::ops::Range;

use crate::domain::Label;
use crate::text;

/// Maximum columns of a source line to show; a longer line is cut to the part around the mistake.
const EXCERPT: usize = 100;

/// A problem with the settings.
///
/// Displayed as one line: `config.toml:12:9: limit 'day': 'usd' is -1; give …`. [`Diagnostic::explain`] adds the source
/// line and a caret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    /// Whether the settings can still be used.
    pub severity: Severity,
    /// Position.
    pub at: Where,
    /// The value found and the value expected.
    pub message: Label,
}

/// Whether settings with this problem can be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// They cannot.
    Error,
    /// They can, except with `--strict`.
    Warning,
}

/// Position of a problem.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Where {
    /// In a file.
    File(Place),
    /// A file or folder as a whole.
    Path(Label),
    /// An environment variable.
    Variable(&'static str),
    /// A flag.
    Flag(&'static str),
}

/// A position in a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// File name for display.
    pub file: Label,
    /// Line from 1.
    pub line: usize,
    /// Column, in characters from 1.
    pub column: usize,
    /// Byte range, not counting a byte order mark.
    pub span: Range<usize>,
    /// The line, or the part around the mistake.
    excerpt: Label,
    /// Width of indentation and caret.
    caret: (usize, usize),
}

impl Diagnostic {
    pub fn error(at: Where, message: impl AsRef<str>) -> Self {
        Self { severity: Severity::Error, at, message: Label::new(message.as_ref()) }
    }

    pub fn warning(at: Where, message: impl AsRef<str>) -> Self {
        Self { severity: Severity::Warning, at, message: Label::new(message.as_ref()) }
    }

    /// Line number, if the problem is in a file.
    pub(crate) fn line(&self) -> Option<usize> {
        match &self.at {
            Where::File(place) => Some(place.line),
            Where::Path(_) | Where::Variable(_) | Where::Flag(_) => None,
        }
    }

    /// Writes the problem, its source line, and a caret.
    ///
    /// # Errors
    /// When `out` cannot be written.
    pub fn explain(&self, out: &mut dyn Write) -> io::Result<()> {
        writeln!(out, "{self}")?;
        let Where::File(place) = &self.at else { return Ok(()) };
        let number = place.line.to_string();
        let (indent, width) = place.caret;
        writeln!(out, " {number} | {}", place.excerpt)?;
        writeln!(out, " {:gutter$} | {:indent$}{}", "", "", "^".repeat(width), gutter = number.len())
    }
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.at {
            Where::File(place) => write!(out, "{}:{}:{}: ", place.file, place.line, place.column)?,
            Where::Path(path) => write!(out, "{path}: ")?,
            Where::Variable(name) | Where::Flag(name) => write!(out, "{name}: ")?,
        }
        if self.severity == Severity::Warning {
            write!(out, "warning: ")?;
        }
        write!(out, "{}", self.message)
    }
}

/// A file's text with the offsets of its lines.
pub(crate) struct Source<'t> {
    file: Label,
    pub(crate) text: &'t str,
    lines: Vec<usize>,
}

impl<'t> Source<'t> {
    pub(crate) fn new(file: Label, text: &'t str) -> Self {
        let breaks = text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n').map(|(at, _)| at + 1);
        Self { file, text, lines: std::iter::once(0).chain(breaks).collect() }
    }

    /// The position of a byte range, which is clamped to the text.
    pub(crate) fn place(&self, span: Range<usize>) -> Place {
        let start = self.boundary(span.start);
        let end = self.boundary(span.end).max(start);
        let line = self.lines.partition_point(|begin| *begin <= start).saturating_sub(1);
        let begin = self.lines.get(line).copied().unwrap_or(0);
        let line_text = self.text[begin..].split(['\n', '\r']).next().unwrap_or_default();
        let secret = if is_within_secret(&self.text[..begin]) { Some(0) } else { secret_at(line_text) };
        let whole = &line_text[..secret.unwrap_or(line_text.len())];
        let before = &self.text[begin..start.min(begin + whole.len())];
        let inside = &self.text[begin + before.len()..end.clamp(begin + before.len(), begin + whole.len())];

        // Show only the part of a very long line around the mistake.
        let skip = if whole.chars().count() > EXCERPT { before.chars().count().saturating_sub(EXCERPT / 2) } else { 0 };
        let hidden = if whole.len() < line_text.len() { " …" } else { "" };
        let shown: String = whole.chars().skip(skip).take(EXCERPT).map(printable).chain(hidden.chars()).collect();
        let indent: String = before.chars().skip(skip).map(printable).collect();
        let marked: String = inside.chars().take(EXCERPT / 2).map(printable).collect();
        Place {
            file: self.file.clone(),
            line: line + 1,
            column: self.text[begin..start.min(begin + line_text.len())].chars().count() + 1,
            span: start..end,
            excerpt: Label::new(&shown),
            caret: (text::width(&indent), text::width(&marked).max(1)),
        }
    }

    /// The nearest character boundary at or before this offset.
    fn boundary(&self, at: usize) -> usize {
        let mut at = at.min(self.text.len());
        while !self.text.is_char_boundary(at) {
            at -= 1;
        }
        at
    }
}

/// Keys whose values are never repeated, because people share their config when asking for help.
const SECRETS: [&str; 6] = ["webhook", "slack", "password", "passwd", "secret", "token"];

/// Where the value of such a key, or an address with a password in it, begins in a line.
fn secret_at(line: &str) -> Option<usize> {
    let lower = line.to_ascii_lowercase();
    let values = SECRETS.iter().flat_map(|key| lower.match_indices(key).map(|(at, key)| at + key.len()));
    let after = |end: usize| {
        let rest = line[end..].trim_start_matches(['"', '\'', ' ', '\t']);
        rest.starts_with('=').then(|| line.len() - rest.len() + 1)
    };
    let has_password =
        |at: usize| line[at..].split(['"', '\'', '/', ' ']).next().is_some_and(|host| host.contains('@'));
    let addresses = line.match_indices("://").map(|(at, scheme)| at + scheme.len());
    values.filter_map(after).chain(addresses.filter(|at| has_password(*at))).min()
}

/// True if the latest of these lines that has a secret only begins its value: a list, a table or a string of several
/// lines.
fn is_within_secret(lines: &str) -> bool {
    let (mut begin, mut value) = (0, None);
    for line in lines.split_inclusive('\n') {
        value = secret_at(line).map(|at| begin + at).or(value);
        begin += line.len();
    }
    let value = value.map_or("", |at| &lines[at..]);
    let count = |what: &str| value.matches(what).count();
    count("[") > count("]") || count("{") > count("}") || ["\"\"\"", "'''"].iter().any(|quotes| count(quotes) % 2 == 1)
}

/// A character as shown in an excerpt: a space for a tab, a replacement character for an unprintable one.
fn printable(letter: char) -> char {
    match letter {
        '\t' => ' ',
        ' '..='~' => letter,
        letter => {
            let probe = format!("a{letter}");
            if Label::new(&probe).as_str() == probe { letter } else { '\u{fffd}' }
        }
    }
}

/// A name in quotes, truncated if long.
pub(crate) fn quoted(name: &str) -> String {
    let mut letters = name.chars();
    let head: String = letters.by_ref().take(60).map(printable).collect();
    if letters.next().is_some() { format!("'{head}…'") } else { format!("'{head}'") }
}

/// `; did you mean 'theme'?`, or empty.
pub(crate) fn suggestion<'n>(found: &str, known: impl IntoIterator<Item = &'n str>) -> String {
    text::meant(found, known).map(|name| format!("; did you mean '{name}'?")).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text::meant;
    use proptest::prelude::*;

    fn explained(text: &str, span: Range<usize>) -> String {
        let source = Source::new(Label::new("config.toml"), text);
        let mut out = Vec::new();
        Diagnostic::error(Where::File(source.place(span)), "it is wrong").explain(&mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn g1_a_problem_shows_line_column_text_and_caret() {
        assert_eq!(
            explained("a = 1\n\ttheme = 12\r\n", 15..17),
            "config.toml:2:10: it is wrong\n 2 |  theme = 12\n   |          ^^\n"
        );
        assert_eq!(explained("名 = 12", 6..8), "config.toml:1:5: it is wrong\n 1 | 名 = 12\n   |      ^^\n");
        assert_eq!(explained("", 0..0), "config.toml:1:1: it is wrong\n 1 | \n   | ^\n");
    }

    #[test]
    fn the_value_of_a_secret_is_not_in_an_excerpt() {
        for line in [
            "slack = \"https://x/SECRET\" oops",
            "a = { 'password'='SECRET' }",
            "api_token=\"SECRET\"",
            "WebHook = SECRET",
            "\"/\" = \"https://kim:SECRET@x\"",
        ] {
            for at in [0, line.len() - 1] {
                let shown = explained(&format!("{line}\n"), at..line.len());
                assert!(!shown.contains("SECRET") && shown.contains('…'), "{shown}");
            }
        }
        for (before, line) in [
            ("slack = [", "  \"SECRET\" 5 ]"),
            ("a = 1\nwebhook = \"\"\"", "SECRET"),
            ("[x]\ntoken = {", "  a = SECRET }"),
        ] {
            let text = format!("{before}\n{line}\n");
            let shown = explained(&text, text.len() - 2..text.len() - 1);
            assert!(!shown.contains("SECRET") && shown.contains('…'), "{shown}");
        }
        let after = "slack = [\"SECRET\"]\n[limits]\ntokens = 5\n";
        assert!(explained(after, after.len() - 3..after.len() - 2).contains("tokens = 5"));
        assert!(explained("tokens = 5\n", 0..1).contains("tokens = 5"));
    }

    #[test]
    fn i1_a_secret_is_not_shown_whatever_is_wrong_in_its_line() {
        assert!(explained("token = \"abc def", 8..9).contains(" 1 | token = …\n"));
        assert!(explained("server = { 'token' = 'abc', listen = 1 }", 37..38).contains("'token' = …\n"));
        assert!(explained("token_file = 'abc'", 0..3).contains("token_file = 'abc'"));
    }

    #[test]
    fn i1_what_stands_in_a_config_reaches_no_terminal_uncleaned() {
        let shown = explained("theme = \"\u{1b}]0;x\u{7}\u{202e}\"\n", 8..20);
        assert!(!shown.contains(|letter: char| letter.is_control() && letter != '\n') && !shown.contains('\u{202e}'));
        assert!(quoted(&"x".repeat(1000)).chars().count() < 70);
    }

    #[test]
    fn a_likely_name_is_suggested_and_an_unlikely_one_is_not() {
        assert_eq!(meant("thmee", ["theme", "timezone"]), Some("theme"));
        assert_eq!(meant("Europe/Roma", ["Europe/Rome", "Europe/Riga"]), Some("Europe/Rome"));
        assert_eq!(meant("zzz", ["theme", "timezone"]), None);
    }

    proptest! {
        #[test]
        fn a_place_lies_inside_the_text(text in any::<String>(), start in 0_usize..80, length in 0_usize..80) {
            let source = Source::new(Label::new("f"), &text);
            let place = source.place(start..start + length);
            prop_assert!(place.span.start <= place.span.end && place.span.end <= text.len());
            prop_assert!(place.line <= text.matches('\n').count() + 1);
            prop_assert!(place.caret.1 >= 1);
        }
    }
}
