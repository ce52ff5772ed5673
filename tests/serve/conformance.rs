//! The forms in which exporters send OTLP over HTTP, beyond those of the specification's examples.

use serde_json::{Value, json};

use crate::client::{Served, gzip};
use crate::common::Home;
use crate::ladder::{at, metric};
use crate::{JSON, LOGS, PROTOBUF, counted, export, logs, request};

const TRACES: &str = "/v1/traces";
const METRICS: &str = "/v1/metrics";

/// A chat span of a library.
fn chat(trace: &Value, span: &Value, parent: &Value, prompt: u64) -> Value {
    json!({
        "traceId": trace, "spanId": span, "parentSpanId": parent, "kind": "SPAN_KIND_CLIENT", "name": "chat m",
        "startTimeUnixNano": "1795730000000000000", "endTimeUnixNano": 1_795_730_001_000_000_000_u64,
        "status": {"code": "STATUS_CODE_OK"},
        "attributes": [
            {"key": "gen_ai.operation.name", "value": {"stringValue": "chat"}},
            {"key": "gen_ai.request.model", "value": {"stringValue": "gpt-4o"}},
            {"key": "gen_ai.usage.input_tokens", "value": {"intValue": prompt}},
            {"key": "gen_ai.usage.output_tokens", "value": {"intValue": "3"}},
        ],
    })
}

fn spans(all: &[Value]) -> Value {
    json!({"resourceSpans": [{"scopeSpans": [{"spans": all}]}]})
}

fn traces(served: &Served, body: &Value) -> u16 {
    served.client.post(TRACES, &[("content-type", JSON)], body.to_string().as_bytes()).status
}

#[test]
fn one_id_in_either_case_or_in_base64_is_one_id() {
    let home = Home::new();
    let served = Served::start(&home);
    let forms = [
        (json!("5b8efff798038103d269b633813fc60c"), json!("eee19b7ec3c1b174")),
        (json!("5B8EFFF798038103D269B633813FC60C"), json!("EEE19B7EC3C1B174")),
        (json!("W47/95gDgQPSabYzgT/GDA=="), json!("7uGbfsPBsXQ=")),
        (json!("0x5b8efff798038103d269b633813fc60c"), json!("0xeee19b7ec3c1b174")),
    ];
    for (trace, span) in &forms {
        assert_eq!(traces(&served, &spans(&[chat(trace, span, &json!(""), 100)])), 200);
    }
    assert_eq!(counted(&served.client), (1, 100));
}

#[test]
fn ids_may_be_null_empty_missing_or_zero() {
    let home = Home::new();
    let served = Served::start(&home);
    for (number, id) in
        (1..).zip([json!(null), json!(""), json!("00000000000000000000000000000000"), json!("AAAAAAAAAAA=")])
    {
        let all = [chat(&id, &id, &id, number), chat(&id, &id, &id, number * 10)];
        assert_eq!(traces(&served, &spans(&all)), 200, "{id}");
    }
    // Without an id nothing tells that two are one.
    assert_eq!(counted(&served.client), (8, 110));
    let mut bare = chat(&json!(null), &json!(null), &json!(null), 7);
    for id in ["traceId", "spanId", "parentSpanId"] {
        bare.as_object_mut().unwrap().remove(id);
    }
    assert_eq!(traces(&served, &spans(&[bare])), 200);
    assert_eq!(counted(&served.client), (9, 117));
}

#[test]
fn counts_may_be_numbers_texts_or_floats_and_never_fractions() {
    let home = Home::new();
    let served = Served::start(&home);
    let values =
        [json!({"intValue": 5}), json!({"intValue": "5"}), json!({"doubleValue": 5.0}), json!({"stringValue": "5"})];
    for (number, value) in values.iter().enumerate() {
        let mut record = request(&format!("req_{number}"), 0);
        record["attributes"][3]["value"] = value.clone();
        assert_eq!(logs(&served.client, &export(&[record])).text(), "{}", "{value}");
    }
    assert_eq!(counted(&served.client), (4, 20));
    for value in [json!({"doubleValue": 5.5}), json!({"intValue": "-1"}), json!({"stringValue": "five"})] {
        let mut record = request("req_bad", 0);
        record["attributes"][3]["value"] = value.clone();
        let partial = logs(&served.client, &export(&[record])).json();
        assert_eq!(partial["partialSuccess"]["rejectedLogRecords"], "1", "{value}");
    }
    assert_eq!(counted(&served.client), (4, 20));
}

#[test]
fn a_count_that_is_a_list_a_map_or_bytes_is_refused_and_not_a_call_without_tokens() {
    let home = Home::new();
    let served = Served::start(&home);
    let odd = [
        json!({"arrayValue": {"values": [{"intValue": "5"}]}}),
        json!({"array_value": {}}),
        json!({"kvlistValue": {"values": []}}),
        json!({"bytesValue": "BQ=="}),
        json!([5]),
    ];
    for value in odd {
        let mut record = request("req_bad", 0);
        record["attributes"][3]["value"] = value.clone();
        let partial = logs(&served.client, &export(&[record, request("req_good", 7)])).json()["partialSuccess"].clone();
        assert_eq!(partial["rejectedLogRecords"], "1", "{value}");
        assert_eq!(partial["errorMessage"], "input_tokens: expected a count of tokens", "{value}");
        let mut span = chat(&json!("5b8efff798038103d269b633813fc60c"), &json!("eee19b7ec3c1b174"), &json!(null), 1);
        span["attributes"][3]["value"] = value.clone();
        let answer = served.client.post(TRACES, &[("content-type", JSON)], spans(&[span]).to_string().as_bytes());
        assert_eq!(answer.json()["partialSuccess"]["rejectedSpans"], "1", "{value}");
    }
    // Only the whole record counted, once; a value that is not there is no error.
    assert_eq!(counted(&served.client), (1, 7));
    let mut record = request("req_none", 0);
    for value in [json!({}), json!(null), json!({"arrayValue": null})] {
        record["attributes"][3]["value"] = value.clone();
        assert_eq!(logs(&served.client, &export(&[record.clone()])).text(), "{}", "{value}");
    }
}

/// Something that JSON does not allow in place of the text `MARK`, or around the whole text.
fn broken(text: &str) -> Vec<Vec<u8>> {
    let (before, after) = text.split_once("\"MARK\"").unwrap();
    let with = |value: &[u8]| [before.as_bytes(), value, after.as_bytes()].concat();
    let marked = [b"\xef\xbb\xbf", with(b"null").as_slice()].concat();
    vec![
        with(b"\"a prompt \\ud83d\""),
        with(b"\"\xf0\x9f\""),
        with(b"NaN"),
        with(b"-Infinity"),
        with(b"\"\0\x1b\""),
        marked,
    ]
}

#[test]
fn b8_one_value_that_is_no_json_does_not_cost_the_calls_beside_it() {
    let home = Home::new();
    let served = Served::start(&home);
    let mark = json!({"key": "prompt", "value": {"stringValue": "MARK"}});
    let bad = json!({"timeUnixNano": "1795730000000000000", "attributes": [mark]});
    let id = |number: u64| json!(format!("{number:016x}"));
    for number in 0..6_u64 {
        let record = request(&format!("req_{number}"), 100);
        let all = broken(&export(&[bad.clone(), record]).to_string());
        let answer = served.client.post(LOGS, &[("content-type", JSON)], &all[usize::try_from(number).unwrap()]);
        assert_eq!((answer.status, answer.text()), (200, "{}".to_owned()), "log records {number}");
        let mut span = chat(&json!("5b8efff798038103d269b633813fc60c"), &id(number + 1), &json!(null), 100);
        span["attributes"].as_array_mut().unwrap().push(mark.clone());
        let all = broken(&spans(&[span]).to_string());
        let answer = served.client.post(TRACES, &[("content-type", JSON)], &all[usize::try_from(number).unwrap()]);
        assert_eq!((answer.status, answer.text()), (200, "{}".to_owned()), "spans {number}");
        let mut sums = metric(&format!("m-{number}"), 1, (at(0), at(60)), &[("input", 100)]);
        sums["resourceMetrics"][0]["resource"]["attributes"].as_array_mut().unwrap().push(mark.clone());
        let all = broken(&sums.to_string());
        let answer = served.client.post(METRICS, &[("content-type", JSON)], &all[usize::try_from(number).unwrap()]);
        assert_eq!((answer.status, answer.text()), (200, "{}".to_owned()), "metrics {number}");
    }
    assert_eq!(counted(&served.client), (18, 1_800));
}

#[test]
fn what_is_refused_is_named_by_the_kind_of_the_export() {
    let home = Home::new();
    let served = Served::start(&home);
    let mut bad = chat(&json!("5b8efff798038103d269b633813fc60c"), &json!("eee19b7ec3c1b174"), &json!(null), 1);
    bad["attributes"][2]["value"] = json!({"intValue": "-1"});
    let answer = served.client.post(TRACES, &[("content-type", JSON)], spans(&[bad]).to_string().as_bytes()).json();
    assert_eq!(answer["partialSuccess"]["rejectedSpans"], "1", "{answer}");
    assert!(answer["partialSuccess"].get("rejectedLogRecords").is_none(), "{answer}");
    let mut sums = metric("m", 1, (at(0), at(60)), &[("input", 100), ("output", 10)]);
    let points = &mut sums["resourceMetrics"][0]["scopeMetrics"][0]["metrics"][0]["sum"]["dataPoints"];
    points[0]["asInt"] = json!("-5");
    let answer = served.client.post(METRICS, &[("content-type", JSON)], sums.to_string().as_bytes()).json();
    assert_eq!(answer["partialSuccess"]["rejectedDataPoints"], "1", "{answer}");
    let usage = served.client.get("/api/v1/usage?period=total").json();
    assert_eq!((&usage["total"]["input_tokens"], &usage["total"]["output_tokens"]), (&0.into(), &10.into()));
}

#[test]
fn every_coding_is_expanded_and_parameters_of_the_type_are_ignored() {
    let home = Home::new();
    let served = Served::start(&home);
    let text = |id: &str| export(&[request(id, 100)]).to_string();
    let zstd =
        |bytes: &str| ruzstd::encoding::compress_to_vec(bytes.as_bytes(), ruzstd::encoding::CompressionLevel::Fastest);
    let deflate = |bytes: &str| {
        use std::io::Write as _;
        let mut encoder = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(bytes.as_bytes()).unwrap();
        encoder.finish().unwrap()
    };
    let kind = ("content-type", "Application/JSON; charset=utf-8");
    for (coding, body) in [
        ("identity", text("req_1").into_bytes()),
        ("GZIP", gzip(text("req_2").as_bytes())),
        ("x-gzip", gzip(text("req_3").as_bytes())),
        ("zstd", zstd(&text("req_4"))),
        ("deflate", deflate(&text("req_5"))),
        ("deflate", deflate(&text("req_6"))[2..].to_vec()),
        ("zstd", [b"\x5a\x2a\x4d\x18\x02\0\0\0ab".to_vec(), zstd(&text("req_7"))].concat()),
        ("gzip, identity", gzip(text("req_8").as_bytes())),
        ("zstd, gzip", gzip(&zstd(&text("req_9")))),
    ] {
        assert_eq!(served.client.post(LOGS, &[kind, ("content-encoding", coding)], &body).status, 200, "{coding}");
    }
    assert_eq!(counted(&served.client), (9, 900));
}

#[test]
fn a_bomb_of_any_coding_and_of_many_members_is_refused() {
    let home = Home::new();
    home.write(".config/tokmeter/config.toml", "[server]\nexpanded_mib = 1\n");
    let served = Served::start(&home);
    let half = vec![b' '; 600 * 1024];
    let zstd = ruzstd::encoding::compress_to_vec(half.as_slice(), ruzstd::encoding::CompressionLevel::Fastest);
    for (coding, member) in [("gzip", gzip(&half)), ("zstd", zstd)] {
        let headers = [("content-type", PROTOBUF), ("content-encoding", coding)];
        let answer = served.client.post(LOGS, &headers, &member.repeat(2));
        assert_eq!(answer.status, 413, "{coding}");
        assert_eq!((answer.header("content-type"), answer.body[0]), (Some(PROTOBUF), 8), "a google.rpc.Status");
    }
}

#[test]
fn errors_are_a_status_in_the_type_of_the_request_and_say_not_to_repeat() {
    type Case = (&'static [(&'static str, &'static str)], &'static [u8], u16);
    let home = Home::new();
    let served = Served::start(&home);
    let bodies: [Case; 6] = [
        (&[], b"{\"resourceLogs\":", 400),
        (&[], b"{\"resourceLogs\":5}", 400),
        (&[], b"{\"resourceMetrics\":[5]}", 400),
        (&[], b"\xff\xfe\xfd", 400),
        (&[("content-encoding", "br")], b"{}", 415),
        (&[("content-encoding", "gzip")], b"\x1f\x8b broken", 400),
    ];
    for path in [LOGS, TRACES, METRICS] {
        for (headers, body, status) in bodies {
            for kind in [JSON, PROTOBUF, "application/protobuf"] {
                let headers = [headers, &[("content-type", kind)]].concat();
                let answer = served.client.post(path, &headers, body);
                let is_json = kind == JSON;
                assert_eq!(answer.status, status, "{path} {kind}");
                assert_eq!(answer.header("content-type"), Some(if is_json { JSON } else { PROTOBUF }));
                assert_eq!(answer.header("retry-after"), None);
                if is_json {
                    assert_eq!(answer.json()["code"], 3);
                    assert!(answer.json()["message"].is_string());
                } else {
                    assert_eq!(&answer.body[..3], [8, 3, 0x12], "code 3, then a message");
                }
            }
        }
    }
    assert_eq!(counted(&served.client), (0, 0));
}
