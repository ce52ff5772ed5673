//! Reads the `[server]` table.

use std::path::{Path, PathBuf};

use toml::de::DeTable;

use super::server::TOKEN_VARIABLE;
use super::toml_reader::{Node, Section, Walk};
use super::{Env, Server, Token, absolute, address};

/// Reads the table.
pub(crate) fn read(walk: &mut Walk<'_>, table: &DeTable<'_>, env: &Env) -> Server {
    let mut server = Server::default();
    let mut section = Section::new(table, "server", "server");
    let listen = section.get("listen");
    if let Some(node) = &listen {
        match node.text().and_then(|text| text.parse().ok()) {
            Some(address) => {
                server.listen = address;
                walk.came_from("server.listen", node.span.clone());
            }
            None => walk.error(
                node.span.clone(),
                format!(
                    "server: 'listen' is {}; give an address such as \"127.0.0.1:4318\"",
                    walk.describe_value(node)
                ),
            ),
        }
    }
    let has_token = read_token(walk, &mut section, &mut server, env);
    section.set(walk, &mut server.socket, "socket", "true or false", Node::truth);
    let mib = "a whole number of MiB from 1 to 1024";
    section.set(walk, &mut server.body_mib, "body_mib", mib, |node| within(node, 1, 1024));
    section.set(walk, &mut server.expanded_mib, "expanded_mib", mib, |node| within(node, 1, 1024));
    let connections = "a whole number from 1 to 10000";
    section.set(walk, &mut server.connections, "connections", connections, |node| within(node, 1, 10_000));
    let seconds = "a whole number of seconds from 1 to 600";
    section.set(walk, &mut server.timeout_seconds, "timeout_seconds", seconds, |node| within(node, 1, 600));
    section.set(walk, &mut server.metrics_names, "metrics_names", "true or false", Node::truth);
    server.otlp_endpoint = address::read(walk, &mut section, "server", "otlp_endpoint");
    let file = "a file with one header a line, such as \"~/.config/tokmeter/otlp-headers\"";
    server.otlp_headers_file = read_file(walk, &mut section, "otlp_headers_file", file, env);
    let interval = "a whole number of seconds from 1 to 86400";
    section.set(walk, &mut server.otlp_interval_seconds, "otlp_interval_seconds", interval, |node| {
        within(node, 1, 86_400)
    });
    section.finish(walk);
    if let Some(node) = listen.filter(|_| !server.listen.ip().is_loopback() && !has_token) {
        let why = "server: 'listen' can be reached from other machines, and there is no token; set 'token_file'";
        walk.warning(node.span, why);
    }
    server
}

/// True when clients must present a token, right or wrong.
fn read_token(walk: &mut Walk<'_>, section: &mut Section<'_, '_>, server: &mut Server, env: &Env) -> bool {
    let mut has_token = env.var(TOKEN_VARIABLE).is_some();
    if let Some(node) = section.get("token") {
        // The value is a secret: no message repeats it.
        match node.text().map(Token::new) {
            Some(_) if node.text() == Some("") => {}
            Some(Ok(token)) => {
                has_token = true;
                server.token = Some(token);
                walk.came_from("server.token", node.span);
            }
            Some(Err(why)) => {
                has_token = true;
                walk.error(node.span, format!("server: 'token' {why}"));
            }
            None => walk.error(node.span, "server: 'token' is not a text; give letters and digits in quotes"),
        }
    }
    let file = "a file whose first line is the token, such as \"~/.config/tokmeter/token\"";
    server.token_file = read_file(walk, section, "token_file", file, env);
    has_token || server.token_file.is_some()
}

/// Reads the path of a file; an empty one is none.
fn read_file(
    walk: &mut Walk<'_>,
    section: &mut Section<'_, '_>,
    key: &'static str,
    expected: &str,
    env: &Env,
) -> Option<PathBuf> {
    let path = section.read(walk, key, expected, |node| match node.text()? {
        "" => Some(None),
        text => {
            let path = Path::new(text);
            absolute::expanded(env, path).or_else(|| path.is_absolute().then(|| path.to_owned())).map(Some)
        }
    });
    path.flatten()
}

fn within(node: &Node<'_, '_>, least: u32, most: u32) -> Option<u32> {
    node.whole().and_then(|number| u32::try_from(number).ok()).filter(|number| (least..=most).contains(number))
}
