//! The screen: a face of the meter. It computes nothing, writes only what changed, and sleeps until something does.

mod app;
mod draw;
mod feed;
mod history;
mod keys;
mod lists;
mod mode;
mod offscreen;
mod options;
mod paint;
mod run;
mod screen_state;
pub mod svg;
mod terminal;
mod terminal_reply;
mod update;
mod views;
mod widgets;

pub use app::App;
pub use draw::draw;
pub use feed::{
    BadLineView, Feed, HealthView, LedgerView, ModelView, NewSettings, Note, Progress, Request, SourceView, Tone,
    Watching,
};
pub use keys::{Action, Chord, Keys, Place};
pub use mode::{Input, Mode, Pane, View};
pub use offscreen::{as_svg, as_text};
pub use options::{Effect, Message, Next, Options};
pub use paint::paint;
pub use run::{Clock, Exit, run};
pub use screen_state::{FRAME, Leave, ScreenState};
pub use terminal::give_back;
