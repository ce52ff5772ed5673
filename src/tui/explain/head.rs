//! Explains the lines of the head: the count, the rate and the remaining amount, the sums, the forecasts.

use super::{basis, of_amounts, of_sums, short_name};
use crate::ledger::Sums;
use crate::meter::{Follow, Summary, Verdict};
use crate::text;
use crate::tui::app::App;

/// Number of lines in the head.
pub(in super::super) const HEAD_LINES: usize = 4;

/// For each line of the head, the order in which the lines are explained: the line itself, then those asked about most.
const ORDER: [[usize; HEAD_LINES]; HEAD_LINES] = [[0, 1, 3, 2], [1, 3, 0, 2], [2, 3, 0, 1], [3, 1, 0, 2]];

impl App {
    /// Title and lines of the explanation for a line of the head, followed by those of the other lines: whichever line
    /// the cursor is on, every figure of the head is explained.
    pub(super) fn of_head(&self, line: usize) -> (String, Vec<String>) {
        let summary = self.summary();
        let whole = match (&summary.session, &summary.follow) {
            (Some(session), _) => format!("session {}", short_name(&session.id())),
            (None, Follow::Everything) => "everything".to_owned(),
            (None, Follow::Today | Follow::Latest | Follow::Session(_)) => "today".to_owned(),
        };
        let parts = [
            (whole.clone(), of_sums(&summary.followed)),
            (format!("rate and what is left, {whole}"), self.of_rate_and_left()),
            ("week and month".to_owned(), self.of_sums_of_periods()),
            ("forecast of today".to_owned(), self.of_forecast()),
        ];
        let order = ORDER[line.min(HEAD_LINES - 1)];
        let mut lines = parts[order[0]].1.clone();
        for (heading, part) in order[1..].iter().map(|nth| &parts[*nth]) {
            lines.extend([String::new(), heading.clone()]);
            lines.extend(part.iter().cloned());
        }
        (parts[order[0]].0.clone(), lines)
    }

    fn of_rate_and_left(&self) -> Vec<String> {
        let summary = self.summary();
        let mut lines = vec![
            super::of_rate(&text::rate(summary.cost_per_hour, &summary.of_rate)),
            format!("             {} tokens a minute in the same time", text::count(summary.tokens_per_min)),
        ];
        if let Some(last) = summary.calls.first().map(|call| &call.row) {
            let model = last.call.model.as_deref().map_or("unknown model", text::model_short);
            let (cost, at) = (
                text::cost_as_in_column(&Sums::from_row(last)),
                text::moment(last.call.at(), self.now(), self.options.zone),
            );
            lines.push(format!("last call    {cost}, of {model} at {at}"));
        }
        if let Some(limit) = self.leading_limit() {
            lines.push(format!("{} limit, which counts every session:", limit.name));
            // Its forecast is explained with that of the day.
            lines.extend(of_amounts(limit, self.now(), self.options.zone));
        }
        lines
    }

    fn of_sums_of_periods(&self) -> Vec<String> {
        let summary = self.summary();
        let mut lines = Vec::new();
        // Where the first line counts something else, today's sum is among these.
        let is_day = summary.session.is_none() && summary.follow != Follow::Everything;
        let today = (!is_day).then_some(("today", &summary.today));
        for (word, sums) in today.into_iter().chain([("this week", &summary.week), ("this month", &summary.month)]) {
            lines.push(word.to_owned());
            lines.extend(of_sums(sums).into_iter().map(|line| format!("  {line}")));
        }
        lines.extend(
            summary.by_month_end.map(|end| format!("by the month's end {}", text::usd_as(end, &summary.month))),
        );
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
                text::usd_as(end - summary.today.cost, &summary.today)
            ),
            band(summary),
        ];
        lines.retain(|line| !line.is_empty());
        let (now, zone) = (self.now(), self.options.zone);
        if let Some(limit) = self.leading_limit().filter(|limit| limit.verdict != Verdict::Over) {
            match text::forecast_short(limit, now, zone) {
                Some(full) => {
                    lines.push(format!("{} limit  {full}", limit.name));
                    let own = Some(basis(limit)).filter(|basis| *basis != super::FORECAST_BASIS);
                    lines.extend(own.map(|basis| format!("             {basis}")));
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
        let [least, most] = [end.least, end.most].map(|more| text::usd_as(summary.today.cost + more, &summary.today));
        format!("             between {least} and {most}")
    })
}
