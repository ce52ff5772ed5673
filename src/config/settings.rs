//! Everything a person can choose, as plain data.

use std::path::PathBuf;

use chrono::{NaiveTime, Weekday};

use super::Env;
use crate::domain::{Label, Zone};
use crate::meter::Limit;
use crate::pricing::{CostMode, CustomPrice, Rates};
use crate::theme::ColorWhen;

/// The settings in force: flags over environment over the user's file over defaults.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Whose calls they are when a log does not say; by default the login name.
    pub user: Label,
    /// The team of calls whose log does not say.
    pub team: Option<Label>,
    /// The organisation of calls whose log does not say.
    pub org: Option<Label>,
    /// Decides where a day begins.
    pub zone: Zone,
    /// The day a week begins on; Monday by default.
    pub week_start: Weekday,
    /// Further files and folders to follow and book; `~` is already the home folder.
    pub logs: Vec<PathBuf>,
    /// The theme's name; `auto` by default.
    pub theme: String,
    /// Which characters pictures are drawn with.
    pub symbols: Symbols,
    /// Whether colours are used.
    pub color: ColorWhen,
    /// Whether the mouse is caught; off by default, so that selecting text works.
    pub mouse: bool,
    /// How the status line is written; empty for its own way.
    pub statusline: String,
    /// Whose cost is booked when a log states one.
    pub cost: CostMode,
    /// At how many per cent of a limit to warn, ascending, each from 1 to 100, for limits that do not say.
    pub warn_at: Vec<u8>,
    /// The limits, in the order of their names.
    pub limits: Vec<Limit>,
    /// How a warning reaches a person.
    pub alerts: Alerts,
    /// How the gate decides.
    pub gate: Gate,
    /// Prices of one's own; they go before the built-in ones.
    pub prices: Vec<CustomPrice>,
    /// Names of models that mean another model: from, to.
    pub aliases: Vec<(String, String)>,
    /// Keys that differ from the key table; the screen knows which actions there are.
    pub keys: Vec<KeyBinding>,
}

/// Which characters pictures are drawn with.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Symbols {
    /// Whichever the locale allows.
    #[default]
    Auto,
    /// Block elements, box drawing, arrows.
    Unicode,
    /// Plain ASCII.
    Ascii,
}

/// How a warning reaches a person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Alerts {
    /// Ring the terminal's bell.
    pub bell: bool,
    /// Show a notification.
    pub notify: Notify,
    /// A program to start, with its arguments; `{title}` and `{body}` stand for the text. No shell is involved.
    pub command: Vec<String>,
    /// An address to post to.
    pub webhook: Option<String>,
    /// When to be silent; the banner shows all the same.
    pub quiet: Option<Quiet>,
    /// By how many percentage points use must fall below a warning before the warning may come again.
    pub hysteresis: u8,
}

impl Default for Alerts {
    fn default() -> Self {
        Self { bell: true, notify: Notify::Auto, command: Vec::new(), webhook: None, quiet: None, hysteresis: 5 }
    }
}

/// By which way a notification is shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Notify {
    /// Whichever the terminal is known to understand, else the desktop's.
    #[default]
    Auto,
    /// None.
    Off,
    /// The terminal's sequence OSC 9.
    Osc9,
    /// The terminal's sequence OSC 777.
    Osc777,
    /// The desktop's own notification program.
    Desktop,
}

/// Silent hours, in local time; they may span midnight.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Quiet {
    /// The first silent moment of a day.
    pub from: NaiveTime,
    /// The first loud one after.
    pub until: NaiveTime,
}

impl Quiet {
    /// True when this local time is a silent one.
    pub fn holds(self, time: NaiveTime) -> bool {
        if self.from <= self.until {
            self.from <= time && time < self.until
        } else {
            self.from <= time || time < self.until
        }
    }
}

/// How the gate decides.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Gate {
    /// What to answer when it cannot know.
    pub on_error: OnError,
    /// What calls of models without a price count as, for limits in dollars only.
    pub unpriced: Option<Rates>,
}

/// What the gate answers when it cannot know.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum OnError {
    /// Go on: a broken ledger must not stop work.
    #[default]
    Allow,
    /// Stop.
    Deny,
}

/// Keys for one action of the screen.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct KeyBinding {
    /// The action's name.
    pub action: String,
    /// Its keys, as they are written: `q`, `ctrl-l`, `F1`. Empty: none.
    pub keys: Vec<String>,
}

impl Settings {
    /// What holds when nobody has chosen anything.
    pub fn defaults(env: &Env) -> Self {
        Self {
            user: Label::new(&env.login),
            team: None,
            org: None,
            zone: env.zone().0,
            week_start: Weekday::Mon,
            logs: Vec::new(),
            theme: "auto".to_owned(),
            symbols: Symbols::default(),
            color: ColorWhen::default(),
            mouse: false,
            statusline: String::new(),
            cost: CostMode::default(),
            warn_at: vec![80],
            limits: Vec::new(),
            alerts: Alerts::default(),
            gate: Gate::default(),
            prices: Vec::new(),
            aliases: Vec::new(),
            keys: Vec::new(),
        }
    }
}

/// What the command line says, as far as it concerns settings and places.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Overrides {
    /// `--config`.
    pub config: Option<PathBuf>,
    /// `--data-dir`.
    pub data_dir: Option<PathBuf>,
    /// `--socket` with a path.
    pub socket: Option<PathBuf>,
    /// `--tz`.
    pub tz: Option<String>,
    /// `--color`.
    pub color: Option<ColorWhen>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn silent_hours_may_span_midnight() {
        let at = |hour, minute| NaiveTime::from_hms_opt(hour, minute, 0).unwrap();
        let night = Quiet { from: at(22, 0), until: at(7, 0) };
        let noon = Quiet { from: at(12, 0), until: at(13, 0) };
        let cases = [
            (22, 0, true, false),
            (6, 59, true, false),
            (7, 0, false, false),
            (12, 30, false, true),
            (13, 0, false, false),
        ];
        for (hour, minute, in_night, in_noon) in cases {
            assert_eq!((night.holds(at(hour, minute)), noon.holds(at(hour, minute))), (in_night, in_noon));
        }
    }
}
