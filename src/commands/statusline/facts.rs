//! The values shown in the line.

use super::SOURCE;
use crate::app::catch_up::{self, Books, LogSelection};
use crate::commands::{Context, gate};
use crate::config::statusline_template::{Template, Word};
use crate::domain::{Dimension, Filter, Instant, Label, Matcher, Quota, Span, Zone};
use crate::integrations::claude_code::statusline_input::Agent;
use crate::ledger::{Ledger, LedgerError, Sums};
use crate::meter::{self, LimitState};
use crate::text;

/// Values for the line; `None` if unknown.
pub(crate) struct Facts {
    pub(crate) now: Instant,
    pub(crate) zone: Zone,
    pub(crate) agent: Agent,
    /// The provider's windows that have not reset since they were reported.
    pub(crate) quotas: Vec<Quota>,
    pub(crate) session: Option<Sums>,
    pub(crate) today: Option<Sums>,
    pub(crate) month: Option<Sums>,
    pub(crate) limit: Option<LimitState>,
    /// When the near limit will be reached.
    pub(crate) forecast: Option<String>,
    pub(crate) user: Option<Label>,
    /// The problem of the ledger or the config, in two words.
    pub(crate) mark: Option<&'static str>,
}

/// Queries the ledger. Unavailable values are left out.
pub(crate) fn facts(context: &mut Context<'_>, agent: Option<&Agent>, template: &Template) -> Facts {
    let transcript = agent.and_then(|agent| gate::transcript(context, agent.transcript.as_deref()?));
    let mut facts = Facts {
        now: context.now(),
        zone: context.settings.zone,
        agent: agent.cloned().unwrap_or_default(),
        quotas: Vec::new(),
        session: None,
        today: None,
        month: None,
        limit: None,
        forecast: None,
        user: Some(context.settings.user.clone()),
        mark: None,
    };
    let now = context.now();
    facts.quotas = facts.agent.quotas(SOURCE, now);
    let selection = LogSelection::Session(transcript);
    let Ok(mut books) = catch_up::open_and_catch_up(context, &selection, false) else { return facts };
    let mut asked = ask(context, &books, template, &mut facts);
    if matches!(&asked, Err(error) if error.is_recoverable())
        && catch_up::replace_damaged(context).is_ok()
        && let Ok(mended) = catch_up::open_and_catch_up(context, &selection, false)
    {
        books = mended;
        asked = ask(context, &books, template, &mut facts);
    }
    if let Some(unbooked) = &books.unbooked {
        facts.mark = Some("not booked");
        context.note(&unbooked.clone());
    }
    if books.trouble.is_some() {
        facts.mark = Some("no ledger");
        // Without any calls the sum is unknown, not zero, because the log may be gone.
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

pub(crate) fn ask(
    context: &Context<'_>,
    books: &Books,
    template: &Template,
    facts: &mut Facts,
) -> Result<(), LedgerError> {
    let (now, zone) = (context.now(), context.settings.zone);
    let within = |span: Span| Filter { since: Some(span.from), until: Some(span.until), ..Filter::default() };
    let books: &dyn Ledger = &books.ledger;
    let rules = context.rules(Filter::default());
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
    let caller = facts.agent.session.is_some().then(|| catch_up::caller(&context.settings, &names));
    facts.limit = meter::states(books, &rules, caller.as_ref(), now)?.into_iter().next();
    // A forecast needs further queries, so only a near limit gets one.
    if let Some(worst) = &mut facts.limit {
        meter::gate::add_forecasts(books, &rules, std::slice::from_mut(worst), now)?;
        facts.forecast = worst.projected.map(|(at, _)| text::moment(at, now, zone));
    }
    Ok(())
}
