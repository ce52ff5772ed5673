//! `limits`: shows limits with their usage, and edits them in the config.

pub(super) mod document;
mod lift;
pub(super) mod show;

use crate::app::names::limit_in_full;
use crate::app::{Context, Exit, Failure};
use crate::cli::LimitsCommand;
use crate::commands::ledger;
use crate::config::{self, LimitKey, edit};
use crate::domain::Label;

pub(super) fn run(context: &mut Context<'_>, command: LimitsCommand) -> Result<Exit, Failure> {
    match command {
        LimitsCommand::Show { json } => show::show(context, json),
        LimitsCommand::Set { scope, amount, words } => {
            set(context, &scope, &[&[amount], &words[..]].concat().join(" "))
        }
        LimitsCommand::Unset { scope } => unset(context, &scope),
        LimitsCommand::Override { session, reason, .. } => lift::lift(context, &session, reason.as_deref()),
    }
}

fn set(context: &mut Context<'_>, scope: &str, amount: &str) -> Result<Exit, Failure> {
    let key = key(scope)?;
    let amount = config::parse_amount(amount)
        .map_err(|why| Failure::new(Exit::Usage, format!("'{}' {why}", Label::new(amount))))?;
    let env = context.env.clone();
    let (key, sentences) = in_full(context, &key);
    let before = context.settings.limits.iter().find(|limit| LimitKey::from_limit(limit) == key.expanded(&env));
    let before = before.map(|limit| limit.amount);
    change(context, |text| edit::set_limit(text, &env, &key.expanded(&env), &amount, None))?;
    writeln!(context.out, "{}: {}", key.as_spelled(scope), config::amount_change(&amount, before.as_ref()))?;
    for sentence in &sentences {
        context.note(sentence);
    }
    Ok(Exit::Fine)
}

fn unset(context: &mut Context<'_>, scope: &str) -> Result<Exit, Failure> {
    let key = key(scope)?;
    let env = context.env.clone();
    let (full, _) = in_full(context, &key);
    let is_set = is_set(context, &full);
    let key = if is_set { full } else { key };
    change(context, |text| edit::unset_limit(text, &env, &key.expanded(&env))).map_err(|failure| {
        if is_set {
            return failure;
        }
        let set: Vec<String> =
            context.settings.limits.iter().map(|limit| LimitKey::from_limit(limit).to_string()).collect();
        let set = if set.is_empty() { "none is set".to_owned() } else { format!("there are: {}", set.join(", ")) };
        Failure::new(Exit::Usage, format!("there is no limit {}; {set}", key.as_spelled(scope)))
    })?;
    writeln!(context.out, "{}: removed", key.as_spelled(scope))?;
    Ok(Exit::Fine)
}

fn is_set(context: &Context<'_>, key: &LimitKey) -> bool {
    let key = key.expanded(&context.env);
    context.settings.limits.iter().any(|limit| LimitKey::from_limit(limit) == key)
}

/// Completes the names in a limit, and gives a sentence for each name that no call in the ledger has.
///
/// Uses the ledger as it is, because reading the logs of a large home for the first time would take longer than setting
/// a limit. Ledger problems are reported by the commands that show numbers.
fn in_full(context: &mut Context<'_>, key: &LimitKey) -> (LimitKey, Vec<String>) {
    let (prices, is_set) = (context.prices(), is_set(context, key));
    let key = key.expanded(&context.env);
    let books = ledger::open(context, &prices).ok().flatten();
    books.and_then(|books| limit_in_full(&books, &key, is_set).ok()).unwrap_or((key, Vec::new()))
}

fn key(scope: &str) -> Result<LimitKey, Failure> {
    scope.parse().map_err(wrong_words)
}

fn wrong_words(message: String) -> Failure {
    Failure::new(Exit::Usage, message)
}

/// Edits the config file and keeps its comments.
pub(super) fn change(context: &Context<'_>, edit: impl FnOnce(&str) -> Result<String, String>) -> Result<(), Failure> {
    let path = context.paths.config.as_ref().ok_or_else(|| {
        Failure::new(Exit::Config, "there is no place for a config: set HOME, or name a file with --config")
    })?;
    config::change(path, edit).map_err(|message| Failure::new(Exit::Config, message))
}
