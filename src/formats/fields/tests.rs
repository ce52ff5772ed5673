//! Tests with fields in any order, of any type, and more than once.

use std::time::Duration;

use super::*;

fields! {
    /// Two fields, one of them with two names.
    Pair {
        name: Named<'a> = "name" | "label",
        count: Count = "count",
    }
}

fields! {
    /// Lists and objects in all positions.
    Nest {
        list: List<Pair<'a>> = "list" | "rows",
        either: NameOr<'a, Pair<'a>> = "either",
        inner: Pair<'a> = "inner" | "within",
    }
}

/// The counts in the list; the name or count of the either; the name and count of the inner object.
fn nest(json: &str) -> (Vec<u64>, String, (String, u64)) {
    let nest: Nest<'_> = serde_json::from_str(json).unwrap();
    let count = |pair: &Pair<'_>| pair.count.tokens("count").unwrap();
    let either = match &nest.either {
        NameOr::Name(name) => name.to_string(),
        NameOr::Object(pair) => count(pair).to_string(),
        NameOr::Neither => String::new(),
    };
    let name = nest.inner.name.get().unwrap_or_default().to_owned();
    (nest.list.0.iter().map(count).collect(), either, (name, count(&nest.inner)))
}

#[test]
fn b13_a_later_list_or_object_replaces_an_earlier_one_as_a_whole() {
    let none = || (String::new(), 0);
    assert_eq!(nest(r#"{"list":[{"count":1},7,{"count":2}]}"#).0, [1, 0, 2]);
    assert_eq!(nest(r#"{"list":[{"count":1}],"list":[{"count":2},{"count":3}]}"#).0, [2, 3]);
    assert_eq!(nest(r#"{"rows":[{"count":1}],"list":[],"list":null,"list":{"a":1}}"#).0, [1], "nothing replaces");
    assert_eq!(nest(r#"{"list":[{"count":1}],"rows":[{"count":2}]}"#).0, [1], "the first name wins");
    assert_eq!(nest(r#"{"either":"a"}"#).1, "a");
    assert_eq!(nest(r#"{"either":"\u0061","either":{"count":4}}"#).1, "4");
    assert_eq!(nest(r#"{"either":{"count":4},"either":[1],"either":null}"#).1, "4");
    assert_eq!(nest(r#"{"inner":{"name":"a"},"inner":{"count":2}}"#).2, (String::new(), 2), "not a mixture");
    assert_eq!(nest(r#"{"within":{"count":1},"inner":{"name":"b"}}"#).2, ("b".to_owned(), 0));
    assert_eq!(nest(r#"{"inner":{"name":"b"},"within":{"count":1},"inner":7}"#).2, ("b".to_owned(), 0));
    assert_eq!(nest(r#"{"inner":[{"name":"b"}],"within":"x"}"#).2, none());
}

fn read(json: &str) -> (Option<String>, u64) {
    let pair: Pair<'_> = serde_json::from_str(json).unwrap();
    (pair.name.get().map(str::to_owned), pair.count.tokens("count").unwrap())
}

#[test]
fn the_canonical_name_wins_wherever_it_stands() {
    for json in [r#"{"name":"a","label":"b"}"#, r#"{"label":"b","name":"a"}"#, r#"{"name":null,"label":"a"}"#] {
        assert_eq!(read(json).0.as_deref(), Some("a"), "{json}");
    }
}

#[test]
fn b13_of_two_values_under_one_name_the_last_stands() {
    assert_eq!(read(r#"{"count":1,"count":2}"#).1, 2);
    assert_eq!(read(r#"{"count":1,"count":null}"#).1, 1, "null says nothing");
}

#[test]
fn b11_values_of_any_shape_are_read_without_complaint() {
    for json in ["[1,{}]", "7", "\"text\"", "null", "true", "-1.5", r#"{"name":{"a":[1]},"count":3,"x":[[]]}"#] {
        read(json);
    }
    assert_eq!(read(r#"{"name":7}"#).0.as_deref(), Some("7"));
    assert_eq!(read(r#"{"na\u006de":"\u0041"}"#).0.as_deref(), Some("A"), "escapes in names and texts");
}

#[test]
fn milliseconds_may_have_a_fraction() {
    let time = |json: &str| serde_json::from_str::<Named<'_>>(json).unwrap().milliseconds();
    assert_eq!(time("1250"), Some(Duration::from_millis(1250)));
    assert_eq!(time("\"0.1\""), Some(Duration::from_micros(100)));
    assert_eq!((time("-1"), time("\"soon\""), time("1e300")), (None, None, None));
}
