//! The palette of every action and saved view, and the menu of themes.

use super::app::App;
use super::key_groups::Group;
use super::saved::SavedView;
use super::{Action, Input, Mode, Next, Place, View};
use crate::theme::AUTO;

/// An entry of the palette.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Entry {
    Act(Action),
    Saved(SavedView),
}

impl App {
    /// The entries that contain every word of the search: saved views first, then actions in the order of the help.
    pub(super) fn palette(&self, search: &Input) -> Vec<Entry> {
        let words: Vec<String> = search.text().split_whitespace().map(str::to_lowercase).collect();
        let fits = |text: String| words.iter().all(|word| text.to_lowercase().contains(word.as_str()));
        let saved = self.options.views.iter().filter(|saved| fits(format!("{} {}", saved.name, saved.view.title())));
        let in_order = |group: Group| Action::ALL.iter().filter(move |action| action.group() == group);
        let actions = Group::ALL.into_iter().flat_map(in_order).filter(|action| {
            let keys = self.options.keys.chords_of(**action);
            fits(format!("{} {} {keys} {}", action.name(), action.help(), action.group().title()))
        });
        saved.cloned().map(Entry::Saved).chain(actions.copied().map(Entry::Act)).collect()
    }

    /// Runs an action in a view where it applies: this one if possible, otherwise the view that it belongs to.
    pub(super) fn act_at_home(&mut self, action: Action) -> Next {
        let here = self.view.place();
        let is_about_limits = matches!(action, Action::EditLimit | Action::AddLimit | Action::RemoveLimit);
        let applies = action.places().iter().any(|place| *place == Place::Everywhere || *place == here);
        if is_about_limits && self.view != View::Limits {
            self.open(View::Limits);
        } else if !applies {
            let home = match action.places().first() {
                Some(Place::Fleet) => View::Fleet,
                Some(Place::History) => View::History,
                Some(Place::Tables | Place::Everywhere) | None => View::Sessions,
            };
            self.open(home);
        }
        self.perform(action)
    }

    /// Opens a saved view with its filter.
    pub(super) fn open_saved(&mut self, saved: &SavedView) -> Next {
        self.drill_down = None;
        self.filter = Input::new(&saved.filter);
        self.open(saved.view)
    }

    /// The open view in the form in which it is saved.
    pub(super) fn saved_as(&self) -> String {
        SavedView::text(self.view, self.filter.text())
    }

    /// Opens the menu of themes, with the cursor on the current theme.
    pub(super) fn open_themes(&mut self) {
        let names = self.theme_names();
        let cursor = names.iter().position(|name| *name == self.options.theme).unwrap_or(0);
        self.mode = Mode::Themes { cursor, before: self.options.theme.clone() };
    }

    /// The available themes.
    pub(super) fn theme_names(&self) -> Vec<String> {
        let themes = &self.options.themes;
        let works = |name: &&str| *name == AUTO || themes.get(name, self.background).is_ok();
        themes.names().into_iter().filter(works).map(str::to_owned).collect()
    }

    /// Previews the theme under the menu's cursor.
    pub(super) fn look_at_theme(&mut self) {
        let Mode::Themes { cursor, .. } = &self.mode else { return };
        if let Some(name) = self.theme_names().get(*cursor) {
            self.set_theme(&name.clone());
        }
    }
}
