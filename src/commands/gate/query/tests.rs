//! Tests of names in a summary query.

use std::sync::Arc;

use serde_json::{Value, json};

use super::*;
use crate::config::Env;
use crate::domain::{Attribution, Call, CallKey, Record, Tokens, Zone};
use crate::ledger::{Batch, Memory};
use crate::pricing::{CostMode, PriceBook};

#[test]
fn a_summary_is_of_the_names_that_the_screens_show() {
    let now = Instant::from_timestamp(1_795_348_800, 0).unwrap();
    let sessions = ["3f2a91c0-1111-4222-8333-444455556666", "3f2a91d1-1111-4222-8333-444455556666"];
    let of = |(nth, project): (usize, &str)| {
        let at = now - chrono::Duration::hours(if nth == 0 { 2 } else { 1 });
        let mut from = Attribution::new(at, Label::new("native"));
        (from.project, from.session) = (Some(Label::new(project)), Some(Label::new(sessions[nth])));
        Record::Call(Call::new(CallKey::from_parts(&[project]), from, None, Tokens::default()))
    };
    let records = ["/home/kim/web-shop", "/home/kim/api"].into_iter().enumerate().map(of).collect();
    let mut books = Memory::new(Arc::new(PriceBook::new(Vec::new(), Vec::new(), CostMode::Auto)));
    books.post(&Batch { records, files: Vec::new() }).unwrap();
    let settings = Settings::defaults(&Env::empty(now));
    let ask = |names: Value| -> Value {
        let mut question = json!({"query": "summary"});
        question.as_object_mut().unwrap().extend(names.as_object().unwrap().clone());
        let answer = query(&question.to_string(), &books, &Rules::new(Zone::UTC), &settings, now);
        serde_json::from_str(&answer).unwrap()
    };
    let cases = [
        (json!({}), Some(1)),
        (json!({"project": "web-shop"}), Some(0)),
        (json!({"project": "/home/kim/web-shop"}), Some(0)),
        (json!({"session": "3f2a91c0"}), Some(0)),
        (json!({"session": "latest", "project": "web-shop"}), Some(0)),
        (json!({"session": "new"}), None),
    ];
    for (names, session) in cases {
        let (answer, expected) = (ask(names.clone()), session.map(|nth| sessions[nth]));
        assert_eq!((&answer["ok"], answer["session"]["session"].as_str()), (&json!(true), expected), "{names}");
    }
    assert_eq!(ask(json!({"session": "3f2a91"}))["error"], "2 sessions match '3f2a91'; give more of the name");
}
