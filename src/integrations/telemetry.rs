//! The settings that make an agent send its telemetry to a server: adding and removing them.
//!
//! Checked on 2026-11-27: Claude Code 2.1.332 reads variables from `env` in `settings.json`; Gemini CLI 0.61 reads
//! `telemetry` in its `settings.json`, and requires `target` to be `local` for a user's own endpoint; Codex 0.171 reads
//! `[otel] exporter` in `config.toml`, with the full path of the logs. Each sends log records of its calls.

use serde_json::{Value, json};

use super::claude_code::json_members::Members;

/// An agent whose settings are JSON.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum JsonAgent {
    /// Claude Code.
    Claude,
    /// Gemini CLI.
    Gemini,
}

impl JsonAgent {
    /// Name of the object that contains the settings.
    fn object(self) -> &'static str {
        match self {
            Self::Claude => "env",
            Self::Gemini => "telemetry",
        }
    }

    /// Name of the member that contains the address.
    fn address(self) -> &'static str {
        match self {
            Self::Claude => "OTEL_EXPORTER_OTLP_ENDPOINT",
            Self::Gemini => "otlpEndpoint",
        }
    }

    /// The members, including the address.
    fn members(self, url: &str) -> Vec<(&'static str, Value)> {
        match self {
            Self::Claude => vec![
                ("CLAUDE_CODE_ENABLE_TELEMETRY", json!("1")),
                ("OTEL_LOGS_EXPORTER", json!("otlp")),
                ("OTEL_METRICS_EXPORTER", json!("otlp")),
                ("OTEL_EXPORTER_OTLP_PROTOCOL", json!("http/protobuf")),
                (self.address(), json!(url)),
            ],
            Self::Gemini => vec![
                ("enabled", json!(true)),
                ("target", json!("local")),
                (self.address(), json!(url)),
                ("otlpProtocol", json!("http")),
                ("logPrompts", json!(false)),
            ],
        }
    }
}

/// Adds the members that send telemetry to this address.
///
/// # Errors
/// When the settings are not an object, or already send telemetry elsewhere.
pub(crate) fn add(agent: JsonAgent, text: &str, url: &str) -> Result<String, String> {
    let (mut all, mut inner) = read(agent, text)?;
    let mut is_changed = false;
    for (name, value) in agent.members(url) {
        let there = inner.get(name).map(|there| serde_json::from_str::<Value>(there).unwrap_or_default());
        match there {
            Some(there) if there == value => {}
            Some(there) if name == agent.address() => {
                return Err(format!("'{}.{name}' is {there}, and is left alone", agent.object()));
            }
            Some(_) | None => {
                inner.set(name, value.to_string());
                is_changed = true;
            }
        }
    }
    if !is_changed {
        return Ok(text.to_owned());
    }
    all.set(agent.object(), inner.write(1));
    Ok(format!("{}\n", all.write(0)))
}

/// The address to which the settings send telemetry, if they have every member for it.
pub(crate) fn address(agent: JsonAgent, text: &str) -> Option<String> {
    let (_, inner) = read(agent, text).ok()?;
    let url: String = serde_json::from_str(inner.get(agent.address())?).ok()?;
    add(agent, text, &url).is_ok_and(|same| same == text).then_some(url)
}

/// Removes the members that send telemetry to this address. Others stay.
///
/// # Errors
/// When the settings are not an object.
pub(crate) fn remove(agent: JsonAgent, text: &str, url: &str) -> Result<String, String> {
    let (mut all, mut inner) = read(agent, text)?;
    let is = |inner: &Members, name: &str, value: &Value| {
        inner.get(name).is_some_and(|there| serde_json::from_str::<Value>(there).is_ok_and(|there| there == *value))
    };
    if !is(&inner, agent.address(), &json!(url)) {
        return Ok(text.to_owned());
    }
    for (name, value) in agent.members(url) {
        if is(&inner, name, &value) {
            inner.remove(name);
        }
    }
    if inner.0.is_empty() {
        all.remove(agent.object());
    } else {
        all.set(agent.object(), inner.write(1));
    }
    Ok(format!("{}\n", all.write(0)))
}

fn read(agent: JsonAgent, text: &str) -> Result<(Members, Members), String> {
    let all = Members::read(text).map_err(|error| error.to_string())?;
    let name = agent.object();
    let inner = all.get(name).map(Members::read).transpose();
    let inner = inner.map_err(|_| format!("'{name}' is not an object; it is left alone"))?;
    Ok((all, inner.unwrap_or_default()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const URL: &str = "http://127.0.0.1:4318";

    #[test]
    fn what_is_added_is_taken_out_again_and_all_else_stays() {
        for agent in [JsonAgent::Claude, JsonAgent::Gemini] {
            for theirs in ["{}", r#"{"model":"opus","env":{"A":"b"},"telemetry":{"useCollector":true},"zeta":1.50}"#] {
                let added = add(agent, theirs, URL).unwrap();
                assert_eq!(add(agent, &added, URL).unwrap(), added, "adding twice is adding once");
                let value = |text: &str| serde_json::from_str::<Value>(text).unwrap();
                assert_eq!(value(&added)[agent.object()][agent.address()], URL);
                assert_eq!(value(&remove(agent, &added, URL).unwrap()), value(theirs));
                assert_eq!(remove(agent, theirs, URL).unwrap(), theirs);
                assert_eq!(remove(agent, &added, "http://other").unwrap(), added);
            }
        }
    }

    #[test]
    fn telemetry_that_goes_elsewhere_is_left_alone() {
        let elsewhere = add(JsonAgent::Claude, "{}", "https://collector.example").unwrap();
        assert!(add(JsonAgent::Claude, &elsewhere, URL).unwrap_err().contains("collector.example"));
        for wrong in ["[]", "{", r#"{"env":[]}"#] {
            assert!(add(JsonAgent::Claude, wrong, URL).is_err(), "{wrong}");
        }
    }
}
