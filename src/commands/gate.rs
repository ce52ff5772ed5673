//! `gate`: checks whether the next call may be made. Exit code 0, or 2 over a limit; hooks and the socket get the same
//! answer.

pub(super) mod claude;
pub(super) mod query;

use std::path::PathBuf;

use serde::Serialize;

use crate::app::catch_up::caller;
use crate::app::catch_up::{self, Books, LogSelection};
use crate::app::{Context, Exit, Failure};
use crate::cli::GateArgs;
use crate::config::LimitKey;
use crate::config::{Loaded, OnError, Settings};
use crate::domain::{Dimension, Filter, Instant, Label, Matcher, Status, Zone};
use crate::ledger::{BooksError, Ledger};
use crate::meter::overrides::{self, Override};
use crate::meter::{self, CallContext, LimitState, Rules, Verdict, Window};
use crate::output;
use crate::output::{LimitJson, QuotaJson};
use crate::text;

pub use query::query;

/// Log format assumed for callers that name none: the socket and the usage log.
const OWN_SOURCE: &str = "native";

/// The gate's answer; its JSON is the same on the command line and the socket.
#[derive(Serialize)]
pub(super) struct GateAnswer {
    ok: bool,
    schema: u8,
    /// True if the call may be made.
    pub(super) allowed: bool,
    /// Verdict of the worst limit.
    verdict: &'static str,
    /// Why the call is refused, or which limit is near.
    pub(super) reason: Option<String>,
    limits: Vec<LimitJson>,
    /// Providers' own windows, as their agents state them; absent when none has. They never refuse a call.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    provider_windows: Vec<QuotaJson>,
    /// The override that lifts limits for this session.
    #[serde(rename = "override")]
    lifted: Option<Override>,
    /// Why the answer may be wrong.
    pub(super) warning: Option<String>,
    /// Files that could not be read, so that more may be used; absent when there are none.
    #[serde(skip_serializing_if = "output::is_zero")]
    unread_files: u64,
    /// Limits that apply to the caller, worst first.
    #[serde(skip)]
    pub(super) states: Vec<LimitState>,
}

pub(super) fn run(context: &mut Context<'_>, args: &GateArgs, loaded: &Loaded) -> Result<Exit, Failure> {
    if args.hook.is_some() {
        return claude::run(context, loaded);
    }
    let caller = caller(&context.settings, &args.names());
    let answer = judge(context, &LogSelection::Session(None), |_| Ok(caller.clone())).0;
    let exit = if answer.allowed { Exit::Fine } else { Exit::Over };
    if args.json {
        let written = output::to_line(&answer, context.out);
        if answer.allowed {
            written?;
        }
    }
    if let Some(warning) = &answer.warning {
        context.note(warning);
    }
    // The exit code is the answer; the text is for people and for agents that show a hook's output.
    if let Some(reason) = answer.reason.as_ref().filter(|_| !args.json) {
        let _ = writeln!(context.err, "{}", super::printable(reason));
    }
    Ok(exit)
}

impl GateArgs {
    /// Known dimensions of the coming call.
    fn names(&self) -> Vec<(Dimension, &str)> {
        let all = [
            (Dimension::User, &self.user),
            (Dimension::Model, &self.model),
            (Dimension::Project, &self.project),
            (Dimension::Team, &self.team),
            (Dimension::Agent, &self.agent),
            (Dimension::Feature, &self.feature),
            (Dimension::Session, &self.session),
        ];
        all.into_iter().filter_map(|(dimension, name)| Some((dimension, name.as_deref()?))).collect()
    }
}

/// Catches up and evaluates the limits. Always answers: failures are answered according to `gate.on_error`.
///
/// Also returns the ledger, for further queries.
pub(super) fn judge(
    context: &mut Context<'_>,
    selection: &LogSelection,
    caller: impl Fn(&dyn Ledger) -> Result<CallContext, BooksError>,
) -> (GateAnswer, Option<Books>) {
    let rules = context.rules(Filter::default());
    let now = context.now();
    let ask = |books: &Books, settings: &Settings| {
        caller(&books.ledger).and_then(|caller| answer(&books.ledger, &rules, settings, &caller, now))
    };
    let mut gathered = catch_up::open_and_catch_up(context, selection, false);
    let mut answered = gathered.as_ref().ok().map(|books| ask(books, &context.settings));
    if matches!(&answered, Some(Err(error)) if error.is_mendable()) {
        drop(gathered);
        gathered = catch_up::mend(context).and_then(|()| catch_up::open_and_catch_up(context, selection, false));
        answered = gathered.as_ref().ok().map(|books| ask(books, &context.settings));
    }
    let (mut answer, books) = match gathered {
        Ok(books) => {
            let answered = answered.unwrap_or_else(|| ask(&books, &context.settings));
            (answered.unwrap_or_else(|error| GateAnswer::unknown(&error.to_string(), &context.settings)), Some(books))
        }
        Err(failure) => (GateAnswer::unknown(&failure.message, &context.settings), None),
    };
    if let Some(trouble) = books.as_ref().and_then(|books| books.trouble.as_deref()) {
        answer.doubt(trouble, &context.settings);
    }
    if let Some(unbooked) = books.as_ref().and_then(|books| books.unbooked.as_deref()) {
        answer.warn(unbooked);
    }
    answer.unread_files = books.as_ref().map_or(0, |books| books.health.unread_files());
    (answer, books)
}

/// Evaluates the limits against this ledger.
///
/// # Errors
/// When it cannot be read.
pub(super) fn answer(
    books: &dyn Ledger,
    rules: &Rules,
    settings: &Settings,
    caller: &CallContext,
    now: Instant,
) -> Result<GateAnswer, BooksError> {
    let caller = with_source(books, caller)?;
    let states = meter::states(books, rules, Some(&caller), now)?;
    let lifted = match caller.name(Dimension::Session) {
        Some(session) => overrides::override_of(books, session)?,
        None => None,
    };
    let mut quotas = Status::quotas(&books.statuses()?);
    quotas.retain(|quota| !quota.is_forgotten(now));
    let worst = states.iter().map(|state| state.verdict).max().unwrap_or(Verdict::Under);
    let stops: Vec<&LimitState> = states.iter().filter(|state| state.stops_work()).collect();
    let allowed = stops.is_empty() || lifted.is_some();
    let reason = match (stops.as_slice(), &lifted) {
        ([], _) => {
            let near: Vec<String> = states
                .iter()
                .filter(|state| state.verdict != Verdict::Under)
                .map(|state| near_words(state, now, settings.zone))
                .collect();
            (!near.is_empty()).then(|| near.join("\n"))
        }
        (stops, None) => {
            Some(stops.iter().map(|state| over_words(state, now, settings.zone)).collect::<Vec<_>>().join("\n"))
        }
        (stops, Some(lifted)) => {
            let first = stops.first().map(|state| over_words(state, now, settings.zone)).unwrap_or_default();
            Some(format!("{first}\nLifted for this session: {}", lifted.reason))
        }
    };
    Ok(GateAnswer {
        ok: true,
        schema: 1,
        allowed,
        verdict: word(worst),
        reason,
        limits: states
            .iter()
            .map(|state| LimitJson::new(&LimitKey::from_limit(&state.limit), state, settings.zone))
            .collect(),
        provider_windows: QuotaJson::all(&quotas, now, settings.zone),
        lifted,
        warning: None,
        unread_files: 0,
        states,
    })
}

impl GateAnswer {
    /// The answer when the ledger cannot be read.
    fn unknown(why: &str, settings: &Settings) -> Self {
        let mut answer = Self {
            ok: true,
            schema: 1,
            allowed: true,
            verdict: "unknown",
            reason: None,
            limits: Vec::new(),
            provider_windows: Vec::new(),
            lifted: None,
            warning: None,
            unread_files: 0,
            states: Vec::new(),
        };
        answer.doubt(why, settings);
        answer
    }

    /// Marks the answer as possibly wrong, and refuses the call if the config wants that.
    pub(super) fn doubt(&mut self, why: &str, settings: &Settings) {
        match settings.gate.on_error {
            OnError::Allow if self.allowed => {
                self.warning.get_or_insert_with(|| format!("{why}; allowed anyway (gate.on_error is \"allow\")"));
            }
            OnError::Allow => {
                self.warning.get_or_insert_with(|| why.to_owned());
            }
            OnError::Deny if self.allowed && self.lifted.is_none() => {
                self.allowed = false;
                self.reason = Some(format!("Limits cannot be checked: {why} (gate.on_error is \"deny\")"));
            }
            OnError::Deny => {}
        }
    }

    /// Adds a warning that does not put the answer in doubt.
    pub(super) fn warn(&mut self, what: &str) {
        self.warning.get_or_insert_with(|| what.to_owned());
    }

    /// True when a limit is near, or over without blocking.
    pub(super) fn warns(&self) -> bool {
        self.allowed && self.states.iter().any(|state| state.verdict != Verdict::Under)
    }
}

/// Completes a session with its log format: the one in the ledger, else ours.
fn with_source(books: &dyn Ledger, caller: &CallContext) -> Result<CallContext, BooksError> {
    let mut caller = caller.clone();
    if let (Some(session), None) = (caller.name(Dimension::Session), caller.name(Dimension::Source)) {
        let filter = Filter { only: vec![(Dimension::Session, Matcher::exact(session.as_str()))], ..Filter::default() };
        let newest = books.calls(&filter, 1)?;
        let source = newest.first().map_or_else(|| Label::new(OWN_SOURCE), |row| row.call.from.source.clone());
        caller.names.push((Dimension::Source, source));
    }
    Ok(caller)
}

const fn word(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Under => "under",
        Verdict::Near => "near",
        Verdict::Over => "over",
    }
}

/// `Daily limit reached: $26.10 of $25.00 used, resets 00:00`.
pub(super) fn over_words(state: &LimitState, now: Instant, zone: Zone) -> String {
    let title = text::banner_title(state);
    let title = title.trim_start_matches(['■', '⚠', ' ']);
    format!("{title}: {} used, {}", text::used_of(state), again(state, now, zone))
}

/// `80% of daily limit used: $20.00 of $25.00, resets 00:00`.
pub(super) fn near_words(state: &LimitState, now: Instant, zone: Zone) -> String {
    if state.verdict == Verdict::Over {
        return over_words(state, now, zone);
    }
    let title = text::banner_title(state);
    let title = title.trim_start_matches(['■', '⚠', ' ']);
    format!("{title}: {}, {}", text::used_of(state), again(state, now, zone))
}

/// When the limit has room again.
fn again(state: &LimitState, now: Instant, zone: Zone) -> String {
    if let Some(resets) = text::resets(state, now, zone) {
        return resets;
    }
    match state.limit.window {
        Window::Session => "resets with the next session".to_owned(),
        Window::Run => "resets with the next run".to_owned(),
        Window::Rolling(_) => format!("frees up as calls leave the last {}", length(state)),
        Window::Call => "measured on the largest call of the day".to_owned(),
        Window::Total => "never resets; raise it with `tokmeter limits set`".to_owned(),
        Window::Hour | Window::Day | Window::Week | Window::Month | Window::Block => {
            "resets with its period".to_owned()
        }
    }
}

fn length(state: &LimitState) -> String {
    match state.limit.window {
        Window::Rolling(length) => text::duration(length),
        Window::Call
        | Window::Session
        | Window::Run
        | Window::Hour
        | Window::Day
        | Window::Week
        | Window::Month
        | Window::Block
        | Window::Total => String::new(),
    }
}

/// Path of a session's transcript, if valid: an absolute path to a JSONL file; `~` is the home folder.
pub(super) fn transcript(context: &Context<'_>, path: &str) -> Option<PathBuf> {
    let path = match (path.strip_prefix("~/"), &context.env.home) {
        (Some(rest), Some(home)) => home.join(rest),
        _ => PathBuf::from(path),
    };
    (path.is_absolute() && path.extension().is_some_and(|ending| ending == "jsonl")).then_some(path)
}
