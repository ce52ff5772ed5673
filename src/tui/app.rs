//! State of the screen. Messages change it, drawing does not.

use std::collections::BTreeMap;
use std::sync::Arc;

use chrono::Duration;
use crossterm::event::KeyEventKind;

use crate::domain::{Instant, Label};
use crate::ledger::Grain;
use crate::meter::{Activity, Follow, Summary};
use crate::theme::{Background, Depth, Theme, ThemeError};

use super::drill_down::DrillDown;
use super::history::History;
use super::limit_widths::LimitWidths;
use super::model_days::ModelDays;
use super::projects::Projects;
use super::rows::SortBy;
use super::saved::SavedView;
use super::targets::Targets;
use super::{Effect, EngineEvent, HealthView, Input, Message, Mode, ModelView, Next, Note, Options, Pane};
use super::{Progress, Request, Tone, View};

/// Whether the displayed numbers are live or frozen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Picture {
    #[default]
    Live,
    Frozen,
}

/// State of a request for the Models view; there is at most one at a time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Asked {
    /// The displayed data may be out of date.
    #[default]
    Stale,
    /// Requested, with no changes since.
    Waiting,
    /// Requested, with changes since.
    StaleWaiting,
    /// The displayed data is up to date.
    Fresh,
}

impl Asked {
    const fn stale(self) -> Self {
        match self {
            Self::Stale | Self::Fresh => Self::Stale,
            Self::Waiting | Self::StaleWaiting => Self::StaleWaiting,
        }
    }

    const fn answered(self) -> Self {
        match self {
            Self::Stale | Self::StaleWaiting => Self::Stale,
            Self::Waiting | Self::Fresh => Self::Fresh,
        }
    }
}

/// The saved views that can be opened. The config check has reported the others.
fn saved_views(views: &[(String, String)]) -> Vec<SavedView> {
    views.iter().filter_map(|(name, text)| SavedView::parse(name, text).ok()).collect()
}

/// State of the screen.
pub struct App {
    pub(super) options: Options,
    pub(super) theme: Theme,
    pub(super) summary: Arc<Summary>,
    /// Indexes of the summary's limits, in display order.
    pub(super) limit_order: Vec<usize>,
    /// Column widths that the sessions table has needed today.
    pub(super) fleet_widths: Vec<usize>,
    /// Column widths that the text of the limits has needed today.
    pub(super) limit_widths: LimitWidths,
    pub(super) picture: Picture,
    /// The latest summary that came while the picture was frozen.
    pub(super) missed: Option<Arc<Summary>>,
    pub(super) view: View,
    pub(super) mode: Mode,
    pub(super) pane: Pane,
    /// Cursor row of each view, followed by that of each pane of the Fleet view.
    pub(super) cursors: [usize; View::ALL.len() + 5],
    /// The view in which the pinned session was opened.
    pub(super) pinned_in: View,
    /// The model to which the pinned session's calls are narrowed.
    pub(super) of_model: Option<Label>,
    /// Followed while no session is pinned: the day, or everything.
    pub(super) home: Follow,
    pub(super) sort: (SortBy, bool),
    pub(super) filter: Input,
    pub(super) history: History,
    pub(super) projects: Projects,
    /// The project or day whose sessions the Sessions view shows.
    pub(super) drill_down: Option<DrillDown>,
    pub(super) models: Vec<ModelView>,
    pub(super) model_days: ModelDays,
    pub(super) health: HealthView,
    /// Workers that failed.
    pub(super) failures: Vec<Label>,
    pub(super) progress: Option<Progress>,
    /// True once all logs have been read for the first time.
    pub(super) has_read: bool,
    pub(super) note: Option<(Note, Instant)>,
    /// True if the note is about the text of the open prompt.
    pub(super) is_note_of_prompt: bool,
    pub(super) ended: bool,
    pub(super) mouse: bool,
    pub(super) background: Background,
    pub(super) clock: Instant,
    pub(super) effects: Vec<Effect>,
    pub(super) asked: Asked,
    /// Areas that react to a click.
    pub(super) targets: Targets,
    /// Limits whose alerts are held back, by name, with the time until when.
    pub(super) snoozed: BTreeMap<String, Instant>,
    /// Limit awaiting confirmation; pressing the key again removes it.
    pub(super) pending_removal: Option<String>,
}

impl App {
    /// The screen before there is any data.
    ///
    /// # Errors
    /// When the theme is unknown, or its file is invalid.
    pub fn new(options: Options, now: Instant) -> Result<Self, ThemeError> {
        let background = options.background.unwrap_or_default();
        let theme = options.themes.get(&options.theme, background)?.at(options.depth);
        let mut app = Self {
            theme,
            summary: Arc::new(Summary::empty(now)),
            limit_order: Vec::new(),
            fleet_widths: Vec::new(),
            limit_widths: LimitWidths::default(),
            picture: Picture::Live,
            missed: None,
            view: options.view,
            mode: Mode::Browse,
            pane: Pane::default(),
            cursors: [0; View::ALL.len() + 5],
            of_model: None,
            pinned_in: View::Fleet,
            home: Follow::Today,
            sort: (SortBy::Started, false),
            filter: Input::new(&options.filter),
            history: History::default(),
            projects: Projects::default(),
            drill_down: None,
            models: Vec::new(),
            model_days: ModelDays::default(),
            health: HealthView::default(),
            failures: Vec::new(),
            progress: None,
            has_read: false,
            note: None,
            is_note_of_prompt: false,
            ended: false,
            mouse: options.mouse,
            background,
            clock: now,
            effects: Vec::new(),
            asked: Asked::default(),
            snoozed: BTreeMap::new(),
            pending_removal: None,
            targets: Targets::default(),
            options,
        };
        app.ask();
        Ok(app)
    }

    /// Takes the effects that the loop must carry out.
    pub fn effects(&mut self) -> Vec<Effect> {
        std::mem::take(&mut self.effects)
    }

    /// True when the terminal should be asked for its background, because the theme depends on it.
    pub fn wants_background(&self) -> bool {
        self.options.background.is_none()
            && self.options.theme == crate::theme::AUTO
            && self.options.depth != Depth::None
    }

    /// When the screen next changes without a message.
    pub fn changes_at(&self) -> Option<Instant> {
        let note = self.note.as_ref().map(|(_, until)| *until);
        let clock = self.ticks().then(|| {
            let into = self.clock.timestamp().rem_euclid(60);
            self.clock + Duration::seconds(60 - into)
                - Duration::nanoseconds(i64::from(self.clock.timestamp_subsec_nanos()))
        });
        [note, clock].into_iter().flatten().min()
    }

    /// True while the header shows a running clock, because something on screen is active. An idle screen shows the
    /// time since when it is idle. That does not change, so nothing at all is written.
    pub(super) fn ticks(&self) -> bool {
        let works = self.summary.fleet.iter().any(|line| line.activity <= Activity::Quiet);
        let active = self.summary.session.as_ref().map_or(works, |session| session.active);
        self.picture == Picture::Live && active
    }

    /// Time of the displayed numbers.
    pub(super) fn now(&self) -> Instant {
        match self.picture {
            Picture::Live => self.clock.max(self.summary.now),
            Picture::Frozen => self.summary.now,
        }
    }

    /// The theme at the terminal's colour depth.
    pub fn theme(&self) -> &Theme {
        &self.theme
    }

    /// The open view.
    pub fn view(&self) -> View {
        self.view
    }

    /// The displayed numbers.
    pub fn summary(&self) -> &Summary {
        &self.summary
    }

    /// Handles a message.
    pub fn update(&mut self, message: Message, now: Instant) -> Next {
        self.clock = now;
        match message {
            Message::Key(key) if key.kind == KeyEventKind::Release => Next::Stay,
            Message::Key(key) => self.key(key),
            Message::Paste(text) => self.paste(&text),
            Message::Mouse(mouse, area) => self.mouse(mouse, area),
            Message::Engine(feed) => self.feed(feed),
            Message::Summary(summary) => match self.picture {
                Picture::Frozen => {
                    self.missed = Some(summary);
                    Next::Stay
                }
                Picture::Live => {
                    self.show(summary);
                    Next::Redraw
                }
            },
            Message::Failed(text) => {
                self.say(Note::new(Tone::Danger, &format!("{text}; everything else goes on")));
                self.failures.push(text);
                Next::Redraw
            }
            Message::Background(background) => self.background_known(background),
            Message::Clock(now) => {
                self.note = self.note.take().filter(|(_, until)| *until > now);
                Next::Redraw
            }
        }
    }

    fn feed(&mut self, feed: EngineEvent) -> Next {
        match feed {
            EngineEvent::Changes(_) | EngineEvent::Snapshot(_) | EngineEvent::Statuses(_) => {
                self.turn_stale();
                self.asked = self.asked.stale();
                self.ask();
                return Next::Stay;
            }
            EngineEvent::Progress(progress) => {
                self.has_read |= progress.is_none();
                self.progress = progress;
            }
            EngineEvent::Health(health) => {
                if *health == self.health {
                    return Next::Stay;
                }
                let trouble = self.health.config_trouble.take();
                self.health = *health;
                if trouble.is_some() && self.health.config_trouble.is_none() {
                    // Replaces the error, which would stay for a while.
                    self.say(Note::new(Tone::Plain, "the config is valid again and in force"));
                }
            }
            EngineEvent::Note(note) => self.say(note),
            EngineEvent::Settings(settings) => {
                self.options.themes = settings.themes;
                // The engine has already rejected conflicting keys.
                if let Ok(keys) = super::Keys::from_bindings(&settings.settings.keys) {
                    self.options.keys = keys;
                }
                self.options.views = saved_views(&settings.settings.views);
                self.options.zone = settings.rules.zone;
                self.options.frame_rate = settings.settings.frame_rate.most();
                self.set_theme(&settings.settings.theme);
            }
            EngineEvent::Answer(report) => {
                let is_down = self.drill_down.as_mut().is_some_and(|down| down.answer(&report, self.clock));
                let is_taken = is_down || self.projects.answer(&report) || self.model_days.answer(&report);
                if !is_taken && report.query.grain != Grain::Session {
                    self.history.answer(*report);
                }
                self.explain_page();
                self.ask();
            }
            EngineEvent::Models(models) => {
                self.models = models;
                self.asked = self.asked.answered();
                self.explain_rates();
                self.explain_page();
                self.ask();
            }
            EngineEvent::Explained(explained) => {
                let Mode::Explain(shown) = &mut self.mode else { return Next::Stay };
                if shown.call != Some(explained.key) {
                    return Next::Stay;
                }
                shown.lines = explained.lines.iter().map(Label::to_string).collect();
            }
            EngineEvent::Ended => self.ended = true,
        }
        Next::Redraw
    }

    /// Marks the ledger's answers as out of date. They are requested again when they are next shown.
    pub(super) fn turn_stale(&mut self) {
        self.history.turn_stale();
        self.projects.turn_stale();
        self.model_days.turn_stale();
        if let Some(down) = &mut self.drill_down {
            down.turn_stale();
        }
    }

    pub(super) fn say(&mut self, note: Note) {
        if note.bell {
            self.effects.push(Effect::Bell);
        }
        let seconds = match note.tone {
            Tone::Plain => 6,
            Tone::Warning | Tone::Danger => 20,
        };
        self.effects.extend(note.popup.clone().map(Effect::Popup));
        // The banner already shows it with the current percentage, and the percentage in the alert would soon be wrong
        // next to it.
        let in_banner = self.summary.worst_limit().map(|limit| limit.name.as_str());
        if note.limit.is_some() && note.limit.as_deref() == in_banner {
            return;
        }
        self.is_note_of_prompt = false;
        self.note = Some((note, self.clock + Duration::seconds(seconds)));
    }

    /// Requests missing data of the open view.
    pub(super) fn ask(&mut self) {
        match self.view {
            View::History => {
                let questions = self.history.questions(self.clock, self.options.zone);
                self.effects.extend(questions.into_iter().map(|query| Effect::Ask(Request::History(query))));
            }
            View::Projects => {
                let questions = self.projects.questions(self.clock, self.options.zone);
                self.effects.extend(questions.into_iter().map(|query| Effect::Ask(Request::History(query))));
            }
            View::Sessions => {
                let question = self.drill_down.as_mut().and_then(DrillDown::question);
                self.effects.extend(question.map(|query| Effect::Ask(Request::History(query))));
            }
            View::Models => {
                if self.asked == Asked::Stale {
                    self.asked = Asked::Waiting;
                    self.effects.push(Effect::Ask(Request::Models));
                }
                let question = self.model_days.question(self.clock, self.options.zone);
                self.effects.extend(question.map(|query| Effect::Ask(Request::History(query))));
            }
            View::Fleet | View::Limits | View::Health => {}
        }
    }

    fn background_known(&mut self, background: Background) -> Next {
        if self.options.background.is_some() || background == self.background {
            return Next::Stay;
        }
        self.background = background;
        self.set_theme(&self.options.theme.clone());
        Next::Redraw
    }

    /// Changes the theme. If it is invalid, shows the error and keeps the current theme.
    pub(super) fn set_theme(&mut self, name: &str) {
        match self.options.themes.get(name, self.background) {
            Ok(theme) => {
                self.theme = theme.at(self.options.depth);
                name.clone_into(&mut self.options.theme);
            }
            Err(error) => self.say(Note::new(Tone::Danger, &error.to_string())),
        }
    }
}
