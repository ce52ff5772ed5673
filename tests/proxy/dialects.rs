//! Answers of the three APIs, as streams of events.

use serde_json::{Value, json};

use crate::mock::Step;

/// An API.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Api {
    Chat,
    Responses,
    Messages,
}

/// Input and output of every answer, and the text that is streamed, three times.
pub const INPUT: u64 = 50;
pub const OUTPUT: u64 = 12;
pub const TEXT: &str = "hello ";
/// The prompt, and the estimates of its tokens and of two texts.
pub const PROMPT: &str = "say hello";
pub const PROMPT_ESTIMATE: u64 = 3;
pub const TWO_TEXTS_ESTIMATE: u64 = 3;
pub const THREE_TEXTS_ESTIMATE: u64 = 5;

/// How a stream states its usage.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Usage {
    Given,
    Missing,
    Twice,
    NullFirst,
    /// On the chunk with the reason, or growing with the stream.
    Early,
}

impl Api {
    pub fn path(self) -> &'static str {
        match self {
            Self::Chat => "/v1/chat/completions",
            Self::Responses => "/v1/responses",
            Self::Messages => "/v1/messages?beta=true",
        }
    }

    pub fn request(self, is_stream: bool) -> Vec<u8> {
        let messages = json!([{"role": "user", "content": PROMPT}]);
        let body = match self {
            Self::Chat => json!({"model": "gpt-5", "messages": messages, "stream": is_stream}),
            Self::Responses => json!({"model": "gpt-5", "input": PROMPT, "stream": is_stream}),
            Self::Messages => {
                json!({"model": "claude-opus-5", "max_tokens": 100, "messages": messages, "stream": is_stream})
            }
        };
        body.to_string().into_bytes()
    }

    pub fn id(self, number: usize) -> String {
        match self {
            Self::Chat => format!("chatcmpl-0123456789abcdef{number:04}"),
            Self::Responses => format!("resp_0123456789abcdef{number:04}"),
            Self::Messages => format!("msg_0123456789abcdef{number:04}"),
        }
    }

    /// A whole answer.
    pub fn body(self, number: usize) -> String {
        let id = self.id(number);
        match self {
            Self::Chat => json!({
                "id": id, "object": "chat.completion", "created": 1_795_730_000, "model": "gpt-5",
                "choices": [{"index": 0, "message": {"role": "assistant", "content": TEXT}, "finish_reason": "stop"}],
                "usage": {"prompt_tokens": INPUT, "completion_tokens": OUTPUT, "total_tokens": INPUT + OUTPUT},
            }),
            Self::Responses => json!({
                "id": id, "object": "response", "created_at": 1_795_730_000, "model": "gpt-5", "status": "completed",
                "output": [{"type": "message", "content": [{"type": "output_text", "text": TEXT}]}],
                "usage": {"input_tokens": INPUT, "output_tokens": OUTPUT, "total_tokens": INPUT + OUTPUT},
            }),
            Self::Messages => json!({
                "id": id, "type": "message", "role": "assistant", "model": "claude-opus-5",
                "content": [{"type": "text", "text": TEXT}], "stop_reason": "end_turn",
                "usage": {"input_tokens": INPUT, "cache_read_input_tokens": 0, "cache_creation_input_tokens": 0, "output_tokens": OUTPUT},
            }),
        }
        .to_string()
    }

    /// The first event, by which a client knows that the answer begins.
    pub fn begin(self, number: usize, usage: Usage) -> Vec<Step> {
        let id = self.id(number);
        match self {
            Self::Chat => {
                vec![self.chunk(number, &json!([{"index": 0, "delta": {"role": "assistant", "content": ""}}]), usage)]
            }
            Self::Responses => vec![event(&json!({
                "type": "response.created",
                "response": {"id": id, "object": "response", "model": "gpt-5", "status": "in_progress", "output": [], "usage": null},
            }))],
            Self::Messages => {
                let mut message = json!({
                    "id": id, "type": "message", "role": "assistant", "model": "claude-opus-5", "content": [],
                    "usage": {"input_tokens": INPUT, "cache_read_input_tokens": 0, "cache_creation_input_tokens": 0, "output_tokens": 1},
                });
                if matches!(usage, Usage::Missing) {
                    message["usage"] = Value::Null;
                }
                vec![
                    event(&json!({"type": "message_start", "message": message})),
                    event(
                        &json!({"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}}),
                    ),
                ]
            }
        }
    }

    pub const fn begin_mark(self) -> &'static str {
        match self {
            Self::Chat => "assistant",
            Self::Responses => "response.created",
            Self::Messages => "message_start",
        }
    }

    /// A text.
    pub fn delta(self, number: usize, text: &str, usage: Usage) -> Step {
        match self {
            Self::Chat => self.chunk(number, &json!([{"index": 0, "delta": {"content": text}}]), usage),
            Self::Responses => event(&json!({"type": "response.output_text.delta", "delta": text})),
            Self::Messages => event(
                &json!({"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": text}}),
            ),
        }
    }

    /// Everything after the last text but the very last event.
    pub fn finish(self, number: usize, usage: Usage, is_cut: bool) -> Vec<Step> {
        match self {
            Self::Chat => {
                let reason = if is_cut { "length" } else { "stop" };
                let choices = json!([{"index": 0, "delta": {}, "finish_reason": reason}]);
                if usage == Usage::Early {
                    return vec![self.chunk_with(number, &choices, Some(&chat_usage()))];
                }
                vec![self.chunk(number, &choices, usage)]
            }
            Self::Responses => vec![event(&json!({"type": "response.output_text.done", "text": TEXT.repeat(3)}))],
            Self::Messages => vec![event(&json!({"type": "content_block_stop", "index": 0}))],
        }
    }

    pub const fn finish_mark(self) -> &'static str {
        match self {
            Self::Chat => "\"finish_reason\":\"stop\"",
            Self::Responses => "output_text.done",
            Self::Messages => "content_block_stop",
        }
    }

    /// The last events, with the usage.
    pub fn end(self, number: usize, usage: Usage, is_cut: bool) -> Vec<Step> {
        let mut all = Vec::new();
        let times = match usage {
            Usage::Missing => 0,
            Usage::Twice => 2,
            Usage::Given | Usage::NullFirst | Usage::Early => 1,
        };
        match self {
            Self::Chat => {
                if usage != Usage::Early {
                    all.extend((0..times).map(|_| self.usage_chunk(number)));
                }
                all.push(Step::Data(b"data: [DONE]\n\n".to_vec()));
            }
            Self::Responses => {
                let status = if is_cut { "incomplete" } else { "completed" };
                let response = |usage: Value| {
                    json!({"id": self.id(number), "object": "response", "created_at": 1_795_730_000, "model": "gpt-5", "status": status,
                        "output": [{"type": "message", "content": [{"type": "output_text", "text": TEXT.repeat(3)}]}], "usage": usage})
                };
                let stated = |output: u64| json!({"input_tokens": INPUT, "output_tokens": output, "total_tokens": INPUT + output});
                if times == 2 {
                    all.push(event(&json!({"type": "response.in_progress", "response": response(stated(OUTPUT))})));
                }
                if usage == Usage::Early {
                    all.push(event(&json!({"type": "response.in_progress", "response": response(stated(5))})));
                }
                let last = if times == 0 { Value::Null } else { stated(OUTPUT) };
                all.push(event(&json!({"type": format!("response.{status}"), "response": response(last)})));
            }
            Self::Messages => {
                let reason = if is_cut { "max_tokens" } else { "end_turn" };
                let delta = |output: Option<u64>| {
                    event(&json!({"type": "message_delta", "delta": {"stop_reason": reason},
                        "usage": output.map(|output| json!({"output_tokens": output}))}))
                };
                if usage == Usage::Early {
                    all.push(delta(Some(5)));
                }
                if matches!(usage, Usage::NullFirst | Usage::Missing) {
                    all.push(delta(None));
                }
                all.extend((0..times).map(|_| delta(Some(OUTPUT))));
                all.push(event(&json!({"type": "message_stop"})));
            }
        }
        all
    }

    /// An error within the stream.
    pub fn error(self) -> Step {
        match self {
            Self::Chat => event(&json!({"error": {"message": "overloaded", "type": "server_error"}})),
            Self::Responses => event(&json!({"type": "error", "code": "server_error", "message": "overloaded"})),
            Self::Messages => {
                event(&json!({"type": "error", "error": {"type": "overloaded_error", "message": "overloaded"}}))
            }
        }
    }

    /// A whole stream.
    pub fn stream(self, number: usize, usage: Usage, is_cut: bool) -> Vec<Step> {
        let texts = (0..3).map(|_| self.delta(number, TEXT, usage));
        let (begin, finish) = (self.begin(number, usage), self.finish(number, usage, is_cut));
        begin.into_iter().chain(texts).chain(finish).chain(self.end(number, usage, is_cut)).collect()
    }

    /// The chunk of chat completions that only states the usage.
    pub fn usage_chunk(self, number: usize) -> Step {
        self.chunk_with(number, &json!([]), Some(&chat_usage()))
    }

    fn chunk(self, number: usize, choices: &Value, usage: Usage) -> Step {
        let null = Value::Null;
        self.chunk_with(number, choices, (usage == Usage::NullFirst).then_some(&null))
    }

    fn chunk_with(self, number: usize, choices: &Value, usage: Option<&Value>) -> Step {
        let mut chunk = json!({
            "id": self.id(number), "object": "chat.completion.chunk", "created": 1_795_730_000, "model": "gpt-5",
            "choices": choices,
        });
        if let Some(usage) = usage {
            chunk["usage"] = usage.clone();
        }
        event(&chunk)
    }
}

fn chat_usage() -> Value {
    json!({"prompt_tokens": INPUT, "completion_tokens": OUTPUT, "total_tokens": INPUT + OUTPUT})
}

fn event(data: &Value) -> Step {
    let name = data["type"].as_str().map(|name| format!("event: {name}\n")).unwrap_or_default();
    Step::Data(format!("{name}data: {data}\n\n").into_bytes())
}
