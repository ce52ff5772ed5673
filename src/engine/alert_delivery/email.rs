//! Mail over SMTP.

use std::io::{BufRead as _, Read as _};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use lettre::message::header::{ContentType, HeaderName, HeaderValue};
use lettre::message::{Mailbox, MessageBuilder};
use lettre::transport::smtp;
use lettre::transport::smtp::authentication::{Credentials, DEFAULT_MECHANISMS};
use lettre::transport::smtp::client::{Certificate, SmtpConnection, TlsParameters};
use lettre::transport::smtp::commands::{Data, Mail, Rcpt};
use lettre::transport::smtp::extension::{ClientId, Extension, MailBodyParameter, MailParameter};

use super::channel::{Message, TIMEOUT};
use super::outside;
use crate::config::regular_file;
use crate::config::{Email, Env, Password, Tls};
use crate::domain::Label;
use crate::engine::process;
use crate::ledger::CLAIM_LASTS;

/// Maximum size of a certificate file in bytes. A file with all authorities has a quarter of that.
const CERTIFICATES: u64 = 1 << 20;
/// Maximum size of a password in bytes.
const PASSWORD: u64 = 4096;
/// Timeout for the program that prints the password. A person may have to unlock it.
const UNLOCK: Duration = Duration::from_secs(15);
/// How long all of it may take, with the password. Many servers wait for several seconds before they greet or accept a
/// recipient. A claim lasts longer, so that no other process sends the mail meanwhile.
const MOST: Duration = Duration::from_secs(25);
/// How long to wait for the server's last answer, after the mail.
const FAREWELL: Duration = Duration::from_secs(1);
const _: () = assert!(MOST.as_secs() + 2 * FAREWELL.as_secs() < CLAIM_LASTS.as_secs());

/// A mail that the server has accepted for somebody at least.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Handed {
    /// The recipients that it refused, and why.
    pub(super) refused: Option<String>,
    /// Those that it may accept later, because it does not know them yet, or takes fewer at once (451, 452), and why.
    pub(super) rest: Option<(Vec<String>, String)>,
}

/// Sends a mail and waits until the server has accepted it.
pub(super) fn send(email: &Email, message: &Message, env: &Env) -> Result<Handed, String> {
    send_within(MOST, email, message, env)
}

fn send_within(most: Duration, email: &Email, message: &Message, env: &Env) -> Result<Handed, String> {
    let at = format!("{}:{}", email.server, email.port);
    let mail = mail(email, message)?;
    let (done, outcome) = std::sync::mpsc::channel();
    let (email, env) = (email.clone(), env.clone());
    let until = Instant::now() + most;
    // On a thread: a server that sends a byte now and then is never silent for long enough to time out.
    let sending = move || done.send(conversation(&email, &mail, &env, until));
    std::thread::Builder::new().name("smtp".to_owned()).spawn(sending).map_err(|error| format!("{at}: {error}"))?;
    let late = |_| Err(format!("{at}: it did not accept the mail within {} seconds", most.as_secs()));
    outcome.recv_timeout(most + FAREWELL * 2).unwrap_or_else(late)
}

/// Talks to the server until this time.
fn conversation(email: &Email, mail: &lettre::Message, env: &Env, until: Instant) -> Result<Handed, String> {
    let at = format!("{}:{}", email.server, email.port);
    let failed = |error: &smtp::Error| format!("{at}: {}", with_causes(error));
    let tls = match email.tls {
        Tls::Tls | Tls::Starttls => Some(trusted(email, &at)?),
        Tls::None => None,
    };
    let at_once = tls.as_ref().filter(|_| email.tls == Tls::Tls);
    let login = match (&email.user, &email.password) {
        (Some(user), Some(password)) => Some(Credentials::new(user.clone(), read(password, env)?)),
        (Some(_) | None, _) => None,
    };
    let left = until.saturating_duration_since(Instant::now()).max(Duration::from_millis(1));
    let name = ClientId::default();
    let mut server = SmtpConnection::connect((email.server.as_str(), email.port), Some(left), &name, at_once, None)
        .map_err(|error| failed(&error))?;
    if let Some(tls) = tls.filter(|_| email.tls == Tls::Starttls) {
        server.starttls(&tls, &name).map_err(|error| failed(&error))?;
    }
    let outcome = login
        .map_or(Ok(()), |login| server.auth(DEFAULT_MECHANISMS, &login).map(drop))
        .map_err(|error| failed(&error))
        .and_then(|()| handed_over(&mut server, email, mail, until, &failed));
    let _ = server.set_timeout(Some(FAREWELL));
    server.abort();
    outcome
}

/// Hands the mail over to everybody whom the server accepts.
fn handed_over(
    server: &mut SmtpConnection,
    email: &Email,
    mail: &lettre::Message,
    until: Instant,
    failed: &impl Fn(&smtp::Error) -> String,
) -> Result<Handed, String> {
    let envelope = mail.envelope();
    let text = mail.formatted();
    let has = |what| server.server_info().supports_feature(what);
    let mut parameters = Vec::new();
    if envelope.from().into_iter().chain(envelope.to()).any(|address| !AsRef::<str>::as_ref(address).is_ascii()) {
        if !has(Extension::SmtpUtfEight) {
            return Err("an address has letters beyond ASCII, which the server does not know".to_owned());
        }
        parameters.push(MailParameter::SmtpUtfEight);
    }
    if !text.is_ascii() && has(Extension::EightBitMime) {
        parameters.push(MailParameter::Body(MailBodyParameter::EightBitMime));
    }
    server.command(Mail::new(envelope.from().cloned(), parameters)).map_err(|error| failed(&error))?;
    let (mut refused, mut delayed, mut later) = (Vec::new(), Vec::new(), Vec::new());
    for to in envelope.to() {
        match server.command(Rcpt::new(to.clone(), Vec::new())) {
            Ok(_) => {}
            Err(error) if error.status().is_some() => {
                let why = format!("{} for {}", failed(&error), Label::new(AsRef::<str>::as_ref(to)));
                if error.is_transient() {
                    delayed.push(why);
                    later.push(to);
                } else {
                    refused.push(why);
                }
            }
            Err(error) => return Err(failed(&error)),
        }
    }
    if refused.len() + delayed.len() == envelope.to().len() {
        refused.append(&mut delayed);
        return Err(refused.join("; "));
    }
    // Afterwards nobody waits for it any more, and it may be sent again.
    if Instant::now() >= until {
        return Err("it is too late".to_owned());
    }
    server.command(Data).and_then(|_| server.message(&text)).map_err(|error| failed(&error))?;
    let words = |all: Vec<String>| (!all.is_empty()).then(|| all.join("; "));
    let is_later = |to: &&String| to.parse::<Mailbox>().is_ok_and(|to| later.contains(&&to.email));
    let rest = words(delayed).map(|why| (email.to.iter().filter(is_later).cloned().collect(), why));
    Ok(Handed { refused: words(refused), rest })
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

#[cfg(test)]
mod tests {
    use std::io::Write as _;
    use std::net::TcpListener;

    use super::*;

    fn email(port: u16) -> Email {
        Email {
            server: "127.0.0.1".to_owned(),
            port,
            tls: Tls::None,
            ca_file: None,
            from: "tok@example.org".to_owned(),
            to: vec!["alice@example.org".to_owned()],
            user: None,
            password: None,
        }
    }

    #[test]
    fn a_server_that_sends_a_byte_now_and_then_is_left_in_time() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            // Within a greeting that goes on for hours. Ends once the client has left.
            while stream.write_all(b"220-wait\r\n").is_ok() {
                std::thread::sleep(Duration::from_millis(20));
            }
        });
        let (title, body) = ("title".to_owned(), "body".to_owned());
        let message =
            Message { title, body, is_table: false, id: "a".to_owned(), at: crate::domain::Instant::default() };
        let env = Env::empty(crate::domain::Instant::default());
        let began = Instant::now();
        let outcome = send_within(Duration::from_secs(1), &email(port), &message, &env);
        assert!(outcome.as_ref().is_err_and(|why| why.contains("within 1 seconds")), "{outcome:?}");
        assert!(began.elapsed() < Duration::from_secs(20), "{:?}", began.elapsed());
    }
}
