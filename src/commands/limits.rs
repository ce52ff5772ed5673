//! `limits`: shows limits with their usage, and edits them in the config.

use std::io;

use serde::Serialize;

use super::report::only_session;
use crate::app::catch_up::{self, LogSelection};
use crate::app::{Context, Exit, Failure};
use crate::cli::LimitsCommand;
use crate::config::{self, LimitKey, edit};
use crate::domain::{Filter, Instant, Label, Quota, Zone};
use crate::meter::overrides::{self, Override};
use crate::meter::{LimitState, Summary, Verdict};
use crate::output::{self, Decimal, LimitJson, QuotaJson};
use crate::text;

pub(super) fn run(context: &mut Context<'_>, command: Option<LimitsCommand>) -> Result<Exit, Failure> {
    match command.unwrap_or(LimitsCommand::Show { json: false }) {
        LimitsCommand::Show { json } => show(context, json),
        LimitsCommand::Set { scope, amount } => {
            let key = key(&scope)?;
            let amount = config::parse_amount(&amount)
                .map_err(|why| Failure::new(Exit::Usage, format!("'{}' {why}", Label::new(&amount))))?;
            let env = context.env.clone();
            let before = context.settings.limits.iter().find(|limit| LimitKey::from_limit(limit) == key.expanded(&env));
            let before = before.map(|limit| limit.amount).filter(|before| *before != amount);
            change(context, |text| edit::set_limit(text, &env, &key.expanded(&env), &amount, None))?;
            let before = before.map(|before| format!(" (was {})", config::amount_text(&before))).unwrap_or_default();
            writeln!(context.out, "{key}: {}{before}", config::amount_text(&amount))?;
            Ok(Exit::Fine)
        }
        LimitsCommand::Unset { scope } => {
            let key = key(&scope)?;
            let env = context.env.clone();
            let set: Vec<LimitKey> = context.settings.limits.iter().map(LimitKey::from_limit).collect();
            change(context, |text| edit::unset_limit(text, &env, &key.expanded(&env))).map_err(|failure| {
                if set.contains(&key.expanded(&env)) {
                    return failure;
                }
                let set = set.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
                let set = if set.is_empty() { "none is set".to_owned() } else { format!("there are: {set}") };
                Failure::new(Exit::Usage, format!("there is no limit {key}; {set}"))
            })?;
            writeln!(context.out, "{key}: no limit")?;
            Ok(Exit::Fine)
        }
        LimitsCommand::Override { session, reason, .. } => lift(context, &session, reason.as_deref()),
    }
}

fn key(scope: &str) -> Result<LimitKey, Failure> {
    scope.parse().map_err(wrong_words)
}

fn wrong_words(message: String) -> Failure {
    Failure::new(Exit::Usage, message)
}

/// Edits the config file, keeping its comments.
pub(super) fn change(context: &Context<'_>, edit: impl FnOnce(&str) -> Result<String, String>) -> Result<(), Failure> {
    let path = context.paths.config.as_ref().ok_or_else(|| {
        Failure::new(Exit::Config, "there is no place for a config: set HOME, or name a file with --config")
    })?;
    config::change(path, edit).map_err(|message| Failure::new(Exit::Config, message))
}

fn show(context: &mut Context<'_>, json: bool) -> Result<Exit, Failure> {
    let selection = LogSelection::Everything;
    let books = catch_up::open_and_catch_up(context, &selection, false)?;
    let summary = catch_up::summary(context, &books.ledger)?;
    let mut lifted = overrides::all(&books.ledger)?;
    lifted.retain(|lifted| lifted.until.is_none());
    if json {
        let (unread_files, now, zone) = (books.health.unread_files(), context.now(), context.settings.zone);
        write_json(&summary, lifted, unread_files, now, zone, context.out)?;
        return Ok(Exit::Fine);
    }
    if summary.limits.is_empty() {
        writeln!(context.out, "No limits. Set one: tokmeter limits set day 25usd")?;
    } else {
        write_table(context, &summary.limits)?;
    }
    if !summary.quotas.is_empty() {
        write_quotas(context, &summary.quotas)?;
    }
    let ends = [("today", summary.by_day_end), ("this month", summary.by_month_end)];
    let ends: Vec<String> =
        ends.into_iter().filter_map(|(span, usd)| Some(format!("{} {span}", text::usd(usd?)))).collect();
    if !ends.is_empty() {
        writeln!(context.out, "\nAt this pace: {}", ends.join(", "))?;
    }
    for Override { session, reason, at, .. } in lifted {
        let since = text::moment(at, context.now(), context.settings.zone);
        writeln!(context.out, "Lifted for session {session} since {since}: {reason}")?;
    }
    Ok(Exit::Fine)
}

/// Lifts limits for a session, existing or future; without a reason, revokes the override.
fn lift(context: &mut Context<'_>, session: &str, reason: Option<&str>) -> Result<Exit, Failure> {
    let reason = reason.map(|reason| Label::new(reason.trim()));
    if reason.as_ref().is_some_and(|reason| reason.is_empty()) {
        return Err(Failure::new(Exit::Usage, "give a reason: --reason 'release tonight'"));
    }
    let mut books = catch_up::open_and_catch_up(context, &LogSelection::Everything, false)?;
    if let Some(trouble) = books.trouble {
        return Err(Failure::new(Exit::Unavailable, format!("nothing was changed: {trouble}")));
    }
    let session = match only_session(&books.ledger, session, &Filter::default()) {
        Ok(found) => Label::new(found.as_str()),
        // A session that was blocked before its first call is not in the ledger yet.
        Err(failure) if failure.exit == Exit::NoInput && session != "latest" => Label::new(session),
        Err(failure) => return Err(failure),
    };
    match reason {
        Some(reason) => {
            overrides::lift(&mut books.ledger, &session, &reason, context.now())?;
            writeln!(context.out, "Limits no longer stop session {session}: {reason}")?;
        }
        None if overrides::revoke(&mut books.ledger, &session, context.now())? => {
            writeln!(context.out, "Limits stop session {session} again")?;
        }
        None => {
            let message = format!("session {session} has no override; `tokmeter limits` lists all");
            return Err(Failure::new(Exit::Usage, message));
        }
    }
    Ok(Exit::Fine)
}

fn write_table(context: &mut Context<'_>, limits: &[LimitState]) -> io::Result<()> {
    let (now, zone) = (context.now(), context.settings.zone);
    let heads = ["limit", "used", "", "", "resets", "reached at this pace"].map(str::to_owned);
    let rows: Vec<Vec<String>> = limits
        .iter()
        .map(|limit| {
            let word = match limit.verdict {
                _ if limit.lifted => "lifted",
                Verdict::Under => "",
                Verdict::Near => "near",
                Verdict::Over => "over",
            };
            vec![
                text::scope(limit),
                text::used_of(limit),
                format!("{}%", limit.percent),
                word.to_owned(),
                text::resets(limit, now, zone).unwrap_or_default(),
                text::forecast(limit, now, zone).unwrap_or_default(),
            ]
        })
        .collect();
    output::plain(&heads, 2, &rows, context.out)
}

fn write_quotas(context: &mut Context<'_>, quotas: &[Quota]) -> io::Result<()> {
    let (now, zone) = (context.now(), context.settings.zone);
    writeln!(context.out)?;
    let heads = ["provider's window", "used", "", "as stated"].map(str::to_owned);
    let row = |quota: &Quota| {
        let used = if quota.is_over(now) { "?".to_owned() } else { format!("{}%", quota.percent()) };
        vec![text::quota_name(quota), used, text::quota_resets(quota, now, zone), text::quota_age(quota, now)]
    };
    let rows: Vec<Vec<String>> = quotas.iter().map(row).collect();
    output::plain(&heads, 1, &rows, context.out)
}

/// Writes the limits with their use as one line of JSON.
pub(super) fn write_json(
    summary: &Summary,
    overrides: Vec<Override>,
    unread_files: u64,
    now: Instant,
    zone: Zone,
    out: &mut dyn io::Write,
) -> io::Result<()> {
    #[derive(Serialize)]
    struct Document {
        schema: u8,
        limits: Vec<LimitJson>,
        /// Absent when no agent has stated any.
        #[serde(skip_serializing_if = "Vec::is_empty")]
        provider_windows: Vec<QuotaJson>,
        overrides: Vec<Override>,
        tokens_per_min: u64,
        cost_per_hour_usd: Decimal,
        by_day_end_usd: Option<Decimal>,
        by_month_end_usd: Option<Decimal>,
        /// Files that could not be read, so that more may be used; absent when there are none.
        #[serde(skip_serializing_if = "output::is_zero")]
        unread_files: u64,
    }
    let document = Document {
        schema: 1,
        limits: summary
            .limits
            .iter()
            .map(|state| LimitJson::new(&LimitKey::from_limit(&state.limit), state, zone))
            .collect(),
        provider_windows: QuotaJson::all(&summary.quotas, now, zone),
        overrides,
        tokens_per_min: summary.tokens_per_min,
        cost_per_hour_usd: output::micro(summary.cost_per_hour),
        by_day_end_usd: summary.by_day_end.map(output::micro),
        by_month_end_usd: summary.by_month_end.map(output::micro),
        unread_files,
    };
    output::to_line(&document, out)
}
