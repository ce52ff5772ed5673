//! The protocol: versions, the list of tools, tool calls, batches.

use serde_json::value::RawValue;
use serde_json::{Value, json};

use super::lines::LONGEST;
use super::messages::{Asked, INVALID, NO_METHOD, PARAMS, PARSE, Refusal, answer, refusal};
use super::tools::{Answer, Arguments, Tool};
use crate::app::Failure;

/// Versions of the protocol, newest first.
const VERSIONS: [&str; 3] = [NEWEST, "2025-03-26", "2024-11-05"];
/// The version offered to a client that asks for an unknown one.
const NEWEST: &str = "2025-06-18";

const INSTRUCTIONS: &str = "Tokens and cost of the coding agents on this machine, as tokmeter counts them. Read-only. \
    A leading ≥ marks a lower bound, ~ a guess, ? a model without a price.";

/// Answers a question with a tool.
pub(super) type Ask<'a> = &'a mut dyn FnMut(Tool, &Arguments) -> Result<Answer, Failure>;

/// The state of the connection to a client.
#[derive(Default)]
pub(super) struct Session {
    version: Option<&'static str>,
}

impl Session {
    /// The response to a line, without a line end; `None` if none is needed.
    pub(super) fn answer(&mut self, line: &[u8], ask: Ask<'_>) -> Option<String> {
        if line.len() > LONGEST {
            return Some(refusal("null", INVALID, "a message has at most 1 MiB"));
        }
        if line.trim_ascii().is_empty() {
            return None;
        }
        let parsed = std::str::from_utf8(line).map_err(|error| error.to_string()).and_then(|text| {
            let value = serde_json::from_str::<Value>(text).map_err(|error| error.to_string())?;
            Ok((text, value.is_array()))
        });
        match parsed {
            Err(error) => Some(refusal("null", PARSE, &format!("not JSON: {error}"))),
            Ok((text, true)) => self.batch(text, ask),
            Ok((text, false)) => self.message(text, ask),
        }
    }

    /// Handles batches, which were part of the protocol until June 2025.
    fn batch(&mut self, text: &str, ask: Ask<'_>) -> Option<String> {
        if self.version.is_none_or(|version| version == NEWEST) {
            return Some(refusal("null", INVALID, "this version of the protocol has no batches"));
        }
        let messages: Vec<&RawValue> = serde_json::from_str(text).unwrap_or_default();
        if messages.is_empty() {
            return Some(refusal("null", INVALID, "an empty batch"));
        }
        let answers: Vec<String> = messages.iter().filter_map(|message| self.message(message.get(), ask)).collect();
        (!answers.is_empty()).then(|| format!("[{}]", answers.join(",")))
    }

    fn message(&mut self, text: &str, ask: Ask<'_>) -> Option<String> {
        match Asked::read(text) {
            Asked::Silent => None,
            Asked::Invalid(id, why) => Some(refusal(&id, INVALID, why)),
            Asked::Request { id, method, params } => Some(match method.as_str() {
                "initialize" => answer(&id, self.initialize(params.as_ref())),
                "ping" => answer(&id, Ok(json!({}))),
                "tools/list" => answer(&id, list(params.as_ref())),
                "tools/call" => answer(&id, call(params, ask)),
                _ => refusal(&id, NO_METHOD, &format!("there is no method '{method}'")),
            }),
        }
    }

    fn initialize(&mut self, params: Option<&Value>) -> Result<Value, Refusal> {
        let asked = params.and_then(|params| params.get("protocolVersion")?.as_str());
        let asked = asked.ok_or_else(|| (PARAMS, "\"protocolVersion\" is missing".to_owned()))?;
        let version = VERSIONS.into_iter().find(|version| *version == asked).unwrap_or(NEWEST);
        self.version = Some(version);
        Ok(json!({
            "protocolVersion": version,
            "capabilities": {"tools": {"listChanged": false}},
            "serverInfo": {"name": "tokmeter", "title": "tokmeter", "version": env!("CARGO_PKG_VERSION")},
            "instructions": INSTRUCTIONS,
        }))
    }
}

fn list(params: Option<&Value>) -> Result<Value, Refusal> {
    if params.and_then(|params| params.get("cursor")).is_some_and(|cursor| !cursor.is_null()) {
        return Err((PARAMS, "the list has one page".to_owned()));
    }
    let tools: Vec<Value> = Tool::ALL.into_iter().map(Tool::description).collect();
    Ok(json!({"tools": tools}))
}

fn call(params: Option<Value>, ask: Ask<'_>) -> Result<Box<RawValue>, Refusal> {
    let Some(Value::Object(mut params)) = params else { return Err((PARAMS, "a tool must be named".to_owned())) };
    let name = params.get("name").and_then(Value::as_str).unwrap_or_default();
    let tool = Tool::ALL.into_iter().find(|tool| tool.name() == name);
    let tool = tool.ok_or_else(|| {
        let names = Tool::ALL.map(Tool::name).join(", ");
        (PARAMS, format!("there is no tool '{name}'; there are: {names}"))
    })?;
    let arguments = match params.remove("arguments") {
        None | Some(Value::Null) => Arguments::new(),
        Some(Value::Object(arguments)) => arguments,
        Some(_) => return Err((PARAMS, "\"arguments\" must be an object".to_owned())),
    };
    // A failing tool reports its error to the model, which can then ask a better question.
    let (text, rest) = match ask(tool, &arguments) {
        Ok(Answer { text, json }) => (text, format!(r#","structuredContent":{json},"isError":false"#)),
        Err(failure) => (crate::app::printable(&failure.message), r#","isError":true"#.to_owned()),
    };
    let content = json!([{"type": "text", "text": text}]);
    RawValue::from_string(format!(r#"{{"content":{content}{rest}}}"#)).map_err(|error| (PARSE, error.to_string()))
}
