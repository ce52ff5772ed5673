//! Rows of each view after filtering and sorting, and the cursor.

use crate::domain::Label;
use crate::meter::{CallLine, Follow, LimitState, SessionLine};
use crate::text;

use super::app::App;
use super::mode::contains;
use super::{Input, Mode, ModelView, Pane, View};

/// Sort order of the sessions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum SortBy {
    #[default]
    Started,
    Duration,
    Project,
    Tokens,
    Cost,
    Rate,
}

impl SortBy {
    pub(super) const ALL: [Self; 6] =
        [Self::Started, Self::Duration, Self::Project, Self::Tokens, Self::Cost, Self::Rate];

    pub(super) fn next(self) -> Self {
        let at = Self::ALL.iter().position(|by| *by == self).unwrap_or(0);
        Self::ALL[(at + 1) % Self::ALL.len()]
    }
}

impl App {
    /// Choices of sessions to follow: latest, everything, or each matching session.
    pub(super) fn choices(&self, search: &Input) -> Vec<Follow> {
        let mut choices = Vec::new();
        if search.fits("latest") {
            choices.push(Follow::Latest);
        }
        if search.fits("everything") {
            choices.push(Follow::Everything);
        }
        let sessions = self.summary.sessions.iter().filter(|line| search.fits(&searched(line)));
        choices.extend(sessions.map(|line| Follow::Session(line.id())));
        choices
    }

    /// Moves the cursor of the part that has the keyboard focus.
    pub(super) fn scroll(&mut self, by: isize) {
        let rows = match &self.mode {
            Mode::Help { search, .. } => super::widgets::help_lines(&self.options.keys, search).len(),
            Mode::Choose { search, .. } => self.choices(search).len(),
            Mode::Browse | Mode::Filter(_) | Mode::EditLimit { .. } | Mode::AddLimit(_) => self.rows(),
        };
        let here = self.cursor_slot();
        let cursor = match &mut self.mode {
            Mode::Help { top: cursor, .. } | Mode::Choose { cursor, .. } => cursor,
            Mode::Browse | Mode::Filter(_) | Mode::EditLimit { .. } | Mode::AddLimit(_) => &mut self.cursors[here],
        };
        let last = rows.saturating_sub(1);
        *cursor = (*cursor).min(last).saturating_add_signed(by).min(last);
    }

    pub(super) fn cursor_slot(&self) -> usize {
        if self.view == View::Live { 6 + self.pane.nth() } else { self.view.nth() }
    }

    /// Cursor row in the open view.
    pub(super) fn cursor(&self) -> usize {
        self.cursors[self.cursor_slot()].min(self.rows().saturating_sub(1))
    }

    /// Number of rows the cursor moves in.
    pub(super) fn rows(&self) -> usize {
        match (self.view, self.pane) {
            (View::Live, Pane::Calls) => self.calls().len(),
            (View::Live, Pane::Models) => self.summary.models.len(),
            (View::Live, Pane::Limits) | (View::Limits, _) => self.limits().len(),
            (View::Sessions, _) => self.sessions().len(),
            (View::History, _) => 1,
            (View::Models, _) => self.models_shown().len(),
            (View::Health, _) => super::views::health_lines(self).len(),
        }
    }

    /// Calls that match the filter.
    pub(super) fn calls(&self) -> Vec<&CallLine> {
        let fits = |line: &&CallLine| {
            let call = &line.row.call;
            [&call.model, &call.from.agent, &call.from.project, &call.from.session]
                .into_iter()
                .flatten()
                .any(|name| self.filter.fits(name))
                || self.filter.text().is_empty()
        };
        self.summary.calls.iter().filter(fits).collect()
    }

    /// Limits, worst first; in the Limits view those that match the filter.
    pub(super) fn limits(&self) -> Vec<&LimitState> {
        let all = self.view != View::Limits;
        self.summary.limits.iter().filter(|limit| all || self.filter.fits(&limit.name)).collect()
    }

    /// Models that match the filter.
    pub(super) fn models_shown(&self) -> Vec<&ModelView> {
        let name = |view: &ModelView| view.model.as_ref().map_or_else(String::new, Label::to_string);
        self.models.iter().filter(|view| self.filter.fits(&name(view))).collect()
    }

    /// Sessions that match the filter, in the chosen order.
    pub(super) fn sessions(&self) -> Vec<&SessionLine> {
        let mut all: Vec<&SessionLine> =
            self.summary.sessions.iter().filter(|line| self.filter.fits(&searched(line))).collect();
        let (by, reversed) = self.sort;
        // Each column begins with what matters most: the latest, the longest, the dearest.
        match by {
            SortBy::Started => all.sort_by_key(|line| std::cmp::Reverse(line.row.started)),
            SortBy::Duration => all.sort_by_key(|line| std::cmp::Reverse(line.duration)),
            SortBy::Project => all.sort_by(|one, other| one.row.project.cmp(&other.row.project)),
            SortBy::Tokens => all.sort_by_key(|line| std::cmp::Reverse(line.row.sums.tokens.total())),
            SortBy::Cost => all.sort_by_key(|line| std::cmp::Reverse(line.row.sums.cost)),
            SortBy::Rate => all.sort_by_key(|line| std::cmp::Reverse(super::views::per_hour(line))),
        }
        if reversed {
            all.reverse();
        }
        all
    }

    /// True before the first call.
    pub(super) fn is_waiting(&self) -> bool {
        self.summary.all.calls == 0 && self.summary.sessions.is_empty()
    }

    /// Text for the copy key: the row under the cursor, or the summary of the followed sessions.
    pub(super) fn copied(&self) -> String {
        match self.view {
            View::Sessions => self.sessions().get(self.cursor()).map(|line| super::views::session_copied(line)),
            View::Limits => self
                .limits()
                .get(self.cursor())
                .map(|limit| format!("{}, {}", text::banner_title(limit), text::banner_amounts(limit))),
            View::Live | View::History | View::Models | View::Health => {
                self.summary.session.as_ref().map(|session| text::complete(session, &self.summary.limits, None))
            }
        }
        .unwrap_or_else(|| text::counter(&self.summary.followed, false))
    }
}

/// Text of a session that filters search.
pub(super) fn searched(line: &SessionLine) -> String {
    let row = &line.row;
    let models = row.models.iter().filter_map(|(model, _)| model.as_ref());
    let names = [&row.session, &row.project, &row.user].into_iter().flatten().chain([&row.source]).chain(models);
    names.map(Label::as_str).collect::<Vec<_>>().join(" ")
}

/// True when a name matches the filter.
pub(super) fn fits(filter: &Input, name: &str) -> bool {
    contains(name, filter.text())
}
