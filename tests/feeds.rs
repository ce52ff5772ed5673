//! The formats of programs and feeds: their samples decode correctly, and no format takes another's lines.

#![allow(clippy::unwrap_used, missing_docs, reason = "a panic fails the test")]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use proptest::prelude::*;
use tokmeter::testing::domain::{Call, Fidelity, Instant, Label, Record, Service, Speed};
use tokmeter::testing::formats::{ALL, BadLine, Decoder, Origin, Outcome, Reader, Reading};
use tokmeter::testing::pricing::{CostMode, PriceBook, Pricer as _};

fn samples() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("samples")
}

fn origin(offset: u64) -> Origin {
    Origin { path: Label::new("sample.jsonl"), offset, modified: Instant::from_timestamp(1_795_200_000, 0).unwrap() }
}

/// The lines of every file of a sample folder.
fn lines_of(format: &str) -> Vec<String> {
    let mut files: Vec<PathBuf> = walk(&samples().join(format));
    files.retain(|file| file.extension().is_some_and(|ending| ending == "jsonl"));
    files.sort();
    files
        .iter()
        .flat_map(|file| fs::read_to_string(file).unwrap().lines().map(str::to_owned).collect::<Vec<_>>())
        .collect()
}

fn walk(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { walk(&path) } else { vec![path] }).collect()
}

fn reader(format: &str) -> Box<dyn Reader> {
    ALL.iter().find(|known| known.name() == format).unwrap().reader()
}

fn calls(records: Vec<Record>) -> Vec<Call> {
    let call = |record| match record {
        Record::Call(call) => Some(call),
        Record::Descends { .. } | Record::Bill(_) | Record::Rekeyed { .. } | Record::Status(_) | Record::Settled(_) => {
            None
        }
    };
    records.into_iter().filter_map(call).collect()
}

/// Decodes one line with one format.
fn one(format: &str, line: &str) -> Call {
    let mut records = Vec::new();
    let reading = reader(format).line(line.as_bytes(), &origin(0), &mut records).unwrap();
    let mut calls = calls(records);
    assert_eq!((reading, calls.len()), (Reading::Mine, 1), "{line}");
    calls.remove(0)
}

fn bad(format: &str, line: &str) -> BadLine {
    let mut records = Vec::new();
    let why = reader(format).line(line.as_bytes(), &origin(0), &mut records).unwrap_err();
    assert!(records.is_empty(), "{line} was counted");
    why
}

/// All calls of all samples of a format, joined by key.
fn joined(format: &str) -> Vec<Call> {
    let mut all: BTreeMap<_, Call> = BTreeMap::new();
    let mut lines = Decoder::new(&[]);
    for (number, line) in (0..).zip(lines_of(format)) {
        let mut records = Vec::new();
        let outcome = lines.line(line.as_bytes(), &origin(number), &mut records);
        assert!(!matches!(outcome, Outcome::Bad(_)), "{format}: {outcome:?}: {line}");
        for call in calls(records) {
            assert_eq!(&*call.from.source, format, "{line}");
            let call = match all.remove(&call.key) {
                Some(known) => known.join(call),
                None => call,
            };
            all.insert(call.key, call);
        }
    }
    all.into_values().collect()
}

#[test]
fn no_format_takes_another_formats_lines() {
    // Documents and rows are their agent's by their place and name, some agents' lines by their place; only other lines
    // are shown to anybody.
    // A fork has no samples of its own: it writes the very lines of its agent. OpenClaw's entries are pi's.
    let has_samples = |name: &str| samples().join(name).is_dir();
    let are_kin = |one: &str, other: &str| matches!((one, other), ("pi", "openclaw") | ("openclaw", "pi"));
    let anywhere = || ALL.iter().filter(|format| !format.is_known_by_place() && has_samples(format.name()));
    for own in anywhere().filter(|format| !format.needles().is_empty()) {
        let folder = own.name();
        // Some lines belong to a format only because of the lines before them; alone they belong to none.
        let stands_alone = |line: &String| {
            let alone = own.reader().line(line.as_bytes(), &origin(0), &mut Vec::new());
            !matches!(alone, Ok(Reading::NotMine))
        };
        let lines: Vec<String> = lines_of(folder).into_iter().filter(stands_alone).collect();
        assert!(!lines.is_empty(), "{folder}");
        let is_other = |name: &str| name != folder && !are_kin(name, folder);
        for format in anywhere().filter(|format| is_other(format.name())) {
            let mut reader = format.reader();
            // A line is passed only to formats of which it contains a needle.
            for line in lines.iter().filter(|line| format.needles().iter().any(|needle| line.contains(needle))) {
                let mut records = Vec::new();
                let reading = reader.line(line.as_bytes(), &origin(0), &mut records);
                let is_left = matches!(reading, Ok(Reading::NotMine) | Err(BadLine::NotJson(_)));
                assert!(is_left && records.is_empty(), "{} said {reading:?} to {folder}'s {line}", format.name());
            }
        }
    }
}

#[test]
fn every_sample_is_read_as_its_own_format() {
    // `joined` asks each call for its source.
    let counts = ["native", "openai", "anthropic", "otel", "otlp", "litellm"].map(|format| joined(format).len());
    assert!(counts.iter().all(|count| *count > 3), "{counts:?}");
}

#[test]
fn a_usage_log_line_says_who_and_where() {
    let line = &lines_of("native")[0];
    let call = one("native", line);
    let names = [&call.from.session, &call.from.user, &call.from.team, &call.from.org, &call.from.project];
    assert_eq!(names.map(|name| name.as_deref()), ["s-1", "alice", "core", "acme", "/home/alice/api"].map(Some));
    let names = [&call.from.agent, &call.from.feature, &call.model].map(|name| name.as_deref());
    assert_eq!(names, ["reviewer", "review", "claude-opus-5"].map(Some));
    assert_eq!(call.quoted.map(|usd| usd.to_string()).as_deref(), Some("0.1234"));
    assert_eq!(call.latency, Some(std::time::Duration::from_millis(5210)));
    assert_eq!((call.at().to_rfc3339(), call.fidelity), ("2026-11-20T09:00:00+00:00".to_owned(), Fidelity::Final));
}

#[test]
fn every_time_of_the_usage_log_is_understood() {
    let at = |line: usize| one("native", &lines_of("native")[line]).at().to_rfc3339();
    assert_eq!(at(4), "2026-11-21T09:03:00+00:00", "seconds");
    assert_eq!(at(5), "2026-11-21T09:04:00.123+00:00", "milliseconds");
    assert_eq!(at(6), "2026-11-21T09:05:00.123456+00:00", "microseconds");
    assert_eq!(at(7), "2026-11-21T09:06:00.123456789+00:00", "nanoseconds");
    let timeless = one("native", r#"{"model":"m","input_tokens":1}"#);
    assert_eq!(timeless.at(), origin(0).modified, "without a time, the file's");
}

#[test]
fn names_of_the_usage_log_may_be_numbers_and_dotted() {
    let dotted = one(
        "native",
        r#"{"llm.tokens.input":1,"cost.user_id":42,"cost.org_id":"acme","cost.agent":"a","cost.feature":"f"}"#,
    );
    let names = [&dotted.from.user, &dotted.from.org, &dotted.from.agent, &dotted.from.feature];
    assert_eq!(names.map(|name| name.as_deref()), ["42", "acme", "a", "f"].map(Some));
    assert_eq!(dotted.fidelity, Fidelity::Guessed, "a call without a model");
}

#[test]
fn a_usage_log_line_may_have_a_type_and_a_session() {
    let line = r#"{"type":"llm_call","session_id":"s","model":"m","usage":{"input_tokens":5,"output_tokens":1}}"#;
    let mut records = Vec::new();
    assert_eq!(Decoder::new(&[]).line(line.as_bytes(), &origin(0), &mut records), Outcome::Read);
    assert_eq!(calls(records).pop().map(|call| (call.from.source, call.tokens.input)), Some((Label::new("native"), 5)));
}

#[test]
fn a_total_alone_is_booked_as_input_and_flagged() {
    let call = one("native", r#"{"model":"m","total_tokens":77}"#);
    assert_eq!((call.tokens.input, call.tokens.total(), call.fidelity), (77, 77, Fidelity::Guessed));
}

#[test]
fn the_prompt_decides_where_input_and_prompt_contradict_each_other() {
    let call = one(
        "native",
        r#"{"model":"m","input_tokens":1000,"prompt_tokens":1000,"cached_tokens":800,"output_tokens":1}"#,
    );
    assert_eq!((call.tokens.input, call.tokens.cache_read, call.fidelity), (200, 800, Fidelity::Guessed));
}

#[test]
fn an_input_that_the_prompt_agrees_with_is_no_guess() {
    let line = r#"{"model":"m","input_tokens":200,"prompt_tokens":1000,"cached_tokens":800,"output_tokens":1}"#;
    let call = one("native", line);
    assert_eq!((call.tokens.input, call.tokens.cache_read, call.fidelity), (200, 800, Fidelity::Final));
}

#[test]
fn b11_integral_forms_are_counts_and_other_types_name_the_field() {
    for count in ["12", "\"12\"", "12.0", "1.2e1"] {
        let line = format!(r#"{{"model":"m","input_tokens":{count},"output_tokens":null}}"#);
        assert_eq!(one("native", &line).tokens.input, 12, "{count}");
    }
    for count in ["true", "{}", "[1]", "\"many\""] {
        let line = format!(r#"{{"model":"m","input_tokens":1,"output_tokens":{count}}}"#);
        assert!(matches!(bad("native", &line), BadLine::WrongType { field: "output_tokens", .. }), "{count}");
    }
}

#[test]
fn b12_counts_that_cannot_be_true_are_put_aside() {
    for count in ["-1", "1.5", "1000000001", "18446744073709551616", "\"NaN\"", "1e300"] {
        for (format, line) in [
            ("native", format!(r#"{{"model":"m","input_tokens":{count},"output_tokens":1}}"#)),
            ("native", format!(r#"{{"attributes":{{"llm.tokens.input":{count}}}}}"#)),
            (
                "openai",
                format!(r#"{{"object":"chat.completion","usage":{{"prompt_tokens":5,"completion_tokens":{count}}}}}"#),
            ),
            (
                "anthropic",
                format!(r#"{{"id":"msg_1","type":"message","usage":{{"input_tokens":5,"output_tokens":{count}}}}}"#),
            ),
            ("otel", format!(r#"{{"traceId":"a1","attributes":{{"gen_ai.usage.input_tokens":{count}}}}}"#)),
        ] {
            assert!(matches!(bad(format, &line), BadLine::Absurd { .. }), "{format}: {line}");
        }
    }
}

#[test]
fn b12_the_sound_records_of_a_batch_count_beside_an_absurd_one() {
    let line = lines_of("otlp")[0].replacen(r#""intValue":"10""#, r#""intValue":"-10""#, 1);
    let mut records = Vec::new();
    let said = reader("otlp").line(line.as_bytes(), &origin(0), &mut records);
    assert!(matches!(said, Err(BadLine::Absurd { .. })), "{said:?}");
    assert_eq!(calls(records).iter().map(|call| call.tokens.total()).collect::<Vec<_>>(), [330]);
}

#[test]
fn b16_a_stream_whose_deltas_come_after_a_restart_is_one_answer() {
    let lines: Vec<String> = lines_of("anthropic").into_iter().filter(|line| line.contains("usage\":{\"")).collect();
    let start = lines.iter().position(|line| line.contains("msg_01Sample00000000000020")).unwrap();
    let mut first = reader("anthropic");
    let mut records = Vec::new();
    first.line(lines[start].as_bytes(), &origin(0), &mut records).unwrap();
    let mut second = reader("anthropic");
    second.restore(&first.state());
    second.line(lines[start + 1].as_bytes(), &origin(1), &mut records).unwrap();
    second.line(lines[start + 2].as_bytes(), &origin(2), &mut records).unwrap();
    let all = calls(records);
    assert!(all.iter().all(|call| call.key == all[0].key));
    let whole = all.into_iter().reduce(Call::join).unwrap();
    assert_eq!((whole.tokens.fields(), whole.web_searches), ([12, 2000, 0, 100, 427, 0], 1));
}

#[test]
fn a_delta_after_a_bad_beginning_or_an_end_is_not_the_former_messages() {
    let mut reader = reader("anthropic");
    let mut say = |line: &str| reader.line(line.as_bytes(), &origin(0), &mut Vec::new());
    let start = |count: &str| {
        format!(r#"{{"type":"message_start","message":{{"id":"msg_{count}","usage":{{"input_tokens":{count}}}}}}}"#)
    };
    assert_eq!(say(&start("5")), Ok(Reading::Mine));
    assert!(say(&start("-5")).is_err());
    let delta = r#"{"type":"message_delta","usage":{"output_tokens":9}}"#;
    assert!(say(delta).is_err());
    assert_eq!((say(&start("6")), say(delta)), (Ok(Reading::Mine), Ok(Reading::Mine)));
    // Nor is one after the end of the message.
    assert_eq!(say(r#"{"type":"message_stop"}"#), Ok(Reading::Mine));
    assert!(say(delta).is_err());
}

#[test]
fn advice_within_an_answer_that_has_no_name_is_not_taken_for_other_advice() {
    let line = r#"{"type":"message","role":"assistant","model":"m","usage":{"input_tokens":1,"output_tokens":2,"iterations":[{"type":"advisor_message","model":"n","input_tokens":5,"output_tokens":6}]}}"#;
    assert_eq!(one("anthropic", line).tokens.fields(), [1, 0, 0, 0, 2, 0]);
}

#[test]
fn a_line_without_a_beginning_is_no_payload_of_the_proxy() {
    let line = r#"{"id":"1","call_type":"completion","model":"m","prompt_tokens":5,"completion_tokens":6}"#;
    let mut records = Vec::new();
    let reading = reader("litellm").line(line.as_bytes(), &origin(0), &mut records);
    assert_eq!((reading, records.len()), (Ok(Reading::NotMine), 0));
}

#[test]
fn a_delta_without_its_beginning_is_a_bad_line() {
    let line = r#"{"type":"message_delta","delta":{},"usage":{"output_tokens":5}}"#;
    assert_eq!(bad("anthropic", line), BadLine::Missing("the message's first event"));
}

#[test]
fn batches_tiers_and_speeds_are_noted() {
    let of = |format: &str, part: &str| {
        let line = lines_of(format).into_iter().find(|line| line.contains(part)).unwrap();
        one(format, &line).tier
    };
    assert_eq!(of("openai", "\"item-30\"").service, Service::Batch);
    assert_eq!(of("openai", "\"priority\"").service, Service::Priority);
    assert_eq!(of("openai", "\"flex\"").service, Service::Flex);
    assert_eq!(of("anthropic", "\"item-2\"").service, Service::Batch);
    assert_eq!(of("anthropic", "\"fast\"").speed, Speed::Fast);
    assert_eq!(of("native", "call-18").service, Service::Batch);
}

#[test]
fn one_answer_has_one_key_in_every_log() {
    let usage = r#""usage":{"input_tokens":5,"output_tokens":6}"#;
    let message = one("anthropic", &format!(r#"{{"id":"msg_01x","type":"message","model":"m",{usage}}}"#));
    let transcript = one(
        "claude-code",
        &format!(
            r#"{{"type":"assistant","sessionId":"s","requestId":"req_1","timestamp":"2026-11-20T09:00:00Z","message":{{"id":"msg_01x","model":"m",{usage}}}}}"#
        ),
    );
    let native = one("native", r#"{"id":"msg_01x","model":"m","input_tokens":5,"output_tokens":6}"#);
    let span = one(
        "otel",
        r#"{"traceId":"a1","spanId":"b1","attributes":{"gen_ai.response.id":"msg_01x","gen_ai.usage.input_tokens":5}}"#,
    );
    assert_eq!([native.key, span.key, transcript.key], [message.key; 3]);
    let event = one(
        "otel",
        r#"{"body":"claude_code.api_request","attributes":{"request_id":"req_1","model":"m","input_tokens":5,"output_tokens":6}}"#,
    );
    assert_eq!((event.alias, Some(event.key)), (transcript.alias, transcript.alias));
    let advised = r#""usage":{"input_tokens":5,"output_tokens":6,"iterations":[{"type":"message"},{"type":"advisor_message","model":"n","input_tokens":7}]}"#.to_string();
    let keys = |format: &str, line: String| {
        let mut records = Vec::new();
        reader(format).line(line.as_bytes(), &origin(0), &mut records).unwrap();
        let mut keys: Vec<_> = calls(records).iter().map(|call| call.key).collect();
        keys.sort();
        keys
    };
    assert_eq!(
        keys("anthropic", format!(r#"{{"id":"msg_01x","type":"message","model":"m",{advised}}}"#)),
        keys(
            "claude-code",
            format!(r#"{{"type":"assistant","sessionId":"s","message":{{"id":"msg_01x","model":"m",{advised}}}}}"#)
        ),
    );
    let chat =
        one("openai", &lines_of("openai").into_iter().find(|line| line.contains("SAMPLE0000000000000001")).unwrap());
    let traced = one(
        "otel",
        r#"{"traceId":"a1","attributes":{"gen_ai.response.id":"chatcmpl-SAMPLE0000000000000001","gen_ai.usage.input_tokens":5}}"#,
    );
    assert_eq!(chat.key, traced.key);
}

#[test]
fn claude_codes_telemetry_is_quoted_attributed_and_guessed_where_the_split_is() {
    let calls = joined("otlp");
    let of = |input: u64, output: u64| {
        calls.iter().find(|call| (call.tokens.input, call.tokens.output) == (input, output)).unwrap()
    };
    let main = of(2, 213);
    assert_eq!(main.quoted.map(|usd| usd.to_string()).as_deref(), Some("0.12345"));
    assert_eq!(
        (main.fidelity, main.from.agent.as_deref(), main.from.feature.as_deref()),
        (Fidelity::Guessed, None, None)
    );
    let names = [&main.from.user, &main.from.org, &main.from.session, &main.from.team].map(|name| name.as_deref());
    assert_eq!(names, ["alice@example.com", "org-1", "sess-7", "core"].map(Some));
    assert_eq!(main.latency, Some(std::time::Duration::from_millis(4200)));
    let title = of(350, 11);
    assert_eq!((title.fidelity, title.from.feature.as_deref()), (Fidelity::Final, Some("generate_session_title")));
    let agent = of(1, 20);
    assert_eq!((agent.from.agent.as_deref(), agent.tier.speed), (Some("Explore"), Speed::Fast));
}

#[test]
fn every_field_of_the_samples_is_in_the_schema() {
    let text = fs::read_to_string(samples().join("native/schema.json")).unwrap();
    let schema: serde_json::Value = serde_json::from_str(&text).unwrap();
    let known = schema["properties"].as_object().unwrap();
    // Placeholders for other fields of a line.
    let others = ["prompt", "nested", "event", "error"];
    let mut seen = 0;
    for line in lines_of("native") {
        let line: serde_json::Value = serde_json::from_str(&line).unwrap();
        let inner = line.get("attributes").and_then(|inner| inner.as_object()).into_iter().flatten();
        for (name, value) in
            line.as_object().unwrap().iter().chain(inner).filter(|(name, _)| !others.contains(&&***name))
        {
            let property = known.get(name).unwrap_or_else(|| panic!("the schema does not know {name}"));
            let kind = match value {
                serde_json::Value::Null => "null",
                serde_json::Value::Bool(_) => "boolean",
                serde_json::Value::Number(_) => "number",
                serde_json::Value::String(_) => "string",
                serde_json::Value::Array(_) => "array",
                serde_json::Value::Object(_) => "object",
            };
            let path = property["$ref"].as_str().map(|path| path.trim_start_matches('#'));
            let property = path.map_or(property, |path| schema.pointer(path).unwrap());
            let kinds: Vec<&str> =
                property["type"].as_array().unwrap().iter().filter_map(|kind| kind.as_str()).collect();
            assert!(kinds.contains(&kind), "{name} is {kind}, the schema allows {kinds:?}");
            seen += 1;
        }
    }
    assert!(seen > 100, "the samples were not found");
}

#[test]
fn every_name_in_the_schema_is_read() {
    let text = fs::read_to_string(samples().join("native/schema.json")).unwrap();
    let schema: serde_json::Value = serde_json::from_str(&text).unwrap();
    for (name, property) in schema["properties"].as_object().unwrap() {
        let value = match property["$ref"].as_str().unwrap_or_default().rsplit('/').next().unwrap_or_default() {
            "count" | "name" => "\"7\"",
            "time" => "\"2026-11-19T09:00:00Z\"",
            "cost" => "0.5",
            "cacheCreation" => r#"{"ephemeral_1h_input_tokens":5}"#,
            "usage" => r#"{"prompt_tokens":3,"completion_tokens":4}"#,
            "tier" => "\"batch\"",
            "attributes" => r#"{"user":"x"}"#,
            "kept" => r#"{"key":"0123456789abcdef0123456789abcdef","source":"otel"}"#,
            other => panic!("{name} is of no known kind: {other}"),
        };
        let is_output = ["output_tokens", "completion_tokens", "outputTokens", "completionTokens", "llm.tokens.output"];
        let rest = match name.as_str() {
            // Alone they make a line ours.
            "usage" | "total_tokens" | "totalTokens" | "llm.tokens.total" => r#""x":1"#,
            "input_tokens" | "inputTokens" | "llm.tokens.input" | "prompt_tokens" | "promptTokens" => {
                r#""output_tokens":800"#
            }
            name if is_output.contains(&name) => r#""prompt_tokens":900"#,
            _ => r#""prompt_tokens":900,"output_tokens":800"#,
        };
        let read = |line: String| {
            let mut records = Vec::new();
            reader("native").line(line.as_bytes(), &origin(0), &mut records).unwrap();
            calls(records).pop()
        };
        let (without, with) = (read(format!("{{{rest}}}")), read(format!("{{{rest},\"{name}\":{value}}}")));
        // The key of a line without an id changes with whatever is in it.
        let keyless =
            |call: &Call| Call { key: tokmeter::testing::domain::CallKey::from_parts(&["any"]), ..call.clone() };
        let differ = without.as_ref().map(keyless) != with.as_ref().map(keyless);
        let names_the_call = with == read(format!("{{{rest},\"other\":1,\"{name}\":{value}}}"));
        assert!(differ || names_the_call, "{name} is not read");
    }
}

#[test]
fn a_usage_log_may_say_more_than_it_must() {
    for more in [
        r#""result":"ok""#,
        r#""payload":{"a":1}"#,
        r#""message":{"role":"user"}"#,
        r#""response":{"text":"x"}"#,
        r#""type":"llm""#,
        r#""context":{"k":1}"#,
        r#""trace_id":"t""#,
        r#""data":[1]"#,
    ] {
        let line = format!(r#"{{"model":"m","session_id":"s","input_tokens":5,"output_tokens":1,{more}}}"#);
        let mut records = Vec::new();
        assert_eq!(Decoder::new(&[]).line(line.as_bytes(), &origin(0), &mut records), Outcome::Read, "{line}");
        assert_eq!(calls(records).len(), 1, "{line}");
    }
}

#[test]
fn b10_objects_within_objects_without_end_overflow_nothing() {
    for name in ["attributes", "response", "body", "message", "event", "result", "usage", "resource", "cache_creation"]
    {
        for depth in [100, 127, 128, 20_000] {
            let line = format!(
                r#"{}{{"usage":{{"input_tokens":1}}}}{}"#,
                format!(r#"{{"type":"stream_event","{name}":"#).repeat(depth),
                "}".repeat(depth)
            );
            for format in ALL {
                let _ = format.reader().line(line.as_bytes(), &origin(0), &mut Vec::new());
            }
        }
    }
}

proptest! {
    #[test]
    fn no_line_panics(line in prop::collection::vec(any::<u8>(), 0..200)) {
        for format in ALL {
            let _ = format.reader().line(&line, &origin(0), &mut Vec::new());
        }
    }

    #[test]
    fn no_mutilated_sample_panics_or_counts_the_impossible(
        which in any::<prop::sample::Index>(),
        edits in prop::collection::vec((any::<prop::sample::Index>(), prop::sample::select(b"0129-e.\"{}[]:,nt".to_vec())), 1..4),
    ) {
        let all: Vec<String> = ["native", "openai", "anthropic", "otel", "otlp", "litellm"].iter().flat_map(|format| lines_of(format)).collect();
        let mut line = which.get(&all).clone().into_bytes();
        prop_assume!(!line.is_empty());
        for (place, byte) in edits {
            let place = place.index(line.len());
            line[place] = byte;
        }
        let mut records = Vec::new();
        Decoder::new(&[]).line(&line, &origin(0), &mut records);
        for call in calls(records) {
            prop_assert!(call.tokens.fields().iter().all(|count| *count <= 6_000_000_000), "{:?}", call.tokens);
            prop_assert!(call.tokens.reasoning <= call.tokens.output);
        }
    }
}

#[test]
fn b8_bytes_that_are_no_characters_do_not_hide_a_call_of_any_program() {
    let lines: [&[u8]; 5] = [
        b"{\"id\":\"1\",\"model\":\"m\",\"project\":\"caf\xe9\",\"input_tokens\":5}",
        b"{\"id\":\"1\",\"model\":\"m\",\"caf\xe9\":1,\"input_tokens\":5}",
        br#"{"id":"1","model":"m","project":"\ud83d","input_tokens":5}"#,
        b"{\"id\":\"chatcmpl-1\",\"object\":\"chat.completion\",\"model\":\"m\xff\",\"usage\":{\"prompt_tokens\":5,\"completion_tokens\":1,\"total_tokens\":6}}",
        b"{\"id\":\"msg_1\",\"type\":\"message\",\"role\":\"assistant\",\"model\":\"m\xff\",\"usage\":{\"input_tokens\":5,\"output_tokens\":1}}",
    ];
    for line in lines {
        let mut records = Vec::new();
        let outcome = Decoder::new(&[]).line(line, &origin(0), &mut records);
        assert_eq!((outcome, records.len()), (Outcome::Read, 1), "{}", String::from_utf8_lossy(line));
    }
}

/// The line with one letter of every name of a field written as an escape.
fn with_escaped_names(line: &str) -> String {
    let (mut out, mut rest) = (String::new(), line);
    let name = regex::Regex::new(r#"([{,]\s*)"([A-Za-z_.]+)([A-Za-z])([A-Za-z_.0-9]*)"(\s*:)"#).unwrap();
    while let Some(found) = name.captures(rest) {
        let whole = found.get(0).unwrap();
        out.push_str(&rest[..whole.start()]);
        let letter = found[3].as_bytes()[0];
        let escaped = format!("\\u{letter:04x}");
        out.extend([&found[1], "\"", &found[2], &escaped, &found[4], "\"", &found[5]]);
        rest = &rest[whole.end()..];
    }
    out + rest
}

#[test]
fn a_line_whose_names_are_written_with_escapes_is_seen() {
    let mut count = 0;
    for format in ["native", "openai", "anthropic", "claude-code", "litellm"] {
        for line in lines_of(format) {
            let read = |line: &str, alone: bool| {
                let lines = Decoder::new(&[]);
                let mut lines = if alone { lines.of_one_program() } else { lines };
                let mut records = Vec::new();
                let outcome = lines.line(line.as_bytes(), &origin(0), &mut records);
                // Calls without an id are identified by their bytes.
                let mut calls = calls(records);
                for call in &mut calls {
                    call.key = tokmeter::testing::domain::CallKey::from_parts(&["any"]);
                }
                (outcome, calls)
            };
            let (outcome, calls) = read(&line, false);
            if calls.is_empty() || outcome != Outcome::Read {
                continue;
            }
            let escaped = with_escaped_names(&line);
            assert_ne!(escaped, line);
            assert_eq!(read(&escaped, false), (outcome.clone(), calls.clone()), "{escaped}");
            assert_eq!(read(&escaped, true), (outcome, calls), "{escaped}");
            count += 1;
        }
    }
    assert!(count > 50, "{count}");
    // Escapes inside a text do not make a line relevant.
    let text = r#"{"type":"user","text":"\u001b[1m \u0075sage \u003cinput_tokens\u003e"}"#;
    let outcome = Decoder::new(&[]).line(text.as_bytes(), &origin(0), &mut Vec::new());
    assert!(matches!(outcome, Outcome::Passed), "{outcome:?}");
}

#[test]
fn an_escaped_line_among_others_of_one_program_is_seen() {
    let line = |id: &str| format!("{{\"id\":\"{id}\",\"model\":\"gpt-4o\",\"input_tokens\":5,\"output_tokens\":7}}");
    let mut lines = Decoder::new(&[]).of_one_program();
    let mut records = Vec::new();
    for text in [line("a"), with_escaped_names(&line("b")), line("c")] {
        assert_eq!(lines.line(text.as_bytes(), &origin(0), &mut records), Outcome::Read, "{text}");
    }
    assert_eq!(calls(records).len(), 3);
}

#[test]
fn what_openai_charges_beside_the_plain_tokens_is_read_and_priced() {
    let book = PriceBook::new(Vec::new(), Vec::new(), CostMode::Auto);
    let of = |mark: &str| {
        let line = lines_of("openai").into_iter().find(|line| line.contains(mark)).unwrap();
        let call = one("openai", &line);
        let cost = book.cost(&call);
        (cost.usd().unwrap().to_string(), cost.is_guessed(), call)
    };
    // 4,000 × $4 and 200 × $20 per million, and one search: opening a page is free, a failed one too.
    let (usd, is_guessed, call) = of("c001\"");
    assert_eq!((usd.as_str(), is_guessed, call.web_searches), ("0.03", false, 1));
    let (usd, is_guessed, call) = of("c002\"");
    assert_eq!((usd.as_str(), is_guessed, call.web_searches), ("0.044", false, 3));
    // 1,000 × $2, 1,000 × $0.20, 2,000 × $2.50, 5,000 × $5, 300 × $10 per million.
    assert_eq!((of("c003\"").0.as_str(), of("c003\"").1), ("0.0352", false));
    assert_eq!((of("c004\"").0.as_str(), of("c004\"").1), ("0.0227", true));
    assert_eq!((of("c005\"").0.as_str(), of("c005\"").1), ("0.15", false));
    assert_eq!((of("c006\"").0.as_str(), of("c006\"").1), ("0.05", false));
    let (usd, is_guessed, call) = of("c007\"");
    assert_eq!((usd.as_str(), is_guessed, call.trust()), ("0.025", true, Fidelity::Guessed));
    // 20 × $0.60, 40 × $10, 20 × $2.40, 70 × $20 per million.
    assert_eq!((of("c008\"").0.as_str(), of("c008\"").1), ("0.00186", false));
    assert_eq!((of("realtime0000000009").0.as_str(), of("realtime0000000009").1), ("0.0087072", false));
}
