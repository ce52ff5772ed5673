//! Binds and starts the HTTP server, for `serve` and `--listen`.

mod answers;
pub(super) mod proxy;

use std::net::{SocketAddr, TcpListener};
use std::path::Path;

use crate::app::{Context, Exit, Failure};
use crate::engine::Doors;
use crate::server::http::{self, Server, Token};

/// Variable with the token.
const TOKEN: &str = "TOKMETER_TOKEN";
/// Bytes of a token file.
const TOKEN_FILE: u64 = 4096;

/// Starts the HTTP server on a bound address.
pub(super) fn start(context: &Context<'_>, bound: Bound, doors: Doors) -> Result<Server, Failure> {
    let Bound { listener, token } = bound;
    Server::start(http::Setup {
        listener,
        token,
        doors,
        answer: answers::answer,
        user: context.settings.user.clone(),
        env: context.env.clone(),
    })
    .map_err(|error| Failure::new(Exit::Unavailable, format!("the HTTP server cannot start: {error}")))
}

/// A bound address, and the token that clients must present there.
pub(super) struct Bound {
    pub(super) listener: TcpListener,
    pub(super) token: Option<Token>,
}

/// Binds the address.
///
/// # Errors
/// When it is not a loopback address and there is no token: exit code 78. When it cannot be bound: 69.
pub(super) fn listen(context: &Context<'_>, address: SocketAddr, file: Option<&Path>) -> Result<Bound, Failure> {
    let token = token(context, file)?;
    if !address.ip().is_loopback() && token.is_none() {
        let why = format!(
            "{address} can be reached from other machines; name a --token-file or set {TOKEN}, or listen on 127.0.0.1"
        );
        return Err(Failure::new(Exit::Config, why));
    }
    let listener = TcpListener::bind(address)
        .map_err(|error| Failure::new(Exit::Unavailable, format!("cannot listen on {address}: {error}")))?;
    Ok(Bound { listener, token })
}

fn token(context: &Context<'_>, file: Option<&Path>) -> Result<Option<Token>, Failure> {
    let wrong = |from: &str, why: &str| Failure::new(Exit::Config, format!("the token in {from} {why}"));
    if let Some(file) = file {
        let path = context.absolute(file);
        let name = crate::domain::Label::from_path(&path);
        let text = crate::config::regular_file::read_text(&path, TOKEN_FILE)
            .map_err(|error| Failure::new(Exit::Config, format!("{name} {error}")))?;
        let line = text.lines().next().unwrap_or_default().trim();
        return Token::new(line).map(Some).map_err(|why| wrong(&name, &why));
    }
    match context.env.var(TOKEN).filter(|token| !token.is_empty()) {
        Some(token) => Token::new(token).map(Some).map_err(|why| wrong(TOKEN, &why)),
        None => Ok(None),
    }
}
