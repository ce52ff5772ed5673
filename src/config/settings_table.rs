//! The table of settings: the name of each, how its value is parsed, and how it is written. Tables keyed by
//! user-defined names (`[limits]`, `[prices]`, `[keys]`) and `[alerts.email]` are handled in files of their own.

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

pub(super) struct Setting {
    /// Dotted name: `alerts.bell`.
    pub(super) name: &'static str,
    read: Read,
    written: fn(&Settings) -> Option<String>,
}

type Read = fn(&mut Settings, &mut ValueReader<'_, '_, '_, '_>);

const fn setting(name: &'static str, read: Read, written: fn(&Settings) -> Option<String>) -> Setting {
    Setting { name, read, written }
}

impl Setting {
    /// Name of its table; empty at the top level.
    pub(super) fn table(&self) -> &'static str {
        self.name.rsplit_once('.').map_or("", |(table, _)| table)
    }

    /// Its name within the table.
    pub(super) fn key(&self) -> &'static str {
        self.name.rsplit_once('.').map_or(self.name, |(_, key)| key)
    }

    /// Its value as TOML; `None` if it is never written.
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

const NAME: &str = "a name in quotes";
const PATHS: &str = "a list of files and folders, such as [\"~/app/usage.jsonl\", \"/var/log/llm/\"]";
const HOMES: &str = "a list of home folders, such as [\"/mnt/c/Users/kim\"]";
const ZONE: &str = "a name such as \"Europe/Rome\"";
const PROGRAM: &str = "a program and its arguments, such as [\"notify-send\", \"{title}\", \"{body}\"]";
const TIME: &str = "a time of day such as \"08:00\", or \"\"";
const HOURS: &str = "hours such as \"22:00-07:00\", or \"\"";
const TOKEN_FILE: &str = "a file whose first line is the token, such as \"~/.config/tokmeter/token\"";
const HEADERS_FILE: &str = "a file with one header a line, such as \"~/.config/tokmeter/otlp-headers\"";
const CA_FILE: &str = "a file of certificates in PEM form, such as \"~/company-ca.pem\"";
const MIB: &str = "a whole number of MiB";
const SECONDS: &str = "a whole number of seconds";
const TICKET: &str = "a regular expression such as \"[A-Z]+-[0-9]+\"";
const LISTEN: &str = "an address such as \"127.0.0.1:4318\"";

/// Every setting with a fixed name, in the order of writing.
const SETTINGS: &[Setting] = &[
    setting("user", |s, r| r.user(s), |s| text(&s.user)),
    setting("team", |s, r| r.set_optional(&mut s.team, NAME, label), |s| name(s.team.as_ref())),
    setting("org", |s, r| r.set_optional(&mut s.org, NAME, label), |s| name(s.org.as_ref())),
    setting("timezone", |s, r| r.zone(s), |s| text(s.zone.name())),
    setting("week_start", |s, r| r.choose(&mut s.week_start), |s| text(s.week_start.word())),
    setting("logs", |s, r| r.paths(&mut s.logs, PATHS), |s| paths(&s.logs)),
    setting("homes", |s, r| r.paths(&mut s.homes, HOMES), |s| paths(&s.homes)),
    setting("theme", |s, r| r.theme(s), |s| text(&s.theme)),
    setting("symbols", |s, r| r.choose(&mut s.symbols), |s| text(s.symbols.word())),
    setting("color", |s, r| r.choose(&mut s.color), |s| text(s.color.word())),
    setting("mouse", |s, r| r.switch(&mut s.mouse), |s| plain(s.mouse)),
    setting(
        "frame_rate",
        |s, r| r.set(&mut s.frame_rate, "\"auto\" or a whole number from 1 to 60", frame_rate),
        |s| s.frame_rate.most().map_or_else(|| text("auto"), plain),
    ),
    setting(
        "statusline",
        |s, r| r.set(&mut s.statusline, "a text in quotes", |node| node.text().map(str::to_owned)),
        |s| text(&s.statusline),
    ),
    setting("cost", |s, r| r.choose(&mut s.cost), |s| text(s.cost.word())),
    setting(
        "warn_at",
        |s, r| r.set(&mut s.warn_at, limits::PERCENTAGES, limits::percentages),
        |s| Some(percentages(&s.warn_at)),
    ),
    setting("alerts.bell", |s, r| r.switch(&mut s.alerts.bell), |s| plain(s.alerts.bell)),
    setting("alerts.notify", |s, r| r.choose(&mut s.alerts.notify), |s| text(s.alerts.notify.word())),
    setting(
        "alerts.command",
        |s, r| r.set(&mut s.alerts.command, PROGRAM, Node::program),
        |s| Some(texts(&s.alerts.command)),
    ),
    setting("alerts.webhook", |s, r| r.address(&mut s.alerts.webhook), |s| optional(s.alerts.webhook.as_deref())),
    setting("alerts.slack", |s, r| r.address(&mut s.alerts.slack), |s| optional(s.alerts.slack.as_deref())),
    setting(
        "alerts.daily",
        |s, r| r.set_optional(&mut s.alerts.daily, TIME, time),
        |s| optional(s.alerts.daily.map(|at| at.format("%H:%M").to_string()).as_deref()),
    ),
    setting(
        "alerts.quiet",
        |s, r| r.set_optional(&mut s.alerts.quiet, HOURS, values::quiet),
        |s| {
            let hours = s.alerts.quiet.map(|at| format!("{}-{}", at.from.format("%H:%M"), at.until.format("%H:%M")));
            optional(hours.as_deref())
        },
    ),
    setting(
        "alerts.hysteresis",
        |s, r| r.whole(&mut s.alerts.hysteresis, "percentage points", 0..=100),
        |s| plain(s.alerts.hysteresis),
    ),
    setting("gate.on_error", |s, r| r.choose(&mut s.gate.on_error), |s| text(s.gate.on_error.word())),
    setting(
        "gate.unpriced",
        |s, r| {
            if let Some(node) = r.section.get(r.key) {
                s.gate.unpriced = prices::unpriced(r.reader, &node);
                r.reader.came_from(r.name, node.span);
            }
        },
        |s| s.gate.unpriced.as_ref().map(rate_table),
    ),
    setting(
        "server.listen",
        |s, r| r.set(&mut s.server.listen, LISTEN, |node| node.text()?.parse().ok()),
        |s| text(&s.server.listen.to_string()),
    ),
    // Secrets are not written.
    setting("server.token", |s, r| r.token(s), |_| None),
    setting(
        "server.token_file",
        |s, r| r.file(&mut s.server.token_file, TOKEN_FILE),
        |s| file(s.server.token_file.as_deref()),
    ),
    setting("server.socket", |s, r| r.switch(&mut s.server.socket), |s| plain(s.server.socket)),
    setting("server.body_mib", |s, r| r.whole(&mut s.server.body_mib, MIB, 1..=1024), |s| plain(s.server.body_mib)),
    setting(
        "server.expanded_mib",
        |s, r| r.whole(&mut s.server.expanded_mib, MIB, 1..=1024),
        |s| plain(s.server.expanded_mib),
    ),
    setting(
        "server.connections",
        |s, r| r.whole(&mut s.server.connections, "a whole number", 1..=10_000),
        |s| plain(s.server.connections),
    ),
    setting(
        "server.timeout_seconds",
        |s, r| r.whole(&mut s.server.timeout_seconds, SECONDS, 1..=600),
        |s| plain(s.server.timeout_seconds),
    ),
    setting("server.metrics_names", |s, r| r.switch(&mut s.server.metrics_names), |s| plain(s.server.metrics_names)),
    setting(
        "server.otlp_endpoint",
        |s, r| r.address(&mut s.server.otlp_endpoint),
        |s| optional(s.server.otlp_endpoint.as_deref()),
    ),
    setting(
        "server.otlp_headers_file",
        |s, r| r.file(&mut s.server.otlp_headers_file, HEADERS_FILE),
        |s| file(s.server.otlp_headers_file.as_deref()),
    ),
    setting(
        "server.otlp_interval_seconds",
        |s, r| r.whole(&mut s.server.otlp_interval_seconds, SECONDS, 1..=86_400),
        |s| plain(s.server.otlp_interval_seconds),
    ),
    setting(
        "attribution.ticket",
        |s, r| r.set(&mut s.ticket, TICKET, |node| TicketPattern::new(node.text()?).ok()),
        |s| text(s.ticket.as_str()),
    ),
    setting("proxy.ca_file", |s, r| r.file(&mut s.upstream_ca, CA_FILE), |s| file(s.upstream_ca.as_deref())),
];

#[expect(clippy::unnecessary_wraps, reason = "the readers of other texts can fail")]
fn label(text: &str) -> Option<Label> {
    Some(Label::new(text))
}

fn time(text: &str) -> Option<NaiveTime> {
    NaiveTime::parse_from_str(text, "%H:%M").ok()
}

/// Parses the maximum frames per second.
fn frame_rate(node: &Node<'_, '_>) -> Option<FrameRate> {
    if node.text() == Some("auto") { Some(FrameRate::Auto) } else { node.whole_in(1..=60).map(FrameRate::Most) }
}

#[expect(clippy::unnecessary_wraps, reason = "a setting may have no value that is written")]
fn text(text: &str) -> Option<String> {
    Some(toml_writer::text(text))
}

fn name(name: Option<&Label>) -> Option<String> {
    optional(name.map(Label::as_str))
}

/// A text, or an empty one if there is none.
fn optional(value: Option<&str>) -> Option<String> {
    text(value.unwrap_or_default())
}

/// A path, or an empty text if there is none.
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
