//! Tests of the number of ledger queries, because the gate is asked before every call of an agent.

use std::cell::RefCell;
use std::sync::Arc;

use super::*;
use crate::config::Env;
use crate::domain::{Attribution, Call, CallKey, Filter, Record, Tokens, Zone};
use crate::ledger::{
    Batch, Change, Checkpoint, Decide, Fact, FactChange, FactKind, KeyValue, Ledger, Memory, Query, Report, Row, Sums,
};
use crate::pricing::{CostMode, PriceBook};

/// A ledger that records the dimensions by which its calls were listed.
struct Noting {
    books: Memory,
    listed: RefCell<Vec<Dimension>>,
}

impl KeyValue for Noting {
    fn update(&mut self, space: FactKind, key: &str, change: FactChange<'_>) -> Result<bool, LedgerError> {
        self.books.update(space, key, change)
    }

    fn remove(&mut self, space: FactKind, key: &str) -> Result<(), LedgerError> {
        self.books.remove(space, key)
    }

    fn facts(&self, space: FactKind, prefix: &str) -> Result<Vec<(String, Fact)>, LedgerError> {
        self.books.facts(space, prefix)
    }
}

impl Ledger for Noting {
    fn post(&mut self, batch: &Batch) -> Result<Vec<Change>, LedgerError> {
        self.books.post(batch)
    }

    fn absorb(&mut self, batch: &Batch) -> Result<(), LedgerError> {
        self.books.absorb(batch)
    }

    fn flush(&mut self) -> Result<(), LedgerError> {
        self.books.flush()
    }

    fn report(&self, query: &Query) -> Result<Report, LedgerError> {
        self.listed.borrow_mut().extend(&query.by);
        self.books.report(query)
    }

    fn sums(&self, filter: &Filter) -> Result<Sums, LedgerError> {
        self.books.sums(filter)
    }

    fn calls(&self, filter: &Filter, limit: usize) -> Result<Vec<Arc<Row>>, LedgerError> {
        self.books.calls(filter, limit)
    }

    fn call(&self, key: CallKey) -> Result<Option<Arc<Row>>, LedgerError> {
        self.books.call(key)
    }

    fn files(&self) -> Result<Vec<Checkpoint>, LedgerError> {
        self.books.files()
    }

    fn exclusively(&mut self, decide: Decide<'_>) -> Result<(), LedgerError> {
        self.books.exclusively(decide)
    }
}

#[test]
fn a_dimension_is_listed_once_at_most_and_sessions_only_where_a_short_name_may_be_meant() {
    let now = Instant::from_timestamp(1_795_348_800, 0).unwrap();
    let uuid = "3f2a91c0-1111-4222-8333-444455556666";
    let from = Attribution::new(now, Label::new("native"));
    let mut call = Call::new(CallKey::from_parts(&["a"]), from, None, Tokens::default());
    call.from.project = Some(Label::new("/home/kim/web-shop"));
    call.from.session = Some(Label::new(uuid));
    let mut books = Noting {
        books: Memory::new(Arc::new(PriceBook::new(Vec::new(), Vec::new(), CostMode::Auto))),
        listed: RefCell::new(Vec::new()),
    };
    books.post(&Batch { records: vec![Record::Call(call)], files: Vec::new() }).unwrap();
    let settings = Settings::defaults(&Env::empty(now));
    let listed = |names: &[(Dimension, &str)]| {
        named_answer(&books, &Rules::new(Zone::UTC), &settings, names, false, now).unwrap();
        std::mem::take(&mut *books.listed.borrow_mut())
    };
    assert_eq!(listed(&[]), []);
    for (session, is_listed) in [(uuid, false), ("run-1", false), ("3f2a91c0", true), ("nightly-1", true)] {
        let expected = if is_listed { vec![Dimension::Session] } else { Vec::new() };
        assert_eq!(listed(&[(Dimension::Session, session)]), expected, "{session}");
    }
    for name in ["/home/kim/web-shop", "web-shop", "new"] {
        assert_eq!(listed(&[(Dimension::Project, name)]), [Dimension::Project], "{name}");
    }
}
