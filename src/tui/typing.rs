//! Handles keys while an overlay is open or text is being typed, including Enter and Esc.

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

use super::app::App;
use super::palette::Entry;
use super::{Action, Chord, Effect, Mode, Next, Note, Request, Tone};
use crate::config::{LimitKey, parse_amount};

impl App {
    pub(super) fn paste(&mut self, text: &str) -> Next {
        let Some(input) = self.mode.input() else { return Next::Stay };
        input.paste(text);
        self.typed();
        Next::Redraw
    }

    /// Handles a key while an overlay is open.
    #[expect(clippy::wildcard_enum_match_arm, reason = "the enum is crossterm's, and has more keys than are bound")]
    pub(super) fn type_key(&mut self, key: KeyEvent) -> Next {
        let control = key.modifiers.intersects(KeyModifiers::CONTROL | KeyModifiers::ALT);
        let bound = self.options.keys.action(Chord::from_event(key), self.view.place());
        let closes = match self.mode {
            Mode::Help { .. } => bound == Some(Action::Help),
            Mode::Explain(_) => matches!(bound, Some(Action::Explain | Action::Quit | Action::Back)),
            _ => false,
        };
        match key.code {
            KeyCode::Esc => self.leave(),
            KeyCode::Enter => return self.confirm(),
            KeyCode::Up => self.scroll(-1),
            KeyCode::Down => self.scroll(1),
            KeyCode::PageUp => self.scroll(-10),
            KeyCode::PageDown => self.scroll(10),
            KeyCode::Home => self.scroll(isize::MIN / 2),
            KeyCode::End => self.scroll(isize::MAX / 2),
            _ if closes => self.mode = Mode::Browse,
            KeyCode::Backspace | KeyCode::Char(_) => {
                let Some(input) = self.mode.input() else { return self.type_without_text(bound) };
                match key.code {
                    KeyCode::Char('u') if key.modifiers.contains(KeyModifiers::CONTROL) => input.clear(),
                    KeyCode::Char(letter) if !control => input.push(letter),
                    KeyCode::Backspace => input.pop(),
                    _ => return Next::Stay,
                }
                self.typed();
            }
            _ => return Next::Stay,
        }
        Next::Redraw
    }

    /// In an overlay without text input, movement keys work as they do elsewhere.
    fn type_without_text(&mut self, bound: Option<Action>) -> Next {
        match bound {
            Some(Action::Up) => self.scroll(-1),
            Some(Action::Down) => self.scroll(1),
            Some(Action::First) => self.scroll(isize::MIN / 2),
            Some(Action::Last) => self.scroll(isize::MAX / 2),
            Some(Action::Theme) if matches!(self.mode, Mode::Themes { .. }) => self.scroll(1),
            _ => return Next::Stay,
        }
        Next::Redraw
    }

    /// Called when the text has changed.
    fn typed(&mut self) {
        if let Some(cursor) = self.mode.cursor() {
            *cursor = 0;
        }
        if let Mode::Filter(input) = &self.mode {
            self.filter = input.clone();
        }
        self.drop_prompt_note();
    }

    /// Removes what was said about the text of a prompt.
    fn drop_prompt_note(&mut self) {
        if std::mem::take(&mut self.is_note_of_prompt) {
            self.note = None;
        }
    }

    /// Shows a note about what is wrong with the text of a prompt, until the text is changed.
    fn object(&mut self, why: &str) {
        self.say(Note::new(Tone::Warning, why));
        self.is_note_of_prompt = true;
    }

    /// Closes the overlay. Drops a filter that was being typed, and restores the theme after a preview.
    pub(super) fn leave(&mut self) {
        self.drop_prompt_note();
        match std::mem::take(&mut self.mode) {
            Mode::Filter(_) => self.filter.clear(),
            Mode::Themes { before, .. } => self.set_theme(&before),
            Mode::Browse
            | Mode::Help { .. }
            | Mode::Choose { .. }
            | Mode::EditLimit { .. }
            | Mode::AddLimit(_)
            | Mode::Explain(_)
            | Mode::Palette { .. }
            | Mode::SaveView(_) => {}
        }
    }

    /// Carries out the overlay's purpose.
    pub(super) fn confirm(&mut self) -> Next {
        match std::mem::take(&mut self.mode) {
            Mode::Browse | Mode::Help { .. } | Mode::Filter(_) | Mode::Explain(_) => {}
            Mode::Choose { cursor, search } => {
                let choices = self.choices(&search);
                if let Some(follow) = choices.get(cursor.min(choices.len().saturating_sub(1))) {
                    self.effects.push(Effect::Follow(follow.clone()));
                }
            }
            Mode::Palette { cursor, search } => {
                let mut entries = self.palette(&search);
                let cursor = cursor.min(entries.len().saturating_sub(1));
                return match (cursor < entries.len()).then(|| entries.swap_remove(cursor)) {
                    Some(Entry::Act(action)) => self.act_at_home(action),
                    Some(Entry::Saved(saved)) => self.open_saved(&saved),
                    None => Next::Redraw,
                };
            }
            Mode::Themes { .. } => {
                // Ask the program to save it only now that it has been chosen.
                let name = self.options.theme.clone();
                self.say(Note::new(Tone::Plain, &format!("theme {name}")));
                self.effects.push(Effect::Ask(Request::Theme(name)));
            }
            Mode::SaveView(input) => {
                let name = input.text().trim().to_owned();
                if !name.is_empty() {
                    let view = self.saved_as();
                    self.effects.push(Effect::Ask(Request::SaveView { name, view }));
                }
            }
            Mode::EditLimit { scope, input } => {
                let amount = input.text().trim().to_owned();
                match parse_amount(&amount) {
                    Ok(_) => self.effects.push(Effect::Ask(Request::SetLimit { scope, amount })),
                    Err(why) => {
                        // Keep the text so that it can be corrected.
                        self.object(&format!("'{amount}' {why}"));
                        self.mode = Mode::EditLimit { scope, input };
                    }
                }
            }
            Mode::AddLimit(input) => {
                let both = input.text().trim().split_once(char::is_whitespace);
                let parsed = match both {
                    None => Err("a limit needs a scope and an amount, such as: day 25usd".to_owned()),
                    Some((scope, amount)) => scope.parse::<LimitKey>().and_then(|_| {
                        parse_amount(amount).map_err(|why| format!("'{}' {why}", amount.trim()))?;
                        Ok((scope.to_owned(), amount.trim().to_owned()))
                    }),
                };
                match parsed {
                    Ok((scope, amount)) => self.effects.push(Effect::Ask(Request::SetLimit { scope, amount })),
                    Err(why) => {
                        self.object(&why);
                        self.mode = Mode::AddLimit(input);
                    }
                }
            }
        }
        Next::Redraw
    }
}
