//! Tests that nothing is admitted beyond a limit, and that nothing is refused while there is room.

mod clock;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use proptest::prelude::*;

use super::*;
use crate::domain::{Attribution, CallKey, Filter, Label, Matcher, Record, Tokens, Usd, Zone};
use crate::ledger::{self, Batch, FactKind, Memory, Options, Sqlite};
use crate::meter::{Amount, Limit, Scope, Window};
use crate::pricing::{Cost, Rates};

/// A token of `known` costs a tenth of a cent; other models have no price.
struct Milli;

impl Pricer for Milli {
    fn cost(&self, call: &Call) -> Cost {
        match call.model.as_deref() {
            Some("known") => Cost::Quoted(Usd::from_micro(1_000).times(call.tokens.total())),
            _ => Cost::Unpriced,
        }
    }
}

fn second(at: i64) -> Instant {
    Instant::from_timestamp(1_795_000_000 + at, 0).unwrap()
}

fn limit(only: &[(Dimension, &str)], window: Window, amount: Amount) -> Limit {
    let each = only.iter().any(|(_, name)| *name == "*");
    let only = only.iter().map(|(of, name)| (*of, Matcher::new(*name))).collect();
    Limit { scope: Scope { only, each }, window, amount, warn_at: vec![80] }
}

fn tokens(tokens: u64) -> Amount {
    Amount { tokens: Some(tokens), ..Amount::default() }
}

fn dollars(micro: i64) -> Amount {
    Amount { usd: Some(Usd::from_micro(micro)), ..Amount::default() }
}

fn rules(limits: Vec<Limit>) -> Rules {
    Rules { limits, ..Rules::new(Zone::UTC) }
}

/// A call with this number, by a user of a team, with this much output.
fn call(number: u128, user: &str, team: &str, output: u64, at: Instant) -> Call {
    let names = |name: &str| Some(Label::new(name));
    let from = Attribution {
        user: names(user),
        team: names(team),
        session: names("s"),
        ..Attribution::new(at, Label::new("proxy"))
    };
    let key = CallKey::from_parts(&["test", &number.to_string()]);
    Call::new(key, from, Some(Label::new("known")), Tokens { output, ..Tokens::ZERO })
}

fn coming(number: u128, call: Call) -> PendingCall {
    PendingCall { hold: HoldId::new(number), call, asked: None }
}

fn is_allowed(books: &mut dyn Ledger, rules: &Rules, coming: &PendingCall, now: Instant) -> bool {
    admit(books, rules, coming, &Milli, now).unwrap().0.allowed
}

fn settle(books: &mut dyn Ledger, number: u128, call: Call) {
    let records = vec![Record::Call(call), Record::Settled(HoldId::new(number))];
    books.post(&Batch { records, files: Vec::new() }).unwrap();
}

fn release(books: &mut dyn Ledger, number: u128) {
    let records = vec![Record::Settled(HoldId::new(number))];
    books.post(&Batch { records, files: Vec::new() }).unwrap();
}

fn ledger(path: &Path) -> Sqlite {
    ledger::open(path, Options::new(second(0)), Arc::new(Milli)).unwrap().books
}

fn held(books: &dyn Ledger) -> usize {
    books.facts(FactKind::Hold, "").unwrap().len()
}

#[test]
fn of_a_hundred_calls_made_at_once_as_many_go_as_there_is_room_for() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ledger.db");
    drop(ledger(&path));
    // Forty calls of ten tokens fit. Bob's calls do not use up any of that.
    let rules = rules(vec![limit(&[(Dimension::User, "*")], Window::Day, tokens(400))]);
    let (went, of_bob) = (AtomicUsize::new(0), AtomicUsize::new(0));
    std::thread::scope(|scope| {
        // Each thread opens the ledger for itself, as a separate process would.
        for thread in 0..4 {
            let (path, rules, went, of_bob) = (&path, &rules, &went, &of_bob);
            scope.spawn(move || {
                let mut books = ledger(path);
                for number in 0..25 {
                    let number = thread * 100 + number;
                    let alice = coming(number, call(number, "alice", "web", 10, second(1)));
                    went.fetch_add(usize::from(is_allowed(&mut books, rules, &alice, second(1))), Ordering::SeqCst);
                    if number % 100 < 5 {
                        let bob = coming(number + 1000, call(number + 1000, "bob", "web", 10, second(1)));
                        of_bob.fetch_add(usize::from(is_allowed(&mut books, rules, &bob, second(1))), Ordering::SeqCst);
                    }
                }
            });
        }
    });
    assert_eq!((went.into_inner(), of_bob.into_inner()), (40, 20));
    assert_eq!(held(&ledger(&path)), 60);
}

#[test]
fn limits_of_the_model_that_was_asked_for_and_of_the_one_that_answers_both_hold() {
    let now = second(1);
    let of = |model: &str, amount| limit(&[(Dimension::Model, model)], Window::Day, tokens(amount));
    let renamed = |number, asked: &str| PendingCall {
        asked: Some(Label::new(asked)),
        ..coming(number, call(number, "a", "t", 10, now))
    };
    for (limits, is_free) in [
        (vec![of("known", 15)], true),
        (vec![of("known", 15), of("other", 0)], true),
        (vec![of("known", 0)], false),
        (vec![of("fast", 0)], false),
        (vec![of("known", 15), of("fast", 0)], false),
    ] {
        let (rules, mut books) = (rules(limits), Memory::new(Arc::new(Milli)));
        assert_eq!(is_allowed(&mut books, &rules, &renamed(1, "fast"), now), is_free, "{:?}", rules.limits);
    }
    // It is held for the model that answers, so that calls at once do not exceed its limit, whatever they ask for.
    let (rules, mut books) = (rules(vec![of("known", 15)]), Memory::new(Arc::new(Milli)));
    assert!(is_allowed(&mut books, &rules, &renamed(1, "fast"), now));
    assert!(is_allowed(&mut books, &rules, &renamed(2, "faster"), now), "ten of fifteen are held");
    let (refused, _) = admit(&mut books, &rules, &renamed(3, "fast"), &Milli, now).unwrap();
    assert_eq!((refused.allowed, refused.waits, refused.states.len()), (false, true, 1));
    assert_eq!(held(&books), 2);
}

#[test]
fn two_processes_on_one_ledger_give_the_same_answer() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ledger.db");
    let (mut one, mut other) = (ledger(&path), ledger(&path));
    let rules = rules(vec![limit(&[], Window::Total, dollars(20_000))]);
    let now = second(1);
    assert!(is_allowed(&mut one, &rules, &coming(1, call(1, "a", "t", 20, now)), now));
    let (refused, is_held) = admit(&mut other, &rules, &coming(2, call(2, "b", "t", 1, now)), &Milli, now).unwrap();
    assert_eq!((refused.allowed, refused.waits, is_held), (false, true, false));
    // It cost less than was held for it, so both have room again.
    settle(&mut one, 1, call(1, "a", "t", 5, now));
    assert!(is_allowed(&mut other, &rules, &coming(3, call(3, "b", "t", 15, now)), now));
    assert!(!is_allowed(&mut one, &rules, &coming(4, call(4, "a", "t", 1, now)), now));
    settle(&mut other, 3, call(3, "b", "t", 15, now));
    let (refused, _) = admit(&mut one, &rules, &coming(5, call(5, "a", "t", 1, now)), &Milli, now).unwrap();
    assert_eq!((refused.allowed, refused.waits), (false, false), "spent, not only held");
    assert_eq!(refused.states[0].used, dollars(20_000));
    assert_eq!(held(&one), 0);
}

#[test]
fn a_hold_lapses_and_its_call_still_counts_when_it_is_booked_late() {
    let mut books = Memory::new(Arc::new(Milli));
    let rules = rules(vec![limit(&[], Window::Total, tokens(10))]);
    let now = second(0);
    assert!(is_allowed(&mut books, &rules, &coming(1, call(1, "a", "t", 10, now)), now));
    let last = now + holds::LASTS - chrono::Duration::seconds(1);
    assert!(!is_allowed(&mut books, &rules, &coming(2, call(2, "a", "t", 1, last)), last));
    let over = now + holds::LASTS;
    assert!(is_allowed(&mut books, &rules, &coming(3, call(3, "a", "t", 1, over)), over));
    assert_eq!(held(&books), 1, "the lapsed one is gone");
    settle(&mut books, 1, call(1, "a", "t", 10, now));
    release(&mut books, 3);
    assert_eq!(books.sums(&Filter::default()).unwrap().tokens.output, 10);
    assert_eq!(held(&books), 0);
}

#[test]
fn a_model_without_a_price_is_held_at_the_fallback_rates() {
    let mut books = Memory::new(Arc::new(Milli));
    let unpriced = |number| Call { model: Some(Label::new("new")), ..call(number, "a", "t", 10, second(0)) };
    let mut rules = rules(vec![limit(&[], Window::Day, dollars(1_000_000))]);
    let rates = Rates { output: Usd::from_micro(100_000), input: Usd::from_micro(1), ..Rates::default() };
    rules.fallback = Some(rates);
    assert!(is_allowed(&mut books, &rules, &coming(1, unpriced(1)), second(0)));
    assert!(!is_allowed(&mut books, &rules, &coming(2, unpriced(2)), second(0)), "a dollar is held");
    rules.fallback = None;
    assert!(is_allowed(&mut Memory::new(Arc::new(Milli)), &rules, &coming(3, unpriced(3)), second(0)));
}

#[test]
fn a_hold_counts_against_the_limits_that_cover_its_call_and_no_others() {
    let run = |agent: &str| {
        let mut call = call(9, "alice", "web", 1, second(0));
        call.from.agent = Some(Label::new(agent));
        call
    };
    let other_session = || {
        let mut call = call(9, "alice", "web", 1, second(0));
        call.from.session = Some(Label::new("other"));
        call
    };
    let cases = [
        (limit(&[(Dimension::User, "alice")], Window::Day, tokens(1)), call(9, "alice", "t", 1, second(0)), false),
        (limit(&[(Dimension::User, "*")], Window::Day, tokens(1)), call(9, "bob", "web", 1, second(0)), true),
        (limit(&[(Dimension::Team, "web")], Window::Week, tokens(1)), call(9, "bob", "web", 1, second(0)), false),
        (limit(&[(Dimension::Team, "web")], Window::Week, tokens(1)), call(9, "bob", "ops", 1, second(0)), true),
        (limit(&[(Dimension::Model, "kn*")], Window::Month, tokens(1)), call(9, "bob", "ops", 1, second(0)), false),
        (limit(&[], Window::Block, tokens(1)), call(9, "bob", "ops", 1, second(0)), false),
        (limit(&[], Window::Session, tokens(1)), call(9, "bob", "ops", 1, second(0)), false),
        (limit(&[], Window::Session, tokens(1)), other_session(), true),
        (limit(&[], Window::Run, tokens(1)), run("explore"), true),
        (limit(&[], Window::Call, tokens(1)), call(9, "alice", "web", 1, second(0)), true),
    ];
    for (limit, next, allowed) in cases {
        let mut books = Memory::new(Arc::new(Milli));
        let rules = rules(vec![limit.clone(), super::tests::limit(&[], Window::Total, tokens(1_000))]);
        assert!(is_allowed(&mut books, &rules, &coming(1, call(1, "alice", "web", 1, second(0))), second(0)));
        assert_eq!(is_allowed(&mut books, &rules, &coming(2, next), second(0)), allowed, "{limit:?}");
    }
}

#[test]
fn a_limit_of_zero_refuses_every_call_and_no_limit_holds_nothing() {
    let mut books = Memory::new(Arc::new(Milli));
    for window in [Window::Day, Window::Call, Window::Session] {
        let rules = rules(vec![limit(&[], window, dollars(0))]);
        assert!(!is_allowed(&mut books, &rules, &coming(1, call(1, "a", "t", 1, second(0))), second(0)), "{window}");
    }
    let of_others = rules(vec![limit(&[(Dimension::User, "z")], Window::Day, dollars(0))]);
    let admitted = admit(&mut books, &of_others, &coming(1, call(1, "a", "t", 1, second(0))), &Milli, second(0));
    let (decision, is_held) = admitted.unwrap();
    assert_eq!((decision.allowed, is_held, held(&books)), (true, false, 0));
}

/// One step by one of many programs that share a ledger.
#[derive(Clone, Debug)]
enum Step {
    /// A call asks for admission: its user, the tokens to hold, and its eventual cost.
    Ask(bool, u64, u64),
    /// One of the calls in progress is booked.
    Settle(prop::sample::Index),
    /// One of them failed and cost nothing.
    Release(prop::sample::Index),
    /// One of their programs was killed.
    Abort(prop::sample::Index),
    /// This many seconds pass.
    Wait(i64),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        4 => (any::<bool>(), 1_u64..30, 0_u64..40).prop_map(|(user, held, cost)| Step::Ask(user, held, cost)),
        2 => any::<prop::sample::Index>().prop_map(Step::Settle),
        1 => any::<prop::sample::Index>().prop_map(Step::Release),
        1 => any::<prop::sample::Index>().prop_map(Step::Abort),
        1 => (0_i64..400).prop_map(Step::Wait),
    ];
    prop::collection::vec(step, 250)
}

/// A call in progress: user, tokens held, cost, the second it was admitted, and whether anyone will end it.
type Open = BTreeMap<u128, (&'static str, u64, u64, i64, bool)>;

/// Runs the steps on this ledger and on a model of it.
fn check(books: &mut [Box<dyn Ledger>], steps: Vec<Step>) -> Result<(), TestCaseError> {
    let limits = vec![
        limit(&[(Dimension::User, "*")], Window::Total, tokens(600)),
        limit(&[(Dimension::Team, "web")], Window::Total, dollars(900_000)),
    ];
    let (rules, lasts) = (rules(limits), i64::try_from(holds::LASTS.as_secs()).unwrap());
    let (mut open, mut spent, mut now) = (Open::new(), BTreeMap::<&str, u64>::new(), 0);
    for (number, step) in (0_u128..).zip(steps) {
        let turn = usize::try_from(number).unwrap() % books.len();
        let books = &mut *books[turn];
        // The program that will end a call keeps its number, even after the hold has lapsed.
        let of = |index: &prop::sample::Index, open: &Open| {
            let alive: Vec<u128> = open.iter().filter(|(_, call)| call.4).map(|(number, _)| *number).collect();
            (!alive.is_empty()).then(|| alive[index.index(alive.len())])
        };
        match step {
            Step::Ask(is_alice, held, cost) => {
                let user = if is_alice { "alice" } else { "bob" };
                let held_by = |user: Option<&str>| -> u64 {
                    let counts = |call: &&(&str, u64, u64, i64, bool)| now - call.3 < lasts;
                    let of_user = open.values().filter(counts).filter(|call| user.is_none_or(|user| user == call.0));
                    of_user.map(|call| call.1).sum()
                };
                let own = spent.get(user).copied().unwrap_or(0) + held_by(Some(user));
                let all = spent.values().sum::<u64>() + held_by(None);
                let asked = coming(number, call(number, user, "web", held, second(now)));
                let allowed = is_allowed(books, &rules, &asked, second(now));
                prop_assert_eq!(allowed, own < 600 && all < 900, "step {}: {} of 600, {} of 900", number, own, all);
                if allowed {
                    open.insert(number, (user, held, cost, now, true));
                }
            }
            Step::Settle(index) => {
                if let Some(number) = of(&index, &open) {
                    let (user, _, cost, ..) = open.remove(&number).unwrap();
                    settle(books, number, call(number, user, "web", cost, second(now)));
                    *spent.entry(user).or_default() += cost;
                }
            }
            Step::Release(index) => {
                if let Some(number) = of(&index, &open) {
                    open.remove(&number);
                    release(books, number);
                }
            }
            Step::Abort(index) => {
                if let Some(number) = of(&index, &open) {
                    open.get_mut(&number).unwrap().4 = false;
                }
            }
            Step::Wait(seconds) => now += seconds,
        }
    }
    // Calls that are left over are ended, or lapse with their program.
    let books = &mut *books[0];
    for (number, _) in open.iter().filter(|(_, call)| call.4) {
        release(books, *number);
    }
    now += lasts;
    let caller = coming(0, call(0, "alice", "web", 1, second(now))).callers().remove(0);
    let decision = gate::decide(books, &rules, &caller, second(now)).unwrap();
    for state in &decision.states {
        let total = if state.limit.amount.usd.is_some() { None } else { Some("alice") };
        let of_it = spent.iter().filter(|(user, _)| total.is_none_or(|total| total == **user)).map(|(_, spent)| spent);
        let expected = of_it.sum::<u64>();
        let used = state.used.tokens.or_else(|| Some(u64::try_from(state.used.usd?.rounded(3)).unwrap()));
        prop_assert_eq!(used, Some(expected), "used is the sum of the calls");
    }
    prop_assert_eq!(holds::open(books, second(now)).unwrap().0, Vec::new(), "no hold is left");
    Ok(())
}

proptest! {
    // 40 runs of 250 steps: 10,000.
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(40) })]

    #[test]
    fn after_ten_thousand_random_steps_no_hold_is_left_and_nothing_that_had_room_was_refused(steps in steps(), on_disk in any::<bool>()) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ledger.db");
        let mut books: Vec<Box<dyn Ledger>> = if on_disk {
            vec![Box::new(ledger(&path)), Box::new(ledger(&path))]
        } else {
            vec![Box::new(Memory::new(Arc::new(Milli)))]
        };
        check(&mut books, steps)?;
    }
}
