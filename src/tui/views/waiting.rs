//! The waiting screen, before any log is found.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::Line;
use ratatui::widgets::Widget;

use super::super::Action;
use super::super::app::App;
use super::super::widgets::{lines, pane, styled};
use crate::domain::Label;
use crate::text;
use crate::theme::Role;

/// Log locations, their state, and how to send calls.
pub(in super::super) struct Waiting<'a>(pub(in super::super) &'a App);

/// Why there is no call to show.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Empty {
    /// The logs are being read for the first time.
    Reading,
    /// There is none yet, but one may come.
    Waiting,
    /// There is none, and none will come.
    Nothing,
    /// None passes the command line's filter, but one may come.
    Filtered,
    /// None passes the command line's filter, and none will come.
    FilteredForGood,
}

impl Empty {
    pub(super) fn of(app: &App) -> Self {
        let view = &app.summary().view;
        let is_filtered = !app.options.only.is_empty();
        let is_past = view.until.is_some_and(|until| until <= app.now());
        match (app.has_read, is_filtered, app.ended || is_past) {
            (false, ..) => Self::Reading,
            (true, false, false) => Self::Waiting,
            (true, false, true) => Self::Nothing,
            (true, true, false) => Self::Filtered,
            (true, true, true) => Self::FilteredForGood,
        }
    }

    const fn title(self) -> &'static str {
        match self {
            Self::Reading => "Reading",
            Self::Waiting | Self::Filtered => "Waiting",
            Self::Nothing | Self::FilteredForGood => "No calls",
        }
    }
}

/// The arguments that set the command line's filter: `--project and --since`. `None` without one.
pub(super) fn arguments(app: &App) -> Option<String> {
    let view = &app.summary().view;
    let names = view.only.iter().map(|(dimension, _)| dimension.name());
    let times = [view.since.map(|_| "since"), view.until.map(|_| "until")];
    let mut all: Vec<String> = Vec::new();
    for name in names.chain(times.into_iter().flatten()).map(|name| format!("--{name}")) {
        if !all.contains(&name) {
            all.push(name);
        }
    }
    (!all.is_empty()).then(|| all.join(" and "))
}

/// The sentences that say why there is no call to show.
fn sentences(app: &App, empty: Empty) -> Vec<(Role, String)> {
    let only = &app.options.only;
    let without = arguments(app).map(|names| (Role::Text, format!("Without {names}, tokmeter shows every call.")));
    let mut all = match empty {
        Empty::Reading => {
            let filter = (!only.is_empty()).then(|| format!("Only calls with this filter are counted: {only}"));
            let reading = (Role::Accent, "Reading the logs; the newest come first.".to_owned());
            return [reading].into_iter().chain(filter.map(|filter| (Role::Warning, filter))).collect();
        }
        Empty::Waiting => {
            return vec![(Role::Accent, "Waiting for a first call; this screen wakes up by itself.".to_owned())];
        }
        Empty::Nothing => return vec![(Role::Accent, "There is no call to show.".to_owned())],
        Empty::Filtered | Empty::FilteredForGood => {
            vec![(Role::Warning, format!("No call passes the filter: {only}"))]
        }
    };
    if empty == Empty::Filtered {
        all.push((Role::Accent, "As soon as one does, it is shown here.".to_owned()));
    }
    all.extend(without);
    all
}

/// Whether a place is missing or has no calls yet. Before the first scan, only that the meter is waiting for it.
fn state_of(app: &App, place: &Label) -> &'static str {
    let health = &app.health;
    if !app.has_read && health.awaited.is_empty() && health.sources.is_empty() {
        return "waiting for";
    }
    // A place in the home folder is shown relative to it.
    let path = place.strip_prefix('~').unwrap_or(place);
    let is_missing = health.awaited.iter().any(|missing| missing.ends_with(path));
    if is_missing { "not there yet  " } else { "no call in it  " }
}

impl Widget for &Waiting<'_> {
    fn render(self, area: Rect, buffer: &mut Buffer) {
        let app = self.0;
        let theme = &app.theme;
        let empty = Empty::of(app);
        let block = pane(theme, empty.title(), true);
        let mut inner = block.inner(area);
        block.render(area, buffer);
        inner.x += 1;
        inner.width = inner.width.saturating_sub(2);
        let mut all = sentences(app, empty);
        all.extend(app.options.notes.iter().map(|note| (Role::Warning, note.to_string())));
        // The places may well hold calls that do not pass a filter.
        let looks = match empty {
            Empty::Reading | Empty::Waiting => Some("It looks here:"),
            Empty::Nothing => Some("It looked here:"),
            Empty::Filtered | Empty::FilteredForGood => None,
        };
        if let Some(looks) = looks.filter(|_| !app.options.looks.is_empty()) {
            all.push((Role::Text, String::new()));
            all.push((Role::Dim, looks.to_owned()));
            all.extend(app.options.looks.iter().map(|path| (Role::Text, format!("  {} {path}", state_of(app, path)))));
        }
        if matches!(empty, Empty::Waiting | Empty::Nothing) {
            all.push((Role::Text, String::new()));
            all.push((Role::Dim, "To feed it:".to_owned()));
            let ways = [
                "  run Claude Code or Codex in another terminal",
                "  tokmeter PATH                                    a log file or a folder of them",
                "  tokmeter record --model gpt-4o --input 500 --output 300",
                "  tokmeter --socket                                one JSON line a call, from any program",
            ];
            all.extend(ways.map(|way| (Role::Text, way.to_owned())));
        }
        if empty == Empty::Waiting {
            all.push((Role::Accent, format!("  {} plays a demo", app.options.keys.first(Action::Demo))));
        }
        all.extend(app.health.notes.iter().map(|note| (Role::Warning, note.to_string())));
        let room = usize::from(inner.width);
        let all: Vec<(Role, String)> = all
            .into_iter()
            .flat_map(|(role, words)| {
                // Sentences are wrapped, indented lines of lists are cut.
                let is_sentence = !words.is_empty() && !words.starts_with(' ');
                let pieces =
                    if is_sentence { text::wrapped(&words, room.max(1)) } else { vec![text::fit(&words, room)] };
                pieces.into_iter().map(move |piece| (role, piece))
            })
            .collect();
        // If there are few rows, the empty lines go first.
        let spare = usize::from(inner.height) >= all.len();
        let shown = all
            .into_iter()
            .filter(|(_, words)| spare || !words.is_empty())
            .map(|(role, words)| Line::from(styled(theme, role, words)));
        lines(buffer, inner, shown);
    }
}
