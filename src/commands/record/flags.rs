//! The flags of `record` as a line of JSON.

use serde_json::{Map, Value};

use crate::cli::RecordArgs;
use crate::commands::{Exit, Failure};
use crate::domain::{Label, Usd};

/// The flags as JSON; `None` without any.
pub(crate) fn text_of(args: &RecordArgs) -> Result<Option<String>, Failure> {
    let text = |value: &Option<String>| value.clone().map(Value::String);
    let count = |value: Option<u64>| value.map(Value::from);
    let cost = match &args.cost {
        Some(cost) => {
            let wrong =
                |_| Failure::new(Exit::Usage, format!("--cost '{}' is not an amount of dollars", Label::new(cost)));
            let (usd, _) = Usd::parse(cost.trim_start_matches('$')).map_err(wrong)?;
            Some(Value::String(usd.to_string()))
        }
        None => None,
    };
    let at = args.at.as_ref().map(|at| at.parse::<u64>().map_or_else(|_| Value::String(at.clone()), Value::from));
    let about = [
        ("id", text(&args.id)),
        ("at", at),
        ("model", text(&args.model)),
        ("input_tokens", count(args.input)),
        ("output_tokens", count(args.output)),
        ("cache_read_tokens", count(args.cache_read)),
        ("cache_write_5m_tokens", count(args.cache_write_5m)),
        ("cache_write_1h_tokens", count(args.cache_write_1h)),
        ("reasoning_tokens", count(args.reasoning)),
        ("cost_usd", cost),
        ("session", text(&args.session)),
        ("user", text(&args.user)),
        ("team", text(&args.team)),
        ("org", text(&args.org)),
        ("project", text(&args.project)),
        ("agent", text(&args.agent)),
        ("feature", text(&args.feature)),
    ];
    let mut fields: Map<String, Value> =
        about.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))).collect();
    if fields.is_empty() {
        return Ok(None);
    }
    // If only a cost is given, the token counts are unknown, not zero.
    if !fields.keys().any(|name| name.ends_with("_tokens")) {
        if !fields.contains_key("cost_usd") {
            return Err(Failure::new(
                Exit::Usage,
                "how much was used? give --input and --output; flags cannot be combined with JSON on standard input",
            ));
        }
        fields.insert("input_tokens".to_owned(), Value::from(0));
    }
    for name in ["input_tokens", "output_tokens"] {
        fields.entry(name).or_insert(Value::from(0));
    }
    serde_json::to_string(&fields).map(Some).map_err(|error| Failure::new(Exit::Internal, error.to_string()))
}
