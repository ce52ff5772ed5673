//! Separates the terminal's reply about its background from typed keys.
//!
//! The query is sent after the first frame, so nothing waits for the reply, which may come late or never. It arrives
//! among the keys as `Alt-]` followed by the reply's characters, and must not trigger actions.

use std::time::{Duration, Instant};

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

use crate::theme::{Background, Rgb};

/// Queries the background colour (OSC 11).
pub(super) const QUESTION: &[u8] = b"\x1b]11;?\x07";

/// Begins the answer to it.
const ANSWER: &str = "11;";

/// Maximum time between the characters of a reply. It is shorter than between keys typed by a person.
const PAUSE: Duration = Duration::from_millis(150);
/// Maximum time for a reply that has begun as an answer to our query, which nobody types. A slow network may split it.
const WHOLE: Duration = Duration::from_secs(2);
/// Maximum length of a reply.
const LONGEST: usize = 64;

/// Meaning of a key.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Decoded {
    /// Typed by the user.
    Key(KeyEvent),
    /// Part of an incomplete reply.
    Part,
    /// End of a reply, with the background.
    Background(Background),
}

/// Collects replies from the stream of keys.
#[derive(Debug, Default)]
pub(super) struct Replies {
    open: Option<Open>,
}

/// A reply that has not ended.
#[derive(Debug)]
struct Open {
    text: String,
    began: Instant,
    /// Time of its last character.
    last: Instant,
}

impl Open {
    fn may_go_on(&self, at: Instant) -> bool {
        at.duration_since(self.last) <= PAUSE || (self.is_ours() && at.duration_since(self.began) <= WHOLE)
    }

    fn is_ours(&self) -> bool {
        self.text.starts_with(ANSWER)
    }

    fn is_whole(&self) -> bool {
        background(&self.text).is_some()
    }
}

impl Replies {
    /// Handles a key with its time.
    #[expect(clippy::wildcard_enum_match_arm, reason = "the enum is crossterm's, and has more keys than are bound")]
    pub(super) fn decode(&mut self, key: KeyEvent, at: Instant) -> Decoded {
        let alt = key.modifiers.contains(KeyModifiers::ALT);
        let control = key.modifiers.contains(KeyModifiers::CONTROL);
        let Some(mut open) = self.open.take().filter(|open| open.may_go_on(at)) else {
            if alt && key.code == KeyCode::Char(']') {
                self.open = Some(Open { text: String::new(), began: at, last: at });
                return Decoded::Part;
            }
            return Decoded::Key(key);
        };
        match key.code {
            // BEL, or ESC \: the end of the reply.
            KeyCode::Char('g') if control => finish(&open.text),
            KeyCode::Char('\\') if alt => finish(&open.text),
            // The two bytes of its end may come apart.
            KeyCode::Esc if open.is_whole() => {
                self.open = Some(open);
                Decoded::Part
            }
            KeyCode::Char('\\') if open.is_whole() => finish(&open.text),
            KeyCode::Char(letter) if !alt && !control && belongs(letter) && open.text.len() < LONGEST => {
                open.text.push(letter);
                open.last = at.max(open.last);
                self.open = Some(open);
                Decoded::Part
            }
            _ => {
                // A key was typed between two parts of the reply.
                self.open = Some(open).filter(Open::is_ours);
                Decoded::Key(key)
            }
        }
    }
}

fn belongs(letter: char) -> bool {
    letter.is_ascii_hexdigit() || matches!(letter, ';' | ':' | '/' | 'r' | 'g' | '#' | '?')
}

fn finish(text: &str) -> Decoded {
    background(text).map_or(Decoded::Part, Decoded::Background)
}

/// Parses `11;rgb:ffff/ffff/ffff`.
fn background(text: &str) -> Option<Background> {
    let color = text.strip_prefix(ANSWER)?;
    let digits = color.split_once(':').map(|(_, digits)| digits)?;
    let mut parts = digits.split('/').map(|part| {
        // One to four digits, of which the first two count.
        let part = if part.len() == 1 { part.repeat(2) } else { part.get(..2)?.to_owned() };
        u8::from_str_radix(&part, 16).ok()
    });
    let rgb = Rgb(parts.next()??, parts.next()??, parts.next()??);
    Some(if rgb.luminance() > 0.18 { Background::Light } else { Background::Dark })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(text: &str) -> Vec<KeyEvent> {
        let mut keys = vec![KeyEvent::new(KeyCode::Char(']'), KeyModifiers::ALT)];
        keys.extend(text.chars().map(|letter| KeyEvent::new(KeyCode::Char(letter), KeyModifiers::NONE)));
        keys
    }

    fn bell() -> KeyEvent {
        KeyEvent::new(KeyCode::Char('g'), KeyModifiers::CONTROL)
    }

    #[test]
    fn f12_the_terminal_says_what_is_behind_its_text() {
        for (text, background) in [
            ("11;rgb:ffff/ffff/ffff", Background::Light),
            ("11;rgb:1e1e/1e1e/2e2e", Background::Dark),
            ("11;rgb:fd/f6/e3", Background::Light),
        ] {
            let (mut replies, now) = (Replies::default(), Instant::now());
            for key in keys(text) {
                assert_eq!(replies.decode(key, now), Decoded::Part);
            }
            assert_eq!(replies.decode(bell(), now), Decoded::Background(background));
        }
    }

    #[test]
    fn f13_a_late_reply_is_not_taken_for_keys() {
        let (mut replies, now) = (Replies::default(), Instant::now());
        let end = KeyEvent::new(KeyCode::Char('\\'), KeyModifiers::ALT);
        for key in keys("10;rgb:0123/4567/89ab").into_iter().chain([end]) {
            assert_eq!(replies.decode(key, now), Decoded::Part);
        }
        let q = KeyEvent::new(KeyCode::Char('q'), KeyModifiers::NONE);
        assert_eq!(replies.decode(q, now), Decoded::Key(q));
    }

    #[test]
    fn f13_a_reply_in_parts_is_none_of_the_keys_and_a_key_between_them_is_one() {
        let (whole, start) = ("11;rgb:ffff/ffff/ffff", Instant::now());
        let q = KeyEvent::new(KeyCode::Char('q'), KeyModifiers::NONE);
        let esc = KeyEvent::new(KeyCode::Esc, KeyModifiers::NONE);
        let backslash = KeyEvent::new(KeyCode::Char('\\'), KeyModifiers::NONE);
        let apart = Duration::from_millis(900);
        for first in 3..=whole.len() {
            let mut replies = Replies::default();
            let (early, late) = whole.split_at(first);
            let second = start + apart;
            for key in keys(early) {
                assert_eq!(replies.decode(key, start), Decoded::Part, "{early}");
            }
            assert_eq!(replies.decode(q, second), Decoded::Key(q));
            for key in keys(late).into_iter().skip(1).chain([esc]) {
                assert_eq!(replies.decode(key, second), Decoded::Part, "{late}");
            }
            let end = replies.decode(backslash, second + apart);
            assert_eq!(end, Decoded::Background(Background::Light), "{early} {late}");
            assert_eq!(replies.decode(esc, second + apart), Decoded::Key(esc));
        }
    }

    #[test]
    fn f13_a_reply_that_never_ends_is_given_up() {
        let (mut replies, start) = (Replies::default(), Instant::now());
        for key in keys("11;rgb:ff") {
            assert_eq!(replies.decode(key, start), Decoded::Part);
        }
        let f = KeyEvent::new(KeyCode::Char('f'), KeyModifiers::NONE);
        assert_eq!(replies.decode(f, start + WHOLE + PAUSE), Decoded::Key(f));
    }

    #[test]
    fn a_person_who_types_alt_bracket_is_heard_again_at_once() {
        let (mut replies, now) = (Replies::default(), Instant::now());
        assert_eq!(replies.decode(keys("")[0], now), Decoded::Part);
        let q = KeyEvent::new(KeyCode::Char('q'), KeyModifiers::NONE);
        assert_eq!(replies.decode(q, now), Decoded::Key(q));
        assert_eq!(replies.decode(keys("")[0], now), Decoded::Part);
        let one = KeyEvent::new(KeyCode::Char('1'), KeyModifiers::NONE);
        assert_eq!(replies.decode(one, now + Duration::from_secs(1)), Decoded::Key(one));
    }
}
