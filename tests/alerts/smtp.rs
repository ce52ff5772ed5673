//! A mail server on this machine, for one test: accepts mail, or refuses it where the test says so.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, mpsc};

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};

/// A mail as it came.
#[derive(Debug)]
pub struct Mail {
    /// The commands before the text.
    pub commands: Vec<String>,
    pub text: String,
    /// Password and text came encrypted.
    pub is_encrypted: bool,
}

/// How a server encrypts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encryption {
    Never,
    AtOnce,
    WhenAsked,
}

/// A server's answers.
#[derive(Clone, Copy)]
pub struct Manners {
    /// Answer to the text of a mail.
    pub verdict: &'static str,
    /// Answer to a password.
    pub login: &'static str,
    pub encryption: Encryption,
}

/// A running server.
pub struct Server {
    pub port: u16,
    mails: mpsc::Receiver<Mail>,
}

impl Server {
    /// Starts one that answers the text of a mail with this line.
    pub fn start(verdict: &'static str) -> Self {
        Self::with(Manners { verdict, login: "235 fine", encryption: Encryption::Never })
    }

    pub fn with(manners: Manners) -> Self {
        Self::on(TcpListener::bind("127.0.0.1:0").unwrap(), manners)
    }

    pub fn on(listener: TcpListener, manners: Manners) -> Self {
        let port = listener.local_addr().unwrap().port();
        let (tell, mails) = mpsc::channel();
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let tell = tell.clone();
                // A client that leaves early has sent no mail.
                std::thread::spawn(move || serve(stream.unwrap(), manners).map(|mail| tell.send(mail)));
            }
        });
        Self { port, mails }
    }

    /// The next mail.
    pub fn mail(&self) -> Mail {
        self.mails.recv_timeout(std::time::Duration::from_secs(30)).expect("a mail")
    }

    /// True when no further mail has come.
    pub fn is_quiet(&self) -> bool {
        self.mails.try_recv().is_err()
    }
}

fn serve(stream: TcpStream, manners: Manners) -> Option<Mail> {
    let mut mail = Mail { commands: Vec::new(), text: String::new(), is_encrypted: false };
    if manners.encryption == Encryption::AtOnce {
        mail.is_encrypted = true;
        return talk(encrypted(stream), mail, manners).map(|(mail, _)| mail);
    }
    match talk(stream, mail, manners)? {
        (mail, Some(stream)) => {
            let mail = Mail { is_encrypted: true, ..mail };
            talk(encrypted(stream), mail, manners).map(|(mail, _)| mail)
        }
        (mail, None) => Some(mail),
    }
}

fn encrypted(stream: TcpStream) -> StreamOwned<ServerConnection, TcpStream> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/alerts/tls");
    let chain = CertificateDer::pem_file_iter(format!("{folder}/server.pem")).unwrap();
    let chain = chain.collect::<Result<_, _>>().unwrap();
    let key = PrivateKeyDer::from_pem_file(format!("{folder}/server.key")).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let config = config.with_no_client_auth().with_single_cert(chain, key).unwrap();
    StreamOwned::new(ServerConnection::new(Arc::new(config)).unwrap(), stream)
}

/// Talks to a client; the mail, and the stream where encryption is to begin.
fn talk<S: Read + Write>(stream: S, mut mail: Mail, manners: Manners) -> Option<(Mail, Option<S>)> {
    let mut reader = BufReader::new(stream);
    let offers_encryption = manners.encryption == Encryption::WhenAsked && !mail.is_encrypted;
    let mut taken = false;
    // After encryption has begun the client speaks first.
    let mut due =
        if manners.encryption == Encryption::WhenAsked && mail.is_encrypted { None } else { Some("220 test") };
    loop {
        if let Some(line) = due.take() {
            let writer = reader.get_mut();
            writer.write_all(format!("{line}\r\n").as_bytes()).and_then(|()| writer.flush()).ok()?;
        }
        let mut line = String::new();
        if reader.read_line(&mut line).ok()? == 0 {
            return taken.then_some((mail, None));
        }
        let command = line.trim_end().to_owned();
        let verb = command.split(' ').next().unwrap_or_default().to_uppercase();
        mail.commands.push(command);
        due = Some(match verb.as_str() {
            "EHLO" if offers_encryption => "250-test\r\n250-STARTTLS\r\n250 8BITMIME",
            "EHLO" => "250-test\r\n250-AUTH PLAIN LOGIN\r\n250 8BITMIME",
            "STARTTLS" if offers_encryption => {
                reader.get_mut().write_all(b"220 go on\r\n").ok()?;
                return Some((mail, Some(reader.into_inner())));
            }
            "AUTH" => manners.login,
            "RCPT" if mail.commands.last().is_some_and(|command| command.contains("nobody@")) => {
                "550 5.1.1 no such user"
            }
            "DATA" => {
                reader.get_mut().write_all(b"354 go on\r\n").and_then(|()| reader.get_mut().flush()).ok()?;
                loop {
                    let mut line = String::new();
                    reader.read_line(&mut line).ok()?;
                    if line == ".\r\n" {
                        break;
                    }
                    mail.text.push_str(&line);
                }
                taken = manners.verdict.starts_with("250");
                manners.verdict
            }
            "QUIT" => return taken.then_some((mail, None)),
            _ => "250 fine",
        });
    }
}
