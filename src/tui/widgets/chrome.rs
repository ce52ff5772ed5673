//! The lines around a view: warning banner, read progress, footer.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::widgets::Widget;

use super::super::app::{App, Picture};
use super::super::targets::Target;
use super::super::{Action, LedgerView, Mode, Progress, Tone, View, Watching};
use super::{cells, fill, put};
use crate::domain::Label;
use crate::meter::Verdict;
use crate::text;
use crate::theme::{Role, Theme};

/// `● live`, `◐ polling`, `◼ frozen`, `○ done`; `● demo` while calls are played, `◼ demo, frozen`.
pub(super) fn state(app: &App) -> (String, Role) {
    let (words, role) = match (app.picture, app.ended, app.health.watching) {
        (Picture::Frozen, ..) => ("◼ frozen", Role::Warning),
        (Picture::Live, true, _) | (Picture::Live, false, Watching::Off) => ("○ done", Role::Dim),
        (Picture::Live, false, Watching::Live) => ("● live", Role::Good),
        (Picture::Live, false, Watching::Polling) => ("◐ polling", Role::Good),
    };
    match (app.options.played, words.split_once(' ')) {
        (Some(played), Some((mark, _))) if app.picture == Picture::Live => (format!("{mark} {played}"), Role::Warning),
        (Some(played), Some((mark, state))) => (format!("{mark} {played}, {state}"), Role::Warning),
        (Some(_), None) | (None, _) => (words.to_owned(), role),
    }
}

/// Banner of the worst limit that is near or over.
pub(in super::super) struct Banner<'a>(pub(in super::super) &'a App);

impl Banner<'_> {
    /// Height in rows; zero while no limit is near.
    pub(in super::super) fn height(&self) -> u16 {
        u16::from(self.0.summary().worst_limit().is_some())
    }
}

impl Widget for &Banner<'_> {
    fn render(self, area: Rect, buffer: &mut Buffer) {
        let app = self.0;
        let Some(worst) = app.summary().worst_limit() else { return };
        let role = match worst.verdict {
            Verdict::Under => return,
            Verdict::Near => Role::Warning,
            Verdict::Over => Role::Danger,
        };
        let mut parts = text::banner(worst, app.summary().further_warnings(), app.now(), app.options.zone);
        let room = usize::from(area.width).saturating_sub(1);
        let gap = if room >= 60 { "   " } else { "  " };
        // Say that alerts are off before anything that other panes show too; use the long wording if the amounts still
        // fit.
        let snoozed = app.snooze_words();
        let title = parts.iter().take(2).map(|part| text::width(part) + gap.len()).sum::<usize>();
        let words = snoozed.iter().find(|words| title + text::width(words) <= room).or(snoozed.last());
        parts.splice(1..1, words.cloned());
        let line = text::fit_parts(&parts, gap, room);
        buffer.set_style(area, app.theme.style(role));
        put(buffer, (area.x, area.y), &format!(" {line}"), usize::from(area.width), app.theme.style(role));
    }
}

/// `Reading 3,210 of 10,000 files · 1.2 GB of 3.4 GB · 12s left`
pub(in super::super) struct Reading<'a> {
    pub(in super::super) theme: &'a Theme,
    pub(in super::super) progress: &'a Progress,
}

impl Widget for &Reading<'_> {
    fn render(self, area: Rect, buffer: &mut Buffer) {
        let progress = self.progress;
        let mut parts =
            vec![format!(" Reading {} of {} files", text::count(progress.files_done), text::count(progress.files))];
        if progress.bytes > 0 {
            parts.push(format!("{} of {}", text::bytes(progress.bytes_done), text::bytes(progress.bytes)));
        }
        if let Some(left) = progress.left {
            parts.push(format!("{} left", text::duration_short(left)));
        }
        let room = usize::from(area.width);
        let line = text::fit_parts(&parts, " · ", room);
        buffer.set_stringn(area.x, area.y, line, room, self.theme.style(Role::Accent));
    }
}

/// A note on the line above the keys, which it never covers.
pub(in super::super) struct Toast<'a>(pub(in super::super) &'a App);

impl Widget for &Toast<'_> {
    fn render(self, area: Rect, buffer: &mut Buffer) {
        let Some((note, _)) = &self.0.note else { return };
        let role = match note.tone {
            Tone::Plain => Role::Accent,
            Tone::Warning => Role::Warning,
            Tone::Danger => Role::Danger,
        };
        let style = self.0.theme.style(role);
        // An overlay on this line has the note in its own lower edge.
        let cover = self.0.targets.cover().filter(|frame| (frame.top()..frame.bottom()).contains(&area.y));
        let row = cover.map_or(area, |frame| Rect { y: frame.bottom() - 1, height: 1, ..frame });
        let room = usize::from(row.width);
        let is_on_frame = buffer.cell((row.x, row.y)).is_some_and(|cell| cell.symbol() == "╰");
        if is_on_frame && room > 12 {
            // Set into the frame, as the frame's title is.
            let words = format!("┤ {} ├", text::fit(&note.text, room.saturating_sub(8)));
            buffer.set_stringn(row.x + 2, row.y, words, room, style);
        } else {
            // It takes the whole line, so that nothing is left of a text that it would cut.
            fill(buffer, row, ' ', self.0.theme.base());
            buffer.set_stringn(row.x, row.y, text::fit(&format!(" {}", note.text), room), room, style);
        }
    }
}

/// Footer with keys and status chips.
pub(in super::super) struct Footer<'a> {
    pub(in super::super) app: &'a App,
    /// True if a header already shows how data arrives.
    pub(in super::super) has_header: bool,
}

impl Widget for &Footer<'_> {
    fn render(self, area: Rect, buffer: &mut Buffer) {
        let app = self.app;
        let theme = &app.theme;
        let room = usize::from(area.width);
        let typing = match &app.mode {
            Mode::Filter(input) => Some(format!(" filter: {}_", Label::new(input.text()))),
            Mode::EditLimit { scope, input } => {
                Some(format!(" new amount of {} (25usd, 500k): {}_", Label::new(scope), Label::new(input.text())))
            }
            Mode::AddLimit(input) => {
                Some(format!(" new limit (day 25usd, user:alice:day 500k): {}_", Label::new(input.text())))
            }
            Mode::SaveView(input) => Some(format!(" save this view as: {}_", Label::new(input.text()))),
            Mode::Browse
            | Mode::Help { .. }
            | Mode::Choose { .. }
            | Mode::Explain(_)
            | Mode::Palette { .. }
            | Mode::Themes { .. } => None,
        };
        if let Some(typing) = typing {
            let line = text::fit_end(&typing, room);
            buffer.set_stringn(area.x, area.y, line, room, theme.style(Role::Accent));
            return;
        }
        let mut chips = chips(app);
        if !self.has_header {
            let (state, role) = state(app);
            chips.insert(0, (state, role));
        }
        let chips_width = |chips: &[(String, Role)]| {
            chips.iter().map(|(chip, _)| text::width(chip) + 3).sum::<usize>().saturating_sub(2)
        };
        // Half of the room is for keys, so that the view's own keys are among them.
        let most = room.saturating_sub((room / 2 + 4).max(24));
        let importance =
            |(chip, role): &(String, Role)| (chip.starts_with('/'), *role == Role::Danger, *role == Role::Warning);
        while chips_width(&chips) > most && chips.len() > 1 {
            let least = (0..chips.len()).min_by_key(|at| importance(&chips[*at]));
            chips.remove(least.unwrap_or(0));
        }
        // A filter may be long and can be shortened; part of any other chip would be useless.
        for (chip, _) in chips.iter_mut().filter(|(chip, _)| chip.starts_with('/') && most >= 8) {
            *chip = text::fit(chip, most - 1);
        }
        chips.retain(|(chip, _)| text::width(chip) < most);
        let right = chips_width(&chips);
        let left_room = room.saturating_sub(right + 2);
        keys(app, left_room, area, buffer);
        let mut x = area.right().saturating_sub(cells(right));
        for (nth, (chip, role)) in chips.iter().enumerate() {
            if nth > 0 {
                x = put(buffer, (x, area.y), " · ", room, theme.style(Role::Dim));
            }
            x = put(buffer, (x, area.y), chip, room, theme.style(*role));
        }
    }
}

/// The most useful keys for this view, as many as fit. None is truncated.
fn keys(app: &App, room: usize, area: Rect, buffer: &mut Buffer) {
    let own: &[(Action, &str)] = match app.view {
        View::Fleet if app.of_model.is_some() => &[(Action::Close, "the whole session"), (Action::NextPane, "pane")],
        View::Fleet if app.is_pinned() => &[
            (Action::Close, "all sessions"),
            (Action::NextPane, "pane"),
            (Action::Filter, "filter"),
            (Action::Choose, "sessions"),
        ],
        View::Fleet => &[
            (Action::Enter, "open"),
            (Action::NextPane, "pane"),
            (Action::Filter, "filter"),
            (Action::Choose, "sessions"),
            (Action::Limits, "limits"),
        ],
        View::Sessions => {
            &[(Action::Enter, "open"), (Action::Sort, "sort"), (Action::Reverse, "reverse"), (Action::Filter, "filter")]
        }
        View::Projects | View::Models => &[(Action::Enter, "open"), (Action::Filter, "filter")],
        View::History => &[
            (Action::Grain, "day/week/month"),
            (Action::Earlier, "earlier"),
            (Action::Later, "later"),
            (Action::Enter, "open"),
        ],
        View::Health => &[(Action::Filter, "filter")],
        View::Limits => &[
            (Action::Enter, "open"),
            (Action::EditLimit, "edit"),
            (Action::AddLimit, "add"),
            (Action::RemoveLimit, "remove"),
        ],
    };
    let table = &app.options.keys;
    let key = |action: Action, words: &str| (action, format!("{} {words}", table.first(action)));
    let mut all = vec![key(Action::Help, "help")];
    // Unless a session is pinned, the tabs at the top already show their keys.
    if app.is_pinned() || app.drill_down.is_some() {
        let words = format!("{}–{} views", table.first(Action::ViewLive), table.first(Action::ViewHealth));
        all.push((Action::Palette, words));
    }
    all.extend(own.iter().map(|(action, words)| key(*action, words)));
    all.push(key(Action::Explain, "explain"));
    all.push(key(Action::Palette, "all"));
    all.push(key(Action::Quit, "quit"));
    // If there is little room, quit, help and the palette come first, because the palette has everything else.
    let taken = |all: &[(Action, String)]| all.iter().map(|(_, words)| text::width(words) + 2).sum::<usize>();
    while !all.is_empty() && taken(&all) > room + 1 {
        all.remove(match all.len() {
            0..=2 => 0,
            3 => 1,
            several => several - 3,
        });
    }
    let (mut x, end) = (area.x.saturating_add(1), area.x.saturating_add(cells(room)));
    for (action, words) in all {
        let left = usize::from(end.saturating_sub(x));
        let after = put(buffer, (x, area.y), &text::fit(&words, left), left, app.theme.style(Role::Dim));
        app.targets.add(Rect { x, width: after.saturating_sub(x), ..area }, Target::Key(action));
        x = after.saturating_add(2);
    }
}

/// Status chips: what is displayed, and why numbers are incomplete.
fn chips(app: &App) -> Vec<(String, Role)> {
    let health = &app.health;
    let mut chips = Vec::new();
    if !app.filter.text().is_empty() {
        chips.push((format!("/{}", Label::new(app.filter.text())), Role::Accent));
    }
    if health.files > 0 {
        chips.push((text::plural(health.files, "file"), Role::Dim));
    }
    if app.options.api_equivalent {
        chips.push(("API-equivalent".to_owned(), Role::Dim));
    }
    match &health.ledger {
        LedgerView::Memory | LedgerView::Open(_) => {}
        LedgerView::ReadOnly(_) => chips.push(("▲ ledger read-only".to_owned(), Role::Warning)),
        LedgerView::Failed(_) => chips.push(("▲ not booked".to_owned(), Role::Danger)),
    }
    if health.config_trouble.is_some() {
        chips.push(("▲ config error".to_owned(), Role::Danger));
    }
    if !app.failures.is_empty() {
        chips.push(("▲ worker failed".to_owned(), Role::Danger));
    }
    let troubled = health.sources.iter().filter(|source| source.trouble.is_some()).count();
    if troubled > 0 {
        chips.push((format!("▲ {}", text::plural(u64::try_from(troubled).unwrap_or(0), "source")), Role::Warning));
    }
    if health.bad_total > 0 {
        chips.push((format!("▲ {}", text::plural(health.bad_total, "bad line")), Role::Warning));
    }
    if !health.unpriced.is_empty() {
        chips.push((format!("? {} unpriced", health.unpriced.len()), Role::Warning));
    }
    chips
}
