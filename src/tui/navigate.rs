//! Navigation between views, down into the item under the cursor, and back up.

use ratatui::layout::Rect;

use super::app::App;
use super::drill_down::DrillDown;
use super::widgets::Header;
use super::{Effect, Input, Mode, Next, Pane, View};
use crate::config::amount_text;
use crate::domain::{Dimension, Filter, Label, Matcher, Span, day_start};
use crate::meter::Follow;
use crate::text;

impl App {
    /// Handles a click on the first line. A tab opens its view; a step in the path to a session leads back up to it.
    pub(super) fn click_tab(&mut self, column: u16, area: Rect) -> Next {
        if super::draw::is_compact(self, area) {
            return Next::Stay;
        }
        let column = usize::from(column.saturating_sub(area.x));
        match Header(self).tab_at(usize::from(area.width), column) {
            Some(view) => self.perform(view.action()),
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
        if self.view == View::Fleet {
            self.pane = self.pane().neighbour(forward, self.is_pinned());
            return Next::Redraw;
        }
        self.open(self.view.neighbour(forward))
    }

    /// Leaves the item that was opened last: from a view to the Fleet view, from a session to all sessions.
    pub(super) fn up(&mut self) -> Next {
        match (self.view, &self.drill_down) {
            (View::Fleet, _) if self.of_model.is_some() => {
                self.of_model = None;
                self.pane = Pane::Models;
                Next::Redraw
            }
            (View::Fleet, down) => {
                let back = down.is_some() || self.pinned_in == View::Sessions;
                self.pinned_in = View::Fleet;
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
                self.drill_down = None;
                self.open(from)
            }
            (_, _) => self.open(View::Fleet),
        }
    }

    /// Opens the sessions of a project or a day.
    fn descend(&mut self, words: String, filter: Filter) -> Next {
        self.drill_down = Some(DrillDown::new(self.view, words, filter, self.options.zone));
        self.cursors[View::Sessions.nth()] = 0;
        self.filter.clear();
        self.open(View::Sessions)
    }

    pub(super) fn enter(&mut self) -> Next {
        match self.view {
            View::Fleet if self.pane() == Pane::Running => {
                let here = self.fleet_rows().get(self.cursor()).map(|row| row.session().clone());
                let Some(id) = here else { return Next::Stay };
                self.effects.push(Effect::Follow(Follow::Session(id)));
                Next::Redraw
            }
            View::Fleet if self.pane() == Pane::Models => {
                let here = self.summary.models.get(self.cursor());
                let Some(model) = here.and_then(|line| line.model.clone()) else { return Next::Stay };
                if self.is_pinned() {
                    // Stay in the session and show its calls of this model.
                    self.of_model = Some(model);
                    self.pane = Pane::Calls;
                    self.cursors[View::ALL.len() + Pane::Calls.nth()] = 0;
                    return Next::Redraw;
                }
                let today = self.summary.day;
                self.descend_to_model(&model, Some(today))
            }
            View::Fleet | View::Limits if self.view == View::Limits || self.pane() == Pane::Limits => {
                self.descend_to_limit()
            }
            View::Fleet if self.pane() == Pane::Head && !self.is_pinned() && self.home == Follow::Today => {
                let day = self.summary.day;
                let filter = Filter { only: Vec::new(), since: Some(day.from), until: Some(day.until) };
                self.descend("today".to_owned(), filter)
            }
            // A call is the lowest level. Below it there is only its explanation.
            View::Fleet => self.explain(),
            View::Sessions => {
                let here = self.sessions().get(self.cursor()).map(|line| line.id());
                let Some(id) = here else { return Next::Stay };
                self.pinned_in = View::Sessions;
                self.effects.push(Effect::Follow(Follow::Session(id)));
                self.open(View::Fleet)
            }
            View::Projects => {
                let rows = self.projects_shown();
                let Some(project) = rows.get(self.cursor()).and_then(|row| row.project.clone()) else {
                    return Next::Stay;
                };
                let only = vec![(Dimension::Project, Matcher::exact(project.as_str()))];
                let folders: Vec<&str> = rows.iter().filter_map(|row| row.project.as_deref()).collect();
                let names = folders.iter().zip(text::short_paths(&folders));
                let own = names.into_iter().find(|(folder, _)| **folder == project.as_str());
                let words = own.map_or_else(|| text::project_short(&project).to_owned(), |(_, name)| name);
                self.descend(words, Filter { only, since: None, until: None })
            }
            View::History => {
                let zone = self.options.zone;
                let (words, first, after) = self.history.chosen(self.clock, zone);
                let (since, until) = (Some(day_start(first, zone)), Some(day_start(after, zone)));
                self.descend(words, Filter { only: Vec::new(), since, until })
            }
            View::Models => {
                let here = self.models_shown().get(self.cursor()).and_then(|view| view.model.clone());
                here.map_or(Next::Stay, |model| self.descend_to_model(&model, None))
            }
            View::Limits | View::Health => Next::Stay,
        }
    }

    /// Opens the sessions that used this model.
    fn descend_to_model(&mut self, model: &Label, span: Option<Span>) -> Next {
        let only = vec![(Dimension::Model, Matcher::exact(model.as_str()))];
        let (since, until) = (span.map(|span| span.from), span.map(|span| span.until));
        let today = if span.is_some() { " today" } else { "" };
        self.descend(format!("{}{today}", text::model_short(model)), Filter { only, since, until })
    }

    /// Opens the sessions that count against the limit under the cursor, or the session itself if there is only one.
    fn descend_to_limit(&mut self) -> Next {
        let Some(state) = self.limits().get(self.cursor()).copied().cloned() else { return Next::Stay };
        if let Some(session) = &state.session {
            self.effects.push(Effect::Follow(Follow::Session(session.id.clone())));
            return self.open(View::Fleet);
        }
        let mut only = state.limit.scope.names().to_vec();
        if let (true, Some(subject), [(_, name)]) = (state.limit.scope.each, &state.subject, only.as_mut_slice()) {
            *name = Matcher::exact(subject);
        }
        let (since, until) = (state.span.map(|span| span.from), state.span.map(|span| span.until));
        self.descend(format!("{} limit", state.name), Filter { only, since, until })
    }

    /// Lets the user edit the amount of the limit under the cursor, starting from the current one.
    pub(super) fn edit_limit(&mut self) -> Next {
        let limits = self.limits();
        let Some(state) = limits.get(self.cursor()) else { return Next::Stay };
        let scope = state.limit.scope.key(state.limit.window);
        let input = Input::new(&amount_text(&state.limit.amount));
        self.mode = Mode::EditLimit { scope, input };
        Next::Redraw
    }
}
