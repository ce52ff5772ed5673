//! The table `[alerts]` of the config, with `[alerts.email]`.

use std::path::PathBuf;

use chrono::NaiveTime;

use super::toml_reader::{Node, Section, Walk};
use super::values::quiet;
use super::{Alerts, Email, Env, Password, Tls, absolute};

/// Recipients of a mail.
const MOST_RECIPIENTS: usize = 20;
const ADDRESS: &str = "an address such as \"alice@example.com\" or \"Alice <alice@example.com>\"";
/// Keys that people try, and must not use.
const SECRETS: [&str; 3] = ["password", "pass", "secret"];

/// Reads the table.
pub(super) fn read(walk: &mut Walk<'_>, mut section: Section<'_, '_>, env: &Env, alerts: &mut Alerts) {
    section.set(walk, &mut alerts.bell, "bell", "true or false", Node::truth);
    section.choose(walk, &mut alerts.notify, "notify");
    let command = "a program and its arguments, such as [\"notify-send\", \"{title}\", \"{body}\"]";
    section.set(walk, &mut alerts.command, "command", command, program);
    alerts.webhook = address(walk, &mut section, "webhook");
    alerts.slack = address(walk, &mut section, "slack");
    let hours = "hours such as \"22:00-07:00\", or \"\"";
    section.set(walk, &mut alerts.quiet, "quiet", hours, |node| match node.text()? {
        "" => Some(None),
        text => quiet(text).map(Some),
    });
    section.set(walk, &mut alerts.hysteresis, "hysteresis", "percentage points from 0 to 100", |node| {
        node.whole().and_then(|number| u8::try_from(number).ok()).filter(|points| *points <= 100)
    });
    let email = section.get("email");
    alerts.email = email.as_ref().and_then(|node| read_email(walk, node, env));
    let daily = section.get("daily");
    let time = "a time of day such as \"08:00\", or \"\"";
    section.set(walk, &mut alerts.daily, "daily", time, |node| match node.text()? {
        "" => Some(None),
        text => NaiveTime::parse_from_str(text, "%H:%M").ok().map(Some),
    });
    let is_heard = email.is_some() || alerts.slack.is_some() || alerts.webhook.is_some() || !alerts.command.is_empty();
    if let Some(node) = daily.filter(|_| alerts.daily.is_some() && !is_heard) {
        let ways = "'slack', 'webhook', 'command' or [alerts.email]";
        walk.warning(node.span, format!("alerts: 'daily' is sent to nobody; give {ways}"));
    }
    section.finish(walk);
}

/// An argument vector; an empty one is none.
fn program(node: &Node<'_, '_>) -> Option<Vec<String>> {
    node.list()?;
    node.texts().filter(|argv| argv.first().is_none_or(|program| !program.is_empty()))
}

/// The address of a web hook. It may be a secret: no message repeats it.
fn address(walk: &mut Walk<'_>, section: &mut Section<'_, '_>, key: &'static str) -> Option<String> {
    let node = section.get(key)?;
    let is_address = |text: &str| {
        let rest = ["https://", "http://"].iter().find_map(|scheme| text.strip_prefix(scheme));
        rest.is_some_and(|rest| !rest.is_empty() && !rest.contains(char::is_control))
    };
    match node.text() {
        Some(text) if text.is_empty() || is_address(text) => {
            walk.came_from(&format!("alerts.{key}"), node.span);
            Some(text.to_owned()).filter(|text| !text.is_empty())
        }
        Some(_) | None => {
            let expected = "give an address that begins with https:// or http://, or \"\"";
            walk.error(node.span, format!("alerts: '{key}' is no web address; {expected}"));
            None
        }
    }
}

/// Reads `[alerts.email]`; `None` when something that a mail needs is missing or wrong.
fn read_email(walk: &mut Walk<'_>, node: &Node<'_, '_>, env: &Env) -> Option<Email> {
    const NAME: &str = "alerts.email";
    let Some(table) = node.table() else {
        walk.error(node.span.clone(), format!("'{NAME}' is {}; give a table: [{NAME}]", walk.describe_value(node)));
        return None;
    };
    let mut section = Section::new(table, NAME, NAME);
    for secret in SECRETS {
        if let Some(found) = section.get(secret) {
            let why = "a password does not belong in the config; give 'password_file' or 'password_command'";
            walk.error(found.span, format!("{NAME}: {why}"));
        }
    }
    let host = "the name of a mail server, such as \"smtp.example.com\"";
    let server = section.read(walk, "server", host, |node| {
        let fits = |letter: char| letter.is_alphanumeric() || "-._:".contains(letter);
        node.text().filter(|name| !name.is_empty() && name.chars().all(fits)).map(str::to_owned)
    });
    let mut tls = Tls::default();
    let tls_node = section.get("tls");
    section.choose(walk, &mut tls, "tls");
    let port = section.read(walk, "port", "a port from 1 to 65535", |node| {
        node.whole().and_then(|number| u16::try_from(number).ok()).filter(|port| *port > 0)
    });
    let is_mailbox = |text: &String| text.parse::<lettre::message::Mailbox>().is_ok();
    let from = section.read(walk, "from", ADDRESS, |node| node.text().map(str::to_owned).filter(is_mailbox));
    let to = section.read(walk, "to", "one to 20 addresses, such as [\"alice@example.com\"]", |node| {
        node.texts().filter(|all| (1..=MOST_RECIPIENTS).contains(&all.len()) && all.iter().all(is_mailbox))
    });
    let user = section.read(walk, "user", "the name to log in with, or \"\"", |node| node.text().map(str::to_owned));
    let user = user.filter(|user| !user.is_empty());
    let path = |node: &Node<'_, '_>| {
        let path = PathBuf::from(node.text()?);
        absolute::expanded(env, &path).or_else(|| path.is_absolute().then_some(path))
    };
    let ca_file = section.read(walk, "ca_file", "a file, such as \"~/.smtp-ca.pem\"", path);
    let file = section.read(walk, "password_file", "a file, such as \"~/.smtp-password\"", path);
    let expected = "a program and its arguments, such as [\"pass\", \"show\", \"smtp\"]";
    let command = section.read(walk, "password_command", expected, program).filter(|argv| !argv.is_empty());
    section.finish(walk);
    let mut complete = true;
    for (key, is_there) in [("server", server.is_some()), ("from", from.is_some()), ("to", to.is_some())] {
        // A wrong one was reported already.
        if !is_there && !table.contains_key(key) {
            walk.error(node.span.clone(), format!("{NAME}: '{key}' is missing"));
        }
        complete &= is_there;
    }
    let password = match (file, command) {
        (Some(_), Some(_)) => {
            walk.error(node.span.clone(), format!("{NAME}: give 'password_file' or 'password_command', not both"));
            None
        }
        (Some(file), None) => Some(Password::File(file)),
        (None, Some(command)) => Some(Password::Command(command)),
        (None, None) => None,
    };
    if user.is_some() != password.is_some() {
        walk.error(node.span.clone(), format!("{NAME}: 'user' and its password go together"));
    }
    let is_local = |server: &str| ["localhost", "127.0.0.1", "::1"].contains(&server);
    if tls == Tls::None && user.is_some() && !server.as_deref().is_some_and(is_local) {
        let span = tls_node.map_or_else(|| node.span.clone(), |node| node.span);
        walk.error(span, format!("{NAME}: with tls = \"none\" everybody on the way can read the password"));
    }
    let (server, from, to) = (server?, from?, to?);
    complete.then(|| Email { server, port: port.unwrap_or(tls.port()), tls, ca_file, from, to, user, password })
}
