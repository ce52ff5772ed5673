//! Settings of the HTTP server: its address, who has access, and its limits.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;

/// Variable that holds the token.
pub(crate) const TOKEN_VARIABLE: &str = "TOKMETER_TOKEN";

/// Settings of the HTTP server. They take effect when it starts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Server {
    /// Address to listen on if the command line names none.
    pub listen: SocketAddr,
    /// The token that clients must present.
    pub token: Option<Token>,
    /// File whose first line is the token; `~` is already expanded.
    pub token_file: Option<PathBuf>,
    /// Whether `serve` also listens on the Unix socket.
    pub socket: bool,
    /// Maximum size of a request body as received, in MiB.
    pub body_mib: u32,
    /// Maximum size of a decompressed body, in MiB.
    pub expanded_mib: u32,
    /// Maximum concurrent connections.
    pub connections: u32,
    /// Timeout for receiving a request, in seconds.
    pub timeout_seconds: u32,
    /// Whether metrics include the names of users, teams, projects and agents.
    pub metrics_names: bool,
    /// Address of the collector to send metrics to.
    pub otlp_endpoint: Option<String>,
    /// File with the headers of requests to the collector; `~` is already expanded.
    pub otlp_headers_file: Option<PathBuf>,
    /// Seconds between requests to the collector.
    pub otlp_interval_seconds: u32,
}

impl Default for Server {
    fn default() -> Self {
        Self {
            listen: SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 4318),
            token: None,
            token_file: None,
            socket: false,
            body_mib: 16,
            expanded_mib: 64,
            connections: 256,
            timeout_seconds: 30,
            metrics_names: false,
            otlp_endpoint: None,
            otlp_headers_file: None,
            otlp_interval_seconds: 60,
        }
    }
}

/// A secret that clients present. It is never displayed.
#[derive(Clone, PartialEq, Eq)]
pub struct Token(String);

impl Token {
    /// Minimum length of a token, in characters.
    pub(crate) const SHORTEST: usize = 16;

    /// Checks and wraps a token given by the user.
    ///
    /// # Errors
    /// When it is too short to be a secret or not allowed in a header. The error completes a sentence.
    pub fn new(text: &str) -> Result<Self, String> {
        if text.len() < Self::SHORTEST {
            return Err(format!("has fewer than {} characters", Self::SHORTEST));
        }
        if !text.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err("has characters that are not allowed in a header; use letters and digits".to_owned());
        }
        Ok(Self(text.to_owned()))
    }

    /// The secret itself, for comparison.
    pub(crate) fn bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("Token(…)")
    }
}
