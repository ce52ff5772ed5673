//! Explains the lines of the head: the count, the rate and the remaining amount, the sums, the forecasts.

use super::{basis, of_limit, of_sums, short_name};
use crate::meter::{Follow, Summary, Verdict};
use crate::text;
use crate::tui::app::App;

/// Number of lines in the head.
pub(in super::super) const HEAD_LINES: usize = 4;

impl App {
    /// Title and lines of the explanation for a line of the head.
    pub(super) fn of_head(&self, line: usize) -> (String, Vec<String>) {
        let summary = self.summary();
        let whole = match (&summary.session, &summary.follow) {
            (Some(session), _) => format!("session {}", short_name(&session.id())),
            (None, Follow::Everything) => "everything".to_owned(),
            (None, Follow::Today | Follow::Latest | Follow::Session(_)) => "today".to_owned(),
        };
        match line {
            0 => (whole, of_sums(&summary.followed)),
            1 => (format!("rate and what is left, {whole}"), self.of_rate_and_left()),
            2 => ("week and month".to_owned(), self.of_sums_of_periods()),
            _ => ("forecast of today".to_owned(), self.of_forecast()),
        }
    }

    fn of_rate_and_left(&self) -> Vec<String> {
        let summary = self.summary();
        let mut lines = vec![
            super::of_rate(&text::usd_as(summary.cost_per_hour, &summary.today)),
            format!("             {} tokens a minute in the same time", text::count(summary.tokens_per_min)),
        ];
        if let Some(limit) = self.leading_limit() {
            lines.push(String::new());
            lines.push(format!("left of the {} limit, which counts every session:", limit.name));
            lines.extend(of_limit(limit, self.now(), self.options.zone));
        }
        lines
    }

    fn of_sums_of_periods(&self) -> Vec<String> {
        let summary = self.summary();
        let mut lines = Vec::new();
        for (word, sums) in [("this week", &summary.week), ("this month", &summary.month)] {
            lines.push(word.to_owned());
            lines.extend(of_sums(sums).into_iter().map(|line| format!("  {line}")));
        }
        lines.extend(
            summary.by_month_end.map(|end| format!("by the month's end {}", text::usd_as(end, &summary.month))),
        );
        lines.extend(summary.by_day_end.map(|_| String::new()));
        lines.extend(self.of_forecast());
        lines
    }

    fn of_forecast(&self) -> Vec<String> {
        let summary = self.summary();
        let Some(end) = summary.by_day_end else {
            return vec!["nothing was spent today: there is no forecast".to_owned()];
        };
        let mut lines = vec![
            format!("by midnight  {}", text::usd_as(end, &summary.today)),
            format!(
                "             {} so far, {} expected",
                text::cost(&summary.today),
                text::usd(end - summary.today.cost)
            ),
            band(summary),
        ];
        lines.retain(|line| !line.is_empty());
        let (now, zone) = (self.now(), self.options.zone);
        if let Some(limit) = self.leading_limit().filter(|limit| limit.verdict != Verdict::Over) {
            match text::forecast_short(limit, now, zone) {
                Some(full) => {
                    lines.push(format!("{} limit  {full}", limit.name));
                    lines.push(format!("             {}", basis(limit)));
                }
                None => lines.push(format!("{} limit  not full before it resets, by the same forecast", limit.name)),
            }
        }
        lines.push(format!("basis        {}", super::FORECAST_BASIS));
        lines
    }
}

/// The band of today's forecast.
fn band(summary: &Summary) -> String {
    summary.curve.ahead.last().map_or_else(String::new, |end| {
        let [least, most] = [end.least, end.most].map(|more| text::usd(summary.today.cost + more));
        format!("             between {least} and {most}")
    })
}
