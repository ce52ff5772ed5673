//! Messages to people: by mail, to web hooks (including Slack-compatible ones), and through a program of their own.

use std::time::Duration;

use super::{email, outside, slack};
use crate::config::{Email, Env, Settings};
use crate::domain::{Instant, Label};

/// Timeout for one step of a delivery.
pub(super) const TIMEOUT: Duration = Duration::from_secs(5);

/// A way to reach somebody who is not at this terminal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Channel {
    Email(Box<Email>),
    /// The address of the hook, which is secret.
    Slack(String),
    /// The address, which is secret. It gets JSON with title and body.
    Webhook(String),
    /// A program and its arguments.
    Command(String, Vec<String>),
}

/// A text to send. Names from outside in it are labels and therefore printable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Message {
    /// One line.
    pub(crate) title: String,
    pub(crate) body: String,
    /// True if the body has columns.
    pub(crate) is_table: bool,
    /// The same for the same message, so that a mail sent twice can be recognised.
    pub(crate) id: String,
    pub(crate) at: Instant,
}

/// The outcome of a message that was accepted for somebody at least.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Accepted {
    /// Who does not get it, and why.
    pub(crate) note: Option<String>,
    /// The channel to those for whom it was not accepted yet, and the server's reason.
    pub(crate) rest: Option<(Channel, String)>,
}

impl Channel {
    /// Every channel configured for the digest.
    pub(crate) fn of_digest(settings: &Settings) -> Vec<Self> {
        let alerts = &settings.alerts;
        let command = alerts.command.split_first();
        let command = command.map(|(program, arguments)| Self::Command(program.clone(), arguments.to_vec()));
        Self::all(settings).into_iter().chain(alerts.webhook.clone().map(Self::Webhook)).chain(command).collect()
    }

    /// Every configured channel that gets an alert's text as a message.
    pub(crate) fn all(settings: &Settings) -> Vec<Self> {
        let email = settings.alerts.email.clone().map(|email| Self::Email(Box::new(email)));
        email.into_iter().chain(settings.alerts.slack.clone().map(Self::Slack)).collect()
    }

    /// Its name in the config.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::Email(_) => "email",
            Self::Slack(_) => "slack",
            Self::Webhook(_) => "webhook",
            Self::Command(..) => "command",
        }
    }

    /// The recipient, without secrets.
    pub(crate) fn recipient(&self) -> String {
        match self {
            Self::Email(email) => email.to.join(", "),
            Self::Slack(url) | Self::Webhook(url) => outside::host(url).to_string(),
            Self::Command(program, _) => Label::new(program).to_string(),
        }
    }

    /// Sends a message and waits until it has been accepted.
    ///
    /// # Errors
    /// Why it was not accepted, in a sentence without secrets.
    pub(crate) fn send(&self, message: &Message, env: &Env) -> Result<Accepted, String> {
        let named = |why| format!("alerts.{}: {why}", self.name());
        match self {
            Self::Email(email) => email::send(email, message, env).map(|email::Handed { refused, rest }| Accepted {
                note: refused.map(named),
                rest: rest.map(|(to, why)| (Self::Email(Box::new(Email { to, ..(**email).clone() })), named(why))),
            }),
            Self::Slack(url) => outside::post(url, &slack::payload(message)).map(|()| Accepted::default()),
            Self::Webhook(url) => outside::post(url, &outside::payload(message)).map(|()| Accepted::default()),
            Self::Command(program, arguments) => {
                outside::run(program, arguments, message).map(|()| Accepted::default())
            }
        }
        .map_err(named)
    }

    /// Sends a message like [`Channel::send`], and from then on only to those for whom it was not accepted yet. Returns
    /// a note on those who do not get it.
    ///
    /// # Errors
    /// Why it was not accepted for everybody who may still get it.
    pub(in crate::engine) fn attempt(&mut self, message: &Message, env: &Env) -> Result<Option<String>, String> {
        let Accepted { note, rest } = self.send(message, env)?;
        let Some((rest, why)) = rest else { return Ok(note) };
        *self = rest;
        Err(note.into_iter().chain([why]).collect::<Vec<_>>().join("; "))
    }
}
