//! Minimal view for few lines or columns.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::widgets::Widget;

use super::super::Action;
use super::super::app::App;
use super::super::widgets::{Sparks, limit_bar, quota_bar, role_of, role_of_quota};
use crate::meter::{Activity, LimitState, Verdict};
use crate::text;
use crate::theme::Role;

/// One to four lines: the counter, the worst limit, the rate, the session.
pub(in super::super) struct Compact<'a>(pub(in super::super) &'a App);

impl Widget for &Compact<'_> {
    /// The longest wording that fits; numbers are never truncated.
    fn render(self, area: Rect, buffer: &mut Buffer) {
        let theme = &self.0.theme;
        let room = usize::from(area.width);
        for (row, (wordings, role)) in area.rows().zip(self.lines(room)) {
            let shown =
                wordings.iter().find(|wording| (1..=room).contains(&text::width(wording))).map_or("…", String::as_str);
            buffer.set_stringn(row.x, row.y, shown, room, theme.style(role));
        }
    }
}

impl Compact<'_> {
    /// The lines by importance, each in wordings from long to short.
    fn lines(&self, room: usize) -> Vec<(Vec<String>, Role)> {
        let app = self.0;
        let summary = app.summary();
        let zone = app.options.zone;
        if app.is_waiting() {
            let reading = app.progress.map(|progress| {
                (
                    vec![
                        format!("reading {} of {}", text::count(progress.files_done), text::count(progress.files)),
                        "reading".to_owned(),
                        "…".to_owned(),
                    ],
                    Role::Accent,
                )
            });
            let waiting = ["tokmeter waits for a first call", "waiting for a call", "waiting", "…"];
            let mut lines = vec![reading.unwrap_or((waiting.map(str::to_owned).to_vec(), Role::Accent))];
            let looks = app.options.looks.iter().map(|path| (vec![text::fit_end(path, room)], Role::Dim));
            lines.extend(looks);
            let demo = app.options.keys.first(Action::Demo);
            lines.push((vec![format!("{demo} plays a demo"), format!("{demo} demo")], Role::Text));
            return lines;
        }
        let sums = &summary.followed;
        let (tokens, cost) = (sums.tokens.total(), text::cost(sums));
        let short = text::usd_short(sums.cost);
        let limits = app.limits();
        let leading = app.leading_limit();
        let worst = summary.worst_limit().or(leading).or_else(|| limits.first().copied());
        let mark = match worst.filter(|limit| !limit.is_quiet()).map(|limit| limit.verdict) {
            Some(Verdict::Near) => "⚠ ",
            Some(Verdict::Over) => "■ ",
            Some(Verdict::Under) | None => "",
        };
        let counter = vec![
            text::counter(sums, summary.growing),
            format!("{} tok {cost}", text::count(tokens)),
            format!("{} {cost}", text::compact(tokens)),
            cost.clone(),
            cost.replace(' ', ""),
            if cost == "?" { cost } else { short },
            text::compact(tokens),
            mark.trim_end().to_owned(),
        ];
        let mut lines = vec![(counter, Role::Accent)];
        if let Some(limit) = worst {
            let title = match limit.verdict {
                _ if limit.is_quiet() => format!("{} of {} limit used", text::percentage(limit.percent), limit.name),
                Verdict::Under => format!("{} of {} limit used", text::percentage(limit.percent), limit.name),
                Verdict::Near | Verdict::Over => text::banner_title(limit),
            };
            let parts = [text::banner_amounts(limit)].into_iter().chain(text::resets(limit, app.now(), zone)).fold(
                vec![title.clone()],
                |mut longer, part| {
                    let last = longer.last().cloned().unwrap_or_default();
                    longer.push(format!("{last}  {part}"));
                    longer
                },
            );
            let mut wordings: Vec<String> = parts.into_iter().rev().collect();
            wordings.insert(wordings.len() - 1, format!("{title}  {}", text::left(limit)));
            wordings.push(format!("{mark}{} {}", limit.name, text::percentage(limit.percent)));
            wordings.push(format!("{mark}{}", text::percentage(limit.percent)));
            wordings.push(text::percentage(limit.percent));
            wordings.push(mark.trim_end().to_owned());
            lines.push((wordings, role_of(limit)));
        }
        let names = text::row_names(&limits);
        let listed = |limit: &LimitState| {
            let bar = limit_bar(limit, room.saturating_sub(24).clamp(5, 60), app.now());
            let nth = limits.iter().position(|other| other.name == limit.name);
            let name = nth.and_then(|nth| names.get(nth)).unwrap_or(&limit.name);
            let short = if text::width(name) > 14 { text::short_name(limit, name) } else { name.clone() };
            let wordings = vec![
                format!("{} {bar} {:>5}", text::pad(&text::fit_name(&short, 14), 14), text::percentage(limit.percent)),
                format!("{name} {}", text::percentage(limit.percent)),
            ];
            (wordings, role_of(limit))
        };
        let is_worst = |limit: &&LimitState| worst.is_some_and(|worst| worst.name == limit.name);
        // How much is left of the day stands above everything of which there may be any number.
        let second = leading.filter(|leading| !is_worst(leading));
        lines.extend(second.map(listed));
        let rate = text::usd_short(summary.cost_per_hour);
        let pace = format!("{rate}/h  {} tok/min", text::count(summary.tokens_per_min));
        let totals = format!("{pace}  today {}", text::cost(&app.summary().today));
        lines.push((
            vec![totals, pace, format!("{rate}/h  {}/min", text::compact(summary.tokens_per_min)), format!("{rate}/h")],
            Role::Text,
        ));
        if let Some(session) = &summary.session {
            // Whose numbers these are stands above what else there is.
            let row = &session.row;
            let name = row.project.as_deref().map(text::project_short);
            let name = name.or(row.session.as_deref().map(text::session_short)).unwrap_or("no name");
            let length = text::duration_short(session.duration);
            let close = app.options.keys.first(Action::Close);
            let pinned = format!("pinned: {name}");
            lines.push((
                vec![
                    format!("{pinned}  {length}  {close} all"),
                    format!("{pinned}  {length}"),
                    pinned,
                    name.to_owned(),
                ],
                Role::Dim,
            ));
        }
        for model in summary.models.iter().take(8) {
            let name = model.model.as_deref().map_or("unknown", text::model_short);
            let trends = summary.models.iter().map(|line| &line.trend);
            let until = (summary.trend_until, app.now());
            let trend = Sparks::scaled_to(trends, room.saturating_sub(24).clamp(6, 30), until).draw(&model.trend);
            let cost = text::cost(&model.sums);
            let name_room = if room > 30 { 14 } else { 10 };
            lines.push((
                vec![
                    format!("{} {trend} {cost}", text::pad(name, name_room)),
                    format!("{name} {cost}"),
                    text::model_short(name).to_owned(),
                ],
                Role::Text,
            ));
        }
        let is_second = |limit: &&LimitState| second.is_some_and(|second| second.name == limit.name);
        lines.extend(
            limits.iter().filter(|limit| !is_worst(limit) && !is_second(limit)).take(8).map(|limit| listed(limit)),
        );
        for quota in summary.quotas.iter().take(4) {
            let now = app.now();
            let bar = quota_bar(quota, room.saturating_sub(24).clamp(5, 60), now);
            let name = text::quota_name(quota);
            let used = if quota.is_over(now) { "?".to_owned() } else { format!("{}%", quota.percent()) };
            lines.push((
                vec![
                    format!("{} {bar} {used:>5}", text::pad(&text::fit_middle(&name, 14), 14)),
                    format!("{name} {used}"),
                ],
                role_of_quota(quota, now),
            ));
        }
        if summary.session.is_none() {
            let at_work = summary.fleet.iter().filter(|line| line.activity != Activity::Ended);
            let names: Vec<String> = at_work
                .map(|line| {
                    let session = line.id.session.as_deref().map(text::session_short);
                    let name = line.project.as_deref().map(text::project_short).or(session).unwrap_or("no name");
                    format!("{name} {}", text::cost(&line.today))
                })
                .collect();
            if !names.is_empty() {
                lines.push((vec![text::fit_parts(&names, " · ", room)], Role::Dim));
            }
        }
        if app.options.compact {
            lines.truncate(4);
        }
        lines
    }
}
