//! The model that the path of a call names, which the service takes whatever the body names.

use super::parts;
use crate::domain::percent_bytes;

/// The model of a message on Vertex AI, or the name of a deployment (`/openai/deployments/NAME/chat/completions`) on
/// Azure and on gateways that speak its dialect.
pub(super) fn model(path: &str) -> Option<String> {
    let decoded = percent_bytes(path);
    let decoded = String::from_utf8_lossy(&decoded);
    let mut below = None;
    for part in parts(&decoded, true) {
        if below.is_none()
            && let Some(model) = of_vertex(part)
        {
            return Some(model.to_owned());
        }
        if part.eq_ignore_ascii_case("deployments") {
            return below.map(str::to_owned);
        }
        below = Some(part);
    }
    None
}

/// The model in the last part of the path of a message on Vertex AI
/// (`…/publishers/anthropic/models/MODEL:streamRawPredict`). `count-tokens` is none, and costs nothing.
pub(super) fn of_vertex(part: &str) -> Option<&str> {
    let (model, method) = part.split_once(':')?;
    let is_message = ["rawPredict", "streamRawPredict"].iter().any(|name| name.eq_ignore_ascii_case(method));
    (is_message && !model.to_ascii_lowercase().starts_with("count-tokens")).then_some(model)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_may_name_a_deployment_or_a_model_of_vertex_ai() {
        for path in [
            "/openai/deployments/gpt-4o/chat/completions",
            "/openai/Deployments/gpt-4o/embeddings",
            "/openai/deployments/gpt%2D4o//chat/completions/",
            "/openai/deployments/gpt-4o;x/x/../chat/completions",
            "/deployments/x/deployments/gpt-4o/completions",
            "/v1/publishers/anthropic/models/gpt-4o:rawPredict",
        ] {
            assert_eq!(model(path).as_deref(), Some("gpt-4o"), "{path}");
        }
        for path in ["/v1/chat/completions", "/deployments/completions/..", "/openai/deployments", "/deployments/", ""]
        {
            assert_eq!(model(path), None, "{path}");
        }
    }
}
