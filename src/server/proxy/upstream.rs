//! Connections to the upstreams, which are kept and shared.

use std::io;
use std::time::Duration;

use hyper::body::Incoming;
use hyper::{Request, Response};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::{Client as Pool, Error};
use hyper_util::rt::{TokioExecutor, TokioTimer};

use super::request::Outgoing;

/// Time for a connection to be made.
const CONNECT: Duration = Duration::from_secs(30);
/// How long an idle connection is kept.
const IDLE: Duration = Duration::from_secs(90);

/// Sends requests. Redirects are not followed: their answer goes to the client.
#[derive(Clone)]
pub(super) enum Client {
    /// Where no upstream needs TLS.
    Plain(Pool<HttpConnector, Outgoing>),
    /// TLS with the roots of this machine; HTTP/2 where the upstream has it.
    Secure(Pool<HttpsConnector<HttpConnector>, Outgoing>),
}

impl Client {
    /// A client; `is_secure` when any upstream is reached over TLS.
    ///
    /// # Errors
    /// When this machine trusts nobody.
    pub(super) fn new(is_secure: bool) -> io::Result<Self> {
        let mut http = HttpConnector::new();
        http.set_nodelay(true);
        http.set_connect_timeout(Some(CONNECT));
        http.set_keepalive(Some(IDLE));
        http.enforce_http(false);
        let mut builder = Pool::builder(TokioExecutor::new());
        builder.pool_timer(TokioTimer::new()).pool_idle_timeout(IDLE);
        if !is_secure {
            return Ok(Self::Plain(builder.build(http)));
        }
        let tls = HttpsConnectorBuilder::new().with_native_roots()?;
        let https = tls.https_or_http().enable_all_versions().wrap_connector(http);
        Ok(Self::Secure(builder.build(https)))
    }

    /// Sends a request.
    pub(super) async fn send(&self, request: Request<Outgoing>) -> Result<Response<Incoming>, Error> {
        match self {
            Self::Plain(pool) => pool.request(request).await,
            Self::Secure(pool) => pool.request(request).await,
        }
    }
}
