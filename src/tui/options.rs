//! What the screen starts with, what happens to it, and what it wants done.

use std::sync::Arc;

use crossterm::event::{KeyEvent, MouseEvent};
use ratatui::layout::Rect;

use crate::domain::{Instant, Label, Zone};
use crate::meter::{Follow, Summary};
use crate::theme::{Background, Depth, Themes};

use super::{Feed, Keys, Request, View};

/// What the screen starts with.
#[derive(Clone)]
pub struct Options {
    /// The theme's name.
    pub theme: String,
    /// The themes there are.
    pub themes: Themes,
    /// How many colours may be sent.
    pub depth: Depth,
    /// What is behind the text, when something other than the terminal itself has said so.
    pub background: Option<Background>,
    /// True to use nothing but ASCII.
    pub ascii: bool,
    /// Where days begin and clocks tick.
    pub zone: Zone,
    /// Who.
    pub user: Label,
    /// The keys.
    pub keys: Keys,
    /// True for the layout of one to four lines, however much room there is.
    pub compact: bool,
    /// The view to open on.
    pub view: View,
    /// What the rows must contain.
    pub filter: String,
    /// True to start with the mouse captured.
    pub mouse: bool,
    /// Where logs are looked for, as the waiting screen says it.
    pub looks: Vec<Label>,
    /// True inside tmux, which passes on only what it was told to.
    pub is_in_tmux: bool,
    /// True when the dollars are what an API would have charged, not what was paid.
    pub api_equivalent: bool,
}

impl Options {
    /// The defaults, for a zone and a user.
    pub fn new(zone: Zone, user: Label) -> Self {
        Self {
            theme: crate::theme::AUTO.to_owned(),
            themes: Themes::default(),
            depth: Depth::True,
            background: None,
            ascii: false,
            zone,
            user,
            keys: Keys::default(),
            compact: false,
            view: View::Live,
            filter: String::new(),
            mouse: false,
            looks: Vec::new(),
            is_in_tmux: false,
            api_equivalent: false,
        }
    }
}

/// What happens to the screen.
#[derive(Debug)]
pub enum Message {
    /// A key.
    Key(KeyEvent),
    /// Pasted text: typed into a prompt, otherwise nothing.
    Paste(String),
    /// The mouse, on a screen of this size.
    Mouse(MouseEvent, Rect),
    /// News.
    Feed(Feed),
    /// The numbers, as they are now.
    Summary(Arc<Summary>),
    /// A worker failed; everything else goes on.
    Failed(Label),
    /// What the terminal says is behind its text.
    Background(Background),
    /// The clock reached what [`App::changes_at`](super::App::changes_at) named.
    Clock(Instant),
}

/// What a message leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// Nothing to draw.
    Stay,
    /// Draw.
    Redraw,
    /// Leave.
    Quit,
}

/// What the loop has to do for the screen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Ask the program around.
    Ask(Request),
    /// Follow another session.
    Follow(Follow),
    /// No more warnings of this limit before then.
    Snooze(String, Instant),
    /// Put this into the clipboard.
    Copy(String),
    /// Capture the mouse, or let it go.
    Mouse(bool),
    /// Ring.
    Bell,
    /// Have the terminal show a notification (OSC 9).
    Popup(Vec<u8>),
    /// Draw every cell anew.
    Repaint,
    /// Suspend.
    Suspend,
}
