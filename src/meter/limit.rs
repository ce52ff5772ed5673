//! Limits: scope, window, amount, and state.

use std::cmp::Reverse;
use std::collections::BTreeSet;

use chrono::Weekday;

use super::amount::{Amount, Measure, leading, reached};
use super::session_id::SessionId;
use super::session_line::SessionLine;
use super::window::Window;
use crate::domain::{Call, Dimension, Filter, Instant, Label, Matcher, Span, Zone, project_short, session_short};
use crate::pricing::Rates;

/// Time zone, limits and view of a meter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rules {
    /// Time zone of days and other periods.
    pub zone: Zone,
    /// The day on which a week begins.
    pub week_start: Weekday,
    /// The limits, in the order of the config.
    pub limits: Vec<Limit>,
    /// Rates for unpriced tokens. They are used to evaluate limits and are never shown as a cost.
    pub fallback: Option<Rates>,
    /// Calls in view. Limits are always evaluated on all calls.
    pub view: Filter,
}

impl Rules {
    /// No limits, everything in view, weeks starting on Monday.
    pub fn new(zone: Zone) -> Self {
        Self { zone, week_start: Weekday::Mon, limits: Vec::new(), fallback: None, view: Filter::default() }
    }

    /// The dimensions by which the limits tell calls apart.
    pub(crate) fn dimensions(&self) -> Vec<Dimension> {
        let of_session = |limit: &Limit| limit.window.is_per_session().then_some(Dimension::Session);
        let all = self
            .limits
            .iter()
            .flat_map(|limit| limit.scope.only.iter().map(|(dimension, _)| *dimension).chain(of_session(limit)));
        all.collect::<BTreeSet<_>>().into_iter().collect()
    }
}

/// A limit from the config.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Limit {
    /// Calls it covers.
    pub scope: Scope,
    /// Period that it applies to.
    pub window: Window,
    /// Allowed amount.
    pub amount: Amount,
    /// Warning thresholds in per cent, ascending, each from 1 to 100.
    pub warn_at: Vec<u8>,
}

impl Limit {
    /// How many calls the limit covers. Of two limits the greater covers more: periods before sessions and calls,
    /// everybody before some.
    pub(crate) fn reach(&self) -> (bool, Reverse<usize>) {
        let is_period = !self.window.is_per_session() && self.window != Window::Call;
        (is_period, Reverse(self.scope.names().len()))
    }
}

/// Calls covered by a limit. All pairs must match. Empty covers every call on this machine.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Scope {
    /// Dimensions with the names they must match.
    pub only: Vec<(Dimension, Matcher)>,
    /// True for a default such as `users."*"`, which gives every name a limit of its own. Other patterns (`claude-*`)
    /// are one shared limit for all the names they match.
    pub each: bool,
}

impl Scope {
    /// The whole organisation: every call in the ledger, whether or not it names one.
    pub fn organisation() -> Self {
        Self { only: vec![(Dimension::Org, Matcher::new("*"))], each: false }
    }

    /// True for [`Scope::organisation`].
    pub fn is_organisation(&self) -> bool {
        !self.each && matches!(self.only.as_slice(), [(Dimension::Org, names)] if names.as_str() == "*")
    }

    /// The names that a covered call must match; empty if all calls are covered.
    pub fn names(&self) -> &[(Dimension, Matcher)] {
        if self.is_organisation() { &[] } else { &self.only }
    }

    /// The models that it names.
    pub(crate) fn models(&self) -> Option<&Matcher> {
        self.only.iter().find(|(dimension, _)| *dimension == Dimension::Model).map(|(_, models)| models)
    }

    /// The limit's key in the config and on the command line: `day`, `org:week`, `user:alice:model:opus-*:5h`.
    pub fn key(&self, window: Window) -> String {
        let mut parts: Vec<String> = Vec::new();
        if self.is_organisation() {
            parts.push("org".to_owned());
        } else {
            parts.extend(self.only.iter().map(|(dimension, names)| format!("{dimension}:{}", names.as_str())));
        }
        parts.push(window.to_string());
        parts.join(":")
    }

    /// True when the limit covers this call.
    pub fn covers(&self, call: &Call) -> bool {
        self.is_organisation()
            || self
                .only
                .iter()
                .all(|(dimension, names)| dimension.label_of(call).is_some_and(|name| names.matches(name)))
    }
}

/// State of a limit relative to its thresholds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Verdict {
    /// Below every warning.
    Under,
    /// At or above a warning: `used × 100 ≥ limit × warn_at`.
    Near,
    /// Reached: `used ≥ limit`.
    Over,
}

impl Verdict {
    /// Name in JSON: `under`, `near`, `over`.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Under => "under",
            Self::Near => "near",
            Self::Over => "over",
        }
    }
}

/// A limit with its current usage.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LimitState {
    /// The limit.
    pub limit: Limit,
    /// Display name: `daily`, `session api-server`, `alice daily`, `claude-opus-* monthly`.
    pub name: String,
    /// Subject, for a default that limits each name separately: `alice`, a session, a run.
    pub subject: Option<String>,
    /// The session that it limits, or the session of the sub-agent's run that it limits.
    pub session: Option<LimitedSession>,
    /// Usage, in the units of the amount.
    pub used: Amount,
    /// Current period; `None` for a session, a run and all time, and for a block that has not started.
    pub span: Option<Span>,
    /// Whole per cent used, rounded down, for the amount closest to its limit.
    pub percent: u64,
    /// Under, near or over.
    pub verdict: Verdict,
    /// Forecast: the likely time the limit is reached, and the band around it.
    pub projected: Option<(Instant, Span)>,
    /// True when some tokens are unpriced, so the dollars are a lower bound.
    pub lower_bound: bool,
    /// True when files that may contain more calls could not be read, so every amount is a lower bound.
    pub unread: bool,
    /// True when the model, split or price of some calls is a guess.
    pub guessed: bool,
    /// True when it is overridden for the session in question: it neither warns nor blocks.
    pub lifted: bool,
}

impl LimitState {
    /// True when its name mentions a person, a team, a project, an agent, a session or a branch.
    pub fn names_someone(&self) -> bool {
        let is_someone = |dimension: &Dimension| !matches!(dimension, Dimension::Model | Dimension::Source);
        self.subject.is_some()
            || self.session.is_some()
            || self.limit.scope.names().iter().any(|(dimension, _)| is_someone(dimension))
    }

    /// True if this is the state of the same limit for the same subject.
    pub(crate) fn is_of_same(&self, other: &Self) -> bool {
        let subject = |session: &LimitedSession| (session.id.clone(), session.agent.clone(), session.names.clone());
        let same_session = self.session.as_ref().map(subject) == other.session.as_ref().map(subject);
        self.limit == other.limit && self.subject == other.subject && same_session
    }

    /// True when its name begins with a name from outside (`alice daily`) instead of a word of ours (`daily`, `each
    /// user daily`).
    pub fn begins_with_a_name(&self) -> bool {
        let scope = &self.limit.scope;
        let is_own = self.subject.is_some();
        scope.names().first().is_some_and(|(_, names)| is_own || !scope.each || names.as_str() != "*")
    }

    /// True when this percentage of any of its amounts is used: `used × 100 ≥ limit × per_cent`, exactly.
    pub fn reached(&self, per_cent: u8) -> bool {
        reached(&self.limit.amount, &self.used, per_cent)
    }

    /// The highest threshold reached: one of `warn_at`, or 100.
    pub fn threshold(&self) -> Option<u8> {
        let thresholds = self.limit.warn_at.iter().copied().chain([100]);
        thresholds.filter(|per_cent| self.reached(*per_cent)).max()
    }

    /// The unit closest to its limit.
    pub fn leading(&self) -> Option<Measure> {
        leading(&self.limit.amount, &self.used)
    }

    /// True when its session has ended: it neither warns nor alerts.
    pub fn has_ended(&self) -> bool {
        self.session.as_ref().is_some_and(|session| session.ended)
    }

    /// True when its session is one of these.
    pub(crate) fn is_of_one_of(&self, sessions: &BTreeSet<Label>) -> bool {
        self.session.as_ref().and_then(|session| session.id.session.as_ref()).is_some_and(|id| sessions.contains(id))
    }

    /// True when it neither warns nor alerts, because its session has ended or it is overridden.
    pub fn is_quiet(&self) -> bool {
        self.has_ended() || self.lifted
    }

    /// True when it is near or over, and warns of that.
    pub fn warns(&self) -> bool {
        self.verdict != Verdict::Under && !self.is_quiet()
    }

    /// True when this session's calls count against it.
    pub fn concerns(&self, line: &SessionLine) -> bool {
        if let Some(session) = &self.session {
            return session.id == line.id();
        }
        let row = &line.row;
        let has = |dimension: Dimension, names: &Matcher| {
            let fits = |name: &Label| {
                // With a default, each name has a limit of its own.
                let own = self.limit.scope.each && names.as_str() == "*";
                if own { self.subject.as_deref().is_none_or(|of| of == name.as_str()) } else { names.matches(name) }
            };
            match dimension.base() {
                Dimension::Source => fits(&row.source),
                Dimension::Session => row.session.as_ref().is_some_and(fits),
                Dimension::Project => row.project.as_ref().is_some_and(fits),
                Dimension::User => row.user.as_ref().is_some_and(fits),
                Dimension::Model => row.models.iter().filter_map(|(model, _)| model.as_ref()).any(fits),
                // A session may have any number of these, and no limit applies to a branch or a derived dimension.
                Dimension::Team
                | Dimension::Agent
                | Dimension::Feature
                | Dimension::Org
                | Dimension::Branch
                | Dimension::Fidelity
                | Dimension::Repo
                | Dimension::Ticket => true,
            }
        };
        self.limit.scope.is_organisation()
            || self.limit.scope.only.iter().all(|(dimension, names)| has(*dimension, names))
    }

    /// True when the forecast reaches the limit before it resets.
    pub fn is_running_out(&self) -> bool {
        let starts_anew = self.limit.window.is_periodic();
        self.verdict == Verdict::Under && starts_anew && self.projected.is_some()
    }

    /// True when the limit blocks work.
    ///
    /// A call that exceeds a call limit gives a warning, but the next call may be smaller. So only a call limit of zero
    /// blocks.
    pub fn stops_work(&self) -> bool {
        self.verdict == Verdict::Over && (self.limit.window != Window::Call || self.allows_nothing())
    }

    /// True when an amount is zero, so that the limit is reached without any usage.
    fn allows_nothing(&self) -> bool {
        Measure::ALL.iter().any(|measure| measure.amount_of(&self.limit.amount) == Some(0))
    }

    /// The latest time at which the limit, once reached, has room again: its reset, or for a rolling window the time
    /// when all calls counted now have left it. The end of time if it never resets or allows nothing.
    pub(crate) fn blocks_until(&self) -> Instant {
        let until = self.span.map(|span| span.until).filter(|_| !self.allows_nothing());
        match self.limit.window {
            Window::Rolling(length) => until.and_then(|now| now.checked_add_signed(length)),
            Window::Call | Window::Hour | Window::Day | Window::Week | Window::Month | Window::Block => until,
            Window::Session | Window::Run | Window::Total => None,
        }
        .unwrap_or(Instant::MAX_UTC)
    }
}

/// The session that a limit applies to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LimitedSession {
    /// The limited session.
    pub id: SessionId,
    /// The project it works on.
    pub project: Option<Label>,
    /// The sub-agent, if the limit applies to its run.
    pub agent: Option<Label>,
    /// Other names that a default limits separately, besides the session: `alice`.
    pub names: String,
    /// True when it has ended. Its limit is still shown but never warns.
    pub ended: bool,
    /// True when another session under the same limit would have the same display name.
    pub is_one_of_several: bool,
}

impl LimitedSession {
    /// Display name of the session, by its project or its own name: `api-server`, `explore in api-server`,
    /// `api-server 3f2a91c0`.
    pub fn words(&self) -> String {
        let name = self.id.session.as_deref().map(session_short);
        let mut words: Vec<&str> = Vec::new();
        if let Some(agent) = self.agent.as_deref() {
            words.extend([agent, "in"]);
        }
        words.extend(self.project.as_deref().map(project_short).or(name));
        words.extend(name.filter(|_| self.is_one_of_several && self.project.is_some()));
        words.join(" ")
    }
}

/// Data about a session that is needed to name its limits.
pub(crate) struct KnownSession {
    pub(crate) project: Option<Label>,
    pub(crate) ended: bool,
    /// True when its project has other sessions.
    pub(crate) is_one_of_several: bool,
}

/// Looks up a session; `None` if it was not queried.
pub(crate) type KnownSessions<'a> = dyn Fn(&SessionId) -> Option<KnownSession> + 'a;

/// The known names of a call whose limits are to be checked.
///
/// A limit on a name that the call does not have (another user, a model not known yet) does not apply.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CallContext {
    /// Known names, at most one per dimension.
    pub names: Vec<(Dimension, Label)>,
}

impl CallContext {
    /// The name in a dimension.
    pub fn name(&self, dimension: Dimension) -> Option<&Label> {
        self.names.iter().find(|(of, _)| *of == dimension).map(|(_, name)| name)
    }

    /// True when the scope covers the call.
    pub fn is_covered_by(&self, scope: &Scope) -> bool {
        scope.is_organisation()
            || scope.only.iter().all(|(dimension, names)| self.name(*dimension).is_some_and(|name| names.matches(name)))
    }
}
