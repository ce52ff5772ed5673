//! Minimal view for a few lines or columns.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::widgets::Widget;

use super::super::Action;
use super::super::app::App;
use super::super::rows::FleetRow;
use super::super::widgets::{Sparks, limit_bar, mark_of, quota_bar, role_of, role_of_quota};
use super::waiting::{Empty, arguments};
use crate::domain::sort_by_key;
use crate::meter::{Activity, FleetLine, Follow, LimitState, Verdict};
use crate::text;
use crate::theme::Role;

/// One to four lines: the counter, the worst limit, the rate, the session.
pub(in super::super) struct Compact<'a>(pub(in super::super) &'a App);

impl Widget for &Compact<'_> {
    /// The longest wording that fits. Numbers are never truncated.
    fn render(self, area: Rect, buffer: &mut Buffer) {
        let theme = &self.0.theme;
        let room = usize::from(area.width);
        // Invented calls say so on the first line that has room left, and push no number out.
        let mut played = self.0.options.played;
        for (row, (wordings, role)) in area.rows().zip(self.lines(room, usize::from(area.height))) {
            let shown =
                wordings.iter().find(|wording| (1..=room).contains(&text::width(wording))).map_or("…", String::as_str);
            let (end, _) = buffer.set_stringn(row.x, row.y, shown, room, theme.style(role));
            let place = usize::from(end - row.x) + 2;
            if let Some(word) = played.take_if(|word| place + text::width(word) <= room) {
                buffer.set_stringn(end + 2, row.y, word, room - place, theme.style(Role::Warning));
            }
        }
    }
}

impl Compact<'_> {
    /// At most `height` lines in order of importance, each in several wordings from long to short.
    fn lines(&self, room: usize, height: usize) -> Vec<(Vec<String>, Role)> {
        let app = self.0;
        let summary = app.summary();
        let zone = app.options.zone;
        if app.is_waiting() {
            return self.empty(room);
        }
        let sums = &summary.followed;
        let (tokens, cost) = (sums.tokens.total(), text::cost(sums));
        let short = text::cost_short(sums);
        let limits = app.limits();
        let leading = app.leading_limit();
        let worst = summary.worst_limit().or(leading).or_else(|| limits.first().copied());
        let mark_of = |limit: &LimitState| match mark_of(limit) {
            "" => String::new(),
            mark => format!("{mark} "),
        };
        let mark = worst.map(mark_of).unwrap_or_default();
        let counter = vec![
            text::counter(sums, summary.growing),
            format!("{} tok {cost}", text::count(tokens)),
            format!("{} {cost}", text::compact(tokens)),
            cost.clone(),
            cost.replace(' ', ""),
            short.replace(' ', ""),
            text::compact(tokens),
            mark.trim_end().to_owned(),
        ];
        let mut lines = vec![(counter, Role::Accent)];
        if let Some(limit) = worst {
            let title = match limit.verdict {
                _ if limit.is_quiet() => format!("{mark}{} of {} limit used", text::percent(limit), limit.name),
                Verdict::Under => format!("{} of {} limit used", text::percent(limit), limit.name),
                Verdict::Near | Verdict::Over => text::banner_title(limit),
            };
            let further = summary.further_warnings();
            let more = (further > 0).then(|| format!("+{further} more"));
            let resets = text::resets(limit, app.now(), zone);
            let parts = [text::banner_amounts(limit)].into_iter().chain(more.clone()).chain(resets);
            let mut wordings = vec![title.clone()];
            wordings.extend(more.map(|more| format!("{title}  {more}")));
            wordings.push(format!("{title}  {}", text::left(limit)));
            let mut longer = title;
            for part in parts {
                longer = format!("{longer}  {part}");
                wordings.push(longer.clone());
            }
            wordings.reverse();
            wordings.push(format!("{mark}{} {}", limit.name, text::percent(limit)));
            wordings.push(format!("{mark}{}", text::percent(limit)));
            wordings.push(text::percent(limit));
            wordings.push(mark.trim_end().to_owned());
            lines.push((wordings, role_of(limit)));
        }
        let names = text::row_names(&limits);
        // Names get the room that they need to tell which limit it is, within half of the line.
        let name_room = names.iter().map(|name| text::width(name)).max().unwrap_or(0).min(room / 2).max(14);
        let listed = |limit: &LimitState| {
            let bar = limit_bar(limit, room.saturating_sub(name_room + 10).clamp(5, 60), app.now());
            let nth = limits.iter().position(|other| other.name == limit.name);
            let name = nth.and_then(|nth| names.get(nth)).unwrap_or(&limit.name);
            let wordings = vec![
                format!(
                    "{} {bar} {:>5} {}",
                    text::pad(&text::fit_name(name, name_room), name_room),
                    text::percent(limit),
                    mark_of(limit)
                ),
                format!("{name} {} {}", text::percent(limit), mark_of(limit)),
            ];
            (wordings, role_of(limit))
        };
        // For the day's limit, show the remaining amount, which is more useful than a long bar.
        let leads = |limit: &LimitState| {
            let (mut wordings, role) = listed(limit);
            let (left, percent, mark) = (text::left(limit), text::percent(limit), mark_of(limit));
            let short = text::pad(&text::fit_name(&limit.name, name_room), name_room);
            let taken = text::width(&short) + text::width(&left) + text::width(&mark) + 9;
            let bar = room.checked_sub(taken).filter(|bar| *bar >= 5);
            let bar = bar.map(|bar| limit_bar(limit, bar.min(60), app.now()));
            let longest = bar.map(|bar| format!("{short} {bar} {percent:>5} {mark} {left}"));
            wordings.splice(0..0, longest.into_iter().chain([format!("{} {percent} {mark} {left}", limit.name)]));
            (wordings, role)
        };
        let is_worst = |limit: &&LimitState| worst.is_some_and(|worst| worst.name == limit.name);
        // The remaining amount of the day comes before any list that can be long.
        let second = leading.filter(|leading| !is_worst(leading));
        lines.extend(second.map(leads));
        let rate = text::rate_short(summary.cost_per_hour, &summary.of_rate);
        let pace = format!("{rate}/h  {} tok/min", text::count(summary.tokens_per_min));
        // The counter shows the day's cost, unless it counts something else.
        let is_day = summary.session.is_none() && summary.follow == Follow::Today;
        let totals = (!is_day).then(|| format!("{pace}  today {}", text::cost(&summary.today)));
        let short = [format!("{rate}/h  {}/min", text::compact(summary.tokens_per_min)), format!("{rate}/h")];
        lines.push((totals.into_iter().chain([pace]).chain(short).collect(), Role::Text));
        if let Some(session) = &summary.session {
            // The name of the session comes before anything else.
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
                    name.to_owned(),
                ],
                Role::Text,
            ));
        }
        let is_second = |limit: &&LimitState| second.is_some_and(|second| second.name == limit.name);
        let others = limits.iter().filter(|limit| !is_worst(limit) && !is_second(limit));
        // Those that warn come first.
        let (warning, rest): (Vec<&LimitState>, Vec<&LimitState>) = others.partition(|limit| limit.warns());
        lines.extend(warning.into_iter().chain(rest).take(8).map(listed));
        for quota in summary.quotas.iter().take(4) {
            let now = app.now();
            let bar = quota_bar(quota, room.saturating_sub(name_room + 10).clamp(5, 60), now);
            let name = text::quota_name(quota);
            let used = if quota.is_over(now) { "?".to_owned() } else { format!("{}%", quota.percent()) };
            lines.push((
                vec![
                    format!("{} {bar} {used:>5}", text::pad(&text::fit_middle(&name, name_room), name_room)),
                    format!("{name} {used}"),
                ],
                role_of_quota(quota, now),
            ));
        }
        let height = if app.options.compact { height.min(4) } else { height };
        if summary.session.is_none() {
            lines.extend(self.at_work(room, height.saturating_sub(lines.len())));
        }
        lines.truncate(height);
        lines
    }

    /// The lines while there is no call to show.
    fn empty(&self, room: usize) -> Vec<(Vec<String>, Role)> {
        let app = self.0;
        let empty = Empty::of(app);
        let (longest, shorter, role): (String, &[&str], Role) = match (empty, app.progress) {
            (Empty::Reading | Empty::Waiting, Some(progress)) => {
                let (done, all) = (text::count(progress.files_done), text::count(progress.files));
                (format!("reading {done} of {all}"), &["reading"], Role::Accent)
            }
            (Empty::Reading | Empty::Waiting, None) => {
                let shorter = &["waiting for a call", "waiting"];
                ("tokmeter waits for a first call".to_owned(), shorter, Role::Accent)
            }
            (Empty::Nothing, _) => ("there is no call to show".to_owned(), &["no calls"], Role::Accent),
            (Empty::Filtered | Empty::FilteredForGood, _) => {
                let shorter = &["no call passes the filter", "no calls"];
                (format!("no call passes the filter: {}", app.options.only), shorter, Role::Warning)
            }
        };
        let shorter = shorter.iter().map(|words| (*words).to_owned());
        let mut lines = vec![([longest].into_iter().chain(shorter).collect(), role)];
        if matches!(empty, Empty::Filtered | Empty::FilteredForGood) {
            let names = arguments(app);
            let without = |names: &String| vec![format!("without {names}: every call"), format!("without {names}")];
            lines.extend(names.map(|names| (without(&names), Role::Text)));
            return lines;
        }
        lines.extend(app.options.looks.iter().map(|path| (vec![text::fit_end(path, room)], Role::Dim)));
        if empty != Empty::Nothing {
            let demo = app.options.keys.first(Action::Demo);
            lines.push((vec![format!("{demo} plays a demo"), format!("{demo} demo")], Role::Text));
        }
        lines
    }

    /// The active sessions, most expensive first: one on each remaining line, and on the last line as many as fit, with
    /// the number of those left over.
    fn at_work(&self, room: usize, height: usize) -> Vec<(Vec<String>, Role)> {
        let app = self.0;
        let fitting = app.fleet_rows().into_iter().filter_map(|row| match row {
            FleetRow::Session(line) => Some(line),
            FleetRow::Agent(..) => None,
        });
        let mut all: Vec<&FleetLine> = fitting.filter(|line| line.activity != Activity::Ended).collect();
        sort_by_key(&mut all, |line| std::cmp::Reverse((line.today.cost, line.today.tokens.total())));
        let all: Vec<(String, String)> =
            all.into_iter().map(|line| (app.name_of(line), text::cost_column(&line.today))).collect();
        let alone = if all.len() <= height { all.len() } else { height.saturating_sub(1) };
        let (alone, rest) = all.split_at(alone);
        let cost_room = alone.iter().map(|(_, cost)| text::width(cost)).max().unwrap_or(0);
        let name_room = alone.iter().map(|(name, _)| text::width(name)).max().unwrap_or(0);
        let name_room = name_room.min(room.saturating_sub(cost_room + 2)).max(1);
        let in_columns = |(name, cost): &(String, String)| {
            let name = text::pad(&text::fit_name(name, name_room), name_room);
            (vec![format!("{name}  {}", text::pad_left(cost, cost_room)), cost.trim().to_owned()], Role::Dim)
        };
        let mut lines: Vec<(Vec<String>, Role)> = alone.iter().map(in_columns).collect();
        if height > 0 && !rest.is_empty() {
            let named: Vec<String> = rest.iter().map(|(name, cost)| format!("{name} {}", cost.trim())).collect();
            let packed = |count: usize| {
                let more = (count < named.len()).then(|| format!("+{} more", named.len() - count));
                named.iter().take(count).cloned().chain(more).collect::<Vec<String>>().join(" · ")
            };
            lines.push(((0..=named.len()).rev().map(packed).collect(), Role::Dim));
        }
        lines
    }
}
