//! Names typed by a user: short forms as the screens show them, and names that no call has, such as typos.

use std::collections::BTreeSet;

use crate::config::LimitKey;
use crate::domain::{Dimension, Filter, Label, Matcher, Zone, is_project, model_short, project_short};
use crate::ledger::{Grain, Ledger, LedgerError, Query};
use crate::meter::Scope;
use crate::text::meant;

/// Up to this many known names are listed instead of a suggestion.
const FEW: usize = 8;
/// Minimum length of a text to search for within names.
const TELLING: usize = 3;

/// The names that calls have in one dimension.
pub(crate) struct Names {
    dimension: Dimension,
    all: Vec<Label>,
}

impl Names {
    /// Every name in the ledger.
    ///
    /// # Errors
    /// When it cannot be read.
    fn in_ledger(books: &dyn Ledger, dimension: Dimension) -> Result<Self, LedgerError> {
        let report = books.report(&Query { by: vec![dimension], ..Query::new(Grain::Total, Zone::UTC) })?;
        let all = report.rows.into_iter().filter_map(|row| row.by.into_iter().next().flatten()).collect();
        Ok(Self { dimension, all })
    }

    /// The name with this short form, if there is exactly one.
    fn in_full(&self, short: &str) -> Option<&Label> {
        match self.shown_as(short).as_slice() {
            [one] => Some(*one),
            _ => None,
        }
    }

    fn shown_as(&self, short: &str) -> Vec<&Label> {
        let is_shown_so = |name: &str| match self.dimension {
            Dimension::Project => is_project(name, short),
            // Agents write a model's name in different cases.
            Dimension::Model => model_short(name).eq_ignore_ascii_case(short),
            Dimension::Source
            | Dimension::Session
            | Dimension::User
            | Dimension::Team
            | Dimension::Agent
            | Dimension::Feature
            | Dimension::Org
            | Dimension::Branch
            | Dimension::Fidelity
            | Dimension::Repo
            | Dimension::Ticket => false,
        };
        self.all.iter().filter(|name| is_shown_so(name)).collect()
    }

    /// True if calls have this model in another spelling, or as a dated or undated version.
    fn has_other_spelling(&self, given: &str) -> bool {
        let is_same = |name: &Label| Matcher::model(given).matches(name) || Matcher::model(name).matches(given);
        self.dimension == Dimension::Model && self.all.iter().any(is_same)
    }

    /// The name as the screens show it.
    fn short<'n>(&self, name: &'n str) -> &'n str {
        if self.dimension == Dimension::Project {
            project_short(name)
        } else if self.dimension == Dimension::Model {
            model_short(name)
        } else {
            name
        }
    }

    /// `no call has model 'opus-6'; did you mean 'claude-opus-5'?`; `None` if a call has the name, or no call has any.
    fn unknown(&self, asked: &Matcher) -> Option<String> {
        let hint = self.hint(asked)?;
        Some(format!("no call has {} '{}'{hint}", self.dimension, Label::new(asked.as_str())))
    }

    /// The same about the name in a limit, which is set all the same.
    fn unknown_in_limit(&self, asked: &Matcher) -> Option<String> {
        let hint = self.hint(asked)?;
        let name = Label::new(asked.as_str());
        Some(format!("the limit is set, but no call has {} '{name}' yet{hint}", self.dimension))
    }

    /// The names that were probably meant by one that no call has, or all names that there are; may be empty.
    fn hint(&self, asked: &Matcher) -> Option<String> {
        if self.all.is_empty() || self.all.iter().any(|name| asked.matches(name)) {
            return None;
        }
        let pattern = if asked.is_glob() { self.closest_pattern(asked) } else { None };
        let asked = asked.as_str();
        let several: Vec<&str> = self.shown_as(asked).into_iter().map(Label::as_str).collect();
        Some(match several.as_slice() {
            [_, _, ..] => format!("; there are: {}", several.join(", ")),
            _ => match pattern.as_deref().or_else(|| self.closest(asked)) {
                Some(meant) => format!("; did you mean '{meant}'?"),
                None if self.all.len() <= FEW => {
                    format!("; there are: {}", self.all.iter().map(Label::as_str).collect::<Vec<_>>().join(", "))
                }
                None => String::new(),
            },
        })
    }

    /// The pattern that was probably meant: `claude-haiku-*` for `haiku-*`, which matches names as they are shown.
    fn closest_pattern(&self, asked: &Matcher) -> Option<String> {
        let before = |name: &Label| {
            let short = self.short(name);
            let at = if asked.matches(short) { name.find(short) } else { None };
            at.map(|at| name.as_str()[..at].to_owned())
        };
        let all: BTreeSet<String> = self.all.iter().filter_map(before).collect();
        let mut all = all.into_iter();
        let (first, second) = (all.next()?, all.next());
        let before = if second.is_some() { "*".to_owned() } else { first };
        Some(format!("{before}{}", asked.as_str()))
    }

    /// The pattern for exactly the names whose short forms match this one.
    fn pattern_in_full(&self, asked: &Matcher) -> Option<Matcher> {
        let full = asked.of_name(&self.closest_pattern(asked)?);
        let is_same = |name: &Label| full.matches(name) == asked.matches(self.short(name));
        self.all.iter().all(is_same).then_some(full)
    }

    /// The name that was probably meant: one whose short form matches, one that starts with, ends with or contains the
    /// text, or one that is spelled similarly.
    fn closest(&self, asked: &str) -> Option<&str> {
        let known = || self.all.iter().map(Label::as_str);
        let lower = asked.to_lowercase();
        let within = |fits: fn(&str, &str) -> bool| {
            known().filter(|name| fits(&name.to_lowercase(), &lower)).min_by_key(|name| name.len())
        };
        let is_telling = asked.chars().count() >= TELLING;
        self.in_full(asked)
            .map(Label::as_str)
            .or_else(|| known().find(|name| name.starts_with(asked)))
            .or_else(|| within(|name, end| name.ends_with(end)).filter(|_| is_telling))
            .or_else(|| meant(asked, known()))
            .or_else(|| self.in_full(meant(asked, known().map(|name| self.short(name)))?).map(Label::as_str))
            .or_else(|| within(|name, part| name.contains(part)).filter(|_| is_telling))
    }
}

/// The names of each dimension requested so far, each read once.
#[derive(Default)]
pub(crate) struct KnownNames(Vec<Names>);

impl KnownNames {
    fn names_by(&mut self, books: &dyn Ledger, dimension: Dimension) -> Result<&Names, LedgerError> {
        let at = match self.0.iter().position(|names| names.dimension == dimension) {
            Some(at) => at,
            None => {
                self.0.push(Names::in_ledger(books, dimension)?);
                self.0.len() - 1
            }
        };
        Ok(&self.0[at])
    }

    /// A sentence for each name in the filter that no call has. A pattern that matches nothing is not a mistake there.
    ///
    /// # Errors
    /// When the ledger cannot be read.
    pub(crate) fn unknown_in(&mut self, books: &dyn Ledger, filter: &Filter) -> Result<Vec<String>, LedgerError> {
        let mut all = Vec::new();
        for (dimension, asked) in filter.only.iter().filter(|(_, asked)| !asked.is_glob()) {
            all.extend(self.names_by(books, *dimension)?.unknown(asked));
        }
        Ok(all)
    }

    /// A sentence for each name and pattern of a limit that no call has.
    fn unknown_in_limit(&mut self, books: &dyn Ledger, filter: &Filter) -> Result<Vec<String>, LedgerError> {
        let mut all = Vec::new();
        for (dimension, asked) in &filter.only {
            all.extend(self.names_by(books, *dimension)?.unknown_in_limit(asked));
        }
        Ok(all)
    }
}

/// Replaces a short form by the full name of a project or a model if no call has the short one and exactly one name is
/// shown that way, and a pattern that only short forms match by one that matches their full names. Returns the names it
/// has read, for the messages about names that no call has.
///
/// # Errors
/// When the ledger cannot be read.
pub(crate) fn complete(books: &dyn Ledger, filter: &mut Filter) -> Result<KnownNames, LedgerError> {
    let mut known = KnownNames::default();
    for (dimension, asked) in &mut filter.only {
        if !matches!(dimension, Dimension::Project | Dimension::Model) {
            continue;
        }
        let names = known.names_by(books, *dimension)?;
        if names.all.iter().any(|name| asked.matches(name)) {
            continue;
        }
        if asked.is_glob() {
            *asked = names.pattern_in_full(asked).unwrap_or_else(|| asked.clone());
        } else if let Some(full) = names.in_full(asked.as_str()) {
            *asked = asked.of_name(full);
        }
    }
    Ok(known)
}

/// The full names that a name given for a coming call may stand for: itself if a call has it, or else all that are
/// shown so. The sentence says that it may be any of several, or that no call has it: nothing is said of a name that
/// the config has, or of another spelling of a model that calls have.
///
/// # Errors
/// When the ledger cannot be read.
pub(crate) fn meanings(
    books: &dyn Ledger,
    dimension: Dimension,
    given: &Label,
    is_configured: impl FnOnce() -> bool,
) -> Result<(Vec<Label>, Option<String>), LedgerError> {
    let names = Names::in_ledger(books, dimension)?;
    if names.all.contains(given) {
        return Ok((vec![given.clone()], None));
    }
    let shown: Vec<Label> = names.shown_as(given).into_iter().cloned().collect();
    Ok(match shown.as_slice() {
        [] if names.has_other_spelling(given) || is_configured() => (vec![given.clone()], None),
        [] => (vec![given.clone()], names.unknown(&Matcher::exact(given.as_str()))),
        [_] => (shown, None),
        several => {
            let all = several.iter().map(Label::as_str).collect::<Vec<_>>().join(" or ");
            let sentence = format!("{dimension} '{given}' may be {all}; the limits of each are checked");
            (shown, Some(sentence))
        }
    })
}

/// Like [`complete`], for a meter that runs while calls come in: a project or a model that no call has yet is also
/// counted under a longer name that ends with the given one. Returns the messages about names that no call has.
///
/// # Errors
/// When the ledger cannot be read.
pub(crate) fn complete_ahead(books: &dyn Ledger, filter: &mut Filter) -> Result<Vec<String>, LedgerError> {
    let mut known = complete(books, filter)?;
    let sentences = known.unknown_in(books, filter)?;
    let mut longer = Vec::new();
    for (dimension, asked) in filter.only.iter().filter(|(_, asked)| !asked.is_glob()) {
        let is_path = asked.as_str().contains(['/', '\\']);
        let ends: &[&str] = if *dimension == Dimension::Project && !is_path {
            &["*/", "*\\"]
        } else if *dimension == Dimension::Model {
            &["*-", "*/", "*."]
        } else {
            continue;
        };
        if !known.names_by(books, *dimension)?.all.iter().any(|name| asked.matches(name)) {
            let ending = |before: &&str| (*dimension, Matcher::new(format!("{before}{}", asked.as_str())));
            longer.extend(ends.iter().map(ending));
        }
    }
    filter.only.extend(longer);
    Ok(sentences)
}

/// A limit with the short forms of projects and models replaced, as by [`complete`], and a sentence for each name or
/// pattern that no call has: the limit counts nothing until one does. A limit that is already set keeps its names.
///
/// # Errors
/// When the ledger cannot be read.
pub(crate) fn limit_in_full(
    books: &dyn Ledger,
    key: &LimitKey,
    is_set: bool,
) -> Result<(LimitKey, Vec<String>), LedgerError> {
    let mut filter = Filter { only: key.scope.names().to_vec(), ..Filter::default() };
    if filter.only.is_empty() {
        return Ok((key.clone(), Vec::new()));
    }
    let mut known = if is_set { KnownNames::default() } else { complete(books, &mut filter)? };
    let sentences = known.unknown_in_limit(books, &filter)?;
    let scope = Scope { only: filter.only, each: key.scope.each };
    Ok((LimitKey { scope, window: key.window }, sentences))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(dimension: Dimension, all: &[&str]) -> Names {
        Names { dimension, all: all.iter().map(|name| Label::new(name)).collect() }
    }

    #[test]
    fn a_short_name_means_the_only_one_that_is_shown_so() {
        let models = names(Dimension::Model, &["claude-opus-5-5", "gpt-5.2"]);
        assert_eq!(models.in_full("opus-5-5").map(Label::as_str), Some("claude-opus-5-5"));
        assert_eq!(models.in_full("5-5"), None);
        let projects = names(Dimension::Project, &["/home/a/web-shop", "/home/b/web-shop", "/srv/api"]);
        assert_eq!(projects.in_full("api").map(Label::as_str), Some("/srv/api"));
        assert_eq!(projects.in_full("web-shop"), None, "two are shown so");
        assert_eq!(projects.in_full("a/web-shop").map(Label::as_str), Some("/home/a/web-shop"));
        assert_eq!(projects.in_full("srv/api/").map(Label::as_str), Some("/srv/api"));
        for nothing in ["/api", "pi", "", "/", "srv", "other/api"] {
            assert_eq!(projects.in_full(nothing), None, "{nothing}");
        }
        let users = names(Dimension::User, &["alice"]);
        assert_eq!(users.in_full("alice"), None, "users have no short form");
    }

    #[test]
    fn a_name_that_no_call_has_is_said_with_the_one_that_was_probably_meant() {
        let cases = [
            (Dimension::Model, "opus-5-5", "no call has model 'opus-5-5'; did you mean 'claude-opus-5-5'?"),
            (Dimension::Model, "GPT", "no call has model 'GPT'; did you mean 'gpt-5.2'?"),
            (Dimension::Model, "us", "no call has model 'us'; there are: claude-opus-5-5, gpt-5.2"),
            (Dimension::Model, "opus-*", "no call has model 'opus-*'; did you mean 'claude-opus-*'?"),
            (Dimension::Model, "o*us-5*", "no call has model 'o*us-5*'; did you mean 'claude-o*us-5*'?"),
            (Dimension::Model, "x-*", "no call has model 'x-*'; there are: claude-opus-5-5, gpt-5.2"),
            (Dimension::Model, "gpt-5.3", "no call has model 'gpt-5.3'; did you mean 'gpt-5.2'?"),
        ];
        for (dimension, asked, expected) in cases {
            let names = names(dimension, &["claude-opus-5-5", "gpt-5.2"]);
            assert_eq!(names.unknown(&Matcher::new(asked)).as_deref(), Some(expected), "{asked}");
        }
        let projects = names(Dimension::Project, &["/home/a/web-shop", "/home/b/web-shop", "/srv/api"]);
        assert_eq!(
            projects.unknown(&Matcher::exact("web-shop")).as_deref(),
            Some("no call has project 'web-shop'; there are: /home/a/web-shop, /home/b/web-shop")
        );
        assert_eq!(projects.unknown(&Matcher::exact("/srv/api")), None);
        assert_eq!(
            projects.unknown(&Matcher::new("web-*")).as_deref(),
            Some("no call has project 'web-*'; did you mean '*web-*'?")
        );
        for known in ["*", "/home/*", "*/api"] {
            assert_eq!(projects.unknown(&Matcher::new(known)), None, "{known}");
        }
        assert_eq!(names(Dimension::User, &[]).unknown(&Matcher::exact("bob")), None, "before the first call");
    }
}
