//! Dimensions for splitting and filtering reports.

use std::fmt;
use std::str::FromStr;

use super::model_forms::spellings;
use super::{Call, Instant, Label, TicketPattern, project_of};

/// A property of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Dimension {
    /// The model's name.
    Model,
    /// The log format.
    Source,
    /// User.
    User,
    /// Project.
    Project,
    /// The user's team.
    Team,
    /// The sub-agent.
    Agent,
    /// The part of a program.
    Feature,
    /// The organisation.
    Org,
    /// Session.
    Session,
    /// The git branch.
    Branch,
    /// How exact the source's logs are. Derived from [`Dimension::Source`].
    Fidelity,
    /// The repository that contains the project. Derived from [`Dimension::Project`].
    Repo,
    /// The ticket that the branch is named after. Derived from [`Dimension::Branch`].
    Ticket,
}

impl Dimension {
    /// These dimensions in their order, each of them once.
    pub fn once(all: Vec<Self>) -> Vec<Self> {
        let mut once = Vec::with_capacity(all.len());
        for dimension in all {
            if !once.contains(&dimension) {
                once.push(dimension);
            }
        }
        once
    }

    /// Dimensions that regroup another dimension's values under names supplied by the query.
    pub const DERIVED: [Self; 3] = [Self::Fidelity, Self::Repo, Self::Ticket];

    /// Every dimension stored with calls, in the order used in help texts.
    pub const ALL: [Self; 10] = [
        Self::Model,
        Self::Source,
        Self::User,
        Self::Project,
        Self::Team,
        Self::Agent,
        Self::Feature,
        Self::Org,
        Self::Session,
        Self::Branch,
    ];

    /// Every dimension that a [`Filter`] can select by.
    pub(crate) fn filters() -> impl Iterator<Item = Self> {
        Self::ALL.into_iter().chain([Self::Ticket])
    }

    /// True for dimensions that vary within a session or between sessions. Their sums are kept per session, not across
    /// all calls of a kind.
    pub(crate) const fn is_of_sessions(self) -> bool {
        matches!(self.base(), Self::Session | Self::Agent | Self::Branch)
    }

    /// Name on the command line, in JSON and in column headings.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Model => "model",
            Self::Source => "source",
            Self::User => "user",
            Self::Project => "project",
            Self::Team => "team",
            Self::Agent => "agent",
            Self::Feature => "feature",
            Self::Org => "org",
            Self::Session => "session",
            Self::Branch => "branch",
            Self::Fidelity => "fidelity",
            Self::Repo => "repo",
            Self::Ticket => "ticket",
        }
    }

    /// The dimension that a derived one regroups; the dimension itself if it is not derived.
    #[must_use]
    pub const fn base(self) -> Self {
        match self {
            Self::Fidelity => Self::Source,
            Self::Repo => Self::Project,
            Self::Ticket => Self::Branch,
            Self::Model
            | Self::Source
            | Self::User
            | Self::Project
            | Self::Team
            | Self::Agent
            | Self::Feature
            | Self::Org
            | Self::Session
            | Self::Branch => self,
        }
    }

    /// The call's value. For a derived dimension, the value of its base.
    pub fn label_of(self, call: &Call) -> Option<&Label> {
        let from = &call.from;
        match self {
            Self::Model => call.model.as_ref(),
            Self::Source | Self::Fidelity => Some(&from.source),
            Self::User => from.user.as_ref(),
            Self::Project | Self::Repo => from.project.as_ref(),
            Self::Team => from.team.as_ref(),
            Self::Agent => from.agent.as_ref(),
            Self::Feature => from.feature.as_ref(),
            Self::Org => from.org.as_ref(),
            Self::Session => from.session.as_ref(),
            Self::Branch | Self::Ticket => from.branch.as_ref(),
        }
    }
}

impl fmt::Display for Dimension {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.pad(self.name())
    }
}

impl FromStr for Dimension {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let all = || Self::ALL.into_iter().chain(Self::DERIVED);
        all().find(|dimension| dimension.name() == text).ok_or_else(|| {
            let known: Vec<_> = all().map(Self::name).collect();
            format!("'{text}' is not a dimension; there are: {}", known.join(", "))
        })
    }
}

/// Matches one exact name, or a pattern in which `*` stands for any run of characters.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Matcher {
    text: String,
    kind: Kind,
}

/// How the text of a matcher is interpreted.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
enum Kind {
    Exact,
    /// Matches a model in any spelling, with its dated versions.
    Model,
    /// A pattern for models in any spelling.
    ModelPattern,
    Pattern,
    /// Compares the ticket in a branch's name.
    Ticket(TicketPattern, Box<Matcher>),
}

impl Matcher {
    /// A pattern in which `*` stands for any run of characters.
    ///
    /// Use it for user input: limits in the config, filters on the command line. Names from a log, a client or the
    /// gate's caller must use [`Matcher::exact`].
    pub fn new(pattern: impl Into<String>) -> Self {
        let text = pattern.into();
        let kind = if text.contains('*') { Kind::Pattern } else { Kind::Exact };
        Self { text, kind }
    }

    /// Matches a model and its dated versions, in upper or lower case and from any provider: `gpt-4o` also
    /// matches `gpt-4o-2024-08-06`, `GPT-4o` and `openai/gpt-4o`. A `*` works as in [`Matcher::new`].
    pub(crate) fn model(pattern: &str) -> Self {
        let matcher = Self::new(pattern);
        let kind = if matcher.is_glob() { Kind::ModelPattern } else { Kind::Model };
        Self { kind, ..matcher }
    }

    /// Matches branches whose ticket matches the text, by the rules of [`Matcher::new`].
    pub(crate) fn ticket(pattern: &TicketPattern, name: &str) -> Self {
        Self { text: name.to_owned(), kind: Kind::Ticket(pattern.clone(), Box::new(Self::new(name))) }
    }

    /// Matches this name only; `*` has no special meaning.
    pub fn exact(name: impl Into<String>) -> Self {
        Self { text: name.into(), kind: Kind::Exact }
    }

    /// Matches this name instead, by the same rules.
    pub(crate) fn of_name(&self, name: &str) -> Self {
        Self { text: name.to_owned(), kind: self.kind.clone() }
    }

    /// True for a pattern that can match several names.
    pub fn is_glob(&self) -> bool {
        matches!(self.kind, Kind::Pattern | Kind::ModelPattern)
    }

    /// True when the whole name matches.
    pub fn matches(&self, name: &str) -> bool {
        match &self.kind {
            Kind::Exact => self.text == name,
            Kind::Pattern => fits(&self.text, name),
            Kind::Model => is_spelled(name, &self.text, |name| name.eq_ignore_ascii_case(&self.text)),
            Kind::ModelPattern => {
                let text = self.text.to_ascii_lowercase();
                is_spelled(&name.to_ascii_lowercase(), &text, |name| fits(&text, name))
            }
            Kind::Ticket(pattern, wanted) => pattern.find(name).is_some_and(|ticket| wanted.matches(ticket)),
        }
    }

    /// The original text.
    pub fn as_str(&self) -> &str {
        &self.text
    }
}

/// True when the whole name fits the pattern, in which `*` stands for any run of characters.
fn fits(pattern: &str, name: &str) -> bool {
    let mut parts = pattern.split('*');
    let first = parts.next().unwrap_or_default();
    let Some(mut rest) = name.strip_prefix(first) else { return false };
    let mut parts: Vec<&str> = parts.collect();
    let Some(last) = parts.pop() else { return rest.is_empty() };
    for part in parts {
        let Some(at) = rest.find(part) else { return false };
        rest = &rest[at + part.len()..];
    }
    rest.ends_with(last)
}

/// True if any spelling of a model's name passes: what follows each slash in it, because the part before a slash names
/// who serves the model, and what price lists take for the same name. All of them have the word with which `text`
/// begins.
fn is_spelled(name: &str, text: &str, passes: impl Fn(&str) -> bool) -> bool {
    let mut parts = std::iter::successors(Some(name), |name| name.split_once('/').map(|(_, rest)| rest));
    if parts.any(&passes) {
        return true;
    }
    let word = text.split(|letter: char| !letter.is_ascii_alphanumeric()).next().unwrap_or_default().as_bytes();
    let has_word = word.is_empty() || name.as_bytes().windows(word.len()).any(|part| part.eq_ignore_ascii_case(word));
    has_word && spellings(name).iter().any(|form| passes(&form.name))
}

/// Selects calls.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    /// Every dimension listed must match. Several matchers for one dimension are alternatives.
    pub only: Vec<(Dimension, Matcher)>,
    /// Earliest time (inclusive).
    pub since: Option<Instant>,
    /// Latest time (exclusive).
    pub until: Option<Instant>,
}

impl Filter {
    /// True when the filter selects the call.
    pub fn admits(&self, call: &Call) -> bool {
        let at = call.at();
        self.since.is_none_or(|since| at >= since)
            && self.until.is_none_or(|until| at < until)
            && Dimension::filters()
                .all(|dimension| self.admits_value(dimension, dimension.label_of(call).map(Label::as_str)))
    }

    /// True when the filter accepts this value of a dimension.
    pub fn admits_value(&self, dimension: Dimension, value: Option<&str>) -> bool {
        // Ledgers older than schema 4 store worktrees as separate projects.
        let value = if dimension == Dimension::Project { value.map(project_of) } else { value };
        let mut patterns = self.only.iter().filter(|(of, _)| *of == dimension).peekable();
        patterns.peek().is_none() || patterns.any(|(_, pattern)| value.is_some_and(|value| pattern.matches(value)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_stands_for_any_run() {
        let cases = [
            ("claude-opus-*", "claude-opus-5", true),
            ("claude-opus-*", "claude-haiku-5", false),
            ("*", "", true),
            ("a*b*c", "axxbyyc", true),
            ("a*b*c", "acb", false),
            ("abc", "abc", true),
            ("abc", "abcd", false),
            ("a*a", "a", false),
        ];
        for (pattern, name, fits) in cases {
            assert_eq!(Matcher::new(pattern).matches(name), fits, "{pattern} on {name}");
        }
    }

    #[test]
    fn a_model_is_meant_with_its_dated_versions() {
        let model = Matcher::model("gpt-4o");
        assert!(model.matches("gpt-4o") && model.matches("gpt-4o-2024-08-06") && !model.is_glob());
        assert!(!model.matches("gpt-4o-mini") && !model.matches("gpt-4o-mini-2024-07-18"));
        let dated = Matcher::model("gpt-4o-2024-08-06");
        assert!(dated.matches("gpt-4o-2024-08-06") && !dated.matches("gpt-4o"));
        assert!(Matcher::model("gpt-*").matches("gpt-5"));
    }

    #[test]
    fn a_model_matches_in_every_spelling() {
        for model in ["gpt-4o", "GPT-4o", "gpt-*"].map(Matcher::model) {
            for name in ["gpt-4o", "GPT-4O", "openai/gpt-4o", "openrouter/openai/GPT-4o-2024-08-06"] {
                assert!(model.matches(name), "{} on {name}", model.as_str());
            }
            for name in ["my-gpt-4o", "gpt-4o/other", "openai", ""] {
                let is_like = model.is_glob() && name.starts_with("gpt-");
                assert_eq!(model.matches(name), is_like, "{} on {name}", model.as_str());
            }
        }
        for name in [
            "claude-sonnet-4.5",
            "anthropic/claude-sonnet-4.5",
            "claude-sonnet-4-5[1m]",
            "claude-sonnet-4-5-latest",
            "Claude-Sonnet-4-5 ",
            "us.anthropic.claude-sonnet-4-5-20250929-v1:0",
            "claude-sonnet-4-5@20250929",
        ] {
            for model in ["claude-sonnet-4-5", "claude-sonnet-*"] {
                assert!(Matcher::model(model).matches(name), "{model} on {name}");
            }
            assert!(!Matcher::model("claude-sonnet-4").matches(name), "{name}");
        }
        // Who names the service means that service.
        let served = Matcher::model("openai/gpt-4o");
        assert!(served.matches("openrouter/openai/gpt-4o") && !served.matches("gpt-4o"));
    }

    #[test]
    fn j10_a_star_in_an_exact_name_is_a_letter() {
        let exact = Matcher::exact("al*");
        assert!(exact.matches("al*") && !exact.matches("alice") && !exact.is_glob());
        assert!(Matcher::new("al*").matches("alice") && Matcher::new("al*").is_glob());
        assert_eq!(Matcher::exact("alice"), Matcher::new("alice"), "without a star both mean the same");
        let filter = Filter { only: vec![(Dimension::User, Matcher::exact("*"))], ..Filter::default() };
        assert!(filter.admits_value(Dimension::User, Some("*")) && !filter.admits_value(Dimension::User, Some("bob")));
    }
}
