//! `statusline`: one line for an agent's status bar, tmux or a shell prompt. Always prints a line and exits with 0.

use super::{Context, Exit, Failure, gate, stdin};
use crate::app::catch_up::{self, Books, LogSelection};
use crate::config::Symbols;
use crate::config::statusline_template::{self, Template, Word};
use crate::domain::{Dimension, Filter, Instant, Label, Matcher, Quota, Record, SessionStatus, Span, Status, Zone};
use crate::integrations::claude_code::statusline_input::Agent;
use crate::ledger::{Batch, BooksError, Ledger, Sums};
use crate::meter::{self, LimitState, Verdict};
use crate::text;

/// Default form inside an agent.
const WITH_AGENT: &str =
    "{model} · {session_cost} session · {today_cost} today · {limit} · ctx {context} · {quota} · by {forecast}";
/// Default form in tmux or a prompt.
const ALONE: &str = "{today_cost} today · {today_tokens} tokens · {limit} · by {forecast}";
/// Separates the line from a ledger warning.
const GAP: &str = " · ";
const SOURCE: &str = "claude-code";
/// Percentage from which a longer window is shown too.
const SCARCE: u32 = 80;

pub(super) fn run(desk: &mut Context<'_>, format: Option<&str>) -> Result<Exit, Failure> {
    let agent =
        if desk.env.terminal[0] { None } else { Agent::read(&stdin::standard_input(stdin::ReadLimits::STATUS_LINE)) };
    let line = line(desk, agent.as_ref(), format);
    writeln!(desk.out, "{line}")?;
    Ok(Exit::Fine)
}

/// The line, fitted to the terminal's width.
fn line(desk: &mut Context<'_>, agent: Option<&Agent>, format: Option<&str>) -> String {
    let own = format.unwrap_or(&desk.settings.statusline).to_owned();
    let usual = if agent.is_some() { WITH_AGENT } else { ALONE };
    let room = desk.env.var("COLUMNS").and_then(|columns| columns.trim().parse().ok()).unwrap_or(usize::MAX);
    let template = match Template::read(if own.is_empty() { usual } else { &own }) {
        Ok(template) => template,
        // The mistake shows where the line is shown.
        Err(why) => return text::fit(&format!("tokmeter: {}", super::printable(&why)), room),
    };
    let facts = facts(desk, agent, &template);
    let segments = template.fill(&mut |word| facts.word(word));
    // A ledger warning matters more than any number, so that it is given room first.
    let mark = facts.mark.map(|mark| text::fit(&format!("▲ {mark}"), room));
    let left = mark.as_ref().map_or(room, |mark| room.saturating_sub(text::width(mark) + GAP.chars().count()));
    let line = statusline_template::fitted(segments, left, own.is_empty());
    let line = match mark {
        Some(mark) if line.is_empty() => mark,
        Some(mark) => format!("{line}{GAP}{mark}"),
        None if line.is_empty() => text::fit("tokmeter", room),
        None => line,
    };
    if is_ascii(desk) { text::ascii_text(&line) } else { line }
}

/// Whether to restrict output to ASCII: with `auto`, only in an explicit C or POSIX locale, since agents' bars show
/// Unicode even without a locale.
fn is_ascii(desk: &Context<'_>) -> bool {
    match desk.settings.symbols {
        Symbols::Ascii => true,
        Symbols::Unicode => false,
        Symbols::Auto => {
            let locale = ["LC_ALL", "LC_CTYPE", "LANG"].into_iter().find_map(|name| desk.env.var(name));
            locale.is_some_and(|locale| ["C", "POSIX"].contains(&locale))
        }
    }
}

/// Values for the line; `None` where unknown.
struct Facts {
    now: Instant,
    zone: Zone,
    agent: Agent,
    /// The provider's windows that have not started over since they were stated.
    quotas: Vec<Quota>,
    session: Option<Sums>,
    today: Option<Sums>,
    month: Option<Sums>,
    limit: Option<LimitState>,
    /// When the limit that is near will be reached.
    forecast: Option<String>,
    user: Option<Label>,
    /// The ledger's problem, in two words.
    mark: Option<&'static str>,
}

/// Queries the ledger. Unavailable values are left out.
fn facts(desk: &mut Context<'_>, agent: Option<&Agent>, template: &Template) -> Facts {
    let transcript = agent.and_then(|agent| gate::transcript(desk, agent.transcript.as_deref()?));
    let mut facts = Facts {
        now: desk.now(),
        zone: desk.settings.zone,
        agent: agent.cloned().unwrap_or_default(),
        quotas: Vec::new(),
        session: None,
        today: None,
        month: None,
        limit: None,
        forecast: None,
        user: Some(desk.settings.user.clone()),
        mark: None,
    };
    let now = desk.now();
    facts.quotas = facts.agent.quotas(SOURCE, now);
    let selection = LogSelection::Session(transcript);
    let Ok(mut books) = catch_up::open_and_catch_up(desk, &selection, false) else { return facts };
    let mut asked = ask(desk, &books, template, &mut facts);
    if matches!(&asked, Err(error) if error.is_mendable())
        && catch_up::mend(desk).is_ok()
        && let Ok(mended) = catch_up::open_and_catch_up(desk, &selection, false)
    {
        books = mended;
        asked = ask(desk, &books, template, &mut facts);
    }
    if let Some(unbooked) = &books.unbooked {
        facts.mark = Some("not booked");
        desk.note(&unbooked.clone());
    }
    if books.trouble.is_some() {
        facts.mark = Some("no ledger");
        // Without a call the sum is unknown, not zero, because the log may be gone.
        let known = |sums: &Sums| sums.calls > 0;
        facts.session = facts.session.filter(known);
        (facts.today, facts.month) = (facts.today.filter(known), facts.month.filter(known));
    }
    if asked.is_err() {
        facts.session = facts.session.filter(|sums| sums.calls > 0);
        (facts.today, facts.month, facts.limit) = (None, None, None);
        facts.mark = Some("no ledger");
    }
    if books.trouble.is_none() {
        facts.keep(&mut books.ledger, now);
    }
    facts.quotas.retain(|quota| !quota.is_over(now) && !quota.is_forgotten(now));
    // More may have been used.
    let unread_files = books.health.unread_files();
    for sums in [&mut facts.session, &mut facts.today, &mut facts.month].into_iter().flatten() {
        *sums = sums.marked(unread_files);
    }
    facts
}

fn ask(desk: &Context<'_>, books: &Books, template: &Template, facts: &mut Facts) -> Result<(), BooksError> {
    let (now, zone) = (desk.now(), desk.settings.zone);
    let within = |span: Span| Filter { since: Some(span.from), until: Some(span.until), ..Filter::default() };
    let books: &dyn Ledger = &books.ledger;
    let rules = desk.rules(Filter::default());
    if let Some(session) = facts.agent.session.clone() {
        let only =
            vec![(Dimension::Source, Matcher::exact(SOURCE)), (Dimension::Session, Matcher::exact(session.as_str()))];
        facts.session = Some(books.sums(&Filter { only, ..Filter::default() })?);
    }
    facts.today = Some(books.sums(&within(Span::day(now, zone)))?);
    if template.has(&[Word::MonthCost, Word::MonthTokens]) {
        facts.month = Some(books.sums(&within(Span::month(now, zone)))?);
    }
    let names = [
        (Dimension::Source, Some(SOURCE)),
        (Dimension::Session, facts.agent.session.as_deref()),
        (Dimension::Model, facts.agent.model_id.as_deref()),
        (Dimension::Project, facts.agent.project.as_deref()),
    ];
    let names: Vec<_> = names.into_iter().filter_map(|(of, name)| Some((of, name?))).collect();
    let caller = facts.agent.session.is_some().then(|| catch_up::caller(&desk.settings, &names));
    facts.limit = meter::states(books, &rules, caller.as_ref(), now)?.into_iter().next();
    // A forecast needs further queries, so that only a near limit gets one.
    if let Some(near) = facts.limit.as_mut().filter(|limit| limit.verdict == Verdict::Near) {
        let foretold = crate::app::catch_up::summary(desk, books)?.limits;
        near.hit = foretold
            .into_iter()
            .find(|limit| limit.limit == near.limit && limit.subject == near.subject)
            .and_then(|limit| limit.hit);
        facts.forecast = near.hit.map(|(at, _)| text::moment(at, now, zone));
    }
    Ok(())
}

impl Facts {
    /// Value of a placeholder, if known.
    fn word(&self, word: Word) -> Option<String> {
        let tokens = |sums: &Sums| text::compact(sums.tokens.total());
        match word {
            Word::Model => self.agent.model.as_ref().or(self.agent.model_id.as_ref()).map(Label::to_string),
            Word::ModelId => self.agent.model_id.as_ref().map(Label::to_string),
            Word::Session => self.agent.session.as_ref().map(|session| text::session_short(session).to_owned()),
            Word::SessionCost => self.session_cost(),
            Word::SessionTokens => self.session.as_ref().map(tokens),
            Word::TodayCost => self.today.as_ref().map(text::cost),
            Word::TodayTokens => self.today.as_ref().map(tokens),
            Word::MonthCost => self.month.as_ref().map(text::cost),
            Word::MonthTokens => self.month.as_ref().map(tokens),
            Word::Limit => self.limit.as_ref().map(limit_words),
            Word::Forecast => self.forecast.clone(),
            Word::Context => self.agent.context.map(|percent| format!("{percent}%")),
            Word::Quota => self.quota(),
            Word::QuotaResets => {
                let resets_at = self.quotas.first().and_then(|quota| quota.resets_at);
                resets_at.map(|at| text::moment(at, self.now, self.zone))
            }
            Word::Project => self.agent.project.as_ref().map(|project| text::project_short(project).to_owned()),
            Word::User => self.user.as_ref().map(Label::to_string),
        }
    }
}

impl Facts {
    /// Keeps what the agent states, if it is new, and completes it from what was stated before.
    fn keep(&mut self, books: &mut dyn Ledger, now: Instant) {
        let Ok(known) = books.statuses() else { return };
        let stated = self.quotas.iter().cloned().map(Status::Quota).chain(self.agent.session.as_ref().map(|session| {
            let (source, session) = (Label::new(SOURCE), session.clone());
            let (context_size, cost) = (self.agent.context_size, self.agent.cost);
            Status::Session(SessionStatus { source, session, context_size, cost, seen: now })
        }));
        let new: Vec<Record> = stated.filter(|status| status.is_news(&known)).map(Record::Status).collect();
        if !new.is_empty() {
            // What cannot be kept now is stated again with the next answer.
            let _ = books.post(&Batch { records: new, files: Vec::new() });
        }
        let others = Status::quotas(&known)
            .into_iter()
            .filter(|quota| quota.source.as_str() == SOURCE || self.agent.session.is_none());
        for quota in others {
            if self.quotas.iter().all(|own| (&own.source, own.minutes) != (&quota.source, quota.minutes)) {
                self.quotas.push(quota);
            }
        }
    }

    /// `5h 23%`, with longer windows when they are scarce: `5h 23% 7d 91%`.
    fn quota(&self) -> Option<String> {
        let mut words: Vec<String> = Vec::new();
        for quota in &self.quotas {
            let shorter = self.quotas.iter().any(|other| other.source == quota.source && other.minutes < quota.minutes);
            if !shorter || quota.percent() >= SCARCE {
                let whose = if quota.source.as_str() == SOURCE { String::new() } else { format!("{} ", quota.source) };
                words.push(format!("{whose}{} {}%", quota.window().replace(' ', ""), quota.percent()));
            }
        }
        (!words.is_empty()).then(|| words.join(" "))
    }

    /// The session's cost; while the ledger has no call of it, the agent's own figure.
    fn session_cost(&self) -> Option<String> {
        let known = self.session.as_ref();
        match self.agent.cost.filter(|_| known.is_none_or(|sums| sums.calls == 0)) {
            Some(said) => Some(format!("~ {}", text::usd(said))),
            None => known.map(text::cost),
        }
    }
}

/// `day 80% ⚠`, `session 100% ■`, `alice/day 40%`.
fn limit_words(limit: &LimitState) -> String {
    let mark = match limit.verdict {
        _ if limit.lifted => " lifted",
        Verdict::Under => "",
        Verdict::Near => " ⚠",
        Verdict::Over => " ■",
    };
    format!("{} {}%{mark}", text::scope(limit), limit.percent)
}
