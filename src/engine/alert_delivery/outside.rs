//! Delivery outside this process: desktop notification, user program, web hook. No shell is involved.

use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use serde::Serialize;

use super::channel::{Channel, Message, TIMEOUT};
use super::{AlertText, Later, UnderWay};
use crate::config::{Env, LimitKey};
use crate::domain::{Instant, Label, Zone};
use crate::engine::process;
use crate::meter::{About, Alert};
use crate::output::{LimitJson, QuotaJson};

/// Timeout for a program that forwards a message.
const PROGRAM: Duration = Duration::from_secs(20);

/// True when a notification program is installed.
pub(super) fn has_desktop(env: &Env) -> bool {
    notifier(env).is_some()
}

/// Shows a desktop notification.
pub(super) fn desktop(words: &AlertText, threshold: u8, env: &Env, later: &Later) -> Result<(), String> {
    let Some((program, is_mac)) = notifier(env) else {
        return Err("no desktop notification: neither notify-send nor osascript was found".to_owned());
    };
    let mut command = Command::new(program);
    if is_mac {
        let script = "display notification (item 2 of argv) with title (item 1 of argv)";
        command.args(["-e", "on run argv", "-e", script, "-e", "end run", &words.title, &words.body]);
    } else {
        let urgency = if threshold >= 100 { "critical" } else { "normal" };
        // Notification servers interpret the body as markup.
        let body = words.body.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
        command.args(["--app-name=tokmeter", "--urgency", urgency, "--", &words.title, &body]);
    }
    start(command, "the desktop notification", later)
}

/// The notification program, and whether it is macOS's `osascript`.
fn notifier(env: &Env) -> Option<(PathBuf, bool)> {
    let path = env.vars.get(std::ffi::OsStr::new("PATH"))?;
    let found = |name: &str| {
        std::env::split_paths(path).map(|folder| folder.join(name)).find(|path| path.is_absolute() && path.is_file())
    };
    if cfg!(target_os = "macos") {
        return found("osascript").map(|path| (path, true));
    }
    // Notifications need a session bus.
    let has_bus = env.var("DBUS_SESSION_BUS_ADDRESS").is_some() || env.var("XDG_RUNTIME_DIR").is_some();
    found("notify-send").filter(|_| has_bus).map(|path| (path, false))
}

/// Runs the user's program, with `{title}` and `{body}` in its arguments replaced.
pub(super) fn command(program: &str, arguments: &[String], words: &AlertText, later: &Later) -> Result<(), String> {
    let mut command = Command::new(program);
    command.args(arguments.iter().map(|argument| filled(argument, words)));
    start(command, &format!("alerts.command '{}'", Label::new(program)), later)
}

/// Runs the user's program with a message, and waits for it to succeed.
pub(super) fn run(program: &str, arguments: &[String], message: &Message) -> Result<(), String> {
    let words = AlertText { title: message.title.clone(), body: message.body.trim_end().to_owned() };
    let mut command = Command::new(program);
    command.args(arguments.iter().map(|argument| filled(argument, &words)));
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let name = Label::new(program);
    let child = process::spawn(&mut command).map_err(|error| format!("'{name}' could not be started: {error}"))?;
    ended(child, &name, PROGRAM)
}

/// Waits for a program to succeed. Kills it if it takes longer than `timeout`.
pub(super) fn ended(mut child: Child, name: &Label, timeout: Duration) -> Result<(), String> {
    let began = std::time::Instant::now();
    loop {
        match child.try_wait().map_err(|error| format!("'{name}': {error}"))? {
            Some(status) if status.success() => return Ok(()),
            Some(status) => return Err(format!("'{name}' ended with {status}")),
            None if began.elapsed() >= timeout => {
                let _ = child.kill();
                let _ = child.wait();
                return Err(format!("'{name}' did not end within {} seconds", timeout.as_secs()));
            }
            None => thread::sleep(Duration::from_millis(10)),
        }
    }
}

/// Replaces both placeholders in one pass, so that a `{body}` inside a title is left alone.
fn filled(argument: &str, words: &AlertText) -> String {
    let mut out = String::new();
    let mut rest = argument;
    while let Some(at) = rest.find('{') {
        out.push_str(&rest[..at]);
        rest = &rest[at..];
        if let Some(after) = rest.strip_prefix("{title}") {
            out.push_str(&words.title);
            rest = after;
        } else if let Some(after) = rest.strip_prefix("{body}") {
            out.push_str(&words.body);
            rest = after;
        } else {
            out.push('{');
            rest = &rest[1..];
        }
    }
    out + rest
}

/// Starts a program with its standard streams closed and reaps it on a thread.
fn start(mut command: Command, what: &str, later: &Later) -> Result<(), String> {
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let mut child = process::spawn(&mut command).map_err(|error| format!("{what} could not be started: {error}"))?;
    let (what, later) = (what.to_owned(), Later::clone(later));
    let watched = thread::Builder::new().name("alert".into()).spawn(move || match child.wait() {
        Ok(status) if status.success() => {}
        Ok(status) => (later.note)(format!("{what} ended with {status}")),
        Err(error) => (later.note)(format!("{what}: {error}")),
    });
    watched.map(drop).map_err(|error| error.to_string())
}

#[derive(Serialize)]
struct Post {
    schema: u8,
    title: String,
    body: String,
    threshold: u8,
    #[serde(skip_serializing_if = "Option::is_none")]
    limit: Option<LimitJson>,
    #[serde(skip_serializing_if = "Option::is_none")]
    provider_window: Option<QuotaJson>,
}

/// The alert as JSON.
pub(super) fn document(alert: &Alert, words: &AlertText, now: Instant, zone: Zone) -> serde_json::Result<String> {
    let (limit, provider_window) = match &alert.about {
        About::Limit(limit) => (Some(LimitJson::new(&LimitKey::from_limit(&limit.limit), limit, zone)), None),
        About::Quota(quota) => (None, Some(QuotaJson::new(quota, now, zone))),
    };
    serde_json::to_string(&Post {
        schema: 1,
        title: words.title.clone(),
        body: words.body.clone(),
        threshold: alert.threshold,
        limit,
        provider_window,
    })
}

/// Posts the alert as JSON on a thread.
pub(super) fn webhook(
    url: &str,
    alert: &Alert,
    words: &AlertText,
    now: Instant,
    zone: Zone,
    under_way: &Arc<UnderWay>,
) -> Result<(), String> {
    let json = document(alert, words, now, zone).map_err(|error| error.to_string())?;
    let url = url.to_owned();
    under_way
        .send("webhook", move || post(&url, &json).map(|()| None).map_err(|why| format!("alerts.webhook at {why}")))
}

/// A message other than an alert, as JSON.
pub(super) fn payload(message: &Message) -> String {
    serde_json::json!({"schema": 1, "title": message.title, "body": message.body}).to_string()
}

/// Sends an alert's message on a thread.
pub(super) fn send(mut channel: Channel, message: Message, env: &Env, under_way: &Arc<UnderWay>) -> Result<(), String> {
    let env = env.clone();
    under_way.send(channel.name(), move || channel.attempt(&message, &env))
}

/// Posts JSON and waits until it has been accepted.
///
/// # Errors
/// Why it was not accepted. The URL may contain a secret, so only its host is mentioned.
pub(super) fn post(url: &str, json: &str) -> Result<(), String> {
    let config = ureq::Agent::config_builder().timeout_global(Some(TIMEOUT)).max_redirects(0);
    let sent = config.build().new_agent().post(url).content_type("application/json").send(json.as_bytes());
    match sent {
        // A redirect is not followed, so nobody has received the message.
        Ok(answer) if !answer.status().is_success() => {
            Err(format!("{}: http status: {}", host(url), answer.status().as_u16()))
        }
        Ok(_) => Ok(()),
        Err(error) => Err(format!("{}: {}", host(url), Label::new(&error.to_string()))),
    }
}

/// The host of a URL.
pub(in crate::engine) fn host(url: &str) -> Label {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let host = rest.split(['/', '?', '#']).next().unwrap_or_default();
    Label::new(host.rsplit('@').next().unwrap_or_default())
}
