//! The key table, used for dispatch, help and rebinding.

use crate::config::KeyBinding;
use std::fmt;
use std::str::FromStr;

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

/// Where an action applies. A key may have different meanings in places that do not overlap.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Place {
    /// In every view.
    Everywhere,
    /// In the Fleet view.
    Fleet,
    /// In the views with a table: Sessions, Projects, Models, Limits, Health.
    Tables,
    /// In the History view.
    History,
}

impl Place {
    fn meets(self, other: Self) -> bool {
        self == other || self == Self::Everywhere || other == Self::Everywhere
    }

    fn words(self) -> &'static str {
        match self {
            Self::Everywhere => "everywhere",
            Self::Fleet => "in the Fleet view",
            Self::Tables => "in tables",
            Self::History => "in the History view",
        }
    }
}

/// Declares every action once: config name, places, default keys, and help text.
macro_rules! actions {
    ($($action:ident $name:literal $places:expr, $keys:expr, $help:literal;)+) => {
        /// Actions bound to keys.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Action {
            $(#[doc = $help] $action,)+
        }

        impl Action {
            /// Every action, in the order of the help.
            pub const ALL: &[Self] = &[$(Self::$action,)+];

            /// Name in the config.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$action => $name,)+ }
            }

            /// Help text.
            pub const fn help(self) -> &'static str {
                match self { $(Self::$action => $help,)+ }
            }

            /// Places where it applies.
            pub const fn places(self) -> &'static [Place] {
                match self { $(Self::$action => $places,)+ }
            }

            const fn default_keys(self) -> &'static [&'static str] {
                match self { $(Self::$action => $keys,)+ }
            }
        }
    };
}

use Place::{Everywhere, Fleet, History, Tables};

actions! {
    Quit "quit" &[Everywhere], &["q"], "Quit (Ctrl-C always does)";
    Close "close" &[Everywhere], &["esc"], "Close an overlay, clear the filter, or go back";
    Help "help" &[Everywhere], &["?", "f1"], "Show this help";
    ViewLive "view-live" &[Everywhere], &["1"], "Fleet view: everything today, and the running sessions";
    ViewSessions "view-sessions" &[Everywhere], &["2"], "Sessions view";
    ViewProjects "view-projects" &[Everywhere], &["3"], "Projects view";
    ViewHistory "view-history" &[Everywhere], &["4"], "History view";
    ViewModels "view-models" &[Everywhere], &["5"], "Models view";
    ViewLimits "view-limits" &[Everywhere], &["6"], "Limits view";
    ViewHealth "view-health" &[Everywhere], &["7"], "Health view";
    NextPane "next-pane" &[Everywhere], &["tab"], "Next pane, or next view";
    PreviousPane "previous-pane" &[Everywhere], &["backtab"], "Previous pane, or previous view";
    Up "up" &[Everywhere], &["up", "k"], "Up";
    Down "down" &[Everywhere], &["down", "j"], "Down";
    Left "left" &[History, Tables], &["left", "h"], "Left";
    Right "right" &[History, Tables], &["right", "l"], "Right";
    PageUp "page-up" &[Everywhere], &["pgup"], "A page up";
    PageDown "page-down" &[Everywhere], &["pgdn"], "A page down";
    First "first" &[Everywhere], &["home", "g"], "To the first row";
    Last "last" &[Everywhere], &["end", "G"], "To the last row";
    Enter "enter" &[Everywhere], &["enter"], "Open what the number under the cursor is made of";
    Explain "explain" &[Everywhere], &["e"], "Explain the number under the cursor: parts, price, log line";
    Palette "palette" &[Everywhere], &[":"], "Every action and saved view, chosen by name";
    Back "back" &[Everywhere], &["backspace"], "Back: from a view to the fleet, from a session to all";
    Filter "filter" &[Everywhere], &["/"], "Show only rows that contain a text";
    NextMatch "next-match" &[Everywhere], &["n"], "Next matching row";
    PreviousMatch "previous-match" &[Everywhere], &["N"], "Previous matching row";
    Choose "choose-session" &[Fleet], &["s"], "Choose the session to show alone";
    Limits "limits" &[Fleet], &["l"], "To the limits";
    Demo "demo" &[Fleet], &["d"], "Play the demo (while waiting for a log)";
    Sort "sort" &[Tables], &["s"], "Sort by the next column";
    Reverse "reverse" &[Tables], &["r"], "Reverse the order";
    EditLimit "edit-limit" &[Tables], &["i"], "Change the amount of the limit (Limits view)";
    AddLimit "add-limit" &[Tables], &["a"], "Add a limit (Limits view)";
    RemoveLimit "remove-limit" &[Tables], &["delete", "x"], "Remove the limit, pressed twice (Limits view)";
    Grain "granularity" &[History], &["t"], "Days, weeks or months";
    Earlier "earlier" &[History], &["["], "Earlier";
    Later "later" &[History], &["]"], "Later";
    Snooze "snooze" &[Everywhere], &["z"], "Alerts of the worst limit off (until it resets, or an hour) or on";
    Unsnooze "unsnooze" &[Everywhere], &["Z"], "Alerts of every limit on again";
    Freeze "freeze" &[Everywhere], &["space"], "Freeze the screen; counting goes on";
    Theme "theme" &[Everywhere], &["c"], "Choose a theme, with a preview";
    SaveView "save-view" &[Everywhere], &["w"], "Save the view with its filter under a name";
    Copy "copy" &[Everywhere], &["y"], "Copy the row, or the summary (OSC 52)";
    Mouse "mouse" &[Everywhere], &["m"], "Mouse on or off (off lets the terminal select text)";
    Redraw "redraw" &[Everywhere], &["ctrl-l"], "Redraw the screen";
    Suspend "suspend" &[Everywhere], &["ctrl-z"], "Suspend";
}

/// A key with its modifiers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Chord {
    code: KeyCode,
    modifiers: KeyModifiers,
}

impl Chord {
    /// The chord for a key event. Shift only counts if the character does not already imply it.
    #[expect(clippy::wildcard_enum_match_arm, reason = "the enum is crossterm's, and has more keys than are bound")]
    pub fn from_event(event: KeyEvent) -> Self {
        let kept = event.modifiers & (KeyModifiers::CONTROL | KeyModifiers::ALT);
        let modifiers = match event.code {
            KeyCode::Char(_) | KeyCode::BackTab => kept,
            _ => kept | (event.modifiers & KeyModifiers::SHIFT),
        };
        // With Ctrl, terminals send letters in either case, and some send Shift with Tab.
        let (code, modifiers) = match event.code {
            KeyCode::Tab if modifiers.contains(KeyModifiers::SHIFT) => (KeyCode::BackTab, kept),
            KeyCode::Char(letter) if kept.contains(KeyModifiers::CONTROL) => {
                (KeyCode::Char(letter.to_ascii_lowercase()), modifiers)
            }
            code => (code, modifiers),
        };
        Self { code, modifiers }
    }

    /// The chord that always quits.
    pub fn interrupt() -> Self {
        Self { code: KeyCode::Char('c'), modifiers: KeyModifiers::CONTROL }
    }
}

const NAMED: &[(&str, KeyCode)] = &[
    ("enter", KeyCode::Enter),
    ("esc", KeyCode::Esc),
    ("tab", KeyCode::Tab),
    ("backtab", KeyCode::BackTab),
    ("backspace", KeyCode::Backspace),
    ("delete", KeyCode::Delete),
    ("insert", KeyCode::Insert),
    ("up", KeyCode::Up),
    ("down", KeyCode::Down),
    ("left", KeyCode::Left),
    ("right", KeyCode::Right),
    ("home", KeyCode::Home),
    ("end", KeyCode::End),
    ("pgup", KeyCode::PageUp),
    ("pgdn", KeyCode::PageDown),
    ("space", KeyCode::Char(' ')),
];

impl FromStr for Chord {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let mut modifiers = KeyModifiers::NONE;
        let mut rest = text;
        loop {
            let prefix =
                [("ctrl-", KeyModifiers::CONTROL), ("alt-", KeyModifiers::ALT), ("shift-", KeyModifiers::SHIFT)];
            let Some((name, modifier)) = prefix
                .into_iter()
                .find(|(name, _)| rest.len() > name.len() && rest.to_ascii_lowercase().starts_with(name))
            else {
                break;
            };
            modifiers |= modifier;
            rest = &rest[name.len()..];
        }
        let lower = rest.to_ascii_lowercase();
        let mut letters = rest.chars();
        let code = match (letters.next(), letters.next()) {
            (Some(letter), None) if !letter.is_control() => KeyCode::Char(letter),
            _ => match NAMED.iter().find(|(name, _)| *name == lower) {
                Some((_, code)) => *code,
                None => match lower.strip_prefix('f').and_then(|number| number.parse::<u8>().ok()) {
                    Some(number @ 1..=24) => KeyCode::F(number),
                    _ => {
                        let names: Vec<&str> = NAMED.iter().map(|(name, _)| *name).collect();
                        return Err(format!(
                            "'{}' is not a key; write a letter, f1 to f24, or one of {}, with ctrl-, alt- or shift- before it",
                            text.escape_debug(),
                            names.join(", ")
                        ));
                    }
                },
            },
        };
        Ok(Self::from_event(KeyEvent::new(code, modifiers)))
    }
}

impl fmt::Display for Chord {
    #[expect(clippy::wildcard_enum_match_arm, reason = "the enum is crossterm's, and has more keys than are bound")]
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = String::new();
        for (modifier, name) in
            [(KeyModifiers::CONTROL, "Ctrl-"), (KeyModifiers::ALT, "Alt-"), (KeyModifiers::SHIFT, "Shift-")]
        {
            if self.modifiers.contains(modifier) {
                text.push_str(name);
            }
        }
        match self.code {
            KeyCode::Char(' ') => text.push_str("Space"),
            KeyCode::Char(letter) if self.modifiers.is_empty() => text.push(letter),
            KeyCode::Char(letter) => text.extend(letter.to_uppercase()),
            KeyCode::F(number) => text.extend(["F", &number.to_string()]),
            code => match NAMED.iter().find(|(_, known)| *known == code) {
                Some(("backtab", _)) => text.push_str("Shift-Tab"),
                Some(("pgup", _)) => text.push_str("PgUp"),
                Some(("pgdn", _)) => text.push_str("PgDn"),
                Some((name, _)) => {
                    let mut letters = name.chars();
                    text.extend(letters.next().map(|first| first.to_ascii_uppercase()));
                    text.push_str(letters.as_str());
                }
                None => text.push('?'),
            },
        }
        out.pad(&text)
    }
}

/// Key bindings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Keys {
    bound: Vec<(Chord, Action)>,
}

impl Default for Keys {
    fn default() -> Self {
        let bound = Action::ALL.iter().flat_map(|action| {
            action.default_keys().iter().filter_map(|key| key.parse().ok()).map(|chord| (chord, *action))
        });
        Self { bound: bound.collect() }
    }
}

impl Keys {
    /// The keys from these settings.
    ///
    /// # Errors
    /// Like [`Keys::rebound`].
    pub(crate) fn from_bindings(bindings: &[KeyBinding]) -> Result<Self, Vec<String>> {
        Self::rebound(bindings.iter().map(|bound| (&*bound.action, bound.keys.iter().map(String::as_str).collect())))
    }

    /// The default keys with changes. Each action mentioned gets exactly the keys given.
    ///
    /// # Errors
    /// All problems at once: an unknown action or key, an action on Ctrl-C (which always quits), and each conflicting
    /// key with the two actions that use it.
    pub fn rebound<'a>(changes: impl IntoIterator<Item = (&'a str, Vec<&'a str>)>) -> Result<Self, Vec<String>> {
        let mut keys = Self::default();
        let mut wrong = Vec::new();
        for (name, chords) in changes {
            let Some(action) = Action::ALL.iter().copied().find(|action| action.name() == name) else {
                let known: Vec<&str> = Action::ALL.iter().map(|action| action.name()).collect();
                wrong.push(format!("'{}' is not an action; there are: {}", name.escape_debug(), known.join(", ")));
                continue;
            };
            keys.bound.retain(|(_, bound)| *bound != action);
            for text in chords {
                match text.parse::<Chord>() {
                    Ok(chord) if chord == Chord::interrupt() => {
                        wrong.push(format!("'{name}' cannot be on Ctrl-C, which always quits"));
                    }
                    Ok(chord) => keys.bound.push((chord, action)),
                    Err(why) => wrong.push(format!("{name}: {why}")),
                }
            }
        }
        wrong.extend(keys.clashes());
        if wrong.is_empty() { Ok(keys) } else { Err(wrong) }
    }

    /// Keys shared by two actions in overlapping places.
    fn clashes(&self) -> Vec<String> {
        let mut clashes = Vec::new();
        for (at, (chord, one)) in self.bound.iter().enumerate() {
            for (other_chord, other) in &self.bound[at + 1..] {
                let pairs =
                    one.places().iter().flat_map(|place| other.places().iter().map(move |there| (*place, *there)));
                let meet = pairs.clone().find(|(place, there)| place.meets(*there));
                // Between "everywhere" and a particular view, the view is more specific.
                let meet = meet.map(|(place, there)| if place == Place::Everywhere { there } else { place });
                if let (true, true, Some(place)) = (chord == other_chord, one != other, meet) {
                    clashes.push(format!(
                        "key {chord} is bound to both '{}' and '{}' {}",
                        one.name(),
                        other.name(),
                        place.words()
                    ));
                }
            }
        }
        clashes
    }

    /// The action for a key in this place.
    pub fn action(&self, chord: Chord, place: Place) -> Option<Action> {
        let here = |action: &Action| action.places().iter().any(|there| there.meets(place));
        self.bound.iter().find(|(bound, action)| *bound == chord && here(action)).map(|(_, action)| *action)
    }

    /// Keys of an action for the help: `?, F1`.
    pub fn chords_of(&self, action: Action) -> String {
        let keys: Vec<String> =
            self.bound.iter().filter(|(_, bound)| *bound == action).map(|(chord, _)| chord.to_string()).collect();
        keys.join(", ")
    }

    /// First key of an action, for the footer; empty if it has none.
    pub fn first(&self, action: Action) -> String {
        self.bound.iter().find(|(_, bound)| *bound == action).map(|(chord, _)| chord.to_string()).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_action_has_a_key_that_reads_and_no_two_clash() {
        let keys = Keys::default();
        for action in Action::ALL {
            assert!(!keys.chords_of(*action).is_empty(), "{}", action.name());
            for key in action.default_keys() {
                let chord: Chord = key.parse().unwrap();
                assert_eq!(chord.to_string().parse(), Ok(chord), "{key}");
            }
        }
        assert_eq!(keys.clashes(), Vec::<String>::new());
    }

    #[test]
    fn g7_two_actions_on_one_key_are_both_named() {
        let wrong = Keys::rebound([("theme", vec!["q"])]).unwrap_err();
        assert_eq!(wrong, ["key q is bound to both 'quit' and 'theme' everywhere"]);
        let wrong =
            Keys::rebound([("sort", vec!["z"]), ("nap", vec!["k"]), ("copy", vec!["ctrl-c", "what"])]).unwrap_err();
        assert_eq!(wrong.len(), 4, "{wrong:?}");
        assert!(wrong[0].starts_with("'nap' is not an action; there are: quit, "));
        assert_eq!(wrong[1], "'copy' cannot be on Ctrl-C, which always quits");
        assert!(wrong[2].starts_with("copy: 'what' is not a key"));
        assert_eq!(wrong[3], "key z is bound to both 'snooze' and 'sort' in tables");
    }

    #[test]
    fn one_key_may_mean_two_things_in_places_that_never_meet() {
        let keys = Keys::default();
        let s: Chord = "s".parse().unwrap();
        assert_eq!(keys.action(s, Place::Fleet), Some(Action::Choose));
        assert_eq!(keys.action(s, Place::Tables), Some(Action::Sort));
        assert_eq!(keys.action(s, Place::History), None);
    }

    #[test]
    fn a_rebound_action_leaves_its_old_keys() {
        let keys = Keys::rebound([("quit", vec!["ctrl-q", "F10"])]).unwrap();
        assert_eq!(keys.chords_of(Action::Quit), "Ctrl-Q, F10");
        assert_eq!(keys.action("q".parse().unwrap(), Place::Fleet), None);
    }
}
