//! From view to view, down into what is under the cursor, and back up.

use ratatui::layout::Rect;

use super::app::App;
use super::down::Down;
use super::widgets::Header;
use super::{Effect, Input, Mode, Next, Pane, View};
use crate::domain::{Dimension, Filter, Matcher, day_start};
use crate::meter::Follow;
use crate::text;

impl App {
    /// The first line: a tab opens its view, the way down to a session leads back up.
    pub(super) fn click_tab(&mut self, column: u16, area: Rect) -> Next {
        if super::draw::is_compact(self, area) {
            return Next::Stay;
        }
        let column = usize::from(column.saturating_sub(area.x));
        match Header(self).tab_at(usize::from(area.width), column) {
            Some(view) => self.act(view.action()),
            None => Next::Stay,
        }
    }

    pub(super) fn open(&mut self, view: View) -> Next {
        self.view = view;
        self.turn_stale();
        self.ask();
        Next::Redraw
    }

    pub(super) fn turn_page(&mut self) {
        self.history.turn_stale();
        self.ask();
    }

    pub(super) fn turn(&mut self, forward: bool) -> Next {
        if self.view == View::Live {
            self.pane = self.pane().beside(forward, self.is_pinned());
            return Next::Redraw;
        }
        self.open(self.view.beside(forward))
    }

    /// Out of what was opened last: from a view to the Live view, from a session to all of them.
    pub(super) fn up(&mut self) -> Next {
        match (self.view, &self.down) {
            (View::Live, down) => {
                let back = down.is_some();
                if self.is_pinned() {
                    self.effects.push(Effect::Follow(self.home.clone()));
                    if back {
                        return self.open(View::Sessions);
                    }
                }
                Next::Redraw
            }
            (View::Sessions, Some(down)) => {
                let from = down.from;
                self.down = None;
                self.open(from)
            }
            (_, _) => self.open(View::Live),
        }
    }

    /// Opens the sessions of a project or a day.
    fn descend(&mut self, words: String, filter: Filter) -> Next {
        self.down = Some(Down::new(self.view, words, filter, self.options.zone));
        self.cursors[View::Sessions.nth()] = 0;
        self.filter.clear();
        self.open(View::Sessions)
    }

    pub(super) fn enter(&mut self) -> Next {
        match self.view {
            View::Live if self.pane() == Pane::Running => {
                let here = self.fleet_rows().get(self.cursor()).map(|row| row.session().clone());
                let Some(id) = here else { return Next::Stay };
                self.effects.push(Effect::Follow(Follow::Session(id)));
                Next::Redraw
            }
            View::Sessions => {
                let here = self.sessions().get(self.cursor()).map(|line| line.id());
                let Some(id) = here else { return Next::Stay };
                self.effects.push(Effect::Follow(Follow::Session(id)));
                self.open(View::Live)
            }
            View::Projects => {
                let rows = self.projects_shown();
                let Some(project) = rows.get(self.cursor()).and_then(|row| row.project.clone()) else {
                    return Next::Stay;
                };
                let only = vec![(Dimension::Project, Matcher::exact(project.as_str()))];
                let words = text::project_short(&project).to_owned();
                self.descend(words, Filter { only, since: None, until: None })
            }
            View::History => {
                let zone = self.options.zone;
                let (words, first, after) = self.history.chosen(self.clock, zone);
                let (since, until) = (Some(day_start(first, zone)), Some(day_start(after, zone)));
                self.descend(words, Filter { only: Vec::new(), since, until })
            }
            View::Limits => {
                let Some(scope) = self.limit_here() else { return Next::Stay };
                self.mode = Mode::EditLimit { scope, input: Input::default() };
                Next::Redraw
            }
            View::Live | View::Models | View::Health => Next::Stay,
        }
    }
}
