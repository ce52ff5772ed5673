//! Maps keys to actions, and applies actions to the screen.

use crossterm::event::KeyEvent;

use super::app::{App, Picture};
use super::{Action, Chord, Effect, Input, Mode, Next, Note, Pane, Request, Tone, View};

impl App {
    pub(super) fn key(&mut self, key: KeyEvent) -> Next {
        let chord = Chord::from_event(key);
        if chord == Chord::interrupt() {
            return Next::Quit;
        }
        if self.mode != Mode::Browse {
            return self.type_key(key);
        }
        match self.options.keys.action(chord, self.view.place()) {
            Some(action) => self.perform(action),
            None => Next::Stay,
        }
    }

    pub(super) fn perform(&mut self, action: Action) -> Next {
        let pending_removal = self.pending_removal.take();
        match action {
            Action::Quit => return Next::Quit,
            Action::Close => {
                if !self.filter.text().is_empty() {
                    self.filter.clear();
                } else if self.view == View::Fleet && self.pane() == Pane::Calls && self.cursor() > 0 {
                    // Go back to the newest call, and follow new ones.
                    self.scroll(isize::MIN / 2);
                } else if self.note.take().is_none() || (self.view == View::Fleet && self.is_pinned()) {
                    // A message must not swallow the key that leads back to the day.
                    return self.up();
                }
            }
            Action::Help => self.mode = Mode::Help { top: 0, search: Input::default() },
            Action::ViewLive => {
                // The key of the view that is already open: go from one session to all of them.
                if self.view == View::Fleet && self.is_pinned() {
                    (self.drill_down, self.pinned_in, self.of_model) = (None, View::Fleet, None);
                    return self.up();
                }
                return self.open(View::Fleet);
            }
            Action::Back => return self.up(),
            Action::ViewSessions => {
                self.drill_down = None;
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
            Action::Last if self.view == View::History && self.mode == Mode::Browse => {
                (self.history.back, self.history.cursor) = (0, 0);
                self.turn_page();
            }
            Action::Last => self.scroll(isize::MAX / 2),
            Action::Left => self.sideways(true),
            Action::Right => self.sideways(false),
            Action::Enter => return self.enter(),
            // Start a new search. The former results stay until a letter is typed.
            Action::Filter => self.mode = Mode::Filter(Input::default()),
            Action::Choose => self.mode = Mode::Choose { cursor: 0, search: Input::default() },
            Action::Demo => {
                if !self.is_waiting() {
                    return Next::Stay;
                }
                self.effects.push(Effect::Ask(Request::Demo));
                self.options.played = Some("demo");
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
                // The confirmation request expires together with the note that shows it.
                if pending_removal.as_ref() == Some(&scope) && self.note.is_some() {
                    self.effects.push(Effect::Ask(Request::UnsetLimit { scope }));
                } else {
                    let key = self.options.keys.first(Action::RemoveLimit);
                    self.say(Note::new(Tone::Plain, &format!("{key} again removes the limit {scope}")));
                    self.pending_removal = Some(scope);
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
            Action::Unsnooze => self.unsnooze(),
            Action::Freeze => {
                self.picture = match self.picture {
                    Picture::Live => Picture::Frozen,
                    Picture::Frozen => Picture::Live,
                };
                if let Some(missed) = self.missed.take() {
                    self.show(missed);
                }
            }
            Action::Theme => self.open_themes(),
            Action::Explain => return self.explain(),
            Action::Palette => self.mode = Mode::Palette { cursor: 0, search: Input::default() },
            Action::SaveView => self.mode = Mode::SaveView(Input::default()),
            Action::EditLimit => {
                if self.view != View::Limits {
                    return Next::Stay;
                }
                return self.edit_limit();
            }
            Action::Copy => {
                self.effects.push(Effect::Copy(self.copied()));
                // Whether it reaches the clipboard depends on the terminal, which does not report back.
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

    /// Scope of the limit under the cursor, in the form used by `limits set`.
    fn limit_here(&self) -> Option<String> {
        let limits = self.limits();
        limits.get(self.cursor()).map(|state| state.limit.scope.key(state.limit.window))
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
