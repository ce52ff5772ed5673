//! Explains the number under the cursor: its parts, how it is counted, and where it is in a log.

mod head;

use super::app::{App, Asked};
use super::drill_down::DrillDown;
use super::lists::FleetRow;
use super::{Action, Effect, Explanation, Mode, Next, Pane, Request, View};
use crate::domain::{Instant, Label, Quota, Span, Zone, day_of};
use crate::ledger::Sums;
use crate::meter::{LimitState, RATE, SessionId, SessionLine, Verdict, Window};
use crate::pricing::Rates;
use crate::text;

pub(super) use head::HEAD_LINES;

impl App {
    /// Opens the explanation of the number under the cursor.
    pub(super) fn explain(&mut self) -> Next {
        let Some(mut explanation) = self.dated_explanation() else { return Next::Stay };
        if self.page_waits() {
            // The numbers under the cursor are from an earlier visit to this page.
            explanation.is_early = true;
            explanation.lines = vec![ASKING.to_owned()];
        }
        if let Some(key) = explanation.call {
            self.effects.push(Effect::Ask(Request::Explain(key)));
        }
        if self.is_at_model() && self.asked == Asked::Stale {
            // Request its rates, which are shown when they arrive.
            self.asked = Asked::Waiting;
            self.effects.push(Effect::Ask(Request::Models));
        }
        self.mode = Mode::Explain(explanation);
        Next::Redraw
    }

    /// An explanation, with the time of its numbers. It does not change while the screen keeps counting.
    fn dated_explanation(&self) -> Option<Explanation> {
        let mut explanation = self.explanation()?;
        if explanation.call.is_none() && self.view != View::Health && !self.page_waits() {
            let time = text::clock_seconds(self.now(), self.options.zone);
            explanation.title = format!("{} · as of {time}", explanation.title);
        }
        Some(explanation)
    }

    /// True while the ledger has not answered the open view's queries.
    fn page_waits(&self) -> bool {
        match self.view {
            View::Sessions => self.drill_down.as_ref().is_some_and(DrillDown::is_asked),
            View::Projects => self.projects.is_asked(),
            View::History => self.history.is_asked(),
            View::Models => matches!(self.asked, Asked::Waiting | Asked::StaleWaiting),
            View::Fleet | View::Limits | View::Health => false,
        }
    }

    /// Explains the number under the cursor once the ledger has answered.
    pub(super) fn explain_page(&mut self) {
        let is_early = matches!(&self.mode, Mode::Explain(shown) if shown.is_early);
        if is_early && !self.page_waits() {
            self.mode = self.dated_explanation().map_or(Mode::Browse, Mode::Explain);
        }
    }

    fn is_at_model(&self) -> bool {
        self.view == View::Fleet && self.pane() == Pane::Models
    }

    /// Adds the rates of a model to its explanation once they are known.
    pub(super) fn explain_rates(&mut self) {
        let Mode::Explain(shown) = &self.mode else { return };
        let has_rates = shown.lines.iter().any(|line| line.starts_with(RATES));
        let here = self.summary.models.get(self.cursor()).filter(|_| self.is_at_model() && !has_rates);
        let rates = here.map(|line| self.rates_of(line.model.as_ref())).unwrap_or_default();
        if let Mode::Explain(shown) = &mut self.mode {
            shown.lines.extend(rates);
        }
    }

    fn rates_of(&self, model: Option<&Label>) -> Vec<String> {
        let view = self.models.iter().find(|view| view.model.as_ref() == model);
        view.and_then(|view| view.rates.as_ref()).map(of_rates).unwrap_or_default()
    }

    fn explanation(&self) -> Option<Explanation> {
        let (zone, now) = (self.options.zone, self.now());
        let explanation =
            |title: String, lines: Vec<String>| Some(Explanation { title, lines, ..Explanation::default() });
        match (self.view, self.pane()) {
            (View::Fleet, Pane::Running) => match self.fleet_rows().into_iter().nth(self.cursor())? {
                FleetRow::Session(line) => {
                    let name = line.project.as_deref().map(text::project_short);
                    let name = name.or(line.id.session.as_deref().map(text::session_short)).unwrap_or("no name");
                    let mut lines = of_sums(&line.today);
                    lines.push(of_rate(&text::rate(line.cost_per_hour, &line.of_rate)));
                    lines.extend(line.agents.iter().map(|agent| {
                        format!(
                            "of which {}: {}, {}",
                            agent.name,
                            text::cost(&agent.today),
                            text::plural(agent.today.calls, "call")
                        )
                    }));
                    // Several sessions may belong to one project.
                    let id = line.project.as_ref().map(|_| format!(" {}", short_name(&line.id))).unwrap_or_default();
                    explanation(format!("{name}{id} today"), lines)
                }
                FleetRow::Agent(line, agent) => {
                    let mut lines = of_sums(&agent.today);
                    lines.push(of_rate(&text::rate(agent.cost_per_hour, &agent.of_rate)));
                    explanation(format!("sub-agent {} of {} today", agent.name, short_name(&line.id)), lines)
                }
            },
            (View::Fleet, Pane::Calls) => {
                let row = &self.calls().get(self.cursor())?.row;
                let session = short_name(&SessionId::from_call(&row.call));
                let title =
                    format!("Call at {} in {session} · {}", text::clock_seconds(row.call.at(), zone), row.call.key);
                let lines = vec![ASKING.to_owned()];
                Some(Explanation { title, call: Some(row.call.key), lines, ..Explanation::default() })
            }
            (View::Fleet, Pane::Models) => {
                let line = self.summary.models.get(self.cursor())?;
                let mut lines = of_sums(&line.sums);
                lines.push(format!("share        {} of the cost of what is shown", line.share));
                lines.extend(self.rates_of(line.model.as_ref()));
                let session = self.summary.session.as_ref().map(SessionLine::id);
                let session = session.map(|id| format!(" in {}", short_name(&id))).unwrap_or_default();
                explanation(format!("{}{session}", line.model.as_deref().unwrap_or("unknown model")), lines)
            }
            (View::Fleet, Pane::Head) => {
                let (title, lines) = self.of_head(self.cursor());
                explanation(title, lines)
            }
            (View::Fleet, Pane::Limits) | (View::Limits, _) => {
                let limits = self.limits();
                let Some(limit) = limits.get(self.cursor()) else {
                    let quota = self.quotas().get(self.cursor().checked_sub(limits.len())?).copied()?;
                    return explanation(text::quota_name(quota), of_quota(quota, now, zone));
                };
                let mut lines = of_limit(limit, now, zone);
                if let Some(until) = self.snoozed_until(&limit.name) {
                    let (until, key) = (text::moment(until, now, zone), self.options.keys.first(Action::Unsnooze));
                    lines.push(format!("alerts       off until {until}; {key} turns all alerts on again"));
                }
                explanation(format!("{} limit", limit.name), lines)
            }
            (View::Sessions, _) => {
                let sessions = self.sessions();
                let line = sessions.get(self.cursor())?;
                let name = line.row.session.as_deref().map_or("no name", text::session_short);
                explanation(format!("session {name}"), of_session(line, now, zone))
            }
            (View::Projects, _) => {
                let rows = self.projects_shown();
                let row = rows.get(self.cursor())?;
                let mut lines = Vec::new();
                for (word, sums) in ["today", "this month", "all time"].into_iter().zip(&row.sums) {
                    lines.push(word.to_owned());
                    lines.extend(of_sums(sums).into_iter().map(|line| format!("  {line}")));
                }
                explanation(row.project.as_deref().unwrap_or("no project").to_owned(), lines)
            }
            (View::History, _) => {
                let page = self.history.page(self.clock, zone);
                let bar = page.bars.get(page.bars.len().checked_sub(1 + self.history.cursor)?)?;
                let mut lines = of_sums(&bar.sums);
                let models = page.models.iter().zip(&bar.models).filter(|(_, sums)| sums.calls > 0);
                lines.extend(models.map(|(model, sums)| of_model(model.as_ref(), sums)));
                explanation(self.history.chosen(self.clock, zone).0, lines)
            }
            (View::Models, _) => {
                let models = self.models_shown();
                let view = models.get(self.cursor())?;
                let mut lines = of_sums(&view.sums);
                lines.extend(view.rates.as_ref().map(of_rates).unwrap_or_default());
                explanation(view.model.as_deref().unwrap_or("unknown model").to_owned(), lines)
            }
            (View::Health, _) => {
                let mut lines = super::views::health_details(self);
                if !lines.is_empty() {
                    lines.push(String::new());
                }
                lines.extend(super::views::health_lines(self).into_iter().map(|(line, _)| line));
                explanation("Health".to_owned(), lines)
            }
        }
    }
}

/// The short id of a session: `55556666`.
fn short_name(id: &SessionId) -> String {
    id.session.as_deref().map_or("no name", text::session_short).to_owned()
}

/// A provider's window: its reported usage, when it was reported, and by which agent.
fn of_quota(quota: &Quota, now: Instant, zone: Zone) -> Vec<String> {
    let mut lines = vec![
        format!("window       {}, of the provider's own account", quota.window()),
        format!(
            "used         {}.{:02}%, as stated at {}",
            quota.percent(),
            quota.used % 100,
            text::moment(quota.seen, now, zone)
        ),
    ];
    let resets = text::quota_resets(quota, now, zone);
    if !resets.is_empty() {
        lines.push(format!("             {resets}"));
    }
    lines.push(format!("from         {}: what it reports is kept, and nothing is added to it", quota.source));
    lines
}

/// Shown until the ledger has answered.
const ASKING: &str = "asking the ledger …";

/// Heading of a model's rates.
const RATES: &str = "rates now";

/// The rates in force, for every class that has one.
fn of_rates(rates: &Rates) -> Vec<String> {
    let classes = [
        ("input", Some(rates.input)),
        ("cache read", rates.cache_read),
        ("written 5 m", rates.cache_write_5m),
        ("written 1 h", rates.cache_write_1h),
        ("output", Some(rates.output)),
    ];
    let mut lines = vec![format!("{RATES}    per million tokens")];
    let priced = classes.into_iter().filter_map(|(name, rate)| Some((name, rate?)));
    lines.extend(priced.map(|(name, rate)| format!("  {name:<12} {:>13}", text::rate_per_million(rate))));
    lines.push("             each call is booked at the rate of its own time and tier".to_owned());
    lines
}

fn of_rate(rate: &str) -> String {
    format!(
        "pace         {rate}/h: the cost of the last {RATE} minutes, or of the time since work began if that is less \
         (at least 2 minutes), scaled to one hour"
    )
}

/// The parts of a sum: calls, tokens by class, cost, and the reason for its mark.
fn of_sums(sums: &Sums) -> Vec<String> {
    let tokens = &sums.tokens;
    let mut lines = vec![format!("calls        {}", text::count(sums.calls))];
    let classes = [
        ("input", tokens.input),
        ("cache read", tokens.cache_read),
        ("written 5 m", tokens.cache_write_5m),
        ("written 1 h", tokens.cache_write_1h),
        ("output", tokens.output),
    ];
    for (name, count) in classes.into_iter().filter(|(_, count)| *count > 0) {
        lines.push(format!("{name:<12} {:>15}", text::count(count)));
    }
    lines.push(format!("tokens       {:>15}", text::count(tokens.total())));
    if tokens.reasoning > 0 {
        lines.push(format!("             of the output {} are reasoning", text::count(tokens.reasoning)));
    }
    lines.push(format!("cost         {}", text::cost(sums)));
    if sums.unpriced_tokens > 0 {
        lines
            .push(format!("             {} tokens have no price and are not in it", text::count(sums.unpriced_tokens)));
    }
    if sums.lower_bound_calls > 0 {
        lines.push(format!("             {} logged only in part", text::plural(sums.lower_bound_calls, "call")));
    }
    if sums.guessed_calls > 0 {
        lines.push(format!(
            "             {} with a guessed model, count, split or price",
            text::plural(sums.guessed_calls, "call")
        ));
    }
    lines.extend(text::cache_line(sums).map(|cache| format!("cache        {cache}")));
    lines
}

fn of_model(model: Option<&Label>, sums: &Sums) -> String {
    let name = model.map_or("unknown model", |model| text::model_short(model));
    format!("of which {name}: {}, {}", text::cost(sums), text::plural(sums.calls, "call"))
}

fn of_session(line: &SessionLine, now: Instant, zone: Zone) -> Vec<String> {
    let row = &line.row;
    let mut lines = of_sums(&row.sums);
    lines.extend(row.models.iter().map(|(model, sums)| of_model(model.as_ref(), sums)));
    if row.in_agents.calls > 0 {
        lines.push(format!(
            "of which sub-agents: {}, {}",
            text::cost(&row.in_agents),
            text::plural(row.in_agents.calls, "call")
        ));
    }
    let (from, until) = (text::moment(row.started, now, zone), text::moment(row.ended, now, zone));
    lines.push(format!("from         {from} until {until}, {}", text::duration(line.duration)));
    let names = [("session", &row.session), ("project", &row.project), ("user", &row.user)];
    lines.extend(names.into_iter().filter_map(|(word, name)| Some(format!("{word:<12} {}", name.as_ref()?))));
    lines.push(format!("agent        {}", row.source));
    lines
}

/// How the forecast of the next hours is made.
pub(super) const FORECAST_BASIS: &str = "the rate of the last 15 minutes, returning to the average of the last \
     hours within half an hour, in the hours of the day that were active in the past seven days";

/// The data on which a limit's forecast is based.
fn basis(limit: &LimitState) -> &'static str {
    match limit.limit.window {
        Window::Week | Window::Month | Window::Total if limit.limit.scope.names().is_empty() => {
            "today continues at its rate, and each later day costs the average of this month's whole days"
        }
        Window::Call
        | Window::Session
        | Window::Run
        | Window::Hour
        | Window::Day
        | Window::Week
        | Window::Month
        | Window::Total
        | Window::Rolling(_)
        | Window::Block => FORECAST_BASIS,
    }
}

/// A limit's amounts, what it counts, when it warns, and its forecast.
fn of_limit(limit: &LimitState, now: Instant, zone: Zone) -> Vec<String> {
    let mut lines = of_amounts(limit, now, zone);
    if let Some(full) = text::forecast_short(limit, now, zone).filter(|_| limit.verdict != Verdict::Over) {
        lines.push(format!("forecast     {full}"));
        lines.push(format!("             {}", basis(limit)));
    }
    lines
}

/// The same without the forecast.
fn of_amounts(limit: &LimitState, now: Instant, zone: Zone) -> Vec<String> {
    let mut lines = vec![
        format!("to change    tokmeter limits set {}", limit.limit.scope.key(limit.limit.window)),
        format!("used         {}", text::banner_amounts(limit)),
    ];
    if let Some(percent) = text::known_percent(limit) {
        lines.push(format!("             that is {}, rounded down", text::percentage(percent)));
        if limit.lower_bound {
            lines.push("             at least so much: some tokens are unpriced or logged only in part".to_owned());
        }
    } else {
        lines.push("             unknown: nothing that counts has a price".to_owned());
    }
    let left = text::left(limit);
    lines.push(match left.strip_suffix(" over") {
        Some(over) => format!("over by      {over}"),
        None => format!("left         {}", left.strip_suffix(" left").unwrap_or(&left)),
    });
    lines.extend(limit.span.map(|span| format!("counts       {}", counted(limit, span, now, zone))));
    let warns: Vec<String> = limit.limit.warn_at.iter().map(|at| format!("{at}%")).collect();
    lines.push(format!("warns at     {} and 100%", warns.join(", ")));
    lines
}

/// The calls that a limit with a period counts.
fn counted(limit: &LimitState, span: Span, now: Instant, zone: Zone) -> String {
    let (from, until) = (text::moment(span.from, now, zone), text::moment(span.until, now, zone));
    let day = |at: Instant| text::day_name(day_of(at, zone), day_of(now, zone));
    match limit.limit.window {
        Window::Call => "each call by itself; used is the largest one of today".to_owned(),
        Window::Day => format!("today's calls, until {until}"),
        Window::Week | Window::Month => {
            format!("calls from {} to {}", day(span.from), day(span.until - chrono::Duration::seconds(1)))
        }
        Window::Rolling(_) => format!("calls since {}", text::moment_full(span.from, now, zone)),
        Window::Session | Window::Run | Window::Hour | Window::Total | Window::Block => {
            format!("calls from {from} until {until}")
        }
    }
}
