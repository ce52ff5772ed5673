//! The meter beside the real books: forks that turn out to replay, answers that two logs report.

use std::sync::Arc;

use chrono::Duration;
use proptest::prelude::*;
use tokmeter::domain::{Call, CallKey, Label, Record, Usd, Zone};
use tokmeter::ledger::{Ledger, Memory, Posting};
use tokmeter::meter::{Amount, Follow, Limit, Meter, Opening, Rules, Scope, SessionLine, Summary, Window};
use tokmeter::pricing::{Cost, Pricer};

use crate::books::{at, call, price};

struct Prices;

impl Pricer for Prices {
    fn cost(&self, call: &Call) -> Cost {
        price(call)
    }
}

fn rules() -> Rules {
    let limit = |window| Limit {
        scope: Scope::default(),
        window,
        amount: Amount { tokens: Some(100), usd: Some(Usd::ONE), output_tokens: None },
        warn_at: vec![80],
    };
    let windows = [
        Window::Call,
        Window::Session,
        Window::Run,
        Window::Day,
        Window::Month,
        Window::Total,
        Window::Rolling(Duration::hours(5)),
    ];
    Rules { limits: windows.map(limit).to_vec(), ..Rules::new(Zone::UTC) }
}

fn record() -> impl Strategy<Value = Record> {
    let seen = (0_u8..8, -300_i64..0, 0_u8..4, 0_u64..9, prop::option::of(0_u8..4), any::<bool>(), any::<bool>());
    let seen = seen.prop_map(|(id, minutes, session, output, alias, agent, lineage)| {
        let name = format!("s{session}");
        let when = at("2026-11-22T13:00:00Z") + Duration::minutes(minutes);
        let mut told = call(&format!("{id}"), when).session(&name).input(3).output(output);
        if agent {
            told = told.agent("explore");
        }
        let mut call = told.0;
        call.alias = alias.map(|alias| CallKey::of(&[format!("alias {alias}")]));
        if lineage {
            call.lineage = Some(Label::new(&name));
        }
        Record::Call(call)
    });
    let descends = (0_u8..4, 0_u8..4).prop_map(|(child, parent)| Record::Descends {
        child: Label::new(&format!("s{child}")),
        parent: Label::new(&format!("s{parent}")),
    });
    prop_oneof![6 => seen, 1 => descends]
}

/// What may not depend on the way the rows came to be.
fn settled(summary: &Summary) -> Summary {
    let sessions: Vec<SessionLine> = summary.sessions.clone();
    Summary { growing: false, changes_at: None, sessions, ..summary.clone() }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_meter_that_followed_every_posting_shows_what_one_opened_now_shows(
        postings in prop::collection::vec(prop::collection::vec(record(), 1..6), 1..8),
    ) {
        let now = at("2026-11-22T13:00:00Z");
        let mut books = Memory::new(Arc::new(Prices));
        let mut meter = Meter::new(rules(), now);
        for records in postings {
            let posted = books.post(&Posting { records, files: Vec::new() }).unwrap();
            for posted in &posted {
                meter.apply(posted, now);
            }
            meter.refresh(&books, now).unwrap();
            let mut opened = Meter::open(rules(), Opening::ask(&books, &rules(), &Follow::Latest, now).unwrap());
            prop_assert_eq!(settled(&meter.summary(now)), settled(&opened.summary(now)));
            prop_assert_eq!(meter.summary(now).all, books.sums(&tokmeter::domain::Filter::default()).unwrap());
        }
    }
}
