//! Builds [`Settings`] from a file's text, variables and flags, collecting all problems.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::path::PathBuf;

use toml::de::DeTable;

use super::diagnostic::{Source, quoted};
use super::origin::Origin;
use super::settings_table::read_table;
use super::toml_reader::{Node, Section, TomlReader};
use super::values::{theme, word, zone};
use super::{
    Diagnostic, Env, KeyBinding, Overrides, Settings, Severity, Where, alerts, limits, plans, prices, server_check,
};
use crate::domain::{Label, sort_by, sort_by_key};

/// A config file's text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigText {
    /// Path of the file.
    pub path: PathBuf,
    /// Its content, without the byte order mark.
    pub text: String,
}

impl ConfigText {
    /// File name for messages.
    pub fn name(&self) -> Label {
        Label::new(&self.path.to_string_lossy())
    }
}

/// Settings with all problems found while loading them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Loaded {
    /// The settings. Invalid ones keep their defaults, so that a hook can continue with the valid ones.
    pub settings: Settings,
    /// All problems, in order of position.
    pub problems: Vec<Diagnostic>,
    /// Origin of each setting that is not a default, by dotted name (`alerts.bell`, `limits.users.alice.day`).
    pub origins: BTreeMap<String, Origin>,
}

impl Loaded {
    /// True when the settings can be used: no problems, or only warnings unless `strict`.
    pub fn is_usable(&self, strict: bool) -> bool {
        self.problems.iter().all(|problem| !strict && problem.severity == Severity::Warning)
    }

    /// Reports a problem found outside this module (with a key binding or a placeholder) at the setting's position.
    pub fn problem(&self, key: &str, message: &str) -> Diagnostic {
        Diagnostic::error(self.place_of(key), message)
    }

    /// The same as a warning.
    pub(crate) fn warning(&self, key: &str, message: &str) -> Diagnostic {
        Diagnostic::warning(self.place_of(key), message)
    }

    fn place_of(&self, key: &str) -> Where {
        match self.origins.get(key) {
            Some(Origin::File(place)) => Where::File(place.clone()),
            Some(Origin::Variable(name)) => Where::Variable(name),
            Some(Origin::Flag(name)) => Where::Flag(name),
            None => Where::Path(Label::new(key)),
        }
    }

    /// Writes every problem with its source line and caret.
    ///
    /// # Errors
    /// When `out` cannot be written.
    pub fn report(&self, out: &mut dyn Write) -> io::Result<()> {
        self.problems.iter().try_for_each(|problem| problem.explain(out))
    }
}

impl Settings {
    /// Loads the settings from a file's text, the environment and the flags. `themes` lists the valid theme names; if
    /// empty, themes are not checked.
    ///
    /// Reads no files: live reload reads the text and calls this again, and keeps the old settings if the new ones are
    /// unusable.
    pub fn load(file: Option<&ConfigText>, env: &Env, overrides: &Overrides, themes: &[&str]) -> Loaded {
        let mut settings = Self::defaults(env);
        let text = file.map_or("", |file| file.text.as_str());
        let mut reader = TomlReader::new(Source::new(file.map_or_else(|| Label::new(""), ConfigText::name), text));
        let (table, broken) = DeTable::parse_recoverable(text);
        for error in &broken {
            let span = error.span().unwrap_or(0..0);
            reader.error(span, error.message());
        }
        let syntax = std::mem::take(&mut reader.problems);
        settings.read_file(&mut reader, table.get_ref(), env, themes);
        let TomlReader { mut problems, mut origins, .. } = reader;
        // A line with a syntax error may parse as something unintended, and the lines after it as keys of another
        // table.
        if !syntax.is_empty() {
            let broken = |problem: &Diagnostic| syntax.iter().any(|broken| broken.line() == problem.line());
            problems.retain(|problem| problem.severity == Severity::Error && !broken(problem));
        }
        problems.extend(syntax);
        settings.read_variables(env, themes, &mut problems, &mut origins);
        settings.read_flags(overrides, &mut problems, &mut origins);
        if !origins.contains_key("timezone") {
            let (_, warning) = env.zone();
            problems.extend(warning.map(|text| Diagnostic::warning(Where::Variable("TZ"), text)));
        }
        sort_by_key(&mut problems, |problem| match &problem.at {
            Where::File(place) => (0, place.span.start),
            Where::Path(_) | Where::Variable(_) | Where::Flag(_) => (1, 0),
        });
        Loaded { settings, problems, origins }
    }

    fn read_file(&mut self, reader: &mut TomlReader<'_>, table: &DeTable<'_>, env: &Env, themes: &[&str]) {
        let mut top = Section::new(table, "", "");
        let given = (env, themes);
        read_table(self, reader, &mut top, "", given);
        if let Some(node) = top.get("limits") {
            self.limits = limits::read(reader, &node, env, &self.warn_at);
        }
        if let Some(table) = section(reader, &mut top, "alerts") {
            let mut alerts = Section::new(table, "alerts", "alerts");
            read_table(self, reader, &mut alerts, "alerts", given);
            alerts::read(reader, alerts, env, &mut self.alerts);
        }
        for name in ["gate", "server", "attribution"] {
            if let Some(table) = section(reader, &mut top, name) {
                let mut section = Section::new(table, name, name);
                read_table(self, reader, &mut section, name, given);
                section.finish(reader);
                if name == "server" {
                    server_check::check(&self.server, reader, table, env);
                }
            }
        }
        if let Some(node) = top.get("prices") {
            self.prices = prices::read(reader, &node);
        }
        if let Some(table) = section(reader, &mut top, "aliases") {
            self.aliases = named(reader, table, "aliases", "the name of a model in quotes", |node| {
                node.text().filter(|text| !text.is_empty()).map(str::to_owned)
            });
        }
        if let Some(node) = top.get("plans") {
            self.plans = plans::read(reader, &node);
        }
        if let Some(table) = section(reader, &mut top, "keys") {
            let keys =
                named(reader, table, "keys", "a key or a list of keys, such as [\"q\", \"ctrl-c\"]", Node::texts);
            self.keys = keys.into_iter().map(|(action, keys)| KeyBinding { action, keys }).collect();
        }
        if let Some(table) = section(reader, &mut top, "proxy") {
            let mut proxy = Section::new(table, "proxy", "proxy");
            read_table(self, reader, &mut proxy, "proxy", given);
            if let Some(table) = section(reader, &mut proxy, "upstreams") {
                let expected = "an address in quotes, such as \"https://api.openai.com\"";
                self.upstreams = named(reader, table, "proxy.upstreams", expected, |node| {
                    node.text().filter(|text| !text.is_empty()).map(str::to_owned)
                });
            }
            proxy.finish(reader);
        }
        if let Some(table) = section(reader, &mut top, "views") {
            self.views = named(reader, table, "views", "a view and a filter, such as \"sessions api\"", |node| {
                node.text().map(str::to_owned)
            });
        }
        top.finish(reader);
    }

    fn read_variables(
        &mut self,
        env: &Env,
        themes: &[&str],
        problems: &mut Vec<Diagnostic>,
        origins: &mut BTreeMap<String, Origin>,
    ) {
        let mut variable = |name: &'static str, key: &str, take: &mut dyn FnMut(&str) -> Result<(), String>| {
            let Some(text) = env.var(name) else { return };
            match take(text) {
                Ok(()) => {
                    origins.insert(key.to_owned(), Origin::Variable(name));
                }
                Err(why) => problems.push(Diagnostic::error(Where::Variable(name), why)),
            }
        };
        variable("TOKMETER_USER", "user", &mut |text| {
            self.user = Label::new(text);
            Ok(())
        });
        variable("TOKMETER_TEAM", "team", &mut |text| {
            self.team = Some(Label::new(text));
            Ok(())
        });
        variable("TOKMETER_ORG", "org", &mut |text| {
            self.org = Some(Label::new(text));
            Ok(())
        });
        variable("TOKMETER_TZ", "timezone", &mut |text| {
            self.zone = zone(text).map_err(|why| format!("is {}, which is {why}", quoted(text)))?;
            Ok(())
        });
        variable("TOKMETER_THEME", "theme", &mut |text| {
            self.theme = theme(text, themes)?;
            Ok(())
        });
        variable("TOKMETER_SYMBOLS", "symbols", &mut |text| word(text).map(|symbols| self.symbols = symbols));
        variable("TOKMETER_COLOR", "color", &mut |text| word(text).map(|color| self.color = color));
        variable("TOKMETER_COST", "cost", &mut |text| word(text).map(|cost| self.cost = cost));
    }

    fn read_flags(
        &mut self,
        overrides: &Overrides,
        problems: &mut Vec<Diagnostic>,
        origins: &mut BTreeMap<String, Origin>,
    ) {
        if let Some(text) = &overrides.tz {
            match zone(text) {
                Ok(zone) => {
                    self.zone = zone;
                    origins.insert("timezone".to_owned(), Origin::Flag("--tz"));
                }
                Err(why) => {
                    problems.push(Diagnostic::error(Where::Flag("--tz"), format!("{} is {why}", quoted(text))));
                }
            }
        }
        if let Some(color) = overrides.color {
            self.color = color;
            origins.insert("color".to_owned(), Origin::Flag("--color"));
        }
    }
}

/// A nested table.
fn section<'n, 't>(
    reader: &mut TomlReader<'_>,
    top: &mut Section<'n, 't>,
    key: &'static str,
) -> Option<&'n DeTable<'t>> {
    let node = top.get(key)?;
    if node.table().is_none() {
        let header = top.path_of(key);
        let found = reader.describe_value(&node);
        reader.error(node.span.clone(), format!("'{key}' is {found}; give a table: [{header}]"));
    }
    node.table()
}

/// A table keyed by user-defined names.
fn named<'n, 't, T>(
    reader: &mut TomlReader<'_>,
    table: &'n DeTable<'t>,
    path: &str,
    expected: &str,
    read: impl Fn(&Node<'n, 't>) -> Option<T>,
) -> Vec<(String, T)> {
    let mut all = Vec::new();
    for (key, value) in table {
        let (name, node) = (key.get_ref(), Node::new(value));
        if let Some(value) = read(&node) {
            reader.came_from(&format!("{path}.{name}"), node.span);
            all.push((name.to_string(), value));
        } else {
            reader.error(
                node.span.clone(),
                format!("{path}: {} is {}; give {expected}", quoted(name), reader.describe_value(&node)),
            );
        }
    }
    sort_by(&mut all, |(one, _), (other, _)| one.cmp(other));
    all
}
