//! The event loop without the waiting: handles events, decides when to draw, and produces output.
//!
//! Time is passed in and bytes are returned, so it can be tested without sleeping.

use std::sync::Arc;
use std::time::{Duration, Instant as Moment};

use crossterm::event::{DisableMouseCapture, EnableMouseCapture, Event};
use crossterm::{clipboard::CopyToClipboard, queue};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use crate::domain::{Instant, Label};
use crate::engine::Driver;
use crate::meter::{Alerts, Meter};

use super::area::drawable;
use super::draw::draw_into;
use super::paint::paint_drawn;
use super::terminal_reply::{Decoded, QUESTION, Replies};
use super::{App, Effect, EngineEvent, FRAME, Message, Next, Note, REMOTE_FRAME, Request, Tone};

/// A terminal that has not replied within this time does not support the query.
const ANSWERS_WITHIN: Duration = Duration::from_secs(1);

/// Meter, screen state and current frame.
pub struct ScreenState {
    app: App,
    driver: Driver,
    area: Rect,
    /// The time between two frames that the engine was last given.
    pace: Duration,
    /// The content of the terminal; `None` if unknown.
    shown: Option<Buffer>,
    /// The frame before that one, reused as a buffer.
    spare: Buffer,
    drawn: Option<Moment>,
    /// True if the numbers may have changed.
    numbers: bool,
    /// True if the frame may have changed.
    picture: bool,
    /// True while the terminal has not accepted the last frame.
    painting: bool,
    background_asked: bool,
    /// When the terminal was asked for its background, while the reply may still come.
    asked_at: Option<Moment>,
    replies: Replies,
    out: Vec<u8>,
    requests: Vec<Request>,
    suspend: bool,
    quit: Option<Leave>,
}

/// Why the screen is closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Leave {
    /// The quit key.
    Asked,
    /// Ctrl-C.
    Interrupted,
}

impl ScreenState {
    /// A screen of this size for this meter.
    pub fn new(app: App, meter: Meter, alerts: Alerts, area: Rect) -> Self {
        Self {
            driver: Driver::new(meter, alerts, app.summary().now),
            app,
            area,
            pace: FRAME,
            shown: None,
            spare: Buffer::default(),
            drawn: None,
            numbers: true,
            picture: true,
            painting: false,
            background_asked: false,
            asked_at: None,
            replies: Replies::default(),
            out: Vec::new(),
            requests: Vec::new(),
            suspend: false,
            quit: None,
        }
    }

    /// Handles a terminal event.
    pub fn event(&mut self, event: Event, now: Instant, at: Moment) {
        let message = match event {
            Event::Key(key) => match self.replies.decode(key, at) {
                Decoded::Key(key) => Message::Key(key),
                Decoded::Part => return,
                Decoded::Background(background) => {
                    self.asked_at = None;
                    Message::Background(background)
                }
            },
            Event::Paste(text) => Message::Paste(text),
            Event::Mouse(mouse) => Message::Mouse(mouse, self.area),
            Event::Resize(width, height) => {
                // Of many sizes in a row, only the last may be reported, and it may be the same as before. The terminal
                // has cut off its content all the same.
                self.repaint(drawable(width, height));
                return;
            }
            Event::FocusGained | Event::FocusLost => return,
        };
        let interrupted =
            matches!(&message, Message::Key(key) if super::Chord::from_event(*key) == super::Chord::interrupt());
        self.update(message, now);
        if interrupted && self.quit.is_some() {
            self.quit = Some(Leave::Interrupted);
        }
    }

    /// Handles a message.
    pub fn feed(&mut self, feed: EngineEvent, now: Instant) {
        self.numbers |= self.driver.take(&feed, now);
        self.update(Message::Engine(feed), now);
    }

    /// Shows that a worker failed. Everything else continues.
    pub fn failed(&mut self, text: &str, now: Instant) {
        self.update(Message::Failed(Label::new(text)), now);
    }

    fn update(&mut self, message: Message, now: Instant) {
        match self.app.update(message, now) {
            Next::Stay => {}
            Next::Redraw => self.picture = true,
            Next::Quit => self.quit = Some(Leave::Asked),
        }
        for effect in self.app.effects() {
            self.carry_out(effect);
        }
    }

    fn carry_out(&mut self, effect: Effect) {
        match effect {
            Effect::Ask(request) => self.requests.push(request),
            Effect::Follow(follow) => {
                self.driver.follow(follow);
                self.numbers = true;
            }
            Effect::Snooze(limit, until) => self.driver.snooze(&limit, until),
            Effect::Unsnooze(limit) => {
                self.driver.unsnooze(&limit);
                // Alerts that were held back are due.
                self.numbers = true;
            }
            // Writing into memory cannot fail.
            Effect::Copy(text) => drop(queue!(self.out, CopyToClipboard::to_clipboard_from(text))),
            Effect::Mouse(true) => drop(queue!(self.out, EnableMouseCapture)),
            Effect::Mouse(false) => drop(queue!(self.out, DisableMouseCapture)),
            Effect::Bell => self.out.push(7),
            Effect::Popup(sequence) => self.out.extend_from_slice(&sequence),
            Effect::Repaint => self.shown = None,
            Effect::Suspend => self.suspend = true,
        }
    }

    /// Redraws if the screen has changed by now without an event.
    pub fn wake(&mut self, now: Instant) {
        if self.driver.changes_at().is_some_and(|at| at <= now) {
            self.numbers = true;
        }
        if self.app.changes_at().is_some_and(|at| at <= now) {
            self.update(Message::Clock(now), now);
        }
    }

    /// Time until the next change without an event.
    pub fn sleep(&self, now: Instant, at: Moment) -> Duration {
        if self.numbers || (self.picture && !self.painting) {
            return self.rest(at);
        }
        self.driver.sleep(now, self.app.changes_at())
    }

    /// Time until the next frame may be drawn.
    pub fn rest(&self, at: Moment) -> Duration {
        let next = self.drawn.map(|drawn| drawn + self.app.options.frame_time(self.area));
        next.map_or(Duration::ZERO, |next| next.saturating_duration_since(at))
    }

    /// Output that is due now: the next frame, if it is time, and other pending bytes.
    pub fn frame(&mut self, now: Instant, at: Moment) -> Option<Vec<u8>> {
        if self.drawn.is_some_and(|drawn| at.saturating_duration_since(drawn) < self.app.options.frame_time(self.area))
        {
            return None;
        }
        if self.numbers {
            self.count(now);
            if self.painting {
                // The terminal is slow: drop this frame and keep counting.
                self.drawn = Some(at);
            }
        }
        if self.painting {
            return None;
        }
        let mut out = std::mem::take(&mut self.out);
        if self.picture {
            self.picture = false;
            self.drawn = Some(at);
            let mut next = std::mem::take(&mut self.spare);
            draw_into(&self.app, self.area, &mut next);
            // Writing into memory cannot fail.
            drop(paint_drawn(self.shown.as_ref(), &mut next, self.app.options.ascii, &mut out));
            self.spare = self.shown.replace(next).unwrap_or_default();
            if !self.background_asked && self.app.wants_background() {
                out.extend_from_slice(QUESTION);
                self.asked_at = Some(at);
            }
            self.background_asked = true;
        }
        self.painting = !out.is_empty();
        self.painting.then_some(out)
    }

    /// Updates the numbers and requests due alerts.
    fn count(&mut self, now: Instant) {
        self.numbers = false;
        let summary = self.driver.summary(now);
        self.update(Message::Summary(Arc::new(summary)), now);
    }

    /// Called when the terminal has accepted the last frame.
    pub fn painted(&mut self) {
        self.painting = false;
    }

    /// Redraws everything at a new size, because the terminal's content is unknown.
    pub fn repaint(&mut self, area: Rect) {
        (self.area, self.shown, self.picture) = (area, None, true);
    }

    /// Takes the pending requests.
    pub fn requests(&mut self) -> Vec<Request> {
        let mut requests = self.driver.requests();
        requests.append(&mut self.requests);
        // Limits should be noticed in time however seldom frames are drawn.
        let pace = self.app.options.frame_time(self.area).min(REMOTE_FRAME);
        if std::mem::replace(&mut self.pace, pace) != pace {
            requests.push(Request::Pace(pace));
        }
        requests
    }

    /// True once after the suspend key was pressed.
    pub fn suspends(&mut self) -> bool {
        std::mem::take(&mut self.suspend)
    }

    /// Why to quit, if the user asked for it.
    pub fn leaves(&self) -> Option<Leave> {
        self.quit
    }

    /// True while the mouse is captured.
    pub fn mouse(&self) -> bool {
        self.app.mouse
    }

    /// Handles a request that could not be sent. A request caused by a key is dropped with a note; others are sent
    /// later.
    pub fn refused(&mut self, request: Request, now: Instant) {
        if matches!(request, Request::Pace(_)) {
            self.pace = Duration::ZERO;
            return;
        }
        if self.driver.put_back(request) {
            return;
        }
        let busy = Note::new(Tone::Warning, "busy: ask again in a moment");
        self.update(Message::Engine(EngineEvent::Note(busy)), now);
    }

    /// True while the terminal may still reply. After exit, the shell would read the reply as input.
    pub fn awaits_answer(&self, at: Moment) -> bool {
        self.asked_at.is_some_and(|asked| at.saturating_duration_since(asked) < ANSWERS_WITHIN)
    }

    /// The meter, for the closing summary.
    pub fn into_meter(self) -> Meter {
        self.driver.into_meter()
    }
}
