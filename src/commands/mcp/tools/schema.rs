//! The list of tools: names, descriptions, and the schema of their arguments.

use serde_json::{Map, Value, json};

use super::Tool;

/// Default number of sessions in an answer.
pub(super) const SESSIONS: &str = "20";
/// Default and maximum number of rows in an answer.
pub(super) const MOST: &str = "1000";
pub(super) const MOST_ROWS: usize = 1000;

/// Arguments that filter calls.
const FILTERS: [(&str, &str); 8] = [
    ("user", "Only this user; `*` matches any characters"),
    ("project", "Only this project, by its path; `*` matches any characters"),
    ("model", "Only this model; `*` matches any characters"),
    ("agent", "Only this sub-agent"),
    ("team", "Only this team"),
    ("feature", "Only this feature"),
    ("org", "Only this organisation"),
    ("source", "Only this log format, such as claude-code or codex"),
];
const DIMENSIONS: [&str; 11] =
    ["model", "source", "user", "project", "agent", "team", "feature", "org", "session", "fidelity", "repo"];
const WHEN: &str = "2026-11-22, 2026-11, today, yesterday, 7d or 12h";

/// A tool's entry in the list.
pub(super) fn tool_entry(tool: Tool) -> Value {
    let (title, description) = match tool {
        Tool::Today => {
            ("Today", "Tokens and cost of today, by model: the JSON of `tokmeter report day --since today`.")
        }
        Tool::Limits => (
            "Limits",
            "Every limit: how much of it is used, when it resets, when it will be reached at this pace; and the \
             providers' own windows. The JSON of `tokmeter limits show`.",
        ),
        Tool::Sessions => ("Sessions", "Sessions, the latest first: the JSON of `tokmeter report session`."),
        Tool::Explain => (
            "Explain a call",
            "The arithmetic of one call's cost, and the line of the log it was read from: the JSON of \
             `tokmeter explain`. `report` with period call lists the keys.",
        ),
        Tool::Report => ("Report", "Tokens and cost by period, split by any dimension: the JSON of `tokmeter report`."),
    };
    let required: &[&str] = if tool == Tool::Explain { &["key"] } else { &[] };
    json!({
        "name": tool.name(),
        "title": title,
        "description": description,
        "inputSchema": {
            "type": "object",
            "properties": properties(tool),
            "required": required,
            "additionalProperties": false,
        },
        "annotations": {"title": title, "readOnlyHint": true, "openWorldHint": false},
    })
}

/// The names of a tool's arguments.
pub(super) fn names(tool: Tool) -> Vec<&'static str> {
    let filters = || FILTERS.iter().map(|(name, _)| *name);
    match tool {
        Tool::Limits => Vec::new(),
        Tool::Explain => vec!["key"],
        Tool::Today => ["by"].into_iter().chain(filters()).collect(),
        Tool::Sessions => ["since", "until", "limit"].into_iter().chain(filters()).collect(),
        Tool::Report => {
            ["period", "by", "since", "until", "session", "order", "limit"].into_iter().chain(filters()).collect()
        }
    }
}

fn properties(tool: Tool) -> Map<String, Value> {
    names(tool).into_iter().map(|name| (name.to_owned(), property(name))).collect()
}

fn property(name: &str) -> Value {
    let text = |about: &str| json!({"type": "string", "description": about});
    match name {
        "key" => text("The call's key, a beginning of it that no other call has, or latest"),
        "period" => json!({
            "type": "string",
            "enum": ["day", "week", "month", "session", "call", "total"],
            "default": "day",
            "description": "A row for each of these",
        }),
        "by" => json!({
            "type": "array",
            "items": {"type": "string", "enum": DIMENSIONS},
            "description": "Split the rows by these",
        }),
        "since" => text(&format!("From this time on: {WHEN}")),
        "until" => text(&format!("Up to this time, days and months included: {WHEN}")),
        "session" => text("Only this session: its id, a beginning of it, or latest"),
        "order" => json!({"type": "string", "enum": ["asc", "desc"], "description": "Oldest first, or newest first"}),
        "limit" => json!({"type": "integer", "minimum": 1, "maximum": MOST_ROWS, "description": "Number of rows"}),
        filter => {
            let about = FILTERS.iter().find(|(known, _)| *known == filter).map_or("", |(_, about)| *about);
            json!({
                "anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}],
                "description": about,
            })
        }
    }
}
