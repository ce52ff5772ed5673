//! A span around others whose calls it sums: it counts nothing, however long after them it comes.

use serde_json::{Value, json};

use crate::JSON;
use crate::client::{Client, Served};
use crate::common::Home;
use crate::counted;
use crate::ladder::{at, attributes};

/// A span of a library; the number is its id, and that of the span around it, 0 for none.
fn span(id: u64, parent: u64, name: &str, usage: Option<(u64, u64)>) -> Value {
    let mut all = vec![("gen_ai.operation.name", Value::from("chat")), ("gen_ai.request.model", "gpt-4o".into())];
    match usage {
        Some((input, output)) => {
            all.extend([("gen_ai.usage.input_tokens", input.into()), ("gen_ai.usage.output_tokens", output.into())]);
        }
        None => all.clear(),
    }
    json!({
        "traceId": format!("{:032x}", 7), "spanId": format!("{id:016x}"), "name": name,
        "parentSpanId": if parent == 0 { String::new() } else { format!("{parent:016x}") },
        "startTimeUnixNano": at(id).to_string(), "endTimeUnixNano": at(id + 1).to_string(), "attributes": attributes(&all),
    })
}

fn post(client: &Client, spans: &[Value]) {
    let body = json!({"resourceSpans": [{
        "resource": {"attributes": attributes(&[("service.name", "my-app".into())])}, "scopeSpans": [{"spans": spans}],
    }]});
    let answer = client.post("/v1/traces", &[("content-type", JSON)], body.to_string().as_bytes());
    assert_eq!(answer.status, 200, "{}", answer.text());
}

#[test]
fn b24_a_sum_in_a_later_export_does_not_count_however_many_other_spans_lie_between() {
    let home = Home::new();
    let served = Served::start(&home);
    // Two calls and the step around them; the span that sums them is open.
    post(&served.client, &[span(11, 2, "chat", Some((100, 10))), span(12, 2, "chat", Some((200, 20)))]);
    post(&served.client, &[span(2, 1, "step", None)]);
    for first in (100..1_100).step_by(100) {
        let queries: Vec<Value> = (first..first + 100).map(|id| span(id, 2, "SELECT", None)).collect();
        post(&served.client, &queries);
    }
    post(&served.client, &[span(1, 0, "chat", Some((300, 30)))]);
    assert_eq!(counted(&served.client), (2, 300));
}

#[test]
fn b24_a_sum_does_not_count_behind_a_kill_of_the_server_either() {
    let home = Home::new();
    let mut served = Served::start(&home);
    let calls = [span(11, 1, "chat", Some((100, 10))), span(12, 1, "chat", Some((200, 20)))];
    post(&served.client, &calls);
    served.kill();
    let mut served = Served::start(&home);
    post(&served.client, &calls[..1]);
    served.kill();
    let served = Served::start(&home);
    post(&served.client, &[span(1, 0, "chat", Some((300, 30)))]);
    assert_eq!(counted(&served.client), (2, 300));
    // A sum of others counts.
    post(&served.client, &[span(3, 0, "chat", Some((300, 30)))]);
    assert_eq!(counted(&served.client), (3, 600));
}
