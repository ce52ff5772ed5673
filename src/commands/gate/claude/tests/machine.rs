//! A separate home folder in which inputs are answered.

use std::path::Path;

use serde_json::{Value, json};

use crate::app::Context;
use crate::commands::gate::claude::*;
use crate::config::Env;
use crate::domain::Instant;

pub(super) fn now() -> Instant {
    "2026-11-22T13:02:00Z".parse().unwrap()
}

/// Answers inputs in a separate home folder with this config.
pub(super) struct Machine {
    pub(super) home: tempfile::TempDir,
}

impl Machine {
    pub(super) fn new(config: &str) -> Self {
        let home = tempfile::tempdir().unwrap();
        std::fs::write(home.path().join("config.toml"), config).unwrap();
        Self { home }
    }

    pub(super) fn env(&self) -> Env {
        let home = self.home.path().to_owned();
        Env { home: Some(home), login: "alice".to_owned(), cwd: "/w".into(), ..Env::empty(now()) }
    }

    /// Standard output and standard error for an input.
    pub(super) fn answer(&self, input: &[u8], data: Option<&Path>) -> (String, String) {
        let config = self.home.path().join("config.toml");
        let mut words = vec!["tokmeter", "gate", "--hook", "claude", "--config", config.to_str().unwrap()];
        words.extend(data.iter().flat_map(|data| ["--data-dir", data.to_str().unwrap()]));
        let words: Vec<std::ffi::OsString> = words.into_iter().map(Into::into).collect();
        let cli = crate::cli::parse(&words).unwrap();
        let (mut out, mut err) = (Vec::new(), Vec::new());
        let (mut context, loaded) = Context::open(&cli, self.env(), &mut out, &mut err).unwrap();
        let answer = reply(&mut context, &loaded, input).unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        (answer.map(|answer| answer.to_string()).unwrap_or_default(), text(err))
    }

    /// The answer to an event of session `s`, whose transcript contains one call with this many output tokens.
    pub(super) fn moment(&self, name: &str, output: u64) -> (Value, String) {
        let transcript = self.home.path().join("s.jsonl");
        let call = json!({
            "type": "assistant", "timestamp": "2026-11-22T12:00:00Z", "sessionId": "s", "uuid": "u", "cwd": "/w",
            "requestId": "req_1", "version": "2.1.0", "message": { "id": "msg_1", "model": "claude-opus-5", "role": "assistant",
            "type": "message", "usage": { "input_tokens": 0, "output_tokens": output } }
        });
        std::fs::write(&transcript, format!("{call}\n")).unwrap();
        let input = json!({
            "session_id": "s", "transcript_path": transcript, "cwd": "/w", "hook_event_name": name, "prompt": "go",
        });
        let data = self.home.path().join("data");
        let (answer, err) = self.answer(input.to_string().as_bytes(), Some(&data));
        (if answer.is_empty() { Value::Null } else { serde_json::from_str(&answer).unwrap() }, err)
    }
}
