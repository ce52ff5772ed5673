//! Rows of each view after filtering and sorting, and the cursor.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::domain::{Label, Quota, sort_by, sort_by_key};
use crate::meter::{
    AgentLine, CallLine, FleetLine, Follow, LimitState, SessionLine, Summary, Verdict, Window, in_calm_order,
};
use crate::text;

use super::app::App;
use super::limit_widths::LimitWidths;
use super::projects::ProjectRow;
pub(super) use super::rows::FleetRow;
use super::rows::SortBy;
use super::{Input, Mode, ModelView, Pane, View};

impl App {
    /// True while a single session is shown.
    pub(super) fn is_pinned(&self) -> bool {
        self.summary.session.is_some()
    }

    /// The sessions that match the filter, each followed by its sub-agents. For a session that does not match, only the
    /// sub-agents that do.
    pub(super) fn fleet_rows(&self) -> Vec<FleetRow<'_>> {
        let fits_one = |names: &[Option<&Label>]| names.iter().flatten().any(|name| self.filter.fits(name));
        let of_line = |line: &FleetLine| {
            let names = [line.project.as_ref(), line.id.session.as_ref(), Some(&line.id.source), line.model.as_ref()];
            !self.is_filtered() || fits_one(&names)
        };
        let of_agent = |agent: &AgentLine| fits_one(&[Some(&agent.name), agent.last.model.as_ref()]);
        let mut rows = Vec::new();
        for line in &self.summary.fleet {
            let fits = of_line(line);
            let agents: Vec<&AgentLine> = line.agents.iter().filter(|agent| fits || of_agent(agent)).collect();
            if fits || !agents.is_empty() {
                rows.push(FleetRow::Session(line));
                rows.extend(agents.into_iter().map(|agent| FleetRow::Agent(line, agent)));
            }
        }
        rows
    }

    /// The sessions, each followed by its sub-agents, ignoring the filter.
    pub(super) fn fleet(&self) -> impl Iterator<Item = FleetRow<'_>> {
        self.summary.fleet.iter().flat_map(|line| {
            let agents = line.agents.iter().map(move |agent| FleetRow::Agent(line, agent));
            std::iter::once(FleetRow::Session(line)).chain(agents)
        })
    }

    /// Name of one of today's sessions: its project, plus its id if the project has several sessions.
    pub(super) fn name_of(&self, line: &FleetLine) -> String {
        let session = line.id.session.as_deref().map(text::session_short);
        let project = line.project.as_deref().map(text::project_short);
        let short = |line: &FleetLine| line.project.as_deref().map(|project| text::project_short(project).to_owned());
        let is_alone = self.summary.fleet.iter().filter(|other| short(other) == short(line)).count() <= 1;
        match (project, session) {
            (Some(project), Some(session)) if !is_alone => format!("{project} {session}"),
            (project, session) => project.or(session).unwrap_or("no name").to_owned(),
        }
    }

    /// Shows new numbers. The cursors stay on the same session, limit and call.
    pub(super) fn show(&mut self, summary: Arc<Summary>) {
        let limits = if self.view == View::Limits { View::Limits.nth() } else { View::ALL.len() + Pane::Limits.nth() };
        let limit = self.limits().get(self.cursors[limits]).map(|limit| limit.name.clone());
        let slot = View::ALL.len() + Pane::Running.nth();
        // On the first row it stays on the first row, so that an untouched list shows sessions that have just started.
        let here =
            (self.cursors[slot] > 0).then(|| self.fleet_rows().get(self.cursors[slot]).map(FleetRow::name)).flatten();
        let calls = View::ALL.len() + Pane::Calls.nth();
        // On the newest call, it stays on the newest call.
        let call = self.cursors[calls]
            .checked_sub(1)
            .and_then(|before| self.calls().get(before + 1).map(|line| line.row.call.key));
        if summary.follow != self.summary.follow {
            self.of_model = None;
        }
        if let Follow::Today | Follow::Everything = summary.follow {
            self.home = summary.follow.clone();
        }
        self.limit_order = in_calm_order(&summary.limits);
        self.take(summary);
        if let Some(at) = limit.and_then(|name| self.limits().iter().position(|limit| limit.name == name)) {
            self.cursors[limits] = at;
        }
        if let Some(at) = here.and_then(|here| self.fleet_rows().iter().position(|row| row.name() == here)) {
            self.cursors[slot] = at;
        }
        if let Some(at) = call.and_then(|call| self.calls().iter().position(|line| line.row.call.key == call)) {
            self.cursors[calls] = at;
        }
    }

    /// Takes over new numbers. During a day, no column of the sessions or limits becomes narrower, so nothing moves
    /// when rows come and go.
    fn take(&mut self, summary: Arc<Summary>) {
        let is_new_day = summary.day != self.summary.day;
        if is_new_day {
            self.fleet_widths.clear();
            self.limit_widths = LimitWidths::default();
        }
        let before = std::mem::replace(&mut self.summary, summary);
        self.fleet_widths = super::views::fleet_widths(self);
        let before = if is_new_day { &[] } else { before.limits.as_slice() };
        self.limit_widths = self.limit_widths.with(before, &self.summary, self.now(), self.options.zone);
    }

    /// True while a filter is hiding rows.
    pub(super) fn is_filtered(&self) -> bool {
        !self.filter.text().is_empty()
    }

    /// The part of a filtered pane's title that mentions the filter.
    pub(super) fn filtered(&self) -> Option<String> {
        self.is_filtered().then(|| "filtered".to_owned())
    }

    /// The number of rows in a list: `3`, or `1 of 3` if a filter hides some.
    pub(super) fn counted(&self, shown: usize, all: usize) -> String {
        if self.is_filtered() { format!("{shown} of {all}") } else { all.to_string() }
    }

    /// The message in a filtered pane with no matches: `no session matches "web"`.
    pub(super) fn nothing_fits(&self, noun: &str) -> Option<String> {
        self.is_filtered().then(|| format!("no {noun} matches \"{}\"", Label::new(self.filter.text())))
    }

    /// The pane of the Fleet view that has the keyboard focus.
    pub(super) fn pane(&self) -> Pane {
        if self.pane == Pane::Running && self.is_pinned() { Pane::Calls } else { self.pane }
    }

    /// The cursor row of a pane.
    pub(super) fn cursor_of(&self, pane: Pane) -> usize {
        self.cursors[View::ALL.len() + pane.nth()]
    }

    /// The limit whose remaining amount the head shows: a pinned session's own once it warns, or else the day's, the
    /// month's or the week's.
    pub(super) fn leading_limit(&self) -> Option<&LimitState> {
        let of_all = |window: Window| {
            let fits = move |limit: &&LimitState| limit.limit.window == window && limit.limit.scope.names().is_empty();
            self.summary.limits.iter().find(fits)
        };
        let warns = |limit: &&LimitState| limit.verdict != Verdict::Under && self.is_of_pinned(limit);
        let own = self.summary.limits.iter().find(warns);
        own.or_else(|| [Window::Day, Window::Month, Window::Week].into_iter().find_map(of_all))
    }

    /// The choices of what to follow: today's sessions together, everything, and each session that matches.
    pub(super) fn choices(&self, search: &Input) -> Vec<Follow> {
        let mut choices = Vec::new();
        if search.fits("today: every session") {
            choices.push(Follow::Today);
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
            // A line may take up several rows.
            Mode::Help { search, .. } => super::widgets::help_lines(&self.options.keys, search).len() * 2,
            Mode::Explain(explanation) => explanation.lines.len() * 4,
            Mode::Choose { search, .. } => self.choices(search).len(),
            Mode::Palette { search, .. } => self.palette(search).len(),
            Mode::Themes { .. } => self.theme_names().len(),
            Mode::Browse | Mode::Filter(_) | Mode::EditLimit { .. } | Mode::AddLimit(_) | Mode::SaveView(_) => {
                self.rows()
            }
        };
        let here = self.cursor_slot();
        let cursor = match self.mode.cursor() {
            Some(cursor) => cursor,
            None => &mut self.cursors[here],
        };
        let last = rows.saturating_sub(1);
        *cursor = (*cursor).min(last).saturating_add_signed(by).min(last);
        self.look_at_theme();
    }

    pub(super) fn cursor_slot(&self) -> usize {
        if self.view == View::Fleet { View::ALL.len() + self.pane().nth() } else { self.view.nth() }
    }

    /// Cursor row in the open view.
    pub(super) fn cursor(&self) -> usize {
        self.cursors[self.cursor_slot()].min(self.rows().saturating_sub(1))
    }

    /// Number of rows over which the cursor moves.
    pub(super) fn rows(&self) -> usize {
        match (self.view, self.pane()) {
            (View::Fleet, Pane::Running) => self.fleet_rows().len(),
            (View::Fleet, Pane::Calls) => self.calls().len(),
            (View::Fleet, Pane::Models) => self.summary.models.len(),
            (View::Fleet, Pane::Head) => super::explain::HEAD_LINES,
            (View::Limits, _) => self.limits().len() + self.quotas().len(),
            (View::Fleet, Pane::Limits) => self.limits().len(),
            (View::Sessions, _) => self.sessions().len(),
            (View::Projects, _) => self.projects_shown().len(),
            (View::History, _) => 1,
            (View::Models, _) => self.models_shown().len(),
            (View::Health, _) => super::views::health_lines(self).len(),
        }
    }

    /// Calls that match the filter. For a pinned session, only those of one model if that model was opened.
    pub(super) fn calls(&self) -> Vec<&CallLine> {
        let fits = |line: &&CallLine| {
            let call = &line.row.call;
            [&call.model, &call.from.agent, &call.from.project, &call.from.session]
                .into_iter()
                .flatten()
                .any(|name| self.filter.fits(name))
                || self.filter.text().is_empty()
        };
        let is_of_model =
            |line: &&CallLine| self.of_model.as_ref().is_none_or(|model| line.row.call.model.as_ref() == Some(model));
        self.summary.calls.iter().filter(is_of_model).filter(fits).collect()
    }

    /// The displayed limits, in an order that no call changes. In the Limits view, all that match the filter.
    pub(super) fn limits(&self) -> Vec<&LimitState> {
        let fits = |limit: &&LimitState| match self.view {
            View::Limits => self.filter.fits(&limit.name),
            View::Fleet | View::Sessions | View::Projects | View::History | View::Models | View::Health => {
                self.concerns(limit)
            }
        };
        let mut all: Vec<_> =
            self.limit_order.iter().filter_map(|at| self.summary.limits.get(*at)).filter(fits).collect();
        if self.view == View::Fleet {
            sort_by_key(&mut all, |limit| !self.is_of_pinned(limit));
        }
        all
    }

    /// True for a limit of the pinned session alone.
    fn is_of_pinned(&self, limit: &LimitState) -> bool {
        let pinned = self.summary.session.as_ref().map(SessionLine::id);
        pinned.is_some_and(|pinned| limit.session.as_ref().is_some_and(|session| session.id == pinned))
    }

    /// The providers' windows that match the filter.
    pub(super) fn quotas(&self) -> Vec<&Quota> {
        self.summary.quotas.iter().filter(|quota| self.filter.fits(&text::quota_name(quota))).collect()
    }

    /// Models that match the filter.
    pub(super) fn models_shown(&self) -> Vec<&ModelView> {
        let name = |view: &ModelView| view.model.as_ref().map_or_else(String::new, Label::to_string);
        self.models.iter().filter(|view| self.filter.fits(&name(view))).collect()
    }

    /// The projects that match the filter.
    pub(super) fn projects_shown(&self) -> Vec<ProjectRow> {
        let name = |row: &ProjectRow| row.project.as_ref().map_or_else(String::new, Label::to_string);
        self.projects.rows().into_iter().filter(|row| self.filter.fits(&name(row))).collect()
    }

    /// The sessions of the opened item, or all sessions, ignoring the filter.
    pub(super) fn all_sessions(&self) -> &[SessionLine] {
        let opened = self.drill_down.as_ref().map(|down| down.sessions.as_deref().unwrap_or_default());
        opened.unwrap_or(&self.summary.sessions)
    }

    /// The name shown for each project of these sessions. Folders of the same name have the folders above them.
    pub(super) fn project_names(&self) -> BTreeMap<&str, String> {
        let folders: BTreeSet<&str> =
            self.all_sessions().iter().filter_map(|line| line.row.project.as_deref()).collect();
        let folders: Vec<&str> = folders.into_iter().collect();
        folders.iter().copied().zip(text::short_paths(&folders)).collect()
    }

    /// The sessions of the opened item, or all sessions, that match the filter, in the chosen order.
    pub(super) fn sessions(&self) -> Vec<&SessionLine> {
        let mut all: Vec<&SessionLine> =
            self.all_sessions().iter().filter(|line| self.filter.fits(&searched(line))).collect();
        let (by, reversed) = self.sort;
        let names = if by == SortBy::Project { self.project_names() } else { BTreeMap::new() };
        let shown = |line: &SessionLine| names.get(line.row.project.as_deref()?).map(|name| name.to_lowercase());
        // Each column starts with the most relevant value: the latest, the longest, the most expensive.
        sort_by(&mut all, |one, other| match by {
            SortBy::Started => other.row.started.cmp(&one.row.started),
            SortBy::Duration => other.duration.cmp(&one.duration),
            SortBy::Project => shown(one).cmp(&shown(other)).then_with(|| one.row.project.cmp(&other.row.project)),
            SortBy::Tokens => other.row.sums.tokens.total().cmp(&one.row.sums.tokens.total()),
            SortBy::Cost => other.row.sums.cost.cmp(&one.row.sums.cost),
            SortBy::Rate => super::views::per_hour(other).cmp(&super::views::per_hour(one)),
        });
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
            View::Projects => self.projects_shown().get(self.cursor()).map(|row| {
                let name = row.project.as_deref().unwrap_or("no project");
                format!("{name}: {} today, {} all time", text::cost(&row.sums[0]), text::cost(&row.sums[2]))
            }),
            View::Fleet | View::History | View::Models | View::Health => {
                self.summary.session.as_ref().map(|session| text::complete(session, &self.summary.limits, None))
            }
        }
        .unwrap_or_else(|| text::counter(&self.summary.followed, false))
    }
}

/// The text of a session that filters are matched against.
pub(super) fn searched(line: &SessionLine) -> String {
    let row = &line.row;
    let models = row.models.iter().filter_map(|(model, _)| model.as_ref());
    let names = [&row.session, &row.project, &row.user].into_iter().flatten().chain([&row.source]).chain(models);
    names.map(Label::as_str).collect::<Vec<_>>().join(" ")
}
