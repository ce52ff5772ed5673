//! Checks the `[server]` table as a whole.

use toml::de::DeTable;

use super::server::TOKEN_VARIABLE;
use super::toml_reader::{Node, TomlReader};
use super::{Env, Server};

/// Warns about an address that other machines can reach without a token.
pub(super) fn check(server: &Server, reader: &mut TomlReader<'_>, table: &DeTable<'_>, env: &Env) {
    let Some(listen) = table.get("listen").map(Node::new).filter(|_| !server.listen.ip().is_loopback()) else { return };
    // An invalid token has already been reported.
    let is_given = table.get("token").map(Node::new).and_then(|node| node.text()).is_some_and(|text| !text.is_empty());
    if !is_given && server.token_file.is_none() && env.var(TOKEN_VARIABLE).is_none() {
        let why = "server: 'listen' can be reached from other machines, and there is no token; set 'token_file'";
        reader.warning(listen.span, why);
    }
}
