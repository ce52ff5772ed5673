//! Maps keys to actions, and applies actions to the screen.

use chrono::Duration;
use crossterm::event::{KeyCode, KeyEvent, KeyModifiers, MouseButton, MouseEvent, MouseEventKind};
use ratatui::layout::Rect;

use crate::text;

use super::app::{App, Picture};
use super::{Action, Chord, Effect, Input, Mode, Next, Note, Request, Tone, View};

impl App {
    pub(super) fn paste(&mut self, text: &str) -> Next {
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

    pub(super) fn mouse(&mut self, mouse: MouseEvent, area: Rect) -> Next {
        match mouse.kind {
            MouseEventKind::ScrollUp => self.scroll(-3),
            MouseEventKind::ScrollDown => self.scroll(3),
            MouseEventKind::Down(MouseButton::Left) if mouse.row == area.y && self.mode == Mode::Browse => {
                return self.click_tab(mouse.column, area);
            }
            MouseEventKind::Down(_)
            | MouseEventKind::Up(_)
            | MouseEventKind::Drag(_)
            | MouseEventKind::Moved
            | MouseEventKind::ScrollLeft
            | MouseEventKind::ScrollRight => return Next::Stay,
        }
        Next::Redraw
    }

    pub(super) fn key(&mut self, key: KeyEvent) -> Next {
        let chord = Chord::from_event(key);
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

    /// Handles a key while an overlay is open.
    #[expect(clippy::wildcard_enum_match_arm, reason = "the enum is crossterm's, and has more keys than are bound")]
    fn type_key(&mut self, key: KeyEvent) -> Next {
        let control = key.modifiers.intersects(KeyModifiers::CONTROL | KeyModifiers::ALT);
        let chord = Chord::from_event(key);
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

    /// Closes the overlay; a filter being typed is dropped.
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

    pub(super) fn act(&mut self, action: Action) -> Next {
        let doomed = self.doomed.take();
        match action {
            Action::Quit => return Next::Quit,
            Action::Close => {
                if !self.filter.text().is_empty() {
                    self.filter.clear();
                } else if self.note.take().is_none() || (self.view == View::Live && self.is_pinned()) {
                    // A message must not swallow the key that gives the day back.
                    return self.up();
                }
            }
            Action::Help => self.mode = Mode::Help { top: 0, search: Input::default() },
            Action::ViewLive => {
                // The key of what is open already: from one session to all.
                if self.view == View::Live && self.is_pinned() {
                    self.down = None;
                    return self.up();
                }
                return self.open(View::Live);
            }
            Action::Back => return self.up(),
            Action::ViewSessions => {
                self.down = None;
                return self.open(View::Sessions);
            }
            Action::ViewProjects => return self.open(View::Projects),
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
                // What was asked is forgotten with the note that says it.
                if doomed.as_ref() == Some(&scope) && self.note.is_some() {
                    self.effects.push(Effect::Ask(Request::UnsetLimit { scope }));
                } else {
                    let key = self.options.keys.first(Action::RemoveLimit);
                    self.say(Note::new(Tone::Plain, &format!("{key} again removes the limit {scope}")));
                    self.doomed = Some(scope);
                }
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
                // Whether it reaches the clipboard is the terminal's business, and nothing comes back.
                let words = if self.options.is_in_tmux {
                    "sent to the terminal; tmux passes it on with: set -g set-clipboard on"
                } else {
                    "sent to the terminal for its clipboard"
                };
                self.say(Note::new(Tone::Plain, words));
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

    /// Scope of the limit under the cursor, as for `limits set`.
    pub(super) fn limit_here(&self) -> Option<String> {
        let limits = self.limits();
        limits.get(self.cursor()).map(|state| state.limit.scope.key(state.limit.window))
    }

    fn snooze(&mut self) {
        let worst = self.summary.worst_limit().map(|limit| (limit.name.clone(), limit.span.map(|span| span.until)));
        let Some((name, until)) = worst else {
            return self.say(Note::new(Tone::Plain, "no limit is near"));
        };
        let until = until.filter(|until| *until > self.clock).unwrap_or(self.clock + Duration::hours(1));
        let when = text::moment(until, self.clock, self.options.zone);
        self.say(Note::new(Tone::Plain, &format!("no more alerts of the {name} limit until {when}")));
        self.effects.push(Effect::Snooze(name, until));
    }

    /// Changes to the next valid theme. The program is asked to save it only once it is in use.
    fn next_theme(&mut self) {
        let names: Vec<String> = self.options.themes.names().iter().map(|&name| name.to_owned()).collect();
        let at = names.iter().position(|name| *name == self.options.theme).unwrap_or(0);
        let mut skipped = None;
        for name in names.iter().cycle().skip(at + 1).take(names.len()) {
            match self.options.themes.get(name, self.background) {
                Ok(_) => {
                    self.wear(name);
                    self.effects.push(Effect::Ask(Request::Theme(name.clone())));
                    let note = skipped.map_or_else(
                        || Note::new(Tone::Plain, &format!("theme {name}")),
                        |error| Note::new(Tone::Warning, &format!("theme {name}; passed over: {error}")),
                    );
                    return self.say(note);
                }
                Err(error) => skipped = skipped.or(Some(error)),
            }
        }
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
}
