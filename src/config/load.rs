//! Builds [`Settings`] from a file's text, variables and flags, collecting all problems.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use toml::de::DeTable;

use super::diagnostic::{Source, quoted};
use super::origin::Origin;
use super::toml_reader::{Node, Section, Walk};
use super::values::{theme, word, zone};
use super::{
    Diagnostic, Env, FrameRate, KeyBinding, Overrides, Settings, Severity, Where, absolute, alerts, limits, plans,
    prices, server_table,
};
use crate::domain::{Label, TicketPattern};

/// A config file's text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigText {
    /// Path of the file.
    pub path: PathBuf,
    /// Its content, without byte order mark.
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
    /// The settings. Invalid ones have their defaults, so that a hook can go on with the valid ones.
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

    /// A problem with a setting found outside this room (a key, a placeholder), at the setting's position.
    pub fn problem(&self, key: &str, message: &str) -> Diagnostic {
        let at = match self.origins.get(key) {
            Some(Origin::File(place)) => Where::File(place.clone()),
            Some(Origin::Variable(name)) => Where::Variable(name),
            Some(Origin::Flag(name)) => Where::Flag(name),
            None => Where::Path(Label::new(key)),
        };
        Diagnostic::error(at, message)
    }

    /// Writes every problem with its source line and caret.
    ///
    /// # Errors
    /// When `out` cannot be written.
    pub fn report(&self, out: &mut dyn Write) -> io::Result<()> {
        self.problems.iter().try_for_each(|problem| problem.explain(out))
    }
}

/// Most pictures a second.
fn frame_rate(node: &Node<'_, '_>) -> Option<FrameRate> {
    if node.text() == Some("auto") {
        return Some(FrameRate::Auto);
    }
    let rate = node.whole().and_then(|rate| u8::try_from(rate).ok());
    rate.filter(|rate| (1..=60).contains(rate)).map(FrameRate::Most)
}

impl Settings {
    /// Loads the settings from a file's text, the environment and the flags. `themes` lists the valid theme names; if
    /// empty, themes are not checked.
    ///
    /// Reads no files: live reload reads the text and calls this again, and keeps the old settings when the new ones
    /// are unusable.
    pub fn load(file: Option<&ConfigText>, env: &Env, overrides: &Overrides, themes: &[&str]) -> Loaded {
        let mut settings = Self::defaults(env);
        let text = file.map_or("", |file| file.text.as_str());
        let mut walk = Walk::new(Source::new(file.map_or_else(|| Label::new(""), ConfigText::name), text));
        let (table, broken) = DeTable::parse_recoverable(text);
        for error in &broken {
            let span = error.span().unwrap_or(0..0);
            walk.error(span, error.message());
        }
        let syntax = std::mem::take(&mut walk.problems);
        settings.read_file(&mut walk, table.get_ref(), env, themes);
        let Walk { mut problems, mut origins, .. } = walk;
        // A line with a syntax error may parse as something unintended, and what follows as keys of another table.
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
        problems.sort_by_key(|problem| match &problem.at {
            Where::File(place) => (0, place.span.start),
            Where::Path(_) | Where::Variable(_) | Where::Flag(_) => (1, 0),
        });
        Loaded { settings, problems, origins }
    }

    fn read_file(&mut self, walk: &mut Walk<'_>, table: &DeTable<'_>, env: &Env, themes: &[&str]) {
        let mut top = Section::new(table, "", "");
        let name = "a name in quotes";
        let label =
            |node: &Node<'_, '_>| node.text().map(|text| Some(text).filter(|text| !text.is_empty()).map(Label::new));
        match top.read(walk, "user", name, label) {
            Some(Some(user)) => self.user = user,
            Some(None) => drop(walk.origins.remove("user")),
            None => {}
        }
        top.set(walk, &mut self.team, "team", name, label);
        top.set(walk, &mut self.org, "org", name, label);
        self.read_zone(walk, &mut top);
        top.choose(walk, &mut self.week_start, "week_start");
        let files = "a list of files and folders, such as [\"~/app/usage.jsonl\", \"/var/log/llm/\"]";
        read_paths(walk, &mut top, env, "logs", files, &mut self.logs);
        let homes = "a list of home folders, such as [\"/mnt/c/Users/kim\"]";
        read_paths(walk, &mut top, env, "homes", homes, &mut self.homes);
        self.read_theme(walk, &mut top, themes);
        top.choose(walk, &mut self.symbols, "symbols");
        top.choose(walk, &mut self.color, "color");
        top.set(walk, &mut self.mouse, "mouse", "true or false", Node::truth);
        top.set(walk, &mut self.frame_rate, "frame_rate", "\"auto\" or a whole number from 1 to 60", frame_rate);
        top.set(walk, &mut self.statusline, "statusline", "a text in quotes", |node| node.text().map(str::to_owned));
        top.choose(walk, &mut self.cost, "cost");
        top.set(walk, &mut self.warn_at, "warn_at", limits::PERCENTAGES, limits::percentages);
        if let Some(node) = top.get("limits") {
            self.limits = limits::read(walk, &node, env, &self.warn_at);
        }
        if let Some(table) = section(walk, &mut top, "alerts") {
            alerts::read(walk, Section::new(table, "alerts", "alerts"), env, &mut self.alerts);
        }
        if let Some(table) = section(walk, &mut top, "gate") {
            let mut gate = Section::new(table, "gate", "gate");
            gate.choose(walk, &mut self.gate.on_error, "on_error");
            if let Some(node) = gate.get("unpriced") {
                self.gate.unpriced = prices::unpriced(walk, &node);
                walk.came_from("gate.unpriced", node.span);
            }
            gate.finish(walk);
        }
        if let Some(table) = section(walk, &mut top, "server") {
            self.server = server_table::read(walk, table, env);
        }
        if let Some(node) = top.get("prices") {
            self.prices = prices::read(walk, &node);
        }
        if let Some(table) = section(walk, &mut top, "aliases") {
            self.aliases = named(walk, table, "aliases", "the name of a model in quotes", |node| {
                node.text().filter(|text| !text.is_empty()).map(str::to_owned)
            });
        }
        if let Some(table) = section(walk, &mut top, "attribution") {
            let mut attribution = Section::new(table, "attribution", "attribution");
            let expected = "a regular expression such as \"[A-Z]+-[0-9]+\"";
            attribution.set(walk, &mut self.ticket, "ticket", expected, |node| TicketPattern::new(node.text()?).ok());
            attribution.finish(walk);
        }
        if let Some(node) = top.get("plans") {
            self.plans = plans::read(walk, &node);
        }
        if let Some(table) = section(walk, &mut top, "keys") {
            let keys = named(walk, table, "keys", "a key or a list of keys, such as [\"q\", \"ctrl-c\"]", Node::texts);
            self.keys = keys.into_iter().map(|(action, keys)| KeyBinding { action, keys }).collect();
        }
        if let Some(table) = section(walk, &mut top, "proxy") {
            let mut proxy = Section::new(table, "proxy", "proxy");
            if let Some(table) = section(walk, &mut proxy, "upstreams") {
                let expected = "an address in quotes, such as \"https://api.openai.com\"";
                self.upstreams = named(walk, table, "proxy.upstreams", expected, |node| {
                    node.text().filter(|text| !text.is_empty()).map(str::to_owned)
                });
            }
            let file = "a file of certificates in PEM form, such as \"~/company-ca.pem\"";
            let path = proxy.read(walk, "ca_file", file, |node| match node.text()? {
                "" => Some(None),
                text => {
                    let path = Path::new(text);
                    absolute::expanded(env, path).or_else(|| path.is_absolute().then(|| path.to_owned())).map(Some)
                }
            });
            self.upstream_ca = path.flatten();
            proxy.finish(walk);
        }
        if let Some(table) = section(walk, &mut top, "views") {
            self.views = named(walk, table, "views", "a view and a filter, such as \"sessions api\"", |node| {
                node.text().map(str::to_owned)
            });
        }
        top.finish(walk);
    }

    fn read_zone(&mut self, walk: &mut Walk<'_>, top: &mut Section<'_, '_>) {
        let Some(node) = top.get("timezone") else { return };
        match node.text().map(zone) {
            Some(_) if node.text() == Some("") => {}
            Some(Ok(zone)) => {
                self.zone = zone;
                walk.came_from("timezone", node.span);
            }
            Some(Err(why)) => {
                walk.error(node.span.clone(), format!("'timezone' is {}, which is {why}", walk.describe_value(&node)));
            }
            None => walk.error(
                node.span.clone(),
                format!("'timezone' is {}; give a name such as \"Europe/Rome\"", walk.describe_value(&node)),
            ),
        }
    }

    fn read_theme(&mut self, walk: &mut Walk<'_>, top: &mut Section<'_, '_>, themes: &[&str]) {
        let Some(node) = top.get("theme") else { return };
        match node.text() {
            None => walk
                .error(node.span.clone(), format!("'theme' is {}; give a name in quotes", walk.describe_value(&node))),
            Some(text) => match theme(text, themes) {
                Ok(theme) => {
                    self.theme = theme;
                    walk.came_from("theme", node.span);
                }
                Err(why) => walk.error(node.span.clone(), why),
            },
        }
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

/// A list of paths, which must not depend on the working directory.
fn read_paths(
    walk: &mut Walk<'_>,
    top: &mut Section<'_, '_>,
    env: &Env,
    key: &'static str,
    expected: &str,
    into: &mut Vec<PathBuf>,
) {
    let Some(node) = top.get(key) else { return };
    if node.texts().is_none() {
        walk.error(node.span.clone(), format!("'{key}' is {}; give {expected}", walk.describe_value(&node)));
        return;
    }
    walk.came_from(key, node.span.clone());
    for item in node.list().unwrap_or_else(|| vec![node.clone()]) {
        let path = PathBuf::from(item.text().unwrap_or_default());
        match absolute::expanded(env, &path) {
            Some(path) => into.push(path),
            None if path.is_absolute() => into.push(path),
            None => {
                let why =
                    if path.starts_with("~") { "there is no home folder to begin at" } else { "relative to nothing" };
                let message =
                    format!("{key}: {} is {why}; give a path that begins with / or ~/", walk.describe_value(&item));
                walk.error(item.span.clone(), message);
            }
        }
    }
}

/// A nested table.
fn section<'n, 't>(walk: &mut Walk<'_>, top: &mut Section<'n, 't>, key: &'static str) -> Option<&'n DeTable<'t>> {
    let node = top.get(key)?;
    if node.table().is_none() {
        walk.error(node.span.clone(), format!("'{key}' is {}; give a table: [{key}]", walk.describe_value(&node)));
    }
    node.table()
}

/// A table keyed by user-defined names.
fn named<'n, 't, T>(
    walk: &mut Walk<'_>,
    table: &'n DeTable<'t>,
    path: &str,
    expected: &str,
    read: impl Fn(&Node<'n, 't>) -> Option<T>,
) -> Vec<(String, T)> {
    let mut all = Vec::new();
    for (key, value) in table {
        let (name, node) = (key.get_ref(), Node::new(value));
        if let Some(value) = read(&node) {
            walk.came_from(&format!("{path}.{name}"), node.span);
            all.push((name.to_string(), value));
        } else {
            walk.error(
                node.span.clone(),
                format!("{path}: {} is {}; give {expected}", quoted(name), walk.describe_value(&node)),
            );
        }
    }
    all.sort_by(|(one, _), (other, _)| one.cmp(other));
    all
}
