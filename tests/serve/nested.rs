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
fn b24_a_sum_does_not_count_in_whatever_order_it_and_its_parts_arrive() {
    let chat = |id, parent, usage| span(id, parent, "chat", Some(usage));
    let (one, two, sum) = (chat(11, 1, (100, 10)), chat(12, 1, (200, 20)), chat(1, 0, (300, 30)));
    let (deep, deeper) = (chat(13, 2, (100, 10)), chat(14, 2, (200, 20)));
    let (step, inner) = (span(2, 1, "step", None), chat(2, 1, (300, 30)));
    let same = chat(1, 0, (100, 10));
    let cases: [(&[&Value], (u64, u64)); 8] = [
        (&[&sum, &one, &two], (2, 300)),
        (&[&one, &sum, &two], (2, 300)),
        (&[&sum, &step, &deep, &deeper], (2, 300)),
        (&[&sum, &deep, &deeper, &step], (2, 300)),
        (&[&deep, &sum, &step, &deeper], (2, 300)),
        // Sums within sums.
        (&[&sum, &deep, &inner, &deeper], (2, 300)),
        (&[&deeper, &sum, &deep, &inner], (2, 300)),
        // Two spans of one call, whose middle comes last.
        (&[&same, &deep, &step], (1, 100)),
    ];
    for (number, (spans, wanted)) in cases.into_iter().enumerate() {
        // A span without counts is remembered with the next call.
        let is_lasting = spans[..spans.len() - 1].iter().all(|span| **span != step);
        for is_killed in [false, is_lasting] {
            let home = Home::new();
            let mut served = Served::start(&home);
            for one in spans {
                post(&served.client, std::slice::from_ref(*one));
                if is_killed {
                    served.kill();
                    served = Served::start(&home);
                }
            }
            assert_eq!(counted(&served.client), wanted, "case {number}");
            for one in spans {
                post(&served.client, std::slice::from_ref(*one));
            }
            assert_eq!(counted(&served.client), wanted, "case {number}, sent again");
        }
    }
}

#[test]
fn b24_a_sum_does_not_count_however_many_its_parts_are() {
    let parts: Vec<Value> = (2..602).map(|id| span(id, 1, "chat", Some((100, 10)))).collect();
    let sum = [span(1, 0, "chat", Some((60_000, 6_000)))];
    for exports in [
        [&parts[..300], &parts[300..], &sum],
        [&sum, &parts[..300], &parts[300..]],
        [&parts[..300], &sum, &parts[300..]],
    ] {
        let home = Home::new();
        let served = Served::start(&home);
        for spans in exports {
            post(&served.client, spans);
        }
        assert_eq!(counted(&served.client), (600, 60_000));
    }
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
