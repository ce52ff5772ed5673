//! Forms of the body in which calls may be posted.

use serde_json::{Value, json};

use crate::client::Served;
use crate::common::{self, Home, now};
use crate::{JSON, counted};

#[test]
fn a_body_may_be_one_value_over_several_lines_or_a_list() {
    let home = Home::new();
    let served = Served::start(&home);
    let call =
        |id: &str| -> Value { serde_json::from_str(&common::native(id, &now(), "claude-opus-5", 1_000, 100)).unwrap() };
    let post = |headers: &[(&str, &str)], body: &str| -> Vec<Value> {
        let answer = served.client.post("/api/v1/calls", headers, body.as_bytes());
        assert_eq!(answer.status, 200);
        answer.text().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    };
    let pretty = |value: &Value| serde_json::to_string_pretty(value).unwrap();
    let kinds: [&[(&str, &str)]; 2] = [&[("content-type", JSON)], &[]];
    for (number, headers) in kinds.into_iter().enumerate() {
        let one = post(headers, &pretty(&call(&format!("one-{number}"))));
        assert_eq!(one.iter().map(|answer| &answer["ok"]).collect::<Vec<_>>(), [true], "{one:?}");
        let list = json!([call(&format!("two-{number}")), 7, call(&format!("three-{number}"))]);
        let all = post(headers, &pretty(&list));
        assert_eq!(all.iter().map(|answer| &answer["ok"]).collect::<Vec<_>>(), [true, false, true], "{all:?}");
        let again = post(headers, &list.to_string());
        assert_eq!(again.iter().map(|answer| &answer["repeat"] == true).collect::<Vec<_>>(), [true, false, true]);
    }
    assert_eq!(counted(&served.client), (6, 6_000));
    assert_eq!(served.client.post("/api/v1/calls", &[("content-type", JSON)], b"[]").status, 400);
}
