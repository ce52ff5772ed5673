//! Calls and a price book for the tests.

use std::hash::{BuildHasher, BuildHasherDefault, DefaultHasher};
use std::sync::Arc;
use std::time::Duration;

use proptest::prelude::*;
use tokmeter::testing::domain::{
    Attribution, Bill, Billed, Call, CallKey, Claim, Counter, Dimension, Fidelity, Filter, Instant, Label, Parts,
    Place, Record, Tier, Tokens, Usd, Zone,
};
use tokmeter::testing::ledger::{Batch, Change, Checkpoint, Grain, Ledger, Query, Report, Row, Sums};
use tokmeter::testing::pricing::{Cost, Pricer};

/// Prices for `opus` and `haiku`, higher from the second day of 1970 on; others have their stated cost.
pub struct Prices {
    pub factor: u64,
}

impl Pricer for Prices {
    fn cost(&self, call: &Call) -> Cost {
        let rate = match call.model.as_deref() {
            Some("opus") => 25,
            Some("haiku") => 5,
            _ => return call.quoted.map_or(Cost::Unpriced, Cost::Quoted),
        };
        let late = u64::from(call.at().timestamp() >= 86_400);
        let usd = Usd::from_pico(1_000_001).times(rate * self.factor * (1 + late) * call.tokens.total());
        let price = Label::new(&format!("test:{rate}@{late}"));
        Cost::Priced {
            usd,
            saved: Usd::from_pico(7).times(call.tokens.cache_read),
            price,
            is_guessed: call.parts.audio_output == 2,
        }
    }
}

pub fn prices() -> Arc<dyn Pricer> {
    Arc::new(Prices { factor: 1 })
}

pub fn at(seconds: i64) -> Instant {
    Instant::from_timestamp(seconds, 0).unwrap()
}

pub fn key(name: &str) -> CallKey {
    CallKey::from_parts(&["test", name])
}

/// A call of `opus` by session `s`, at this second, with this much output.
pub fn call(name: &str, seconds: i64, output: u64) -> Call {
    Call::new(
        key(name),
        Attribution { session: Some(Label::new("s")), ..Attribution::new(at(seconds), Label::new("test")) },
        Some(Label::new("opus")),
        Tokens { input: 3, output, ..Tokens::ZERO },
    )
}

pub fn batch_of(records: impl IntoIterator<Item = Record>) -> Batch {
    Batch { records: records.into_iter().collect(), files: Vec::new() }
}

pub fn calls(calls: impl IntoIterator<Item = Call>) -> Batch {
    batch_of(calls.into_iter().map(Record::Call))
}

pub fn descends(child: &str, parent: &str) -> Record {
    Record::Descends { child: Label::new(child), parent: Label::new(parent) }
}

pub fn file(path: &str, offset: u64) -> Checkpoint {
    Checkpoint {
        path: path.into(),
        device: 1,
        inode: 2,
        offset,
        size: offset,
        modified_ns: -5,
        head_hash: u64::MAX,
        head_len: 9,
        tail_hash: 1 << 63,
        reader: "{}".into(),
        lines: 3,
        bad_lines: 1,
    }
}

pub fn query(grain: Grain, by: &[Dimension]) -> Query {
    Query { by: by.to_vec(), ..Query::new(grain, Zone::UTC) }
}

/// Every row, oldest first.
pub fn rows(books: &dyn Ledger) -> Vec<Row> {
    let report: Report = books.report(&query(Grain::Call, &[])).unwrap();
    report.rows.into_iter().map(|row| (*row.call.unwrap()).clone()).collect()
}

pub fn total(books: &dyn Ledger) -> Sums {
    books.sums(&Filter::default()).unwrap()
}

/// Adds up changes as a listener does.
pub fn add_up(told: &[Change], sums: &mut Sums) {
    for posted in told {
        let (out, add) = posted.rows();
        if let Some(add) = add {
            sums.add(&Sums::from_row(add));
        }
        if let Some(out) = out {
            sums.sub(&Sums::from_row(out));
        }
    }
}

fn label(of: &'static [&'static str]) -> impl Strategy<Value = Option<Label>> {
    prop::option::weighted(0.8, prop::sample::select(of).prop_map(Label::new))
}

/// Few keys, names and times, so that they coincide often.
pub fn any_call() -> impl Strategy<Value = Call> {
    let who = (
        label(&["s", "t", "u"]),
        label(&["agent-1", "agent-2"]),
        label(&["/a", "/b"]),
        label(&["alice", "bob"]),
        label(&["dev", "main"]),
    );
    let what = (
        label(&["opus", "haiku", "unheard-of"]),
        prop::array::uniform6(0_u64..4),
        0_u32..2,
        prop::option::of(0_i64..3),
        prop::sample::select(vec![
            Fidelity::Guessed,
            Fidelity::Solved,
            Fidelity::LowerBound,
            Fidelity::Unlisted,
            Fidelity::Final,
            Fidelity::Final,
            Fidelity::Refused,
            Fidelity::WritesUnlogged,
        ]),
    );
    // 0: by its own key · 1: also by a request · 2: only by a request · 3: unique within a family only · 4: also by a
    // request · 5: one of several of a request · 6: also by a client's attempts · 7: only by attempts. Some of the
    // third kind sum up calls that others hold one by one.
    let named = (0_u8..8, 0_u8..5, 0_u8..4, prop::sample::select(vec!["r", "s", "t", "u"]));
    let when = (
        prop::sample::select(vec![-90_000_i64, 0, 899, 900, 86_399, 86_400, 172_801]),
        0_u32..2,
        0_u64..3,
        prop::bool::ANY,
    );
    let claim = prop::sample::select(Claim::ALL.to_vec());
    (who, what, named, when, claim).prop_map(|(who, what, named, when, claim)| {
        let (session, agent, project, user, branch) = who;
        let (model, tokens, web_searches, quoted, fidelity) = what;
        let (kind, own, request, family) = named;
        let (seconds, nanos, offset, ends_turn) = when;
        let attempts = CallKey::of_attempts(&["attempts", &(request % 2).to_string()]);
        let request = key(&format!("request {request}"));
        let (key, alias, lineage) = match kind {
            0 => (key(&format!("call {own}")), None, None),
            1 => (key(&format!("call {own}")), Some(request), None),
            2 => (request, Some(request), None),
            3 => (key(&format!("count {own}")), None, Some(Label::new(family))),
            4 => (key(&format!("count {own}")), Some(request), Some(Label::new(family))),
            5 => (request.named(&[&[own]]), Some(request), None),
            6 => (key(&format!("call {own}")), Some(attempts), None),
            _ => (attempts, Some(attempts), None),
        };
        let source = if kind == 2 && own == 0 { "codex-exec" } else { "test" };
        Call {
            key,
            from: Attribution {
                session,
                agent,
                folder: project.as_ref().filter(|_| offset == 2).map(|_| Label::new("/w")),
                project,
                branch,
                user,
                place: Some(Place { path: Label::new("/log"), offset }),
                claim,
                ..Attribution::new(Instant::from_timestamp(seconds, nanos * 7).unwrap(), Label::new(source))
            },
            model,
            tokens: Tokens::from_fields(tokens),
            parts: Parts { audio_output: quoted.map_or(0, i64::unsigned_abs), ..Parts::NONE },
            tier: Tier::default(),
            web_searches,
            quoted: quoted.map(Usd::from_micro),
            latency: quoted.map(|_| Duration::from_nanos(5)),
            fidelity,
            alias,
            lineage,
            ends_turn,
        }
    })
}

/// Statements of few sessions, some of which share a counter.
pub fn any_bill() -> impl Strategy<Value = Record> {
    let model = |name: &'static str| {
        (prop::array::uniform6(0_u64..12), any::<bool>(), 0_u32..3).prop_map(move |(tokens, is_split, web_searches)| {
            Billed { is_split, web_searches, ..Billed::new(name, Tokens::from_fields(tokens)) }
        })
    };
    let models = (prop::option::of(model("haiku")), model("opus[1m]"));
    let counter = prop_oneof![
        3 => (prop::option::of(1_i64..3), prop::option::of(0_i64..1000)).prop_map(|(started, since)| Counter::Session {
            started,
            since: since.map(at),
        }),
        1 => prop::array::uniform6(0_u64..6).prop_map(|own| Counter::Run { own: Tokens::from_fields(own) }),
        2 => Just(Counter::Piece),
    ];
    let who = (label(&["s", "t", "u"]), label(&["/a", "/b"]));
    let when = prop::sample::select(vec![-90_000_i64, 0, 899, 900, 86_400, 172_801]);
    (who, when, models, counter, 0_u8..4).prop_map(|((session, project), seconds, models, counter, id)| {
        let from = Attribution { session, project, ..Attribution::new(at(seconds), Label::new("test")) };
        let models = models.0.into_iter().chain([models.1]).collect();
        Record::Bill(Bill { id: key(&format!("bill {id}")), from, counter, models })
    })
}

pub fn any_record() -> impl Strategy<Value = Record> {
    let family = || prop::sample::select(vec!["r", "s", "t", "u"]);
    prop_oneof![
        2 => any_bill(),
        8 => any_call().prop_map(Record::Call),
        1 => (family(), family()).prop_map(|(child, parent)| descends(child, parent)),
    ]
}

pub fn any_records() -> impl Strategy<Value = Vec<Record>> {
    prop::collection::vec(any_record(), 0..24)
}

/// The record at a time that no sighting with another attribution has, so that evidence decides between them. Otherwise
/// a durable ledger keeps what it has, and depends on the order.
fn without_ties(record: Record) -> Record {
    let Record::Call(mut call) = record else { return record };
    let from = &call.from;
    let names = (&from.source, &from.session, &from.agent, &from.project, &from.user, &from.place, from.at);
    let hash = BuildHasherDefault::<DefaultHasher>::default().hash_one(names);
    call.from.at += chrono::Duration::nanoseconds((hash % 900_000_000).cast_signed());
    Record::Call(call)
}

/// Like [`any_records`], where a durable ledger does not depend on the order.
pub fn decided_records() -> impl Strategy<Value = Vec<Record>> {
    any_records().prop_map(|records| records.into_iter().map(without_ties).collect())
}

/// Like [`a_telling_and_a_retelling`], where a durable ledger does not depend on the order.
pub fn a_decided_telling_and_a_retelling() -> impl Strategy<Value = (Vec<Record>, Vec<Batch>)> {
    a_telling_and_a_retelling().prop_map(|(told, retold)| {
        let decided = |records: Vec<Record>| records.into_iter().map(without_ties);
        (decided(told).collect(), retold.into_iter().map(|told| batch_of(decided(told.records))).collect())
    })
}

/// Records, and the same records again: in another order, some twice, split into batches.
pub fn a_telling_and_a_retelling() -> impl Strategy<Value = (Vec<Record>, Vec<Batch>)> {
    any_records().prop_flat_map(|told| {
        let again = prop::collection::vec(any::<prop::sample::Index>(), 0..6);
        let all = again.prop_map({
            let told = told.clone();
            move |again| {
                let again = again.iter().filter(|_| !told.is_empty()).map(|at| at.get(&told).clone());
                told.iter().cloned().chain(again.collect::<Vec<_>>()).collect::<Vec<_>>()
            }
        });
        let cuts = prop::collection::vec(1_usize..6, 30);
        let retold = (all.prop_shuffle(), cuts).prop_map(|(mut all, cuts)| {
            let mut postings = Vec::new();
            for cut in cuts {
                let rest = all.split_off(cut.min(all.len()));
                postings.push(batch_of(std::mem::replace(&mut all, rest)));
            }
            postings.push(batch_of(all));
            postings
        });
        (Just(told), retold)
    })
}

/// Queries whose answers must agree between ledgers.
pub fn questions() -> Vec<Query> {
    use Dimension::{Agent, Branch, Model, Org, Project, Session, Source, User};
    let mut all = Vec::new();
    for grain in [Grain::Hour, Grain::Day, Grain::Week, Grain::Month, Grain::Session, Grain::Call, Grain::Total] {
        for by in [&[][..], &[Model], &[Session], &[Source, Project, User], &[Agent, Org], &[Branch]] {
            all.push(query(grain, by));
        }
    }
    all
}
