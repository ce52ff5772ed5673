//! How mail is sent.

use std::path::PathBuf;

/// A mail server, and who writes to whom.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Email {
    /// Name or address of the server.
    pub server: String,
    /// Its port.
    pub port: u16,
    /// How the connection is encrypted.
    pub tls: Tls,
    /// Certificates to be trusted besides the usual ones.
    pub ca_file: Option<PathBuf>,
    /// The sender.
    pub from: String,
    /// The recipients.
    pub to: Vec<String>,
    /// Name to log in with.
    pub user: Option<String>,
    /// Where the password is.
    pub password: Option<Password>,
}

/// Where a password is read when it is needed; it is never kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Password {
    /// The first line of a file.
    File(PathBuf),
    /// The first line that a program prints.
    Command(Vec<String>),
}

/// How a connection is encrypted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Tls {
    /// From the beginning.
    Tls,
    /// By a command, before anything is told.
    #[default]
    Starttls,
    /// Not at all.
    None,
}

impl Tls {
    /// The usual port.
    pub(crate) fn port(self) -> u16 {
        match self {
            Self::Tls => 465,
            Self::Starttls => 587,
            Self::None => 25,
        }
    }
}
