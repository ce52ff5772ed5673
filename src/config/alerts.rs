//! Reads the `[alerts.email]` table of the config.

use super::toml_reader::{Node, Section, TomlReader};
use super::{Alerts, Email, Env, Password, Tls};

/// Maximum recipients of a mail.
const MOST_RECIPIENTS: usize = 20;
const ADDRESS: &str = "an address such as \"alice@example.com\" or \"Alice <alice@example.com>\"";
/// Keys that people are likely to try, but that are not allowed.
const SECRETS: [&str; 3] = ["password", "pass", "secret"];

/// Reads `[alerts.email]` and checks that the digest has a channel to go to.
pub(super) fn read(reader: &mut TomlReader<'_>, mut section: Section<'_, '_>, env: &Env, alerts: &mut Alerts) {
    let email = section.get("email");
    alerts.email = email.as_ref().and_then(|node| read_email(reader, node, env));
    let daily = section.get("daily");
    let is_heard = email.is_some() || alerts.slack.is_some() || alerts.webhook.is_some() || !alerts.command.is_empty();
    if let Some(node) = daily.filter(|_| alerts.daily.is_some() && !is_heard) {
        let ways = "'slack', 'webhook', 'command' or [alerts.email]";
        reader.warning(node.span, format!("alerts: 'daily' is sent to nobody; give {ways}"));
    }
    section.finish(reader);
}

/// Reads `[alerts.email]`; `None` if a required setting is missing or invalid.
fn read_email(reader: &mut TomlReader<'_>, node: &Node<'_, '_>, env: &Env) -> Option<Email> {
    const NAME: &str = "alerts.email";
    let Some(table) = node.table() else {
        reader.error(node.span.clone(), format!("'{NAME}' is {}; give a table: [{NAME}]", reader.describe_value(node)));
        return None;
    };
    let mut section = Section::new(table, NAME, NAME);
    for secret in SECRETS {
        if let Some(found) = section.get(secret) {
            let why = "a password does not belong in the config; give 'password_file' or 'password_command'";
            reader.error(found.span, format!("{NAME}: {why}"));
        }
    }
    let host = "the name of a mail server, such as \"smtp.example.com\"";
    let server = section.read(reader, "server", host, |node| {
        let fits = |letter: char| letter.is_alphanumeric() || "-._:".contains(letter);
        node.text().filter(|name| !name.is_empty() && name.chars().all(fits)).map(str::to_owned)
    });
    let mut tls = Tls::default();
    let tls_node = section.get("tls");
    section.choose(reader, &mut tls, "tls");
    let port = section.read(reader, "port", "a port from 1 to 65535", |node| node.whole_in(1..=u16::MAX.into()));
    let is_mailbox = |text: &String| text.parse::<lettre::message::Mailbox>().is_ok();
    let from = section.read(reader, "from", ADDRESS, |node| node.text().map(str::to_owned).filter(is_mailbox));
    let to = section.read(reader, "to", "one to 20 addresses, such as [\"alice@example.com\"]", |node| {
        node.texts().filter(|all| (1..=MOST_RECIPIENTS).contains(&all.len()) && all.iter().all(is_mailbox))
    });
    let before = reader.problems.len();
    let user = section.read(reader, "user", "the name to log in with, or \"\"", |node| node.text().map(str::to_owned));
    let user = user.filter(|user| !user.is_empty());
    let path = |node: &Node<'_, '_>| node.path(env);
    let file = section.read(reader, "password_file", "a file, such as \"~/.smtp-password\"", path);
    let expected = "a program and its arguments, such as [\"pass\", \"show\", \"smtp\"]";
    let command = section.read(reader, "password_command", expected, Node::program).filter(|argv| !argv.is_empty());
    let is_login_clear = reader.problems.len() == before && !SECRETS.iter().any(|secret| table.contains_key(*secret));
    let ca_file = section.read(reader, "ca_file", "a file, such as \"~/.smtp-ca.pem\"", path);
    section.finish(reader);
    let mut complete = true;
    for (key, is_there) in [("server", server.is_some()), ("from", from.is_some()), ("to", to.is_some())] {
        // An invalid value has already been reported.
        if !is_there && !table.contains_key(key) {
            reader.error(node.span.clone(), format!("{NAME}: '{key}' is missing"));
        }
        complete &= is_there;
    }
    let is_twice = file.is_some() && command.is_some();
    let password = match (file, command) {
        (Some(_), Some(_)) => {
            reader.error(node.span.clone(), format!("{NAME}: give 'password_file' or 'password_command', not both"));
            None
        }
        (Some(file), None) => Some(Password::File(file)),
        (None, Some(command)) => Some(Password::Command(command)),
        (None, None) => None,
    };
    // What is wrong with one of them has already been reported.
    if is_login_clear && !is_twice && user.is_some() != password.is_some() {
        reader.error(node.span.clone(), format!("{NAME}: 'user' and its password go together"));
    }
    let is_local = |server: &str| ["localhost", "127.0.0.1", "::1"].contains(&server);
    if tls == Tls::None && user.is_some() && !server.as_deref().is_some_and(is_local) {
        let span = tls_node.map_or_else(|| node.span.clone(), |node| node.span);
        reader.error(span, format!("{NAME}: with tls = \"none\" everybody on the way can read the password"));
    }
    let (server, from, to) = (server?, from?, to?);
    complete.then(|| Email { server, port: port.unwrap_or(tls.port()), tls, ca_file, from, to, user, password })
}
