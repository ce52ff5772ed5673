//! Names of limits: `user:alice:day` on the command line, `limits.users.alice.day` in the file.

use std::fmt;
use std::str::FromStr;

use chrono::Duration;

use super::Env;
use super::absolute::expanded;
use super::diagnostic::{quoted, suggestion};
use crate::domain::{Dimension, Label, Matcher, sort_by_key, without_slash};
use crate::meter::{Limit, Scope, Window};

/// Identifies a limit by scope and window.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LimitKey {
    /// Calls covered by the limit.
    pub scope: Scope,
    /// Period.
    pub window: Window,
}

/// Dimensions that limits can name, in display order, with their tables in the file.
pub(crate) const TABLES: [(Dimension, &str); 8] = [
    (Dimension::User, "users"),
    (Dimension::Team, "teams"),
    (Dimension::Org, "orgs"),
    (Dimension::Project, "projects"),
    (Dimension::Agent, "agents"),
    (Dimension::Feature, "features"),
    (Dimension::Source, "sources"),
    (Dimension::Model, "models"),
];

/// Named windows.
pub(crate) const WINDOWS: [(&str, Window); 9] = [
    ("call", Window::Call),
    ("session", Window::Session),
    ("run", Window::Run),
    ("block", Window::Block),
    ("hour", Window::Hour),
    ("day", Window::Day),
    ("week", Window::Week),
    ("month", Window::Month),
    ("total", Window::Total),
];

/// Longest rolling window, in hours: a leap year.
const LONGEST: i64 = 366 * 24;

impl LimitKey {
    /// The key of a configured limit.
    pub fn from_limit(limit: &Limit) -> Self {
        Self { scope: limit.scope.clone(), window: limit.window }
    }

    /// Projects as in calls: `~` stands for the home folder, and none ends with a slash.
    #[must_use]
    pub fn expanded(&self, env: &Env) -> Self {
        let named = |(dimension, names): &(Dimension, Matcher)| {
            let is_project = *dimension == Dimension::Project;
            (*dimension, if is_project { project(env, names.as_str()) } else { names.clone() })
        };
        let scope = Scope { only: self.scope.only.iter().map(named).collect(), each: self.scope.each };
        Self { scope, window: self.window }
    }

    /// The key with its window spelled as given: `user:alice:daily`.
    pub fn as_spelled(&self, given: &str) -> String {
        let (key, window) = (self.to_string(), given.rsplit(':').next().unwrap_or(given).to_lowercase());
        key.rsplit_once(':').map_or_else(|| window.clone(), |(names, _)| format!("{names}:{window}"))
    }

    /// Path of keys in the file: `limits`, `users`, `alice`, `day`.
    pub fn path(&self) -> Vec<String> {
        let mut path = vec!["limits".to_owned()];
        if self.scope.is_organisation() {
            path.push("org".to_owned());
        } else {
            for (dimension, names) in &self.scope.only {
                path.push(table_name(*dimension).to_owned());
                path.push(names.as_str().to_owned());
            }
        }
        path.push(self.window.to_string());
        path
    }
}

/// Name of a dimension's table; sessions have none, because their limits use the `session` window.
fn table_name(dimension: Dimension) -> &'static str {
    TABLES.iter().find(|(of, _)| *of == dimension).map_or("sessions", |(_, name)| name)
}

/// A scope from its pairs, sorted so that equal scopes compare equal.
pub(crate) fn scope(mut only: Vec<(Dimension, Matcher)>) -> Scope {
    sort_by_key(&mut only, |(dimension, _)| TABLES.iter().position(|(of, _)| of == dimension));
    let each = only.iter().any(|(_, names)| names.as_str() == "*");
    Scope { only, each }
}

/// A project's name or pattern: `~` stands for the home folder, and a slash at the end means nothing.
pub(super) fn project(env: &Env, name: &str) -> Matcher {
    match expanded(env, name.as_ref()) {
        Some(path) => matcher(Dimension::Project, &path.to_string_lossy()),
        None => matcher(Dimension::Project, without_slash(name)),
    }
}

/// A matcher with the name cleaned as in calls.
pub(crate) fn matcher(dimension: Dimension, name: &str) -> Matcher {
    let name = Label::new(name);
    if dimension == Dimension::Model { Matcher::model(&name) } else { Matcher::new(name.as_str()) }
}

/// Parses a window: `day`, `5h`, `7d`.
pub(crate) fn window(name: &str) -> Option<Window> {
    if let Some((_, window)) = WINDOWS.iter().find(|(known, _)| *known == name) {
        return Some(*window);
    }
    let (number, hours) =
        name.strip_suffix('h').map(|number| (number, 1)).or_else(|| Some((name.strip_suffix('d')?, 24)))?;
    let count: u16 = number.bytes().all(|byte| byte.is_ascii_digit()).then(|| number.parse().ok())??;
    let hours = i64::from(count) * hours;
    (1..=LONGEST).contains(&hours).then(|| Window::Rolling(Duration::hours(hours)))
}

/// A window in the adverb spelling of limit names: `daily`.
fn spelled(name: &str) -> Option<Window> {
    let periods = [Window::Hour, Window::Day, Window::Week, Window::Month];
    periods.into_iter().find(|window| window.adjective() == name)
}

/// Lists the windows, for messages.
pub(crate) fn windows() -> String {
    let names: Vec<&str> = WINDOWS.iter().map(|(name, _)| *name).collect();
    format!("{}, or a rolling one such as 5h or 7d", names.join(", "))
}

impl fmt::Display for LimitKey {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.scope.key(self.window))
    }
}

impl FromStr for LimitKey {
    type Err = String;

    /// Parses `day`, `5h`, `org:day`, `user:alice:day`, `user:alice:model:claude-opus-*:month`.
    ///
    /// A name may contain colons: it extends to the next dimension that is followed by a name. Windows may also be
    /// spelled `daily`, `weekly`, `monthly` or `hourly`. The case of windows and dimensions does not matter.
    fn from_str(text: &str) -> Result<Self, String> {
        let pieces: Vec<&str> = text.split(':').collect();
        let Some((last, mut rest)) = pieces.split_last() else { return Err("is empty".to_owned()) };
        let period = last.to_lowercase();
        let window = window(&period).or_else(|| spelled(&period)).ok_or_else(|| {
            let known = WINDOWS.iter().map(|(name, _)| *name);
            format!("{} is not a window; there are: {}{}", quoted(last), windows(), suggestion(&period, known))
        })?;
        if rest.iter().all(|piece| piece.eq_ignore_ascii_case("org")) && rest.len() == 1 {
            return Ok(Self { scope: Scope::organisation(), window });
        }
        let mut only = Vec::new();
        while let Some((first, names)) = rest.split_first() {
            let dimension = dimension(first).ok_or_else(|| {
                let known: Vec<&str> = TABLES.iter().map(|(dimension, _)| dimension.name()).collect();
                format!(
                    "{} cannot have a limit; there are: {}{}",
                    quoted(first),
                    known.join(", "),
                    suggestion(first, known.iter().copied())
                )
            })?;
            if only.iter().any(|(known, _)| *known == dimension) {
                return Err(format!("names two {}", table_name(dimension)));
            }
            // A name has at least one part.
            let more = names.iter().enumerate().skip(1);
            let length = more
                .filter(|(at, piece)| self::dimension(piece).is_some() && names.len() > at + 1)
                .map(|(at, _)| at)
                .next()
                .unwrap_or(names.len());
            let (name, after) = names.split_at(length);
            let name = name.join(":");
            if name.is_empty() {
                return Err(format!("names no {dimension}; write {dimension}:NAME:{last}"));
            }
            only.push((dimension, matcher(dimension, &name)));
            rest = after;
        }
        Ok(Self { scope: scope(only), window })
    }
}

/// The dimension for a word, singular or plural, if limits can name it.
fn dimension(word: &str) -> Option<Dimension> {
    let word = word.to_lowercase();
    TABLES.iter().find(|(dimension, table)| dimension.name() == word || *table == word).map(|(dimension, _)| *dimension)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn scopes_are_read_as_the_command_line_writes_them() {
        let cases = [
            ("day", "limits.day"),
            ("daily", "limits.day"),
            ("user:alice:weekly", "limits.users.alice.week"),
            ("monthly", "limits.month"),
            ("hourly", "limits.hour"),
            ("Daily", "limits.day"),
            ("DAY", "limits.day"),
            ("5H", "limits.5h"),
            ("Org:Day", "limits.org.day"),
            ("User:Alice:Weekly", "limits.users.Alice.week"),
            ("5h", "limits.5h"),
            ("48h", "limits.2d"),
            ("org:day", "limits.org.day"),
            ("org:acme:day", "limits.orgs.acme.day"),
            ("user:alice:day", "limits.users.alice.day"),
            ("model:claude-opus-*:user:alice:day", "limits.users.alice.models.claude-opus-*.day"),
            ("model:us.anthropic.x-v1:0:month", "limits.models.us.anthropic.x-v1:0.month"),
            ("user:model:day", "limits.users.model.day"),
            ("users:*:week", "limits.users.*.week"),
        ];
        for (text, path) in cases {
            assert_eq!(text.parse::<LimitKey>().map(|key| key.path().join(".")), Ok(path.to_owned()), "{text}");
        }
        assert!("users:*:week".parse::<LimitKey>().unwrap().scope.each);
        assert!(!"user:a*:week".parse::<LimitKey>().unwrap().scope.each);
        assert!("org:day".parse::<LimitKey>().unwrap().scope.is_organisation());
    }

    #[test]
    fn scopes_that_do_not_exist_are_refused_with_what_there_is() {
        let cases = [
            ("dya", "did you mean 'day'?"),
            ("0h", "is not a window"),
            ("9000h", "is not a window"),
            ("usr:alice:day", "did you mean 'user'?"),
            ("user:day", "write user:NAME:day"),
            ("user:a:user:b:day", "names two users"),
            ("session:x:day", "cannot have a limit"),
            ("", "is not a window"),
        ];
        for (text, expected) in cases {
            let why = text.parse::<LimitKey>().unwrap_err();
            assert!(why.contains(expected), "{text}: {why}");
        }
    }

    proptest! {
        #[test]
        fn what_is_written_reads_back(hours in 1_i64..=LONGEST, user in "[a-z*./]{1,8}", model in prop::option::of("[a-z0-9:*-]{1,8}x")) {
            let mut only = vec![(Dimension::User, matcher(Dimension::User, &user))];
            only.extend(model.map(|model| (Dimension::Model, matcher(Dimension::Model, &model))));
            let key = LimitKey { scope: scope(only), window: Window::Rolling(Duration::hours(hours)) };
            prop_assert_eq!(key.to_string().parse(), Ok(key));
        }
    }
}
