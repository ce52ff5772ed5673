//! The charts of the Fleet view: the day as a curve, and dollars per hour over the last hours.

use ratatui::buffer::Buffer;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::widgets::Widget;

use super::super::super::widgets::{Scale, Stack, cells, dollars, labels, micros, pane};
use super::Fleet;
use crate::domain::{Instant, Usd, sort_by_key};
use crate::meter::{TREND, Trend};
use crate::text;

/// Minimum height of a chart with its frame.
const LEAST: u16 = 8;
/// Width at which two charts are shown side by side.
const TWO: u16 = 150;
/// Number of series shown separately in a chart. The rest are combined into one.
const SERIES: usize = 7;
/// Possible lengths of a bar in minutes.
const BUCKETS: [usize; 5] = [2, 3, 5, 10, 15];

impl Fleet<'_> {
    /// Rows used for the charts, if this many are left for them and the panes below.
    pub(super) fn chart_rows(&self, area: Rect, spare: u16) -> u16 {
        let below = if area.height >= 50 { 12 } else { 6 };
        let rows = spare.saturating_sub(below).min(area.height / 3);
        let summary = self.0.summary();
        let spends = |trend: &Trend| trend.usd.iter().any(|usd| *usd > Usd::ZERO);
        // A session that ended hours ago has no spending in the last hours.
        let has_spent = if self.0.is_pinned() {
            summary.models.iter().any(|line| spends(&line.trend))
        } else {
            summary.today.cost > Usd::ZERO
        };
        if area.width < 110 || area.height < 30 || rows < LEAST || !has_spent { 0 } else { rows }
    }

    pub(super) fn charts(&self, area: Rect, buffer: &mut Buffer) {
        if self.0.is_pinned() {
            return self.pace(area, buffer);
        }
        if area.width < TWO {
            return self.curve(area, buffer);
        }
        let [left, right] = Layout::horizontal([Constraint::Fill(1), Constraint::Fill(1)]).areas(area);
        self.curve(left, buffer);
        self.pace(right, buffer);
    }

    /// Dollars per hour over the last hours, by session or, for a pinned session, by model.
    fn pace(&self, area: Rect, buffer: &mut Buffer) {
        let app = self.0;
        let (theme, summary) = (&app.theme, app.summary());
        let (what, series): (_, Vec<(String, &Trend)>) = if app.is_pinned() {
            let name = |name: Option<&str>| name.map_or("unknown model", text::model_short).to_owned();
            let lines = summary.models.iter().map(|line| (line.model.as_deref(), &line.trend));
            ("model", dearest(lines).into_iter().map(|(model, trend)| (name(model), trend)).collect())
        } else {
            let lines = dearest(summary.fleet.iter().map(|line| (line, &line.trend)));
            ("session", lines.into_iter().map(|(line, trend)| (app.name_of(line), trend)).collect())
        };
        let until = summary.trend_until;
        let is_old = (app.now() - until).num_minutes() > 1;
        let (hours, zone) = (TREND / 60, app.options.zone);
        let title = if is_old {
            format!("$ an hour by {what} · {hours} hours until {}", text::moment(until, app.now(), zone))
        } else {
            format!("$ an hour by {what} · the last {hours} hours")
        };
        let block = pane(theme, &title, false);
        let mut inner = block.inner(area);
        block.render(area, buffer);
        inner.width = inner.width.saturating_sub(1);
        let [chart, times, names] =
            Layout::vertical([Constraint::Min(1), Constraint::Length(1), Constraint::Length(1)]).areas(inner);
        // The shortest stretches among those whose bars fill the room best.
        let room = usize::from(Scale::plot(chart).width);
        let filled = |each: &usize| (room / (TREND / each)) * (TREND / each);
        let each = BUCKETS.into_iter().rev().max_by_key(filled).unwrap_or(BUCKETS[0]);
        let buckets = Buckets::from_series(&series, each, until, app.now());
        let most = buckets.amounts.iter().map(|parts| parts.iter().sum()).max().unwrap_or(0);
        let scale = Scale::of_dollars(most, chart.height);
        let plot = scale.draw(theme, dollars, chart, buffer);
        let stack = Stack::new(theme, app.options.ascii, scale.most());
        let width = (plot.width / cells(buckets.amounts.len().max(1))).max(1);
        let shown = usize::from(plot.width / width);
        let first = plot.right().saturating_sub(cells(buckets.amounts.len().min(shown)) * width);
        let skipped = buckets.amounts.len().saturating_sub(shown);
        let mut marks = Vec::new();
        for (nth, parts) in buckets.amounts.iter().skip(skipped).enumerate() {
            let x = first + cells(nth) * width;
            stack.bar(parts, Rect { x, width, ..plot }, buffer);
            let start = buckets.start(nth + skipped);
            if start % 30 == 0 {
                let at = Instant::from_timestamp(start * 60, 0);
                marks.extend(at.map(|at| (x, text::clock(at, zone))));
            }
        }
        labels(theme, &marks, times, buffer);
        let others = series.len() > SERIES;
        let listed = series.iter().take(SERIES).map(|(name, _)| name.as_str());
        stack.legend(listed.chain(others.then_some("others")), Rect { x: plot.x, width: plot.width, ..names }, buffer);
    }
}

/// The series with any spending, most expensive first.
fn dearest<'a, T>(all: impl Iterator<Item = (T, &'a Trend)>) -> Vec<(T, &'a Trend)> {
    let mut spent: Vec<(T, &Trend)> = all.filter(|(_, trend)| trend.usd.iter().any(|usd| *usd > Usd::ZERO)).collect();
    sort_by_key(&mut spent, |(_, trend)| std::cmp::Reverse(trend.usd.iter().copied().sum::<Usd>()));
    spent
}

/// Dollars per hour of each series, in stretches of several minutes that start at round times, so that no bar moves.
struct Buckets {
    /// Length of a stretch in minutes.
    each: i64,
    /// Number of the first stretch.
    first: i64,
    /// Millionths of a dollar per hour, for each stretch and series.
    amounts: Vec<Vec<u128>>,
}

impl Buckets {
    /// Built from trends that end at `until`. The current stretch is averaged over the time it has lasted, and left out
    /// until its first minute is over. Otherwise it would look like a drop.
    fn from_series(series: &[(String, &Trend)], each: usize, until: Instant, now: Instant) -> Self {
        let each = i64::try_from(each).unwrap_or(1).max(1);
        let last = until.timestamp().div_euclid(60);
        let oldest = last - i64::try_from(TREND).unwrap_or(0) + 1;
        // Leave out a stretch whose beginning is unknown.
        let first = (oldest + each - 1).div_euclid(each);
        let count = usize::try_from(last.div_euclid(each) - first + 1).unwrap_or(0);
        let mut amounts = vec![vec![0_u128; series.len().min(SERIES + 1)]; count];
        for (nth, (_, trend)) in series.iter().enumerate() {
            for (minute, usd) in (oldest..).zip(&trend.usd).filter(|(_, usd)| **usd > Usd::ZERO) {
                let at = usize::try_from(minute.div_euclid(each) - first).ok();
                let Some(parts) = at.and_then(|at| amounts.get_mut(at)) else { continue };
                let gone = (now.timestamp() - minute.div_euclid(each) * each * 60).min(each * 60).unsigned_abs();
                if gone >= 60 {
                    parts[nth.min(SERIES)] += u128::from(micros(*usd)) * 3600 / u128::from(gone);
                }
            }
        }
        Self { each, first, amounts }
    }

    /// The minute since 1970 in which a stretch starts.
    fn start(&self, nth: usize) -> i64 {
        (self.first + i64::try_from(nth).unwrap_or(0)) * self.each
    }
}
