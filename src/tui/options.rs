//! The screen's options, messages and effects.

use std::sync::Arc;
use std::time::Duration;

use crossterm::event::{KeyEvent, MouseEvent};
use ratatui::layout::Rect;

use crate::domain::{Instant, Label, Zone};
use crate::meter::{Follow, Summary};
use crate::theme::{Background, Depth, Themes};

use super::{EngineEvent, Keys, Request, SavedView, View};

/// Minimum time between two frames, unless the config sets another.
pub const FRAME: Duration = crate::engine::FRAME;
/// The time between two frames of a large screen, per cell: 15 a second at 200×60.
const FRAME_OF_CELL: Duration = Duration::from_nanos(5_500);
/// The same for frames that are sent over a network.
pub const REMOTE_FRAME: Duration = Duration::from_millis(100);

/// Options of the screen.
#[derive(Clone)]
pub struct Options {
    /// Name of the theme.
    pub theme: String,
    /// Available themes.
    pub themes: Themes,
    /// Colour depth.
    pub depth: Depth,
    /// Background of the terminal, if known from another source.
    pub background: Option<Background>,
    /// True to use ASCII only.
    pub ascii: bool,
    /// Time zone of days and clock.
    pub zone: Zone,
    /// User shown in the header.
    pub user: Label,
    /// Key bindings.
    pub keys: Keys,
    /// True to use the layout with one to four lines, whatever the size.
    pub compact: bool,
    /// Initial view.
    pub view: View,
    /// Initial filter.
    pub filter: String,
    /// The command line's filter as text: `project /home/kim/web-shop`. Empty if all calls are shown.
    pub only: String,
    /// True to start with the mouse captured.
    pub mouse: bool,
    /// Log locations, for the waiting screen.
    pub looks: Vec<Label>,
    /// Messages for the waiting screen, such as a name in the filter that no call has.
    pub notes: Vec<Label>,
    /// Maximum number of frames per second; `None` for the default of this terminal.
    pub frame_rate: Option<u8>,
    /// True if frames are sent over a network.
    pub is_remote: bool,
    /// True inside tmux, which only passes on the sequences it is configured to.
    pub is_in_tmux: bool,
    /// Views saved under a name.
    pub views: Vec<SavedView>,
    /// The command whose calls are shown if they are not booked: `demo`, `replay`.
    pub played: Option<&'static str>,
    /// True if dollars are API prices and not the amounts actually paid.
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
            view: View::Fleet,
            filter: String::new(),
            only: String::new(),
            mouse: false,
            looks: Vec::new(),
            notes: Vec::new(),
            frame_rate: None,
            is_remote: false,
            is_in_tmux: false,
            views: Vec::new(),
            played: None,
            api_equivalent: false,
        }
    }

    /// Minimum time between two frames of this size. Drawing a larger one takes longer, and should not use more of the
    /// processor.
    pub(super) fn frame_time(&self, area: Rect) -> Duration {
        match self.frame_rate {
            Some(rate) => Duration::from_secs(1) / u32::from(rate.max(1)),
            None if self.is_remote => REMOTE_FRAME,
            None => (FRAME_OF_CELL * area.area()).clamp(FRAME, REMOTE_FRAME),
        }
    }
}

/// Messages to the screen.
#[derive(Debug)]
pub enum Message {
    /// A key.
    Key(KeyEvent),
    /// Pasted text, used by text inputs.
    Paste(String),
    /// The mouse, on a screen of this size.
    Mouse(MouseEvent, Rect),
    /// From the ledger thread.
    Engine(EngineEvent),
    /// Updated numbers.
    Summary(Arc<Summary>),
    /// A worker failed. Everything else continues.
    Failed(Label),
    /// The terminal's answer about its background.
    Background(Background),
    /// The time returned by [`App::changes_at`](super::App::changes_at) was reached.
    Clock(Instant),
}

/// Result of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// No redraw needed.
    Stay,
    /// Redraw.
    Redraw,
    /// Quit.
    Quit,
}

/// Effects that the loop must carry out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Send a request.
    Ask(Request),
    /// Follow another session.
    Follow(Follow),
    /// Suppress this limit's alerts until a time.
    Snooze(String, Instant),
    /// Stop suppressing them.
    Unsnooze(String),
    /// Copy to the clipboard.
    Copy(String),
    /// Capture or release the mouse.
    Mouse(bool),
    /// Ring the bell.
    Bell,
    /// Make the terminal show a desktop notification (OSC 9).
    Popup(Vec<u8>),
    /// Redraw every cell.
    Repaint,
    /// Suspend the process.
    Suspend,
}
