//! The screen: a face of the meter. It computes nothing, writes only what changed, and sleeps until something does.

mod act;
mod app;
mod core;
mod draw;
mod feed;
mod history;
mod keys;
mod lists;
mod mode;
mod options;
mod paint;
mod reply;
mod run;
mod still;
pub mod svg;
mod terminal;
mod views;
mod widgets;

pub use app::App;
pub use core::{Core, FRAME, Leave};
pub use draw::draw;
pub use feed::{
    BadLineView, Feed, HealthView, LedgerView, ModelView, NewSettings, Note, Progress, Request, SourceView, Tone,
    Watching,
};
pub use keys::{Action, Chord, Keys, Place};
pub use mode::{Input, Mode, Pane, View};
pub use options::{Effect, Message, Next, Options};
pub use paint::paint;
pub use run::{Clock, Exit, run};
pub use still::{as_svg, as_text};
pub use terminal::give_back;
