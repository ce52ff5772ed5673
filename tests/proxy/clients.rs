//! Real clients: the SDKs of OpenAI and Anthropic for Python understand what passes through, and every call counts.

use serde_json::{Value, json};

use crate::common::{Home, clients};
use crate::dialects::{Api, INPUT, OUTPUT, TEXT, Usage};
use crate::mock::{Mock, Received, Reply};
use crate::running::{Running, booked};

const EMBEDDING: &str = r#"{"object":"list","model":"text-embedding-3-small","data":[{"object":"embedding","index":0,"embedding":[0.1,0.2,0.3]}],"usage":{"prompt_tokens":2,"total_tokens":2}}"#;

pub fn answer(received: &Received, number: usize) -> Reply {
    let body: Value = serde_json::from_slice(&received.body).unwrap();
    let api = match received.path.split('?').next().unwrap() {
        "/v1/chat/completions" => Api::Chat,
        "/v1/responses" => Api::Responses,
        "/v1/messages" => Api::Messages,
        _ => return Reply::json(EMBEDDING),
    };
    if body["stream"] != true {
        return Reply::json(&api.body(number));
    }
    // As the real service: usage only where it was asked for.
    assert!(api != Api::Chat || body["stream_options"]["include_usage"] == true);
    Reply::stream(api.stream(number, Usage::Given, false))
}

#[test]
fn the_python_sdks_understand_every_answer_and_every_call_counts() {
    let home = Home::new();
    if !clients::runs(&home, &["python3", "-c", "import openai, anthropic"]) {
        return;
    }
    let mock = Mock::start(answer);
    let proxy = Running::start(&home, mock.address);
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/proxy/sdk.py");
    let base = format!("http://{}", proxy.address);
    let ran = clients::command(&home, &["python3", script, &base]).output().unwrap();
    assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
    let said: Value = serde_json::from_slice(&ran.stdout).unwrap();
    let whole = TEXT.repeat(3);
    let expected = json!({
        "chat": TEXT, "chat stream": whole, "asked usage": [OUTPUT], "responses": TEXT, "responses stream": whole,
        "embedding": 3, "messages": TEXT, "messages stream": whole,
    });
    assert_eq!(said, expected);
    proxy.end();
    let rows = booked(&home);
    assert_eq!(rows.len(), 8);
    assert!(rows.iter().all(|row| row["team"] == "web" && row["fidelity"] == "final"), "{rows:?}");
    assert_eq!(rows.iter().filter(|row| row["input_tokens"] == INPUT && row["output_tokens"] == OUTPUT).count(), 7);
}
