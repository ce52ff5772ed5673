//! The table of settings: the name of each, how its value is read, and how it is written. Tables keyed by names that
//! users choose (`[limits]`, `[prices]`, `[keys]`) and `[alerts.email]` are read and written by their own files.

use std::path::{Path, PathBuf};

use chrono::NaiveTime;

use super::toml_reader::{Node, Section, TomlReader};
use super::toml_writer::{self, percentages, rate_lines, texts};
use super::values::{self, Word};
use super::{Env, FrameRate, Settings, Token, absolute, limits, prices};
use crate::domain::{Label, TicketPattern};
use crate::pricing::Rates;

/// A setting.
pub(super) struct Setting {
    /// Dotted name: `alerts.bell`.
    pub(super) name: &'static str,
    read: fn(&mut Settings, &mut ValueReader<'_, '_, '_, '_>),
    written: fn(&Settings) -> Option<String>,
}

impl Setting {
    /// The name of the table that holds it; empty at the top level.
    pub(super) fn table(&self) -> &'static str {
        self.name.rsplit_once('.').map_or("", |(table, _)| table)
    }

    /// The name in its table.
    pub(super) fn key(&self) -> &'static str {
        self.name.rsplit_once('.').map_or(self.name, |(_, key)| key)
    }

    /// Its value as TOML; `None` for one that is not written.
    pub(super) fn written(&self, settings: &Settings) -> Option<String> {
        (self.written)(settings)
    }
}

/// The dotted name of every setting, with its value as TOML.
pub fn written_settings(settings: &Settings) -> impl Iterator<Item = (&'static str, Option<String>)> {
    SETTINGS.iter().map(|setting| (setting.name, setting.written(settings)))
}

/// The settings of a table, in order.
pub(super) fn of_table(table: &str) -> impl Iterator<Item = &'static Setting> {
    SETTINGS.iter().filter(move |setting| setting.table() == table)
}

/// Reads every setting of a table.
pub(super) fn read_table(
    settings: &mut Settings,
    reader: &mut TomlReader<'_>,
    section: &mut Section<'_, '_>,
    table: &str,
    (env, themes): (&Env, &[&str]),
) {
    for setting in of_table(table) {
        (setting.read)(
            settings,
            &mut ValueReader { reader, section, key: setting.key(), name: setting.name, env, themes },
        );
    }
}

const SWITCH: &str = "true or false";
const NAME: &str = "a name in quotes";
const PATHS: &str = "a list of files and folders, such as [\"~/app/usage.jsonl\", \"/var/log/llm/\"]";
const HOMES: &str = "a list of home folders, such as [\"/mnt/c/Users/kim\"]";
const ZONE: &str = "a name such as \"Europe/Rome\"";
const PROGRAM: &str = "a program and its arguments, such as [\"notify-send\", \"{title}\", \"{body}\"]";
const TIME: &str = "a time of day such as \"08:00\", or \"\"";
const HOURS: &str = "hours such as \"22:00-07:00\", or \"\"";
const MIB: &str = "a whole number of MiB from 1 to 1024";
const TOKEN_FILE: &str = "a file whose first line is the token, such as \"~/.config/tokmeter/token\"";
const LISTEN: &str = "an address such as \"127.0.0.1:4318\"";

/// Every setting with a name of its own, in the order in which they are written.
const SETTINGS: &[Setting] = &[
    Setting { name: "user", read: |s, r| r.user(s), written: |s| text(&s.user) },
    Setting { name: "team", read: |s, r| r.set_optional(&mut s.team, NAME, label), written: |s| name(s.team.as_ref()) },
    Setting { name: "org", read: |s, r| r.set_optional(&mut s.org, NAME, label), written: |s| name(s.org.as_ref()) },
    Setting { name: "timezone", read: |s, r| r.zone(s), written: |s| text(s.zone.name()) },
    Setting { name: "week_start", read: |s, r| r.choose(&mut s.week_start), written: |s| text(s.week_start.word()) },
    Setting { name: "logs", read: |s, r| r.paths(&mut s.logs, PATHS), written: |s| paths(&s.logs) },
    Setting { name: "homes", read: |s, r| r.paths(&mut s.homes, HOMES), written: |s| paths(&s.homes) },
    Setting { name: "theme", read: |s, r| r.theme(s), written: |s| text(&s.theme) },
    Setting { name: "symbols", read: |s, r| r.choose(&mut s.symbols), written: |s| text(s.symbols.word()) },
    Setting { name: "color", read: |s, r| r.choose(&mut s.color), written: |s| text(s.color.word()) },
    Setting { name: "mouse", read: |s, r| r.set(&mut s.mouse, SWITCH, Node::truth), written: |s| plain(s.mouse) },
    Setting {
        name: "frame_rate",
        read: |s, r| r.set(&mut s.frame_rate, "\"auto\" or a whole number from 1 to 60", frame_rate),
        written: |s| s.frame_rate.most().map_or_else(|| text("auto"), plain),
    },
    Setting {
        name: "statusline",
        read: |s, r| r.set(&mut s.statusline, "a text in quotes", |node| node.text().map(str::to_owned)),
        written: |s| text(&s.statusline),
    },
    Setting { name: "cost", read: |s, r| r.choose(&mut s.cost), written: |s| text(s.cost.word()) },
    Setting {
        name: "warn_at",
        read: |s, r| r.set(&mut s.warn_at, limits::PERCENTAGES, limits::percentages),
        written: |s| Some(percentages(&s.warn_at)),
    },
    Setting {
        name: "alerts.bell",
        read: |s, r| r.set(&mut s.alerts.bell, SWITCH, Node::truth),
        written: |s| plain(s.alerts.bell),
    },
    Setting {
        name: "alerts.notify",
        read: |s, r| r.choose(&mut s.alerts.notify),
        written: |s| text(s.alerts.notify.word()),
    },
    Setting {
        name: "alerts.command",
        read: |s, r| r.set(&mut s.alerts.command, PROGRAM, Node::program),
        written: |s| Some(texts(&s.alerts.command)),
    },
    Setting {
        name: "alerts.webhook",
        read: |s, r| r.address(&mut s.alerts.webhook),
        written: |s| optional(s.alerts.webhook.as_deref()),
    },
    Setting {
        name: "alerts.slack",
        read: |s, r| r.address(&mut s.alerts.slack),
        written: |s| optional(s.alerts.slack.as_deref()),
    },
    Setting {
        name: "alerts.daily",
        read: |s, r| r.set_optional(&mut s.alerts.daily, TIME, time),
        written: |s| optional(s.alerts.daily.map(|at| at.format("%H:%M").to_string()).as_deref()),
    },
    Setting {
        name: "alerts.quiet",
        read: |s, r| r.set_optional(&mut s.alerts.quiet, HOURS, values::quiet),
        written: |s| {
            let hours = s.alerts.quiet.map(|at| format!("{}-{}", at.from.format("%H:%M"), at.until.format("%H:%M")));
            optional(hours.as_deref())
        },
    },
    Setting {
        name: "alerts.hysteresis",
        read: |s, r| r.set(&mut s.alerts.hysteresis, "percentage points from 0 to 100", |node| whole(node, 0, 100)),
        written: |s| plain(s.alerts.hysteresis),
    },
    Setting {
        name: "gate.on_error",
        read: |s, r| r.choose(&mut s.gate.on_error),
        written: |s| text(s.gate.on_error.word()),
    },
    Setting {
        name: "gate.unpriced",
        read: |s, r| {
            if let Some(node) = r.section.get(r.key) {
                s.gate.unpriced = prices::unpriced(r.reader, &node);
                r.reader.came_from(r.name, node.span);
            }
        },
        written: |s| s.gate.unpriced.as_ref().map(rate_table),
    },
    Setting {
        name: "server.listen",
        read: |s, r| r.set(&mut s.server.listen, LISTEN, |node| node.text()?.parse().ok()),
        written: |s| text(&s.server.listen.to_string()),
    },
    // A secret is not written.
    Setting { name: "server.token", read: |s, r| r.token(s), written: |_| None },
    Setting {
        name: "server.token_file",
        read: |s, r| r.file(&mut s.server.token_file, TOKEN_FILE),
        written: |s| optional(s.server.token_file.as_deref().map(Path::to_string_lossy).as_deref()),
    },
    Setting {
        name: "server.socket",
        read: |s, r| r.set(&mut s.server.socket, SWITCH, Node::truth),
        written: |s| plain(s.server.socket),
    },
    Setting {
        name: "server.body_mib",
        read: |s, r| r.set(&mut s.server.body_mib, MIB, |node| whole(node, 1, 1024)),
        written: |s| plain(s.server.body_mib),
    },
    Setting {
        name: "server.expanded_mib",
        read: |s, r| r.set(&mut s.server.expanded_mib, MIB, |node| whole(node, 1, 1024)),
        written: |s| plain(s.server.expanded_mib),
    },
    Setting {
        name: "server.connections",
        read: |s, r| {
            r.set(&mut s.server.connections, "a whole number from 1 to 10000", |node| whole(node, 1, 10_000));
        },
        written: |s| plain(s.server.connections),
    },
    Setting {
        name: "server.timeout_seconds",
        read: |s, r| {
            let expected = "a whole number of seconds from 1 to 600";
            r.set(&mut s.server.timeout_seconds, expected, |node| whole(node, 1, 600));
        },
        written: |s| plain(s.server.timeout_seconds),
    },
    Setting {
        name: "server.metrics_names",
        read: |s, r| r.set(&mut s.server.metrics_names, SWITCH, Node::truth),
        written: |s| plain(s.server.metrics_names),
    },
    Setting {
        name: "attribution.ticket",
        read: |s, r| {
            let expected = "a regular expression such as \"[A-Z]+-[0-9]+\"";
            r.set(&mut s.ticket, expected, |node| TicketPattern::new(node.text()?).ok());
        },
        written: |s| text(s.ticket.as_str()),
    },
];

/// Reads the value of one key.
struct ValueReader<'r, 'w, 'n, 't> {
    reader: &'r mut TomlReader<'w>,
    section: &'r mut Section<'n, 't>,
    key: &'static str,
    name: &'static str,
    env: &'r Env,
    themes: &'r [&'r str],
}

impl<'n, 't> ValueReader<'_, '_, 'n, 't> {
    fn set<T>(&mut self, slot: &mut T, expected: &str, read: impl FnOnce(&Node<'n, 't>) -> Option<T>) {
        self.section.set(self.reader, slot, self.key, expected, read);
    }

    /// As [`ValueReader::set`], where an empty text is none.
    fn set_optional<T>(&mut self, slot: &mut Option<T>, expected: &str, read: impl FnOnce(&str) -> Option<T>) {
        self.set(slot, expected, |node| match node.text()? {
            "" => Some(None),
            text => read(text).map(Some),
        });
    }

    fn file(&mut self, slot: &mut Option<PathBuf>, expected: &str) {
        let env = self.env;
        self.set_optional(slot, expected, |text| {
            let path = Path::new(text);
            absolute::expanded(env, path).or_else(|| path.is_absolute().then(|| path.to_owned()))
        });
    }

    fn choose<T: Word>(&mut self, slot: &mut T) {
        self.section.choose(self.reader, slot, self.key);
    }

    /// An empty name is the login name, which is no setting of the file.
    fn user(&mut self, settings: &mut Settings) {
        let name =
            |node: &Node<'n, 't>| node.text().map(|text| Some(text).filter(|text| !text.is_empty()).map(Label::new));
        match self.section.read(self.reader, self.key, NAME, name) {
            Some(Some(user)) => settings.user = user,
            Some(None) => drop(self.reader.origins.remove(self.name)),
            None => {}
        }
    }

    /// An empty name is the system's zone.
    fn zone(&mut self, settings: &mut Settings) {
        let Some(node) = self.section.get(self.key) else { return };
        match node.text().map(values::zone) {
            Some(_) if node.text() == Some("") => {}
            Some(Ok(zone)) => {
                settings.zone = zone;
                self.reader.came_from(self.name, node.span);
            }
            Some(Err(why)) => self.wrong(&node, &format!(", which is {why}")),
            None => self.wrong(&node, &format!("; give {ZONE}")),
        }
    }

    fn theme(&mut self, settings: &mut Settings) {
        let Some(node) = self.section.get(self.key) else { return };
        match node.text().map(|text| values::theme(text, self.themes)) {
            Some(Ok(theme)) => {
                settings.theme = theme;
                self.reader.came_from(self.name, node.span);
            }
            Some(Err(why)) => self.reader.error(node.span, why),
            None => self.wrong(&node, &format!("; give {NAME}")),
        }
    }

    /// A list of paths, which must not depend on the working directory.
    fn paths(&mut self, slot: &mut Vec<PathBuf>, expected: &str) {
        let Some(node) = self.section.get(self.key) else { return };
        if node.texts().is_none() {
            self.wrong(&node, &format!("; give {expected}"));
            return;
        }
        self.reader.came_from(self.name, node.span.clone());
        for item in node.list().unwrap_or_else(|| vec![node.clone()]) {
            let path = PathBuf::from(item.text().unwrap_or_default());
            let Some(path) = absolute::expanded(self.env, &path).or_else(|| path.is_absolute().then(|| path.clone()))
            else {
                let is_home = path.starts_with("~");
                let why = if is_home { "there is no home folder to begin at" } else { "relative to nothing" };
                let value = self.reader.describe_value(&item);
                let give = "give a path that begins with / or ~/";
                self.reader.error(item.span.clone(), format!("{}: {value} is {why}; {give}", self.key));
                continue;
            };
            slot.push(path);
        }
    }

    /// The address of a web hook. It may be a secret: no message repeats it.
    fn address(&mut self, slot: &mut Option<String>) {
        let Some(node) = self.section.get(self.key) else { return };
        let is_address = |text: &str| {
            let rest = ["https://", "http://"].iter().find_map(|scheme| text.strip_prefix(scheme));
            rest.is_some_and(|rest| !rest.is_empty() && !rest.contains(char::is_control))
        };
        if let Some(text) = node.text().filter(|text| text.is_empty() || is_address(text)) {
            self.reader.came_from(self.name, node.span);
            *slot = Some(text.to_owned()).filter(|text| !text.is_empty());
        } else {
            let expected = "give an address that begins with https:// or http://, or \"\"";
            self.reader.error(node.span, format!("alerts: '{}' is no web address; {expected}", self.key));
        }
    }

    /// The value is a secret: no message repeats it.
    fn token(&mut self, settings: &mut Settings) {
        let Some(node) = self.section.get(self.key) else { return };
        match node.text().map(Token::new) {
            Some(_) if node.text() == Some("") => {}
            Some(Ok(token)) => {
                settings.server.token = Some(token);
                self.reader.came_from(self.name, node.span);
            }
            Some(Err(why)) => self.reader.error(node.span, format!("server: 'token' {why}")),
            None => self.reader.error(node.span, "server: 'token' is not a text; give letters and digits in quotes"),
        }
    }

    fn wrong(&mut self, node: &Node<'_, '_>, why: &str) {
        let message = format!("'{}' is {}{why}", self.key, self.reader.describe_value(node));
        self.reader.error(node.span.clone(), message);
    }
}

#[expect(clippy::unnecessary_wraps, reason = "the readers of other texts can fail")]
fn label(text: &str) -> Option<Label> {
    Some(Label::new(text))
}

fn time(text: &str) -> Option<NaiveTime> {
    NaiveTime::parse_from_str(text, "%H:%M").ok()
}

fn whole<T: TryFrom<i128>>(node: &Node<'_, '_>, least: i128, most: i128) -> Option<T> {
    node.whole().filter(|number| (least..=most).contains(number)).and_then(|number| T::try_from(number).ok())
}

/// Most pictures a second.
fn frame_rate(node: &Node<'_, '_>) -> Option<FrameRate> {
    if node.text() == Some("auto") { Some(FrameRate::Auto) } else { whole(node, 1, 60).map(FrameRate::Most) }
}

#[expect(clippy::unnecessary_wraps, reason = "a setting may have no value that is written")]
fn text(text: &str) -> Option<String> {
    Some(toml_writer::text(text))
}

fn name(name: Option<&Label>) -> Option<String> {
    optional(name.map(Label::as_str))
}

/// A text that is empty where there is none.
fn optional(value: Option<&str>) -> Option<String> {
    text(value.unwrap_or_default())
}

#[expect(clippy::unnecessary_wraps, reason = "a setting may have no value that is written")]
fn plain(value: impl ToString + Copy) -> Option<String> {
    Some(value.to_string())
}

#[expect(clippy::unnecessary_wraps, reason = "a setting may have no value that is written")]
fn paths(paths: &[PathBuf]) -> Option<String> {
    Some(texts(&paths.iter().map(|path| path.to_string_lossy().into_owned()).collect::<Vec<_>>()))
}

fn rate_table(rates: &Rates) -> String {
    let inner: Vec<String> = rate_lines(rates).into_iter().map(|(key, value)| format!("{key} = {value}")).collect();
    format!("{{ {} }}", inner.join(", "))
}
