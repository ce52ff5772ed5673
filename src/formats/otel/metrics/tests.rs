//! Which points of metrics count, and which are one.

use serde_json::json;

use super::super::Telemetry;
use super::*;
use crate::domain::Tokens;
use crate::formats::Origin;

fn read(export: &Value) -> Vec<Bill> {
    let origin = Origin { path: Label::new("test"), offset: 0, modified: Instant::UNIX_EPOCH };
    let mut out = Vec::new();
    Telemetry::new().export(export, b"", &origin, &mut out).unwrap();
    let bill = |record| if let Record::Bill(bill) = record { bill } else { panic!("{record:?}") };
    out.into_iter().map(bill).collect()
}

fn point(class: &str, value: &Value, times: (u64, u64)) -> Value {
    json!({
        "attributes": [
            {"key": "type", "value": {"stringValue": class}},
            {"key": "model", "value": {"stringValue": "m"}},
            {"key": "session.id", "value": {"stringValue": "s"}},
        ],
        "startTimeUnixNano": times.0.to_string(), "timeUnixNano": times.1, "asInt": value,
    })
}

fn export(name: &str, temporality: &Value, points: &[Value]) -> Value {
    json!({"resourceMetrics": [{"resource": {}, "scopeMetrics": [{"metrics": [
        {"name": name, "sum": {"aggregationTemporality": temporality, "isMonotonic": true, "dataPoints": points}},
    ]}]}]})
}

#[test]
fn a_delta_that_is_sent_again_has_the_same_name_and_the_next_one_another() {
    let sent = |times| read(&export("claude_code.token.usage", &json!(1), &[point("input", &json!("5"), times)]));
    assert_eq!(sent((10, 20)), sent((10, 20)));
    assert_ne!(sent((10, 20))[0].id, sent((20, 30))[0].id);
    assert_eq!(sent((10, 20))[0].tokens(), Tokens { input: 5, ..Tokens::ZERO });
}

#[test]
fn a_cumulative_sum_keeps_its_name_until_its_process_restarts() {
    for temporality in [json!(2), json!("AGGREGATION_TEMPORALITY_CUMULATIVE"), json!(null)] {
        let sent = |times| read(&export("claude_code.token.usage", &temporality, &[point("input", &json!(5), times)]));
        assert_eq!(sent((10, 20))[0].id, sent((10, 30))[0].id);
        assert_ne!(sent((10, 20))[0].id, sent((11, 30))[0].id);
    }
}

#[test]
fn classes_that_do_not_overlap_are_taken_as_they_are() {
    let all = [("input", 8), ("output", 2026), ("cacheRead", 167_288), ("cacheCreation", 4541)];
    let points: Vec<Value> = all.iter().map(|(class, count)| point(class, &json!(count), (10, 20))).collect();
    let bills = read(&export("claude_code.token.usage", &json!(1), &points));
    let tokens = Tokens { input: 8, output: 2026, cache_read: 167_288, cache_write_5m: 4541, ..Tokens::ZERO };
    assert_eq!(bills.iter().map(Bill::tokens).collect::<Vec<_>>(), [tokens]);
}

#[test]
fn classes_that_contain_each_other_are_told_apart() {
    let all = [("input", 100), ("cache", 60), ("output", 7), ("thought", 3), ("tool", 5)];
    let points: Vec<Value> = all.iter().map(|(class, count)| point(class, &json!(count), (10, 20))).collect();
    let bills = read(&export("gemini_cli.token.usage", &json!(2), &points));
    let tokens = Tokens { input: 45, cache_read: 60, output: 10, reasoning: 3, ..Tokens::ZERO };
    assert_eq!(bills.iter().map(Bill::tokens).collect::<Vec<_>>(), [tokens]);
}

/// The last reading of each part, after these exports in this order by one reader that is restarted after each.
fn read_all(exports: &[&Value]) -> Tokens {
    let origin = Origin { path: Label::new("test"), offset: 0, modified: Instant::UNIX_EPOCH };
    let (mut state, mut parts) = (String::new(), BTreeMap::<CallKey, Bill>::new());
    for export in exports {
        let (mut out, mut reader) = (Vec::new(), Telemetry::new());
        reader.restore(&state);
        reader.export(export, b"", &origin, &mut out).unwrap();
        state = reader.changed().unwrap_or(state);
        for record in out {
            let Record::Bill(bill) = record else { panic!("{record:?}") };
            let known = parts.remove(&bill.id);
            parts.insert(bill.id, known.map_or_else(|| bill.clone(), |known| known.join(bill.clone())));
        }
    }
    parts.values().map(Bill::tokens).sum()
}

#[test]
fn points_of_an_interval_count_once_however_they_are_split_and_sent_again() {
    for temporality in [json!(1), json!(2)] {
        let one = |class: &str, count: u64, start: u64| point(class, &json!(count), (start, 20));
        let points = [one("input", 100, 10), one("cache", 60, 10), one("output", 7, 11), one("thought", 3, 12)];
        let export = |points: &[Value]| export("gemini_cli.token.usage", &temporality, points);
        let whole = export(&points);
        let split: Vec<Value> = points.iter().map(|point| export(std::slice::from_ref(point))).collect();
        let mut resources = whole.clone();
        resources["resourceMetrics"] =
            split.iter().map(|export| export["resourceMetrics"][0].clone()).collect::<Value>();
        let wanted = Tokens { input: 40, cache_read: 60, output: 10, reasoning: 3, ..Tokens::ZERO };
        let parts: Vec<&Value> = split.iter().collect();
        let again: Vec<&Value> = parts.iter().rev().copied().chain([&whole]).collect();
        for first in [&parts[..], &[&whole], &[&resources]] {
            assert_eq!(read_all(first), wanted, "{temporality}");
            assert_eq!(read_all(&[first, &again].concat()), wanted, "{temporality}");
        }
    }
}

#[test]
fn b26_a_cumulative_sum_that_falls_at_a_later_time_starts_a_new_part() {
    let export = |time: u64, input: u64, output: Option<u64>| {
        let output = output.map(|output| point("output", &json!(output), (0, time)));
        let points: Vec<Value> = std::iter::once(point("input", &json!(input), (0, time))).chain(output).collect();
        export("gemini_cli.token.usage", &json!(2), &points)
    };
    let tokens = |input, output| Tokens { input, output, ..Tokens::ZERO };
    let all = [
        export(10, 100, Some(3)),
        export(20, 150, Some(4)),
        // The process has restarted, and has already written more than before.
        export(30, 40, Some(9)),
        export(40, 90, Some(11)),
        export(50, 20, Some(12)),
    ];
    let all: Vec<&Value> = all.iter().collect();
    assert_eq!(read_all(&all[..2]), tokens(150, 4));
    assert_eq!(read_all(&all[..4]), tokens(240, 15));
    assert_eq!(read_all(&all), tokens(260, 27));
    // What is sent again, or arrives late, is earlier than what is known.
    assert_eq!(read_all(&[&all[..], &all[..]].concat()), tokens(260, 27));
    assert_eq!(read_all(&[all[0], all[2], all[1], all[3]]), tokens(240, 15));
    assert_eq!(read_all(&[all[0], all[1], all[3], all[2], all[4]]), tokens(260, 27));
    assert_eq!(read_all(&[all[1], all[0], all[1]]), tokens(150, 4));
    // Points of a reset may be exported one by one.
    let (input, output) = (export(30, 40, None), point("output", &json!(9), (0, 30)));
    let output = super::tests::export("gemini_cli.token.usage", &json!(2), &[output]);
    assert_eq!(read_all(&[all[0], all[1], &input, &output, all[3]]), tokens(240, 15));
}

#[test]
fn other_metrics_gauges_and_sums_that_fall_count_nothing() {
    assert_eq!(read(&export("claude_code.cost.usage", &json!(1), &[point("input", &json!(5), (1, 2))])), []);
    let mut falling = export("claude_code.token.usage", &json!(1), &[point("input", &json!(5), (1, 2))]);
    falling["resourceMetrics"][0]["scopeMetrics"][0]["metrics"][0]["sum"]["isMonotonic"] = json!(false);
    assert_eq!(read(&falling), []);
    for nonsense in [json!(-1), json!("x"), json!(1.5), json!(null)] {
        assert_eq!(read(&export("claude_code.token.usage", &json!(1), &[point("input", &nonsense, (1, 2))])), []);
    }
}

#[test]
fn a_point_whose_value_is_no_number_of_tokens_is_refused_and_the_others_count() {
    let origin = Origin { path: Label::new("test"), offset: 0, modified: Instant::UNIX_EPOCH };
    let refused = |points: &[Value]| {
        let mut out = Vec::new();
        let export = export("claude_code.token.usage", &json!(1), points);
        let refused = Telemetry::new().export(&export, b"", &origin, &mut out).unwrap();
        (refused.count, refused.why.is_some(), out.len())
    };
    let good = point("output", &json!("5"), (10, 20));
    for wrong in [json!(-5), json!("-5"), json!(12.5), json!(1e20), json!("99999999999999999999"), json!("abc")] {
        assert_eq!(refused(&[point("input", &wrong, (10, 20)), good.clone()]), (1, true, 1), "{wrong}");
    }
    let mut without_session = point("input", &json!(-5), (10, 20));
    without_session["attributes"].as_array_mut().unwrap().truncate(2);
    assert_eq!(refused(&[without_session, point("input", &Value::Null, (10, 20)), good.clone()]), (0, false, 1));
}

#[test]
fn a_value_beside_an_empty_one_counts() {
    let mut point = point("input", &Value::Null, (10, 20));
    point["asDouble"] = json!(12.0);
    let bills = read(&export("claude_code.token.usage", &json!(1), &[point]));
    assert_eq!(bills.iter().map(Bill::tokens).collect::<Vec<_>>(), [Tokens { input: 12, ..Tokens::ZERO }]);
}
