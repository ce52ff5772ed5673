//! Limits whose alerts are held back, and how to release them.

use chrono::Duration;

use super::app::App;
use super::{Action, Effect, Note, Tone};
use crate::domain::Instant;
use crate::text;

impl App {
    /// Holds back the alerts of the worst limit or, if they are already held back, releases them.
    pub(super) fn snooze(&mut self) {
        let worst = self.summary.worst_limit().map(|limit| (limit.name.clone(), limit.span.map(|span| span.until)));
        let Some((name, until)) = worst else {
            if self.snoozed.values().any(|until| *until > self.clock) {
                return self.unsnooze();
            }
            return self.say(Note::new(Tone::Plain, "no limit is near"));
        };
        if self.snoozed_until(&name).is_some() {
            self.snoozed.remove(&name);
            self.say(Note::new(Tone::Plain, &format!("alerts of the {name} limit are on again")));
            self.effects.push(Effect::Unsnooze(name));
            return;
        }
        let until = until.filter(|until| *until > self.clock).unwrap_or(self.clock + Duration::hours(1));
        let when = text::moment(until, self.clock, self.options.zone);
        let key = self.options.keys.first(Action::Snooze);
        let words = format!("no more alerts of the {name} limit until {when}; {key} turns them on again");
        self.say(Note::new(Tone::Plain, &words));
        self.snoozed.insert(name.clone(), until);
        self.effects.push(Effect::Snooze(name, until));
    }

    /// Releases the alerts of every limit.
    pub(super) fn unsnooze(&mut self) {
        let clock = self.clock;
        self.snoozed.retain(|_, until| *until > clock);
        let names: Vec<String> = std::mem::take(&mut self.snoozed).into_keys().collect();
        let words = match names.as_slice() {
            [] => "no limit's alerts are off".to_owned(),
            [one] => format!("alerts of the {one} limit are on again"),
            several => format!("alerts of {} limits are on again", several.len()),
        };
        self.say(Note::new(Tone::Plain, &words));
        self.effects.extend(names.into_iter().map(Effect::Unsnooze));
    }

    /// Until when the alerts of a limit are held back.
    pub(super) fn snoozed_until(&self, name: &str) -> Option<Instant> {
        self.snoozed.get(name).copied().filter(|until| *until > self.clock)
    }

    /// Says that the alerts of the worst limit are held back, and which key ends that, in long and short words; empty
    /// if they are not.
    pub(super) fn snooze_words(&self) -> Vec<String> {
        let Some(until) = self.summary.worst_limit().and_then(|limit| self.snoozed_until(&limit.name)) else {
            return Vec::new();
        };
        let key = self.options.keys.first(Action::Snooze);
        let when = text::moment(until, self.clock, self.options.zone);
        vec![format!("no alerts until {when}: {key} turns them on"), format!("alerts off: {key}")]
    }
}
