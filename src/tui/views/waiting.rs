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

/// Whether a place is missing or has no calls yet. Before the first scan, only that the meter is waiting for it.
fn state_of(app: &App, place: &Label) -> &'static str {
    let health = &app.health;
    if health.awaited.is_empty() && health.sources.is_empty() {
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
        let block = pane(theme, if app.has_read { "Waiting" } else { "Reading" }, true);
        let mut inner = block.inner(area);
        block.render(area, buffer);
        inner.x += 1;
        inner.width = inner.width.saturating_sub(2);
        let mut all = vec![(Role::Accent, "Waiting for a first call; this screen wakes up by itself.".to_owned())];
        if !app.has_read {
            all[0] = (Role::Accent, "Reading the logs; the newest come first.".to_owned());
        }
        if !app.options.only.is_empty() {
            all.push((
                Role::Warning,
                format!("Only calls of {} are counted here; there is none yet.", app.options.only),
            ));
        }
        all.extend(app.options.notes.iter().map(|note| (Role::Warning, note.to_string())));
        if !app.options.looks.is_empty() {
            all.push((Role::Text, String::new()));
            all.push((Role::Dim, "It looks here:".to_owned()));
            all.extend(app.options.looks.iter().map(|path| (Role::Text, format!("  {} {path}", state_of(app, path)))));
        }
        if app.has_read {
            all.push((Role::Text, String::new()));
            all.push((Role::Dim, "To feed it:".to_owned()));
        }
        let demo = app.options.keys.first(Action::Demo);
        let ways = [
            "  run Claude Code or Codex in another terminal",
            "  tokmeter PATH                                    a log file or a folder of them",
            "  tokmeter record --model gpt-4o --input 500 --output 300",
            "  tokmeter --socket                                one JSON line a call, from any program",
        ];
        if app.has_read {
            all.extend(ways.map(|way| (Role::Text, way.to_owned())));
            all.push((Role::Accent, format!("  {demo} plays a demo")));
        }
        all.extend(app.health.notes.iter().map(|note| (Role::Warning, note.to_string())));
        let room = usize::from(inner.width);
        // If there are few rows, the empty lines go first.
        let spare = usize::from(inner.height) >= all.len();
        let shown = all
            .into_iter()
            .filter(|(_, words)| spare || !words.is_empty())
            .map(|(role, words)| Line::from(styled(theme, role, text::fit(&words, room))));
        lines(buffer, inner, shown);
    }
}
