//! The screen at any size, after any keys, with any names on it.

use std::sync::Arc;

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use ratatui::layout::Rect;
use tokmeter::testing::domain::Zone;
use tokmeter::testing::formats::Decoder;
use tokmeter::testing::ledger::{Batch, Ledger, Memory};
use tokmeter::testing::meter::{Amount, Follow, Limit, Meter, Rules, Scope, Snapshot, Window};
use tokmeter::testing::theme::Background;
use tokmeter::testing::tui::{App, Chord, Keys, Message, Next, Options, draw, paint};
use tokmeter::testing::{domain::Label, tui::Action};

use super::{now, origin, prices};

/// A valid key is written in a valid form; any set of keys is either consistent or refused.
pub fn key_binding(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    if let Ok(chord) = text.parse::<Chord>() {
        assert_eq!(chord.to_string().parse::<Chord>(), Ok(chord), "{text:?} is written as {chord}");
    }
    let mut words = text.split_whitespace();
    let action = words.next().unwrap_or_default();
    let chords: Vec<&str> = words.collect();
    if let Err(wrong) = Keys::rebound([(action, chords.clone()), (Action::ALL[0].name(), chords)]) {
        assert!(!wrong.is_empty());
        assert!(!wrong.iter().any(|why| why.chars().any(char::is_control)), "{wrong:?}");
    }
}

/// Two bytes of size, a few keys, and lines of a log: nothing panics, and every picture has its size.
pub fn render(data: &[u8]) {
    let [width, height, options, rest @ ..] = data else { return };
    let (keys, lines) = rest.split_at(rest.len().min(12));
    let mut books = Memory::new(prices());
    let (mut reader, mut records) = (Decoder::new(&[]), Vec::new());
    for (at, line) in (0..).zip(lines.split(|byte| *byte == b'\n')) {
        reader.line(line, &origin(at), &mut records);
    }
    books.post(&Batch { records, files: Vec::new() }).unwrap();
    books.flush().unwrap();
    let limit = |window| Limit {
        scope: Scope::default(),
        window,
        amount: Amount { tokens: Some(1_000), ..Amount::default() },
        warn_at: vec![80],
    };
    let rules = Rules {
        limits: [Window::Session, Window::Day, Window::Total].map(limit).to_vec(),
        ..Rules::new(Zone::named("Asia/Kolkata").unwrap())
    };
    let follow = if options & 1 == 0 { Follow::Latest } else { Follow::Everything };
    let snapshot = Snapshot::ask(&books, &rules, &follow, now()).unwrap();
    let summary = Arc::new(Meter::open(rules, snapshot).summary(now()));
    let mut start = Options::new(Zone::named("Asia/Kolkata").unwrap(), Label::from_bytes(lines));
    start.background = Some(Background::Light);
    (start.ascii, start.compact) = (options & 2 != 0, options & 4 != 0);
    let mut app = App::new(start, now()).unwrap();
    app.update(Message::Summary(summary), now());
    let area = Rect::new(0, 0, u16::from(*width), u16::from(*height));
    let mut before = None;
    for key in std::iter::once(None).chain(keys.iter().map(Some)) {
        if let Some(key) = key.map(|byte| key_of(*byte))
            && app.update(Message::Key(key), now()) == Next::Quit
        {
            return;
        }
        let picture = draw(&app, area);
        assert_eq!(picture.content.len(), usize::from(*width) * usize::from(*height));
        let mut out = Vec::new();
        paint(before.as_ref(), &picture, &mut out).unwrap();
        before = Some(picture);
    }
}

fn key_of(byte: u8) -> KeyEvent {
    let code = match byte {
        0 => KeyCode::Esc,
        1 => KeyCode::Enter,
        2 => KeyCode::Tab,
        3 => KeyCode::Up,
        4 => KeyCode::Down,
        5 => KeyCode::Left,
        6 => KeyCode::Right,
        7 => KeyCode::PageDown,
        8 => KeyCode::End,
        9 => KeyCode::Backspace,
        byte => KeyCode::Char(char::from(byte)),
    };
    KeyEvent::new(code, KeyModifiers::NONE)
}
