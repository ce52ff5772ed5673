//! The screen. It only displays the meter's numbers, writes only what changed, and sleeps until something does.

mod app;
mod down;
mod draw;
mod history;
mod keys;
mod lists;
mod mode;
mod model_days;
mod navigate;
mod offscreen;
mod options;
mod paint;
mod projects;
mod run;
mod screen_state;
pub(crate) mod svg;
mod terminal;
mod terminal_reply;
mod update;
mod views;
mod widgets;

use crate::engine::{Feed, HealthView, LedgerView, ModelView, Note, Progress, Request, Tone, Watching};
pub use app::App;
pub use draw::draw;
pub(crate) use keys::Place;
pub use keys::{Action, Chord, Keys};
pub use mode::View;
pub(crate) use mode::{Input, Mode, Pane};
pub use offscreen::as_svg;
pub(crate) use offscreen::as_text;
pub use options::{Effect, Message, Next, Options};
pub use paint::paint;
pub(crate) use run::{Exit, run};
pub use screen_state::{FRAME, Leave, ScreenState};
pub(crate) use terminal::give_back;
