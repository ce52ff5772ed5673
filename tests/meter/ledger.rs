//! The meter with the real ledger: forks found to replay, answers reported by two logs.

use std::sync::Arc;

use chrono::Duration;
use proptest::prelude::*;
use tokmeter::testing::domain::{Call, CallKey, Claim, Label, Record, Usd, Zone};
use tokmeter::testing::ledger::{Batch, Ledger, Memory};
use tokmeter::testing::meter::{Amount, Follow, Limit, Meter, Rules, Scope, SessionLine, Snapshot, Summary, Window};
use tokmeter::testing::pricing::{Cost, Pricer};

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
    let claim = prop::sample::select(Claim::ALL.to_vec());
    let seen =
        (0_u8..8, -300_i64..0, 0_u8..4, 0_u64..9, prop::option::of(0_u8..4), any::<bool>(), any::<bool>(), claim);
    let seen = seen.prop_map(|(id, minutes, session, output, alias, agent, lineage, claim)| {
        let name = format!("s{session}");
        let when = at("2026-11-22T13:00:00Z") + Duration::minutes(minutes);
        let mut told = call(&format!("{id}"), when).session(&name).input(3).output(output);
        if agent {
            told = told.agent("explore");
        }
        let mut call = told.0;
        call.from.claim = claim;
        call.alias = alias.map(|alias| CallKey::from_parts(&[format!("alias {alias}")]));
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

/// The part that must not depend on the order of changes.
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
            let posted = books.post(&Batch { records, files: Vec::new() }).unwrap();
            for posted in &posted {
                meter.apply(posted, now);
            }
            meter.refresh(&books, now).unwrap();
            let mut opened = Meter::open(rules(), Snapshot::ask(&books, &rules(), &Follow::Latest, now).unwrap());
            prop_assert_eq!(settled(&meter.summary(now)), settled(&opened.summary(now)));
            prop_assert_eq!(meter.summary(now).all, books.sums(&tokmeter::testing::domain::Filter::default()).unwrap());
        }
    }
}

#[test]
fn j29_a_call_that_turns_out_to_be_a_copy_leaves_the_forks_session_and_its_limit() {
    let now = at("2026-11-22T13:00:00Z");
    let line = |session: &str, claim| {
        let mut call = call("a", now - Duration::minutes(1)).session(session).output(60).0;
        call.from.claim = claim;
        Record::Call(call)
    };
    let own = Record::Call(call("b", now).session("fork").output(30).0);
    let mut books = Memory::new(Arc::new(Prices));
    let mut meter = Meter::new(rules(), now);
    for record in [line("fork", Claim::Copy), own, line("parent", Claim::Own), line("fork", Claim::Copy)] {
        for posted in books.post(&Batch { records: vec![record], files: Vec::new() }).unwrap() {
            meter.apply(&posted, now);
        }
    }
    meter.refresh(&books, now).unwrap();
    let summary = meter.summary(now);
    let tokens = |line: &SessionLine| (line.row.session.as_deref().map(str::to_owned), line.row.sums.tokens.total());
    let named = |name: &str, tokens| (Some(name.to_owned()), tokens);
    assert_eq!(summary.sessions.iter().map(tokens).collect::<Vec<_>>(), [named("fork", 30), named("parent", 60)]);
    let of_sessions = summary.limits.iter().filter(|state| state.limit.window == Window::Session);
    let mut used: Vec<_> = of_sessions.map(|state| state.used.tokens).collect();
    used.sort_unstable();
    assert_eq!(used, [Some(30), Some(60)]);
}
