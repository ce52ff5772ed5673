//! Connections to the upstreams, which are kept open and shared.

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use hyper::Request;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::{Client as Pool, ResponseFuture};
use hyper_util::rt::{TokioExecutor, TokioTimer};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use rustls::{ClientConfig, RootCertStore};

use super::connection::Connector;
use super::headers::{HEAD_BYTES, HEADERS};
use super::request::Outgoing;

/// Timeout for establishing a connection.
const CONNECT: Duration = Duration::from_secs(30);
/// How long an idle connection is kept.
const IDLE: Duration = Duration::from_secs(90);

/// Sends requests. Redirects are not followed but passed to the client.
#[derive(Clone)]
pub(super) enum Client {
    /// For when no upstream needs TLS.
    Plain(Pool<Connector, Box<Outgoing>>),
    /// TLS with this machine's root certificates, and HTTP/2 if the upstream supports it.
    Secure(Pool<HttpsConnector<Connector>, Box<Outgoing>>),
}

/// TLS that also trusts the certificates in a file, in addition to the system's.
fn trusting(ca: &Path) -> io::Result<ClientConfig> {
    // The path is the user's own, and the cause reveals nothing of the content.
    let wrong = |why: String| io::Error::new(io::ErrorKind::InvalidInput, format!("proxy.ca_file: {why}"));
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    let mut count = 0;
    for certificate in CertificateDer::pem_file_iter(ca).map_err(|error| wrong(error.to_string()))? {
        let certificate = certificate.map_err(|error| wrong(error.to_string()))?;
        roots.add(certificate).map_err(|error| wrong(error.to_string()))?;
        count += 1;
    }
    if count == 0 {
        return Err(wrong("there is no certificate in PEM form in it".to_owned()));
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let builder = builder.map_err(|error| wrong(error.to_string()))?;
    Ok(builder.with_root_certificates(roots).with_no_client_auth())
}

impl Client {
    /// A client. `is_secure` means that some upstream is reached over TLS; `ca` is a file with further certificates to
    /// trust.
    ///
    /// # Errors
    /// When this machine has no trusted certificates, or the file contains none.
    pub(super) fn new(is_secure: bool, ca: Option<&Path>) -> io::Result<Self> {
        let mut http = HttpConnector::new();
        http.set_nodelay(true);
        http.set_connect_timeout(Some(CONNECT));
        http.set_keepalive(Some(IDLE));
        http.enforce_http(false);
        let connector = Connector(http);
        let mut builder = Pool::builder(TokioExecutor::new());
        builder.pool_timer(TokioTimer::new()).pool_idle_timeout(IDLE).http1_max_headers(HEADERS);
        builder.http2_max_header_list_size(HEAD_BYTES);
        if !is_secure {
            return Ok(Self::Plain(builder.build(connector)));
        }
        let tls = HttpsConnectorBuilder::new();
        let tls = match ca {
            None => tls.with_native_roots()?,
            Some(ca) => tls.with_tls_config(trusting(ca)?),
        };
        let https = tls.https_or_http().enable_all_versions().wrap_connector(connector);
        Ok(Self::Secure(builder.build(https)))
    }

    /// Sends a request. Its body is boxed, because each connection has a queue with room for dozens of requests.
    pub(super) fn send(&self, request: Request<Box<Outgoing>>) -> ResponseFuture {
        match self {
            Self::Plain(pool) => pool.request(request),
            Self::Secure(pool) => pool.request(request),
        }
    }
}
