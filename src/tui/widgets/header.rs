//! The first line: the views as tabs, or the path to the pinned session, and on the right the status and time.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};
use ratatui::widgets::Widget;

use super::super::app::App;
use super::super::drill_down::DrillDown;
use super::super::{LedgerView, View};
use super::chrome::state;
use super::{cells, styled, width};
use crate::meter::{Activity, SessionLine};
use crate::text;
use crate::theme::Role;

/// `1 Fleet  2 Sessions  3 History …      ● live · 3 at work · alice · Sun 22 Nov 14:02 Europe/Rome`
pub(in super::super) struct Header<'a>(pub(in super::super) &'a App);

impl Widget for &Header<'_> {
    fn render(self, area: Rect, buffer: &mut Buffer) {
        let (left, right) = self.fitting(usize::from(area.width));
        Line::from(left).render(area, buffer);
        let taken = cells(width(&right)).min(area.width);
        let place = Rect { x: area.right() - taken, width: taken, ..area };
        Line::from(right).render(place, buffer);
    }
}

impl Header<'_> {
    /// The view whose tab is in this column of a line of this width. Within a path, the Fleet tab.
    pub(in super::super) fn tab_at(&self, room: usize, column: usize) -> Option<View> {
        let (left, _) = self.fitting(room);
        let mut ends = left.iter().scan(0, |end, span| {
            *end += text::width(&span.content);
            Some(*end)
        });
        let nth = ends.position(|end| column < end)?;
        match &self.0.drill_down {
            // In a path, each step leads to its view.
            Some(down) if matches!(self.0.view, View::Sessions) => return Some(down.from),
            Some(down) if self.0.summary().session.is_some() && self.0.view == View::Fleet && nth == 0 => {
                return Some(down.from);
            }
            Some(_) | None => {}
        }
        if self.0.summary().session.is_some() && self.0.view == View::Fleet {
            return Some(View::Fleet);
        }
        View::ALL.get(nth).copied()
    }

    /// The left and the right part of the header for a given width.
    fn fitting(&self, room: usize) -> (Vec<Span<'static>>, Vec<Span<'static>>) {
        let app = self.0;
        let pinned = app.summary().session.as_ref().filter(|_| app.view == View::Fleet);
        let lefts = match (pinned, &app.drill_down) {
            (Some(session), _) => self.pinned(session),
            (None, Some(down)) if app.view == View::Sessions => self.opened(down),
            (None, _) => {
                vec![self.tabs(|_| true, " "), self.tabs(|_| true, ""), self.tabs(|view| view == app.view, " ")]
            }
        };
        let rights = self.rights();
        // Drop whatever does not fit: first the zone, then the user, then the time, then the names on the left.
        let chosen = lefts
            .iter()
            .flat_map(|left| rights.iter().map(move |right| (left, right)))
            .find(|(left, right)| width(left) + 1 + width(right) <= room);
        match chosen {
            Some((left, right)) => (left.clone(), right.clone()),
            None => (lefts.last().cloned().unwrap_or_default(), Vec::new()),
        }
    }

    /// Every view with its key, followed by `behind`. Only views that `named` accepts get their name.
    fn tabs(&self, named: impl Fn(View) -> bool, behind: &str) -> Vec<Span<'static>> {
        let app = self.0;
        let mut tabs = Vec::new();
        for view in View::ALL {
            let key = app.options.keys.first(view.action());
            let words =
                if named(view) { format!(" {key} {}{behind}", view.title()) } else { format!(" {key}{behind}") };
            let role = if view == app.view { Role::Selection } else { Role::Dim };
            tabs.push(styled(&app.theme, role, words));
        }
        tabs
    }

    /// `History › Sat 21 Nov`: the path to the listed sessions.
    fn opened(&self, down: &DrillDown) -> Vec<Vec<Span<'static>>> {
        let theme = &self.0.theme;
        let from = styled(theme, Role::Dim, format!(" {} › ", down.from.title()));
        let here = |room: usize| styled(theme, Role::Accent, text::fit(&down.words, room));
        let sessions = down.sessions.as_ref().map_or(String::new(), |all| {
            format!(" › {}", text::plural(u64::try_from(all.len()).unwrap_or(0), "session"))
        });
        vec![vec![from.clone(), here(40), styled(theme, Role::Dim, sessions)], vec![from, here(14)]]
    }

    /// `Fleet › pinned: claude-code · api-server · 3f2a91c0   23m 12s`, in a long and a short form.
    fn pinned(&self, session: &SessionLine) -> Vec<Vec<Span<'static>>> {
        let theme = &self.0.theme;
        let row = &session.row;
        let project = row.project.as_deref().map(|project| text::fit(text::project_short(project), 24));
        let name = row.session.as_deref().map(|name| text::fit(text::session_short(name), 16));
        let source = Some(row.source.to_string());
        let way = match &self.0.drill_down {
            Some(down) => format!(" {} › {} › ", down.from.title(), text::fit(&down.words, 24)),
            None => format!(" {} › ", self.0.pinned_in.title()),
        };
        let way = styled(theme, Role::Dim, way);
        let model = self.0.of_model.as_deref().map(text::model_short);
        let model = model.map(|model| format!(" › {model}")).unwrap_or_default();
        let names = |parts: &[&Option<String>]| {
            let words: Vec<&str> = parts.iter().filter_map(|part| part.as_deref()).collect();
            styled(theme, Role::Accent, format!("pinned: {}{model}", words.join(" · ")))
        };
        let length = styled(theme, Role::Dim, format!("   {}", text::duration_short(session.duration)));
        vec![
            vec![way.clone(), names(&[&source, &project, &name]), length],
            vec![way, names(&[&source, &project, &name])],
            vec![styled(theme, Role::Dim, " "), names(&[&project, &name])],
        ]
    }

    /// How data arrives, how many sessions are active, the user, and the time, in long and short forms.
    fn rights(&self) -> Vec<Vec<Span<'static>>> {
        let app = self.0;
        let (theme, summary) = (&app.theme, app.summary());
        let (chip, role) = state(app);
        let mut chips = vec![styled(theme, role, chip)];
        if matches!(app.health.ledger, LedgerView::Failed(_)) {
            // The displayed numbers are right, but not saved yet.
            chips.push(styled(theme, Role::Danger, "  ▲ not booked"));
        }
        if !app.options.only.is_empty() {
            let only = format!("  only {}", text::fit_end(&app.options.only, 32));
            chips.push(styled(theme, Role::Warning, only));
        }
        let dim = |words: String| styled(theme, Role::Dim, words);
        let working = summary.fleet.iter().filter(|line| line.activity == Activity::Working).count();
        let working = if working > 0 { format!(" · {working} working") } else { String::new() };
        let (zone, now) = (app.options.zone, app.now());
        let last =
            summary.fleet.iter().map(|line| line.last).chain(summary.session.as_ref().map(|line| line.row.ended));
        let time = match last.max() {
            // A clock that nothing else changes would have to be written every minute.
            Some(last) if !app.ticks() => format!(" · last call {}", text::moment(last, now, zone)),
            Some(_) => format!(" · {}", text::header_time(now, zone)),
            None => {
                let whole = text::header_time(now, zone);
                format!(" · {}", &whole[..whole.len() - 6])
            }
        };
        let user = format!(" · {}", text::fit(&app.options.user, 20));
        let parts = [
            vec![dim(format!("{working}{user}{time} {} ", zone.name()))],
            vec![dim(format!("{working}{user}{time} "))],
            vec![dim(format!("{working}{time} "))],
            vec![dim(format!("{time} "))],
            vec![dim(" ".to_owned())],
        ];
        parts.into_iter().map(|part| [chips.clone(), part].concat()).collect()
    }
}
