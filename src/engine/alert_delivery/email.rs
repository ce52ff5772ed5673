//! Mail over SMTP.

use std::io::{BufRead as _, Read as _};
use std::process::{Command, Stdio};
use std::time::Duration;

use lettre::message::header::{ContentType, HeaderName, HeaderValue};
use lettre::message::{Mailbox, MessageBuilder};
use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::client::{Certificate, Tls as Encryption, TlsParameters};
use lettre::{SmtpTransport, Transport as _};

use super::channel::{Message, TIMEOUT};
use super::outside;
use crate::config::regular_file;
use crate::config::{Email, Env, Password, Tls};
use crate::domain::Label;
use crate::engine::process;

/// Maximum size of a certificate file in bytes. A file with all authorities has a quarter of that.
const CERTIFICATES: u64 = 1 << 20;
/// Maximum size of a password in bytes.
const PASSWORD: u64 = 4096;
/// Timeout for the program that prints the password. A person may have to unlock it.
const UNLOCK: Duration = Duration::from_secs(20);

/// Sends a mail and waits until the server has accepted it.
pub(super) fn send(email: &Email, message: &Message, env: &Env) -> Result<(), String> {
    let at = format!("{}:{}", email.server, email.port);
    let mail = mail(email, message)?;
    let tls = match email.tls {
        Tls::Tls => Encryption::Wrapper(trusted(email, &at)?),
        Tls::Starttls => Encryption::Required(trusted(email, &at)?),
        Tls::None => Encryption::None,
    };
    let builder = SmtpTransport::builder_dangerous(&email.server);
    let mut builder = builder.tls(tls).port(email.port).timeout(Some(TIMEOUT));
    if let (Some(user), Some(password)) = (&email.user, &email.password) {
        builder = builder.credentials(Credentials::new(user.clone(), read(password, env)?));
    }
    builder.build().send(&mail).map(drop).map_err(|error| format!("{at}: {}", with_causes(&error)))
}

/// The certificates that are accepted from a server.
fn trusted(email: &Email, at: &str) -> Result<TlsParameters, String> {
    let wrong = |error| format!("{at}: {}", with_causes(&error));
    let mut parameters = TlsParameters::builder(email.server.clone());
    if let Some(path) = &email.ca_file {
        let named = Label::from_path(path);
        let text = regular_file::read_text(path, CERTIFICATES)
            .map_err(|error| format!("{named} {}", regular_file::why(&error)))?;
        if !text.contains("-----BEGIN CERTIFICATE-----") {
            return Err(format!("{named} has no certificates in PEM"));
        }
        let certificate =
            Certificate::from_pem(text.as_bytes()).map_err(|error| format!("{named}: {}", with_causes(&error)))?;
        parameters = parameters.add_root_certificate(certificate);
    }
    parameters.build().map_err(wrong)
}

/// The error and its causes. Text from a server is from outside.
fn with_causes(error: &dyn std::error::Error) -> Label {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let more = error.to_string();
        if !text.contains(&more) {
            text = format!("{text}: {more}");
        }
        cause = error.source();
    }
    Label::new(&text)
}

/// The mail, plain text.
fn mail(email: &Email, message: &Message) -> Result<lettre::Message, String> {
    let mailbox = |text: &String| text.parse::<Mailbox>().map_err(|error| format!("{}: {error}", Label::new(text)));
    let from = mailbox(&email.from)?;
    let id = format!("<{:016x}.tokmeter@{}>", xxhash_rust::xxh3::xxh3_64(message.id.as_bytes()), from.email.domain());
    let header =
        |name: &'static str, value: &str| HeaderValue::new(HeaderName::new_from_ascii_str(name), value.to_owned());
    let mut builder: MessageBuilder = lettre::Message::builder()
        .from(from)
        .subject(message.title.clone())
        .date(message.at.into())
        .message_id(Some(id))
        // Prevents automatic replies from a mailbox whose owner is away.
        .raw_header(header("Auto-Submitted", "auto-generated"))
        .header(ContentType::TEXT_PLAIN);
    for to in &email.to {
        builder = builder.to(mailbox(to)?);
    }
    builder.body(format!("{}\n", message.body.trim_end())).map_err(|error| error.to_string())
}

/// Reads the password from its source.
fn read(password: &Password, env: &Env) -> Result<String, String> {
    let text = match password {
        Password::File(path) => {
            let named = Label::from_path(path);
            regular_file::read_text(path, PASSWORD).map_err(|error| format!("{named} {}", regular_file::why(&error)))?
        }
        Password::Command(argv) => printed(argv, env)?,
    };
    let line = text.lines().next().unwrap_or_default().to_owned();
    if line.is_empty() { Err("the password is empty".to_owned()) } else { Ok(line) }
}

/// The output of a program, which is a password. No message repeats it.
fn printed(argv: &[String], env: &Env) -> Result<String, String> {
    let (program, arguments) = argv.split_first().ok_or("password_command is empty")?;
    let name = Label::new(program);
    let mut command = Command::new(program);
    command.args(arguments).current_dir(env.home.as_deref().unwrap_or(&env.cwd));
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut child = process::spawn(&mut command).map_err(|error| format!("'{name}' could not be started: {error}"))?;
    let output = child.stdout.take();
    let (printed, reading) = std::sync::mpsc::channel();
    // On a thread: a process that the program leaves behind may keep its output open.
    std::thread::spawn(move || {
        let mut output = std::io::BufReader::new(output?);
        let mut line = Vec::new();
        let _ = output.by_ref().take(PASSWORD).read_until(b'\n', &mut line);
        let _ = printed.send(line);
        std::io::copy(&mut output, &mut std::io::sink()).ok()
    });
    outside::ended(child, &name, UNLOCK)?;
    let line = reading.recv_timeout(TIMEOUT).unwrap_or_default();
    String::from_utf8(line).map_err(|_| format!("'{name}' printed no text"))
}
