//! The table of settings: the name of each, how its value is read, and how it is written. Tables keyed by names that
//! users choose (`[limits]`, `[prices]`, `[keys]`) and `[alerts.email]` are read and written by their own files.

mod value_reader;

use std::path::{Path, PathBuf};

use chrono::NaiveTime;

use super::toml_reader::{Node, Section, TomlReader};
use super::toml_writer::{self, percentages, rate_lines, texts};
use super::values::{self, Word};
use super::{Env, FrameRate, Settings, limits, prices};
use crate::domain::{Label, TicketPattern};
use crate::pricing::Rates;
use value_reader::ValueReader;

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
const HEADERS_FILE: &str = "a file with one header a line, such as \"~/.config/tokmeter/otlp-headers\"";
const CA_FILE: &str = "a file of certificates in PEM form, such as \"~/company-ca.pem\"";
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
        written: |s| file(s.server.token_file.as_deref()),
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
        name: "server.otlp_endpoint",
        read: |s, r| r.address(&mut s.server.otlp_endpoint),
        written: |s| optional(s.server.otlp_endpoint.as_deref()),
    },
    Setting {
        name: "server.otlp_headers_file",
        read: |s, r| r.file(&mut s.server.otlp_headers_file, HEADERS_FILE),
        written: |s| file(s.server.otlp_headers_file.as_deref()),
    },
    Setting {
        name: "server.otlp_interval_seconds",
        read: |s, r| {
            let expected = "a whole number of seconds from 1 to 86400";
            r.set(&mut s.server.otlp_interval_seconds, expected, |node| whole(node, 1, 86_400));
        },
        written: |s| plain(s.server.otlp_interval_seconds),
    },
    Setting {
        name: "attribution.ticket",
        read: |s, r| {
            let expected = "a regular expression such as \"[A-Z]+-[0-9]+\"";
            r.set(&mut s.ticket, expected, |node| TicketPattern::new(node.text()?).ok());
        },
        written: |s| text(s.ticket.as_str()),
    },
    Setting {
        name: "proxy.ca_file",
        read: |s, r| r.file(&mut s.upstream_ca, CA_FILE),
        written: |s| file(s.upstream_ca.as_deref()),
    },
];

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

/// A file; an empty text where there is none.
fn file(path: Option<&Path>) -> Option<String> {
    optional(path.map(Path::to_string_lossy).as_deref())
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
