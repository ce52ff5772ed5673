//! The screen's state: messages change it, drawing does not.

use std::sync::Arc;

use chrono::Duration;
use crossterm::event::{KeyCode, KeyEvent, KeyEventKind, KeyModifiers, MouseEvent, MouseEventKind};

use crate::domain::{Instant, Label, Zone};
use crate::meter::{Follow, SessionLine, Summary};
use crate::text;
use crate::theme::{Background, Depth, Theme, ThemeError, Themes};

use super::history::History;
use super::mode::contains;
use super::{Action, Chord, Feed, HealthView, Input, Keys, Mode, ModelView, Note, Pane, Progress, Request, Tone, View};

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
    /// The mouse.
    Mouse(MouseEvent),
    /// News.
    Feed(Feed),
    /// The numbers, as they are now.
    Summary(Arc<Summary>),
    /// What the terminal says is behind its text.
    Background(Background),
    /// The clock reached what [`App::changes_at`] named.
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
    /// Draw every cell anew.
    Repaint,
    /// Suspend.
    Suspend,
}

/// Whether the picture follows the numbers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Picture {
    #[default]
    Live,
    Frozen,
}

/// How a table of sessions is sorted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum SortBy {
    #[default]
    Started,
    Duration,
    Project,
    Tokens,
    Cost,
    Rate,
}

impl SortBy {
    pub(super) const ALL: [Self; 6] =
        [Self::Started, Self::Duration, Self::Project, Self::Tokens, Self::Cost, Self::Rate];

    fn next(self) -> Self {
        let at = Self::ALL.iter().position(|by| *by == self).unwrap_or(0);
        Self::ALL[(at + 1) % Self::ALL.len()]
    }
}

/// The screen.
pub struct App {
    pub(super) options: Options,
    pub(super) theme: Theme,
    pub(super) summary: Arc<Summary>,
    pub(super) picture: Picture,
    pub(super) view: View,
    pub(super) mode: Mode,
    pub(super) pane: Pane,
    /// The row the cursor is on, of each view and then of each pane of the Live view.
    pub(super) cursors: [usize; 9],
    pub(super) sort: (SortBy, bool),
    pub(super) filter: Input,
    pub(super) history: History,
    pub(super) models: Vec<ModelView>,
    pub(super) health: HealthView,
    pub(super) progress: Option<Progress>,
    pub(super) note: Option<(Note, Instant)>,
    pub(super) ended: bool,
    pub(super) mouse: bool,
    background: Background,
    now: Instant,
    effects: Vec<Effect>,
}

impl App {
    /// The screen before anything is known.
    ///
    /// # Errors
    /// When the theme is not known, or its file is broken.
    pub fn new(options: Options, now: Instant) -> Result<Self, ThemeError> {
        let background = options.background.unwrap_or_default();
        let theme = options.themes.get(&options.theme, background)?.at(options.depth);
        let mut app = Self {
            theme,
            summary: Arc::new(Summary::empty(now)),
            picture: Picture::Live,
            view: options.view,
            mode: Mode::Browse,
            pane: Pane::Calls,
            cursors: [0; 9],
            sort: (SortBy::Started, false),
            filter: Input::new(&options.filter),
            history: History::default(),
            models: Vec::new(),
            health: HealthView::default(),
            progress: None,
            note: None,
            ended: false,
            mouse: options.mouse,
            background,
            now,
            effects: Vec::new(),
            options,
        };
        app.opened();
        Ok(app)
    }

    /// What the loop has to do; asking empties it.
    pub fn effects(&mut self) -> Vec<Effect> {
        std::mem::take(&mut self.effects)
    }

    /// True when the terminal should be asked for its background: the theme follows it.
    pub fn wants_background(&self) -> bool {
        self.options.background.is_none()
            && self.options.theme == crate::theme::AUTO
            && self.options.depth != Depth::None
    }

    /// The next moment at which the picture changes though nothing happens.
    pub fn changes_at(&self) -> Option<Instant> {
        let note = self.note.as_ref().map(|(_, until)| *until);
        let clock = self.ticks().then(|| {
            let into = self.now.timestamp().rem_euclid(60);
            self.now + Duration::seconds(60 - into)
                - Duration::nanoseconds(i64::from(self.now.timestamp_subsec_nanos()))
        });
        [note, clock].into_iter().flatten().min()
    }

    /// True while the header shows a running clock: the session is active. An idle screen says since
    /// when, which does not change, so that nothing at all is written.
    pub(super) fn ticks(&self) -> bool {
        self.picture == Picture::Live && self.summary.session.as_ref().is_some_and(|session| session.active)
    }

    /// The moment the picture is of.
    pub(super) fn now(&self) -> Instant {
        match self.picture {
            Picture::Live => self.now.max(self.summary.now),
            Picture::Frozen => self.summary.now,
        }
    }

    /// The theme it wears, at the terminal's depth.
    pub fn theme(&self) -> &Theme {
        &self.theme
    }

    /// The numbers as they are drawn.
    pub fn summary(&self) -> &Summary {
        &self.summary
    }

    /// Takes a message in, at this moment.
    pub fn update(&mut self, message: Message, now: Instant) -> Next {
        self.now = now;
        match message {
            Message::Key(key) if key.kind == KeyEventKind::Release => Next::Stay,
            Message::Key(key) => self.key(key),
            Message::Paste(text) => self.paste(&text),
            Message::Mouse(mouse) => self.mouse(mouse),
            Message::Feed(feed) => self.feed(feed),
            Message::Summary(summary) => match self.picture {
                Picture::Frozen => Next::Stay,
                Picture::Live => {
                    self.summary = summary;
                    Next::Redraw
                }
            },
            Message::Background(background) => self.stands_on(background),
            Message::Clock(now) => {
                self.note = self.note.take().filter(|(_, until)| *until > now);
                Next::Redraw
            }
        }
    }

    fn feed(&mut self, feed: Feed) -> Next {
        match feed {
            Feed::Changes(_) | Feed::Opening(_) => {
                self.history.turn_stale();
                self.ask_history();
                return Next::Stay;
            }
            Feed::Progress(progress) => self.progress = progress,
            Feed::Health(health) => {
                if *health == self.health {
                    return Next::Stay;
                }
                self.health = *health;
            }
            Feed::Note(note) => self.say(note),
            Feed::Settings(settings) => {
                self.options.themes = settings.themes;
                self.options.keys = settings.keys;
                self.options.zone = settings.rules.zone;
                self.wear(&settings.theme);
            }
            Feed::Answer(report) => {
                self.history.answer(*report);
                self.ask_history();
            }
            Feed::Models(models) => self.models = models,
            Feed::Ended => self.ended = true,
        }
        Next::Redraw
    }

    fn say(&mut self, note: Note) {
        if note.bell {
            self.effects.push(Effect::Bell);
        }
        let seconds = match note.tone {
            Tone::Plain => 6,
            Tone::Warning | Tone::Danger => 20,
        };
        self.note = Some((note, self.now + Duration::seconds(seconds)));
    }

    fn stands_on(&mut self, background: Background) -> Next {
        if self.options.background.is_some() || background == self.background {
            return Next::Stay;
        }
        self.background = background;
        self.wear(&self.options.theme.clone());
        Next::Redraw
    }

    /// Puts a theme on; a broken one is said and the present one kept.
    fn wear(&mut self, name: &str) {
        match self.options.themes.get(name, self.background) {
            Ok(theme) => {
                self.theme = theme.at(self.options.depth);
                name.clone_into(&mut self.options.theme);
            }
            Err(error) => self.say(Note::new(Tone::Danger, &error.to_string())),
        }
    }

    fn paste(&mut self, text: &str) -> Next {
        match &mut self.mode {
            Mode::Browse => return Next::Stay,
            Mode::Help { search: input, .. }
            | Mode::Choose { search: input, .. }
            | Mode::Filter(input)
            | Mode::EditLimit { input, .. }
            | Mode::AddLimit(input) => input.paste(text),
        }
        Next::Redraw
    }

    fn mouse(&mut self, mouse: MouseEvent) -> Next {
        match mouse.kind {
            MouseEventKind::ScrollUp => self.scroll(-3),
            MouseEventKind::ScrollDown => self.scroll(3),
            MouseEventKind::Down(_)
            | MouseEventKind::Up(_)
            | MouseEventKind::Drag(_)
            | MouseEventKind::Moved
            | MouseEventKind::ScrollLeft
            | MouseEventKind::ScrollRight => return Next::Stay,
        }
        Next::Redraw
    }

    fn key(&mut self, key: KeyEvent) -> Next {
        let chord = Chord::of(key);
        if chord == Chord::interrupt() {
            return Next::Quit;
        }
        if self.mode != Mode::Browse {
            return self.type_key(key);
        }
        match self.options.keys.action(chord, self.view.place()) {
            Some(action) => self.act(action),
            None => Next::Stay,
        }
    }

    /// A key while something lies over the view.
    #[expect(clippy::wildcard_enum_match_arm, reason = "the enum is crossterm's, and has more keys than are bound")]
    fn type_key(&mut self, key: KeyEvent) -> Next {
        let control = key.modifiers.intersects(KeyModifiers::CONTROL | KeyModifiers::ALT);
        let chord = Chord::of(key);
        let closes_help = matches!(self.mode, Mode::Help { .. })
            && self.options.keys.action(chord, self.view.place()) == Some(Action::Help);
        match key.code {
            KeyCode::Esc => self.leave(),
            KeyCode::Enter => self.confirm(),
            KeyCode::Up => self.scroll(-1),
            KeyCode::Down => self.scroll(1),
            KeyCode::PageUp => self.scroll(-10),
            KeyCode::PageDown => self.scroll(10),
            KeyCode::Home => self.scroll(isize::MIN / 2),
            KeyCode::End => self.scroll(isize::MAX / 2),
            _ if closes_help => self.mode = Mode::Browse,
            KeyCode::Backspace | KeyCode::Char(_) => {
                let (Mode::Help { search: input, .. }
                | Mode::Choose { search: input, .. }
                | Mode::Filter(input)
                | Mode::EditLimit { input, .. }
                | Mode::AddLimit(input)) = &mut self.mode
                else {
                    return Next::Stay;
                };
                match key.code {
                    KeyCode::Char('u') if key.modifiers.contains(KeyModifiers::CONTROL) => input.clear(),
                    KeyCode::Char(letter) if !control => input.push(letter),
                    KeyCode::Backspace => input.pop(),
                    _ => return Next::Stay,
                }
                if let Mode::Help { top, .. } | Mode::Choose { cursor: top, .. } = &mut self.mode {
                    *top = 0;
                }
                if let Mode::Filter(input) = &self.mode {
                    self.filter = input.clone();
                }
            }
            _ => return Next::Stay,
        }
        Next::Redraw
    }

    /// Closes what lies over the view; a filter being typed is dropped with it.
    fn leave(&mut self) {
        if let Mode::Filter(_) = self.mode {
            self.filter.clear();
        }
        self.mode = Mode::Browse;
    }

    fn confirm(&mut self) {
        match std::mem::take(&mut self.mode) {
            Mode::Browse | Mode::Help { .. } | Mode::Filter(_) => {}
            Mode::Choose { cursor, search } => {
                let choices = self.choices(&search);
                if let Some(follow) = choices.get(cursor.min(choices.len().saturating_sub(1))) {
                    self.effects.push(Effect::Follow(follow.clone()));
                }
            }
            Mode::EditLimit { scope, input } => {
                let amount = input.text().trim().to_owned();
                if !amount.is_empty() {
                    self.effects.push(Effect::Ask(Request::SetLimit { scope, amount }));
                }
            }
            Mode::AddLimit(input) => match input.text().trim().split_once(char::is_whitespace) {
                Some((scope, amount)) => self
                    .effects
                    .push(Effect::Ask(Request::SetLimit { scope: scope.to_owned(), amount: amount.trim().to_owned() })),
                None => self.say(Note::new(Tone::Warning, "a limit needs a scope and an amount, such as: day 25usd")),
            },
        }
    }

    /// What may be followed: whatever is latest, everything, each session that fits.
    pub(super) fn choices(&self, search: &Input) -> Vec<Follow> {
        let mut choices = Vec::new();
        if search.fits("latest") {
            choices.push(Follow::Latest);
        }
        if search.fits("everything") {
            choices.push(Follow::Everything);
        }
        let sessions = self.summary.sessions.iter().filter(|line| search.fits(&searched(line)));
        choices.extend(sessions.map(|line| Follow::Session(line.id())));
        choices
    }

    fn act(&mut self, action: Action) -> Next {
        match action {
            Action::Quit => return Next::Quit,
            Action::Close => {
                if !self.filter.text().is_empty() {
                    self.filter.clear();
                } else if self.note.take().is_none() && self.view != View::Live {
                    return self.open(View::Live);
                }
            }
            Action::Help => self.mode = Mode::Help { top: 0, search: Input::default() },
            Action::ViewLive | Action::Back => return self.open(View::Live),
            Action::ViewSessions => return self.open(View::Sessions),
            Action::ViewHistory => return self.open(View::History),
            Action::ViewModels => return self.open(View::Models),
            Action::ViewLimits | Action::Limits => return self.open(View::Limits),
            Action::ViewHealth => return self.open(View::Health),
            Action::NextPane => return self.turn(true),
            Action::PreviousPane => return self.turn(false),
            Action::Up | Action::PreviousMatch => self.scroll(-1),
            Action::Down | Action::NextMatch => self.scroll(1),
            Action::PageUp => self.scroll(-10),
            Action::PageDown => self.scroll(10),
            Action::First => self.scroll(isize::MIN / 2),
            Action::Last => self.scroll(isize::MAX / 2),
            Action::Left => self.sideways(true),
            Action::Right => self.sideways(false),
            Action::Enter => return self.enter(),
            Action::Filter => self.mode = Mode::Filter(self.filter.clone()),
            Action::Choose => self.mode = Mode::Choose { cursor: 0, search: Input::default() },
            Action::Demo => {
                if !self.is_waiting() {
                    return Next::Stay;
                }
                self.effects.push(Effect::Ask(Request::Demo));
            }
            Action::Sort => self.sort = (self.sort.0.next(), self.sort.1),
            Action::Reverse => self.sort.1 = !self.sort.1,
            Action::AddLimit => {
                if self.view != View::Limits {
                    return Next::Stay;
                }
                self.mode = Mode::AddLimit(Input::default());
            }
            Action::RemoveLimit => {
                let Some(scope) = self.limit_here().filter(|_| self.view == View::Limits) else { return Next::Stay };
                self.effects.push(Effect::Ask(Request::UnsetLimit { scope }));
            }
            Action::Grain => {
                self.history.step = self.history.step.next();
                (self.history.back, self.history.cursor) = (0, 0);
                self.turn_page();
            }
            Action::Earlier => {
                self.history.back = self.history.back.saturating_add(super::history::BARS / 2).min(100_000);
                self.turn_page();
            }
            Action::Later => {
                self.history.back = self.history.back.saturating_sub(super::history::BARS / 2);
                self.turn_page();
            }
            Action::Snooze => self.snooze(),
            Action::Freeze => {
                self.picture = match self.picture {
                    Picture::Live => Picture::Frozen,
                    Picture::Frozen => Picture::Live,
                };
            }
            Action::Theme => self.next_theme(),
            Action::Copy => {
                self.effects.push(Effect::Copy(self.copied()));
                self.say(Note::new(Tone::Plain, "copied"));
            }
            Action::Mouse => {
                self.mouse = !self.mouse;
                self.effects.push(Effect::Mouse(self.mouse));
                let words = if self.mouse {
                    "mouse on: hold Shift to select text"
                } else {
                    "mouse off: the terminal selects text"
                };
                self.say(Note::new(Tone::Plain, words));
            }
            Action::Redraw => self.effects.push(Effect::Repaint),
            Action::Suspend => {
                self.effects.push(Effect::Suspend);
                return Next::Stay;
            }
        }
        Next::Redraw
    }

    fn open(&mut self, view: View) -> Next {
        self.view = view;
        self.opened();
        Next::Redraw
    }

    /// Asks for what the view needs.
    fn opened(&mut self) {
        match self.view {
            View::Models => self.effects.push(Effect::Ask(Request::Models)),
            View::History => self.turn_page(),
            View::Live | View::Sessions | View::Limits | View::Health => {}
        }
    }

    fn turn_page(&mut self) {
        self.history.turn_stale();
        self.ask_history();
    }

    fn ask_history(&mut self) {
        if self.view == View::History {
            let questions = self.history.questions(self.now, self.options.zone);
            self.effects.extend(questions.into_iter().map(|query| Effect::Ask(Request::History(query))));
        }
    }

    fn turn(&mut self, forward: bool) -> Next {
        if self.view == View::Live {
            self.pane = self.pane.beside(forward);
            return Next::Redraw;
        }
        self.open(self.view.beside(forward))
    }

    fn enter(&mut self) -> Next {
        match self.view {
            View::Sessions => {
                let here = self.sessions().get(self.cursor()).map(|line| line.id());
                let Some(id) = here else { return Next::Stay };
                self.effects.push(Effect::Follow(Follow::Session(id)));
                self.open(View::Live)
            }
            View::Limits => {
                let Some(scope) = self.limit_here() else { return Next::Stay };
                self.mode = Mode::EditLimit { scope, input: Input::default() };
                Next::Redraw
            }
            View::Live | View::History | View::Models | View::Health => Next::Stay,
        }
    }

    /// The limit under the cursor, as `limits set` names it.
    fn limit_here(&self) -> Option<String> {
        let limits = self.limits();
        limits.get(self.cursor()).map(|limit| super::views::limit_scope(limit))
    }

    fn snooze(&mut self) {
        let worst = self.summary.worst_limit().map(|limit| (limit.name.clone(), limit.span.map(|span| span.until)));
        let Some((name, until)) = worst else {
            return self.say(Note::new(Tone::Plain, "no limit is near"));
        };
        let until = until.filter(|until| *until > self.now).unwrap_or(self.now + Duration::hours(1));
        let when = text::moment(until, self.now, self.options.zone);
        self.say(Note::new(Tone::Plain, &format!("no more alerts of the {name} limit until {when}")));
        self.effects.push(Effect::Snooze(name, until));
    }

    fn next_theme(&mut self) {
        let names: Vec<String> = self.options.themes.names().iter().map(|&name| name.to_owned()).collect();
        let at = names.iter().position(|name| *name == self.options.theme).unwrap_or(0);
        let name = names[(at + 1) % names.len()].clone();
        self.say(Note::new(Tone::Plain, &format!("theme {name}")));
        self.wear(&name);
        self.options.theme.clone_from(&name);
        self.effects.push(Effect::Ask(Request::Theme(name)));
    }

    fn sideways(&mut self, left: bool) {
        if self.view == View::History {
            let most = super::history::BARS - 1;
            let cursor = &mut self.history.cursor;
            *cursor = if left { (*cursor + 1).min(most) } else { cursor.saturating_sub(1) };
        } else {
            self.scroll(if left { -1 } else { 1 });
        }
    }

    /// Moves the cursor of whatever takes the keys.
    fn scroll(&mut self, by: isize) {
        let rows = match &self.mode {
            Mode::Help { search, .. } => super::widgets::help_lines(&self.options.keys, search).len(),
            Mode::Choose { search, .. } => self.choices(search).len(),
            Mode::Browse | Mode::Filter(_) | Mode::EditLimit { .. } | Mode::AddLimit(_) => self.rows(),
        };
        let here = self.cursor_slot();
        let cursor = match &mut self.mode {
            Mode::Help { top: cursor, .. } | Mode::Choose { cursor, .. } => cursor,
            Mode::Browse | Mode::Filter(_) | Mode::EditLimit { .. } | Mode::AddLimit(_) => &mut self.cursors[here],
        };
        let last = rows.saturating_sub(1);
        *cursor = (*cursor).min(last).saturating_add_signed(by).min(last);
    }

    fn cursor_slot(&self) -> usize {
        if self.view == View::Live { 6 + self.pane.nth() } else { self.view.nth() }
    }

    /// The row the cursor is on, in the view that is open.
    pub(super) fn cursor(&self) -> usize {
        self.cursors[self.cursor_slot()].min(self.rows().saturating_sub(1))
    }

    /// Rows of what the cursor moves in.
    fn rows(&self) -> usize {
        match (self.view, self.pane) {
            (View::Live, Pane::Calls) => self.calls().len(),
            (View::Live, Pane::Models) => self.summary.models.len(),
            (View::Live, Pane::Limits) | (View::Limits, _) => self.limits().len(),
            (View::Sessions, _) => self.sessions().len(),
            (View::History, _) => 1,
            (View::Models, _) => self.models_shown().len(),
            (View::Health, _) => super::views::health_lines(self).len(),
        }
    }

    /// The calls that fit the filter.
    pub(super) fn calls(&self) -> Vec<&crate::meter::CallLine> {
        let fits = |line: &&crate::meter::CallLine| {
            let call = &line.row.call;
            [&call.model, &call.from.agent, &call.from.project, &call.from.session]
                .into_iter()
                .flatten()
                .any(|name| self.filter.fits(name))
                || self.filter.text().is_empty()
        };
        self.summary.calls.iter().filter(fits).collect()
    }

    /// The limits, worst first; in their own view those that fit the filter.
    pub(super) fn limits(&self) -> Vec<&crate::meter::LimitState> {
        let all = self.view != View::Limits;
        self.summary.limits.iter().filter(|limit| all || self.filter.fits(&limit.name)).collect()
    }

    /// The models that fit the filter.
    pub(super) fn models_shown(&self) -> Vec<&ModelView> {
        let name = |view: &ModelView| view.model.as_ref().map_or_else(String::new, Label::to_string);
        self.models.iter().filter(|view| self.filter.fits(&name(view))).collect()
    }

    /// The sessions that fit the filter, in the order chosen.
    pub(super) fn sessions(&self) -> Vec<&SessionLine> {
        let mut all: Vec<&SessionLine> =
            self.summary.sessions.iter().filter(|line| self.filter.fits(&searched(line))).collect();
        let (by, reversed) = self.sort;
        // Each column begins with what matters most: the latest, the longest, the dearest.
        match by {
            SortBy::Started => all.sort_by_key(|line| std::cmp::Reverse(line.row.started)),
            SortBy::Duration => all.sort_by_key(|line| std::cmp::Reverse(line.duration)),
            SortBy::Project => all.sort_by(|one, other| one.row.project.cmp(&other.row.project)),
            SortBy::Tokens => all.sort_by_key(|line| std::cmp::Reverse(line.row.sums.tokens.total())),
            SortBy::Cost => all.sort_by_key(|line| std::cmp::Reverse(line.row.sums.cost)),
            SortBy::Rate => all.sort_by_key(|line| std::cmp::Reverse(super::views::per_hour(line))),
        }
        if reversed {
            all.reverse();
        }
        all
    }

    /// True while nothing at all has been counted.
    pub(super) fn is_waiting(&self) -> bool {
        self.summary.all.calls == 0 && self.summary.sessions.is_empty()
    }

    /// What the copy key copies: the row under the cursor, or the summary of what is followed.
    fn copied(&self) -> String {
        match self.view {
            View::Sessions => self.sessions().get(self.cursor()).map(|line| super::views::session_copied(line)),
            View::Limits => self
                .limits()
                .get(self.cursor())
                .map(|limit| format!("{}, {}", text::banner_title(limit), text::banner_amounts(limit))),
            View::Live | View::History | View::Models | View::Health => {
                self.summary.session.as_ref().map(|session| text::complete(session, &self.summary.limits, None))
            }
        }
        .unwrap_or_else(|| text::counter(&self.summary.followed, false))
    }
}

/// What a filter searches of a session.
pub(super) fn searched(line: &SessionLine) -> String {
    let row = &line.row;
    let models = row.models.iter().filter_map(|(model, _)| model.as_ref());
    let names = [&row.session, &row.project, &row.user].into_iter().flatten().chain([&row.source]).chain(models);
    names.map(Label::as_str).collect::<Vec<_>>().join(" ")
}

/// True when a name fits what is searched for; for the views.
pub(super) fn fits(filter: &Input, name: &str) -> bool {
    contains(name, filter.text())
}
