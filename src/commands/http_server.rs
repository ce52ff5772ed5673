//! Binds and starts the HTTP server, for `serve` and `--listen`.

mod answers;
pub(super) mod proxy;

use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use crate::app::{Context, Exit, Failure};
use crate::config::server::TOKEN_VARIABLE;
use crate::config::{self, Token, regular_file};
use crate::domain::Label;
use crate::engine::{Destination, EngineClient, Exporter, owner_of};
use crate::server::http::{self, Server};

/// Maximum size of a token file in bytes.
const TOKEN_FILE: u64 = 4096;

/// The HTTP server and the metrics exporter. On shutdown, calls stop coming in before the last metrics are sent.
pub(super) struct Serving {
    pub(super) server: Server,
    _exporter: Option<Exporter>,
}

/// Starts the HTTP server on a bound address, and the metrics exporter to this destination.
pub(super) fn start(
    context: &Context<'_>,
    bound: Bound,
    destination: Option<Destination>,
    engine: EngineClient,
) -> Result<Serving, Failure> {
    let Bound { listener, token } = bound;
    let exporter = destination
        .map(|to| Exporter::start(to, engine.clone(), answers::measured::export, Arc::clone(&context.env.clock)))
        .transpose()
        .map_err(|error| Failure::new(Exit::Code(71), format!("no thread could be started: {error}")))?;
    let server = Server::start(http::Setup {
        listener,
        token,
        engine,
        answer: answers::answer,
        owner: owner_of(&context.settings),
        env: context.env.clone(),
        bounds: http::Bounds::from_settings(&context.settings.server),
    })
    .map_err(|error| Failure::new(Exit::Unavailable, format!("the HTTP server cannot start: {error}")))?;
    Ok(Serving { server, _exporter: exporter })
}

/// The metrics destination from the config.
///
/// # Errors
/// When the headers cannot be read: exit code 78.
pub(super) fn destination(context: &Context<'_>) -> Result<Option<Destination>, Failure> {
    let server = &context.settings.server;
    let Some(endpoint) = server.otlp_endpoint.clone() else { return Ok(None) };
    let headers = config::otlp_headers(server, &context.env).map_err(|why| Failure::new(Exit::Config, why))?;
    Ok(Some(Destination { endpoint, headers, interval: Duration::from_secs(server.otlp_interval_seconds.into()) }))
}

/// A bound address, and the token that clients must present.
pub(super) struct Bound {
    pub(super) listener: TcpListener,
    pub(super) token: Option<Token>,
}

/// Binds this address, or the one in the config.
///
/// # Errors
/// When it is not a loopback address and there is no token: exit code 78. When it cannot be bound: 69.
pub(super) fn listen(
    context: &Context<'_>,
    address: Option<SocketAddr>,
    file: Option<&Path>,
) -> Result<Bound, Failure> {
    let token = token(context, file)?;
    let address = address.unwrap_or(context.settings.server.listen);
    let unavailable = |why: String| Failure::new(Exit::Unavailable, why);
    if let Some(listener) = activated().map_err(|error| unavailable(format!("the supervisor's socket: {error}")))? {
        guard(listener.local_addr()?, token.as_ref())?;
        return Ok(Bound { listener, token });
    }
    guard(address, token.as_ref())?;
    let listener =
        TcpListener::bind(address).map_err(|error| unavailable(format!("cannot listen on {address}: {error}")))?;
    Ok(Bound { listener, token })
}

/// The listener that a supervisor has opened for this process (`LISTEN_FDS`), so that no connection is refused during
/// startup.
fn activated() -> std::io::Result<Option<TcpListener>> {
    listenfd::ListenFd::from_env().take_tcp_listener(0)
}

/// Rejects a non-loopback address without a token.
fn guard(address: SocketAddr, token: Option<&Token>) -> Result<(), Failure> {
    if address.ip().is_loopback() || token.is_some() {
        return Ok(());
    }
    let why = format!(
        "{address} can be reached from other machines; name a --token-file, set [server] token_file or {TOKEN_VARIABLE}, \
         or listen on 127.0.0.1"
    );
    Err(Failure::new(Exit::Config, why))
}

/// The token from the command line, the environment or the config.
fn token(context: &Context<'_>, file: Option<&Path>) -> Result<Option<Token>, Failure> {
    if let Some(file) = file {
        return from_file("--token-file", &context.absolute(file)).map(Some);
    }
    if let Some(token) = context.env.var(TOKEN_VARIABLE) {
        return Token::new(token).map(Some).map_err(|why| wrong(TOKEN_VARIABLE, &why));
    }
    let server = &context.settings.server;
    match &server.token_file {
        Some(file) => from_file("[server] token_file", file).map(Some),
        None => Ok(server.token.clone()),
    }
}

/// The token in a file that this flag or setting names.
fn from_file(setting: &str, path: &Path) -> Result<Token, Failure> {
    let name = Label::from_path(path);
    let text = regular_file::read_text(path, TOKEN_FILE)
        .map_err(|error| Failure::new(Exit::Config, format!("{setting}: {name} {}", regular_file::why(&error))))?;
    let line = text.lines().next().unwrap_or_default().trim();
    Token::new(line).map_err(|why| wrong(&name, &why))
}

fn wrong(from: &str, why: &str) -> Failure {
    Failure::new(Exit::Config, format!("the token in {from} {why}"))
}
