//! The Health view: sources, bad lines, prices and ledger.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::widgets::Widget;

use super::super::app::App;
use super::super::widgets::pane;
use super::super::{LedgerView, Watching};
use crate::domain::{Label, sort_by_key};
use crate::engine::health::NO_MODEL;
use crate::meter::SessionId;
use crate::text;
use crate::theme::Role;

/// Sources, bad lines, prices and the ledger, as scrollable lines.
pub(in super::super) struct Health<'a>(pub(in super::super) &'a App);

impl Widget for &Health<'_> {
    fn render(self, area: Rect, buffer: &mut Buffer) {
        let app = self.0;
        let theme = &app.theme;
        let title: Vec<String> = ["Health".to_owned()].into_iter().chain(app.filtered()).collect();
        let block = pane(theme, &title.join(" · "), true);
        let mut inner = block.inner(area);
        block.render(area, buffer);
        inner.x += 1;
        inner.width = inner.width.saturating_sub(2);
        let room = usize::from(inner.width);
        let all = health_lines(app);
        if let Some(notice) = app.nothing_fits("line").filter(|_| all.is_empty()) {
            buffer.set_stringn(inner.x, inner.y, text::fit(&notice, room), room, theme.style(Role::Dim));
        }
        // Long lines are wrapped. The list of places that do not exist would take most of the view; `explain` has it.
        let is_list = |words: &str| app.health.awaited.len() > 1 && words.starts_with(AWAITED);
        let pieces = |words: &str| {
            if is_list(words) { vec![text::fit(words, room)] } else { text::wrapped(words, room.max(1)) }
        };
        let shown: Vec<(Vec<String>, Role)> = all.iter().map(|(words, role)| (pieces(words), *role)).collect();
        // The last rows down to the end of the cursor's line, or its first rows if it has more than there are.
        let height = usize::from(inner.height);
        let cursor = app.cursor().min(shown.len().saturating_sub(1));
        let mut taken = 0;
        let fits = |(pieces, _): &&(Vec<String>, Role)| {
            taken += pieces.len();
            taken <= height
        };
        let above = shown.iter().take(cursor + 1).rev().take_while(fits).count().max(1);
        let lines = shown.iter().skip((cursor + 1).saturating_sub(above));
        let lines = lines.flat_map(|(pieces, role)| pieces.iter().map(move |piece| (piece, *role)));
        for (row, (piece, role)) in inner.rows().zip(lines) {
            buffer.set_stringn(row.x, row.y, piece, room, theme.style(role));
        }
    }
}

/// The beginning of the line with the places that do not exist.
const AWAITED: &str = "○ waiting for ";

/// The places that do not exist, on one line.
fn awaited(places: &[Label]) -> Option<String> {
    match places {
        [] => None,
        [one] => Some(format!("{AWAITED}{one}")),
        several => {
            let count = u64::try_from(several.len()).unwrap_or(0);
            let names: Vec<&str> = several.iter().map(Label::as_str).collect();
            Some(format!("{AWAITED}{} that are not there: {}", text::plural(count, "place"), names.join(", ")))
        }
    }
}

/// The places that are combined on one line, each on its own line; empty if none are combined.
pub(in super::super) fn health_details(app: &App) -> Vec<String> {
    let places = app.health.awaited.iter().map(|place| format!("{AWAITED}{place}"));
    if app.health.awaited.len() > 1 { places.collect() } else { Vec::new() }
}

/// Lines of the Health view that match the filter.
pub(in super::super) fn health_lines(app: &App) -> Vec<(String, Role)> {
    let health = &app.health;
    let watched = |watching: Watching| match watching {
        Watching::Live => "● live",
        Watching::Polling => "◐ polling",
        Watching::Off => "○ done",
    };
    let mut all = vec![(format!("New data: {}", watched(health.watching)), Role::Text)];
    all.push(match &health.ledger {
        LedgerView::Memory => ("Ledger: in memory only".to_owned(), Role::Text),
        LedgerView::Open(path) => (format!("Ledger: {path}"), Role::Text),
        LedgerView::ReadOnly(why) => (format!("▲ Ledger read-only: {why}"), Role::Warning),
        LedgerView::Failed(why) => (format!("▲ Not booked, and counted all the same: {why}"), Role::Danger),
    });
    all.extend(health.config_trouble.iter().map(|trouble| (format!("▲ Config not applied: {trouble}"), Role::Danger)));
    all.extend(health.prices.iter().map(|prices| (format!("Prices: {prices}"), Role::Text)));
    all.extend(app.failures.iter().map(|failure| (format!("▲ {failure}"), Role::Danger)));
    // A folder that does not exist yet is not a problem.
    all.extend(awaited(&health.awaited).map(|line| (line, Role::Dim)));
    if !health.absent.is_empty() {
        all.push((format!("○ {}", text::absent(&health.absent)), Role::Dim));
    }
    all.extend(health.notes.iter().map(|note| (format!("▲ {note}"), Role::Warning)));
    let mut section = |title: String, lines: Vec<(String, Role)>| {
        if !lines.is_empty() {
            all.push((String::new(), Role::Text));
            all.push((title, Role::Accent));
            all.extend(lines);
        }
    };
    let unpriced = health.unpriced.iter().map(|(model, tokens)| {
        let advice = if health.priced_now.contains(model) {
            "it has a price now: tokmeter ledger reprice".to_owned()
        } else if model.as_str() == NO_MODEL {
            "no price can be given: their logs do not say which model it was".to_owned()
        } else {
            format!("give it a price in the config: [prices.\"{model}\"] or [aliases]")
        };
        (format!("  ? {model}  {} tokens; {advice}", text::count(*tokens)), Role::Warning)
    });
    section("Models without a price".to_owned(), unpriced.collect());
    let bad = health.bad_lines.iter().map(|bad| (format!("  {}:{}: {}", bad.path, bad.line, bad.why), Role::Warning));
    section(format!("{} that could not be counted", text::plural(health.bad_total, "line")), bad.collect());
    let mut sources: Vec<_> = health.sources.iter().collect();
    sort_by_key(&mut sources, |source| (source.trouble.is_none(), std::cmp::Reverse(source.last)));
    let sources = sources.into_iter().map(|source| match &source.trouble {
        Some(trouble) => (format!("  ▲ {}: {trouble}", source.path), Role::Danger),
        None => {
            let mut parts = vec![format!("  {} {}", watched(source.watching), source.path)];
            parts.extend(source.format.iter().map(ToString::to_string));
            parts.extend(Some(source.fidelity.clone()).filter(|label| !label.is_empty()));
            parts.push(text::plural(source.files, "file"));
            if source.bad > 0 {
                parts.push(format!("▲ {} bad", text::count(source.bad)));
            }
            // Sources report only when their state changes, but a call can arrive at any time.
            let is_alone = health.sources.iter().filter(|other| other.format == source.format).count() == 1;
            let of_it = |id: &SessionId| is_alone && source.format.as_ref() == Some(&id.source);
            let seen = app.summary().fleet.iter().filter(|line| of_it(&line.id)).map(|line| line.last);
            let last = source.last.max(seen.max());
            parts.extend(last.map(|at| format!("last {}", text::moment(at, app.now(), app.options.zone))));
            (parts.join("  "), if source.bad > 0 { Role::Warning } else { Role::Text })
        }
    });
    let count = u64::try_from(health.sources.len()).unwrap_or(u64::MAX);
    section(text::plural(count, "source"), sources.collect());
    let gaps = health.found.iter().filter(|(.., gaps)| !gaps.is_empty());
    let gaps =
        gaps.map(|(agent, fidelity, gaps)| (format!("  {}", text::agent_gaps(agent, fidelity, gaps)), Role::Dim));
    section("Not in the logs".to_owned(), gaps.collect());
    all.retain(|(words, _)| app.filter.fits(words));
    all
}
