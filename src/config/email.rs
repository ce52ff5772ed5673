//! How mail is sent.

use std::path::PathBuf;

/// A mail server, with the sender and the recipients.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Email {
    /// Host name or address of the server.
    pub server: String,
    /// Port.
    pub port: u16,
    /// Encryption of the connection.
    pub tls: Tls,
    /// File of certificates to trust in addition to the system's.
    pub ca_file: Option<PathBuf>,
    /// The sender.
    pub from: String,
    /// The recipients.
    pub to: Vec<String>,
    /// Login name.
    pub user: Option<String>,
    /// Source of the password.
    pub password: Option<Password>,
}

/// Where to read the password when it is needed; it is never stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Password {
    /// The first line of a file.
    File(PathBuf),
    /// The first line of a program's output.
    Command(Vec<String>),
}

/// How a connection is encrypted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Tls {
    /// From the start.
    Tls,
    /// By STARTTLS, before anything else is sent.
    #[default]
    Starttls,
    /// Not at all.
    None,
}

impl Tls {
    /// The default port.
    pub(crate) fn port(self) -> u16 {
        match self {
            Self::Tls => 465,
            Self::Starttls => 587,
            Self::None => 25,
        }
    }
}
